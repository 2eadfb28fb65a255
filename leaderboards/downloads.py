"""A board as data: the JSON and the CSV beside the page.

Conventions
-----------
* JSON: ``schema_version`` (1), ``title``, ``benchgen_version`` and ``groups``, with the
  fields of ``board.Group`` and ``board.Entry``; shares are in [0, 1].
* CSV: one line a row of the board. A spreadsheet takes a cell that begins with
  ``=``, ``+``, ``-``, ``@``, a tab or a line end for a formula: text that does so gets an
  apostrophe before it. Figures are plain numbers.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Any

from leaderboards.board import Board, Entry, Group

SCHEMA_VERSION = 1
BEFORE = (
    "suite", "split", "modality", "data", "name", "kind", "rank", "problems",
    "accuracy", "low", "high",
)  # fmt: skip
AFTER = ("all_twins", "unparsed", "truncated", "error", "tokens_per_reply")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def board_record(board: Board, version: str) -> dict[str, Any]:
    """The board as a JSON object."""
    return {
        "schema_version": SCHEMA_VERSION,
        "title": board.title,
        "benchgen_version": version,
        "groups": [dataclasses.asdict(group) for group in board.groups],
    }


def board_csv(board: Board) -> str:
    """The board as CSV, categories as columns."""
    categories = list(dict.fromkeys(c for g in board.groups for c in g.chance_by_category))
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(_safe(cell) for cell in [*BEFORE, *categories, *AFTER])
    for group in board.groups:
        for entry in group.entries:
            writer.writerow(_safe(cell) for cell in _cells(group, entry, categories))
    return target.getvalue()


def _cells(group: Group, entry: Entry, categories: list[str]) -> list[str | float | None]:
    accuracy = entry.accuracy
    outcomes = entry.outcomes or {}
    figures = [entry.categories.get(category) for category in categories]
    return [
        group.suite,
        group.split,
        group.modality,
        group.digest,
        entry.name,
        entry.kind,
        entry.rank,
        entry.problems,
        None if accuracy is None else accuracy.value,
        None if accuracy is None else accuracy.low,
        None if accuracy is None else accuracy.high,
        *(None if figure is None else figure.value for figure in figures),
        None if entry.twins is None else entry.twins.value,
        outcomes.get("unparsed"),
        outcomes.get("truncated"),
        outcomes.get("error"),
        entry.tokens,
    ]


def _safe(cell: str | float | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell
    return repr(cell)
