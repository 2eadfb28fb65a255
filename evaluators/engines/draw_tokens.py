"""Drawing the next token of every row of a batch, each row by its own rules.

Conventions
-----------
* A row's token depends on its own scores, temperature, ``top_p`` and chance alone, never on
  the rows beside it.
* The chance, from 0 to below 1, picks the token by the cumulative distribution in the order
  of the vocabulary, after temperature and truncation.
* ``top_p`` keeps the likeliest tokens up to the one with which they reach it; temperature 0
  takes the likeliest, whatever ``top_p``.
* Log-probabilities are of the distribution drawn from; at temperature 0 of the model's own.
"""

from __future__ import annotations

from typing import Any

import torch

Tensor = Any


def draw_tokens(
    scores: Tensor, temperatures: Tensor, top_ps: Tensor, chances: Tensor
) -> tuple[Tensor, Tensor]:
    """The token of each row and its log-probability.

    ``scores`` is (rows, vocabulary) in float32; the others hold one number a row.
    """
    drawn = temperatures > 0
    scores = scores / torch.where(drawn, temperatures, 1.0)[:, None]
    cut = drawn & (top_ps < 1)
    if cut.any():
        scores[cut] = _truncate(scores[cut], top_ps[cut])
    logprobs = scores.log_softmax(dim=-1)
    tokens = scores.argmax(dim=-1)
    if drawn.any():
        tokens[drawn] = _pick(logprobs[drawn], chances[drawn])
    return tokens, logprobs.gather(1, tokens[:, None])[:, 0]


def _truncate(scores: Tensor, top_ps: Tensor) -> Tensor:
    """The scores, with those outside the nucleus at minus infinity."""
    order = scores.argsort(dim=-1, descending=True, stable=True)
    likeliest = scores.gather(1, order).double().softmax(dim=-1)
    before = likeliest.cumsum(dim=-1) - likeliest
    # The first has nothing before it, so that one is always left.
    outside = torch.empty_like(order, dtype=torch.bool)
    outside.scatter_(1, order, before >= top_ps.double()[:, None])
    return scores.masked_fill(outside, -torch.inf)


def _pick(logprobs: Tensor, chances: Tensor) -> Tensor:
    # In double precision, because the sum goes over a whole vocabulary.
    heights = logprobs.double().exp().cumsum(dim=-1)
    # A little below the top, where rounding would lead beyond the last token that may be drawn.
    at = heights[:, -1] * chances.double().clamp(max=1 - 1e-12)
    places = torch.searchsorted(heights, at[:, None], right=True)[:, 0]
    # Scores that are no numbers lead beyond the last token; their log-probability tells.
    return places.clamp(max=heights.shape[-1] - 1)
