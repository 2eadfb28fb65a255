"""The figures of a board: which rows there are, how they are grouped and ranked.

Conventions
-----------
* Runs on different data (by digest) or in different modalities are different tests, and their
  figures are not comparable.
* A test's reference is its complete model run with the most scored problems (where none is
  complete, any of them; where there is no model, any run). Only whole runs of models, which are
  complete and on the problems of the reference, are ranked.
* All of it can be written as JSON; places in ``tests`` and ``entries`` are what refers to them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluators.run_directory import Slice
from leaderboards.blind import Blind
from leaderboards.entries import (
    MODEL,
    Entry,
    blind_entry,
    chance_entry,
    kind_of,
    run_entry,
    scored_problems,
)
from leaderboards.gaps import Share, gap
from leaderboards.overall import Overall, overall_rows
from leaderboards.ranks import Standing, ranks
from leaderboards.record import Record
from leaderboards.records import Source


@dataclass(frozen=True, slots=True)
class Test:
    """One dataset in one modality. ``chance`` and the maps beside it are exact, by option
    counts; ``problems`` is how many the reference answered, of the ``data_problems`` that there
    are. ``fresh_of`` is the place of the public test that this one is a fresh draw of.
    """

    key: str
    suite: str
    suite_version: str
    split: str
    modality: str
    data: str
    problems: int
    data_problems: int
    chance: float
    categories: Mapping[str, float]
    tasks: Mapping[str, float]
    levels: Mapping[str, float]
    blind: float | None
    blind_name: str | None
    fresh_of: int | None


@dataclass(frozen=True, slots=True)
class FreshGap:
    """A model's entries in a public test and in a fresh draw of it, and the gap between them."""

    public: int
    fresh: int
    gap: float
    low: float
    high: float
    flagged: bool


@dataclass(frozen=True, slots=True)
class Board:
    """All that the page shows."""

    title: str
    tests: tuple[Test, ...]
    entries: tuple[Entry, ...]
    overall: tuple[Overall, ...]
    overall_tests: tuple[int, ...]
    gaps: tuple[FreshGap, ...]


def make_board(
    sources: Sequence[Source],
    title: str,
    blind: Blind | None = None,
    fresh: Iterable[str] = (),
) -> Board:
    """The board of ``sources``; ``fresh`` are the digests of data that are fresh draws."""
    drawn_anew = frozenset(fresh)
    groups: dict[tuple[str, str, str, str], list[Source]] = {}
    for source in sources:
        config = source.record.config
        data = config.data
        place = (data.suite, data.suite_version, config.modality, data.digest)
        groups.setdefault(place, []).append(source)
    order = sorted(groups, key=lambda g: (g[3] in drawn_anew, g[0], g[1], g[2] != "text", *g[2:]))
    tests: list[Test] = []
    entries: list[Entry] = []
    for place in order:
        anew = place[3] in drawn_anew
        public = _public(groups[place], [groups[p] for p in order], drawn_anew) if anew else None
        test, rows = _test(groups[place], len(tests), public, blind)
        tests.append(test)
        entries += rows
    columns = tuple(i for i, test in enumerate(tests) if test.fresh_of is None)
    several = len(columns) > 1
    records = {source.key: source.record for source in sources}
    return Board(
        title=title,
        tests=tuple(tests),
        entries=tuple(entries),
        overall=overall_rows(columns, entries, records) if several else (),
        overall_tests=columns if several else (),
        gaps=_gaps(tests, entries),
    )


def _public(
    group: Sequence[Source], others: Sequence[Sequence[Source]], fresh: frozenset[str]
) -> int | None:
    """The place of the test that a group is a fresh draw of, if there is one."""
    config = group[0].record.config
    for place, other in enumerate(others):
        theirs = other[0].record.config
        same = theirs.data.recipe == config.data.recipe != ""
        if same and theirs.modality == config.modality and theirs.data.digest not in fresh:
            return place
    return None


def _test(
    sources: Sequence[Source], place: int, fresh_of: int | None, blind: Blind | None
) -> tuple[Test, list[Entry]]:
    models = [s for s in sources if kind_of(s.record) == MODEL]
    reference = max((s.record for s in models or sources), key=_fullness)
    config, metrics = reference.config, reference.metrics
    data = config.data
    rows = [run_entry(source, reference, place) for source in sources]
    rows = _ranked(rows, {source.key: source.record for source in sources})
    key = _key(data.suite, data.suite_version, data.split, config.modality, data.digest)
    rows.append(chance_entry(reference, place, key))
    if blind is not None and not blind.measured_on(data.suite, data.split, metrics.by_task):
        blind = None
    if blind is not None:
        rows.append(blind_entry(blind, metrics.overall.problems, place, key))
    test = Test(
        key=key,
        suite=data.suite,
        suite_version=data.suite_version,
        split=data.split,
        modality=config.modality,
        data=data.digest,
        problems=scored_problems(reference),
        data_problems=data.problems,
        chance=metrics.overall.chance,
        categories=_chances(metrics.by_category),
        tasks=_chances(metrics.by_task),
        levels=_chances(metrics.by_level),
        blind=None if blind is None else blind.share,
        blind_name=None if blind is None else blind.name,
        fresh_of=fresh_of,
    )
    return test, sorted(rows, key=_best_first)


def _best_first(entry: Entry) -> tuple[float, str, str]:
    value = -entry.accuracy.value if entry.accuracy else math.inf
    return (value, entry.name, entry.key)


def _standing(record: Record) -> Standing:
    """Of a whole run, which lacks no score."""
    scores = [score for score in record.scores if score is not None]
    return Standing(math.fsum(scores) / len(scores), scores, record.clusters)


def _fullness(record: Record) -> tuple[bool, int]:
    return (record.metrics.complete, scored_problems(record))


def _ranked(rows: Sequence[Entry], records: Mapping[str, Record]) -> list[Entry]:
    """The rows, with the ranks of those that have one."""
    contest = sorted((e for e in rows if e.kind == MODEL and not e.partial), key=_best_first)
    standings = [_standing(records[entry.key]) for entry in contest]
    found = {e.key: rank for e, rank in zip(contest, ranks(standings), strict=True)}
    return [
        entry
        if entry.key not in found
        else replace(
            entry,
            rank=found[entry.key].rank,
            tied=found[entry.key].tied,
            above=found[entry.key].above,
        )
        for entry in rows
    ]


def _chances(slices: Mapping[str, Slice]) -> dict[str, float]:
    return {name: part.chance for name, part in slices.items()}


def _gaps(tests: Sequence[Test], entries: Sequence[Entry]) -> tuple[FreshGap, ...]:
    first: dict[tuple[int, tuple[object, ...]], int] = {}
    for place, entry in enumerate(entries):
        if entry.kind == MODEL and not entry.partial:
            first.setdefault((entry.test, entry.identity), place)
    found = []
    for (test, identity), fresh in first.items():
        public_test = tests[test].fresh_of
        public = None if public_test is None else first.get((public_test, identity))
        if public is None:
            continue
        shares = _share(entries[public]), _share(entries[fresh])
        if shares[0] is None or shares[1] is None:
            continue
        between = gap(shares[0], shares[1])
        found.append(
            FreshGap(public, fresh, between.gap, between.low, between.high, between.flagged)
        )
    return tuple(sorted(found, key=lambda g: (-g.gap, g.public, g.fresh)))


def _share(entry: Entry) -> Share | None:
    figure = entry.accuracy
    if figure is None or figure.low is None or figure.high is None:
        return None
    return Share(figure.value, figure.low, figure.high)


def _key(*parts: str) -> str:
    """The words of all parts but the last, and eight digits of a digest of all of them."""
    words = re.sub(r"[^a-z0-9_]+", "-", "-".join(parts[:-1]).lower()).strip("-")
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
    return f"{words or 'test'}-{digest}"
