"""Imitation learns, goes on to the byte where it was cut, and says when it cannot."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchgen.errors import InputError
from finetune.checkpoint import latest_step, save_checkpoint
from finetune.course import Course
from finetune.examples import trajectory
from finetune.optimizer import NotFiniteError, Optimization
from finetune.order import places
from finetune.policy import Policy, load_policy
from finetune.sft import accumulate, imitate
from finetune.trajectory import Trajectory

MakeModel = Callable[..., Any]
SETTINGS = Optimization(steps=12, learning_rate=3e-3, warmup=2, decay="linear", weight_decay=0.1)
COURSE = Course(micro_tokens=64, seed=4, save_every=5, keep=0)
BATCH = 3


class Letters:
    """As much of a tokenizer as a checkpoint takes."""

    def save_pretrained(self, folder: Path) -> None:
        (folder / "letters.txt").write_text("abc")


def drawn(count: int = 8) -> list[Trajectory]:
    draw = random.Random(3)
    lengths = [(draw.randint(1, 9), draw.randint(1, 7)) for _ in range(count)]
    return [
        Trajectory(
            tuple(draw.randrange(1, 61) for _ in range(asked)),
            tuple(draw.randrange(1, 61) for _ in range(said)),
        )
        for asked, said in lengths
    ]


def policy(make_model: MakeModel, dtype: torch.dtype = torch.float32) -> Policy:
    return Policy(make_model(dtype=dtype), Letters())


def at(folder: Path, step: int) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder / f"checkpoint-{step:08d}")


def losses(out: Path) -> list[tuple[int, float]]:
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [(record["step"], record["loss"]) for record in map(json.loads, lines)]


def files(checkpoint: Path) -> dict[str, bytes]:
    """By their names; the model's own weights are the only ones that lie beside it."""
    assert [path.name for path in checkpoint.glob("*.safetensors")] == ["model.safetensors"]
    paths = (path for path in sorted(checkpoint.rglob("*")) if path.is_file())
    return {path.name: path.read_bytes() for path in paths}


def test_what_is_shown_is_learned(tmp_path: Path, make_model: MakeModel) -> None:
    settings = dataclasses.replace(SETTINGS, steps=60, decay="constant")
    trained = imitate(policy(make_model), drawn(4), tmp_path, settings, COURSE, BATCH)
    seen = losses(tmp_path)
    assert [step for step, _ in seen] == list(range(1, 61))
    assert seen[-1][1] < 0.2 * seen[0][1]
    assert trained.checkpoint == tmp_path / "checkpoint-00000060" and trained.stopped == ""


@pytest.mark.parametrize("cut", [1, 5, 7, 11])
def test_a_run_that_was_cut_ends_with_the_same_bytes(
    tmp_path: Path, make_model: MakeModel, cut: int
) -> None:
    whole, other = tmp_path / "whole", tmp_path / "other"
    expected = imitate(policy(make_model), drawn(), whole, SETTINGS, COURSE, BATCH)

    class Killed(Exception):
        pass

    def die(step: int, steps: int, figures: Any) -> None:
        if step == cut:
            raise Killed

    with pytest.raises(Killed):
        imitate(policy(make_model), drawn(), other, SETTINGS, COURSE, BATCH, die)
    torch.rand(3)
    begun = latest_step(other)
    assert begun == (None if cut < 5 else 10 if cut == 11 else 5)
    going_on = policy(make_model) if begun is None else Policy(at(other, begun), Letters())
    found = imitate(going_on, drawn(), other, SETTINGS, COURSE, BATCH)
    assert files(found.checkpoint) == files(expected.checkpoint)
    assert losses(other) == losses(whole)


def test_micro_batches_do_not_change_the_gradient(make_model: MakeModel) -> None:
    def gradients(most: int, shared: bool) -> tuple[float, torch.Tensor]:
        one = policy(make_model, torch.float64)
        one = one if shared else dataclasses.replace(one, unshared="so")
        value = accumulate(one, drawn(), most)
        return value, torch.cat([p.grad.flatten() for p in one.model.parameters()])

    value, expected = gradients(10_000, True)
    for most, shared in ((1, True), (30, True), (30, False)):
        other, found = gradients(most, shared)
        assert other == pytest.approx(value, rel=1e-12)
        assert float((found - expected).norm() / expected.norm()) < 1e-12


def test_every_example_comes_once_a_round_and_in_another_order() -> None:
    taken = places(7, 0, 42, seed=1)
    rounds = [taken[start : start + 7] for start in range(0, 42, 7)]
    assert all(sorted(one) == list(range(7)) for one in rounds)
    assert len({tuple(one) for one in rounds}) == 6
    assert places(7, 9, 5, seed=1) == taken[9:14]
    assert places(7, 9, 5, seed=2) != taken[9:14]


def test_what_is_not_finite_changes_no_weight_and_keeps_the_batch(
    tmp_path: Path, make_model: MakeModel
) -> None:
    broken = policy(make_model)
    with torch.no_grad():
        broken.model.get_output_embeddings().weight[7] = float("inf")
    before = {n: p.clone() for n, p in broken.model.named_parameters()}
    with pytest.raises(NotFiniteError):
        imitate(broken, drawn(), tmp_path, SETTINGS, COURSE, BATCH)
    assert all(torch.equal(p, before[n]) for n, p in broken.model.named_parameters())
    kept = json.loads((tmp_path / "not-finite.json").read_text())
    assert len(kept) == 3 and latest_step(tmp_path) is None


def test_a_checkpoint_that_was_cut_is_none(tmp_path: Path, make_model: MakeModel) -> None:
    class Full(Letters):
        def save_pretrained(self, folder: Path) -> None:
            raise OSError("No space left on device")

    model = make_model(dtype=torch.float32)
    good = Policy(model, Letters())
    save_checkpoint(tmp_path, 1, good, {})
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, 2, Policy(model, Full()), {})
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000001"]
    (tmp_path / "checkpoint-00000002.7-abc.tmp").mkdir()
    assert latest_step(tmp_path) == 1
    (tmp_path / "checkpoint-00000001-good").mkdir()
    save_checkpoint(tmp_path, 3, good, {}, keep=1)
    # What someone has put beside them is no checkpoint of ours.
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-00000001-good", "checkpoint-00000003",
    ]  # fmt: skip
    assert latest_step(tmp_path) == 3
    save_checkpoint(tmp_path, 4, good, {}, keep=1, spared=[3])
    save_checkpoint(tmp_path, 5, good, {}, keep=1, spared=[3])
    # The best one stays, however old.
    assert sorted(path.name[-1] for path in tmp_path.glob("checkpoint-0*3")) == ["3"]
    assert not (tmp_path / "checkpoint-00000004").exists()


def test_it_ends_where_it_is_told_to(tmp_path: Path, make_model: MakeModel) -> None:
    course = dataclasses.replace(COURSE, most_tokens=20)
    trained = imitate(policy(make_model), drawn(), tmp_path, SETTINGS, course, BATCH)
    assert trained.stopped.endswith("tokens have been learned from")
    assert 1 < trained.steps < 12 and latest_step(tmp_path) == trained.steps
    # Asked again it does nothing more.
    there = Policy(at(tmp_path, trained.steps), Letters())
    again = imitate(there, drawn(), tmp_path, SETTINGS, course, BATCH)
    assert again == trained and len(losses(tmp_path)) == trained.steps


@pytest.mark.parametrize(
    ("step", "decay", "rate"),
    [(0, "constant", 0.5), (1, "linear", 1.0), (2, "linear", 1.0), (6, "linear", 0.5),
     (6, "cosine", 0.5), (9, "constant", 1.0)],
)  # fmt: skip
def test_rates(step: int, decay: str, rate: float) -> None:
    settings = Optimization(steps=10, learning_rate=1.0, warmup=2, decay=decay)
    assert settings.rate(step) == pytest.approx(rate)


def test_weights_in_16_bits_are_refused(tmp_path: Path, make_model: MakeModel) -> None:
    with pytest.raises(InputError, match="is in 16 bits"):
        imitate(policy(make_model, torch.bfloat16), drawn(), tmp_path, SETTINGS, COURSE, BATCH)


def test_examples_are_what_the_chat_template_writes() -> None:
    tokenizer = load_policy("smollm2").tokenizer
    messages = [{"role": "user", "content": "Which is it?\n\nA. this\nB. that"}]
    made = trajectory(tokenizer, messages, "It is that.\n\n\\boxed{B}", {tokenizer.eos_token_id})
    assert tokenizer.decode(made.reply) == "It is that.\n\n\\boxed{B}<|im_end|>"
    assert tokenizer.decode(made.prompt).endswith("<|im_start|>assistant\n")
    asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
    assert list(made.prompt) == list(asked["input_ids"])
