"""Names: what tells rows and tests apart, and names that would disturb what stands beside them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.leaderboards.browser.reading import SHOWN, TEXT, VIEWS, Show, names, scores, write_page
from tests.leaderboards.small_board import key_of, small_board

DIRECTION = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HEBREW = "\u05d3\u05d2\u05dd"
OUT_OF_ORDER = """node => {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  const pieces = [];
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const range = document.createRange();
    const names = text.parentElement.closest("bdi, tspan");
    const step = names ? text.length : 1;
    for (let at = 0; at + step <= text.length; at += step) {
      range.setStart(text, at);
      range.setEnd(text, at + step);
      const { left, right } = range.getBoundingClientRect();
      if (range.toString().trim()) pieces.push([range.toString(), left, right]);
    }
  }
  return pieces.filter(([, left], place) => place > 0 && left < pieces[place - 1][2] - 1)
    .map(([words]) => words);
}"""
"""What stands left of what it follows; a name is one piece, whichever way it is written."""


def second_seed() -> dict[str, Any]:
    """The small board with a model's runs of another seed, in all views."""
    record = small_board()
    entries = record["entries"]
    at = {}
    for one in [one for one in entries if one["key"].startswith("model-4-")]:
        at[one["key"]] = len(entries)
        entries.append({**one, "key": f"{one['key']}-again", "seed": 1})
    row = next(row for row in record["overall"] if entries[row["entries"][0]]["key"] == "model-4-0")
    places = [at[f"model-4-{test}"] for test in range(3)]
    record["overall"].append({**row, "seed": 1, "entries": places})
    gap = record["gaps"][4]
    record["gaps"].append({**gap, "public": at["model-4-1"], "fresh": at["model-4-3"]})
    return record


def test_rows_that_only_the_seed_tells_apart_say_it(show: Show, tmp_path: Path) -> None:
    page = show(f"test={TEXT}&view=overall", path=write_page(tmp_path, second_seed()))
    for view in VIEWS:
        if view == "frontier":
            continue
        page.locator(f"#tab-{view}").click()
        found = [words for words in page.locator(f"{SHOWN} .sub").all_inner_texts()
                 if "seed" in words]  # fmt: skip
        assert sorted(words[-6:] for words in found) == ["seed 0", "seed 1"], view
        assert all("zero-shot · 1 x 512 tokens" in words for words in found)


@pytest.mark.parametrize("view", ["frontier", "history"])
def test_charts_tell_two_seeds_apart(show: Show, tmp_path: Path, view: str) -> None:
    path = write_page(tmp_path, second_seed())
    page = show(f"test={TEXT}&view={view}&find=small", path=path)
    parts = page.locator(".chart .run, .chart .dot")
    said = [words or "" for words in parts.evaluate_all("all => all.map(one => one.ariaLabel)")]
    assert sum("zero-shot, 1 x 512 tokens, seed 1:" in words for words in said) == 1
    assert sum("seed" in words for words in said) == 2
    short = page.locator(".chart .dot-name").all_text_contents()
    assert view == "frontier" or {"Small, zero-shot, seed 0", "Small, zero-shot, seed 1"} < {*short}


@pytest.mark.parametrize("name", ["", " ", "\u200b"])
def test_a_model_without_a_name_has_a_button_to_call(show: Show, tmp_path: Path, name: str) -> None:
    record = small_board()
    next(one for one in record["entries"] if one["key"] == "model-4-1")["name"] = name
    page = show(scores(), path=write_page(tmp_path, record))
    page.get_by_role("button", name="(no name)").click()
    expect(page.locator(".detail")).to_be_visible()


def twin_tests(split: str) -> dict[str, Any]:
    """The small board with two tests of one version and modality."""
    record = small_board()
    record["tests"][2] |= {"modality": "text", "split": split, "data": "sha256:77e1c4d20b93aa"}
    place = next(i for i, one in enumerate(record["entries"]) if one["key"] == "model-0-2")
    record["gaps"].append({**record["gaps"][0], "public": place})
    return record


@pytest.mark.parametrize(
    ("split", "endings"),
    [
        ("dev", ("test split", "dev split")),
        ("test", ("test split, data 1f0c9be2a4d7", "test split, data 77e1c4d20b93")),
    ],
)
def test_tests_of_one_version_and_modality_are_told_apart(
    show: Show, tmp_path: Path, split: str, endings: tuple[str, str]
) -> None:
    wanted = [f"Sheet music 2, text, {ending}" for ending in endings]
    page = show(path=write_page(tmp_path, twin_tests(split)))
    heads = page.get_by_role("columnheader")
    for name in ("Sheet music 1, text", *wanted):
        assert heads.get_by_text(name, exact=True).count() == 1
    page.locator("#tab-gaps").click()
    assert set(page.locator(f"{SHOWN} .text").all_inner_texts()) == set(wanted)
    page.locator("#tab-scores").click()
    assert page.locator("#test option").all_inner_texts()[1:3] == wanted
    page.locator("#test").select_option(key_of(2))
    expect(page.locator("h2#test-name")).to_have_text(wanted[1])
    expect(page.get_by_role("table", name=f"Scores of {wanted[1]}")).to_be_visible()


def renamed(words: str) -> dict[str, Any]:
    """The small board with one name for what comes from outside and stands among figures."""
    record = small_board()
    for place, test in enumerate(record["tests"]):
        test |= {"suite": words, "suite_version": f"{words}{'122'[place % 3]}", "split": words}
        test["categories"] = {words: 0.25}
        test["levels"] = {words: 0.25, "2": 0.25}
    for one in record["entries"]:
        one |= {"name": words, "method": "", "rung": "1 x 512 tokens"}
        one["categories"] = {words: one["accuracy"]}
        one["levels"] = {words: one["accuracy"], "2": one["accuracy"]}
    for row in record["overall"]:
        row |= {"name": words, "method": "", "rung": "1 x 512 tokens"}
    return record


def hints(page: Page) -> str:
    found: str = page.evaluate(
        "[...document.querySelectorAll('*')].flatMap((node) => ['title', 'aria-label']"
        ".map((name) => node.getAttribute(name) ?? '')).join('\\n')"
    )
    return found


def test_controls_of_direction_are_visible(show: Show, tmp_path: Path) -> None:
    page = show(f"test={TEXT}&view=overall", path=write_page(tmp_path, renamed(f"a{DIRECTION}z")))
    for tab in page.get_by_role("tab").all():
        tab.click()
        for dot in page.locator(".chart .dot, .chart .run").all()[:1]:
            dot.focus()
        assert not set(page.locator("body").inner_text()) & set(DIRECTION)
        # What is left are our own, around each name.
        assert not set(re.sub("\u2068[^\u2066-\u2069]*\u2069", "", hints(page))) & set(DIRECTION)
        assert "a" + "\ufffd" * len(DIRECTION) + "z" in page.locator("body").inner_text()


def test_a_name_from_right_to_left_leaves_the_figures_in_their_order(
    show: Show, tmp_path: Path
) -> None:
    page = show(f"test={TEXT}&view=scores", path=write_page(tmp_path, renamed(HEBREW)))
    assert page.locator("#facts").evaluate(OUT_OF_ORDER) == []
    head = page.get_by_role("columnheader").get_by_role("button").first
    head.click()
    assert page.get_by_role("status").evaluate(OUT_OF_ORDER) == []
    for view in ("frontier", "history"):
        page.locator(f"#tab-{view}").click()
        page.locator(".chart .dot, .chart .run").first.focus()
        expect(page.locator(".readout")).to_contain_text(HEBREW)
        assert page.locator(".readout").evaluate(OUT_OF_ORDER) == [], view
    page.locator("#tab-categories").click()
    assert f"\u2068{HEBREW}\u2069, chance 25.0 %" in hints(page)
    assert names(page)[0] == HEBREW


def test_a_name_from_right_to_left_is_isolated_in_a_chart(show: Show, tmp_path: Path) -> None:
    record = small_board()
    for one in record["entries"]:
        if one["kind"] == "model":
            one |= {"name": HEBREW, "method": "", "rung": f"{one['key'][6]} x 512 tokens"}
    page = show(f"test={TEXT}&view=frontier", path=write_page(tmp_path, record))
    written = page.locator(".chart .dot-name")
    assert written.count() >= 3
    for place in range(written.count()):
        assert written.nth(place).evaluate(OUT_OF_ORDER) == []
