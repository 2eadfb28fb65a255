"""What a model says of the tokens of replies, without ever holding all its scores.

Conventions
-----------
* Scores over the vocabulary are made for the places where a reply's token is predicted, some
  at a time, and again in the backward pass: memory does not grow with vocabulary times length.
* They are divided by the temperature of sampling, and are in single precision or better.
* Matrices are ``[B, T]``: one row a trajectory, as wide as the longest reply, 0 behind a reply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from finetune.packing import Packed, pack
from finetune.trajectory import Trajectory

CHUNK = 512
"""Places whose scores are made at once."""

Head = Callable[[Tensor], Tensor]
"""Hidden states ``[N, H]`` to scores ``[N, V]``."""


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Of each reply's tokens: log-probability and entropy over the whole vocabulary, ``[B, T]``."""

    logp: Tensor
    entropy: Tensor
    mask: Tensor


def token_scores(
    model: Any, trajectories: Sequence[Trajectory], *, temperature: float, shared: bool
) -> TokenScores:
    """One forward pass over the trajectories; differentiable where gradients are on.

    ``model`` is a causal language model of Transformers whose scores are its head's
    (``bare_head``). Entropies carry no gradient.
    """
    packed = pack(trajectories, shared=shared).to(model.device)
    hidden = _hidden(model, packed)[packed.row, packed.place]
    logp, entropy = scores_at(model.get_output_embeddings(), hidden, packed.target, temperature)
    shape = len(trajectories), max(len(t.reply) for t in trajectories)
    places = (packed.trajectory, packed.at)

    def matrix(values: Tensor) -> Tensor:
        return torch.zeros(shape, dtype=values.dtype, device=values.device).index_put(
            places, values
        )

    return TokenScores(matrix(logp), matrix(entropy), matrix(torch.ones_like(entropy)))


def scores_at(
    head: Head, hidden: Tensor, target: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target and entropy at its place, both ``[N]``."""

    def some(hidden: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        raw = head(hidden)
        scores = (raw if raw.dtype == torch.float64 else raw.float()) / temperature
        whole = torch.logsumexp(scores, -1)
        logp = scores.gather(-1, target[:, None])[:, 0] - whole
        with torch.no_grad():
            probability = torch.exp(scores - whole[:, None])
            entropy = whole - (probability * scores).sum(-1)
        return logp, entropy

    parts = []
    for start in range(0, len(target), CHUNK):
        chunk = hidden[start : start + CHUNK], target[start : start + CHUNK]
        if torch.is_grad_enabled():
            parts.append(checkpoint(some, *chunk, use_reentrant=False))
        else:
            parts.append(some(*chunk))
    logp, entropy = zip(*parts, strict=True)
    return torch.cat(logp), torch.cat(entropy)


def bare_head(model: Any) -> bool:
    """Whether the model's scores are its head's on its last hidden states and nothing besides.

    Some models scale or bend them after it (Gemma 2, Granite, Cohere).
    """
    token_ids = torch.arange(2, device=model.device)[None]
    with torch.no_grad():
        whole = model(input_ids=token_ids).logits
        hidden = model.get_decoder()(input_ids=token_ids).last_hidden_state
        return bool(torch.allclose(model.get_output_embeddings()(hidden), whole, atol=1e-4))


def takes_shared_prompts(model: Any) -> str:
    """Why a row may not hold several replies to one prompt; empty where it may.

    It may where every layer attends by a mask alone and positions are single numbers; besides,
    it is tried.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds - {"full_attention"}:
        return f"its layers are of the kinds {', '.join(sorted(kinds))}"
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return "it attends through a sliding window"
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if "mrope_section" in rope:
        return "its positions have several parts (M-RoPE)"
    if getattr(config, "_attn_implementation", "sdpa") not in ("sdpa", "eager"):
        return f"its attention ({config._attn_implementation}) takes no mask of places"
    if "local" in getattr(config, "attention_layers", ()):
        return "some of its layers attend locally"
    return "" if _reads_shared_rows(model) else "it reads such a row otherwise than its parts"


def _reads_shared_rows(model: Any) -> bool:
    """Whether two replies in one row are read as in rows of their own, tried on a few tokens."""
    tried = [Trajectory((1, 2, 3), (4, 5, 6)), Trajectory((1, 2, 3), (6, 4))]
    try:
        with torch.no_grad():
            one, other = (
                token_scores(model, tried, temperature=1.0, shared=shared).logp
                for shared in (True, False)
            )
    except Exception:  # noqa: BLE001
        # A model that takes no such mask fails in any way: it reads no such rows.
        return False
    return bool(torch.allclose(one, other, atol=1e-3))


def _hidden(model: Any, packed: Packed) -> Tensor:
    """The last hidden states, ``[R, S, H]``."""
    mask: Tensor = packed.there.long()
    if packed.sees is not None:
        # Added to the scores of attention: a mask in the precision of the model.
        lowest = torch.finfo(model.dtype).min
        mask = torch.zeros(packed.sees.shape, dtype=model.dtype, device=model.device)
        mask = mask.masked_fill(~packed.sees, lowest)
    decoder = model.get_decoder()
    found = decoder(
        input_ids=packed.token_ids,
        attention_mask=mask,
        position_ids=packed.positions,
        use_cache=False,
    )
    hidden: Tensor = found.last_hidden_state
    return hidden
