"""What ``benchgen board`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from evaluators.compare import check_comparison
from leaderboards.benchmark import Benchmark, check_agreement, check_records
from leaderboards.blind import read_blind
from leaderboards.board import Board, make_board
from leaderboards.build import write_board
from leaderboards.cells import heading
from leaderboards.records import Source, read_sources, with_kept_reports


def build(
    runs: Sequence[Path | str],
    out: Path | str,
    audit: Path | str | None = None,
    title: str | None = None,
    data: Sequence[Path | str] = (),
    fresh: Sequence[str] = (),
) -> dict[str, Any]:
    """Build the board of ``runs`` (run folders, or records' files) in the folder ``out``.

    ``audit`` is a file with the JSON of an audit, for the best blind predictor. ``data`` are the
    datasets that every run has to be of; without them runs are held against each other.
    ``fresh`` are digests, or how they begin, of data that are fresh draws of others here.
    Returns ``page`` (the path of the page) and, for each test, its suite, modality,
    data digest and rows (name, kind, rank and accuracy, best first).

    Raises
    ------
    InputError
        A run, the audit or the output folder is at fault; nothing is written.
    """
    check_comparison()
    sources = with_kept_reports(read_sources(runs), Path(out))
    named = [(source.place, source.record) for source in sources]
    check_agreement(named)
    if data:
        check_records(named, [Benchmark(Path(folder)) for folder in data])
    blind = None if audit is None else read_blind(audit)
    if title is None:
        suites = sorted({source.record.config.data.suite for source in sources})
        title = f"{' and '.join(map(heading, suites))} leaderboard"
    board = make_board(sources, title, blind, _whole_digests(fresh, sources))
    if blind is not None and all(test.blind is None for test in board.tests):
        raise InputError(f"{audit} is of another suite, split or set of tasks than the runs")
    _check_fresh(board, fresh)
    page = write_board(board, sources, Path(out))
    return {"page": str(page), "tests": _tests(board)}


def _whole_digests(begun: Sequence[str], sources: Sequence[Source]) -> list[str]:
    known = sorted({source.record.config.data.digest for source in sources})
    found = []
    for words in begun:
        matching = [digest for digest in known if words and digest.startswith(words)]
        if len(matching) != 1:
            count = "none" if not matching else len(matching)
            raise InputError(f"--fresh {words!r} names {count} of the runs' data, not one")
        found.append(matching[0])
    return found


def _check_fresh(board: Board, fresh: Sequence[str]) -> None:
    for test in board.tests:
        anew = any(test.data.startswith(words) for words in fresh)
        if anew and test.fresh_of is None:
            raise InputError(
                f"the data {test.data[:16]} are no fresh draw of others here: their recipe is "
                "that of no other data in the same modality"
            )


def _tests(board: Board) -> list[dict[str, Any]]:
    return [
        {
            "suite": test.suite,
            "modality": test.modality,
            "data": test.data,
            "rows": [
                {
                    "name": entry.name,
                    "kind": entry.kind,
                    "rank": entry.rank,
                    "tied": entry.tied,
                    "accuracy": None if entry.accuracy is None else entry.accuracy.value,
                }
                for entry in board.entries
                if entry.test == place
            ],
        }
        for place, test in enumerate(board.tests)
    ]
