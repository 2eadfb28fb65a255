"""A critic tells what is still to come, learns it, and goes on where it was cut."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import benchgen
from benchgen.errors import InputError
from benchgen.problem import Problem, Response
from evaluators.engines.transformers import LoadedModel, TransformersEngine
from evaluators.questions import Question
from finetune.checkpoint import latest_step
from finetune.course import Course
from finetune.critic import load_critic
from finetune.objectives import resolve
from finetune.optimizer import Optimization
from finetune.policy import Policy, load_policy
from finetune.questions import Listed
from finetune.rewards import Reward, correctness
from finetune.trainer import Practice, train
from finetune.trajectory import Trajectory

MakeModel = Callable[..., Any]
COURSE = Course(micro_tokens=200, seed=5, save_every=2, keep=0)


def says_a(problem: Problem, response: Response) -> float:
    return float("A" in response.text)


REWARDS = [Reward("correctness", 1.0, correctness), Reward("says_a", 0.5, says_a)]
SHOWN = [
    Trajectory((1, 2, 3), (4, 5, 6)), Trajectory((1, 2, 3), (6, 4)), Trajectory((7, 8), (9,)),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, make_model: MakeModel, tokenizer: Any) -> Path:
    model = make_model(
        dtype=torch.float32, vocab_size=10, eos_token_id=1, max_position_embeddings=512
    )
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def questions() -> Listed:
    found = [
        benchgen.make("sheet_music/interval_name", split="train", index=index, level=1)
        for index in range(6)
    ]
    return Listed([Question(p, tuple(p.messages("text")), ()) for p in found], 5)


def run(folder: Path, out: Path, steps: int = 4, **changes: Any) -> Any:
    step = latest_step(out)
    policy = load_policy(str(folder if step is None else out / f"checkpoint-{step:08d}"))
    engine = TransformersEngine(LoadedModel("tiny", policy.model, policy.tokenizer), window=64)
    return train(
        policy, engine, questions(), REWARDS, resolve("ppo"), out,
        practice=Practice(prompts=2, samples=4, max_tokens=3), course=COURSE,
        optimization=Optimization(steps=steps, learning_rate=1e-3, critic_learning_rate=3e-3),
        critic=load_critic(str(folder), policy), **changes,
    )  # fmt: skip


def test_values_begin_at_nothing_and_do_not_hang_on_the_layout_of_rows(folder: Path) -> None:
    policy = load_policy(str(folder))
    critic = load_critic(str(folder), policy)
    assert not bool(critic.values(SHOWN).any())
    with torch.no_grad():
        critic.model.score.weight.normal_()
    found = critic.values(SHOWN)
    apart = dataclasses.replace(critic, policy=dataclasses.replace(policy, unshared="so"))
    assert torch.allclose(apart.values(SHOWN), found, atol=1e-5)
    for row, one in enumerate(SHOWN):
        ids = torch.tensor([[*one.prompt, *one.reply]])
        states = critic.model.model(input_ids=ids).last_hidden_state
        # What was said before a token, not the token itself, tells its value.
        expected = critic.model.score(states)[0, len(one.prompt) - 1 : -1, 0]
        assert torch.allclose(found[row, : len(one.reply)], expected, atol=1e-5)
        assert not bool(found[row, len(one.reply) :].any())


def test_ppo_learns_with_its_critic_and_goes_on_to_the_same_bytes(
    tmp_path: Path, folder: Path
) -> None:
    whole = run(folder, tmp_path / "whole")
    lines = [
        json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    ]
    assert all(line["value_loss"] > 0 for line in lines)

    class Killed(Exception):
        pass

    def die(step: int, steps: int, figures: Any) -> None:
        if step == 3:
            raise Killed

    with pytest.raises(Killed):
        run(folder, tmp_path / "other", progress=die)
    other = run(folder, tmp_path / "other")
    for name in ("model.safetensors", "trainer/state.json", "trainer/tensors.safetensors"):
        assert (other.checkpoint / name).read_bytes() == (whole.checkpoint / name).read_bytes()


def test_an_objective_of_values_without_a_critic_is_refused(tmp_path: Path, folder: Path) -> None:
    policy: Policy = load_policy(str(folder))
    engine = TransformersEngine(LoadedModel("tiny", policy.model, policy.tokenizer), window=64)
    with pytest.raises(InputError, match="values need a critic"):
        train(
            policy, engine, questions(), REWARDS, resolve("ppo"),
            tmp_path / "out", practice=Practice(prompts=2, samples=2, max_tokens=3), course=COURSE,
            optimization=Optimization(steps=1, learning_rate=1e-3),
        )  # fmt: skip
