"""What is told of a step beside its loss: no gradient, and nothing that decides.

Conventions
-----------
* Shares and means are over the tokens that the mask leaves, rewards over those that are known.
"""

from __future__ import annotations

import torch
from torch import Tensor

from finetune.objectives.advantages import all_equal
from finetune.objectives.aggregation import Totals
from finetune.objectives.batch import RolloutBatch, masked_mean, masked_sum
from finetune.objectives.regularizers import drift
from finetune.objectives.settings import Settings
from finetune.objectives.surrogates import clip_shares
from finetune.objectives.token_weights import mismatch


def seen(
    batch: RolloutBatch, advantage: Tensor, weights: Tensor, mask: Tensor
) -> dict[str, float]:
    """Of the whole batch: rewards, groups that teach nothing, how far the engine is off."""
    known = ~torch.isnan(batch.rewards)
    names, first = torch.unique(batch.group, return_inverse=True)
    alike = all_equal(batch.rewards, batch.group, known)
    per_group = torch.zeros(len(names), device=alike.device).index_put((first,), alike.float())
    found = {
        "reward": float(batch.rewards[known].mean()) if bool(known.any()) else 0.0,
        "length": float(batch.lengths.mean()),
        "zero_variance_groups": float(per_group.mean()),
        "advantage_absolute": float(masked_mean(advantage.abs(), mask)),
        "weight": float(masked_mean(weights, mask)),
    }
    if batch.entropy is not None:
        found["entropy_old"] = float(masked_mean(batch.entropy, mask))
    return found | mismatch_seen(batch)


def mismatch_seen(batch: RolloutBatch) -> dict[str, float]:
    """How far the engine's log-probabilities are from the trainer's; nothing without them.

    The mean of k3, the largest difference, the effective share of the tokens (Kish, of the
    weights between the two), and the share whose weight is above 2.
    """
    if batch.logp_rollout is None:
        return {}
    logs = mismatch(batch)
    held = logs.clamp(-20.0, 20.0)
    rho = torch.exp(held) * batch.mask
    size = rho.sum() ** 2 / (rho**2).sum().clamp(min=1e-30)
    return {
        # Not rho - logs - 1, which rounds to less than nothing.
        "mismatch_k3": float(masked_mean(torch.expm1(held) - held, batch.mask)),
        "mismatch_largest": float(logs.abs().max()),
        "mismatch_effective": float(size / batch.mask.sum().clamp(min=1)),
        "mismatch_over_2": float(masked_mean((rho > 2).to(rho.dtype), batch.mask)),
    }


def passed(
    settings: Settings, rows: RolloutBatch, advantages: Tensor, totals: Totals
) -> dict[str, float]:
    """Of a part: shares of the step's tokens that a bound stops, and how far the policy went."""
    count = max(totals.tokens, 1)
    shares = clip_shares(settings, rows, advantages)
    found = {name: float(value) / count for name, value in shares.items()}
    # How far the policy has gone from the one that sampled, whatever the objective makes of it.
    gone = drift(rows.logp_new, rows.logp_old)
    found["kl_old"] = float(masked_sum(gone, rows.mask).sum()) / count
    return found
