"""From a loss by token to one number, whatever the micro-batches and ranks.

Conventions
-----------
* A normalizer counts the rows and tokens of the whole optimizer step, over all micro-batches
  and all ranks: ``Totals``. What ``aggregate`` gives of the parts adds up to the whole.
* A rank whose framework averages gradients multiplies its part by the number of ranks.
* A row without tokens adds nothing and counts as a row (TRL; verl where it is told the batch).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from finetune.objectives.batch import masked_sum
from finetune.objectives.settings import Settings


@dataclass(frozen=True, slots=True)
class Totals:
    """Rows and tokens of an optimizer step."""

    rows: float
    tokens: float

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.rows + other.rows, self.tokens + other.tokens)


def aggregate(settings: Settings, loss: Tensor, mask: Tensor, totals: Totals) -> Tensor:
    """These rows' part of the step's loss, a scalar; ``loss`` and ``mask`` are ``[B, T]``.

    ``token_mean``: DAPO (arXiv:2503.14476, eq. 8). ``seq_mean_token_mean``: GRPO
    (arXiv:2402.03300, eq. 3). ``seq_mean_token_sum_norm``: Dr. GRPO (arXiv:2503.20783),
    divided by ``max_length``; ``token_sum_norm`` is that without the rows (ExGRPO as released).
    ``seq_mean_token_sum`` and ``token_sum`` divide by the rows, and by
    nothing.
    """
    sums = masked_sum(loss, mask)
    match settings.aggregation:
        case "token_mean":
            return sums.sum() / max(totals.tokens, 1)
        case "seq_mean_token_mean":
            return (sums / mask.sum(1).clamp(min=1)).sum() / max(totals.rows, 1)
        case "seq_mean_token_sum":
            return sums.sum() / max(totals.rows, 1)
        case "seq_mean_token_sum_norm":
            assert settings.max_length is not None
            return sums.sum() / (max(totals.rows, 1) * settings.max_length)
        case "token_sum_norm":
            assert settings.max_length is not None
            return sums.sum() / settings.max_length
        case _:
            return sums.sum()
