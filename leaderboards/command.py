"""What ``benchgen board`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from leaderboards.blind import read_blind
from leaderboards.board import make_board
from leaderboards.build import write_board
from leaderboards.cells import heading
from leaderboards.records import read_runs


def build(
    runs: Sequence[Path | str],
    out: Path | str,
    audit: Path | str | None = None,
    title: str | None = None,
) -> dict[str, Any]:
    """Build the board of ``runs`` in the folder ``out``.

    ``audit`` is a file with the JSON of an audit, for the best blind predictor.
    Returns ``page`` (the path of the page) and, for each table, its suite, modality,
    data digest and rows (name, kind, rank and accuracy, best first).

    Raises
    ------
    InputError
        A run, the audit or the output folder is at fault; nothing is written.
    """
    records = read_runs(runs)
    blind = None if audit is None else read_blind(audit)
    suites = sorted({run.config.data.suite for run in records})
    if title is None:
        title = f"{' and '.join(heading(suite) for suite in suites)} leaderboard"
    board = make_board(records, title, Path(out), blind)
    if blind is not None and all(group.blind is None for group in board.groups):
        raise InputError(f"{audit} is of another suite, split or set of tasks than the runs")
    page = write_board(board, Path(out))
    return {
        "page": str(page),
        "groups": [
            {
                "suite": group.suite,
                "modality": group.modality,
                "data": group.digest,
                "rows": [
                    {
                        "name": entry.name,
                        "kind": entry.kind,
                        "rank": entry.rank,
                        "accuracy": None if entry.accuracy is None else entry.accuracy.value,
                    }
                    for entry in group.entries
                ],
            }
            for group in board.groups
        ],
    }
