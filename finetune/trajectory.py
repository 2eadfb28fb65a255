"""One reply as the trainer keeps it: token ids, from sampling to loss, never tokenized again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A prompt and what was said to it.

    ``logprobs`` are those of the engine that sampled the ``reply`` (empty: none are known).
    """

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    logprobs: tuple[float, ...] = ()
