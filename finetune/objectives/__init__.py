"""Objectives as pure functions of tensors.

``compute("grpo", batch)`` is a loss; ``prepare`` and ``loss`` are its halves, for micro-batches.
"""

from finetune.objectives.aggregation import Totals
from finetune.objectives.batch import RolloutBatch
from finetune.objectives.metrics import mismatch_seen
from finetune.objectives.objective import (
    Loss,
    ObjectiveOutput,
    Plan,
    State,
    compute,
    loss,
    needs_entropy,
    needs_old,
    prepare,
    reweighed,
)
from finetune.objectives.presets import names, resolve
from finetune.objectives.settings import Settings

__all__ = [
    "Loss",
    "ObjectiveOutput",
    "Plan",
    "RolloutBatch",
    "Settings",
    "State",
    "Totals",
    "compute",
    "loss",
    "mismatch_seen",
    "names",
    "needs_entropy",
    "needs_old",
    "prepare",
    "resolve",
    "reweighed",
]
