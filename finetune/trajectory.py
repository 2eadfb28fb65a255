"""One reply as the trainer keeps it: token ids, from sampling to loss, never tokenized again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A prompt and what was said to it.

    ``logprobs`` are those of the engine that sampled the ``reply`` (empty: none are known).
    ``pictures`` are what the prompt shows, encoded, in the order in which image tokens stand for
    them in it. Replies to one prompt hold the same bytes, not copies.
    """

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    logprobs: tuple[float, ...] = ()
    pictures: tuple[bytes, ...] = ()

    @property
    def shown(self) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
        """All that is replied to: the same tokens with other pictures are another prompt."""
        return self.prompt, self.pictures
