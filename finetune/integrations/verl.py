"""Our objectives inside verl 0.9.1: each preset an advantage estimator and a policy loss.

verl imports what ``actor_rollout_ref.model.external_lib`` names, in its trainer and in every
worker. This module registers ``benchgen_grpo``, ``benchgen_dapo`` and so on, each to be named as
``algorithm.adv_estimator`` and as ``actor_rollout_ref.actor.policy_loss.loss_mode``; a module of
one's own that calls ``register("mine", "dapo", clip_high=0.3)`` can be named in its place.

Conventions
-----------
* The name says all: verl's ``clip_ratio*``, ``loss_agg_mode`` and what else its own losses read
  is not read here. Only the longest reply, by which ``dr_grpo`` divides, is verl's
  ``actor.loss_scale_factor``.
* What verl does itself is left to it: the weights between engine and trainer
  (``algorithm.rollout_correction``), a divergence in the loss (``actor.use_kl_loss``), an entropy
  bonus (``actor.entropy_coeff``), and a divergence in the reward (``algorithm.use_kl_in_reward``),
  which verl has taken off before it asks for advantages.
* Normalizers count verl's mini-batch over all micro-batches and ranks
  (``config.global_batch_info``). verl averages gradients over ranks, so a loss is multiplied by
  their number.
* verl names no row: of replies of one length, ``canon`` takes the order of verl's batch.
* What verl cannot express is registered all the same, and says so when it is asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from verl.trainer.ppo.core_algos import register_adv_est, register_policy_loss

from benchgen.errors import InputError
from finetune.objectives import Plan, RolloutBatch, Settings, Totals, loss, names, resolve
from finetune.objectives.advantages import advantages, discounted_returns, whiten
from finetune.objectives.canon import at_step
from finetune.objectives.vppo import needs_masked_image

PREFIX = "benchgen_"

KL_NAMES = {"k1": ("k1", "kl"), "k2": ("k2", "mse"), "k3": ("k3", "low_var_kl"), "abs": ("abs",)}
"""verl's names of a divergence, by ours."""


def register(name: str, preset: str, **overrides: Any) -> None:
    """Make an objective known to verl as ``name``, estimator and loss.

    Raises
    ------
    InputError
        There is no such preset or override, or verl cannot express it.
    ValueError
        verl has another estimator of that name.
    """
    # Where no length is given verl's configuration will, and any stands in for it here.
    settings = resolve(preset, **{"max_length": 1, **overrides})
    why = beyond_verl(settings)
    if why is not None:
        raise InputError(f"verl cannot express {preset}: {why}")
    register_adv_est(name)(_estimator(settings))
    register_policy_loss(name)(_policy_loss(settings, "max_length" in overrides))


def beyond_verl(settings: Settings) -> str | None:
    """Why verl cannot express an objective; None where it can."""
    if settings.advantage == "gae" or settings.value_coef:
        return "it tells a registered function no critic's values; its own gae and critic do"
    if settings.selection != "none":
        return "tokens are chosen over the whole batch, of which its losses see a part at a time"
    if settings.entropy_coef:
        return "its losses see no entropy; its own bonus is actor.entropy_coeff"
    if settings.anchor_coef:
        return "its losses see no entropy of a nucleus to be held where it was"
    if settings.kl_coef:
        return "its losses see no reference; its own divergence is actor.use_kl_loss"
    if settings.mask_truncated:
        return "it does not tell which replies were cut off"
    if settings.off_policy_delta is not None:
        return "rows are dropped before an update, where it tells no log-probabilities"
    if settings.replay_beta is not None:
        return "it mixes no earlier replies into a batch"
    if needs_masked_image(settings):
        return "it reads no reply twice, with its picture blackened"
    if settings.diversity != "none":
        return "it tells an estimator no texts to be told apart"
    if settings.advantage == "canon":
        if settings.canon_metric == "entropy":
            return "it tells no entropy before advantages; canon_metric=length it can"
        if settings.canon_metric != "length":
            return f"it tells nothing called {settings.canon_metric}"
        if settings.canon_schedule.endswith("cosine"):
            return "it does not tell the step, by which canon_mu follows a cosine"
    if settings.correction != "none":
        return "it weighs engine against trainer itself, by algorithm.rollout_correction"
    return None


def _estimator(settings: Settings) -> Callable[..., tuple[Tensor, Tensor]]:
    """The advantages as verl asks for them: ``[B, T]``, twice, for want of returns."""
    kl = settings.reward_kl, settings.reward_kl_coef
    # verl has taken it off.
    settings = dataclasses.replace(settings, reward_kl_coef=0.0)

    def estimate(
        token_level_rewards: Tensor,
        response_mask: Tensor,
        config: Any = None,
        index: np.ndarray[Any, Any] | None = None,
        **others: Any,
    ) -> tuple[Tensor, Tensor]:
        if kl[1]:
            _check_divergence(*kl, config)
        if index is None:
            raise InputError("an objective needs the prompt of each row, which verl calls uid")
        mask = response_mask.to(token_level_rewards.dtype)
        with torch.no_grad():
            if settings.advantage == "whitened_returns":
                raw = discounted_returns(token_level_rewards, mask, settings.gamma)
                found = whiten(raw, mask, settings.whiten_unbiased)
            else:
                group = torch.from_numpy(np.unique(index, return_inverse=True)[1]).to(mask.device)
                # A row whose tokens are masked still has its reward in its group.
                rewards = token_level_rewards.sum(1)
                nothing = torch.zeros_like(mask)
                batch = RolloutBatch(nothing, nothing, mask, rewards, group)
                found = advantages(at_step(settings, rewards, 0), batch)
        return found, found

    return estimate


def _policy_loss(
    settings: Settings, has_length: bool
) -> Callable[..., tuple[Tensor, dict[str, float]]]:
    """The loss as verl asks for it: the micro-batch's part, and what is to be logged."""
    needs_length = settings.by_length and not has_length

    def policy_loss(
        old_log_prob: Tensor,
        log_prob: Tensor,
        advantages: Tensor,
        response_mask: Tensor,
        loss_agg_mode: str = "token-mean",
        config: Any = None,
        rollout_is_weights: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, float]]:
        known = config.global_batch_info
        totals = _totals(known)
        whole = settings
        if needs_length:
            if not known.get("loss_scale_factor"):
                raise InputError(
                    "the longest reply is not known: set actor.loss_scale_factor to "
                    "data.max_response_length"
                )
            whole = dataclasses.replace(settings, max_length=known["loss_scale_factor"])
        mask = response_mask.to(log_prob.dtype)
        nothing = mask.new_zeros(len(mask))
        rows = RolloutBatch(log_prob, old_log_prob, mask, nothing, nothing.long())
        plan = Plan(
            settings=whole,
            advantages=advantages,
            token_weights=torch.ones_like(mask)
            if rollout_is_weights is None
            else rollout_is_weights,
            mask=mask,
            counted=mask,
            penalized=None,
            returns=None,
            metrics={},
        )
        found = loss(plan, rows, totals)
        # verl takes the mean of these over micro-batches; ours are shares of the whole.
        share = totals.tokens / max(float(mask.sum()), 1)
        clipped = [found.metrics[k] for k in ("clipped_high", "clipped_low") if k in found.metrics]
        seen = {"actor/ppo_kl": found.metrics["kl_old"] * share}
        if clipped:
            seen["actor/pg_clipfrac"] = sum(clipped) * share
        return found.loss * known["dp_size"], seen

    return policy_loss


def _totals(known: Mapping[str, Any]) -> Totals:
    rows, tokens = known.get("global_batch_size"), known.get("batch_num_tokens")
    if rows is None or tokens is None:
        raise InputError("verl did not tell the rows and tokens of its mini-batch")
    return Totals(float(rows), float(tokens))


def _check_divergence(name: str, coefficient: float, config: Any) -> None:
    """Whether verl takes off the divergence that the objective asks for."""
    taken = config is not None and config.get("use_kl_in_reward", False)
    if (
        not taken
        or config.kl_penalty not in KL_NAMES[name]
        or config.kl_ctrl.type != "fixed"
        or config.kl_ctrl.kl_coef != coefficient
    ):
        raise InputError(
            "the objective takes a divergence off the reward, and verl does it: set "
            f"algorithm.use_kl_in_reward=true algorithm.kl_penalty={KL_NAMES[name][0]} "
            f"algorithm.kl_ctrl.kl_coef={coefficient:g}"
        )


def _refuse(preset: str, why: str) -> Callable[..., Any]:
    def refused(*given: Any, **named: Any) -> Any:
        raise InputError(f"verl cannot express {preset}: {why}")

    return refused


def _register_presets() -> None:
    for preset in names():
        why = beyond_verl(resolve(preset, max_length=1))
        if why is None:
            register(PREFIX + preset, preset)
        else:
            register_adv_est(PREFIX + preset)(_refuse(preset, why))
            register_policy_loss(PREFIX + preset)(_refuse(preset, why))


_register_presets()
