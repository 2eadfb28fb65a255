"""A board as data: the JSON and the CSV beside the page.

Conventions
-----------
* JSON: ``schema_version`` (3), ``title``, ``benchgen_version``, and the fields of
  ``board.Board``; shares are in [0, 1].
* CSV: one line a row of the board's tests: what it is, its accuracy with the interval, the shares
  of its slices, and what it took. Figures are plain numbers.
* A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@``, in wide letters, too,
  for a formula, and one that reads semicolons as commas finds more cells than there are: where text
  of a cell does so, headings too, an apostrophe stands before it. Control characters are none.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from typing import Any

from leaderboards.board import Board, Test
from leaderboards.entries import Entry, Figure

SCHEMA_VERSION = 3
BEFORE = (
    "suite", "suite_version", "split", "modality", "data", "fresh", "name", "kind", "method",
    "rung", "seed", "rank", "tied", "partial", "problems", "accuracy", "low", "high",
)  # fmt: skip
AFTER = ("all_twins", "unparsed", "truncated", "error", "record")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_FORMULA = re.compile(r"(^|;)([\s\"']*)(?=[-=+@\uff1d\uff0b\uff0d\uff20])")

Cell = str | int | float | bool | None


def board_record(board: Board, version: str) -> dict[str, Any]:
    """The board as a JSON object."""
    return {
        "schema_version": SCHEMA_VERSION,
        "benchgen_version": version,
        **dataclasses.asdict(board),
    }


def board_csv(board: Board) -> str:
    """The board as CSV: its slices and quantities as columns."""
    slices = {
        "category": dict.fromkeys(name for test in board.tests for name in test.categories),
        "task": dict.fromkeys(name for test in board.tests for name in test.tasks),
        "level": dict.fromkeys(name for test in board.tests for name in test.levels),
    }
    quantities = dict.fromkeys(q for entry in board.entries for q in entry.quantities)
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    named = [f"{kind} {name}" for kind, names in slices.items() for name in names]
    heads = [*BEFORE, *named, *AFTER, *quantities]
    writer.writerow(_safe(head) for head in heads)
    for entry in board.entries:
        cells = [
            *_before(board.tests[entry.test], entry),
            *(_value(entry.categories.get(name)) for name in slices["category"]),
            *(_value(entry.tasks.get(name)) for name in slices["task"]),
            *(_value(entry.levels.get(name)) for name in slices["level"]),
            *_after(entry),
            *(entry.quantities.get(name) for name in quantities),
        ]
        writer.writerow(map(_safe, cells))
    return target.getvalue()


def _before(test: Test, entry: Entry) -> list[Cell]:
    accuracy = entry.accuracy
    return [
        test.suite,
        test.suite_version,
        test.split,
        test.modality,
        test.data,
        test.fresh_of is not None,
        entry.name,
        entry.kind,
        entry.method,
        entry.rung,
        entry.seed,
        entry.rank,
        entry.tied,
        entry.partial,
        entry.problems,
        None if accuracy is None else accuracy.value,
        None if accuracy is None else accuracy.low,
        None if accuracy is None else accuracy.high,
    ]


def _after(entry: Entry) -> list[Cell]:
    outcomes = entry.outcomes or {}
    return [
        _value(entry.twins),
        outcomes.get("unparsed"),
        outcomes.get("truncated"),
        outcomes.get("error"),
        entry.record,
    ]


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


def _safe(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        # A tab, or a lone carriage return, ends a cell for some readers.
        return _FORMULA.sub(r"\1'\2", _CONTROLS.sub("\ufffd", cell))
    return str(cell).lower() if isinstance(cell, bool) else repr(cell)
