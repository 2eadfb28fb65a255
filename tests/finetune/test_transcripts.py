"""The page of rollouts: whole, inert, and quick to open however long the run was."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from benchgen.errors import InputError
from finetune import transcripts
from finetune.rollouts import Rollout, write_rollouts
from finetune.transcripts import write_transcripts

ATTACK = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<!--{{script}}'\"`\u2028&lt;b&gt;"
)
VERDICTS = ("correct", "wrong", "unparsed", "truncated")


def rollout(draw: int, sample: int, verdict: str, text: str = "Bar 2.", **changes: Any) -> Rollout:
    right = float(verdict == "correct")
    made = Rollout(
        draw=draw, problem=f"item-{draw:04d}", task=f"music/{'ab'[draw % 2]}", level=1 + draw % 2,
        sample=sample, seed=1, prompt=(3, 5, 6), tokens=(7, 8), logprobs=(-0.5, -1.5), text=text,
        truncated=verdict == "truncated", reward=right, parts={"correctness": right},
        outcome=right, verdict=verdict,
    )  # fmt: skip
    return replace(made, **changes)


def write_run(out: Path, steps: int, groups: int = 2, samples: int = 4, text: str = "Bar.") -> Path:
    """Step n holds the draws from ``groups`` x n on; the verdicts go round."""
    for step in range(1, steps + 1):
        made = [
            [
                rollout(draw, n, VERDICTS[(draw + n) % 4], f"{text} {draw}#{n}")
                for n in range(samples)
            ]
            for draw in range(groups * step, groups * (step + 1))
        ]
        write_rollouts(out, step, made)
    return out


def words(tokens: Sequence[int]) -> str:
    return f"prompt of {list(tokens)} {ATTACK}"


class Elements(HTMLParser):
    """The names of all elements and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def block(page: Path, name: str) -> Any:
    found = re.findall(rf'id="{name}">(.*?)</script>', page.read_text("utf-8"), re.S)
    (text,) = found
    return json.loads(text)


def open_page(browser: Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    # The driver may come back from a large page before it has been read to its end.
    WebDriverWait(browser, 60).until(lambda _: browser.find_elements(By.CSS_SELECTOR, ".reply"))


def shown(browser: Chrome) -> list[str]:
    return [a.text for a in browser.find_elements(By.CSS_SELECTOR, ".reply pre")]


def test_replies_stand_in_the_page_whole(tmp_path: Path) -> None:
    group = [
        rollout(4, 0, "correct", ATTACK, parts={"correctness": 1.0, "form": math.nan}),
        rollout(4, 1, "wrong", reward=math.nan, logprobs=()),
        rollout(4, 2, "wrong", ""),
    ]
    write_rollouts(tmp_path, 3, [group])
    page = write_transcripts(tmp_path, words, {"item-0004": "B. fourth"})
    (told,) = block(page, "step-3")
    assert (told["draw"], told["problem"]) == (4, "item-0004")
    assert (told["task"], told["level"]) == ("music/a", 1)
    assert told["prompt"] == words((3, 5, 6)) and told["prompt_tokens"] == 3
    assert told["key"] == "B. fourth"
    one, two, three = told["replies"]
    assert one["text"] == ATTACK and one["parts"] == {"correctness": 1.0, "form": None}
    assert one["above"] == 0.5 and three["above"] == -0.5 and one["logprob"] == -1.0
    assert two["reward"] is None and two["above"] is None and two["logprob"] is None
    (summary,) = block(page, "index")
    assert summary["verdicts"] == {"correct": 1, "wrong": 2} and summary["reward"] == 0.5


def test_nothing_from_outside_becomes_markup_and_nothing_is_fetched(tmp_path: Path) -> None:
    out = tmp_path / ATTACK.replace("/", "\u2044")
    write_run(out, 2, text=ATTACK)
    (out / "config.json").write_text(json.dumps({"objective": ATTACK, "model": ATTACK}))
    text = write_transcripts(out, words).read_text("utf-8")
    assert text.count("<script") == text.count("</script>") == 4  # index, two steps, the script
    elements = Elements(text)
    assert {"script", "select", "input"} <= elements.tags
    assert not elements.tags & {"img", "link", "iframe", "object", "embed", "base", "b"}
    assert not [name for name in elements.attributes if name in ("src", "href") or name[:2] == "on"]
    assert not re.search(r"https?:|@import|url\(", text)


def test_prompts_are_decoded_by_the_last_checkpoint_or_counted(
    tmp_path: Path, tokenizer: Any
) -> None:
    page = write_transcripts(write_run(tmp_path, 1))
    assert block(page, "step-1")[0]["prompt"] is None
    tokenizer.save_pretrained(tmp_path / "checkpoint-00000001")
    page = write_transcripts(tmp_path)
    assert block(page, "step-1")[0]["prompt"] == "<user> A B"


def test_of_too_many_steps_every_second_is_shown_and_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, 9)
    size = len(json.dumps(block(write_transcripts(tmp_path, words), "step-1")))
    monkeypatch.setattr(transcripts, "MOST_BYTES", 4 * size)
    page = write_transcripts(tmp_path, words)
    assert [summary["step"] for summary in block(page, "index")] == [1, 5, 9]
    assert "3 of 9 steps, one in 4" in page.read_text("utf-8")
    monkeypatch.setattr(transcripts, "MOST_BYTES", 1)
    assert [s["step"] for s in block(write_transcripts(tmp_path, words), "index")] == [9]


def test_a_run_without_rollouts_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no rollouts"):
        write_transcripts(tmp_path, words)
    write_run(tmp_path, 1)
    with (tmp_path / "rollouts" / "rollouts-00000001.jsonl").open("a") as file:
        file.write("{")
    with pytest.raises(InputError, match="cannot be read"):
        write_transcripts(tmp_path, words)


def test_in_a_browser_attacks_are_text_and_steps_and_filters_work(
    tmp_path: Path, browser: Chrome
) -> None:
    write_run(tmp_path, 5, text=ATTACK)
    # Step 6: two right replies, one of them in a step that lacks the verdict asked for below.
    write_rollouts(tmp_path, 6, [[rollout(90, 0, "correct"), rollout(90, 1, "correct")]])
    page = write_transcripts(tmp_path, words, {"item-0090": ATTACK})
    browser.get_log("browser")  # what earlier pages left there
    browser.set_window_size(1280, 900)
    open_page(browser, page)
    assert browser.title.endswith(": rollouts")
    assert browser.find_element(By.ID, "place").text.startswith("Step 6")
    assert len(shown(browser)) == 2 and not browser.find_element(By.ID, "next").is_enabled()
    browser.find_element(By.ID, "previous").click()
    assert browser.find_element(By.ID, "place").text.startswith("Step 5")
    assert browser.find_element(By.ID, "count").text == "8 of 8 replies"
    assert all("<img src=x onerror=" in text for text in shown(browser))
    assert not browser.find_elements(By.CSS_SELECTOR, "pre *, img")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".reply.up")) == 2
    assert len(browser.find_elements(By.CSS_SELECTOR, ".reply.down")) == 6

    Select(browser.find_element(By.ID, "verdict")).select_by_value("unparsed")
    assert browser.find_element(By.ID, "count").text == "2 of 8 replies"
    Select(browser.find_element(By.ID, "task")).select_by_value("music/b")
    assert [text[-4:] for text in shown(browser)] == ["11#3"]
    # The next step has no such reply, and is passed over: there is none after it.
    assert not browser.find_element(By.ID, "next").is_enabled()
    browser.find_element(By.ID, "slider").send_keys(Keys.HOME)
    assert browser.find_element(By.ID, "place").text.startswith("Step 1")
    assert not browser.find_element(By.ID, "previous").is_enabled()
    Select(browser.find_element(By.ID, "task")).select_by_value("")
    browser.find_element(By.ID, "text").send_keys("2#0")
    assert browser.find_element(By.ID, "count").text == "1 of 8 replies"
    log = [entry["message"] for entry in browser.get_log("browser")]
    assert not log, log


def test_on_a_phone_nothing_overflows_the_page(tmp_path: Path, browser: Chrome) -> None:
    page = write_transcripts(write_run(tmp_path, 2, text="x" * 400), words)
    browser.set_window_size(500, 900)
    open_page(browser, page)
    wide, view = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= view


def test_a_long_run_opens_a_step_at_a_time(tmp_path: Path, browser: Chrome) -> None:
    text = "Let us count the steps of the scale again, from the lowest note. " * 6
    page = write_transcripts(write_run(tmp_path, 200, 8, 8, text), words)
    open_page(browser, page)
    assert len(shown(browser)) == 64
    assert browser.find_element(By.ID, "place").text.startswith("Step 200")
    spent = browser.execute_script(
        "const began = performance.now(); document.getElementById('previous').click();"
        "document.body.offsetHeight; return performance.now() - began"
    )
    assert spent < 1000
    assert browser.find_element(By.ID, "place").text.startswith("Step 199")
