"""A run that samples through vLLM and is cut goes on to the same losses: from its journal."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from benchgen.dataset import synthesize
from benchgen.plan import make_plan
from evaluators.engines.vllm import VllmEngine
from finetune.command import run_training
from finetune.job import Job

pytestmark = pytest.mark.slow


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def odd(problem: Any, response: Any) -> float:
    """Something that the replies of a group differ in."""
    return float(len(response.text) % 5)


def test_losses_after_a_kill_are_those_of_the_journalled_rollouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "evaluators" / "engines")
    monkeypatch.setitem(sys.modules, "vllm_resume_rewards", sys.modules[__name__])
    from tiny_reader import write_tiny_reader

    write_tiny_reader(tmp_path / "model")
    plan = make_plan(
        "sheet_music", split="train", count=6, seed=1, tasks=["interval_name"], levels=[1]
    )
    synthesize(plan, tmp_path / "data")
    job = Job(
        objective="grpo", model=str(tmp_path / "model"), steps=4, learning_rate=1e-3,
        data=str(tmp_path / "data"), prompts=2, samples=4, max_tokens=6, engine="vllm",
        rewards=("correctness", "vllm_resume_rewards:odd=0.1"), save_every=2, keep=0,
    )  # fmt: skip
    out = tmp_path / "out"
    whole = run_training(job, out)
    expected = lines(out)
    weights = (Path(whole["checkpoint"]) / "model.safetensors").read_bytes()
    # As a kill after the fourth step was journalled leaves it.
    shutil.rmtree(out / "checkpoint-00000004")
    journals = {path: path.read_bytes() for path in (out / "rollouts").iterdir()}
    assert len(journals) == 4

    def refuse(self: VllmEngine, requests: Any) -> Any:
        # With the same seeds in the same batch it might repeat itself, and prove nothing.
        raise AssertionError("what was journalled was sampled again")

    monkeypatch.setattr(VllmEngine, "generate", refuse)
    again = run_training(job, out)
    assert {path: path.read_bytes() for path in (out / "rollouts").iterdir()} == journals
    found = lines(out)
    assert [line["step"] for line in found] == [1, 2, 3, 4]
    for one, two in zip(found, expected, strict=True):
        assert one["loss"] == pytest.approx(two["loss"], abs=1e-5)
    assert all(line["gradient_norm"] > 0 for line in found[2:])
    assert (Path(again["checkpoint"]) / "model.safetensors").read_bytes() == weights
