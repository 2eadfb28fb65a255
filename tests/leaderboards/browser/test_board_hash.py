"""What is shown is in the address, which is obeyed as far as it means anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.leaderboards.browser.reading import (
    NEVER,
    SHOWN,
    TEXT,
    Show,
    hash_of,
    head,
    names,
    scores,
)

LINE = json.dumps(["Other/Large", "zero-shot", "1 x 4096 tokens", 0], separators=(",", ":"))
"""The key of a row of the history, which does not open."""


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


def test_an_order_is_obeyed_only_with_the_column_it_was_meant_for(show: Show) -> None:
    page = show(scores(sort="quantity:of another test", order="ascending"))
    expect(head(page, "Accuracy")).to_have_attribute("aria-sort", "descending")
    page = show(scores(order="ascending"))
    expect(head(page, "Accuracy")).to_have_attribute("aria-sort", "ascending")


@pytest.mark.parametrize(
    "hash_",
    [
        "test=nowhere&view=nothing&sort=x&order=sideways&method=m&rung=r&baselines=maybe&open=o",
        "view=__proto__&sort=constructor&open=__proto__&x=toString",
        "%E0%A4%A&=&&test=%00&view=<script>",
        "view=frontier&x=nothing&y=<img src=x onerror=window.hacked=1>",
        "open=chance-0&view=scores",
        "view=gaps&open=0",
        "view=overall&open=0",
        f"test={TEXT}&view=history&open={quote(LINE)}",
        "notes",
    ],
)
def test_a_bad_hash_is_harmless(show: Show, hash_: str) -> None:
    page = show(hash_)
    assert page.get_by_role("tab", selected=True).count() == 1
    assert page.locator("#view").inner_text() != ""
    assert page.locator(".detail").count() == 0
    assert page.evaluate(NEVER) is None
