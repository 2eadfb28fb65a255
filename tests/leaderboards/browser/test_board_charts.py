"""The frontier, the history and the gaps."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.leaderboards.browser.reading import SHOWN, TEXT, Show, box, column, names, write_page
from tests.leaderboards.small_board import LONG, figure, key_of, small_board


def test_gaps_are_drawn_around_zero_and_flagged(show: Show) -> None:
    page = show("view=gaps")
    first = page.locator(SHOWN).first
    expect(first).to_contain_text("Qwen/Middle")
    expect(first).to_contain_text("large gap")
    expect(first).to_contain_text("+15.0")
    assert page.get_by_text("large gap", exact=True).count() == 1
    whole, bar = box(first.locator(".track")), box(first.locator(".bar"))
    middle = whole["left"] + whole["width"] / 2
    assert bar["left"] == pytest.approx(middle, abs=0.6)
    assert bar["width"] == pytest.approx(whole["width"] * 0.15 / 0.4, abs=0.6)
    whisker = box(first.locator(".whisker"))
    assert whisker["left"] == pytest.approx(middle + whole["width"] * 0.105 / 0.4, abs=1.6)
    expect(page.locator("#view")).to_contain_text("met the public items")


def test_the_frontier_is_what_no_other_run_beats(show: Show) -> None:
    page = show(f"test={TEXT}&view=frontier")
    keys = page.locator("a.dot.front").evaluate_all("dots => dots.map(dot => dot.dataset.key)")
    # Dearer and worse than Qwen/Small: the hostile one. The partial run has no cost.
    assert sorted(keys) == [f"model-{place}-1" for place in (0, 1, 2, 3, 4, 5)]
    path = page.locator(".front-line").get_attribute("d")
    assert path is not None and path.count("H") == 6 and path.count("V") == 6
    expect(page.locator(".chart svg")).to_contain_text("logarithmic")
    assert page.locator(".chart .interval").count() == 7
    page.get_by_text("The figures as a table").click()
    assert page.locator(".figures tbody tr").count() == 7
    dot = page.locator("a.dot[data-key=model-4-1]")
    dot.focus()
    expect(page.locator(".readout")).to_contain_text("Qwen/Small, zero-shot")
    page.keyboard.press("Enter")
    assert page.locator(".entry:has(.detail) .name").inner_text() == "Qwen/Small"


def test_dots_stand_where_their_figures_say(show: Show) -> None:
    page = show(f"test={TEXT}&view=frontier&x=twins&baselines=off")
    dots = {one["key"]: one for one in small_board()["entries"]}
    spots = page.locator("a.dot").evaluate_all(
        "dots => dots.map(dot => [dot.dataset.key, ...['cx', 'cy'].map("
        "(name) => Number(dot.lastElementChild.getAttribute(name)))])"
    )
    for axis, of in ((1, "twins"), (2, "accuracy")):
        ends = sorted((spot[axis], dots[spot[0]][of]["value"]) for spot in spots)
        (low, first), (high, last) = ends[0], ends[-1]
        for at, value in ends:
            assert at == pytest.approx(low + (high - low) * (value - first) / (last - first))


def test_runs_equal_in_both_figures_are_both_on_the_frontier(show: Show, tmp_path: Path) -> None:
    record = small_board()
    one = next(one for one in record["entries"] if one["key"] == "model-4-1")
    record["entries"].append({**one, "key": "equal", "name": "Other/Equal"})
    page = show(f"test={TEXT}&view=frontier", path=write_page(tmp_path, record))
    keys = page.locator("a.dot.front").evaluate_all("dots => dots.map(dot => dot.dataset.key)")
    assert {"model-4-1", "equal"} < set(keys)


@pytest.mark.parametrize("ends", [(13, 400), (0.00015, 0.005), (1300, 40000)])
def test_a_logarithmic_axis_has_more_than_one_tick_on_a_phone(
    show: Show, tmp_path: Path, ends: tuple[float, float]
) -> None:
    record = small_board()
    models = [one for one in record["entries"] if one["kind"] == "model"]
    for place, one in enumerate(models):
        one["quantities"] = {"tokens per reply": ends[place % 2]}
    path = write_page(tmp_path, record)
    page = show(f"test={TEXT}&view=frontier", path=path, width=390)
    expect(page.locator(".chart svg")).to_contain_text("logarithmic")
    assert 2 <= page.locator(".chart .tick.middle").count() <= 4


def test_an_unfinished_run_is_not_in_the_history(show: Show, tmp_path: Path) -> None:
    record = small_board()
    one = next(one for one in record["entries"] if one["key"] == "model-0-1")
    better = {**one, "key": "begun", "partial": True, "rank": None, "accuracy": figure(0.97)}
    record["entries"].insert(0, better)
    record["overall"] = record["gaps"] = []
    page = show(f"test={TEXT}&view=history", path=write_page(tmp_path, record))
    assert column(page, "Version 2")[0] == "81.0"
    assert LONG not in names(page)


def test_history_does_not_join_two_seeds(show: Show, tmp_path: Path) -> None:
    record = small_board()
    next(one for one in record["entries"] if one["key"] == "model-0-1")["seed"] = 1
    page = show(f"test={TEXT}&view=history&find=large", path=write_page(tmp_path, record))
    rows = [" ".join(words.split()) for words in page.locator(SHOWN).all_inner_texts()]
    assert rows[0] == "Other/Large zero-shot · 1 x 4096 tokens · seed 1 – 81.0"
    assert rows[-1] == "Other/Large zero-shot · 1 x 4096 tokens · seed 0 86.0 –"
    assert not any("4 shots" in row and "seed" in row for row in rows)


def test_history_draws_each_model_over_the_versions(show: Show) -> None:
    page = show(f"test={TEXT}&view=history")
    assert page.locator(".chart .run").count() == 7
    line = page.get_by_role("img", name="Other/Large, zero-shot")
    expect(line).to_have_attribute(
        "aria-label", "Other/Large, zero-shot, 1 x 4096 tokens: version 1 86.0 %, version 2 81.0 %"
    )
    assert line.locator(".interval").count() == 2
    assert column(page, "Version 1")[:2] == ["86.0", "79.0"]
    page.get_by_label("Find a model").fill("small")
    assert page.locator(".chart .run").count() == len(names(page)) == 2
    show_image = show(f"test={key_of(2)}&view=history")
    expect(show_image.get_by_role("tab", selected=True)).to_have_text("Overall")
