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

from finetune.objectives import canon, diver, exgrpo, siren, vppo
from finetune.objectives.advantages import advantages, discounted_returns, token_rewards
from finetune.objectives.aggregation import Totals, aggregate
from finetune.objectives.batch import RolloutBatch, masked_mean
from finetune.objectives.metrics import passed, seen
from finetune.objectives.presets import resolve
from finetune.objectives.ratios import difference
from finetune.objectives.regularizers import drift, kl_estimate, value_loss
from finetune.objectives.settings import Settings
from finetune.objectives.surrogates import surrogate
from finetune.objectives.token_weights import (
    correction,
    on_policy_rows,
    select_clip_cov,
    select_kl_cov,
)


@dataclass(frozen=True, slots=True)
class State:
    """What an objective carries from step to step; it belongs into checkpoints.

    ``anchor`` is SIREN's entropy at the beginning (None before the first step), ``mixed`` whether
    old replies have joined.
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
    critic's targets, ``anchored`` is what SIREN's penalty is measured from.
    """

    settings: Settings
    advantages: Tensor
    token_weights: Tensor
    mask: Tensor
    counted: Tensor
    penalized: Tensor | None
    returns: Tensor | None
    metrics: Mapping[str, float]
    anchored: siren.Anchored | None = None

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
    settings = exgrpo.once_mixed(settings, state.mixed)
    shaped, told = batch, {}
    if settings.diversity != "none":
        bonus = diver.bonus(settings, batch, state.step)
        shaped = dataclasses.replace(batch, rewards=batch.rewards + bonus)
        told["diversity_bonus"] = float(bonus.mean())
    mask, counted = batch.mask, batch.mask
    if settings.mask_truncated:
        cut = batch.need("truncated", "masking cut replies")
        mask = mask * ~cut[:, None]
        counted = counted if settings.count_truncated else mask
    advantage = advantages(settings, shaped)
    if settings.advantage == "canon":
        told["canon_mu"] = settings.canon_mu
    weights = correction(settings, batch)
    within = dataclasses.replace(batch, mask=mask)
    if vppo.needs_masked_image(settings):
        depends = vppo.dependency(settings, within)
        alpha = vppo.shaping(settings, within, depends)
        kept = vppo.kept_tokens(settings, within, depends)
        advantage, weights = alpha[:, None] * advantage, weights * kept
        told |= {
            "visual_dependency": float(masked_mean(depends, mask)),
            "visual_kept": float(masked_mean(kept.to(mask.dtype), mask)),
            "visual_shaping_most": float(alpha.max()),
        }
    weights = weights * on_policy_rows(settings, batch, advantage)
    penalized = None
    if settings.selection == "clip_cov":
        weights = weights * ~select_clip_cov(settings, within, advantage, _draw(state))
    elif settings.selection == "kl_cov":
        penalized = select_kl_cov(settings, within, advantage)
    returns = None
    if settings.value_coef:
        batch.need("values_old", "a critic's loss")
        known = mask * ~torch.isnan(batch.rewards)[:, None]
        returns = discounted_returns(token_rewards(settings, shaped), known, settings.gamma)
    anchored = None
    if settings.anchor_coef:
        anchored = _anchored(settings, within, counted, state)
        told |= {"peak_entropy": anchored.mean, "anchor": anchored.anchor}
    return Plan(
        settings=settings,
        advantages=advantage,
        token_weights=weights,
        mask=mask,
        counted=counted,
        penalized=penalized,
        returns=returns,
        metrics=told | seen(batch, advantage, weights, mask),
        anchored=anchored,
    )


def _anchored(
    settings: Settings, batch: RolloutBatch, counted: Tensor, state: State
) -> siren.Anchored:
    """The batch's entropy, which is its own anchor where there is none yet."""
    entropy = batch.need("nucleus_entropy", "an anchor")
    rows = siren.peak_entropy(settings, entropy, batch.mask)
    there = float((batch.mask > 0).any(1).sum())
    mean, share = float(rows.sum()) / max(there, 1.0), there / max(len(counted), 1)
    known = [anchor for anchor in (settings.anchor, state.anchor) if anchor is not None]
    return siren.Anchored(mean, known[0] if known else mean, share)


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
    if settings.nll_coef:
        metrics["nll"] = part(-rows.logp_new)
        whole = whole + settings.nll_coef * metrics["nll"]
    if settings.entropy_coef:
        metrics["entropy_bonus"] = part(rows.need("nucleus_entropy", "an entropy bonus"))
        whole = whole - settings.entropy_coef * metrics["entropy_bonus"]
    if plan.anchored is not None:
        entropy = rows.need("nucleus_entropy", "an anchor")
        metrics["anchor_penalty"] = siren.penalty(
            settings, entropy, plan.mask, plan.anchored, totals
        )
        whole = whole + settings.anchor_coef * metrics["anchor_penalty"]
    if settings.value_coef:
        assert plan.returns is not None
        values, before = rows.need("values_new", "a critic"), rows.need("values_old", "a critic")
        errors = value_loss(values, before, plan.returns, settings.value_clip)
        # A reward that says nothing of its row is no return of 0.
        metrics["value_loss"] = part(errors * ~torch.isnan(rows.rewards)[:, None])
        whole = whole + settings.value_coef * metrics["value_loss"]
    found = {name: float(value.detach()) for name, value in metrics.items()}
    with torch.no_grad():
        shares = passed(settings, rows, plan.advantages, totals)
    return Loss(whole, {**found, "loss": float(whole.detach()), **shares})


def needs_old(settings: Settings) -> bool:
    """Whether ``prepare`` reads ``logp_old``, ``logp_new`` or entropies.

    Where it does not, and each rollout is learned from once, they may be had from the pass that
    has the gradient (``reweighed``), and no other is needed.
    """
    return bool(
        settings.reward_kl_coef
        or settings.selection != "none"
        or settings.off_policy_delta is not None
        or settings.anchor_coef
        or vppo.needs_masked_image(settings)
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


def _draw(state: State) -> int:
    key = f"{state.seed}:{state.step}".encode("ascii")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) >> 1


