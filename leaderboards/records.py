"""The runs that a board is made of, read from their directories.

Nothing of ``evaluators`` but ``run_directory`` is imported here or elsewhere in
this package: a board is made of what runs left behind, never by running.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchgen.errors import InputError
from evaluators.run_directory import RunRecord, read_run

PERFECT = "scripted:gold"
RANDOM = "scripted:random"


def read_runs(folders: Iterable[Path | str]) -> tuple[RunRecord, ...]:
    """The runs, in the order of their folders.

    Raises
    ------
    InputError
        No folder is given, one is given twice, or one is not the directory of a
        run that ended; the message names the folder.
    """
    runs: dict[Path, RunRecord] = {}
    for folder in folders:
        place = Path(folder).resolve()
        if place in runs:
            raise InputError(f"{folder} is given twice")
        run = read_run(Path(folder))
        if run.metrics.overall.samples == 0:
            raise InputError(f"{folder} holds no samples")
        runs[place] = run
    if not runs:
        raise InputError("a board needs at least one run directory")
    return tuple(runs.values())
