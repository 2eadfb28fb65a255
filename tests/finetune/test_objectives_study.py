"""The study of objectives, small: matched runs of every objective, resumed, and told of."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from benchgen.cli import run
from benchgen.dataset import read_rows
from benchgen.errors import InputError
from finetune import objectives_study
from finetune import study as parts
from finetune.diversity import textual
from finetune.objectives_results import WINDOWS, expected, mean_of, windows
from finetune.objectives_study import LEARNERS, Study, run_study, study_lines
from finetune.rollouts import read_rollouts
from finetune.step_figures import step_figures
from finetune.training_folder import read_metrics

pytestmark = pytest.mark.slow
MakeModel = Callable[..., Any]
PROMPTS, SAMPLES, TOKENS = 2, 4, 150
WORDS = [
    "<pad>", "<end>", "<unk>", "<user>", "<assistant>", "\\boxed{A}", "\\boxed{B}", "\\boxed{C}",
    "\\boxed{D}", "perhaps",
]  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel, tokenizer: Any) -> Study:
    folder = tmp_path_factory.mktemp("study") / "model"
    model = make_model(
        dtype=torch.float32, vocab_size=10, eos_token_id=1, max_position_embeddings=512
    )
    model.save_pretrained(folder)
    # A word is an answer: one reply in some ten is right.
    words = Tokenizer(WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    answering = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", pad_token="<pad>", eos_token="<end>"
    )
    answering.chat_template = tokenizer.chat_template
    answering.save_pretrained(folder)
    return Study(
        model=str(folder), engine="transformers", sft_steps=(1, 2), batch=2, enough=0.0,
        too_much=1.0, tokens=TOKENS, prompts=PROMPTS, samples=SAMPLES, max_tokens=3, test_items=6,
        validation_items=2, sft_items=8,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("whole")
    return folder / "seed-0", run_study(study, folder)


def test_every_objective_starts_alike_and_ends_with_as_many_tokens(
    whole: tuple[Path, Any],
) -> None:
    folder, found = whole
    assert set(found["runs"]) == {"sft", *LEARNERS}
    assert any(step["pass@1"] > 0 for step in found["steps"]["grpo"])
    assert found["test_contents_met_in_training"] == 0
    first: set[str] = set()
    for name in LEARNERS:
        lines = read_metrics(folder / name)
        assert lines[-1]["tokens"] >= TOKENS > lines[-1]["tokens"] - PROMPTS * SAMPLES * 3
        assert all(line["tokens"] < TOKENS for line in lines[:-1])
        config = json.loads((folder / name / "config.json").read_text())
        assert config["model"].endswith("sft/checkpoint-00000001")
        assert (config["objective"], config["overrides"]) == (name, [])
        said = [
            (one.problem, one.seed, one.tokens)
            for group in read_rollouts(folder / name, 1)
            for one in group
        ]
        assert len(said) == PROMPTS * SAMPLES
        first.add(json.dumps(said))
    assert len(first) == 1, "the first step's questions, seeds and replies are those of all"


def test_every_objective_is_told_beside_grpo_on_the_same_problems(whole: tuple[Path, Any]) -> None:
    folder, found = whole
    assert set(found["from_grpo"]) == set(LEARNERS) - {"grpo"}
    assert set(found["from_cold_start"]) == set(LEARNERS)
    for one in (*found["from_grpo"].values(), *found["from_cold_start"].values()):
        assert one["problems"] == 12
        assert one["low"] <= one["effect"] <= one["high"]
    lines = list(study_lines(found))
    assert len(lines) == 8
    assert "from grpo" in lines[2] and "from grpo" not in lines[1]
    assert json.loads((folder / "objectives.json").read_text()) == found


def test_a_study_that_was_cut_goes_on_run_by_run(
    study: Study, whole: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def die(line: str) -> None:
        # Its last checkpoint is that of step 5.
        if line.startswith("exgrpo: 7 of"):
            raise Killed

    with pytest.raises(Killed):
        run_study(study, tmp_path / "cut", die)
    assert not (tmp_path / "cut" / "seed-0" / "objectives.json").exists()
    trained: list[str] = []
    real = parts.run_training

    def counted(job: Any, out: Path, progress: Any) -> Any:
        trained.append(out.name)
        return real(job, out, progress)

    monkeypatch.setattr(parts, "run_training", counted)
    found = run_study(study, tmp_path / "cut")
    assert trained == ["exgrpo", "diver", "siren", "canon"]

    def timeless(record: Any) -> Any:
        steps = {
            name: [{k: v for k, v in step.items() if k != "seconds"} for step in steps]
            for name, steps in record["steps"].items()
        }
        return {**record, "steps": steps}

    assert timeless(found) == timeless(whole[1])
    with pytest.raises(InputError, match="a study with another tokens"):
        run_study(dataclasses.replace(study, tokens=21), tmp_path / "cut")


def test_another_seed_begins_with_the_same_cold_start_and_is_asked_other_problems(
    study: Study, whole: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "both"
    shutil.copytree(whole[0].parent, folder)
    trained: list[str] = []
    real = parts.run_training

    def counted(job: Any, out: Path, progress: Any) -> Any:
        trained.append(f"{out.parent.name}/{out.name}")
        return real(job, out, progress)

    monkeypatch.setattr(parts, "run_training", counted)
    found = run_study(dataclasses.replace(study, seed=1), folder)
    assert trained == [f"seed-1/{name}" for name in LEARNERS]
    assert found["sft_steps"] == whole[1]["sft_steps"]
    assert found["cold_start"] == whole[1]["cold_start"]
    tests = [{*contents(folder / f"seed-{seed}" / "data" / "test")} for seed in (0, 1)]
    assert tests[0] != tests[1]


def contents(data: Path) -> Iterator[str]:
    for row in read_rows(data, ("content_key",)):
        yield row["content_key"]


def test_step_figures_are_of_fresh_replies_alone(
    whole: tuple[Path, Any], tmp_path: Path
) -> None:
    run_folder = tmp_path / "run"
    shutil.copytree(whole[0] / "grpo", run_folder)
    path = run_folder / "rollouts" / "rollouts-00000001.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    fresh, replayed = copy.deepcopy(records[0]), copy.deepcopy(records[1])
    texts = ["one two three four five six seven", "one two three four five nine", "right", "wrong"]
    group = []
    for place, text in enumerate(texts):
        group.append(
            fresh
            | {
                "sample": place, "text": text, "tokens": [3] * max(1, place),
                "logprobs": [-0.5 * place] * max(1, place), "outcome": float(place < 3),
                "replayed": False,
            }
        )  # fmt: skip
    # A group with a replayed reply is of a question that was learned from before.
    old = [fresh | {"draw": 7, "sample": 0, "outcome": 1.0}]
    old.append(replayed | {"draw": 7, "sample": 1, "outcome": 1.0, "replayed": True})
    path.write_text("".join(f"{json.dumps(one)}\n" for one in [*group, *old]))
    found = step_figures(run_folder, ks=(1, 2, 8))[0]
    assert found["pass@1"] == 0.75
    assert found["pass@2"] == 1.0
    assert "pass@8" not in found, "a group of four has no pass@8"
    assert found["length"] == 7 / 4
    assert found["distinct"] == 0.75, "the first two are the same token"
    assert found["entropy"] == pytest.approx((0.0 + 0.5 + 2 * 1.0 + 3 * 1.5) / 7)
    right = textual(texts[:2], [True, True])
    assert 0 < right[0] < 1
    assert found["textual"] == pytest.approx(sum(right) / 2), "one word is not compared"


def test_means_over_seeds_have_the_interval_of_seeds() -> None:
    seeds = [
        {"effect": 0.02, "low": -0.01, "high": 0.05},
        {"effect": 0.06, "low": 0.02, "high": 0.10},
        {"effect": 0.01, "low": -0.03, "high": 0.05},
    ]
    mean = mean_of(seeds)
    assert mean.value == pytest.approx(0.03)
    # By hand: deviation 0.0264575, Student's 0.975 quantile of two degrees 4.302653.
    assert mean.half == pytest.approx(4.302653 * 0.0264575 / math.sqrt(3), rel=1e-5)
    # Their problems are much the same: no narrower for being asked thrice.
    assert mean.items == pytest.approx((0.03 + 0.04 + 0.04) / 3)
    assert mean_of(seeds[:1]).half is None
    # 1.959964 times the root of 0.25 / 600, and 4.302653 times 0.03 by the root of 3.
    before = expected({"apart": 0.25, "scatter": 0.03}, 600, 3)
    assert before.items == pytest.approx(0.0400076, abs=1e-6)
    assert before.half == pytest.approx(0.0745241, abs=1e-6)


def test_a_window_is_the_mean_of_its_steps_and_the_last_one_holds_the_overshoot() -> None:
    steps = [
        {"tokens": 5, "length": 1.0}, {"tokens": 9, "length": 3.0}, {"tokens": 61, "length": 8.0},
    ]  # fmt: skip
    found = windows({"study": {"tokens": 60}, "steps": {"grpo": steps}}, "grpo", "length")
    assert found == [2.0, *[None] * (WINDOWS - 2), 8.0]


def test_results_of_two_seeds_tell_what_their_studies_found(
    study: Study, whole: tuple[Path, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for seed, shift in ((1, 0.04), (0, 0.0)):
        record = copy.deepcopy(whole[1])
        record["study"]["seed"] = seed
        record["runs"]["dapo"]["accuracy"] = 0.5 + shift
        effect = {"effect": 0.1 + shift, "low": 0.05 + shift, "high": 0.15 + shift}
        record["from_grpo"]["dapo"] |= effect | {"corrected": 0.0004}
        folder = tmp_path / f"of-{seed}"
        folder.mkdir()
        (folder / "objectives.json").write_text(json.dumps(record))
        folders.append(folder)
    told = [word for folder in folders for word in ("--of", str(folder))]
    assert run(["study", "results", *told, "--out", str(tmp_path / "results")]) == 0
    text = (tmp_path / "results" / "objectives.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `dapo`")]
    # Half of Student's: 12.7062 times 0.04 / sqrt(2) / sqrt(2); of the problems: 0.05.
    assert rows[0] == "| `dapo` | 50.0 | 54.0 | 52.0 | +12.0 (±25.4) | ±5.0 |"
    assert rows[1].startswith("| `dapo` | +10.0 (+5.0 to +15.0), p < 0.001 | +14.0 (+9.0")
    kept = tmp_path / "results" / "objectives"
    assert {path.name for path in kept.iterdir()} == {
        "seed-0", "seed-1", "differences.svg", "steps.svg"
    }  # fmt: skip
    again = [word for seed in (0, 1) for word in ("--of", str(kept / f"seed-{seed}"))]
    assert run(["study", "results", *again, "--out", str(tmp_path / "b")]) == 0
    assert (tmp_path / "b" / "objectives.md").read_text() == text
    pictures = ("differences.svg", "steps.svg")
    for name in pictures:
        assert (tmp_path / "b" / "objectives" / name).read_bytes() == (kept / name).read_bytes()
    one = ["study", "results", *told[:2], "--out", str(tmp_path / "one")]
    assert run(one) == 0
    assert "one seed" in (tmp_path / "one" / "objectives.md").read_text()

    broken = tmp_path / "broken"
    broken.mkdir()
    record = copy.deepcopy(whole[1])
    del record["steps"]["siren"]
    (broken / "objectives.json").write_text(json.dumps(record))
    other = tmp_path / "other"
    other.mkdir()
    record = copy.deepcopy(whole[1])
    record["study"] |= {"seed": 7, "tokens": 1}
    (other / "objectives.json").write_text(json.dumps(record))
    for given, line in (
        ([folders[0], folders[0]], "the same seed"),
        ([broken], "holds no study that has ended: a part is missing"),
        ([kept], "holds several seeds: name each, --of "),
        ([*folders, other], "with another tokens"),
    ):
        capsys.readouterr()
        words = [word for folder in given for word in ("--of", str(folder))]
        assert run(["study", "results", *words, "--out", str(tmp_path / "bad")]) == 2
        assert line in capsys.readouterr().err
        assert not (tmp_path / "bad").exists()


def test_the_command_runs_three_seeds_or_the_one_that_is_named(
    whole: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    asked: list[Study] = []

    def noted(study: Study, folder: Path, tell: Any) -> Any:
        assert folder == tmp_path
        asked.append(study)
        return whole[1]

    monkeypatch.setattr(objectives_study, "run_study", noted)
    named = ["study", "objectives", "--out", str(tmp_path)]
    assert run([*named, "--autocast", "--json"]) == 0
    assert asked == [Study(seed=seed, autocast=True) for seed in (0, 1, 2)]
    assert len(json.loads(capsys.readouterr().out)["seeds"]) == 3
    asked.clear()
    assert run([*named, "--seed", "1"]) == 0
    assert asked == [Study(seed=1)]
    assert "exgrpo" in capsys.readouterr().out
    assert run([*named, "--of", "x"]) == 2
    assert "objectives takes none" in capsys.readouterr().err
    asked.clear()
    assert run([*named, "--engine", "vlm"]) == 2
    assert "--engine is transformers or vllm, not 'vlm'" in capsys.readouterr().err
    assert run([*named, "--seed", "-1"]) == 2
    assert "seeds are 0 or more" in capsys.readouterr().err
    assert not asked
