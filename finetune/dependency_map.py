"""Which part of a picture each token of a reply hangs on.

Conventions
-----------
* Dependencies are VPPO's S by its estimate ``k3``, from 0 to 10, of the reply as it was said:
  once with one square of ``patch`` pixels black at a time, and in the mean over ``draws``
  random masks that blacken each square with probability ``chance``, as VPPO does.
* Squares lie as in ``finetune.blackened``: from the upper left corner on, row by row.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchgen.errors import InputError
from evaluators.engines.pictures import on_white
from finetune.blackened import blacken, blackened
from finetune.objectives.vppo import k3
from finetune.policy import Policy
from finetune.trajectory import Trajectory

ROWS = 32
"""Replies that are read at once."""


def single_dependencies(policy: Policy, reply: Trajectory, patch: int) -> Tensor:
    """S of each token with each square black alone: ``[T, rows, columns]``.

    Raises
    ------
    InputError
        The reply is not to one picture, or the policy takes none.
    """
    if len(reply.pictures) != 1:
        raise InputError(f"a map is of a reply to one picture, not to {len(reply.pictures)}")
    pixels = np.array(on_white(reply.pictures[0]))
    rows, columns = (-(-side // patch) for side in pixels.shape[:2])
    dark: list[tuple[bytes, ...]] = []
    for square in np.eye(rows * columns):
        out = io.BytesIO()
        Image.fromarray(blacken(pixels, 1 - square, patch, 0.5)).save(out, "PNG")
        dark.append((out.getvalue(),))
    found = _dependencies(policy, reply, dark)
    return found.T.reshape(len(reply.reply), rows, columns)


def random_dependencies(
    policy: Policy, reply: Trajectory, patch: int, *, chance: float, draws: int, seed: int
) -> Tensor:
    """The mean S of each token over ``draws`` random masks, ``[T]``.

    Raises
    ------
    InputError
        The policy takes no pictures.
    """
    dark = [
        blackened(reply, seed, draw, patch=patch, chance=chance) for draw in range(1, draws + 1)
    ]
    return _dependencies(policy, reply, dark).mean(0)


def _dependencies(
    policy: Policy, reply: Trajectory, pictures: list[tuple[bytes, ...]]
) -> Tensor:
    """S of each token under each other set of pictures, ``[sets, T]``."""
    shown = [dataclasses.replace(reply, pictures=other) for other in pictures]
    if policy.reader is None:
        raise InputError("the policy takes no pictures: its words hang on none")
    with torch.no_grad(), policy.reader.passing():
        whole = policy.scores([reply], 1.0).logp
        dark = torch.cat([policy.scores(part, 1.0).logp for part in _parts(shown)])
        return k3(dark, whole.expand_as(dark))


def _parts(rows: list[Trajectory]) -> Iterator[list[Trajectory]]:
    for start in range(0, len(rows), ROWS):
        yield rows[start : start + ROWS]
