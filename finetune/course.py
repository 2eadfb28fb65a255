"""How a run of training goes on: from its last checkpoint, step by step, to its end.

Conventions
-----------
* Steps count from 1 in ``metrics.jsonl`` and in the names of files; what a checkpoint holds is
  what there was after as many steps.
* A run goes on from its last checkpoint to the same end. One that came to its end does nothing
  more, unless it is to be longer now.
* The first rank's clock decides for all, and the first rank writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchgen.errors import InputError
from finetune.checkpoint import (
    Savable,
    checkpoint_path,
    latest_step,
    load_state,
    save_checkpoint,
    seed_random,
)
from finetune.optimizer import Optimizer
from finetune.ranks import Ranks
from finetune.sharding import gathered
from finetune.training_folder import append_metrics, cut_metrics, read_metrics

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Called with the steps done, the steps wanted, and the figures of the last step."""


@dataclass(frozen=True, slots=True)
class Course:
    """Tokens read at once, seed, when to save, and when to end before the last step.

    ``save_every`` 0 saves at the end alone; ``keep`` 0 keeps every checkpoint, the best one
    is kept in any case. ``max_minutes`` and ``most_tokens`` are 0 where there is no such end.

    Raises
    ------
    InputError
        A number is out of range.
    """

    micro_tokens: int = 4096
    seed: int = 0
    save_every: int = 0
    keep: int = 2
    max_minutes: float = 0.0
    most_tokens: int = 0

    def __post_init__(self) -> None:
        if self.micro_tokens < 1:
            raise InputError("a token or more is read at once")
        for name in ("save_every", "keep", "max_minutes", "most_tokens"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name.replace('_', '-')} is 0 or more")


@dataclass(frozen=True, slots=True)
class Trained:
    """Where a run ended: after how many steps, why, its last checkpoint and its best one.

    ``best`` is None where nothing was validated.
    """

    steps: int
    stopped: str
    checkpoint: Path
    best: Path | None = None


class Gatherable(Protocol):
    """A policy, which may lie in parts on several ranks."""

    def gathered(self) -> Savable:
        """The same to be written by the first rank; all ranks call this."""


class TrainingRun:
    """A run in its folder: where it goes on, its lines, its checkpoints and its end.

    ``kept`` is the trainer's state of the checkpoint that it goes on from, empty at the beginning.

    Raises
    ------
    InputError
        A checkpoint cannot be read, or the processes see different ones.
    """

    def __init__(
        self,
        out: Path,
        policy: Gatherable,
        optimizer: Optimizer,
        course: Course,
        wanted: int,
        ranks: Ranks,
    ) -> None:
        self._out, self._policy, self._optimizer = out, policy, optimizer
        self._course, self._wanted, self._ranks = course, wanted, ranks
        self.first = self.done = latest_step(out) or 0
        if len(set(ranks.gather(self.first))) > 1:
            raise InputError(f"the processes do not see the same checkpoints in {out}")
        self.kept: dict[str, Any] = {}
        if self.first:
            self.kept = load_state(out, self.first)
            optimizer.restore(self.kept["optimizer"])
        else:
            seed_random(course.seed)
        if ranks.first:
            cut_metrics(out, self.first)
        ranks.wait()
        lines = read_metrics(out)
        self._began = time.monotonic() - (lines[-1]["elapsed"] if lines else 0.0)
        self.stopped = ""
        self.best: tuple[int, float] | None = None
        if "best" in self.kept:
            self.best = self.kept["best"][0], self.kept["best"][1]

    @property
    def trained(self) -> Trained:
        """Where it stands."""
        best = None if self.best is None else checkpoint_path(self._out, self.best[0])
        return Trained(self.done, self.stopped, checkpoint_path(self._out, self.done), best)

    def steps(self) -> Iterator[int]:
        """The steps that are still to be done, from 1, until the run is ended."""
        for step in range(self.first + 1, self._wanted + 1):
            if self.stopped:
                return
            yield step

    def check(self, tokens: int, why: str = "") -> None:
        """End the run here if ``why`` says so, or because of its time or its tokens."""
        course = self._course
        if course.max_minutes and time.monotonic() - self._began > 60 * course.max_minutes:
            why = f"{course.max_minutes:g} minutes are over"
        elif course.most_tokens and tokens >= course.most_tokens:
            why = f"{tokens} tokens have been learned from"
        self.stopped = self._ranks.gather(why)[0]

    def due(self, step: int, every: int) -> bool:
        """Whether what is done every so many steps (0: never), and at the end, is due."""
        return bool(every) and (self._last(step) or step % every == 0)

    def judged(self, step: int, value: float) -> None:
        """Take note of how good the policy is after a step; the best is kept, the first of equals.

        All ranks say the same.
        """
        if self.best is None or value > self.best[1]:
            self.best = step, value

    def end(self, step: int, record: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """End a step: its line, and a checkpoint if one is due; the line as it was written.

        Raises
        ------
        OSError
            The disk is full, say; earlier checkpoints are as they were.
        """
        line = {"step": step, **record, "elapsed": round(time.monotonic() - self._began, 3)}
        if self._ranks.first:
            append_metrics(self._out, line)
        self.done = step
        best = self.best is not None and self.best[0] == step
        if self._last(step) or best or self.due(step, self._course.save_every):
            self._save(step, state)
        return line

    def _last(self, step: int) -> bool:
        return bool(self.stopped) or step == self._wanted

    def _save(self, step: int, state: Mapping[str, Any]) -> None:
        # On every rank: what lies in parts is put together by all of them.
        whole = gathered({**state, "optimizer": self._optimizer.state()})
        policy = self._policy.gathered()
        if self.best is not None:
            whole["best"] = list(self.best)
        if self._ranks.first:
            spared = () if self.best is None else (self.best[0],)
            save_checkpoint(
                self._out, step, policy, whole, keep=self._course.keep, spared=spared
            )
        self._ranks.wait()
