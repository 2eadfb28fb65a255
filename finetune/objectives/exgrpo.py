"""ExGRPO: earlier right replies are learned from again, their ratio bent (arXiv:2510.02245).

Conventions
-----------
* In a row that is ``off_policy`` the ratio w is the policy's to that which sampled it, however long
  ago (``logp_behavior``), and ``f(w) = w / (w + beta)`` stands in its place: bounded by 1, steepest
  in ``log w`` where the policy has come down to ``beta`` of what it was. Nothing is clipped.
* Other rows have the surrogate that they have anyway. Once earlier replies have joined
  (``State.mixed``) a clip is left out of theirs, too, as released; ``replay_clipped`` keeps it.
* Which replies those are is no matter of tensors: ``finetune.replay`` says.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from finetune.objectives.settings import Settings


def bent(log_ratio: Tensor, advantages: Tensor, beta: float) -> Tensor:
    """The loss at every token of a replayed row, ``[B, T]``: ``-f(w) A``, differentiated through.

    Its gradient by ``logp_new`` is ``-beta w / (w + beta)^2 A``, at most a quarter of A.
    """
    ratio = torch.exp(log_ratio)
    return -advantages * ratio / (ratio + beta)


def once_mixed(settings: Settings, mixed: bool) -> Settings:
    """The settings as they are when earlier replies have joined."""
    replays = settings.replay_beta is not None
    if replays and mixed and settings.surrogate == "clip" and not settings.replay_clipped:
        return dataclasses.replace(settings, surrogate="unclipped", dual_clip=None)
    return settings
