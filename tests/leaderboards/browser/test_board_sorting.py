"""Sorting by hand, by keyboard and on a phone; and the choice of rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.leaderboards.browser.reading import (
    TEXT,
    VIEWS,
    Show,
    column,
    head,
    names,
    scores,
    write_page,
)
from tests.leaderboards.small_board import small_board


def test_best_first_to_begin_with(show: Show) -> None:
    page = show(scores())
    assert names(page)[:3] == ["perfect reader", "Other/Large", "Other/Large"]
    shares = [float(words.split()[0]) for words in column(page, "Accuracy")]
    assert shares == sorted(shares, reverse=True)
    expect(head(page, "Accuracy")).to_have_attribute("aria-sort", "descending")


def test_a_click_sorts_and_a_second_one_turns_the_order(show: Show) -> None:
    page = show(scores())
    head(page, "Tokens").get_by_role("button").click()
    expect(head(page, "Tokens")).to_have_attribute("aria-sort", "ascending")
    expect(head(page, "Accuracy")).to_have_attribute("aria-sort", "none")
    found = column(page, "Tokens")
    known = [float(words.replace(",", "")) for words in found if words != "–"]
    assert known == sorted(known) and len(known) == 7
    head(page, "Tokens").get_by_role("button").click()
    expect(head(page, "Tokens")).to_have_attribute("aria-sort", "descending")
    assert column(page, "Tokens") == [*found[:7][::-1], *["–"] * 4], "no figure: last either way"
    expect(page.get_by_role("status")).to_have_text("Sorted by Tokens per reply, descending")


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "frontier"])
def test_every_column_with_a_button_sorts(show: Show, view: str) -> None:
    page = show(f"test={TEXT}&view={view}")
    buttons = page.get_by_role("columnheader").get_by_role("button")
    assert buttons.count() >= 3
    before = sorted(names(page))
    for place in range(buttons.count()):
        buttons.nth(place).click()
        order = buttons.nth(place).locator("..").get_attribute("aria-sort")
        assert order in ("ascending", "descending")
        assert sorted(names(page)) == before


def test_the_keyboard_sorts_and_the_focus_shows(show: Show) -> None:
    page = show(scores())
    button = head(page, "Model").get_by_role("button")
    page.keyboard.press("Tab")
    button.focus()
    page.keyboard.press("Enter")
    expect(head(page, "Model")).to_have_attribute("aria-sort", "ascending")
    found = names(page)
    assert found.index("Other/Large") < found.index("Qwen/Small")
    page.keyboard.press("Space")
    expect(head(page, "Model")).to_have_attribute("aria-sort", "descending")
    expect(button).to_be_focused()
    assert button.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"


def test_sorting_among_found_rows_says_both(show: Show) -> None:
    page = show(scores(find="qwen small"))
    head(page, "Tokens").get_by_role("button").click()
    expect(page.get_by_role("status")).to_have_text(
        "Sorted by Tokens per reply, ascending; 2 of 11 rows shown"
    )


def test_a_phone_sorts_by_a_choice(show: Show) -> None:
    page = show(scores(), width=390)
    page.get_by_label("Sort by").select_option(label="Tokens per reply")
    known = [words for words in page.locator("[data-label^=Tokens]").all_inner_texts()
             if words != "–"]  # fmt: skip
    assert known[:2] == ["96", "212"]
    page.get_by_role("button", name="Order: ascending").click()
    assert page.locator("[data-label^=Tokens]").first.inner_text() == "1,840"
    expect(page.get_by_role("button", name="Order: descending")).to_be_visible()


def test_search_finds_by_parts_of_a_name(show: Show) -> None:
    page = show(scores())
    page.keyboard.press("/")
    expect(page.get_by_label("Find a model")).to_be_focused()
    page.keyboard.type("small QWEN")
    assert names(page) == ["Qwen/Small"] * 2
    expect(page.get_by_role("status")).to_have_text("2 of 11 rows shown")
    page.keyboard.type("zzz")
    assert names(page) == []
    expect(page.get_by_text("No such row here.")).to_be_visible()
    page.keyboard.press("Escape")
    assert len(names(page)) == 11


def test_rows_are_chosen_by_method_rung_and_baselines(show: Show) -> None:
    page = show(scores())
    page.get_by_label("Method").select_option("4 shots")
    assert names(page) == [
        "perfect reader", "Other/Large", "Qwen/Middle", "Qwen/Small", "best blind predictor",
        "chance",
    ]  # fmt: skip
    page.get_by_label("Baselines").uncheck()
    assert names(page) == ["Other/Large", "Qwen/Middle", "Qwen/Small"]
    page.get_by_label("Method").select_option("")
    page.get_by_label("Rung").select_option("1 x 4096 tokens")
    assert names(page) == ["Other/Large"]


def test_what_only_a_baseline_has_is_no_choice(show: Show, tmp_path: Path) -> None:
    record = small_board()
    gold = next(one for one in record["entries"] if one["key"] == "gold-1")
    gold |= {"kind": "blind", "method": "nothing shown", "rung": "1 x 8 tokens"}
    path = write_page(tmp_path, record)
    page = show(scores(method="nothing shown", rung="1 x 8 tokens"), path=path)
    assert page.locator("#method option").all_inner_texts() == ["all", "zero-shot", "4 shots"]
    assert "1 x 8 tokens" not in page.locator("#rung option").all_inner_texts()
    assert len(names(page)) == 11


def test_a_choice_with_one_answer_is_not_asked(show: Show, tmp_path: Path) -> None:
    record = small_board()
    for one in record["entries"]:
        one["method"] = one["rung"] = ""
    record["tests"], record["gaps"], record["overall"] = record["tests"][:1], [], []
    record["entries"] = [one for one in record["entries"] if one["test"] == 0]
    page = show(path=write_page(tmp_path, record))
    for choice in ("method", "rung", "test"):
        expect(page.locator(f"select#{choice}")).to_be_hidden()
    assert page.get_by_role("tab").all_inner_texts() == [
        "Scores", "Categories", "Tasks", "Levels", "Frontier",
    ]  # fmt: skip


def test_a_view_with_nothing_to_show_is_absent(show: Show, tmp_path: Path) -> None:
    record = small_board()
    record["tests"] = record["tests"][:1]
    record["tests"][0] |= {"categories": {}, "tasks": {}, "levels": {}}
    record["entries"] = [one for one in record["entries"] if one["test"] == 0]
    for one in record["entries"]:
        one |= {"quantities": {}, "twins": None}
    record |= {"overall": [], "gaps": []}
    page = show("view=frontier", path=write_page(tmp_path, record))
    assert page.get_by_role("tab").all_inner_texts() == ["Scores"]
    assert len(names(page)) == 10


def test_a_board_without_runs_is_a_page(show: Show, tmp_path: Path) -> None:
    record = {**small_board(), "tests": [], "entries": [], "overall": [], "gaps": []}
    page = show(path=write_page(tmp_path, record))
    expect(page.get_by_role("heading", name="How to read this page")).to_be_visible()
