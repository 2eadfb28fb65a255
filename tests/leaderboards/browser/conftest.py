"""The small board's page, opened from disk in a browser that sees to it that it is quiet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.leaderboards.browser.reading import Show, write_page
from tests.leaderboards.small_board import small_board


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
