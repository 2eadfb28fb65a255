"""What stands in the tables, and what a figure leads to."""

from __future__ import annotations

import copy
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from leaderboards.cells import percent
from tests.leaderboards.browser.reading import (
    SHOWN,
    TEXT,
    Show,
    box,
    column,
    grave,
    head,
    names,
    scores,
    write_page,
)
from tests.leaderboards.small_board import CATEGORIES, LONG, entry, figure, small_board


def test_ranks_that_are_shared_say_so(show: Show) -> None:
    page = show(scores())
    expect(page.get_by_role("cell", name="3 tied")).to_have_count(2)
    assert [words.replace("\n", "") for words in column(page, "Rank")][:5] == [
        "unranked", "1", "2", "3=tied", "3=tied",
    ]  # fmt: skip
    title = page.locator(f"{SHOWN} > .row > .rank").nth(4).get_attribute("title")
    assert title == "0.5 points from the model ranked above (McNemar’s test, p = 0.4 after Holm)"


def test_baselines_and_unfinished_runs_are_marked(show: Show) -> None:
    page = show(scores())
    row = page.locator(".entry").filter(has_text=LONG)
    expect(row).to_contain_text("320 of 800 problems")
    expect(row).to_contain_text("3 errors")
    expect(page.locator(".entry").filter(has_text="perfect reader")).to_contain_text("baseline")
    expect(page.locator(".entry").filter(has_text="blind")).to_contain_text("pairwise logistic")


@pytest.mark.parametrize(
    ("view", "slice_", "name"),
    [
        ("categories", "category", "chord"),
        ("tasks", "task", "sheet_music/chord_name"),
        ("levels", "level", "2"),
    ],
)
def test_a_figure_leads_to_its_samples(show: Show, view: str, slice_: str, name: str) -> None:
    page = show(f"test={TEXT}&view={view}")
    record = small_board()
    one = next(one for one in record["entries"] if one["key"] == "model-0-1")
    figures = page.locator(SHOWN).nth(1).get_by_role("gridcell").get_by_role("link")
    assert figures.first.get_attribute("href") == "runs/model-0-1/report.html"
    address = f"runs/model-0-1/report.html#{slice_}={quote(name, safe='')}"
    link = page.locator(f'a[href="{address}"]')
    found = one[view][name]
    expect(link).to_have_text(percent(found["value"]))
    assert link.get_attribute("title") == (
        f"95 % interval {percent(found['low'])} to {percent(found['high'])}, "
        f"{found['problems']} problems"
    )
    link.click()
    assert page.title() == "samples" and page.url.endswith(address)
    page.go_back()
    assert page.get_by_role("tab", selected=True).inner_text().lower() == view


def test_details_open_with_the_figures_of_each_task(show: Show) -> None:
    page = show(scores())
    row = page.locator(".entry").filter(has_text="1 x 4096 tokens")
    button = row.get_by_role("button")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    one = next(one for one in small_board()["entries"] if one["key"] == "model-0-1")
    text = page.locator(".detail").inner_text().replace("\n", " ")
    for task, found in one["tasks"].items():
        words = task.partition("/")[2].replace("_", " ").capitalize()
        assert f"{words} {percent(found['value'])}" in text
    assert f"truncated {percent(one['outcomes']['truncated'])} %" in text
    assert "temperature, top-p 0, 1" in text
    expect(page.get_by_role("link", name="Record (JSON) of Other/Large")).to_have_attribute(
        "href", "runs/model-0-1/metrics.json"
    )
    head(page, "Tokens").get_by_role("button").click()
    expect(row.locator(".detail")).to_be_visible()
    button.click()
    assert page.locator(".detail").count() == 0


def test_what_no_reply_came_to_leads_to_no_samples(show: Show) -> None:
    page = show(scores(open="model-0-1"))
    item = page.locator(".detail li").filter(has_text="error 0.0 %")
    assert item.count() == 1 and item.get_by_role("link").count() == 0
    wrong = page.locator(".detail li").filter(has_text="wrong").get_by_role("link")
    expect(wrong).to_have_attribute("href", "runs/model-0-1/report.html#outcome=wrong")
    perfect = page.locator(".entry").filter(has_text="perfect reader").locator(".num")
    assert "0.0" in perfect.nth(1).inner_text() and perfect.get_by_role("link").count() == 0


def test_a_model_that_was_shown_nothing_is_not_called_the_audits_predictor(
    show: Show, tmp_path: Path
) -> None:
    record = small_board()
    one = next(one for one in record["entries"] if one["key"] == "model-4-1")
    one |= {"kind": "blind", "method": "zero-shot, nothing shown, greedy", "rank": None}
    page = show(scores(), path=write_page(tmp_path, record))
    row = page.locator(".entry").filter(has_text="Qwen/Small").filter(has_text="baseline")
    expect(row).to_contain_text("zero-shot, nothing shown, greedy · 1 x 512 tokens")
    assert page.get_by_text("pairwise logistic").count() == 1


@pytest.mark.parametrize("width", [1280, 390])
def test_bars_and_intervals_are_drawn_to_scale(show: Show, width: int) -> None:
    page = show(scores(), width=width)
    entries = [one for one in small_board()["entries"] if one["test"] == 1]
    rows = page.locator(SHOWN)
    assert rows.count() == len(entries) == 11
    for place, one in enumerate(entries):
        track = rows.nth(place).locator(".score .track")
        whole, found = box(track), one["accuracy"]
        assert whole["width"] > 50
        bar = box(track.locator(".bar"))
        assert bar["width"] == pytest.approx(whole["width"] * found["value"], abs=0.6)
        assert bar["left"] == pytest.approx(whole["left"], abs=0.1)
        assert track.locator(".whisker").count() == (found["low"] is not None)
        if found["low"] is not None:
            span = box(track.locator(".whisker"))
            for side, share in (("left", found["low"]), ("right", found["high"])):
                edge = whole["left"] + whole["width"] * share
                assert span[side] == pytest.approx(edge, abs=1.6), (one["name"], side)
        for kind, share in ((".mark:not(.blind)", 0.25), (".mark.blind", 0.28)):
            mark = box(track.locator(kind))
            middle = (mark["left"] + mark["right"]) / 2
            assert middle == pytest.approx(whole["left"] + whole["width"] * share, abs=1.1)


def test_headings_of_a_long_table_stay_in_sight(show: Show, tmp_path: Path) -> None:
    record = small_board()
    pattern = next(one for one in record["entries"] if one["kind"] == "model")
    for place in range(60):
        one = copy.deepcopy(pattern)
        record["entries"].append({**one, "key": f"more-{place}", "name": f"more {place}"})
    page = show("view=categories", path=write_page(tmp_path, record))
    page.locator(".frame").evaluate("frame => frame.scrollTo(0, 1500)")
    top = box(page.locator(".frame"))["y"]
    assert box(page.locator(".head"))["y"] == pytest.approx(top + 1, abs=1)
    page.locator(f"{SHOWN} button.name").first.focus()
    for _ in range(40):
        page.keyboard.press("ArrowDown")
        focus = box(page.locator(":focus"))
        assert top + box(page.locator(".head"))["height"] <= focus["y"] < top + 800
    button = page.get_by_role("columnheader").filter(has_text=CATEGORIES[1].capitalize())
    button.get_by_role("button").click()
    assert len(names(page)) == 70


@pytest.mark.parametrize("width", [390, 1280, 3600])
def test_a_table_of_very_many_columns_is_whole(show: Show, tmp_path: Path, width: int) -> None:
    record = small_board()
    many = [f"category {place}" for place in range(41)]
    for test in record["tests"]:
        test["categories"] = dict.fromkeys(many, 0.25)
    for place, one in enumerate(record["entries"]):
        one["categories"] = {name: figure(0.3 + place / 200) for name in many}
    path = write_page(tmp_path, record)
    page = show(f"test={TEXT}&view=categories", path=path, width=width)
    assert page.get_by_role("columnheader").count() == 44
    page.locator(f"{SHOWN} button.name").first.focus()
    for _ in many:
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    href = page.evaluate("document.activeElement.getAttribute('href')")
    assert href == "runs/gold-1/report.html#category=category%2040"
    for place in range(43, 30, -1):
        title = box(page.get_by_role("columnheader").nth(place))
        cell = box(page.locator(SHOWN).nth(1).locator("[role]:not([role=row])").nth(place))
        assert cell["left"] == pytest.approx(title["left"], abs=0.6)
        assert cell["width"] == pytest.approx(title["width"], abs=0.6)
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
        name = box(page.locator(SHOWN).first.get_by_role("rowheader"))
        assert box(page.locator(":focus"))["left"] >= name["right"] - 1, "what sticks hides it"
    inner, whole = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
    assert whole <= inner
    assert grave(page) == []


def test_a_run_without_a_single_reply_is_shown_as_such(show: Show, tmp_path: Path) -> None:
    record = small_board()
    record["entries"].append(
        entry("dead", 1, "dead", "model", accuracy=None, problems=0, partial=True, errors=800,
              outcomes={"correct": 0.0, "wrong": 0.0, "unparsed": 0.0, "truncated": 0.0,
                        "error": 1.0})
    )  # fmt: skip
    page = show(scores(open="dead"), path=write_page(tmp_path, record))
    row = page.locator(".entry").filter(has_text="dead")
    expect(row).to_contain_text("800 errors")
    assert names(page)[-1] == "dead"
    assert "NaN" not in page.locator("#view").inner_text()
