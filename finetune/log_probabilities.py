"""What a model says of the tokens of replies, without ever holding all its scores.

Conventions
-----------
* Scores over the vocabulary are made for the places where a reply's token is predicted, some
  at a time, and again in the backward pass: memory does not grow with vocabulary times length.
* They are divided by the temperature of sampling, and are in single precision or better.
* Matrices are ``[B, T]``: one row a trajectory, as wide as the longest reply, 0 behind a reply.
* Rows that show pictures go through the whole model but its head. An image token in a reply is
  a word like any other: it was one to the engine, which had no more pictures to show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from benchgen.errors import InputError
from finetune.objectives.siren import Nucleus, nucleus_entropy
from finetune.packing import Packed, pack
from finetune.pictures import PictureReader
from finetune.trajectory import Trajectory

CHUNK = 512
"""Places whose scores are made at once."""

Head = Callable[[Tensor], Tensor]
"""Hidden states ``[N, H]`` to scores ``[N, V]``."""


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Of each reply's tokens: log-probability and entropy over the whole vocabulary, ``[B, T]``.

    ``nucleus_entropy`` is that of a nucleus, where one was asked for.
    """

    logp: Tensor
    entropy: Tensor
    mask: Tensor
    nucleus_entropy: Tensor | None = None


class Rows(Protocol):
    """How trajectories are laid out and shown."""

    @property
    def shared(self) -> bool:
        """Whether replies to one prompt may share a row."""

    @property
    def reader(self) -> PictureReader | None:
        """What makes tensors of pictures; None where the model takes none."""


def token_scores(
    model: Any,
    trajectories: Sequence[Trajectory],
    *,
    temperature: float,
    shared: bool,
    reader: PictureReader | None = None,
    entropy_gradient: bool = False,
    nucleus: Nucleus | None = None,
) -> TokenScores:
    """One forward pass over the trajectories; differentiable where gradients are on.

    ``model`` is a causal language model of Transformers, or one that takes pictures besides,
    whose scores are its head's (``bare_head``). Entropies over the whole vocabulary carry a
    gradient only if asked to.

    Raises
    ------
    InputError
        A prompt has other image tokens than its pictures need.
    """
    packed, states = _states(model, trajectories, shared, reader)
    logp, entropy, *more = scores_at(
        model.get_output_embeddings(), states, packed.target, temperature, entropy_gradient, nucleus
    )
    found = (logp, entropy, torch.ones_like(entropy), *more)
    return TokenScores(*(spread(packed, trajectories, values) for values in found))


def token_divergence(
    model: Any,
    trajectories: Sequence[Trajectory],
    others: Sequence[Trajectory],
    *,
    temperature: float,
    reader: PictureReader | None = None,
) -> Tensor:
    """KL over the vocabulary of what is said next, from the same after other pictures, ``[B, T]``.

    ``others`` are the trajectories with other pictures. Without gradient.

    Raises
    ------
    InputError
        A prompt has other image tokens than its pictures need.
    """
    with torch.no_grad():
        packed, states = _states(model, trajectories, False, reader)
        _, beside = _states(model, others, False, reader)
        head = model.get_output_embeddings()
        parts = []
        for start in range(0, len(states), CHUNK):
            chunk = slice(start, start + CHUNK)
            one, other = (
                torch.log_softmax(_precise(head(hidden[chunk])) / temperature, -1)
                for hidden in (states, beside)
            )
            parts.append((one.exp() * (one - other)).sum(-1))
        return spread(packed, trajectories, torch.cat(parts))


def reply_states(
    model: Any, trajectories: Sequence[Trajectory], rows: Rows
) -> tuple[Packed, Tensor]:
    """The layout, and the last hidden states where the replies' tokens are predicted, ``[N, H]``.

    Raises
    ------
    InputError
        A prompt has other image tokens than its pictures need.
    """
    return _states(model, trajectories, rows.shared, rows.reader)


def spread(packed: Packed, trajectories: Sequence[Trajectory], values: Tensor) -> Tensor:
    """Values of the replies' tokens, ``[N]``, as a matrix ``[B, T]``."""
    shape = len(trajectories), max(len(t.reply) for t in trajectories)
    zeros = torch.zeros(shape, dtype=values.dtype, device=values.device)
    return zeros.index_put((packed.trajectory, packed.at), values)


def scores_at(
    head: Head,
    hidden: Tensor,
    target: Tensor,
    temperature: float,
    entropy_gradient: bool = False,
    nucleus: Nucleus | None = None,
) -> tuple[Tensor, ...]:
    """Log-probability of each target and entropy at its place, and a nucleus's, each ``[N]``."""

    def some(hidden: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        scores = _precise(head(hidden)) / temperature
        whole = torch.logsumexp(scores, -1)
        logp = scores.gather(-1, target[:, None])[:, 0] - whole
        with torch.set_grad_enabled(torch.is_grad_enabled() and entropy_gradient):
            probability = torch.exp(scores - whole[:, None])
            entropy = whole - (probability * scores).sum(-1)
        if nucleus is None:
            return logp, entropy
        return logp, entropy, nucleus_entropy(scores, nucleus, whole)

    parts = []
    for start in range(0, len(target), CHUNK):
        chunk = hidden[start : start + CHUNK], target[start : start + CHUNK]
        if torch.is_grad_enabled():
            parts.append(checkpoint(some, *chunk, use_reentrant=False))
        else:
            parts.append(some(*chunk))
    return tuple(torch.cat(columns) for columns in zip(*parts, strict=True))


def _precise(scores: Tensor) -> Tensor:
    """In single precision or better."""
    return scores if scores.dtype == torch.float64 else scores.float()


def bare_head(model: Any) -> bool:
    """Whether the model's scores are its head's on its last hidden states and nothing besides.

    Some models scale or bend them after it (Gemma 2, Granite, Cohere).
    """
    token_ids = torch.arange(2, device=model.device)[None]
    with torch.no_grad():
        whole = model(input_ids=token_ids).logits
        hidden = model.get_decoder()(input_ids=token_ids).last_hidden_state
        return bool(torch.allclose(model.get_output_embeddings()(hidden), whole, atol=1e-4))


def why_not_shown(model: Any, reader: PictureReader) -> str:
    """Why pictures cannot be learned from with this model; empty where they can.

    Two are tried: they have to give the scores that the model gives to its processor's own batch.
    """
    try:
        tried, batch = reader.trial()
        if not all(reader.image_token in one.prompt for one in tried):
            return "its processor has none of the tokens that stand for them"
        placed = {name: _placed(model, tensor) for name, tensor in batch.items()}
        with torch.no_grad():
            whole = model(**placed, use_cache=False).logits
            packed, states = _states(model, tried, False, reader)
            found = model.get_output_embeddings()(states)
            expected = whole[packed.row, packed.place]
    except Exception as error:  # noqa: BLE001
        # A model and its processor may fail in any way.
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    if not torch.allclose(found, expected, atol=1e-3):
        return "it reads them otherwise than its processor lays them out"
    return ""


def takes_shared_prompts(model: Any, reader: PictureReader | None = None) -> str:
    """Why a row may not hold several replies to one prompt; empty where it may.

    It may where every layer attends by a mask alone and positions are single numbers; besides,
    it is tried, with a picture if there is a ``reader``.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds - {"full_attention"}:
        return f"its layers are of the kinds {', '.join(sorted(kinds))}"
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return "it attends through a sliding window"
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if "mrope_section" in rope or hasattr(model.base_model, "get_rope_index"):
        return "its positions have several parts (M-RoPE)"
    if getattr(config, "_attn_implementation", "sdpa") not in ("sdpa", "eager"):
        return f"its attention ({config._attn_implementation}) takes no mask of places"
    if "local" in getattr(config, "attention_layers", ()):
        return "some of its layers attend locally"
    if not _reads_shared_rows(model, reader):
        return "it reads such a row otherwise than its parts"
    return ""


def _reads_shared_rows(model: Any, reader: PictureReader | None) -> bool:
    """Whether two replies in one row are read as in rows of their own, tried on a few tokens."""
    tried = [Trajectory((1, 2, 3), (4, 5, 6)), Trajectory((1, 2, 3), (6, 4))]
    try:
        for pair in [tried] if reader is None else [tried, _with_pictures(reader)]:
            with torch.no_grad():
                one, other = (
                    token_scores(model, pair, temperature=1.0, shared=shared, reader=reader).logp
                    for shared in (True, False)
                )
            if not torch.allclose(one, other, atol=1e-3):
                return False
    except Exception:  # noqa: BLE001
        # A model that takes no such mask fails in any way: it reads no such rows.
        return False
    return True


def _with_pictures(reader: PictureReader) -> list[Trajectory]:
    """Two replies to each of two prompts with a picture."""
    tried, _ = reader.trial()
    return [replace(one, reply=reply) for one in tried for reply in ((4, 5, 6), (6, 4))]


def _states(
    model: Any, trajectories: Sequence[Trajectory], shared: bool, reader: PictureReader | None
) -> tuple[Packed, Tensor]:
    for trajectory in trajectories:
        if reader is not None:
            reader.check(trajectory)
        elif trajectory.pictures:
            raise InputError("the policy takes no pictures")
    packed = pack(trajectories, shared=shared).to(model.device)
    hidden = _hidden(model, packed, reader)
    return packed, hidden[packed.row, packed.place]


def _hidden(model: Any, packed: Packed, reader: PictureReader | None) -> Tensor:
    """The last hidden states, ``[R, S, H]``."""
    mask: Tensor = packed.there.long()
    if packed.sees is not None:
        # Added to the scores of attention: a mask in the precision of the model.
        lowest = torch.finfo(model.dtype).min
        mask = torch.zeros(packed.sees.shape, dtype=model.dtype, device=model.device)
        mask = mask.masked_fill(~packed.sees, lowest)
    given = {
        "input_ids": packed.token_ids,
        "attention_mask": mask,
        "position_ids": packed.positions,
        "use_cache": False,
    }
    if reader is None or not packed.pictures:
        hidden: Tensor = model.get_decoder()(**given).last_hidden_state
        return hidden
    if packed.sees is None:
        # Positions of several parts (M-RoPE) hang on the pictures: the model makes them.
        del given["position_ids"]
    image = packed.token_ids == reader.image_token
    shown = reader.inputs(packed.pictures, image & packed.asked)
    given |= {name: _placed(model, tensor) for name, tensor in shown.items()}
    said = image & ~packed.asked
    with ExitStack() as stack:
        if bool(said.any()):
            # The model would look for pictures there; what it embeds is what was said.
            other = 0 if reader.image_token else 1
            given["input_ids"] = packed.token_ids.masked_fill(said, other)
            put_back = _put_back(said, reader.image_token)
            embedding = model.get_input_embeddings()
            stack.enter_context(embedding.register_forward_pre_hook(put_back))
        hidden = model.base_model(**given).last_hidden_state
    return hidden


def _put_back(said: Tensor, token: int) -> Callable[[Any, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    """A hook before an embedding: ``token`` at the places ``said``."""
    return lambda module, given: (given[0].masked_fill(said, token), *given[1:])


def _placed(model: Any, tensor: Tensor) -> Tensor:
    """On the model's device; what is no whole number in its precision."""
    return tensor.to(model.device, model.dtype if tensor.is_floating_point() else tensor.dtype)
