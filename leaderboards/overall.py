"""The tests of a board side by side: a row a model or baseline, with the mean over them.

Conventions
-----------
* Rows of several tests are one where kind, name, method, rung and seed are the same. Of two runs
  that are alike in all of this the better one counts. Runs that are not whole do not: they
  stand in the table of their test.
* The mean is over the tests, each weighing the same whatever its size; without one of them
  there is none. Its interval is ``intervals.interval_of_means``.
* Models that have a mean are ranked by it as within a test (``ranks``), by a paired test over the
  problems of all tests, each of which counts one over the problems of its own (``weights_of``).
* What is shown of one problem in two modalities is one cluster. Where that cannot be told there is
  no interval, and no rank.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluators.intervals import interval_of_means
from leaderboards.entries import MODEL, Entry, Figure
from leaderboards.ranks import Above, Standing, ranks
from leaderboards.record import Record

LARGEST_WEIGHT = 64
"""Above it weights are rounded."""
SMALLEST_WEIGHT = 16
"""That of the largest test, where they are."""


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
    if groups is None:
        return Figure(value, None, None, problems)
    # An interval knows of a cluster's sum and size alone: the mean as often as there are samples.
    times = [records[entry.key].config.samples for entry in whole]
    low, high = interval_of_means(
        [(scores * n, clusters * n) for (scores, clusters), n in zip(groups, times, strict=True)]
    )
    return Figure(value, low, high, problems)


_Group = tuple[list[float], list[Hashable]]
"""The scores of a test's problems, and their clusters."""


def _groups(whole: Sequence[Entry], records: Mapping[str, Record]) -> list[_Group] | None:
    """A group for each test; None where clusters cannot be told.

    So it is of a row that is no run, or lacks the score of a problem; and of runs of one dataset
    on other problems of it (``--limit``), since a record numbers the clusters of those it asked.
    """
    groups: list[_Group] = []
    asked: dict[str, str] = {}
    for entry in whole:
        record = records.get(entry.key)
        if record is None or None in record.scores:
            return None
        questions = record.digests.questions
        if asked.setdefault(record.config.data.digest, questions) != questions:
            return None
        clusters: list[Hashable] = [(questions, cluster) for cluster in record.clusters]
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
                standings[place] = _standing(row.mean.value, groups)
    found = dict(zip(standings, ranks(list(standings.values())), strict=True))
    return tuple(
        replace(row, rank=found[i].rank, tied=found[i].tied, above=found[i].above)
        if i in found
        else row
        for i, row in enumerate(rows)
    )


def _standing(mean: float, groups: Sequence[_Group]) -> Standing:
    """The problems of all tests together, with the weights of their tests."""
    weights = weights_of([len(scores) for scores, _ in groups])
    return Standing(
        mean=mean,
        scores=[score for scores, _ in groups for score in scores],
        clusters=[cluster for _, clusters in groups for cluster in clusters],
        weights=[n for n, (scores, _) in zip(weights, groups, strict=True) for _ in scores],
    )


def weights_of(sizes: Sequence[int]) -> list[int]:
    """Whole numbers in inverse proportion to the sizes of tests, small enough to count by.

    Where sizes have little in common they are rounded, by 3 % at most: a sign-flip test holds
    whatever the weights, and the exact one counts every sum that there can be.
    """
    common = math.lcm(*sizes)
    weights = [common // size for size in sizes]
    if max(weights) > LARGEST_WEIGHT:
        largest = max(sizes)
        weights = [round(SMALLEST_WEIGHT * largest / size) for size in sizes]
    unit = math.gcd(*weights)
    return [weight // unit for weight in weights]


def _best_first(row: Overall) -> tuple[float, str, str, str, str]:
    value = math.inf if row.mean is None else -row.mean.value
    return (value, row.name, row.method, row.rung, str(row.seed))
