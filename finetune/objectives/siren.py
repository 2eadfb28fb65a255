"""SIREN: entropy is held near its beginning, where there is a choice (arXiv:2509.25133).

Conventions
-----------
* A nucleus is the likeliest tokens at a place whose probabilities, added up in their order, stay
  below ``mass``: the token that crosses it is left out, as released; with ``boundary`` it is of the
  nucleus, as in top-p sampling. The first token always is; a nucleus of one has entropy 0.
* A place is a peak where its entropy is above the quantile of its own row. Peaks and nuclei are
  constants: gradients go through the probabilities within the nucleus alone.
* H, the policy's entropy, is the mean over rows of the mean over a row's peaks; a row without peaks
  has 0 and counts, one that is masked out does not. The penalty is ``(H - anchor)^2``, ``anchor``
  the H of the first step.
* The square of a sum is no sum of parts. So the parts' gradients are those of ``2 (H - anchor)``
  times their share of H, with the H that the whole batch had before the step: where the policy is
  still that one, the gradient is the square's, whatever the micro-batches.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from finetune.objectives.aggregation import Totals
from finetune.objectives.batch import masked_sum
from finetune.objectives.settings import Settings

AT_FIRST, THEN = 64, 512
"""Tokens that are sorted; where their mass falls short 512, and twice as many, and so on."""


@dataclass(frozen=True, slots=True)
class Nucleus:
    """Which tokens an entropy is of: the likeliest of together less than ``mass``, up to 1."""

    mass: float
    boundary: bool = False


@dataclass(frozen=True, slots=True)
class Anchored:
    """The entropy H of a batch before its step, and where it is to stay; both in nats.

    ``share`` is how many of its rows have tokens that count.
    """

    mean: float
    anchor: float
    share: float = 1.0


def nucleus_of(settings: Settings) -> Nucleus | None:
    """The nucleus that an objective reads entropies of; None where it reads none."""
    if not settings.anchor_coef:
        return None
    return Nucleus(settings.nucleus_mass, settings.nucleus_boundary)


def nucleus_entropy(
    scores: Tensor, nucleus: Nucleus, whole: Tensor | None = None, count: int = AT_FIRST
) -> Tensor:
    """The entropy, in nats, of the nucleus's tokens among themselves, ``[N]`` of ``[N, V]``.

    ``whole`` is the logarithm of the sum of exponentials of each place's scores, ``[N]``, where it
    is known. ``count`` tokens of a place are sorted, and more where they fall short of the mass.
    """
    if whole is None:
        whole = torch.logsumexp(scores.detach(), -1)
    top = torch.topk(scores, min(count, scores.shape[-1])).values
    met = torch.exp(top.detach() - whole.detach()[:, None]).cumsum(-1)
    found = _entropy(top, met, nucleus)
    if count < scores.shape[-1]:
        (short,) = torch.nonzero(met[:, -1] < nucleus.mass, as_tuple=True)
        if len(short):
            more = max(THEN, 2 * count)
            further = nucleus_entropy(scores[short], nucleus, whole[short], more)
            found = found.index_put((short,), further)
    return found


def _entropy(top: Tensor, met: Tensor, nucleus: Nucleus) -> Tensor:
    """Of places whose likeliest tokens are ``top``, in order; ``met`` is their mass so far."""
    inside = met < nucleus.mass
    if nucleus.boundary:
        inside = inside.roll(1, -1)
    inside[:, 0] = True
    total = torch.logsumexp(top.masked_fill(~inside, -torch.inf), -1, keepdim=True)
    # What is outside has no part in the sum; its exponential, were it large, none in the gradient.
    logs = torch.where(inside, top - total, torch.zeros_like(top))
    return -torch.where(inside, torch.exp(logs) * logs, torch.zeros_like(top)).sum(-1)


def peak_bounds(entropy: Tensor, mask: Tensor, quantile: float) -> Tensor:
    """The quantile of each row's entropies, linear between its values, ``[B]``.

    A row without tokens has infinity.
    """
    ordered = torch.where(mask > 0, entropy.detach(), torch.inf).sort(1).values
    at = ((mask > 0).sum(1) - 1).clamp(min=0) * quantile
    low = at.floor().long()
    below = ordered.gather(1, low[:, None])
    above = ordered.gather(1, at.ceil().long()[:, None])
    return (below + (above - below).nan_to_num() * (at - low)[:, None])[:, 0]


def peaks(entropy: Tensor, mask: Tensor, quantile: float, strict: bool = True) -> Tensor:
    """Where a row's entropy is above its quantile, ``[B, T]``.

    Without ``strict`` it is where it reaches it, which the first release had.
    """
    bound = peak_bounds(entropy, mask, quantile)[:, None]
    over = entropy.detach() > bound if strict else entropy.detach() >= bound
    return over & (mask > 0)


def peak_entropy(settings: Settings, entropy: Tensor, mask: Tensor) -> Tensor:
    """The mean entropy of each row's peaks, ``[B]``, 0 where there are none."""
    chosen = peaks(entropy, mask, settings.peak_quantile, settings.peak_strict).to(entropy.dtype)
    return masked_sum(entropy, chosen) / chosen.sum(1).clamp(min=1)


def penalty(
    settings: Settings, entropy: Tensor, mask: Tensor, anchored: Anchored, totals: Totals
) -> Tensor:
    """These rows' part of ``(H - anchor)^2``, a scalar.

    With ``anchor_square`` ``micro`` it is the square of the rows' own mean, weighed by their
    number, as released: it hangs on the micro-batches and pulls each of them to the anchor. With
    ``none`` there is no anchor: H itself is paid for, the paper's ablation.
    """
    rows = max(totals.rows * anchored.share, 1)
    count = float((mask > 0).any(1).sum())
    found = peak_entropy(settings, entropy, mask)
    share = count / rows
    if settings.anchor_square == "none":
        return -found.sum() / rows
    if settings.anchor_square == "micro":
        return (found.sum() / max(count, 1) - anchored.anchor) ** 2 * share
    part = found.sum() / rows
    off = anchored.mean - anchored.anchor
    pulled = 2 * off * part
    return pulled + (off * (part - anchored.anchor * share) - pulled).detach()
