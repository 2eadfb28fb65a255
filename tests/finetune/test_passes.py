"""What is read before a step lies where it belongs, and what is told of it is of tokens alone."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from finetune import trainer
from finetune.course import Course
from finetune.critic import Critic
from finetune.objectives import Settings, State, resolve
from finetune.objectives.siren import Nucleus, peak_entropy
from finetune.optimizer import Optimization, Optimizer
from finetune.packing import micro_batches
from finetune.passes import all_scores
from finetune.policy import Policy
from finetune.ranks import Ranks
from finetune.rollouts import Rollout
from finetune.trainer import Practice, learn

MakeModel = Callable[..., Any]
NUCLEUS = Nucleus(0.95)


@pytest.fixture
def policy(make_model: MakeModel, tokenizer: Any) -> Policy:
    return Policy(make_model(vocab_size=10, eos_token_id=1), tokenizer)


@pytest.fixture
def groups() -> list[list[Rollout]]:
    """Replies of 1 to 9 tokens, the longest neither first nor last."""
    draw = random.Random(4)
    made = []
    for number in range(3):
        prompt = tuple(draw.randrange(2, 10) for _ in range(3 + 2 * number))
        members = []
        for sample, length in enumerate(draw.sample(range(1, 10), 4)):
            said = tuple(draw.randrange(2, 10) for _ in range(length))
            members.append(
                Rollout(
                    draw=number, problem=f"p{number}", task="s/t", level=1, sample=sample,
                    seed=10 * number + sample, prompt=prompt, tokens=said,
                    logprobs=(-2.0,) * length, text="", truncated=False,
                    reward=float(sample % 2), parts={}, outcome=float(sample % 2), verdict="wrong",
                )
            )  # fmt: skip
        made.append(members)
    return made


@pytest.mark.parametrize("most", [1, 30, 10_000])
def test_entropies_lie_in_the_rows_they_are_of_in_whatever_order_those_are_read(
    policy: Policy, groups: list[list[Rollout]], most: int
) -> None:
    # As released, SIREN's batches of a size in tokens put log-probabilities back in order and not
    # entropies: the anchor was of some rows' entropies under other rows' masks.
    rows = [one.trajectory for group in groups for one in group]
    micros = micro_batches(rows, shared=policy.shared, most_tokens=30)
    assert [row for micro in micros for row in micro] != list(range(len(rows)))
    found = all_scores(policy, rows, 0.7, Course(most), Ranks(), torch.device("cpu"), NUCLEUS)
    assert found.nucleus_entropy is not None
    for number, row in enumerate(rows):
        alone = policy.scores([row], 0.7, nucleus=NUCLEUS)
        assert alone.nucleus_entropy is not None
        length = len(row.reply)
        for whole, own in (
            (found.logp, alone.logp), (found.entropy, alone.entropy),
            (found.nucleus_entropy, alone.nucleus_entropy), (found.mask, alone.mask),
        ):  # fmt: skip
            torch.testing.assert_close(whole[number, :length], own[0].detach())
            assert not bool(whole[number, length:].any())


def test_the_entropy_that_is_told_is_of_tokens_not_of_what_pads_them(
    policy: Policy, groups: list[list[Rollout]]
) -> None:
    # As released, SIREN's metric is the mean over padding, too: it falls as lengths differ.
    rows = [one.trajectory for group in groups for one in group]
    scores = policy.scores(rows, 1.0, nucleus=Nucleus(0.8))
    assert scores.nucleus_entropy is not None
    settings = resolve("siren", max_length=9)
    figures = learn(
        policy, groups, settings, State(1, 3),
        Optimizer(policy.model.named_parameters(), Optimization(steps=1, learning_rate=1e-4)),
        Practice(prompts=3, samples=4, max_tokens=9), Course(30), rate_step=0,
    )  # fmt: skip
    entropy, tokens = float(scores.entropy.detach().sum()), float(scores.mask.sum())
    assert figures["entropy"] == pytest.approx(entropy / tokens)
    assert tokens < scores.mask.numel()
    peaks = peak_entropy(settings, scores.nucleus_entropy, scores.mask)
    assert figures["anchor"] == pytest.approx(float(peaks.detach().mean()))


class Still(Optimizer):
    def step(self, number: int) -> float:
        return 1.0


def learned(
    policy: Policy,
    groups: list[list[Rollout]],
    objective: Settings,
    most: int,
    **beside: Any,
) -> tuple[torch.Tensor, dict[str, float]]:
    """The gradient of a step, and its figures."""
    policy.model.zero_grad()
    figures = learn(
        policy, groups, objective, State(2, 3, anchor=0.3),
        Still(policy.model.named_parameters(), Optimization(steps=1, learning_rate=1e-4)),
        Practice(prompts=3, samples=4, max_tokens=9), Course(most), rate_step=0, **beside,
    )  # fmt: skip
    return torch.cat([p.grad.flatten() for p in policy.model.parameters()]), figures


@pytest.mark.parametrize("most", [1, 30, 60, 10_000])
@pytest.mark.parametrize("name", ["siren", "canon"])
def test_what_is_read_ahead_is_not_read_again_and_the_step_is_the_same(
    policy: Policy,
    groups: list[list[Rollout]],
    name: str,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One group is all alike: canon learns nothing from it, and does not read it again.
    groups[1] = groups[1][:1] * 4
    read: list[int] = []
    scores = Policy.scores

    def counted(self: Policy, rows: Any, *how: Any, **named: Any) -> Any:
        read.append(len(rows))
        return scores(self, rows, *how, **named)

    monkeypatch.setattr(Policy, "scores", counted)
    objective = resolve(name, max_length=9, correction="truncate")
    found, figures = learned(policy, groups, objective, most)
    ahead = sum(read)
    whole = trainer.whole_batch
    monkeypatch.setattr(
        trainer, "whole_batch", lambda *how, **named: (whole(*how, **named)[0], None)
    )
    read.clear()
    expected, told = learned(policy, groups, objective, most)
    twice = sum(read)
    torch.testing.assert_close(found, expected)
    assert float(expected.norm()) > 0
    assert figures == pytest.approx(told)
    rows = [one.trajectory for group in groups for one in group]
    last = micro_batches(rows, shared=policy.shared, most_tokens=most)[-1]
    alike = {4, 5, 6, 7} if name == "canon" else set()
    assert ahead == twice - len({*last} - alike) < twice
    if most == 10_000:
        assert ahead == len(rows)


@pytest.mark.parametrize("most", [30, 10_000])
def test_rows_that_were_read_ahead_are_as_wide_as_their_values(
    policy: Policy,
    groups: list[list[Rollout]],
    make_model: MakeModel,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The longest replies are cut and left out: what is learned from is narrower than what was read.
    from transformers import AutoModelForTokenClassification

    cut = [[replace(one, truncated=len(one.tokens) > 5) for one in group] for group in groups]
    config = copy.deepcopy(policy.model.config)
    config.num_labels = 1
    critic = Critic(AutoModelForTokenClassification.from_config(config).double().eval(), policy)
    reference = Policy(make_model(vocab_size=10, eos_token_id=1).double(), None)
    objective = resolve("ppo", reward_kl_coef=0.01, mask_truncated=True)
    beside = {"critic": critic, "reference": reference}
    found, figures = learned(policy, cut, objective, most, **beside)
    whole = trainer.whole_batch
    monkeypatch.setattr(
        trainer, "whole_batch", lambda *how, **named: (whole(*how, **named)[0], None)
    )
    expected, told = learned(policy, cut, objective, most, **beside)
    torch.testing.assert_close(found, expected)
    assert float(expected.norm()) > 0
    assert figures == pytest.approx(told)
