"""What keeps a policy where it is: divergences by token, the critic's loss.

Conventions
-----------
* An estimate of KL(policy || other) from a token that the policy drew; ``[B, T]``.
* k1 is unbiased and signed: right in a reward, without effect as a loss (the mean of its
  gradient is 0). k3 is unbiased and never negative (Schulman, "Approximating KL divergence", 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor

LOG_RATIO_BOUND = 20.0
"""A larger one would overflow (verl's bound)."""


def kl_estimate(name: str, logp: Tensor, other: Tensor) -> Tensor:
    """The estimate ``k1``, ``k2``, ``k3`` or ``abs`` at every token, ``[B, T]``."""
    log_ratio = logp - other
    match name:
        case "k1":
            return log_ratio
        case "k2":
            return 0.5 * log_ratio**2
        case "k3":
            back = (-log_ratio).clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND)
            return torch.exp(back) - back - 1
        case _:
            return log_ratio.abs()


def drift(logp: Tensor, logp_old: Tensor) -> Tensor:
    """KL(old || policy) at every token that the old policy drew, by k3, ``[B, T]``.

    CPGD's policy drift (arXiv:2505.12504).
    """
    return kl_estimate("k3", logp_old, logp)


def value_loss(values: Tensor, values_old: Tensor, returns: Tensor, clip: float) -> Tensor:
    """Half the worse of the squared errors with and without the step held to ``clip``, ``[B, T]``.

    PPO's critic as in OpenAI's baselines and verl.
    """
    held = values_old + (values - values_old).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns) ** 2, (held - returns) ** 2)
