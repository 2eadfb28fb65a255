"""How the tests reach and read the page in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Locator, Page

from leaderboards.page import board_html
from tests.leaderboards.small_board import key_of

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
