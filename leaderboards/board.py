"""The figures of a board: which rows there are, how they are grouped and ranked.

Conventions
-----------
* Runs on different data (by digest) or in different modalities are different tests, and their
  figures are not comparable.
* Shares and accuracies are in [0, 1]. ``low`` and ``high`` bound the 95 % interval
  and are None where a figure has none (chance is exact).
* A test's reference is its model run with the most scored problems (where there is no model,
  any run). A run is partial that is not complete, or on other problems than the
  reference. Only whole runs of models are ranked.
* A model's rows in several tests are one row of the whole board where name, method, rung and
  seed are the same. Its mean is over the tests, each weighing the same.
* All of it can be written as JSON; places in ``tests`` and ``entries`` are what refers to them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchgen.problem import Outcome
from evaluators.run_directory import Slice, Twins
from leaderboards.blind import Blind
from leaderboards.gaps import Share, gap
from leaderboards.method import BLIND_CONTROLS, method_of, rung_of, settings_of
from leaderboards.ranks import Above, Standing, ranks
from leaderboards.record import Record
from leaderboards.records import PERFECT, RANDOM, Source

MODEL = "model"
READERS = {"perfect": "perfect reader", "random": "random reader"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A share with its interval, over so many problems."""

    value: float
    low: float | None
    high: float | None
    problems: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of one test. ``kind`` is ``model``, or that of a baseline: ``perfect``,
    ``random``, ``scripted`` (readers that follow a script), ``chance``, ``blind`` (the best
    predictor of an audit, or a model that was not shown the stimulus).

    ``key`` names the row in addresses and files. ``method`` tells how replies were got and
    ``rung`` what might be spent on a problem. ``problems`` counts those with a scored reply.
    ``quantities`` are means over replies or problems, by their names. ``samples`` and ``record``
    are relative addresses, or None.
    """

    key: str
    test: int
    name: str
    kind: str
    problems: int
    accuracy: Figure | None
    categories: Mapping[str, Figure]
    tasks: Mapping[str, Figure]
    levels: Mapping[str, Figure]
    method: str = ""
    rung: str = ""
    rank: int | None = None
    tied: bool = False
    above: Above | None = None
    partial: bool = False
    twins: Figure | None = None
    outcomes: Mapping[str, float] | None = None
    errors: int = 0
    missing: int = 0
    quantities: Mapping[str, float] = field(default_factory=dict)
    settings: tuple[tuple[str, str], ...] = ()
    samples: str | None = None
    record: str | None = None


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
class Overall:
    """A model over the tests in ``Board.overall_tests``: its entry in each, or None. ``mean`` is
    None where it lacks one, or is partial in it.
    """

    name: str
    kind: str
    method: str
    rung: str
    entries: tuple[int | None, ...]
    mean: float | None


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
    identities: list[_Identity] = []
    for place in order:
        anew = place[3] in drawn_anew
        public = _public(groups[place], [groups[p] for p in order], drawn_anew) if anew else None
        test, rows = _test(groups[place], len(tests), public, blind)
        tests.append(test)
        for entry, identity in rows:
            entries.append(entry)
            identities.append(identity)
    columns = tuple(i for i, test in enumerate(tests) if test.fresh_of is None)
    several = len(columns) > 1
    return Board(
        title=title,
        tests=tuple(tests),
        entries=tuple(entries),
        overall=_overall(entries, identities, columns) if several else (),
        overall_tests=columns if several else (),
        gaps=_gaps(tests, entries, identities),
    )


_Identity = tuple[str, ...] | None
"""What makes rows of several tests the same model's; None for baselines."""


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
) -> tuple[Test, list[tuple[Entry, _Identity]]]:
    models = [s for s in sources if _kind(s.record) == MODEL]
    reference = max((s.record for s in models or sources), key=_scored)
    config, metrics = reference.config, reference.metrics
    data = config.data
    rows = [(_entry(s, reference, place), _identity(s.record)) for s in sources]
    rows = _ranked(rows, {source.key: source.record for source in sources})
    key = _key(data.suite, data.suite_version, data.split, config.modality, data.digest)
    extra = [_chance_entry(reference, place, key)]
    share = None
    if blind is not None and blind.measured_on(data.suite, data.split, metrics.by_task):
        share = blind.share
        extra.append(
            Entry(
                key=f"blind-{key}",
                test=place,
                name="best blind predictor",
                kind="blind",
                method=blind.name,
                problems=metrics.overall.problems,
                accuracy=Figure(share, None, None, metrics.overall.problems),
                categories={},
                tasks={},
                levels={},
            )
        )
    rows += [(entry, None) for entry in extra]
    test = Test(
        key=key,
        suite=data.suite,
        suite_version=data.suite_version,
        split=data.split,
        modality=config.modality,
        data=data.digest,
        problems=_scored(reference),
        data_problems=data.problems,
        chance=metrics.overall.chance,
        categories=_chances(metrics.by_category),
        tasks=_chances(metrics.by_task),
        levels=_chances(metrics.by_level),
        blind=share,
        blind_name=None if share is None or blind is None else blind.name,
        fresh_of=fresh_of,
    )
    return test, sorted(rows, key=lambda row: _best_first(row[0]))


def _best_first(entry: Entry) -> tuple[float, str, str]:
    value = -entry.accuracy.value if entry.accuracy else math.inf
    return (value, entry.name, entry.key)


def _ranked(
    rows: Sequence[tuple[Entry, _Identity]], records: Mapping[str, Record]
) -> list[tuple[Entry, _Identity]]:
    """The rows, with the ranks of those that have one."""
    contest = sorted((e for e, _ in rows if e.kind == MODEL and not e.partial), key=_best_first)
    standings = [
        Standing([s for s in records[e.key].scores if s is not None], records[e.key].clusters)
        for e in contest
    ]
    found = {e.key: rank for e, rank in zip(contest, ranks(standings), strict=True)}
    return [
        (
            replace(
                entry,
                rank=found[entry.key].rank,
                tied=found[entry.key].tied,
                above=found[entry.key].above,
            )
            if entry.key in found
            else entry,
            identity,
        )
        for entry, identity in rows
    ]


def _scored(record: Record) -> int:
    return sum(score is not None for score in record.scores)


def _entry(source: Source, reference: Record, place: int) -> Entry:
    record = source.record
    metrics, config = record.metrics, record.config
    overall = metrics.overall
    kind = _kind(record)
    same = record.digests.problems == reference.digests.problems
    return Entry(
        key=source.key,
        test=place,
        name=READERS.get(kind) or config.model.removesuffix(" (scripted)"),
        kind=kind,
        method=method_of(config) if kind in (MODEL, "blind") else "",
        rung=rung_of(config) if kind in (MODEL, "blind") else "",
        problems=_scored(record),
        accuracy=_figure(overall),
        categories=_figures(metrics.by_category),
        tasks=_figures(metrics.by_task),
        levels=_figures(metrics.by_level),
        twins=_twins_figure(metrics.twins),
        outcomes={outcome.value: overall.share(outcome) for outcome in Outcome},
        errors=overall.outcomes[Outcome.ERROR.value],
        missing=metrics.missing,
        quantities=_quantities(record),
        settings=settings_of(record),
        samples=None if source.report is None else f"runs/{source.key}.html",
        record=f"records/{source.key}.json",
        partial=kind == MODEL and not (same and metrics.complete),
    )


def _kind(record: Record) -> str:
    config = record.config
    if config.scripted:
        return {PERFECT: "perfect", RANDOM: "random"}.get(config.engine, "scripted")
    return "blind" if config.prompting.stimulus in BLIND_CONTROLS else MODEL


def _identity(record: Record) -> _Identity:
    config = record.config
    if _kind(record) != MODEL:
        return None
    return (config.model, method_of(config), rung_of(config), str(config.seed))


def _chance_entry(reference: Record, place: int, key: str) -> Entry:
    def exact(part: Slice) -> Figure:
        return Figure(part.chance, None, None, part.problems)

    metrics = reference.metrics
    twins = metrics.twins
    return Entry(
        key=f"chance-{key}",
        test=place,
        name="chance",
        kind="chance",
        problems=metrics.overall.problems,
        accuracy=exact(metrics.overall),
        categories={name: exact(part) for name, part in metrics.by_category.items()},
        tasks={name: exact(part) for name, part in metrics.by_task.items()},
        levels={name: exact(part) for name, part in metrics.by_level.items()},
        twins=None if twins is None else Figure(twins.chance, None, None, twins.groups),
    )


def _chances(slices: Mapping[str, Slice]) -> dict[str, float]:
    return {name: part.chance for name, part in slices.items()}


def _figure(part: Slice) -> Figure | None:
    if part.accuracy is None:
        return None
    return Figure(part.accuracy, part.low, part.high, part.problems)


def _figures(slices: Mapping[str, Slice]) -> dict[str, Figure]:
    found = {name: _figure(part) for name, part in slices.items()}
    return {name: figure for name, figure in found.items() if figure is not None}


def _twins_figure(twins: Twins | None) -> Figure | None:
    return None if twins is None else Figure(twins.rate, twins.low, twins.high, twins.groups)


def _quantities(record: Record) -> dict[str, float]:
    """What a run took; nothing that was not counted (scripts count no tokens)."""
    metrics = record.metrics
    replies, tokens = metrics.overall.scored, metrics.tokens
    if not replies:
        return {}
    told = {
        "tokens per reply": tokens.completion / replies,
        "thinking tokens per reply": tokens.thinking / replies,
        "prompt tokens per reply": tokens.prompt / replies,
        "seconds per reply": metrics.seconds.replies / replies,
        "cost per problem": (metrics.cost or 0.0) / metrics.overall.problems,
    }
    return {name: value for name, value in told.items() if value > 0}


def _overall(
    entries: Sequence[Entry], identities: Sequence[_Identity], columns: Sequence[int]
) -> tuple[Overall, ...]:
    found: dict[tuple[str, ...], dict[int, int]] = {}
    for place, (entry, identity) in enumerate(zip(entries, identities, strict=True)):
        if identity is not None and entry.test in columns:
            # Of two runs that are alike in all of this the better stands first.
            found.setdefault(identity, {}).setdefault(entry.test, place)
    rows = []
    for (name, method, rung, _), by_test in found.items():
        places = tuple(by_test.get(column) for column in columns)
        values = [_whole_value(entries, place) for place in places]
        known = [value for value in values if value is not None]
        mean = math.fsum(known) / len(values) if len(known) == len(values) else None
        rows.append(Overall(name, MODEL, method, rung, places, mean))

    def best_first(row: Overall) -> tuple[float, str, str, str]:
        value = math.inf if row.mean is None else -row.mean
        return (value, row.name, row.method, row.rung)

    return tuple(sorted(rows, key=best_first))


def _whole_value(entries: Sequence[Entry], place: int | None) -> float | None:
    if place is None or entries[place].partial or entries[place].accuracy is None:
        return None
    accuracy = entries[place].accuracy
    return None if accuracy is None else accuracy.value


def _gaps(
    tests: Sequence[Test], entries: Sequence[Entry], identities: Sequence[_Identity]
) -> tuple[FreshGap, ...]:
    first: dict[tuple[int, tuple[str, ...]], int] = {}
    for place, (entry, identity) in enumerate(zip(entries, identities, strict=True)):
        if identity is not None and not entry.partial:
            first.setdefault((entry.test, identity), place)
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
