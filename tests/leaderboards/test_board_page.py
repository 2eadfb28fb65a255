"""The page holds untrusted text as text, and admits its own script alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from leaderboards.board import make_board
from leaderboards.page import board_html, json_for_script
from leaderboards.record import board_record
from leaderboards.records import read_runs

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "<!--<script>",
    "$title ${data}",
    "a\x00b\x1bc\u2028d",
    "'><svg/onload=alert(1)>",
    "\u202egnp.exe",
]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.events: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on")]


def page_of(tmp_path: Path, write_run, name: str, title: str = "t") -> str:
    folder = write_run(tmp_path / "m", name, settings={name: name})
    board = make_board(read_runs([folder]), title, tmp_path / "site")
    return board_html(board, board_record(board, "0"), "0")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_adds_no_element(write_run, tmp_path: Path, name: str) -> None:
    parser, plain = Tags(), Tags()
    parser.feed(page_of(tmp_path, write_run, name, title=name))
    plain.feed(page_of(tmp_path / "plain", write_run, "model"))
    drop = {"bdi", "span"}  # an organisation before a slash has a span of its own
    assert sorted(set(parser.tags) - drop) == sorted(set(plain.tags) - drop)
    assert len([t for t in parser.tags if t not in drop]) == len(
        [t for t in plain.tags if t not in drop]
    )
    assert parser.events == []


@pytest.mark.parametrize("name", HOSTILE)
def test_the_inlined_json_reads_back(write_run, tmp_path: Path, name: str) -> None:
    page = page_of(tmp_path, write_run, name)
    packed = re.search(r'id="board-data">(.*?)</script>', page, re.S)
    assert packed is not None
    entries = json.loads(packed[1])["groups"][0]["entries"]
    assert next(e["name"] for e in entries if e["kind"] == "model") == name


def test_json_cannot_end_its_element() -> None:
    packed = json_for_script({"a": "</script><!--&\u2028"})
    assert not set("<>&\u2028") & set(packed)
    assert json.loads(packed) == {"a": "</script><!--&\u2028"}


def test_the_policy_admits_the_script_that_is_there(write_run, tmp_path: Path) -> None:
    page = page_of(tmp_path, write_run, "m")
    script = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_the_page_names_no_other_place(write_run, tmp_path: Path) -> None:
    page = page_of(tmp_path, write_run, "m")
    assert "http://" not in page and "https://" not in page
    assert "url(" not in page and "@import" not in page and str(tmp_path) not in page


def test_a_run_without_a_single_reply_is_shown_as_such(write_run, tmp_path: Path) -> None:
    folders = [write_run(tmp_path / "dead", "dead", errors=144), write_run(tmp_path / "ok", "ok")]
    board = make_board(read_runs(folders), "t", tmp_path)
    page = board_html(board, board_record(board, "0"), "0")
    assert board.groups[0].entries[-1].name == "dead"
    assert "144 errors" in page and "nan" not in page.split("<script")[0]
