"""Weights of tokens: the engine's difference from the trainer, masks, selections.

Conventions
-----------
* A weight multiplies the policy's loss at a token, never a regularizer; ``[B, T]``, no gradient.
* ``rho = exp(logp_old - logp_rollout)``: the trainer's probability over the engine's. Where the
  engine gave none, or NaN, it is 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from finetune.objectives.batch import RolloutBatch, masked_mean, masked_sum
from finetune.objectives.ratios import difference
from finetune.objectives.settings import Settings


def mismatch(batch: RolloutBatch) -> Tensor:
    """``logp_old - logp_rollout`` by token, ``[B, T]``; 0 where nothing is known."""
    if batch.logp_rollout is None:
        return torch.zeros_like(batch.logp_old)
    raw = batch.logp_old - batch.logp_rollout
    return torch.where((batch.mask > 0) & ~torch.isnan(raw), raw, torch.zeros_like(raw))


def correction(settings: Settings, batch: RolloutBatch) -> Tensor:
    """The importance weight between engine and trainer, ``[B, T]``.

    ``truncate``: held to ``correction_high`` (TIS). ``mask``: 0 outside ``correction_low ..
    correction_high`` (with both bounds IcePop). The same by ``sequence``, of the product of a row
    (TRL: ``sequence_mask`` at 3), or ``geometric``, of its mean.
    """
    if settings.correction == "none":
        return torch.ones_like(batch.logp_old)
    logs = mismatch(batch)
    if settings.correction.startswith("sequence"):
        logs = masked_sum(logs, batch.mask)[:, None].expand_as(logs)
    elif settings.correction.startswith("geometric"):
        mean = masked_sum(logs, batch.mask) / batch.lengths.clamp(min=1)
        logs = mean[:, None].expand_as(logs)
    rho = torch.exp(logs.clamp(-20.0, 20.0))
    if settings.correction.endswith("truncate"):
        return rho.clamp(max=settings.correction_high)
    inside = (rho >= settings.correction_low) & (rho <= settings.correction_high)
    return torch.where(inside, rho, torch.zeros_like(rho))


def on_policy_rows(settings: Settings, batch: RolloutBatch, advantages: Tensor) -> Tensor:
    """1 for the rows that are kept, ``[B, 1]``.

    A row is dropped if its advantage is negative and the policy has left it: the mean of
    ``logp_old - logp_new`` is above ``off_policy_delta`` (DeepSeek-V3.2, arXiv:2512.02556).
    """
    if settings.off_policy_delta is None:
        return torch.ones_like(batch.mask[:, :1])
    left = masked_sum(-difference(batch), batch.mask) / batch.lengths.clamp(min=1)
    blamed = masked_sum(advantages, batch.mask) < 0
    return (~(blamed & (left > settings.off_policy_delta))).to(batch.mask.dtype)[:, None]


def covariance(batch: RolloutBatch, advantages: Tensor) -> Tensor:
    """``(A - mean A)(logp - mean logp)`` by token over the batch, ``[B, T]``, 0 under the mask.

    Cui et al., arXiv:2505.22617, eq. 9.
    """
    logp = batch.logp_new.detach()
    a = advantages - masked_mean(advantages, batch.mask)
    return torch.where(batch.mask > 0, a * (logp - masked_mean(logp, batch.mask)), 0.0)


def select_clip_cov(
    settings: Settings, batch: RolloutBatch, advantages: Tensor, seed: int
) -> Tensor:
    """The tokens that Clip-Cov takes out of the loss, ``[B, T]`` of booleans.

    At random ``select_share`` of all tokens, one at least, out of those that the clip leaves and
    whose covariance lies between ``cov_low`` and ``cov_high``.
    """
    cov = covariance(batch, advantages)
    ratio = torch.exp(difference(batch))
    over, under = ratio > 1 + settings.clip_high, ratio < 1 - settings.clip_low
    stopped = torch.where(advantages > 0, over, under & (advantages < 0))
    able = (cov > settings.cov_low) & (cov < settings.cov_high) & ~stopped & (batch.mask > 0)
    places = torch.nonzero(able)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(places), generator=generator)[: _count(settings, batch)]
    chosen = torch.zeros_like(able)
    rows, columns = places[order.to(places.device)].unbind(1)
    chosen[rows, columns] = True
    return chosen


def select_kl_cov(settings: Settings, batch: RolloutBatch, advantages: Tensor) -> Tensor:
    """The ``select_share`` of tokens with the largest covariance, one at least, ``[B, T]``."""
    cov = covariance(batch, advantages)
    cov = torch.where(batch.mask > 0, cov, torch.full_like(cov, -torch.inf))
    chosen = torch.zeros(cov.numel(), dtype=torch.bool, device=cov.device)
    chosen[torch.topk(cov.flatten(), min(_count(settings, batch), cov.numel())).indices] = True
    return chosen.view_as(cov) & (batch.mask > 0)


def _count(settings: Settings, batch: RolloutBatch) -> int:
    # What a share of 2/12 makes of 12 is 2, whatever the rounding of the quotient.
    return max(1, int(settings.select_share * float(batch.mask.sum()) + 1e-9))
