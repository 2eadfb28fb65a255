"""From a batch of rollouts to a loss, in two steps that micro-batches cannot tell apart.

Conventions
-----------
* ``prepare`` sees the whole batch of a rollout, without gradient: advantages, token weights,
  selections and every statistic over rows. ``loss`` sees any part of it, with gradient, and
  the totals of the optimizer step. The parts' losses add up to the whole.
* What is picked at random is picked in ``prepare``, by the state's seed and step.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from finetune.objectives import canon
from finetune.objectives.advantages import (
    advantages,
    all_equal,
    discounted_returns,
    token_rewards,
)
from finetune.objectives.aggregation import Totals, aggregate
from finetune.objectives.batch import RolloutBatch, masked_mean, masked_sum
from finetune.objectives.presets import resolve
from finetune.objectives.ratios import difference
from finetune.objectives.regularizers import drift, kl_estimate, value_loss
from finetune.objectives.settings import Settings
from finetune.objectives.surrogates import clip_shares, surrogate
from finetune.objectives.token_weights import (
    correction,
    mismatch,
    on_policy_rows,
    select_clip_cov,
    select_kl_cov,
)


@dataclass(frozen=True, slots=True)
class State:
    """What an objective carries from step to step; it belongs into checkpoints.

    ``anchor`` is an entropy measured at the beginning, ``mixed`` whether old replies have joined.
    """

    step: int = 0
    seed: int = 0
    anchor: float | None = None
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``prepare`` found: ``[B, T]`` each, without gradient.

    ``mask`` is the batch's without the rows that are left out of the loss; ``counted`` is the one
    that normalizers count. ``penalized`` are the tokens of KL-Cov's penalty, ``returns`` the
    critic's targets.
    """

    settings: Settings
    advantages: Tensor
    token_weights: Tensor
    mask: Tensor
    counted: Tensor
    penalized: Tensor | None
    returns: Tensor | None
    metrics: Mapping[str, float]

    @property
    def totals(self) -> Totals:
        """Rows and tokens of all that was prepared."""
        return Totals(float(self.counted.shape[0]), float(self.counted.sum()))

    @property
    def idle(self) -> Tensor:
        """The rows that can be left out of the forward pass, ``[B]`` of booleans.

        Their gradient is 0: no advantage or no weight at any token, and no regularizer. The
        normalizers count them.
        """
        if self.settings.regularized:
            return ~(self.mask > 0).any(1)
        return ~((self.advantages * self.token_weights * self.mask) != 0).any(1)

    def rows(self, index: Tensor, width: int | None = None) -> Plan:
        """Some of the rows (``index``: integers), cut to the first ``width`` columns."""
        picked = {}
        for name in ("advantages", "token_weights", "mask", "counted", "penalized", "returns"):
            tensor = getattr(self, name)
            if tensor is not None:
                picked[name] = tensor[index][:, :width]
        return dataclasses.replace(self, **picked)


@dataclass(frozen=True, slots=True)
class Loss:
    """A part of a step's loss, a scalar with gradient, and what was seen in passing.

    ``metrics`` are parts too: of all micro-batches they add up to the step's.
    """

    loss: Tensor
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ObjectiveOutput:
    """A whole batch at once: loss (scalar), advantages and token weights ``[B, T]``, metrics."""

    loss: Tensor
    advantages: Tensor
    token_weights: Tensor
    metrics: Mapping[str, float]


def prepare(
    name: str | Settings, batch: RolloutBatch, state: State | None = None, **overrides: Any
) -> Plan:
    """All that is decided over the whole batch.

    Raises
    ------
    InputError
        There is no such objective or override, or the batch lacks what it needs.
    """
    settings = resolve(name, **overrides) if isinstance(name, str) else name
    with torch.no_grad():
        return _prepare(settings, batch.cleaned(), state or State())


def _prepare(settings: Settings, batch: RolloutBatch, state: State) -> Plan:
    settings = canon.at_step(settings, batch.rewards, state.step)
    mask, counted = batch.mask, batch.mask
    if settings.mask_truncated:
        cut = batch.need("truncated", "masking cut replies")
        mask = mask * ~cut[:, None]
        counted = counted if settings.count_truncated else mask
    advantage = advantages(settings, batch)
    seen = {"canon_mu": settings.canon_mu} if settings.advantage == "canon" else {}
    weights = correction(settings, batch) * on_policy_rows(settings, batch, advantage)
    penalized = None
    within = dataclasses.replace(batch, mask=mask)
    if settings.selection == "clip_cov":
        weights = weights * ~select_clip_cov(settings, within, advantage, _draw(state))
    elif settings.selection == "kl_cov":
        penalized = select_kl_cov(settings, within, advantage)
    returns = None
    if settings.value_coef:
        batch.need("values_old", "a critic's loss")
        known = mask * ~torch.isnan(batch.rewards)[:, None]
        returns = discounted_returns(token_rewards(settings, batch), known, settings.gamma)
    return Plan(
        settings=settings,
        advantages=advantage,
        token_weights=weights,
        mask=mask,
        counted=counted,
        penalized=penalized,
        returns=returns,
        metrics=seen | _seen(batch, advantage, weights, mask),
    )


def loss(plan: Plan, rows: RolloutBatch, totals: Totals) -> Loss:
    """The part of the step's loss that these rows have; ``plan`` is that of the same rows.

    Raises
    ------
    InputError
        The rows lack what a regularizer needs.
    """
    settings = plan.settings

    def part(values: Tensor) -> Tensor:
        return aggregate(settings, values, plan.mask, totals)

    rows = dataclasses.replace(rows, mask=plan.mask).cleaned()
    policy = surrogate(settings, rows, plan.advantages) * plan.token_weights
    if plan.penalized is not None:
        policy = policy + settings.cov_coef * difference(rows).abs() * plan.penalized
    whole = part(policy)
    metrics = {"policy_loss": whole}
    if settings.kl_coef:
        kl = kl_estimate(settings.kl, rows.logp_new, rows.need("logp_ref", "a divergence"))
        if settings.kl_ratio:
            kl = kl * torch.exp(difference(rows))
        metrics["kl"] = part(kl)
        whole = whole + settings.kl_coef * metrics["kl"]
    if settings.drift_coef:
        metrics["drift"] = part(drift(rows.logp_new, rows.logp_old))
        whole = whole + settings.drift_coef * metrics["drift"]
    if settings.entropy_coef:
        metrics["entropy_bonus"] = part(rows.need("nucleus_entropy", "an entropy bonus"))
        whole = whole - settings.entropy_coef * metrics["entropy_bonus"]
    if settings.value_coef:
        assert plan.returns is not None
        values, before = rows.need("values_new", "a critic"), rows.need("values_old", "a critic")
        errors = value_loss(values, before, plan.returns, settings.value_clip)
        # A reward that says nothing of its row is no return of 0.
        metrics["value_loss"] = part(errors * ~torch.isnan(rows.rewards)[:, None])
        whole = whole + settings.value_coef * metrics["value_loss"]
    found = {name: float(value.detach()) for name, value in metrics.items()}
    with torch.no_grad():
        passed = _passed(plan, rows, totals)
    return Loss(whole, {**found, "loss": float(whole.detach()), **passed})


def needs_old(settings: Settings) -> bool:
    """Whether ``prepare`` reads ``logp_old``, ``logp_new`` or ``entropy``.

    Where it does not, and each rollout is learned from once, they may be had from the pass that
    has the gradient (``reweighed``), and no other is needed.
    """
    return bool(
        settings.reward_kl_coef
        or settings.selection != "none"
        or settings.off_policy_delta is not None
        or needs_entropy(settings)
    )


def needs_entropy(settings: Settings) -> bool:
    """Whether ``prepare`` reads ``entropy``."""
    return settings.advantage == "canon" and settings.canon_metric == "entropy"


def reweighed(plan: Plan, rows: RolloutBatch) -> Plan:
    """The plan of these rows, whose ``logp_old`` was not known when it was made."""
    with torch.no_grad():
        return dataclasses.replace(plan, token_weights=correction(plan.settings, rows.cleaned()))


def compute(
    name: str | Settings, batch: RolloutBatch, state: State | None = None, **overrides: Any
) -> ObjectiveOutput:
    """``prepare`` and ``loss`` of a whole batch in one call.

    Raises
    ------
    InputError
        As they do.
    """
    plan = prepare(name, batch, state, **overrides)
    found = loss(plan, batch, plan.totals)
    metrics = {**plan.metrics, **found.metrics}
    return ObjectiveOutput(found.loss, plan.advantages, plan.token_weights, metrics)


def _seen(
    batch: RolloutBatch, advantage: Tensor, weights: Tensor, mask: Tensor
) -> dict[str, float]:
    """Of the whole batch: rewards, groups that teach nothing, how far the engine is off."""
    known = ~torch.isnan(batch.rewards)
    names, first = torch.unique(batch.group, return_inverse=True)
    alike = all_equal(batch.rewards, batch.group, known)
    per_group = torch.zeros(len(names), device=alike.device).index_put((first,), alike.float())
    found = {
        "reward": float(batch.rewards[known].mean()) if bool(known.any()) else 0.0,
        "length": float(batch.lengths.mean()),
        "zero_variance_groups": float(per_group.mean()),
        "advantage_absolute": float(masked_mean(advantage.abs(), mask)),
        "weight": float(masked_mean(weights, mask)),
    }
    if batch.entropy is not None:
        found["entropy_old"] = float(masked_mean(batch.entropy, mask))
    return found | mismatch_seen(batch)


def mismatch_seen(batch: RolloutBatch) -> dict[str, float]:
    """How far the engine's log-probabilities are from the trainer's; nothing without them.

    The mean of k3, the largest difference, the effective share of the tokens (Kish, of the
    weights between the two), and the share whose weight is above 2.
    """
    if batch.logp_rollout is None:
        return {}
    logs = mismatch(batch)
    held = logs.clamp(-20.0, 20.0)
    rho = torch.exp(held) * batch.mask
    size = rho.sum() ** 2 / (rho**2).sum().clamp(min=1e-30)
    return {
        # Not rho - logs - 1, which rounds to less than nothing.
        "mismatch_k3": float(masked_mean(torch.expm1(held) - held, batch.mask)),
        "mismatch_largest": float(logs.abs().max()),
        "mismatch_effective": float(size / batch.mask.sum().clamp(min=1)),
        "mismatch_over_2": float(masked_mean((rho > 2).to(rho.dtype), batch.mask)),
    }


def _passed(plan: Plan, rows: RolloutBatch, totals: Totals) -> dict[str, float]:
    """Shares of the step's tokens."""
    count = max(totals.tokens, 1)
    shares = clip_shares(plan.settings, rows, plan.advantages)
    found = {name: float(value) / count for name, value in shares.items()}
    # How far the policy has gone from the one that sampled, whatever the objective makes of it.
    gone = drift(rows.logp_new, rows.logp_old)
    found["kl_old"] = float(masked_sum(gone, rows.mask).sum()) / count
    return found


def _draw(state: State) -> int:
    key = f"{state.seed}:{state.step}".encode("ascii")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) >> 1


