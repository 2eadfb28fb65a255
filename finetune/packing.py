"""Trajectories laid out for one forward pass, a prompt once for all replies to it.

Conventions
-----------
* A row holds a prompt and after it the replies to it, each of which sees the prompt and
  itself and stands, to the model, right behind the prompt: positions start again. What one
  reply is given does not depend on the others.
* Where a model cannot be shown such a row (``shared`` False), each reply has its own with the
  prompt before it.
* Rows are padded on the right to a common length. A padded place sees itself alone.
* A token is predicted at the place before it: a reply's first token at the prompt's last.
* Prompts that show pictures are the same if the pictures are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from finetune.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows for the model and where in them the replies' tokens are predicted.

    ``token_ids`` and ``positions`` are ``[R, S]``; ``sees`` is ``[R, 1, S, S]``, None where every
    row is one text that is padded on the right, as ``there`` (``[R, S]``) says; ``asked``
    (``[R, S]``) is where prompts stand. Of the ``N`` tokens of all replies ``row`` and ``place``
    say where they are predicted, ``target`` which they are, ``trajectory`` and ``at`` whose and
    the how-manieth, each ``[N]``. ``pictures`` are the prompts', row after row.
    """

    token_ids: Tensor
    positions: Tensor
    there: Tensor
    asked: Tensor
    sees: Tensor | None
    row: Tensor
    place: Tensor
    target: Tensor
    trajectory: Tensor
    at: Tensor
    pictures: tuple[bytes, ...] = ()

    def to(self, device: torch.device) -> Packed:
        """The same with its tensors on a device."""
        fields = ((name, getattr(self, name)) for name in self.__slots__)
        return replace(self, **{n: t.to(device) for n, t in fields if isinstance(t, Tensor)})


def pack(trajectories: Sequence[Trajectory], *, shared: bool, pad: int = 0) -> Packed:
    """Lay out trajectories; neighbours with the same prompt share a row if ``shared``.

    Raises
    ------
    ValueError
        A prompt or a reply is empty.
    """
    if not all(t.prompt and t.reply for t in trajectories):
        raise ValueError("a trajectory has a prompt and a reply")
    rows = list(_rows(trajectories, shared))
    lengths = [
        len(trajectories[row[0]].prompt) + sum(len(trajectories[i].reply) for i in row)
        for row in rows
    ]
    width = max(lengths)
    token_ids = torch.full((len(rows), width), pad)
    positions = torch.zeros(len(rows), width, dtype=torch.long)
    spans = torch.full((len(rows), width), -1)
    where: list[tuple[Tensor, ...]] = []
    for number, members in enumerate(rows):
        prompt = trajectories[members[0]].prompt
        start = len(prompt)
        token_ids[number, :start] = torch.tensor(prompt)
        positions[number, :start] = torch.arange(start)
        spans[number, :start] = 0
        for span, index in enumerate(members, 1):
            reply = torch.tensor(trajectories[index].reply)
            end = start + len(reply)
            token_ids[number, start:end] = reply
            positions[number, start:end] = len(prompt) + torch.arange(len(reply))
            spans[number, start:end] = span
            places = torch.arange(start - 1, end - 1)
            places[0] = len(prompt) - 1
            ones = torch.ones_like(places)
            where.append(
                (number * ones, places, reply, index * ones, torch.arange(len(reply)))
            )
            start = end
    row, place, target, trajectory, at = (torch.cat(parts) for parts in zip(*where, strict=True))
    alone = all(len(members) == 1 for members in rows)
    return Packed(
        token_ids=token_ids,
        positions=positions,
        there=spans >= 0,
        asked=spans == 0,
        sees=None if alone else _sees(spans),
        row=row,
        place=place,
        target=target,
        trajectory=trajectory,
        at=at,
        pictures=tuple(p for members in rows for p in trajectories[members[0]].pictures),
    )


def packed_tokens(trajectories: Sequence[Trajectory], *, shared: bool) -> int:
    """How many tokens the rows hold without their padding."""
    return sum(
        len(trajectories[row[0]].prompt) + sum(len(trajectories[i].reply) for i in row)
        for row in _rows(trajectories, shared)
    )


def micro_batches(
    trajectories: Sequence[Trajectory], *, shared: bool, most_tokens: int
) -> list[list[int]]:
    """The trajectories' numbers in parts whose padded rows hold at most ``most_tokens``.

    Rows of like length come together. A row that is longer by itself is a part by itself; a prompt
    with so many replies that they do not fit has several rows.
    """
    rows: list[tuple[int, list[int]]] = []
    for members in _rows(trajectories, shared):
        prompt = len(trajectories[members[0]].prompt)
        row: list[int] = []
        length = prompt
        for index in members:
            reply = len(trajectories[index].reply)
            if row and length + reply > most_tokens:
                rows.append((length, row))
                row, length = [], prompt
            row.append(index)
            length += reply
        rows.append((length, row))
    parts: list[list[int]] = []
    longest = count = 0
    for length, row in sorted(rows, key=lambda each: (-each[0], each[1])):
        if not parts or longest * (count + 1) > most_tokens:
            parts.append([])
            longest, count = length, 0
        parts[-1] += row
        count += 1
    return parts


def _rows(trajectories: Sequence[Trajectory], shared: bool) -> Iterator[list[int]]:
    row: list[int] = []
    for index, trajectory in enumerate(trajectories):
        if row and not (shared and trajectories[row[0]].shown == trajectory.shown):
            yield row
            row = []
        row.append(index)
    if row:
        yield row


def _sees(spans: Tensor) -> Tensor:
    """Which place sees which, ``[R, 1, S, S]``; ``spans``: 0 the prompt, -1 padding."""
    width = spans.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    looking, seen = spans[:, :, None], spans[:, None, :]
    sees = causal & (((seen == 0) | (seen == looking)) & (looking >= 0))
    # A place that sees nothing would be NaN.
    return (sees | torch.eye(width, dtype=torch.bool))[:, None]
