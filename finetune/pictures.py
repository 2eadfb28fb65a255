"""Pictures as a vision-language model is shown them: what its processor makes of each.

Conventions
-----------
* A picture stands in a prompt as image tokens, as many as the model has places for it. Prompts
  come so from the engine that sampled. One that has other than its pictures need is refused,
  since the model would be shown something else than the engine was, or nothing.
* A picture is prepared once, and kept while there is room: samples of a group share it, and so
  do the passes of a step. Those that are shown once (``passing``) take none of that room.
* What was made of several pictures is laid one behind the other along the first axis, in the
  order of the rows and of their prompts, and filled up with zeros at the ends of the others:
  as processors do it. Whether a model takes it so is tried when it is loaded.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from benchgen.errors import InputError
from benchgen.problem import Message
from evaluators.engines.pictures import on_white
from finetune.trajectory import Trajectory

ROOM = 2**30
"""Bytes of prepared pictures that are kept."""
OF_TOKENS = ("input_ids", "attention_mask")
KINDS = ("token_type_ids", "mm_token_type_ids")
"""What some processors say of every token: 1 where it stands for a part of a picture."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """One picture: how many tokens stand for it, and what the model is given of it."""

    tokens: int
    tensors: Mapping[str, Tensor]
    kinds: tuple[str, ...]

    @property
    def size(self) -> int:
        return sum(t.numel() * t.element_size() for t in self.tensors.values())


class PictureReader:
    """What ``processor`` makes of pictures, for a model that takes ``image_token`` for them.

    ``room`` is how many bytes of it are kept.
    """

    def __init__(self, processor: Any, image_token: int, room: int = ROOM) -> None:
        self.processor = processor
        self.image_token = image_token
        self._room, self._held = room, 0
        self._kept: OrderedDict[bytes, _Prepared] = OrderedDict()
        self._passing: dict[bytes, _Prepared] | None = None

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Pictures that come while it lasts are let go at its end; the others stay kept."""
        before, self._passing = self._passing, {}
        try:
            yield
        finally:
            self._passing = before

    def words(self, messages: Sequence[Message], *, asks: bool) -> str:
        """The conversation as the chat template writes it, pictures by their marks."""
        turns = [{**message, "content": _parts(message["content"])} for message in messages]
        words: str = self.processor.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=asks
        )
        return words

    def token_ids(self, words: str, pictures: Sequence[bytes]) -> tuple[int, ...]:
        """The tokens of ``words`` with those that stand for the pictures, as an engine has them."""
        made = self._processed([words], [pictures])
        return tuple(int(token) for token in made["input_ids"][0])

    def check(self, trajectory: Trajectory) -> None:
        """Whether the prompt has the tokens that stand for its pictures.

        Raises
        ------
        InputError
            It has more of them or fewer.
        """
        found = trajectory.prompt.count(self.image_token)
        wanted = sum(self._prepared(picture).tokens for picture in trajectory.pictures)
        if found != wanted:
            raise InputError(
                f"a prompt has {found} image tokens where the policy's processor has {wanted} for "
                f"its {len(trajectory.pictures)} pictures: the engine shows them otherwise"
            )

    def inputs(self, pictures: Sequence[bytes], places: Tensor) -> dict[str, Tensor]:
        """What the model is given beside the tokens; ``places`` (``[R, S]``): image tokens."""
        prepared = [self._prepared(picture) for picture in pictures]
        made = {
            name: _in_a_row([one.tensors[name] for one in prepared])
            for name in prepared[0].tensors
        }
        return made | {name: places.long() for name in prepared[0].kinds}

    def trial(self) -> tuple[list[Trajectory], dict[str, Tensor]]:
        """Two short prompts, each with a picture of another shape, and the processor's own batch.

        The batch is padded on the right.
        """
        pictures = [_drawn(48, 24), _drawn(24, 40)]
        asked: Message = {"role": "user", "content": [{"type": "image"}, *_parts("What is it?")]}
        words = self.words([asked], asks=True)
        batch = self._processed(
            [words] * 2, [[picture] for picture in pictures], padding=True, padding_side="right"
        )
        prompts = (
            tuple(ids[mask.bool()].tolist())
            for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)
        )
        tried = [
            Trajectory(prompt, prompt[-1:], pictures=(picture,))
            for prompt, picture in zip(prompts, pictures, strict=True)
        ]
        return tried, batch

    def _processed(
        self, words: list[str], pictures: Sequence[Sequence[bytes]], **padding: Any
    ) -> dict[str, Tensor]:
        # The template writes the special tokens itself; they must not be added again.
        made = self.processor(
            text=words,
            images=[[on_white(picture) for picture in row] for row in pictures],
            add_special_tokens=False,
            return_tensors="pt",
            **padding,
        )
        return dict(made)

    def _prepared(self, picture: bytes) -> _Prepared:
        if picture in self._kept:
            self._kept.move_to_end(picture)
            return self._kept[picture]
        if self._passing is not None and picture in self._passing:
            return self._passing[picture]
        mark: Message = {"role": "user", "content": [{"type": "image"}, *_parts("?")]}
        made = self._processed([self.words([mark], asks=True)], [[picture]])
        places = made["input_ids"] == self.image_token
        found = _Prepared(
            tokens=int(places.sum()),
            tensors={n: t for n, t in made.items() if n not in OF_TOKENS + KINDS},
            kinds=tuple(n for n in KINDS if n in made and bool(made[n][places].any())),
        )
        if self._passing is not None:
            self._passing[picture] = found
            return found
        self._kept[picture] = found
        self._held += found.size
        while self._held > self._room and len(self._kept) > 1:
            self._held -= self._kept.popitem(last=False)[1].size
        return found


def _parts(content: Any) -> list[dict[str, Any]]:
    """The content of a message as the templates of such models take it: a list of parts."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _in_a_row(tensors: Sequence[Tensor]) -> Tensor:
    """One behind the other along the first axis; zeros where one is shorter along another."""
    longest = [max(lengths) for lengths in zip(*(t.shape[1:] for t in tensors), strict=True)]
    filled = []
    for tensor in tensors:
        whole = tensor.new_zeros((len(tensor), *longest))
        whole[tuple(slice(length) for length in tensor.shape)] = tensor
        filled.append(whole)
    return torch.cat(filled)


def _drawn(width: int, height: int) -> bytes:
    """A picture from black to white."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(buffer, "PNG")
    return buffer.getvalue()
