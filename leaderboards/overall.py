"""The tests of a board side by side: a row a model or baseline, with the mean over them.

Conventions
-----------
* Rows of several tests are one where kind, name, method, rung and seed are the same. Of two runs
  that are alike in all of this the better one counts. Runs that are not whole do not: they
  stand in the table of their test.
* The mean is over the tests, each weighing the same whatever its size; without one of them
  there is none. Its interval is ``intervals.interval_of_means``.
* Models that have a mean are ranked by it as within a test (``ranks``), by a paired test over the
  problems of all tests, each of which counts one over the problems of its own.
* What is shown of one problem in two modalities is one cluster: clusters are those of their data.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluators.intervals import interval_of_means
from leaderboards.entries import MODEL, Entry, Figure
from leaderboards.ranks import Above, Standing, ranks
from leaderboards.record import Record


@dataclass(frozen=True, slots=True)
class Overall:
    """One row. ``entries`` are places of its entries, one for each test, or None; ``mean`` is None
    where it lacks one. ``rank``, ``tied`` and ``above`` are those of ``ranks.Rank``.
    """

    name: str
    kind: str
    method: str
    rung: str
    seed: int | None
    entries: tuple[int | None, ...]
    mean: Figure | None
    rank: int | None = None
    tied: bool = False
    above: Above | None = None


def overall_rows(
    columns: Sequence[int], entries: Sequence[Entry], records: Mapping[str, Record]
) -> tuple[Overall, ...]:
    """The rows over the tests ``columns``, the best first; ``records`` are by the entries' keys."""
    found: dict[tuple[object, ...], dict[int, int]] = {}
    for place, entry in enumerate(entries):
        if entry.test in columns and not entry.partial and entry.accuracy is not None:
            # Entries of a test stand best first.
            found.setdefault(entry.identity, {}).setdefault(entry.test, place)
    rows = []
    for by_test in found.values():
        places = tuple(by_test.get(column) for column in columns)
        first = entries[next(iter(by_test.values()))]
        whole = [entries[place] for place in places if place is not None]
        mean = _mean(whole, records) if len(whole) == len(columns) else None
        rows.append(
            Overall(first.name, first.kind, first.method, first.rung, first.seed, places, mean)
        )
    return _ranked(sorted(rows, key=_best_first), entries, records)


def _mean(whole: Sequence[Entry], records: Mapping[str, Record]) -> Figure:
    """The mean of a row that has all tests."""
    value = math.fsum(e.accuracy.value for e in whole if e.accuracy is not None) / len(whole)
    problems = sum(entry.problems for entry in whole)
    groups = _groups(whole, records)
    low, high = (None, None) if groups is None else interval_of_means(groups)
    return Figure(value, low, high, problems)


_Group = tuple[list[float], list[Hashable]]
"""The scores of a test's problems, and their clusters."""


def _groups(whole: Sequence[Entry], records: Mapping[str, Record]) -> list[_Group] | None:
    """A group for each test; None where a row is no run, or lacks the score of a problem."""
    groups: list[_Group] = []
    for entry in whole:
        record = records.get(entry.key)
        if record is None or None in record.scores:
            return None
        problems = record.digests.problems
        clusters: list[Hashable] = [(problems, cluster) for cluster in record.clusters]
        groups.append(([score for score in record.scores if score is not None], clusters))
    return groups


def _ranked(
    rows: Sequence[Overall], entries: Sequence[Entry], records: Mapping[str, Record]
) -> tuple[Overall, ...]:
    standings: dict[int, Standing] = {}
    for place, row in enumerate(rows):
        if row.kind == MODEL and row.mean is not None:
            whole = [entries[entry] for entry in row.entries if entry is not None]
            groups = _groups(whole, records)
            if groups is not None:
                standings[place] = _standing(groups)
    found = dict(zip(standings, ranks(list(standings.values())), strict=True))
    return tuple(
        replace(row, rank=found[i].rank, tied=found[i].tied, above=found[i].above)
        if i in found
        else row
        for i, row in enumerate(rows)
    )


def _standing(groups: Sequence[_Group]) -> Standing:
    """The problems of all tests together, those of a test with a whole number as weight."""
    common = math.lcm(*(len(scores) for scores, _ in groups))
    return Standing(
        scores=[score for scores, _ in groups for score in scores],
        clusters=[cluster for _, clusters in groups for cluster in clusters],
        weights=[common // len(scores) for scores, _ in groups for _ in scores],
    )


def _best_first(row: Overall) -> tuple[float, str, str, str, str]:
    value = math.inf if row.mean is None else -row.mean.value
    return (value, row.name, row.method, row.rung, str(row.seed))
