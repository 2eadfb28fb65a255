"""The rows of a board: what each says of one run, or of a baseline that needs none.

Conventions
-----------
* Shares and accuracies are in [0, 1]. ``low`` and ``high`` bound the 95 % interval
  and are None where a figure has none (chance is exact).
* A run is partial that is not complete, or on other problems than its test's reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchgen.problem import Outcome
from evaluators.run_directory import Slice, Twins
from leaderboards.blind import Blind
from leaderboards.method import BLIND_CONTROLS, method_of, rung_of, settings_of
from leaderboards.ranks import Above
from leaderboards.record import Record
from leaderboards.records import PAGES, PERFECT, RANDOM, RECORDS, Source

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

    ``key`` names the row in addresses and files. ``method`` tells how replies were got,
    ``rung`` what might be spent on a problem, and ``seed`` the run's; that is None for chance and
    the predictor, which are no runs. ``problems`` counts those with a scored reply.
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
    seed: int | None = None
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

    @property
    def identity(self) -> tuple[object, ...]:
        """What rows of several tests have in common where they are of one model, or baseline."""
        return (self.kind, self.name, self.method, self.rung, self.seed)


def run_entry(source: Source, reference: Record, place: int) -> Entry:
    """The row of a run in the test ``place``, whose reference is ``reference``."""
    record = source.record
    metrics, config = record.metrics, record.config
    overall = metrics.overall
    kind = kind_of(record)
    same = record.digests.problems == reference.digests.problems
    return Entry(
        key=source.key,
        test=place,
        name=READERS.get(kind) or config.model.removesuffix(" (scripted)"),
        kind=kind,
        method=method_of(config) if kind in (MODEL, "blind") else "",
        rung=rung_of(config) if kind in (MODEL, "blind") else "",
        seed=config.seed,
        problems=scored_problems(record),
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
        samples=None if source.report is None else f"{PAGES}/{source.key}.html",
        record=f"{RECORDS}/{source.key}.json",
        partial=not (same and metrics.complete),
    )


def scored_problems(record: Record) -> int:
    """How many problems have a score."""
    return sum(score is not None for score in record.scores)


def kind_of(record: Record) -> str:
    """``Entry.kind`` of a run."""
    config = record.config
    if config.scripted:
        return {PERFECT: "perfect", RANDOM: "random"}.get(config.engine, "scripted")
    return "blind" if config.prompting.stimulus in BLIND_CONTROLS else MODEL


def chance_entry(reference: Record, place: int, key: str) -> Entry:
    """The row of chance in the test ``place``, which is called ``key``."""

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


def blind_entry(blind: Blind, problems: int, place: int, key: str) -> Entry:
    """The row of the best predictor of an audit."""
    return Entry(
        key=f"blind-{key}",
        test=place,
        name="best blind predictor",
        kind="blind",
        method=blind.name,
        problems=problems,
        accuracy=Figure(blind.share, None, None, problems),
        categories={},
        tasks={},
        levels={},
    )


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
