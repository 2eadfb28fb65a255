"""One prompt, four replies, every kind of clipped token: the fixture of the golden numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch

from finetune.objectives import RolloutBatch
from tests.finetune.objectives.exact import numbers

OLD = [[-0.50, -1.00, -0.20, -1.50], [-0.80, -0.30, -2.00, 0], [-0.40, -1.20, 0, 0],
       [-0.70, -0.10, -1.80, 0]]  # fmt: skip
MOVED = [[0.10, 0.40, -0.30, 0.00], [-0.30, 0.25, 1.30, 0], [0.22, -0.05, 0, 0],
         [-0.10, 0.05, -0.20, 0]]  # fmt: skip
REFERENCE = [[-0.60, -0.90, -0.35, -1.45], [-0.75, -0.10, -1.60, 0], [-0.55, -1.00, 0, 0],
             [-0.65, -0.30, -2.20, 0]]  # fmt: skip
ROLLOUT = [[-0.55, -2.00, -0.25, -1.50], [-0.70, -0.40, -1.20, 0], [-0.40, -1.25, 0, 0],
           [-0.90, -0.10, -1.60, 0]]  # fmt: skip
VALUES = [[0.20, 0.50, 0.70, 0.40], [0.30, 0.10, 0.20, 0], [0.60, 0.50, 0, 0], [0.10, 0.0, 0.3, 0]]
LENGTHS = [4, 3, 2, 3]
REWARDS = [1.0, 0.0, 0.5, 0.0]

MakeBatch = Callable[..., RolloutBatch]


@pytest.fixture
def make_batch() -> MakeBatch:
    """The fixture; ``moved`` times as far from the old policy; any field may be replaced."""

    def make(moved: float = 1.0, **changes: Any) -> RolloutBatch:
        old = numbers(OLD)
        batch = RolloutBatch(
            logp_new=(old + moved * numbers(MOVED)).requires_grad_(),
            logp_old=old,
            mask=(torch.arange(4) < torch.tensor(LENGTHS)[:, None]).double(),
            rewards=numbers(REWARDS),
            group=torch.zeros(4, dtype=torch.long),
            logp_ref=numbers(REFERENCE),
            logp_rollout=numbers(ROLLOUT),
            values_old=numbers(VALUES),
            values_new=(numbers(VALUES) + 0.3).requires_grad_(),
            truncated=torch.tensor([True, False, False, False]),
            row_key=torch.arange(4),
        )
        return dataclasses.replace(batch, **changes)

    return make
