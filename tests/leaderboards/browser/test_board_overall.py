"""All tests side by side."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from leaderboards.cells import percent
from tests.leaderboards.browser.reading import SHOWN, Show, box, column, names, write_page
from tests.leaderboards.small_board import small_board


def legend(page: Page) -> list[str]:
    return page.locator(".legend li").all_inner_texts()


def test_overall_has_a_mean_where_all_tests_were_asked(show: Show) -> None:
    page = show("baselines=off")
    assert column(page, "Mean")[0].split("\n")[0] == percent((0.86 + 0.81 + 0.69) / 3)
    assert names(page)[-1] == "Qwen/Middle"
    assert column(page, "Mean")[-1].startswith("–")
    assert page.locator(SHOWN).first.get_by_role("link").count() == 3


@pytest.mark.parametrize("width", [1280, 390])
def test_the_mean_is_drawn_with_its_interval_chance_and_blind_predictor(
    show: Show, width: int
) -> None:
    page = show(width=width)
    rows = small_board()["overall"]
    assert page.locator(SHOWN).count() == len(rows) == 10
    for place, row in enumerate(rows):
        track, mean = page.locator(SHOWN).nth(place).locator(".score .track"), row["mean"]
        assert track.count() == (mean is not None)
        if mean is None:
            continue
        whole = box(track)
        at = [whole["left"] + whole["width"] * share for share in (0.25, 0.28)]
        marks = [box(track.locator(kind)) for kind in (".mark:not(.blind)", ".mark.blind")]
        assert [(one["left"] + one["right"]) / 2 for one in marks] == pytest.approx(at, abs=1.1)
        assert track.locator(".whisker").count() == (mean["low"] is not None)
        if mean["low"] is not None:
            span = box(track.locator(".whisker"))
            for side in ("low", "high"):
                edge = whole["left"] + whole["width"] * mean[side]
                # No whisker is narrower than the lines at its ends.
                assert span["left" if side == "low" else "right"] == pytest.approx(edge, abs=2.1)
    assert legend(page)[:4] == [
        "mean of the tests, where all were asked", "95 % interval", "chance 25.0 %",
        "best blind predictor 28.0 %",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [1280, 390])
def test_the_figures_of_an_axis_do_not_run_together(show: Show, width: int) -> None:
    ticks = [box(tick) for tick in show(width=width).locator(".axis span:visible").all()]
    assert len(ticks) >= 3
    assert all(one["right"] + 4 < next_["left"] for one, next_ in pairwise(ticks))


def test_the_mean_is_held_against_a_blind_predictor_only_where_each_test_has_one(
    show: Show, tmp_path: Path
) -> None:
    record = small_board()
    record["tests"][0] |= {"chance": 0.4, "blind": None}
    page = show(path=write_page(tmp_path, record))
    assert page.locator(".mark.blind").count() == 0
    assert "chance 30.0 %" in legend(page)
    assert not any("blind" in words for words in legend(page))


def test_overall_ranks_say_ties_and_how_they_were_found(show: Show, tmp_path: Path) -> None:
    record = small_board()
    first, second = [row for row in record["overall"] if row["kind"] == "model"][:2]
    above = {"effect": 0.012, "p_value": 0.3, "test": "sign-flip"}
    first |= {"rank": 1, "tied": True}
    second |= {"rank": 1, "tied": True, "above": above}
    page = show(path=write_page(tmp_path, record))
    assert [words.replace("\n", "") for words in column(page, "Rank")][:4] == [
        "unranked", "1=tied", "1=tied", "3",
    ]  # fmt: skip
    title = page.locator(f"{SHOWN} > .row > .rank").nth(2).get_attribute("title")
    assert title == "1.2 points from the model ranked above (sign-flip test, p = 0.3 after Holm)"


def test_baselines_are_rows_of_the_whole_that_the_box_hides(show: Show) -> None:
    page = show()
    assert {"perfect reader", "best blind predictor", "chance"} < set(names(page))
    notes = page.locator(".entry").filter(has_text="best blind").locator(".sub")
    expect(notes).to_have_text("baselinepairwise logistic")
    page.get_by_label("Baselines").uncheck()
    assert len(names(page)) == 7
    expect(page.get_by_role("status")).to_have_text("7 of 10 rows shown")
