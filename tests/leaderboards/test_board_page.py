"""The page holds untrusted text as text, and admits its own script alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from leaderboards.page import SCRIPTS, STYLES, board_html, json_for_script
from tests.leaderboards.small_board import small_board

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "<!--<script>",
    "</noscript><script>alert(1)</script>",
    "$title ${data}",
    "a\x00b\x1bc\u2028d",
    "'><svg/onload=alert(1)>",
    "\u202egnp.exe",
]


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.events: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on")]


def named(name: str) -> dict[str, Any]:
    """The small board with one name for everything that comes from outside."""
    record = small_board()
    for test in record["tests"]:
        test |= {"suite": name, "suite_version": name, "split": name, "modality": name}
    for entry in record["entries"]:
        entry |= {"name": name, "method": name, "rung": name, "settings": [[name, name]]}
    return record


def page_of(name: str) -> str:
    return board_html(name, named(name), name)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_adds_no_element(name: str) -> None:
    page = Tags(page_of(name))
    assert page.tags == Tags(page_of("model")).tags
    assert page.events == []


@pytest.mark.parametrize("name", HOSTILE)
def test_the_inlined_json_reads_back(name: str) -> None:
    packed = re.search(r'id="board-data">(.*?)</script>', page_of(name), re.S)
    assert packed is not None
    assert json.loads(packed[1]) == named(name)


def test_json_cannot_end_its_element() -> None:
    packed = json_for_script({"a": "</script><!--&\u2028"})
    assert not set("<>&\u2028") & set(packed)
    assert json.loads(packed) == {"a": "</script><!--&\u2028"}


def test_the_policy_admits_the_script_that_is_there() -> None:
    page = page_of("m")
    script = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_the_page_names_no_other_place() -> None:
    page = page_of("m").replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert "http://" not in page and "https://" not in page
    assert "url(" not in page and "@import" not in page


def test_every_file_of_the_site_is_in_the_page() -> None:
    from importlib.resources import files

    held = {path.name for path in files("leaderboards").joinpath("site").iterdir()}
    assert held == {*SCRIPTS, *STYLES, "index.html"}


def test_the_plain_table_says_what_the_record_says() -> None:
    page = plain_of(small_board())
    assert page.count("<table") == 4
    assert "<bdi>Sheet music 2, text, fresh draw</bdi> (<bdi>test</bdi> split)</caption>" in page
    assert re.search(r"<td>1</td>.*Other/Large.*<td>86.0</td><td>83.4 to 88.2</td>", page)
    assert re.search(r"<td>3=</td>.*Qwen/Middle.*4 shots.*<td>61.5</td>", page)
    assert re.search(r"<td></td>.*best blind predictor.*<td>28.0</td><td></td>", page)


def plain_of(record: dict[str, Any]) -> str:
    return board_html("t", record, "0").split("<noscript>")[1].split("</noscript>")[0]


def test_controls_of_direction_are_visible_in_the_plain_table() -> None:
    controls = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    plain = plain_of(named(f"a{controls}z"))
    assert not set(plain) & set(controls)
    assert f"<bdi>a{chr(0xFFFD) * len(controls)}z</bdi>" in plain


def test_plain_captions_isolate_names_and_tell_tests_apart() -> None:
    record = small_board()
    record["tests"][2] |= {"modality": "text", "data": "sha256:77e1c4d20b93aa"}
    captions = re.findall("<caption>(.*)</caption>", plain_of(record))
    assert captions == [
        "<bdi>Sheet music 1, text</bdi> (<bdi>test</bdi> split)",
        "<bdi>Sheet music 2, text</bdi> (<bdi>test</bdi> split), data <bdi>1f0c9be2a4d7</bdi>",
        "<bdi>Sheet music 2, text</bdi> (<bdi>test</bdi> split), data <bdi>77e1c4d20b93</bdi>",
        "<bdi>Sheet music 2, text, fresh draw</bdi> (<bdi>test</bdi> split)",
    ]


def test_plain_rows_that_only_the_seed_tells_apart_say_it() -> None:
    record = small_board()
    one = next(one for one in record["entries"] if one["key"] == "model-4-1")
    record["entries"].append({**one, "key": "again", "seed": 1})
    assert re.findall(r"<bdi>seed (\d)</bdi>", plain_of(record)) == ["0", "1"]


@pytest.mark.parametrize("name", ["", " ", "\u200b"])
def test_a_plain_row_without_a_name_says_so(name: str) -> None:
    record = small_board()
    record["entries"][0]["name"] = name
    assert '<th scope="row"><bdi>(no name)</bdi></th>' in plain_of(record)


def test_a_run_without_a_single_reply_has_a_dash() -> None:
    record = small_board()
    record["entries"][0]["accuracy"] = None
    assert "<td>–</td><td></td>" in board_html("t", record, "0")
