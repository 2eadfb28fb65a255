"""What an objective is computed from: a batch of rollouts as tensors.

Conventions
-----------
* ``B`` rows are replies, ``T`` columns are their tokens; ``mask`` is 1 where the policy
  chose the token, 0 for padding and for what it was given (a tool's output, say).
* Log-probabilities are natural logarithms, of the distribution that was sampled from (the
  temperature is in the logits). What stands under a masked token is never read.
* Only ``logp_new``, ``values_new`` and ``nucleus_entropy`` carry gradients.
* A reward that is NaN says nothing of its row: it is left out of every statistic and
  its advantage is 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from benchgen.errors import InputError

MATRICES = (
    "logp_new",
    "logp_old",
    "mask",
    "logp_ref",
    "logp_rollout",
    "logp_behavior",
    "logp_masked_image",
    "kl_masked_image",
    "entropy",
    "nucleus_entropy",
    "values_old",
    "values_new",
)
VECTORS = ("rewards", "group", "outcome", "off_policy", "truncated", "row_key")


@dataclass(frozen=True, slots=True)
class RolloutBatch:
    """Replies to be learned from.

    Matrices ``[B, T]``: ``logp_new`` (current policy), ``logp_old`` (the policy when it
    sampled, by the trainer), ``mask``; optional ``logp_ref`` (reference policy), ``logp_rollout``
    (the same as ``logp_old`` by the engine that sampled), ``logp_behavior`` (the denominator of the
    ratio in rows that are ``off_policy``), ``logp_masked_image`` (the old policy's where part of
    the picture is black, NaN in rows without one), ``kl_masked_image`` (its divergence from that
    over the whole vocabulary, likewise), ``entropy`` (old policy, whole vocabulary),
    ``nucleus_entropy`` (current policy), ``values_old``, ``values_new`` (critic).
    Vectors ``[B]``: ``rewards``; ``group`` (integers: one number a prompt); optional ``outcome``
    (the raw verdict), ``off_policy`` and ``truncated`` (booleans), ``row_key`` (integers that name
    rows wherever they lie). ``scores`` holds ``[B]``
    vectors by name (lengths, diversities).

    Raises
    ------
    InputError
        A tensor has another shape than the others.
    """

    logp_new: Tensor
    logp_old: Tensor
    mask: Tensor
    rewards: Tensor
    group: Tensor
    logp_ref: Tensor | None = None
    logp_rollout: Tensor | None = None
    logp_behavior: Tensor | None = None
    logp_masked_image: Tensor | None = None
    kl_masked_image: Tensor | None = None
    entropy: Tensor | None = None
    nucleus_entropy: Tensor | None = None
    values_old: Tensor | None = None
    values_new: Tensor | None = None
    outcome: Tensor | None = None
    off_policy: Tensor | None = None
    truncated: Tensor | None = None
    row_key: Tensor | None = None
    scores: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = tuple(self.mask.shape)
        if len(shape) != 2:
            raise InputError(f"a mask has the shape [rows, tokens], not {list(shape)}")
        for name in (*MATRICES, *VECTORS):
            tensor = getattr(self, name)
            wanted = shape if name in MATRICES else shape[:1]
            if tensor is not None and tuple(tensor.shape) != wanted:
                raise InputError(f"{name} has the shape {list(tensor.shape)}, not {list(wanted)}")

    @property
    def lengths(self) -> Tensor:
        """Tokens of each row that count, ``[B]``."""
        return self.mask.sum(1)

    def rows(self, index: Tensor, width: int | None = None) -> RolloutBatch:
        """Some of the rows (``index``: integers), cut to the first ``width`` columns."""
        picked = {}
        for name in (*MATRICES, *VECTORS):
            tensor = getattr(self, name)
            if tensor is not None:
                tensor = tensor[index]
                picked[name] = tensor[:, :width] if name in MATRICES else tensor
        scores = {name: score[index] for name, score in self.scores.items()}
        return dataclasses.replace(self, **picked, scores=scores)

    def cleaned(self) -> RolloutBatch:
        """The same with 0 under the mask: what is not read has no gradient, were it NaN."""
        there = self.mask > 0
        clean = {}
        for name in MATRICES:
            tensor = getattr(self, name)
            if tensor is not None and name != "mask":
                clean[name] = torch.where(there, tensor, torch.zeros_like(tensor))
        return dataclasses.replace(self, **clean)

    def need(self, name: str, whose: str) -> Tensor:
        """An optional tensor that ``whose`` cannot do without.

        Raises
        ------
        InputError
            The batch lacks it.
        """
        tensor: Tensor | None = getattr(self, name)
        if tensor is None:
            raise InputError(f"{whose} needs {name}, which the batch lacks")
        return tensor


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """The sum of each row where the mask is set, ``[B]``."""
    return (values * mask).sum(1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over all that the mask leaves, a scalar; 0 of nothing."""
    return masked_sum(values, mask).sum() / mask.sum().clamp(min=1)
