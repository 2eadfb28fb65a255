"""The page by keyboard, in either theme, at any width and without its script."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.leaderboards.browser.reading import SHOWN, TEXT, VIEWS, Show, grave, scores


def test_tabs_go_by_arrow_keys(show: Show) -> None:
    page = show()
    page.get_by_role("tab", selected=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Scores")).to_be_focused()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Scores")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Fresh twins")).to_be_focused()
    page.keyboard.press("Home")
    expect(page.get_by_role("tabpanel", name="Overall")).to_be_visible()
    assert page.locator("[role=tab][tabindex='0']").count() == 1


def test_arrow_keys_move_among_the_figures(show: Show) -> None:
    page = show(f"test={TEXT}&view=categories")
    page.locator(f"{SHOWN} button.name").nth(1).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    href = page.evaluate("document.activeElement.getAttribute('href')")
    assert href == "runs/model-1-1/report.html#category=interval"
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.locator(f"{SHOWN} button.name").nth(2)).to_be_focused()


@pytest.mark.parametrize("view", ["overall", "history"])
def test_the_keyboard_reaches_the_figures_of_rows_that_do_not_open(show: Show, view: str) -> None:
    page = show(f"test={TEXT}&view={view}")
    links = [page.locator(SHOWN).nth(place).get_by_role("link") for place in range(2)]
    page.get_by_role("columnheader").get_by_role("button").last.focus()
    page.keyboard.press("Tab")
    expect(links[0].first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(links[0].nth(1)).to_be_focused()
    page.keyboard.press("Tab")
    expect(links[1].first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(links[0].first).to_be_focused()


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1280, 1920])
def test_the_page_never_scrolls_sideways(show: Show, width: int) -> None:
    page = show(scores(open="model-0-1"), width=width)
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        inner, whole = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        assert whole <= inner == width, view


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(show: Show, scheme: str, width: int) -> None:
    page = show(scores(open="model-0-1"), width=width, color_scheme=scheme)
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        assert grave(page) == [], view


def ground(page: Page) -> str:
    found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


def test_the_theme_goes_round_and_is_remembered(show: Show, small: Path) -> None:
    page = show(color_scheme="light")
    button = page.get_by_role("button", name="Theme")
    light = ground(page)
    expect(button).to_have_text("Theme: auto")
    button.click()
    button.click()
    expect(button).to_have_text("Theme: dark")
    dark = ground(page)
    assert dark != light
    page.reload()
    expect(button).to_have_text("Theme: dark")
    assert ground(page) == dark
    button.click()
    expect(button).to_have_text("Theme: auto")
    assert ground(page) == light
    page.emulate_media(color_scheme="dark")
    assert ground(page) == dark


def test_without_storage_the_theme_still_goes_round(chromium: Browser, small: Path) -> None:
    context = chromium.new_context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() {"
        " throw new DOMException('denied', 'SecurityError'); }})"
    )
    page = context.new_page()
    errors: list[object] = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(small.as_uri())
    page.get_by_role("button", name="Theme").click()
    expect(page.get_by_role("button", name="Theme")).to_have_text("Theme: light")
    assert errors == []
    context.close()


def test_without_the_script_a_plain_table_remains(show: Show) -> None:
    page = show(java_script_enabled=False)
    assert page.get_by_role("table").count() == 4
    second = page.get_by_role("table").nth(1)
    expect(second).to_contain_text("Sheet music 2, text (test split)")
    assert second.locator("tbody tr").nth(4).locator("td, th").all_inner_texts() == [
        "3=", "Qwen/Middle, 4 shots, 1 x 512 tokens", "61.5", "58.1 to 64.8",
    ]  # fmt: skip
    expect(page.locator("#board")).to_be_hidden()
