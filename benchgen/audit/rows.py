"""Auditing a dataset: its rows as they stand, and the tasks they are of.

Conventions
-----------
* The rows are tested by task and level, and once more with all levels of a task
  together (level 0), because a dataset seldom has enough of one level to show much.
* Where a dataset holds items with their twins, the first row of each twin group is
  tested: in the others the key is another by construction.
* Gate 2 needs more items than a dataset has, so it runs on items drawn afresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from benchgen.audit.attributes import SuiteReading, suite_reading
from benchgen.audit.cell import REWARD_ITEMS, SplitResult
from benchgen.audit.controls import partial_views, stimulus_columns, stimulus_numbers
from benchgen.audit.offers import measure
from benchgen.audit.predictors import Scorer, Trial, fit_predictors, run_trials
from benchgen.audit.report import make_report
from benchgen.audit.rewards import reward_faults
from benchgen.audit.run import ITEMS, TWIN_ITEMS, Progress, audit_tasks
from benchgen.audit.sample import Sample, collect
from benchgen.audit.twin_proof import TwinProof, count_letters, prove_twins
from benchgen.columns import PROBLEM_COLUMNS, problem_from_row
from benchgen.dataset import read_manifest, read_rows
from benchgen.errors import InputError
from benchgen.manifest import MANIFEST
from benchgen.problem import Problem
from benchgen.seeding import SPLITS
from benchgen.suite import find_suite, suite_names
from benchgen.task import twins

LEAST_ROWS = 16
CONTROL_ROWS = 2_000


@dataclass
class _Rows:
    """The rows of one task, level and split: first ones, their stimuli, further twins."""

    first: list[Problem] = field(default_factory=list)
    stimuli: list[dict[str, float]] = field(default_factory=list)
    further: list[Problem] = field(default_factory=list)


def audit_dataset(
    path: Path | str,
    items: int = ITEMS,
    *,
    seed: int = 0,
    workers: int = 1,
    twin_items: int = TWIN_ITEMS,
    with_equivalence: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Audit the rows of a dataset and, on items drawn afresh, the tasks they are of.

    ``rows`` of the report holds what the rows themselves show (a report without
    gate 2); everything else is that of ``audit_tasks``. Both must pass. With ``items``
    0 nothing is drawn, and the report is that of the rows. So it is for questions that
    others published, which nothing here can draw: gate 1 is not run on them either, and
    ``gates.detection.classes`` says which of their classes leak.

    Raises
    ------
    InputError
        It is not a dataset, lacks columns, is empty, or its suite is another version.
    """
    cells = _read_cells(Path(path))
    results = [
        _audit_cell(task, level, split, rows, seed, twin_items)
        for (task, level, split), rows in cells.items()
    ]
    found = {
        "count": sum(len(r.first) + len(r.further) for (_, level, _), r in cells.items() if level),
        **make_report(results),
    }
    if not items or any(_is_outside(task) for task, _, _ in cells):
        return {**_dataset(Path(path)), "seed": seed, **found}
    drawn = audit_tasks(
        sorted({task for task, _, _ in cells}),
        sorted({level for _, level, _ in cells if level}),
        # Predictors of the test learn from the train split, whatever the rows are of.
        sorted({"train", *(split for _, _, split in cells)}, key=SPLITS.index),
        items,
        seed=seed,
        workers=workers,
        twin_items=twin_items,
        with_equivalence=with_equivalence,
        bounded=tuple({split for _, _, split in cells}),
        progress=progress,
    )
    passed = bool(drawn["passed"] and found["passed"])
    return {**_dataset(Path(path)), **drawn, "passed": passed, "rows": found}


def _dataset(path: Path) -> dict[str, str | None]:
    """Which dataset it is: its folder's name, and its digest where it has a manifest."""
    digest = read_manifest(path).digest if (path / MANIFEST).is_file() else None
    return {"dataset": path.resolve().name, "digest": digest}


def _read_cells(path: Path) -> dict[tuple[str, int, str], _Rows]:
    cells: dict[tuple[str, int, str], _Rows] = {}
    readings: dict[str, SuiteReading] = {}
    groups: set[str] = set()
    for row in read_rows(path, (*PROBLEM_COLUMNS, "text", "image")):
        problem = problem_from_row(row)
        if problem.suite not in readings:
            readings[problem.suite] = suite_reading(problem.suite)
        _check_version(path, problem)
        attributes = readings[problem.suite].stimulus_attributes(problem.identity)
        picture = row["image"]["bytes"] if row["image"] is not None else None
        bare = replace(problem, identity={})
        is_first = problem.twin_group not in groups
        groups.add(problem.twin_group)
        for level in (problem.level, 0):
            rows = cells.setdefault((problem.task, level, problem.split), _Rows())
            if not is_first:
                rows.further.append(bare)
                continue
            rows.first.append(bare)
            if len(rows.stimuli) < CONTROL_ROWS:
                rows.stimuli.append(stimulus_numbers(row["text"], picture, attributes))
    if not cells:
        raise InputError(f"{path} has no rows")
    return cells


@cache
def _is_outside(task: str) -> bool:
    return task.partition("/")[0] not in suite_names()


def _check_version(path: Path, problem: Problem) -> None:
    if _is_outside(problem.task):
        return
    version = find_suite(problem.suite).version
    if problem.suite_version != version:
        raise InputError(
            f"{path} is of {problem.suite} {problem.suite_version}; "
            f"this is {problem.suite} {version}, which cannot rebuild its twins"
        )


def _audit_cell(
    task: str, level: int, split: str, rows: _Rows, seed: int, twin_items: int
) -> SplitResult:
    reading = suite_reading(task.partition("/")[0])
    # Levels count their items each from 0, so that only one level's indices say anything.
    sample = collect(task, level, split, rows.first, pooled=level == 0)
    trials, controls = _trials(sample, rows.stimuli, reading, seed)
    if level == 0:
        return SplitResult(task, level, split, None, None, trials, controls=controls)
    proof = None if _is_outside(task) else prove_twins(rows.first[:twin_items], twins)
    if proof is not None and rows.further:
        proof = _with_letters(proof, rows.further)
    return SplitResult(
        task,
        level,
        split,
        None,
        replace(sample, view=None),
        trials,
        proof,
        tuple(reward_faults(rows.first[:REWARD_ITEMS])),
    )


def _trials(
    sample: Sample, stimuli: Sequence[dict[str, float]], reading: SuiteReading, seed: int
) -> tuple[tuple[Trial, ...], tuple[dict[str, object], ...]]:
    if sample.view is None:
        return (), ()
    offers = measure(sample.view, reading)
    n = len(sample.view)
    if n < LEAST_ROWS:
        return tuple(run_trials(offers, {}, seed)), ()
    half = n // 2
    parts = (slice(0, half), slice(half, n))
    trials = run_trials(offers, {}, seed)
    for learn, test in (parts, parts[::-1]):
        learned: dict[str, Scorer] = fit_predictors(offers.take(learn))
        fitted = run_trials(offers.take(test), {"split": learned}, seed)
        trials += [trial for trial in fitted if trial.fitted]
    columns = stimulus_columns(stimuli)
    controls = partial_views(offers.take(slice(0, len(stimuli))), columns, seed)
    return tuple(trials), tuple(controls)


def _with_letters(proof: TwinProof, further: Sequence[Problem]) -> TwinProof:
    """The proof with the ids of twins as the dataset has them."""
    letters = {end: dict(counts) for end, counts in proof.letters.items()}
    count_letters(letters, further)
    return replace(proof, letters=letters)
