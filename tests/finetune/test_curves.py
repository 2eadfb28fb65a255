"""Curves: the figures that there are, the same bytes each time, and labels that can be read."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from selenium.webdriver import Chrome

from benchgen.errors import InputError
from finetune import curves
from finetune.curves import draw_curves, mean_points, read_run, stacked

HOSTILE = "a--><script>alert(1)</script><!-- $x^{$ & \"'"


def rl_lines(steps: int, seed: int = 0) -> list[dict[str, Any]]:
    """What a run of reinforcement learning might write."""
    rng = random.Random(seed)
    lines: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        done = 1 / (1 + math.exp(4 - 8 * step / steps))
        right = min(1.0, max(0.0, 0.3 + 0.5 * done + rng.gauss(0, 0.06)))
        line: dict[str, Any] = {
            "step": step, "reward": right + 0.1, "accuracy": right, "unparsed": 0.2 * (1 - done),
            "truncated": 0.05 * rng.random(), "failed": 0.0, "length": 60 + 30 * done,
            "zero_variance_groups": 0.2 + 0.5 * done * rng.random(), "loss": rng.gauss(0, 0.02),
            "clipped_high": 0.004 * rng.random(), "clipped_low": 0.002 * rng.random(),
            "entropy": 0.9 - 0.5 * done + rng.gauss(0, 0.02), "gradient_norm": rng.random(),
            "mismatch_k3": 10 ** rng.uniform(-7, -5), "kl_old": 1e-4 * rng.random(),
            "tokens": 5000 * step, "elapsed": 21.0 * step, "seconds_sample": 12 + rng.random(),
            "seconds_learn": 8 + rng.random(), "seconds_hand_over": 0.4,
        }  # fmt: skip
        if step % 10 == 0:
            line |= {"validation": 0.3 + 0.5 * done, "seconds_validate": 30.0}
        lines.append(line)
    return lines


def sft_lines(steps: int) -> list[dict[str, Any]]:
    return [
        {"step": step, "loss": 3 * 0.98**step, "gradient_norm": 1.0, "learning_rate": 1e-4,
         "tokens": 900 * step, "seconds": 2.0, "elapsed": 2.0 * step}
        for step in range(1, steps + 1)
    ]  # fmt: skip


def written(folder: Path, lines: Sequence[Any]) -> Path:
    folder.mkdir(parents=True)
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text)
    return folder


def test_the_same_figures_are_the_same_bytes(tmp_path: Path) -> None:
    runs = [written(tmp_path / f"seed-{n}", rl_lines(12, n)) for n in range(2)]
    draw_curves(runs, tmp_path / "one.svg")
    draw_curves(runs, tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    draw_curves(runs[:1], tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() != (tmp_path / "two.svg").read_bytes()


def test_what_a_run_does_not_have_is_left_out(tmp_path: Path) -> None:
    rl = written(tmp_path / "rl", rl_lines(12))
    sft = written(tmp_path / "sft", sft_lines(12))
    draw_curves([rl], tmp_path / "rl.svg")
    draw_curves([sft], tmp_path / "sft.svg")
    ours = {"Accuracy", "Entropy", "Clipped", "Reply length", "hand over", "validation"}
    theirs = {"Learning rate"}
    for name, has, lacks in (("rl", ours, theirs), ("sft", theirs, ours)):
        # Words are outlines; matplotlib says in a comment what they are.
        text = (tmp_path / f"{name}.svg").read_text()
        assert all(f"<!-- {words} -->" in text for words in {*has, "Loss", "Gradient norm"})
        assert not any(f"<!-- {words} -->" in text for words in lacks)


def test_runs_without_a_step_in_common_are_drawn_without_a_mean(tmp_path: Path) -> None:
    lines = rl_lines(8)
    folders = [written(tmp_path / "a", lines[:4]), written(tmp_path / "b", lines[4:])]
    assert stacked([read_run(folder) for folder in folders]) == ([], {})
    draw_curves(folders, tmp_path / "both.svg")
    assert "<!-- unparsed -->" in (tmp_path / "both.svg").read_text()


def test_the_mean_is_taken_where_all_runs_have_the_figure() -> None:
    assert mean_points([{1: 1.0, 2: 2.0, 4: 5.0}, {1: 3.0, 4: 6.0, 5: 9.0}]) == {1: 2.0, 4: 5.5}
    assert mean_points([{1: 1.0}, {2: 1.0}]) == {}


def test_a_phase_that_a_step_did_not_have_took_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [{"step": n, "seconds_learn": 2.0, "seconds_sample": float(n)} for n in range(1, 6)]
    lines[1]["seconds_validate"] = 8.0
    run = read_run(written(tmp_path / "run", lines))
    edges, heights = stacked([run, run])
    assert edges == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert list(heights) == ["sample", "learn", "validate"]
    assert heights["validate"] == [0.0, 8.0, 0.0, 0.0, 0.0]
    monkeypatch.setattr(curves, "MOST_COLUMNS", 3)
    edges, heights = stacked([run])
    assert edges == [0.5, 2.5, 4.5, 5.5]
    assert heights["validate"] == [4.0, 0.0, 0.0] and heights["sample"] == [1.5, 3.5, 5.0]


def test_names_of_folders_are_neither_markup_nor_formulas(tmp_path: Path) -> None:
    folder = written(tmp_path / HOSTILE.replace("/", "\u2044") / "\x07\u3042\udc80", rl_lines(3))
    other = written(tmp_path / "b" / folder.name, rl_lines(3))
    draw_curves([folder, other], tmp_path / "curves.svg")
    tree = ElementTree.parse(tmp_path / "curves.svg")
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert "script" not in tags and {"svg", "path"} <= tags
    links = [v for e in tree.iter() for n, v in e.attrib.items() if n.endswith("href")]
    assert links and all(link.startswith("#") for link in links)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "holds no step"),
        ("", "holds no step"),
        ('{"step": 1, "loss": 1.0', "holds no step"),
        ('{"step": 1}\n', "holds no step"),
        ('{"step": 1, "loss": NaN, "note": "x", "told": true}\n', "holds no step"),
        ('{"step": 1, "colour": 3}\n', "none of the figures"),
        ('{"step": 1, "loss": 1.0\n', "cannot be read"),
        ('{"loss": 1.0}\n', "cannot be read"),
        ('[1]\n', "cannot be read"),
        ('{"step": "1", "loss": 1.0}\n', "cannot be read"),
        ('{"step": 2, "loss": 1}\n{"step": 2, "loss": 1}\n', "step 2 comes after step 2"),
        (f'{{"step": 1, "loss": {10**400}}}\n', "cannot be read"),
    ],
)
def test_damaged_figures_are_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(InputError, match=said) as error:
        draw_curves([tmp_path], tmp_path / "curves.svg")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "curves.svg").exists()


def test_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.svg or \.png, not 'curves.jpg'"):
        draw_curves([tmp_path], tmp_path / "curves.jpg")


OVERLAPS = """
const boxes = [...document.querySelectorAll('g[id^="text_"]')]
  .map((g) => [g.id, g.getBoundingClientRect()]).filter(([, b]) => b.width > 0);
const aside = (a, b) => a.right <= b.left || b.right <= a.left;
const apart = (a, b) => aside(a, b) || a.bottom <= b.top || b.bottom <= a.top;
const found = [];
boxes.forEach(([id, a], n) => {
  if (a.left < 0 || a.right > arguments[0] || a.top < 0) found.push([id, 'outside']);
  for (const [other, b] of boxes.slice(n + 1)) if (!apart(a, b)) found.push([id, other]);
});
return [boxes.length, found];
"""


@pytest.mark.parametrize(("make", "steps"), [(rl_lines, 40), (rl_lines, 1), (sft_lines, 7)])
def test_no_label_lies_over_another(
    tmp_path: Path, browser: Chrome, make: Callable[[int], list[dict[str, Any]]], steps: int
) -> None:
    names = ["a-run-with-a-rather-long-name-" * 4, *(f"{'seed-' * 6}{n}" for n in range(9))]
    runs = [written(tmp_path / name, make(steps)) for name in names]
    draw_curves(runs, tmp_path / "curves.svg")
    browser.get((tmp_path / "curves.svg").as_uri())
    count, found = browser.execute_script(OVERLAPS, 900)
    assert count > 20
    assert found == []
