"""VPPO: what is learned of a reply to a picture is what hangs on it (arXiv:2510.09285).

Conventions
-----------
* The dependency S of a token is how much less likely it is with the picture blackened in part:
  ``k3`` of the log-probability with the blackened picture against the old policy's, at the token
  that was sampled (the released code's), or ``kl``, the divergence over the whole vocabulary (the
  paper's eq. 3). ``[B, T]``, from 0 to 10, constant.
* The filter keeps, of each reply, the share of its tokens with the largest S: of equal ones the
  first. The rest has no part in the policy's loss; normalizers and regularizers count it.
* The shaping multiplies a reply's advantage by alpha, from ``least`` up with its mean S, so that
  alpha is 1 in the mean over the batch. One row far above N others has up to
  ``least + (1 - least) N``; ``visual_most`` holds it.
* A row without a picture, whose ``logp_masked_image`` is NaN, keeps all its tokens, has alpha 1,
  and is in no statistic. As released (``visual_blind`` ``filter``) its S is 0 like any other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from finetune.objectives.batch import RolloutBatch, masked_sum
from finetune.objectives.regularizers import LOG_RATIO_BOUND
from finetune.objectives.settings import Settings

MOST = 10.0
"""The largest dependency."""

LEAST_RANGE = 1e-6
"""Replies whose mean dependencies are closer are not told apart."""


def needs_masked_image(settings: Settings) -> bool:
    """Whether an objective reads what is said of a blackened picture."""
    return settings.visual_filter is not None or settings.visual_shaping is not None


def dependency(settings: Settings, batch: RolloutBatch) -> Tensor:
    """How much each token hangs on the picture, ``[B, T]``; 0 where there is none.

    Raises
    ------
    InputError
        The batch lacks what it is computed from.
    """
    if settings.visual_dependency == "kl":
        raw = batch.need("kl_masked_image", "a divergence from the blackened picture")
    else:
        masked = batch.need("logp_masked_image", "a dependency on pictures")
        raw = k3(masked, batch.logp_old)
    there = sees(settings, batch)[:, None] & (batch.mask > 0)
    return torch.where(there, raw.nan_to_num().clamp(0.0, MOST), torch.zeros_like(raw))


def k3(masked: Tensor, whole: Tensor) -> Tensor:
    """The dependency of tokens by their log-probabilities with the picture blackened and whole.

    Of any shape, both alike; from 0 to ``MOST``, and NaN where one is.
    """
    moved = (masked - whole).clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND)
    return (torch.expm1(moved) - moved).clamp(0.0, MOST)


def sees(settings: Settings, batch: RolloutBatch) -> Tensor:
    """The rows that were shown a picture, ``[B]`` of booleans."""
    name = "kl_masked_image" if settings.visual_dependency == "kl" else "logp_masked_image"
    return ~torch.isnan(batch.need(name, "a dependency on pictures")).any(1)


def kept_tokens(settings: Settings, batch: RolloutBatch, depends: Tensor) -> Tensor:
    """The tokens that are learned from, ``[B, T]`` of booleans; ``ceil(share * n)`` of n."""
    there = batch.mask > 0
    if settings.visual_filter is None:
        return there
    ordered = torch.where(there, depends, -torch.inf)
    places = torch.sort(ordered, dim=1, descending=True, stable=True).indices
    rank = torch.empty_like(places).scatter_(1, places, _columns(places))
    # What a share of 0.4 makes of 5 is 2, whatever the rounding of the product.
    most = torch.ceil(batch.lengths.double() * settings.visual_filter - 1e-6)
    kept = there & (rank < most[:, None])
    if settings.visual_blind == "keep":
        kept = torch.where(sees(settings, batch)[:, None], kept, there)
    return kept


def shaping(settings: Settings, batch: RolloutBatch, depends: Tensor) -> Tensor:
    """The factor of each row's advantage, alpha, ``[B]``.

    As released, the least and the largest mean are those of ``visual_device_rows`` rows at a time,
    as they lie in the batch, and alpha is 1 in the mean over ``visual_micro_rows``; there they hang
    on the number of devices. Without them both are of the whole batch.
    """
    out = torch.ones_like(batch.rewards)
    least = settings.visual_shaping
    if least is None:
        return out
    mean = masked_sum(depends, batch.mask) / batch.lengths.clamp(min=1)
    counted = (batch.lengths > 0) & ~torch.isnan(batch.rewards)
    if settings.visual_blind == "keep":
        counted = counted & sees(settings, batch)
    rows = torch.arange(len(out), device=out.device)
    for device in rows.split(int(settings.visual_device_rows or len(rows))):
        chosen = device[counted[device]]
        if len(chosen) < 2:
            continue
        low, high = mean[chosen].aminmax()
        if high - low <= LEAST_RANGE:
            continue
        for micro in device.split(int(settings.visual_micro_rows or len(device))):
            some = micro[counted[micro]]
            if len(some):
                part = ((mean[some] - low) / (high - low)).clamp(0, 1)
                most = least + (1 - least) / (part.mean() + 1e-8)
                out[some] = (least + part * (most - least)).to(out.dtype)
    return out if settings.visual_most is None else out.clamp(max=settings.visual_most)


def _columns(places: Tensor) -> Tensor:
    return torch.arange(places.shape[1], device=places.device).expand_as(places)
