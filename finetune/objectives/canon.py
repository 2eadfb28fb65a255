"""CANON: a reply against the other half of its group, and against its own (arXiv:2509.23962).

Conventions
-----------
* The replies to a prompt that have a reward are sorted by a metric and cut in halves, ``low`` and
  ``high``; of an odd number the one in the middle is of the high half, as released. Where metrics
  are equal the row of the smaller ``row_key`` is the lower, wherever the rows lie in the batch;
  the released code takes the order of the batch.
* ``inter`` is what a reply has over the mean of the other half, ``intra`` over that of its own;
  the advantage is ``mu * inter + (1 - mu) * intra`` (eqs. 5 and 7). Nothing is divided by a
  deviation. With halves of one size, ``mu`` 0.5 is Dr. GRPO's advantage.
* ``alpha`` scales the rewards of one half between the halves, as reward and as mean (eqs. 8
  and 9): below 1 a group whose rewards are all 1 still prefers the other half.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from benchgen.errors import InputError
from finetune.objectives.batch import RolloutBatch, masked_sum
from finetune.objectives.settings import Settings


def canon(settings: Settings, batch: RolloutBatch, rewards: Tensor, known: Tensor) -> Tensor:
    """The advantages of all rows, ``[B]``; ``known`` are those that have a reward.

    Raises
    ------
    InputError
        The batch has no such metric, or it is NaN at a row that has a reward.
    """
    values = metric(settings.canon_metric, batch)
    if bool(torch.isnan(values[known]).any()):
        raise InputError(f"the metric {settings.canon_metric} of a row is NaN")
    keys = torch.arange(len(rewards)) if batch.row_key is None else batch.row_key
    pairs = list(zip(values.tolist(), keys.tolist(), strict=True))
    # Not those without a reward, whose metric may be NaN: nothing can be sorted among such.
    rows = sorted(torch.nonzero(known).flatten().tolist(), key=pairs.__getitem__)
    order = torch.tensor(rows, dtype=torch.long, device=rewards.device)
    out = torch.zeros_like(rewards)
    for name in torch.unique(batch.group):
        members = order[batch.group[order] == name]
        if len(members) == 1 and settings.canon_alone:
            out[members] = rewards[members]
        elif len(members) > 1:
            out[members] = _of_group(settings, rewards[members])
    return out


def metric(name: str, batch: RolloutBatch) -> Tensor:
    """What replies are sorted by, ``[B]``.

    ``entropy``: the mean over a reply's tokens of the old policy's; ``length``: their number; else
    the batch's score of that name.

    Raises
    ------
    InputError
        The batch has none of that name.
    """
    if name == "length":
        return batch.lengths
    if name == "entropy":
        entropy = batch.need("entropy", "halves by entropy")
        return masked_sum(entropy, batch.mask) / batch.lengths.clamp(min=1)
    if name not in batch.scores:
        known = ", ".join(["entropy", "length", *batch.scores])
        raise InputError(f"no metric {name!r} to sort replies by; there are: {known}")
    return batch.scores[name]


def at_step(settings: Settings, rewards: Tensor, step: int) -> Settings:
    """The settings whose ``canon_mu`` is the one that the schedule has at a step, from 1.

    ``reward`` is the mean of the step's rewards (first within the halves, later between them, as
    the policy improves), ``cosine`` a cosine with restarts (``cosine``, below); each may be taken
    from 1.
    """
    if settings.advantage != "canon" or settings.canon_schedule == "constant":
        return settings
    if settings.canon_schedule.endswith("reward"):
        known = rewards[~torch.isnan(rewards)]
        value = float(known.mean().clamp(0, 1)) if len(known) else 0.0
    else:
        value = cosine(step, *settings.canon_cosine)
    if settings.canon_schedule.startswith("one_minus"):
        value = 1 - value
    return dataclasses.replace(settings, canon_mu=value, canon_schedule="constant")


def cosine(
    step: int, most: float, least: float, steps: float, warmup: float, cycles: float
) -> float:
    """From near 0 up to ``most`` in ``warmup`` steps, then down to ``least`` time and again.

    A way down takes ``(steps - warmup) / cycles`` steps; they go on after the last. This is the
    released code's.
    """
    if step < warmup:
        return most * (step + 1) / warmup
    period = (steps - warmup) / cycles
    at = (step - warmup) % period
    return least + (most - least) * (1 + math.cos(math.pi * at / period)) / 2


def _of_group(settings: Settings, rewards: Tensor) -> Tensor:
    """The advantages of a group's replies, which come in the order of the metric."""
    size, half = len(rewards), len(rewards) // 2
    alpha = settings.canon_alpha
    if alpha == 1 and bool((rewards == rewards[0]).all()):
        return torch.zeros_like(rewards)
    high = torch.arange(size, device=rewards.device) >= half
    scale = torch.where(high == (settings.canon_scaled == "high"), alpha, 1.0).to(rewards.dtype)
    scaled = scale * rewards
    inter = scaled - torch.where(high, scaled[:half].mean(), scaled[half:].mean())
    intra = rewards - torch.where(high, rewards[half:].mean(), rewards[:half].mean())
    return settings.canon_mu * inter + (1 - settings.canon_mu) * intra
