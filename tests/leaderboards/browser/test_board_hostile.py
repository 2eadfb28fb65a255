"""What is untrusted is shown and does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.leaderboards.browser.reading import NEVER, SHOWN, VIEWS, Show, scores, write_page
from tests.leaderboards.small_board import HOSTILE, figure, small_board


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


def test_the_record_in_the_page_is_the_record(small: Path) -> None:
    page = small.read_text(encoding="utf-8")
    packed = page.split('id="board-data">')[1].split("</script>")[0]
    assert json.loads(packed) == small_board()
