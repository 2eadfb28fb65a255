"""How likely the policy finds a reply beside the one that sampled it.

Conventions
-----------
* ``difference`` is ``logp_new - logp_old`` by token, ``[B, T]``, held to +-20; in rows that are
  ``off_policy`` the denominator is ``logp_behavior``.
* Every level is given back by token, ``[B, T]``, as a logarithm: what belongs to a sequence
  stands at each of its tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from finetune.objectives.batch import RolloutBatch, masked_sum
from finetune.objectives.regularizers import LOG_RATIO_BOUND


def difference(batch: RolloutBatch) -> Tensor:
    """``logp_new`` less the log-probability at sampling, ``[B, T]``, 0 under the mask."""
    before = batch.logp_old
    if batch.off_policy is not None and bool(batch.off_policy.any()):
        behavior = batch.need("logp_behavior", "a row that is off the policy")
        before = torch.where(batch.off_policy[:, None], behavior, before)
    raw = (batch.logp_new - before) * batch.mask
    return raw.clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND)


def log_ratio(level: str, batch: RolloutBatch) -> Tensor:
    """The logarithm of the ratio at a level, ``[B, T]``.

    ``token``; ``sequence_geometric``, the mean of a row (GSPO, arXiv:2507.18071, eq. 7);
    ``sequence_product``, its sum (RLOO in TRL); ``sequence_token``, whose value is the
    former's and whose gradient goes to the token alone (GSPO-token, eq. 14).
    """
    by_token = difference(batch)
    if level == "token":
        return by_token
    row = masked_sum(by_token, batch.mask)
    if level != "sequence_product":
        row = row / batch.lengths.clamp(min=1)
    of_sequence = row[:, None].expand_as(by_token)
    if level == "sequence_token":
        return of_sequence.detach() + by_token - by_token.detach()
    return of_sequence.clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND)
