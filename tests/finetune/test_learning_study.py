"""The study of the docs, small: every part is there, is resumed, and nothing is asked twice."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchgen.cli import run
from benchgen.errors import InputError
from evaluators import engines
from evaluators.run_directory import read_run
from finetune import study as parts
from finetune.learning_study import Study, run_study, study_lines

pytestmark = pytest.mark.slow
MakeModel = Callable[..., Any]


@pytest.fixture
def study(tmp_path: Path, make_model: MakeModel, tokenizer: Any) -> Study:
    model = make_model(
        dtype=torch.float32, vocab_size=10, eos_token_id=1, max_position_embeddings=512
    )
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return Study(
        model=str(tmp_path / "model"), engine="transformers", sft_steps=(1, 2), batch=2, enough=0.0,
        too_much=1.0, rl_steps=2, prompts=2, samples=2, rl_tokens=1, max_tokens=2,
        test_items=6, validation_items=2, sft_items=8,
    )  # fmt: skip


def test_a_study_that_was_cut_goes_on_and_comes_to_the_same_table(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_study(study, tmp_path / "whole")
    assert set(whole["runs"]) == {"start", "format", "sft", "rl"}
    assert whole["test_contents_met_in_training"] == 0
    assert whole["part_of_reinforcement"]["problems"] == 12
    assert all(1 <= run["tokens"] <= study.max_tokens for run in whole["runs"].values())
    assert len(list(study_lines(whole))) == 7

    class Killed(Exception):
        pass

    def die(line: str) -> None:
        if line.startswith("rl: 1 of 2"):
            raise Killed

    with pytest.raises(Killed):
        run_study(study, tmp_path / "cut", die)
    asked: list[Path] = []
    evaluate = parts.evaluate

    def counted(data: Any, out: Path, **named: Any) -> Any:
        asked.append(out)
        return evaluate(data, out, **named)

    monkeypatch.setattr(parts, "evaluate", counted)
    assert run_study(study, tmp_path / "cut") == whole
    assert [path.name for path in asked] == ["rl"]
    assert json.loads((tmp_path / "cut" / "learning.json").read_text()) == whole
    with pytest.raises(InputError, match="a study with another seed"):
        run_study(dataclasses.replace(study, seed=1), tmp_path / "cut")


def test_the_cold_start_is_the_best_that_leaves_something_to_reinforcement(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run_study(study, tmp_path / "first")
    assert found["sft_steps"] == 1, "of equals the one with fewer steps"
    shares = {
        "validation-1": 0.45, "validation-2": 0.5, "validation-3": 0.75, "validation-4": 0.48,
    }  # fmt: skip

    def so_good(path: Path) -> Any:
        run = read_run(path)
        if path.name not in shares:
            return run
        overall = dataclasses.replace(run.metrics.overall, accuracy=shares[path.name])
        return dataclasses.replace(run, metrics=dataclasses.replace(run.metrics, overall=overall))

    monkeypatch.setattr(parts, "read_run", so_good)
    longer = dataclasses.replace(study, sft_steps=(1, 2, 3, 4), enough=0.4, too_much=0.6)
    found = run_study(longer, tmp_path / "second")
    assert found["sft_steps"] == 2
    control, cold = (tmp_path / "second" / name for name in ("format", "sft"))
    assert {path.name for path in control.glob("checkpoint-*")} == {"checkpoint-00000002"}
    assert len((cold / "metrics.jsonl").read_text().splitlines()) == 4
    imitated = json.loads((cold / "config.json").read_text())
    assert imitated["worked"] == study.worked < 1.0
    began = json.loads((tmp_path / "second" / "rl" / "config.json").read_text())
    assert began["model"].endswith("sft/checkpoint-00000002")
    assert began["max_tokens"] == study.rl_tokens < study.max_tokens


def test_a_study_in_bfloat16_trains_and_asks_in_it(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = engines.open_engine

    def noted(name: str, model: str, **named: Any) -> Any:
        opened.append(named["dtype"])
        return real(name, model, **named)

    monkeypatch.setattr(engines, "open_engine", noted)
    run_study(dataclasses.replace(study, autocast=True), tmp_path / "out")
    assert set(opened) == {"bfloat16"}
    for part in ("sft", "format", "rl"):
        config = json.loads((tmp_path / "out" / part / "config.json").read_text())
        assert config["autocast"] is True


@pytest.mark.parametrize(("enough", "too_much"), [(1.0, 1.0), (-2.0, -1.0)])
def test_a_cold_start_outside_its_bounds_is_said(
    tmp_path: Path, study: Study, enough: float, too_much: float
) -> None:
    outside = dataclasses.replace(study, enough=enough, too_much=too_much)
    with pytest.raises(InputError, match="is right on .*: 0.0% after 1, 0.0% after 2 steps$"):
        run_study(outside, tmp_path / "out")


def test_results_of_two_seeds_tell_what_their_studies_found(
    tmp_path: Path, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / "one", tmp_path / "nought"]
    found = []
    for seed, folder in zip((1, 0), folders, strict=True):
        run_study(dataclasses.replace(study, seed=seed), folder)
        found.append(with_figures_of_its_own(folder, seed))
    told = ["study", "results", "--of", str(folders[0]), "--of", str(folders[1])]
    assert run([*told, "--out", str(tmp_path / "results")]) == 0
    text = (tmp_path / "results" / "learning.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(("| 0", "| 1"))]
    assert [row[0] for row in rows] == ["| 0", "| 1"] * 3
    for row, one in zip(rows, (found[1], found[0]), strict=False):
        runs, part = one["runs"], one["part_of_reinforcement"]
        right, low = (100 * runs["sft"][name] for name in ("accuracy", "low"))
        assert row[3].startswith(f"{right:.1f} ({low:.1f}")
        assert row[1] == "10.0 (7.0 to 13.0) [1.0]"
        assert row[4].startswith(f"{60 + one['study']['seed']}.0 (")
        assert row[3].endswith(f"[{100 * runs['sft']['unparsed']:.1f}], 1 steps")
        assert row[6].startswith(f"{100 * part['effect']:+.1f} ({100 * part['low']:+.1f} to")
        assert row[5].startswith(f"{35 + one['study']['seed']:+.1f} (")
    assert rows[2][1] == "10.0, 20.0, 40.0, 60.0"
    assert rows[3][2] == "10.0, 21.0, 41.0, 61.0 |"
    assert rows[4][1:] == ["8", "9", "10", "11 |"]
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "results").glob("*.svg")}
    assert set(pictures) == {"curves.svg", "stages.svg"}
    kept = [str(tmp_path / "results" / f"seed-{seed}") for seed in (0, 1)]
    again = ["study", "results", "--of", kept[0], "--of", kept[1]]
    assert run([*again, "--out", str(tmp_path / "b")]) == 0
    assert (tmp_path / "b" / "learning.md").read_text() == text
    assert (tmp_path / "b" / "stages.svg").read_bytes() == pictures["stages.svg"]

    assert run(["study", "learning", "--of", kept[0], "--out", str(tmp_path / "bad")]) == 2
    assert "--of names studies for results" in capsys.readouterr().err
    idle = ["study", "results", "--of", kept[0], "--autocast", "--out", str(tmp_path / "bad")]
    assert run(idle) == 2
    assert "--autocast would do nothing" in capsys.readouterr().err
    for given, line in (
        ([], "there is no study to tell of"),
        ([folders[0], folders[0]], "the same seed"),
        ([tmp_path / "nowhere"], "holds no study that has ended"),
        ([*folders, other_steps(folders[0], tmp_path / "other")], "with another rl_steps"),
    ):
        capsys.readouterr()
        words = [word for folder in given for word in ("--of", str(folder))]
        assert run(["study", "results", *words, "--out", str(tmp_path / "bad")]) == 2
        assert line in capsys.readouterr().err
        assert not (tmp_path / "bad").exists()


def with_figures_of_its_own(folder: Path, seed: int) -> Any:
    """A finished study's record, its accuracies told apart: a model this small has none right."""
    path = folder / "learning.json"
    record = json.loads(path.read_text())
    for place, name in enumerate(("start", "format", "sft", "rl")):
        right = (0.1, 0.2, 0.4, 0.6)[place] + (seed / 100 if place else 0)
        tasks = dict.fromkeys(record["runs"][name]["by_task"], right)
        record["runs"][name] |= {
            "accuracy": right, "low": right - 0.03, "high": right + 0.03,
            "unparsed": (place + 1) / 100, "by_task": tasks, "tokens": 8.2 + place,
        }  # fmt: skip
    above = record["runs"]["rl"]["accuracy"] - record["runs"]["rl"]["chance"]
    record["gain_over_floor"] |= {"effect": above, "low": above - 0.03, "high": above + 0.03}
    record["part_of_reinforcement"] |= {"effect": 0.2, "low": 0.15, "high": 0.25}
    path.write_text(json.dumps(record))
    return record


def other_steps(folder: Path, copy: Path) -> Path:
    """A finished study that took more steps."""
    shutil.copytree(folder, copy)
    record = json.loads((copy / "learning.json").read_text())
    record["study"] |= {"rl_steps": 99, "seed": 7}
    (copy / "learning.json").write_text(json.dumps(record))
    return copy
