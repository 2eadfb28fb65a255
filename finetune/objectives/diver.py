"""DIVER: a right reply earns a little more where it differs from its siblings (arXiv:2509.26209).

Conventions
-----------
* How different a reply is, ``d``, is a score of the batch, from 0 to 1: ``textual_diversity``,
  ``formula_diversity`` or ``musical_diversity``; each is held to a cap of its own, and ``mix`` adds
  the first two.
* The bonus is ``diversity_coef * share(step) * d`` where the verdict (``outcome``; without one the
  reward) is 1, and nothing elsewhere: whatever it is, a right reply stays above a wrong one.
* It comes before the advantage. A deviation that divides takes a bonus in a group of equal verdicts
  up to full size, whatever its coefficient; so it is given to groups of mixed verdicts alone,
  unless ``diversity_groups`` says otherwise.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchgen.errors import InputError
from finetune.objectives.batch import RolloutBatch
from finetune.objectives.settings import Settings

KINDS = {
    "textual": ("textual",),
    "formula": ("formula",),
    "musical": ("musical",),
    "mix": ("formula", "textual"),
}
"""The diversities that a choice adds up."""


def bonus(settings: Settings, batch: RolloutBatch, step: int) -> Tensor:
    """What each row earns beside its reward at a step (from 1), ``[B]``.

    Raises
    ------
    InputError
        The batch lacks a diversity.
    """
    verdict = batch.rewards if batch.outcome is None else batch.outcome
    right = verdict >= 1
    if settings.diversity == "none":
        return torch.zeros_like(batch.rewards)
    whole = torch.zeros_like(batch.rewards)
    for kind in KINDS[settings.diversity]:
        name = f"{kind}_diversity"
        if name not in batch.scores:
            raise InputError(f"the bonus of {settings.diversity} needs the score {name}")
        cap = getattr(settings, f"{kind}_cap")
        whole = whole + batch.scores[name].to(whole.dtype).clamp(0, cap)
    found = settings.diversity_coef * share(settings, step) * whole
    there = right & _of_groups(settings.diversity_groups, right, verdict, batch.group)
    if settings.diversity_by_accuracy:
        found = found * _accuracy(right, verdict, batch.group)
    return torch.where(there, found, torch.zeros_like(found))


def share(settings: Settings, step: int) -> float:
    """How much of the bonus there is at a step.

    ``fading``: all of it up to ``diversity_steps``' first number, then a quarter of a cosine, over
    the second's, to none. Released are ``cut``, all until that step and then none, and ``rising``,
    a cosine that is below 0 for its first half and ends where it should begin.
    """
    whole, fade = settings.diversity_steps
    match settings.diversity_schedule:
        case "constant":
            return 1.0
        case "cut":
            return float(step < whole)
        case "rising":
            behind = min(1.0, (step - whole) / fade)
            return math.cos(behind * math.pi / 2) if step < whole else 0.0
        case _:
            behind = min(1.0, max(0.0, (step - whole) / fade))
            return math.cos(behind * math.pi / 2) if behind < 1 else 0.0


def _accuracy(right: Tensor, verdict: Tensor, group: Tensor) -> Tensor:
    """The share of right replies in each row's group, ``[B]``; replies without a verdict apart."""
    _, of = torch.unique(group, return_inverse=True)
    known = (~torch.isnan(verdict)).to(verdict.dtype)

    def total(values: Tensor) -> Tensor:
        sums = torch.zeros(int(of.max()) + 1, dtype=verdict.dtype, device=verdict.device)
        return sums.index_add(0, of, values)[of]

    return total(right.to(verdict.dtype)) / total(known).clamp(min=1)


def _of_groups(which: str, right: Tensor, verdict: Tensor, group: Tensor) -> Tensor:
    """The rows whose group earns a bonus, ``[B]`` of booleans."""
    all_right = _accuracy(right, verdict, group) == 1
    match which:
        case "mixed":
            return ~all_right
        case "all_right":
            return all_right
        case _:
            return torch.ones_like(all_right)
