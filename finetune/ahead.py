"""The last micro-batch of a step, read with its gradient before the step is prepared.

Some objectives have to know what the policy says of all rows before any of them is learned from:
a forward pass more. The last of its micro-batches need not be read twice: its activations are kept
until the step is prepared, and no more of them than a micro-batch has. A step that fits into
one micro-batch is so read once.

Conventions
-----------
* Rows are numbers in the step's batch. Only where a step is one update of one process: otherwise
  the policy has moved, or other ranks wait for this one's passes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from finetune.course import Course
from finetune.log_probabilities import TokenScores
from finetune.objectives.siren import Nucleus
from finetune.packing import micro_batches
from finetune.passes import SCORES, all_scores
from finetune.policy import Policy
from finetune.ranks import Ranks
from finetune.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Ahead:
    """``scores`` of the rows ``[R]``, with their gradient."""

    rows: Tensor
    scores: TokenScores


def read_ahead(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    temperature: float,
    course: Course,
    *,
    entropy_gradient: bool = False,
    nucleus: Nucleus | None = None,
) -> tuple[TokenScores, Ahead]:
    """What the policy says of all rows, without gradient, and of the last micro-batch with it."""
    device = policy.model.device
    *others, last = micro_batches(
        trajectories, shared=policy.shared, most_tokens=course.micro_tokens
    )
    rest = sorted(row for part in others for row in part)
    shape = len(trajectories), max(len(one.reply) for one in trajectories)
    names = [name for name in SCORES if nucleus is not None or name != "nucleus_entropy"]
    whole = {name: torch.zeros(shape, dtype=policy.precision, device=device) for name in names}
    if rest:
        found = all_scores(
            policy, [trajectories[row] for row in rest], temperature, course, Ranks(), device,
            nucleus,
        )  # fmt: skip
        _put(whole, rest, found)
    kept = policy.scores(
        [trajectories[row] for row in last], temperature, entropy_gradient, nucleus
    )
    _put(whole, last, kept)
    return TokenScores(**whole), Ahead(torch.tensor(last, device=device), kept)


def _put(whole: dict[str, Tensor], rows: Sequence[int], scores: TokenScores) -> None:
    for name, matrix in whole.items():
        values = getattr(scores, name).detach()
        matrix[rows, : values.shape[1]] = values.to(matrix.dtype)


def among(ahead: Ahead, busy: Tensor) -> Iterator[tuple[Tensor, TokenScores]]:
    """Those of the rows that are among ``busy``, if any, with their scores."""
    there = torch.isin(ahead.rows, busy)
    if bool(there.any()):
        # As wide as they are when they are read by themselves.
        width = int(ahead.scores.mask[there].sum(1).max())
        parts = {
            name: None if values is None else values[there, :width]
            for name, values in ((name, getattr(ahead.scores, name)) for name in SCORES)
        }
        yield ahead.rows[there], dataclasses.replace(ahead.scores, **parts)
