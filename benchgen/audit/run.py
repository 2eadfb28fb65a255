"""Auditing tasks on items that are drawn for the purpose.

Conventions
-----------
* ``items`` is the least number of items that predictors learn from and are scored on,
  for every task and level, in the splits that gate 2 bounds; there, as many more are
  scored as let fair classes pass it (``statistics.planned_items``).
* The other splits take a quarter of ``items`` (training, which the predictors of other
  splits learn from, all of them): gates 1 and 3 look at them, gate 2 does not. Without
  gate 2 every split takes ``items``.
* The same arguments give the same report, with any number of workers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from benchgen.audit.cell import CellAudit, SplitPlan, SplitResult, has_second_engine
from benchgen.audit.report import make_report
from benchgen.audit.statistics import planned_items
from benchgen.errors import InputError
from benchgen.executors import LocalExecutor
from benchgen.seeding import SPLITS
from benchgen.suite import find_suite
from benchgen.task import find_task

ITEMS = 20_000
TWIN_ITEMS = 1_000
PROVED_ITEMS = 5
CONTROL_ITEMS = 2_000
TESTS_A_CELL = 150

Progress = Callable[[int, int], None]
"""Called with the cells (task and level) done and to do."""


def audit_tasks(
    tasks: Sequence[str],
    levels: Sequence[int] = (),
    splits: Sequence[str] = SPLITS,
    items: int = ITEMS,
    *,
    seed: int = 0,
    workers: int = 1,
    twin_items: int = TWIN_ITEMS,
    proved_items: int = PROVED_ITEMS,
    control_items: int = CONTROL_ITEMS,
    with_equivalence: bool = True,
    bounded: Sequence[str] = ("train", "test"),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Audit tasks on items drawn for the purpose.

    Parameters
    ----------
    tasks
        Names, ``suite/task``.
    levels
        Those of each task if empty.
    items
        The least number to learn from and to score on, for each task and level; 0
        leaves the predictors out.
    with_equivalence
        Gate 2; without it, ``items`` may be small.
    bounded
        The splits that gate 2 bounds.

    Returns
    -------
    A report (see ``benchgen.audit.report``); the audit is passed if ``passed`` is.

    Raises
    ------
    InputError
        Unknown task, level or split.
    """
    began = time.monotonic()
    unknown = [split for split in splits if split not in SPLITS]
    if unknown:
        raise InputError(f"split is one of {', '.join(SPLITS)}, not {unknown[0]!r}")
    cells = tuple(
        (task, find_task(task).config(level).level)
        for task in tasks
        for level in (levels or find_task(task).levels)
    )
    suites = sorted({task.partition("/")[0] for task, _ in cells})
    bounding = tuple(s for s in splits if s in bounded) if with_equivalence and items else ()
    plans = tuple(_split_plan(split, items, bounding, len(cells)) for split in splits)
    audit = CellAudit(
        cells,
        plans,
        seed,
        twin_items=twin_items,
        proved_items=proved_items,
        control_items=control_items,
        second_engine=bool(proved_items) and all(has_second_engine(task) for task in tasks),
    )
    found: dict[tuple[str, int], list[SplitResult]] = {}
    for results in LocalExecutor(min(workers, max(len(cells), 1))).map(audit, range(len(cells))):
        found[results[0].task, results[0].level] = results
        if progress is not None:
            progress(len(found), len(cells))
    ordered = [result for cell in cells for result in found[cell]]
    return {
        "suites": {suite: find_suite(suite).version for suite in suites},
        "seed": seed,
        "items": {p.split: {"learned": p.learned, "scored": p.scored} for p in plans},
        "twin_items": twin_items,
        "second_engine": audit.second_engine,
        **make_report(ordered, bounding),
        "seconds": round(time.monotonic() - began, 1),
    }


def _split_plan(split: str, items: int, bounding: Sequence[str], cells: int) -> SplitPlan:
    """``bounding`` names the splits of gate 2, none without it."""
    if split in bounding:
        return SplitPlan(
            split, items, max(items, planned_items(TESTS_A_CELL * cells * len(bounding)))
        )
    if not bounding:
        return SplitPlan(split, items, items)
    return SplitPlan(split, items if split == "train" else items // 4, items // 4)
