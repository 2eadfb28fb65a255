"""Where the questions of a run come from.

Conventions
-----------
* Questions are numbered in the order in which a run draws them, from 0. Which is the n-th
  follows from the run's seed, n, and what ``state`` holds; ranks that have drawn and noted the
  same draw the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from benchgen.problem import Problem
from evaluators.questions import Question
from finetune.order import places
from finetune.rollouts import Group


class Questions(Protocol):
    """A source of questions that does not run out."""

    def take(self, first: int, count: int) -> list[Question]:
        """The ``first``-th question and those after it; what was taken is not taken again."""

    def note(self, groups: Iterable[Group]) -> None:
        """Learn from how the questions were answered."""

    def samples(self) -> list[Problem]:
        """A few problems of every kind, to try rewards on."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON has it."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on as ``state`` was."""


class Listed:
    """A dataset's questions: all of them once, then again in another order."""

    def __init__(self, questions: Sequence[Question], seed: int) -> None:
        self._questions, self._seed = questions, seed

    def take(self, first: int, count: int) -> list[Question]:
        """Those at these places of the endless order."""
        order = places(len(self._questions), first, count, self._seed)
        return [self._questions[place] for place in order]

    def note(self, groups: Iterable[Group]) -> None:
        """The order does not hang on the answers."""

    def samples(self) -> list[Problem]:
        """One problem of every task and level."""
        return list({(p.task, p.level): p for p in (q.problem for q in self._questions)}.values())

    def state(self) -> dict[str, Any]:
        """Nothing: the order is a hash."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to go on from."""
