"""What is minimized at a token: surrogates of the policy's gain.

Conventions
-----------
* ``log_ratio``, ``advantages`` and ``logp`` are ``[B, T]``, and so is a surrogate: a loss by token.
* A ratio is ``exp(log_ratio)``, at whichever level it is. Advantages have no gradient.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from finetune.objectives.batch import RolloutBatch, masked_sum
from finetune.objectives.exgrpo import bent
from finetune.objectives.ratios import difference, log_ratio
from finetune.objectives.settings import Settings


def surrogate(settings: Settings, batch: RolloutBatch, advantages: Tensor) -> Tensor:
    """The loss at every token, ``[B, T]``; under the mask it means nothing.

    Rows that are replayed have one of their own (``exgrpo.py``).
    """
    usual = _usual(settings, batch, advantages)
    if settings.replay_beta is None or batch.off_policy is None:
        return usual
    other = bent(difference(batch), advantages, settings.replay_beta)
    return torch.where(batch.off_policy[:, None], other, usual)


def _usual(settings: Settings, batch: RolloutBatch, advantages: Tensor) -> Tensor:
    if settings.surrogate == "reinforce":
        # Williams 1992. Its gradient is that of the gain where the policy itself sampled.
        return -advantages * batch.logp_new
    match settings.surrogate:
        case "clip":
            return clipped(settings, log_ratio(settings.ratio, batch), advantages)
        case "unclipped":
            return -advantages * torch.exp(log_ratio(settings.ratio, batch))
        case "cispo":
            ratio = log_ratio(settings.ratio, batch)
            return cispo(settings, ratio, advantages, batch.logp_new)
        case "sapo":
            return sapo(settings, log_ratio(settings.ratio, batch), advantages)
        case "gmpo":
            return gmpo(settings, batch, advantages)
        case "dppo_tv":
            return dppo_tv(settings, batch, advantages)
        case "vespo":
            ratio = log_ratio(settings.ratio, batch)
            return vespo(settings, ratio, advantages, batch.logp_new)
        case "dro":
            # DRO (arXiv:2405.19107, eq. 5) by token, as in verl.
            penalty = 0.5 * settings.dro_beta * difference(batch) ** 2
            return penalty - advantages * batch.logp_new
        case _:
            return cpgd(settings, batch, advantages)


def clipped(settings: Settings, log_ratio: Tensor, advantages: Tensor) -> Tensor:
    """PPO's clip (arXiv:1707.06347, eq. 7), its bounds apart (DAPO, arXiv:2503.14476, eq. 10).

    With ``dual_clip`` c the loss is at most ``-c A`` where A is negative (Ye et al.,
    arXiv:1912.09729); TRL's ``delta`` is the same.
    """
    ratio = torch.exp(log_ratio)
    held = ratio.clamp(1 - settings.clip_low, 1 + settings.clip_high)
    loss = torch.maximum(-advantages * ratio, -advantages * held)
    if settings.dual_clip is None:
        return loss
    most = -advantages * settings.dual_clip
    return torch.where(advantages < 0, torch.minimum(loss, most), loss)


def cispo(settings: Settings, log_ratio: Tensor, advantages: Tensor, logp: Tensor) -> Tensor:
    """CISPO (MiniMax-M1, arXiv:2506.13585, eq. 4): the weight is held, no token is dropped.

    ``cispo_high`` is the most that the ratio may be, as in TRL; verl and slime hold it
    to ``1 - clip_low .. 1 + clip_high``.
    """
    weight = torch.exp(log_ratio).clamp(min=settings.cispo_low, max=settings.cispo_high)
    return -weight.detach() * advantages * logp


def sapo(settings: Settings, log_ratio: Tensor, advantages: Tensor) -> Tensor:
    """SAPO (arXiv:2511.20347): a smooth gate in the place of the clip, of slope 1 at ratio 1."""
    positive = torch.full_like(advantages, settings.sapo_tau_positive)
    tau = torch.where(advantages > 0, positive, settings.sapo_tau_negative)
    gate = 4 / tau * torch.sigmoid(tau * (torch.exp(log_ratio) - 1))
    return -gate * advantages


def gmpo(settings: Settings, batch: RolloutBatch, advantages: Tensor) -> Tensor:
    """GMPO (arXiv:2507.20673): the geometric mean of ratios held on the side that pays."""
    raw, bound = difference(batch), settings.gmpo_clip
    held = torch.where(advantages > 0, raw.clamp(max=bound), raw.clamp(min=-bound))
    row = masked_sum(held, batch.mask) / batch.lengths.clamp(min=1)
    return -torch.exp(row)[:, None] * advantages


def dppo_tv(settings: Settings, batch: RolloutBatch, advantages: Tensor) -> Tensor:
    """DPPO with total variation as in verl: a token counts until its probability has moved
    by ``dppo_high`` (or ``dppo_low``) in the direction that its advantage asks for.
    """
    raw = difference(batch)
    moved = (torch.exp(batch.logp_new) - torch.exp(batch.logp_new - raw)).detach()
    up, down = moved <= settings.dppo_high, moved >= -settings.dppo_low
    kept = torch.where(advantages > 0, up, down)
    weight = torch.exp(raw).clamp(max=settings.dppo_cap).detach() * kept
    return -weight * advantages * batch.logp_new


def vespo(settings: Settings, log_ratio: Tensor, advantages: Tensor, logp: Tensor) -> Tensor:
    """VESPO as in TRL: ``exp(l + k log W - l W)`` of a sequence's ratio W weighs its tokens.

    The pairs (k, l) are ``vespo_positive`` for advantages of 0 or more and ``vespo_negative``.
    """

    def chosen(place: int) -> Tensor:
        positive = torch.full_like(advantages, settings.vespo_positive[place])
        return torch.where(advantages >= 0, positive, settings.vespo_negative[place])

    k, lam = chosen(0), chosen(1)
    log_weight = lam + k * log_ratio - lam * torch.exp(log_ratio)
    return -torch.exp(log_weight).detach() * advantages * logp


def cpgd(settings: Settings, batch: RolloutBatch, advantages: Tensor) -> Tensor:
    """CPGD (arXiv:2505.12504): the log-ratio, no ratio, is held.

    At most ``log(1 + clip_high)`` where the advantage is positive, at least
    ``log(1 - clip_low)`` where it is negative.
    """
    raw = difference(batch)
    held = raw.clamp(math.log(1 - settings.clip_low), math.log(1 + settings.clip_high))
    return -torch.minimum(raw * advantages, held * advantages)


def clip_shares(settings: Settings, batch: RolloutBatch, advantages: Tensor) -> dict[str, Tensor]:
    """How many tokens the bounds stop on each side, as sums over the mask (no gradient)."""
    if settings.surrogate not in ("clip", "cpgd", "gmpo", "cispo"):
        return {}
    with torch.no_grad():
        ratio = torch.exp(log_ratio(settings.ratio, batch))
        if settings.surrogate == "cispo":
            high = ratio > settings.cispo_high
            low = ratio < (settings.cispo_low or 0.0)
        else:
            bound = settings.gmpo_clip if settings.surrogate == "gmpo" else None
            most = math.exp(bound) if bound else 1 + settings.clip_high
            least = math.exp(-bound) if bound else 1 - settings.clip_low
            high = (ratio > most) & (advantages > 0)
            low = (ratio < least) & (advantages < 0)
        found = {"clipped_high": high, "clipped_low": low}
        if settings.dual_clip is not None:
            found["clipped_dual"] = (ratio > settings.dual_clip) & (advantages < 0)
        return {name: (stopped * batch.mask).sum() for name, stopped in found.items()}
