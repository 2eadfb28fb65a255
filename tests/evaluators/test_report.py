from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from benchgen.problem import Response
from evaluators import report
from evaluators.command import evaluate
from evaluators.engine import Request
from evaluators.engines.scripted import ScriptedEngine
from evaluators.report import json_in_html

WriteDataset = Callable[..., Path]

ATTACK = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<!--<script>{{data}}{{script}}'\"`${document.title='owned'}\u2028\u2029&lt;b&gt;\x00\ud800"
)


# What a browser's driver can hand back: no lone surrogate.
PLAIN_ATTACK = ATTACK.replace("\ud800", "").replace("\x00", "")


class Elements(HTMLParser):
    """Counts elements and keeps what stands in the scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        (self.scripts if self.tags and self.tags[-1] == "script" else self.text).append(data)


def hostile(request: Request) -> Response:
    place = int(request.id[5:9])
    match place % 4:
        case 0:
            return Response(request.id, f"\\boxed{{A}} {PLAIN_ATTACK}")
        case 1:
            return Response(request.id, ATTACK)
        case 2:
            return Response(request.id, ATTACK, finish_reason="length")
        case _:
            return Response(request.id, "", finish_reason="error", error=ATTACK)


def make_report(data: Path, out: Path, **arguments: Any) -> str:
    engine = ScriptedEngine(f"model {PLAIN_ATTACK}", hostile)
    evaluate(data, out, engine=engine, **arguments)
    return (out / "report.html").read_text(encoding="utf-8")


def data_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    record: dict[str, Any] = json.loads(text)
    return record


def test_nothing_from_outside_becomes_markup(tmp_path: Path, write_dataset: WriteDataset) -> None:
    page = make_report(write_dataset(), tmp_path / "run")
    elements = Elements(page)
    assert elements.tags.count("script") == 2
    assert "img" not in elements.tags
    assert "b" in elements.tags  # the figures of the summary, to know that the count is real
    assert elements.tags.count("h1") == 1
    assert PLAIN_ATTACK in "".join(elements.text)
    assert "document.title='owned'" not in elements.scripts[-1]


def test_samples_stand_in_the_page_whole(tmp_path: Path, write_dataset: WriteDataset) -> None:
    record = data_of(make_report(write_dataset(), tmp_path / "run"))
    assert len(record["samples"]) == 12
    assert record["samples"][1]["reply"] == ATTACK
    assert record["samples"][3]["error"] == ATTACK
    assert [s["outcome"] for s in record["samples"][:4]] == [
        "correct", "unparsed", "truncated", "error",
    ]  # fmt: skip
    problem = record["problems"]["item-0001"]
    assert problem["target"] == "B"
    assert [role for role, _ in problem["turns"]] == ["user"]
    assert "item 1 |]" in problem["turns"][0][1]


def test_nothing_is_fetched(tmp_path: Path, write_dataset: WriteDataset) -> None:
    evaluate(write_dataset(image=True), tmp_path / "run", engine="scripted:gold", modality="image")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"<(?:link|iframe|object|embed|base)\b|\bsrc=|@import|url\(", page)
    source = data_of(page)["problems"]["item-0000"]["images"]
    assert source == ["data:image/png;base64,iVBORyBwaWN0dXJlIDA="]


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "&amp;", "\u2028", "\ud800"])
def test_json_in_html_is_json_without_markup(text: str) -> None:
    written = json_in_html({text: [text]})
    assert not set(written) & set("<>&\u2028")
    assert json.loads(written) == {text: [text]}


def test_a_large_run_shows_its_first_samples_and_says_so(
    tmp_path: Path, write_dataset: WriteDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MOST_SAMPLES", 7)
    page = make_report(write_dataset(), tmp_path / "run", samples=2)
    assert "The first 6 of 24 samples" in page
    assert [s["problem"] for s in data_of(page)["samples"]] == [
        f"item-{place:04d}" for place in (0, 0, 1, 1, 2, 2)
    ]


def test_heavy_data_are_cut(
    tmp_path: Path, write_dataset: WriteDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MOST_BYTES", 3000)
    shown = len(data_of(make_report(write_dataset(), tmp_path / "run"))["samples"])
    assert 1 <= shown < 12


def test_an_incomplete_run_says_so(tmp_path: Path, write_dataset: WriteDataset) -> None:
    page = make_report(write_dataset(), tmp_path / "run")
    assert "3 samples have no reply" in page
    evaluate(write_dataset(name="other"), tmp_path / "good", engine="scripted:gold")
    assert "not complete" not in (tmp_path / "good" / "report.html").read_text()


def test_tables_state_the_figures(tmp_path: Path, write_dataset: WriteDataset) -> None:
    evaluate(write_dataset(48, twins=True), tmp_path / "run", engine="scripted:position")
    page = (tmp_path / "run" / "report.html").read_text().replace("\u00a0", " ")
    cells = re.sub(r"<[^>]*>", "|", page.split("By category and level")[1].split("<h2>")[0])
    assert re.search(r"chord\|+25\.0 %\|+[\d.]+ to [\d.]+ %\|+25\.0 %\|+16\|+16\|", cells)
    assert "sheet_music/meter, 2" in cells
    assert '<rect class="bar" width="25.00"' in page
    assert "chance 0.4 %" in page  # all twins right


def shown(browser: Chrome) -> list[str]:
    return [a.text for a in browser.find_elements(By.CSS_SELECTOR, "article h3")]


def test_in_a_browser_attacks_are_text_and_filters_filter(
    tmp_path: Path, write_dataset: WriteDataset, browser: Chrome
) -> None:
    make_report(write_dataset(48, image=True), tmp_path / "run", modality="image")
    browser.get_log("browser")  # what earlier pages left there
    browser.set_window_size(1280, 900)
    browser.get((tmp_path / "run" / "report.html").as_uri())
    assert browser.title.startswith("model </script><script>document.title='owned'")
    replies = browser.find_elements(By.CSS_SELECTOR, "article .sides > div:last-child pre")
    assert "<img src=x onerror=" in replies[0].text
    assert not browser.find_elements(By.CSS_SELECTOR, "pre *:not(mark), mark *, img[onerror]")
    assert len(shown(browser)) == 20
    assert browser.find_element(By.ID, "place").text == "1 of 3"
    for _ in range(2):
        browser.find_element(By.ID, "next").click()
    assert browser.find_element(By.ID, "place").text == "3 of 3"
    assert len(shown(browser)) == 8
    assert not browser.find_element(By.ID, "next").is_enabled()

    Select(browser.find_element(By.ID, "outcome")).select_by_value("truncated")
    assert browser.find_element(By.ID, "count").text == "12 of 48 samples"
    assert all("truncated" in heading for heading in shown(browser))
    Select(browser.find_element(By.ID, "category")).select_by_value("chord")
    Select(browser.find_element(By.ID, "level")).select_by_value("2")
    wanted = [
        place for place in range(48) if place % 4 == 2 and place % 3 == 1 and place // 3 % 2 == 1
    ]
    assert [heading.split()[0] for heading in shown(browser)] == [
        f"item-{place:04d}" for place in wanted
    ]
    browser.find_element(By.ID, "text").send_keys(f"item-{wanted[0]:04d}")
    assert browser.find_element(By.ID, "count").text == "1 of 48 samples"
    answers = browser.find_element(By.CSS_SELECTOR, "article dl").text
    assert "C. minor sixth" in answers

    log = [entry["message"] for entry in browser.get_log("browser")]
    assert not log, log


def test_the_filters_are_read_from_the_hash_and_written_to_it(
    tmp_path: Path, write_dataset: WriteDataset, browser: Chrome
) -> None:
    make_report(write_dataset(48), tmp_path / "run")
    address = (tmp_path / "run" / "report.html").as_uri()

    def chosen() -> dict[str, str | None]:
        names = ("outcome", "category", "task", "level", "text")
        given = {name: browser.find_element(By.ID, name).get_attribute("value") for name in names}
        return {name: value for name, value in given.items() if value}

    browser.get("about:blank")
    browser.get(f"{address}#category=chord&level=2&outcome=truncated&text=item-00")
    assert chosen() == {
        "category": "chord", "level": "2", "outcome": "truncated", "text": "item-00",
    }  # fmt: skip
    wanted = [
        place for place in range(48) if place % 4 == 2 and place % 3 == 1 and place // 3 % 2 == 1
    ]
    assert [words.split()[0] for words in shown(browser)] == [
        f"item-{place:04d}" for place in wanted
    ]
    Select(browser.find_element(By.ID, "outcome")).select_by_value("")
    assert browser.execute_script("return location.hash") == "#category=chord&level=2&text=item-00"

    task = browser.find_elements(By.CSS_SELECTOR, "#task option")[1].get_attribute("value")
    browser.execute_script("location.hash = 'task=' + encodeURIComponent(arguments[0])", task)
    WebDriverWait(browser, 5).until(lambda _: chosen() == {"task": task})
    assert all(str(task) in words for words in shown(browser))

    browser.get("about:blank")
    browser.get(f"{address}#category=<img src=x>&level=%E0%A4%A&task=__proto__&elsewhere=1")
    assert chosen() == {}
    assert browser.find_element(By.ID, "count").text == "48 of 48 samples"


def test_typing_is_in_the_hash_once_it_rests(
    tmp_path: Path, write_dataset: WriteDataset, browser: Chrome
) -> None:
    make_report(write_dataset(), tmp_path / "run")
    browser.get((tmp_path / "run" / "report.html").as_uri())
    browser.find_element(By.ID, "text").send_keys("item 0001")
    hash_ = "return location.hash"
    WebDriverWait(browser, 5).until(lambda _: browser.execute_script(hash_) == "#text=item+0001")


def test_on_a_phone_nothing_overflows_the_page(
    tmp_path: Path, write_dataset: WriteDataset, browser: Chrome
) -> None:
    make_report(write_dataset(), tmp_path / "run")
    browser.set_window_size(500, 900)
    browser.get((tmp_path / "run" / "report.html").as_uri())
    wide, view = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= view


def test_answer_that_was_read_is_marked_and_the_thought_is_not(
    tmp_path: Path, write_dataset: WriteDataset, browser: Chrome
) -> None:
    replies = (
        "<think>\\boxed{B}</think> It is \\boxed{A}.",
        "Two steps.\nAnswer: B\n",
        "I cannot tell.",
    )

    def reply(request: Request) -> Response:
        words = replies[int(request.id[5:9]) % 3]
        return Response(request.id, words, thinking="<b>a thought apart</b>")

    evaluate(write_dataset(3), tmp_path / "run", engine=ScriptedEngine("s", reply))
    browser.get((tmp_path / "run" / "report.html").as_uri())
    marks = [mark.text for mark in browser.find_elements(By.CSS_SELECTOR, "article mark")]
    assert marks == ["\\boxed{A}", "Answer: B"]
    first = browser.find_element(By.CSS_SELECTOR, "article")
    assert "<b>a thought apart</b>" in first.text


def test_ten_thousand_samples_open_and_filter_without_freezing(
    tmp_path: Path, write_dataset: WriteDataset, browser: Chrome
) -> None:
    def reply(request: Request) -> str:
        return f"{'Let us count the steps again. ' * 20}\\boxed{{{'ABCD'[len(request.id) % 4]}}}"

    evaluate(write_dataset(2500), tmp_path / "run", engine=ScriptedEngine("s", reply), samples=4)
    browser.get((tmp_path / "run" / "report.html").as_uri())
    assert browser.find_element(By.ID, "count").text == "10000 of 10000 samples"
    assert len(shown(browser)) == 20  # only a page of them is ever drawn
    browser.find_element(By.ID, "text").send_keys("item-2499")
    assert browser.find_element(By.ID, "count").text == "4 of 10000 samples"
    assert len(shown(browser)) == 4
    browser.find_element(By.ID, "text").clear()
    browser.find_element(By.ID, "text").send_keys(" ")
    assert browser.find_element(By.ID, "count").text == "10000 of 10000 samples"
    assert len(shown(browser)) == 20
