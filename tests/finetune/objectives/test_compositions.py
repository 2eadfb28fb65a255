"""Variants put together: each acts where it would alone, in one order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from finetune.objectives import RolloutBatch, State, compute, loss, prepare, resolve
from finetune.objectives.advantages import advantages
from finetune.objectives.diver import bonus
from finetune.objectives.siren import peak_entropy
from finetune.objectives.vppo import dependency, kept_tokens, shaping

MakeBatch = Callable[..., RolloutBatch]

BASES = {
    "grpo": {}, "dapo": {}, "gspo": {}, "cispo": {}, "rloo": {}, "sapo": {}, "gmpo": {},
    "opo": {}, "lite_ppo": {}, "gpg": {}, "reinforce_pp": {}, "dr_grpo": {"max_length": 8},
    "ppo": {},
}  # fmt: skip
PARTS: dict[str, dict[str, Any]] = {
    "canon": {"advantage": "canon"},
    "diver": {"diversity": "mix"},
    "siren": {"anchor_coef": 0.5, "anchor": 0.3},
    "vppo": {"visual_filter": 0.4, "visual_shaping": 0.9, "nll_coef": 0.06},
}


@pytest.fixture
def batch(make_batch: MakeBatch) -> RolloutBatch:
    """The fixture with all that a variant reads."""
    draw = torch.Generator().manual_seed(1)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draw, dtype=torch.float64)

    whole = make_batch()
    return dataclasses.replace(
        whole,
        entropy=uniform(4, 4),
        nucleus_entropy=uniform(4, 4).requires_grad_(),
        logp_masked_image=whole.logp_old - uniform(4, 4),
        scores={f"{kind}_diversity": uniform(4) for kind in ("textual", "formula")},
    )


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("parts", [("canon",), ("diver",), ("siren",), ("vppo",), tuple(PARTS)])
def test_any_base_takes_any_of_them(base: str, parts: tuple[str, ...], batch: RolloutBatch) -> None:
    overrides = dict(BASES[base])
    for part in parts:
        overrides |= PARTS[part]
    if base in ("gspo", "rloo", "gmpo"):
        # Their ratio is a row's: no token of it can be left out.
        overrides.pop("visual_filter", None)
    found = compute(base, batch, **overrides)
    found.loss.backward()
    assert batch.logp_new.grad is not None and batch.nucleus_entropy is not None
    assert bool(torch.isfinite(batch.logp_new.grad).all())
    plain = compute(base, dataclasses.replace(batch, logp_new=batch.logp_new.detach()),
                    **BASES[base])  # fmt: skip
    assert abs(float((found.loss - plain.loss).detach())) > 1e-6
    # In parts it is the same.
    gradient, batch.logp_new.grad = batch.logp_new.grad, None
    pulled, batch.nucleus_entropy.grad = batch.nucleus_entropy.grad, None
    plan = prepare(base, batch, **overrides)
    for rows in torch.arange(4).split(1):
        loss(plan.rows(rows), batch.rows(rows), plan.totals).loss.backward()
    torch.testing.assert_close(batch.logp_new.grad, gradient)
    torch.testing.assert_close(batch.nucleus_entropy.grad, pulled)
    assert (pulled is not None) == ("siren" in parts)


def test_a_bonus_comes_before_the_advantage_and_the_factor_of_a_picture_after_it(
    batch: RolloutBatch,
) -> None:
    settings = resolve("dapo", **PARTS["canon"], **PARTS["diver"], **PARTS["vppo"])
    plan = prepare(settings, batch)
    earned = dataclasses.replace(batch, rewards=batch.rewards + bonus(settings, batch, 1))
    depends = dependency(settings, batch)
    expected = shaping(settings, batch, depends)[:, None] * advantages(settings, earned)
    torch.testing.assert_close(plan.advantages, expected)
    assert torch.equal(plan.token_weights > 0, kept_tokens(settings, batch, depends))


def test_a_share_that_follows_the_rewards_does_not_see_the_bonus(batch: RolloutBatch) -> None:
    plan = prepare("dapo", batch, advantage="canon", canon_schedule="reward", diversity="mix")
    assert plan.metrics["canon_mu"] == float(batch.rewards.mean())
    assert plan.metrics["reward"] == float(batch.rewards.mean())


def test_the_verdict_decides_on_a_bonus_whatever_the_reward(batch: RolloutBatch) -> None:
    verdicts = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    found = bonus(resolve("diver"), dataclasses.replace(batch, outcome=verdicts), 1)
    assert (found > 0).tolist() == [False, True, False, True]


def test_a_penalty_of_entropy_is_the_same_under_any_advantage(batch: RolloutBatch) -> None:
    found = [
        compute("dapo", batch, State(anchor=0.1), anchor_coef=1.0, **more).metrics["anchor_penalty"]
        for more in ({}, PARTS["canon"], PARTS["diver"], PARTS["vppo"])
    ]
    entropy = batch.nucleus_entropy
    assert entropy is not None
    rows = peak_entropy(resolve("dapo"), entropy.detach(), batch.mask)
    assert found == pytest.approx([float((rows.mean() - 0.1) ** 2)] * 4)


def test_engine_s_weights_and_kept_tokens_multiply(batch: RolloutBatch) -> None:
    both = prepare("vppo", batch, correction="truncate").token_weights
    one = prepare("dapo", batch, correction="truncate").token_weights
    other = prepare("vppo", batch).token_weights
    torch.testing.assert_close(both, one * other)
