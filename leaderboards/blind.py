"""The best blind predictor, as an audit found it.

A blind predictor sees questions and options and never the problem itself; what
the best of many earns is the least that a model must beat. It is read from the JSON
that ``benchgen audit --json`` prints: ``best_blind`` with ``name``, ``accuracy`` and, where
they are there, ``task`` (whose suite it is of) and ``split``; and ``cells``, whose tasks are
those that the audit looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchgen.errors import DAMAGED, InputError


@dataclass(frozen=True, slots=True)
class Blind:
    """The predictor's name and its share of right answers.

    ``suite``, ``split`` and ``tasks`` are what it was measured on, None where the audit is
    silent.
    """

    name: str
    share: float
    suite: str | None = None
    split: str | None = None
    tasks: frozenset[str] | None = None

    def measured_on(self, suite: str, split: str, tasks: Iterable[str]) -> bool:
        """Whether its figure holds for problems of this suite, split and all these tasks."""
        if self.suite not in (None, suite) or self.split not in (None, split):
            return False
        return self.tasks is None or self.tasks.issuperset(tasks)


def read_blind(path: Path | str) -> Blind:
    """Read it from an audit.

    Raises
    ------
    InputError
        The file cannot be read, or is not the JSON of an audit; names the file.
    """
    try:
        audit = json.loads(Path(path).read_text(encoding="utf-8"))
        best = audit["best_blind"]
        name, share, task = best["name"], float(best["accuracy"]), best.get("task")
        split = best.get("split")
        if not all(isinstance(text, str) for text in (name, task or "", split or "")):
            raise TypeError("name, task and split are text")
        tasks = frozenset(cell["task"] for cell in audit.get("cells", ()))
        if not 0 <= share <= 1:
            raise ValueError(f"an accuracy lies in [0, 1], not {share}")
    except DAMAGED as error:
        raise InputError(f"{path} is not the JSON of an audit: {error!r}") from None
    suite, slash, _ = (task or "").partition("/")
    return Blind(name, share, suite if slash else None, split or None, tasks or None)
