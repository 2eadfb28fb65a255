"""The gallery shows every item whole, with its key, and runs nothing of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from benchgen.errors import InputError
from benchgen.gallery import gallery_html, gallery_problems, write_gallery
from benchgen.problem import AnswerType, Problem
from benchgen.suite import Suite

SUITE = "sheet_music"
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>"

whole = pytest.mark.slow  # All classes are made ready for the whole page.


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "site" / "gallery.html"
    assert write_gallery(SUITE, path, seed=3) == 36
    return path


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return list(gallery_problems(SUITE, 3, "test"))


def articles(page: Path) -> list[str]:
    return re.findall(r"<article>(.*?)</article>", page.read_text("utf-8"), re.S)


@whole
def test_each_task_and_level_stands_there_once(page: Path, problems: list[Problem]) -> None:
    assert len({(p.task, p.level) for p in problems}) == len(problems) == len(articles(page)) == 36
    for article, problem in zip(articles(page), problems, strict=True):
        assert f"<code>{problem.id}</code>" in article
        assert f"<h3>Level {problem.level}</h3>" in article


@whole
def test_text_options_and_key_are_those_of_the_item(page: Path, problems: list[Problem]) -> None:
    for article, problem in zip(articles(page), problems, strict=True):
        stimulus = re.search(r"<pre>(.*?)</pre>", article, re.S)
        assert stimulus is not None and unescape(stimulus[1]) == problem.text().rstrip()
        options = re.findall(r"<li(?: class=\"key\")?><b>(.)</b> (.*?)(?:<span|</li>)", article)
        assert [(a, unescape(b)) for a, b in options] == list(
            zip("ABCD", problem.options or (), strict=True)
        )
        keys = re.findall(r'<li class="key"><b>(.)</b> (.*?)<span', article)
        assert keys == [(problem.target, problem.answer)]
        assert f"Key: {problem.target}, {problem.answer}</h4>" in article


@whole
def test_pictures_stand_in_the_page_byte_for_byte(page: Path, problems: list[Problem]) -> None:
    for article, problem in zip(articles(page)[::5], problems[::5], strict=True):
        packed = re.findall(r'src="data:image/png;base64,([^"]+)"', article)
        assert tuple(base64.b64decode(data) for data in packed) == problem.images()


@whole
def test_another_seed_shows_other_items(problems: list[Problem]) -> None:
    other = list(gallery_problems(SUITE, 4, "test"))
    same = [a.id for a, b in zip(problems, other, strict=True) if a.content_key == b.content_key]
    assert len(same) <= 2, same


@whole
def test_the_page_needs_nothing_else(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "http://" not in text and "https://" not in text and "<script" not in text
    assert "default-src 'none'" in text and [p.name for p in page.parent.iterdir()] == [page.name]


def made_up(name: str, **fields: Any) -> tuple[Suite, Problem]:
    """A suite whose every text is ``name``, and a problem of it."""

    def text(identity: Mapping[str, Any], notation: str) -> str:
        return name

    suite = Suite(
        about="",
        reading="",
        name=SUITE, title=name, version=name, licence="none", modalities=("text",),
        notations=("plain",), render_text=text, render_images=lambda identity: (),
        fingerprint=dict, prove="none:none",
    )  # fmt: skip
    values: dict[str, Any] = {
        "id": name, "task": f"{SUITE}/{name}", "category": name, "level": 1, "split": "test",
        "seed": 0, "index": 0, "suite_version": "1", "question": name, "options": (name, "no"),
        "answer": name, "answer_type": AnswerType.CHOICE, "identity": {}, "content_key": name,
        "fact_key": "f", "twin_group": "g", "solution": name,
    }  # fmt: skip
    return suite, Problem(**{**values, **fields})


def test_hostile_words_are_shown_and_stay_words(monkeypatch: pytest.MonkeyPatch) -> None:
    suite, problem = made_up(HOSTILE)
    monkeypatch.setattr("benchgen.suite.find_suite", lambda name: suite)
    text = gallery_html(suite, [problem], 0, "test")
    assert "<script" not in text and "<img" not in text
    assert text.count("&lt;script&gt;") >= 8


def test_an_open_question_without_solution_has_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    suite, problem = made_up("word", options=None, answer="F sharp", solution=None)
    monkeypatch.setattr("benchgen.suite.find_suite", lambda name: suite)
    text = gallery_html(suite, [problem], 0, "test")
    assert "Key: F sharp</h4>" in text and '<ul class="options">' not in text


def test_bad_input_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown suite"):
        write_gallery("no_such", tmp_path / "x" / "page.html")
    with pytest.raises(InputError, match="split is one of"):
        write_gallery(SUITE, tmp_path / "x" / "page.html", split="exam")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, problem = made_up("word")
    monkeypatch.setattr("benchgen.suite.find_suite", lambda name: suite)
    monkeypatch.setattr("benchgen.gallery.gallery_problems", lambda *key: iter([problem]))
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(InputError, match="cannot write"):
        write_gallery(SUITE, tmp_path / "file" / "page.html")
    with pytest.raises(InputError, match="cannot write"):
        write_gallery(SUITE, tmp_path)


@whole
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_draws_every_picture_and_never_scrolls_sideways(
    browser: Any, page: Path, width: int
) -> None:
    browser.get_log("browser")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.get(page.as_uri())
    sizes = browser.execute_script(
        "return [...document.images].map(i => [i.naturalWidth, i.getBoundingClientRect().width])"
    )
    assert len(sizes) == 36
    for natural, shown in sizes:
        assert natural > 100 and 0 < shown <= min(natural, width) + 0.5
    assert browser.execute_script("return window.innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.get_log("browser") == []
