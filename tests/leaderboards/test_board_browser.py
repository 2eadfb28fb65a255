"""The page in a real browser, opened from disk."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from leaderboards.cells import percent
from leaderboards.page import board_html
from tests.leaderboards.small_board import (
    CATEGORIES,
    HOSTILE,
    LONG,
    entry,
    figure,
    key_of,
    small_board,
)

Show = Callable[..., Page]

TEXT = key_of(1)
VIEWS = ("overall", "scores", "categories", "tasks", "levels", "frontier", "history", "gaps")
SHOWN = ".entry:not([hidden])"
NEVER = "() => new Promise((done) => setTimeout(() => done(window.hacked), 100))"


def write_page(folder: Path, record: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    page.write_text(board_html(record["title"], record, "0.1.0"), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("board")
    run = root / "runs" / "model-0-1"
    run.mkdir(parents=True)
    (run / "report.html").write_text("<!doctype html><title>samples</title>", encoding="utf-8")
    return write_page(root, small_board())


@pytest.fixture
def show(chromium: Browser, small: Path) -> Iterator[Show]:
    """Opens the page in a fresh profile and sees to it that nothing complains or is asked for."""
    opened: list[tuple[Page, Path, list[str], list[str]]] = []

    def show(hash_: str = "", path: Path = small, width: int = 1280, **options: Any) -> Page:
        page = chromium.new_page(viewport={"width": width, "height": 900}, **options)
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{path.as_uri()}{'#' * bool(hash_)}{hash_}")
        opened.append((page, path, said, asked))
        return page

    yield show
    for page, path, said, asked in opened:
        page.context.close()
        assert said == []
        assert [url for url in asked if not url.startswith(path.parent.as_uri())] == []


def scores(**parts: str) -> str:
    """The hash of the view of scores of the fullest test."""
    all_ = {"test": TEXT, "view": "scores", **parts}
    return "&".join(f"{name}={quote(value)}" for name, value in all_.items())


def names(page: Page) -> list[str]:
    """The names of the visible rows, from top to bottom."""
    return page.locator(f"{SHOWN} .name").all_inner_texts()


def head(page: Page, text: str) -> Locator:
    return page.get_by_role("columnheader").filter(has_text=text)


def column(page: Page, text: str) -> list[str]:
    """What stands in the column of that heading, row by row."""
    place = page.get_by_role("columnheader").all_inner_texts()
    at = next(i for i, words in enumerate(place) if words.startswith(text))
    return page.locator(f"{SHOWN} > .row > :nth-child({at + 1})").all_inner_texts()


def hash_of(page: Page) -> str:
    found: str = page.evaluate("decodeURIComponent(location.hash.replaceAll('+', ' '))")
    return found


def box(node: Locator) -> dict[str, float]:
    found = node.bounding_box()
    assert found is not None
    return {"left": found["x"], "right": found["x"] + found["width"], **found}


# ---- sorting -----------------------------------------------------------------


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


def test_a_phone_sorts_by_a_choice(show: Show) -> None:
    page = show(scores(), width=390)
    page.get_by_label("Sort by").select_option(label="Tokens per reply")
    known = [words for words in page.locator("[data-label^=Tokens]").all_inner_texts()
             if words != "–"]  # fmt: skip
    assert known[:2] == ["96", "212"]
    page.get_by_role("button", name="Order: ascending").click()
    assert page.locator("[data-label^=Tokens]").first.inner_text() == "1,840"
    expect(page.get_by_role("button", name="Order: descending")).to_be_visible()


# ---- finding -----------------------------------------------------------------


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


# ---- the hash ----------------------------------------------------------------


def test_each_part_of_the_hash_is_obeyed(show: Show) -> None:
    page = show(scores(sort="quantity:tokens per reply", order="descending", find="qwen",
                       method="zero-shot", rung="1 x 512 tokens", baselines="off",
                       open="model-4-1"))  # fmt: skip
    expect(page.locator("#test")).to_have_value(TEXT)
    expect(page.get_by_role("tab", selected=True)).to_have_text("Scores")
    expect(head(page, "Tokens")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_label("Find a model")).to_have_value("qwen")
    expect(page.get_by_label("Method")).to_have_value("zero-shot")
    expect(page.get_by_label("Rung")).to_have_value("1 x 512 tokens")
    expect(page.get_by_label("Baselines")).not_to_be_checked()
    assert names(page) == ["Qwen/Small", "Qwen/Middle"]
    expect(page.get_by_role("button", name="Qwen/Small")).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".detail")).to_contain_text("Chord completion")


def test_the_axes_of_the_frontier_are_in_the_hash(show: Show) -> None:
    page = show(f"test={TEXT}&view=frontier&x=quantity:tokens per reply&y=twins")
    expect(page.get_by_label("Across")).to_have_value("quantity:tokens per reply")
    expect(page.get_by_label("Upwards")).to_have_value("twins")
    page.get_by_label("Across").select_option("accuracy")
    assert "x=accuracy&y=twins" in hash_of(page)


def test_what_hands_do_is_in_the_hash_and_back_undoes_it(show: Show) -> None:
    page = show()
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("view=scores", lambda: page.get_by_role("tab", name="Scores").click()),
        (f"test={TEXT}", lambda: page.locator("#test").select_option(TEXT)),
        ("sort=twins", lambda: head(page, "All twins").get_by_role("button").click()),
        ("order=ascending", lambda: head(page, "All twins").get_by_role("button").click()),
        ("method=4 shots", lambda: page.get_by_label("Method").select_option("4 shots")),
        ("rung=1 x 512", lambda: page.get_by_label("Rung").select_option("1 x 512 tokens")),
        ("baselines=off", lambda: page.get_by_label("Baselines").uncheck()),
        ("open=model-", lambda: page.locator(f"{SHOWN} button.name").first.click()),
        ("view=categories", lambda: page.get_by_role("tab", name="Categories").click()),
    ]
    states = [(hash_of(page), page.locator("#view").inner_text())]
    for wanted, act in steps:
        act()
        assert wanted in hash_of(page)
        states.append((hash_of(page), page.locator("#view").inner_text()))
    assert len({hash_ for hash_, _ in states}) == len(states)
    for state in states[-2::-1]:
        page.go_back()
        assert (hash_of(page), page.locator("#view").inner_text()) == state
    for state in states[1:]:
        page.go_forward()
        assert (hash_of(page), page.locator("#view").inner_text()) == state


def test_typing_is_one_step_and_is_in_the_hash(show: Show) -> None:
    page = show(scores())
    before = page.evaluate("history.length")
    page.get_by_label("Find a model").fill("qwen small")
    page.wait_for_url("**find=qwen+small**")
    assert page.evaluate("history.length") == before


@pytest.mark.parametrize(
    "hash_",
    [
        "test=nowhere&view=nothing&sort=x&order=sideways&method=m&rung=r&baselines=maybe&open=o",
        "view=__proto__&sort=constructor&open=__proto__&x=toString",
        "%E0%A4%A&=&&test=%00&view=<script>",
        "view=frontier&x=nothing&y=<img src=x onerror=window.hacked=1>",
        "open=chance-0&view=scores",
        "notes",
    ],
)
def test_a_bad_hash_is_harmless(show: Show, hash_: str) -> None:
    page = show(hash_)
    assert page.get_by_role("tab", selected=True).count() == 1
    assert page.locator("#view").inner_text() != ""
    assert page.locator(".detail").count() == 0
    assert page.evaluate(NEVER) is None


# ---- views -------------------------------------------------------------------


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


def test_history_draws_each_model_over_the_versions(show: Show) -> None:
    page = show(f"test={TEXT}&view=history")
    assert page.locator(".chart .run").count() == 8
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


def test_overall_has_a_mean_where_all_tests_were_asked(show: Show) -> None:
    page = show()
    assert column(page, "Mean")[0] == percent((0.86 + 0.81 + 0.69) / 3)
    assert names(page)[-1] == "Qwen/Middle"
    assert column(page, "Mean")[-1].startswith("–")
    assert page.locator(SHOWN).first.get_by_role("link").count() == 3


# ---- what is untrusted -------------------------------------------------------


def hostile_board() -> dict[str, Any]:
    """A board in which every text from outside is an attack."""
    record = small_board()
    record["title"] = HOSTILE
    for test in record["tests"]:
        test |= {"suite": HOSTILE, "suite_version": f"{test['suite_version']}{HOSTILE}",
                 "split": HOSTILE, "data": f"sha256:{HOSTILE}", "blind_name": HOSTILE}  # fmt: skip
        for kind in ("categories", "tasks", "levels"):
            test[kind] = {HOSTILE: 0.25, "__proto__": 0.25, "constructor": 0.25}
    for one in record["entries"]:
        one |= {"name": HOSTILE, "method": HOSTILE, "rung": f"{HOSTILE} {one['key']}",
                "settings": [[HOSTILE, HOSTILE]],
                "quantities": {HOSTILE: 1.0, "__proto__": 2.0}}  # fmt: skip
        for kind in ("categories", "tasks", "levels"):
            one[kind] = {HOSTILE: figure(0.5)}
    for row in record["overall"]:
        row |= {"name": HOSTILE, "method": HOSTILE, "rung": HOSTILE}
    return record


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_text_is_shown_and_does_nothing(show: Show, tmp_path: Path, view: str) -> None:
    page = show(f"view={view}&open=model-0-0", path=write_page(tmp_path, hostile_board()))
    assert HOSTILE in page.locator("#view").inner_text() or view in ("frontier", "history")
    assert page.evaluate(NEVER) is None
    assert page.evaluate("[document.images.length, document.scripts.length]") == [0, 2]
    if view in ("categories", "tasks", "levels"):
        cells = page.locator(SHOWN).first.get_by_role("gridcell").all_inner_texts()
        assert cells[-2:] == ["–", "–"], "a name that any object has is no figure"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:window.hacked=1",
        "JaVaScript:window.hacked=1",
        "\tjavascript:window.hacked=1",
        "data:text/html,<script>window.hacked=1</script>",
        "//elsewhere.example/x",
        "/etc/passwd",
        "\\\\elsewhere\\x",
        "runs/../../../../etc/passwd",
        "../../../../etc/passwd",
        "runs/%2e%2e/%2E./secret",
        "runs//x",
        "runs/a?b",
        "runs/a#category=x",
        "runs/a b",
        "..",
        "",
    ],
)
def test_an_address_that_is_not_plainly_relative_is_no_link(
    show: Show, tmp_path: Path, address: str
) -> None:
    record = small_board()
    for one in record["entries"]:
        one["samples"] = one["record"] = address
    page = show(scores(open="model-0-1"), path=write_page(tmp_path, record))
    assert page.locator("#view a").count() == 0
    page.get_by_role("tab", name="Categories").click()
    assert page.locator("#view a").count() == 0


@pytest.mark.parametrize("address", ["samples.html", "runs/a-1/report.html", "../../runs/x.html"])
def test_a_relative_address_is_a_link(show: Show, tmp_path: Path, address: str) -> None:
    record = small_board()
    record["entries"][1] = {**record["entries"][1], "samples": address}
    page = show("view=scores", path=write_page(tmp_path, record))
    assert page.locator(f'a[href="{address}"]').count() == 1


def test_the_policy_stops_a_script_that_slipped_in(chromium: Browser, small: Path) -> None:
    page = chromium.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(small.as_uri())
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
        "document.body.append(s); const i = document.createElement('img');"
        "i.setAttribute('onerror', 'window.hacked = 1'); i.src = 'x'; document.body.append(i);"
        "const a = document.createElement('a'); a.href = 'javascript:window.hacked=1';"
        "document.body.append(a); a.click(); }"
    )
    assert page.evaluate(NEVER) is None
    assert any("Content Security Policy" in words for words in said)
    page.close()


def test_no_request_leaves_the_page(chromium: Browser, small: Path) -> None:
    page = chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(small.as_uri())
    for tab in page.get_by_role("tab").all():
        tab.click()
    assert asked == [small.as_uri()]
    page.close()


def test_the_script_leaves_no_globals(show: Show, tmp_path: Path) -> None:
    bare = tmp_path / "bare.html"
    bare.write_text("<!doctype html><title>bare</title>", encoding="utf-8")
    ours = "Object.getOwnPropertyNames(window).filter((name) => !/^\\d+$/.test(name)).sort()"
    assert show().evaluate(ours) == show(path=bare).evaluate(ours)


# ---- looks -------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1280, 1920])
def test_the_page_never_scrolls_sideways(show: Show, width: int) -> None:
    page = show(scores(open="model-0-1"), width=width)
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        inner, whole = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        assert whole <= inner == width, view


def grave(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds that is serious or critical, with some of the elements."""
    import axe_playwright_python

    (package,) = axe_playwright_python.__path__
    axe = (Path(package) / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(f"{axe}; undefined")
    return [
        (rule["id"], [node["html"][:200] for node in rule["nodes"][:3]])
        for rule in page.evaluate("axe.run()")["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


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


def test_the_record_in_the_page_is_the_record(small: Path) -> None:
    page = small.read_text(encoding="utf-8")
    packed = page.split('id="board-data">')[1].split("</script>")[0]
    assert json.loads(packed) == small_board()
