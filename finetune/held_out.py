"""How good a policy is on what is held out, by the evaluators' runner.

Conventions
-----------
* Greedy replies. Every look is a run directory of its own, for report, ``compare`` and the board,
  under the name of the training run and the steps behind it.
* What is only looked at leaves no trace in what is trained: the random state is put back.
* The test set is asked once, of the best checkpoint (or the last, where none was validated).
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.dataset import read_rows
from benchgen.errors import InputError
from benchgen.problem import Response
from evaluators.command import evaluate
from evaluators.engine import Engine, Request
from finetune.checkpoint import random_state, restore_random
from finetune.job import Job


@dataclass(frozen=True, slots=True)
class Named:
    """An engine under the name of what it has become."""

    engine: Engine
    name: str

    @property
    def window(self) -> int:
        """How many requests keep the engine busy."""
        return self.engine.window

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answer the requests."""
        return self.engine.generate(requests)

    def describe(self) -> Mapping[str, Any]:
        """What the engine says of itself, the name apart."""
        return {**self.engine.describe(), "model": self.name}

    def close(self) -> None:
        """The engine is its owner's to close."""


def check_apart(data: Path, validation: Path) -> None:
    """Whether what is validated on is not learned from.

    Raises
    ------
    InputError
        The two datasets share an item.
    """
    ids = {row["id"] for row in read_rows(data, ("id",))}
    shared = next((r["id"] for r in read_rows(validation, ("id",)) if r["id"] in ids), None)
    if shared is not None:
        raise InputError(f"{shared!r} is in the training data and in the validation data")


def validator(job: Job, engine: Engine, data: Path, out: Path) -> Callable[[int], float]:
    """A function of the steps done: the accuracy on ``data``; NaN where nothing was answered."""

    def validate(step: int) -> float:
        before = random_state()
        folder = out / "validation" / f"step-{step:08d}"
        # Of a run that was cut: what it said belongs to weights that are gone.
        shutil.rmtree(folder, ignore_errors=True)
        try:
            return _accuracy(job, engine, data, folder, f"{out.name}-step-{step}")
        finally:
            restore_random(before)

    return validate


def score_test(
    job: Job, open_engine: Callable[[str], Engine], data: Path, out: Path, checkpoint: Path
) -> float:
    """The accuracy of a checkpoint on the test set; asked once, resumed if it was cut."""
    step = int(checkpoint.name.rpartition("-")[2])
    folder = out / "test" / f"step-{step:08d}"
    with contextlib.closing(open_engine(str(checkpoint))) as engine:
        return _accuracy(job, engine, data, folder, f"{out.name}-step-{step}")


def _accuracy(job: Job, engine: Engine, data: Path, folder: Path, name: str) -> float:
    found = evaluate(
        data, folder, engine=Named(engine, name), modality=job.modality,
        max_tokens=job.max_tokens,
    )  # fmt: skip
    accuracy = found.summary["overall"]["accuracy"]
    return float("nan") if accuracy is None else float(accuracy)
