"""A run's figures where other programs show them: TensorBoard and Trackio.

Conventions
-----------
* ``metrics.jsonl`` is the record, a tracker a view of it. With the first step of a run, or of its
  rest, a tracker is given every line up to there in place of what it held of this run; then each
  line as it lands. So no step is there twice and none is missing, wherever a run was cut, and
  a run may be tracked from its middle on.
* Nothing is opened before that: both keep a thread, and engines may be started by forking.
* TensorBoard's files lie in the run's folder; Trackio keeps its own (``TRACKIO_DIR``), where
  the run is known by its folder. Of a Trackio that is elsewhere nothing is taken back: a run
  that goes on is a new run there, with all of its steps.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Protocol

from benchgen.errors import InputError
from finetune.training_folder import read_metrics

TRACKERS = ("tensorboard", "trackio")
"""The names of packages, too."""

PROJECT = "benchgen"
FAMILIES = ("seconds", "mismatch", "clipped")

Track = Callable[[Mapping[str, Any]], None]
"""Called with a step's line, as ``metrics.jsonl`` has it."""


class Tracker(Protocol):
    """What shows figures by name; ``wall`` is the time they are of, in seconds since 1970."""

    def log(self, figures: Mapping[str, float], step: int, wall: float) -> None: ...

    def close(self) -> None: ...


def check_trackers(names: Sequence[str]) -> None:
    """Whether all of them are known and installed.

    Raises
    ------
    InputError
        One is not.
    """
    for name in names:
        if name not in TRACKERS:
            raise InputError(f"--track knows {', '.join(TRACKERS)}, not {name!r}")
        try:
            distribution(name)
        except PackageNotFoundError:
            raise InputError(f"--track {name} needs a package: pip install {name}") from None


@contextmanager
def tracked(names: Sequence[str], out: Path, config: Mapping[str, Any]) -> Iterator[Track]:
    """What to call with each line of the run in ``out``; trackers are closed at the end."""
    open_by_name: dict[str, Callable[[Path, Mapping[str, Any]], Tracker]] = {
        "tensorboard": _TensorBoard,
        "trackio": _Trackio,
    }
    opened: list[Tracker] = []
    began = 0.0
    with ExitStack() as stack:

        def track(line: Mapping[str, Any]) -> None:
            nonlocal began
            lines = [line]
            if names and not opened:
                began = time.time() - line.get("elapsed", 0.0)
                lines = [x for x in read_metrics(out) if x["step"] < line["step"]] + lines
                for name in names:
                    tracker = open_by_name[name](out, config)
                    opened.append(stack.enter_context(closing(tracker)))
            for one in lines:
                for tracker in opened:
                    wall = began + one.get("elapsed", 0.0)
                    tracker.log(named_figures(one), one["step"], wall)

        yield track


def named_figures(line: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a line under the names that trackers group them by."""
    numbers = {n: v for n, v in line.items() if n != "step" and type(v) in (int, float)}
    return {_shown(name): float(value) for name, value in numbers.items()}


def _shown(name: str) -> str:
    family, _, rest = name.partition("_")
    if family in FAMILIES and rest:
        return f"{family}/{rest}"
    return "validation/accuracy" if name == "validation" else f"train/{name}"


class _TensorBoard:
    """Event files in the run's folder, written as the figures land."""

    def __init__(self, out: Path, config: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # The mark of a restart at step 0: a reader forgets what earlier files say. They stay, since
        # a TensorBoard that is looking at one of them would wait for more of it for ever.
        self._writer = SummaryWriter(str(out / "tensorboard"), purge_step=0)
        words = json.dumps(config, indent=1)
        self._writer.add_text("config", "".join(f"    {x}\n" for x in words.splitlines()))

    def log(self, figures: Mapping[str, float], step: int, wall: float) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step, walltime=wall)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _Trackio:
    """A run of the project ``benchgen``; Trackio's own words go to stderr."""

    def __init__(self, out: Path, config: Mapping[str, Any]) -> None:
        import trackio

        folder = str(out.resolve())
        with redirect_stdout(sys.stderr):
            try:
                earlier = list(trackio.Api().runs(PROJECT))
            except ValueError:  # There is no such project yet.
                earlier = []
            for run in earlier:
                if (run.config or {}).get("folder") == folder:
                    run.delete()
            trackio.init(
                project=PROJECT, name=out.resolve().name, config={**config, "folder": folder},
                embed=False,
            )  # fmt: skip
        self._trackio = trackio

    def log(self, figures: Mapping[str, float], step: int, wall: float) -> None:
        self._trackio.log(dict(figures), step=step)

    def close(self) -> None:
        # Not the run's own ``finish``: that would speak again on stdout when the process ends.
        with redirect_stdout(sys.stderr):
            self._trackio.finish()
