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
import itertools
import math
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
from evaluators.questions import read_data, read_questions
from finetune.checkpoint import random_state, restore_random
from finetune.job import Job

KINDS = {"data": "training", "validation": "validation", "test": "test"}
"""The datasets that a job names."""


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


def check_held_out(job: Job) -> None:
    """Whether what a job is judged by is held out, and can be asked.

    Contents are compared, not ids: other seeds of a class deal the same contents.

    Raises
    ------
    InputError
        A dataset lacks the modality, is of a split that is learned from or chosen by, or shares a
        content with one that is.
    """
    named = {name: Path(path) for name in KINDS if (path := getattr(job, name)) is not None}
    splits = {name: set(read_data(path).split.split("+")) for name, path in named.items()}
    for name in ("validation", "test"):
        if name in named:
            next(read_questions(named[name], job.modality, limit=1))
    if "train" in splits.get("validation", ()) and job.suite is not None:
        raise InputError(f"{job.validation} is of the split train, which fresh items are of, too")
    if splits.get("test", {"test"}) & {"train", "validation"}:
        raise InputError(f"--test is of the split test, which {job.test} is not")
    for name, other in itertools.combinations(named, 2):
        _check_apart((KINDS[name], named[name]), (KINDS[other], named[other]))


def _check_apart(one: tuple[str, Path], other: tuple[str, Path]) -> None:
    (kind, path), (other_kind, other_path) = one, other
    contents = {row["content_key"] for row in read_rows(path, ("content_key",))}
    for row in read_rows(other_path, ("id", "content_key")):
        if row["content_key"] in contents:
            raise InputError(
                f"the content of {row['id']!r} is in the {kind} data and in the {other_kind} data"
            )


def validator(job: Job, engine: Engine, data: Path, out: Path) -> Callable[[int], float]:
    """A function of the steps done: the accuracy on ``data``; NaN where not all was answered."""

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
) -> float | None:
    """The accuracy of a checkpoint on the test set; asked once, resumed if it was cut.

    None where not all was answered.
    """
    step = int(checkpoint.name.rpartition("-")[2])
    folder = out / "test" / f"step-{step:08d}"
    with contextlib.closing(open_engine(str(checkpoint))) as engine:
        accuracy = _accuracy(job, engine, data, folder, f"{out.name}-step-{step}")
    return None if math.isnan(accuracy) else accuracy


def _accuracy(job: Job, engine: Engine, data: Path, folder: Path, name: str) -> float:
    found = evaluate(
        data, folder, engine=Named(engine, name), modality=job.modality,
        max_tokens=job.max_tokens,
    )  # fmt: skip
    # Of a part of the questions it would be another measure.
    return float(found.summary["overall"]["accuracy"]) if found.exit_code == 0 else math.nan
