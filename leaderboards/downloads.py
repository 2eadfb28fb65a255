"""A board as data: the JSON and the CSV beside the page.

Conventions
-----------
* JSON: ``schema_version`` (2), ``title``, ``benchgen_version``, and the fields of
  ``board.Board``; shares are in [0, 1].
* CSV: one line a row of the board. A spreadsheet takes a cell that begins with
  ``=``, ``+``, ``-``, ``@``, a tab or a line end for a formula: text that does so gets an
  apostrophe before it, headings too. Figures are plain numbers.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from typing import Any

from leaderboards.board import Board, Entry, Figure, Test

SCHEMA_VERSION = 2
BEFORE = (
    "suite", "suite_version", "split", "modality", "data", "fresh", "name", "kind", "method",
    "rung", "rank", "tied", "partial", "problems", "accuracy", "low", "high",
)  # fmt: skip
AFTER = ("all_twins", "unparsed", "truncated", "error", "record")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Cell = str | int | float | bool | None


def board_record(board: Board, version: str) -> dict[str, Any]:
    """The board as a JSON object."""
    return {
        "schema_version": SCHEMA_VERSION,
        "benchgen_version": version,
        **dataclasses.asdict(board),
    }


def board_csv(board: Board) -> str:
    """The board as CSV: categories, levels and quantities as columns."""
    categories = dict.fromkeys(c for test in board.tests for c in test.categories)
    levels = dict.fromkeys(level for test in board.tests for level in test.levels)
    quantities = dict.fromkeys(q for entry in board.entries for q in entry.quantities)
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    heads = [*BEFORE, *categories, *(f"level {level}" for level in levels), *AFTER, *quantities]
    writer.writerow(_safe(head) for head in heads)
    for entry in board.entries:
        cells = [
            *_before(board.tests[entry.test], entry),
            *(_value(entry.categories.get(name)) for name in categories),
            *(_value(entry.levels.get(name)) for name in levels),
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
        cell = f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell
        # A lone carriage return ends a row for some readers, and what follows begins a cell.
        return re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", "\ufffd", cell)
    return str(cell).lower() if isinstance(cell, bool) else repr(cell)
