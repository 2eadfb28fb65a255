"""Fresh questions from a suite's classes and levels, so that the data never runs out.

Conventions
-----------
* A cell is a task at a level. The cell of the n-th question is drawn by a hash of the run's
  seed and n; its problem is the next of the train split that the run has not had. Where a cell's
  seed is used up another follows: the same contents in other groups, with other options.
* An adaptive curriculum draws a cell as often as its verdicts vary: by p(1 - p), p the measured
  share of right replies, which is what a group there is expected to teach (Rutherford et al.,
  arXiv:2408.15099, learnability). What has not been measured counts for a half, and no cell is
  drawn less than a tenth as often as at its best: what was mastered or was hopeless is
  looked at again.
* Measurements fade by half over ``MEMORY`` replies of a cell, as the policy moves.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchgen.errors import InputError
from benchgen.plan import make_plan
from benchgen.problem import Problem
from benchgen.prompt import PROMPT_MODALITIES
from benchgen.task import capacity, make
from evaluators.questions import Question
from finetune.rollouts import Group

MEMORY = 128
PRIOR = 8.0
"""Replies, half of them right, that every cell is taken to have had."""
LEAST = 0.1

Cell = tuple[str, int]
"""A task and a level."""


class Curriculum:
    """Questions of ``cells``, drawn anew; ``adaptive``: by how much they teach, else evenly."""

    def __init__(
        self, cells: Sequence[Cell], *, modality: str, seed: int, adaptive: bool = False
    ) -> None:
        self._cells, self._modality, self._seed = tuple(cells), modality, seed
        self._adaptive = adaptive
        self._drawn = dict.fromkeys(self._cells, 0)
        self._right = dict.fromkeys(self._cells, 0.0)
        self._asked = dict.fromkeys(self._cells, 0.0)

    def take(self, first: int, count: int) -> list[Question]:
        """The next questions, the first of them the run's ``first``-th."""
        return [self._next(self._cell(number)) for number in range(first, first + count)]

    def note(self, groups: Iterable[Group]) -> None:
        """Measure the cells by the verdicts on their replies."""
        for one in (one for group in groups for one in group):
            cell = (one.task, one.level)
            if one.outcome == one.outcome:  # a failed reply has none: NaN
                kept = 0.5 ** (1 / MEMORY)
                self._right[cell] = kept * self._right[cell] + one.outcome
                self._asked[cell] = kept * self._asked[cell] + 1

    def pass_rates(self) -> dict[Cell, float]:
        """The share of right replies in every cell, as measured until now."""
        return {
            cell: (self._right[cell] + PRIOR / 2) / (self._asked[cell] + PRIOR)
            for cell in self._cells
        }

    def weights(self) -> dict[Cell, float]:
        """How likely each cell is to be drawn; they add up to 1."""
        if not self._adaptive:
            return dict.fromkeys(self._cells, 1 / len(self._cells))
        raw = {cell: max(4 * p * (1 - p), LEAST) for cell, p in self.pass_rates().items()}
        whole = sum(raw.values())
        return {cell: value / whole for cell, value in raw.items()}

    def samples(self) -> list[Problem]:
        """The first problem of every cell."""
        return [self._problem(cell, 0) for cell in self._cells]

    def state(self) -> dict[str, Any]:
        """What was drawn and measured, cell by cell."""
        names = (self._drawn, self._right, self._asked)
        return {"cells": [[*cell, *(of[cell] for of in names)] for cell in self._cells]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on as ``state`` was."""
        for task, level, drawn, right, asked in state["cells"]:
            cell = (str(task), int(level))
            self._drawn[cell], self._right[cell], self._asked[cell] = drawn, right, asked

    def _cell(self, number: int) -> Cell:
        place = _hash(self._seed, "cell", number) / 2**63
        ends = itertools.accumulate(self.weights().values())
        inside = (cell for cell, end in zip(self._cells, ends, strict=True) if place < end)
        # What rounding leaves above the last end is the last cell's.
        return next(inside, self._cells[-1])

    def _next(self, cell: Cell) -> Question:
        problem = self._problem(cell, self._drawn[cell])
        self._drawn[cell] += 1
        shown = problem.images() if self._modality != "text" else ()
        return Question(problem, tuple(problem.messages(self._modality)), shown)

    def _problem(self, cell: Cell, number: int) -> Problem:
        task, level = cell
        series, index = divmod(number, capacity(task, level, "train"))
        seed = _hash(self._seed, "items", series)
        return make(task, split="train", seed=seed, index=index, level=level)


def curriculum(
    suite: str,
    tasks: Sequence[str],
    levels: Sequence[int],
    *,
    modality: str,
    seed: int,
    adaptive: bool,
) -> Curriculum:
    """A curriculum over some of a suite's tasks and levels; none named means all.

    Raises
    ------
    InputError
        There is no such suite, task, level or modality, or nothing to be ``adaptive`` among.
    """
    if modality not in PROMPT_MODALITIES:
        raise InputError(f"modality is {', '.join(PROMPT_MODALITIES)}, not {modality!r}")
    shown = ("text", "image") if modality == "both" else (modality,)
    plan = make_plan(suite, split="train", count=1, tasks=tasks, levels=levels, modalities=shown)
    cells = [(task, level) for task in plan.tasks for level in plan.levels]
    if adaptive and len(cells) == 1:
        raise InputError("a curriculum chooses among two or more: give another task or level")
    return Curriculum(cells, modality=modality, seed=seed, adaptive=adaptive)


def _hash(seed: int, what: str, number: int) -> int:
    """From 0 to 2^63 - 1."""
    key = f"curriculum:{seed}:{what}:{number}".encode("ascii")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) >> 1
