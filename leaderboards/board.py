"""The figures of a board: which rows there are, how they are grouped and ranked.

Conventions
-----------
* Runs on different data (by digest) or in different modalities are different
  tests and never share a table: each pair makes a group.
* Shares and accuracies are in [0, 1]. ``low`` and ``high`` bound the 95 % interval
  and are None where a figure has none (chance is exact).
* A group's reference is its model run with the most scored problems (where there
  is no model, any run). A run is partial that has no scored reply to one of the
  reference's problems. Only whole runs of models are ranked.
* A rank is one more than the number of ranked runs whose whole interval lies
  above this run's interval, so runs that the intervals cannot tell apart share it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchgen.problem import Outcome
from evaluators.run_directory import RunRecord, Slice, Twins
from leaderboards.blind import Blind
from leaderboards.records import PERFECT, RANDOM

MODEL = "model"
READERS = {"perfect": "perfect reader", "random": "random reader"}
CLIMB = 3
"""A report is linked when it lies at most so many folders above the page."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A share with its interval, over so many problems."""

    value: float
    low: float | None
    high: float | None
    problems: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. ``kind`` is ``model``, or that of a baseline: ``perfect``, ``random``,
    ``scripted`` (readers that follow a script), ``chance``, ``blind``.

    ``sampling`` says in a few words how the replies were drawn, or which predictor it is.
    ``problems`` counts those with a scored reply. ``tokens`` is the mean length of
    a reply in tokens; ``report`` is a relative address, or None.
    """

    name: str
    kind: str
    problems: int
    accuracy: Figure | None
    categories: Mapping[str, Figure]
    tasks: Mapping[str, Figure]
    levels: Mapping[str, Figure]
    twins: Figure | None = None
    outcomes: Mapping[str, float] | None = None
    errors: int = 0
    missing: int = 0
    tokens: float | None = None
    sampling: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    report: str | None = None
    partial: bool = False
    rank: int | None = None

    @property
    def baseline(self) -> bool:
        """The row is a yardstick, not a model."""
        return self.kind != MODEL

    @property
    def run(self) -> bool:
        """The row comes from a run and so has details to show."""
        return self.outcomes is not None


@dataclass(frozen=True, slots=True)
class Group:
    """One table: runs on the same data in the same modality, best first.

    ``chance`` and the maps beside it are exact, by option counts; ``problems`` is
    how many the reference answered, of the ``data_problems`` that there are.
    """

    suite: str
    suite_version: str
    split: str
    modality: str
    digest: str
    problems: int
    data_problems: int
    chance: float
    chance_by_category: Mapping[str, float]
    chance_by_task: Mapping[str, float]
    chance_by_level: Mapping[str, float]
    blind: float | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """All that the page shows."""

    title: str
    groups: tuple[Group, ...]


def make_board(
    runs: Sequence[RunRecord], title: str, out: Path, blind: Blind | None = None
) -> Board:
    """The board of ``runs``, for a page in the folder ``out`` (reports are linked from there)."""
    tests: dict[tuple[str, str, str], list[RunRecord]] = {}
    for run in runs:
        config = run.config
        tests.setdefault((config.data.suite, config.modality, config.data.digest), []).append(run)
    order = sorted(tests, key=lambda key: (key[0], key[1] != "text", key[1], key[2]))
    return Board(title, tuple(_group(tests[key], out, blind) for key in order))


def ranked(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries best first, with their ranks."""
    contest = [e.accuracy for e in entries if _ranks(e) and e.accuracy is not None]

    def rank(entry: Entry) -> int | None:
        own = entry.accuracy
        if own is None or not _ranks(entry):
            return None
        return 1 + sum(_above(other, own) for other in contest)

    def place(entry: Entry) -> tuple[float, str]:
        return (-entry.accuracy.value if entry.accuracy else math.inf, entry.name)

    return tuple(replace(e, rank=rank(e)) for e in sorted(entries, key=place))


def _ranks(entry: Entry) -> bool:
    return entry.kind == MODEL and not entry.partial


def _above(other: Figure, own: Figure) -> bool:
    low = other.value if other.low is None else other.low
    high = own.value if own.high is None else own.high
    return low > high


def _group(runs: Sequence[RunRecord], out: Path, blind: Blind | None) -> Group:
    models = [run for run in runs if not run.config.scripted]
    reference = max(models or runs, key=lambda run: len(_scored(run)))
    asked = _scored(reference)
    data = reference.config.data
    metrics = reference.metrics
    entries = [_entry(run, asked, out) for run in runs]
    entries.append(_chance_entry(reference))
    share = None
    if blind is not None and blind.measured_on(data.suite, data.split, metrics.by_task):
        share = blind.share
        entries.append(
            Entry(
                name="best blind predictor",
                kind="blind",
                sampling=blind.name,
                problems=len(asked),
                accuracy=Figure(share, None, None, len(asked)),
                categories={},
                tasks={},
                levels={},
            )
        )
    return Group(
        suite=data.suite,
        suite_version=data.suite_version,
        split=data.split,
        modality=reference.config.modality,
        digest=data.digest,
        problems=len(asked),
        data_problems=data.problems,
        chance=metrics.overall.chance,
        chance_by_category=_chances(metrics.by_category),
        chance_by_task=_chances(metrics.by_task),
        chance_by_level=_chances(metrics.by_level),
        blind=share,
        entries=ranked(entries),
    )


def _scored(run: RunRecord) -> frozenset[str]:
    return frozenset(p.problem for p in run.problems if p.score is not None)


def _entry(run: RunRecord, asked: frozenset[str], out: Path) -> Entry:
    metrics, config = run.metrics, run.config
    overall = metrics.overall
    kind = _kind(run)
    return Entry(
        name=READERS.get(kind) or display_name(config.model).removesuffix(" (scripted)"),
        kind=kind,
        problems=len(_scored(run)),
        accuracy=_figure(overall),
        categories=_figures(metrics.by_category),
        tasks=_figures(metrics.by_task),
        levels=_figures(metrics.by_level),
        twins=_twins_figure(metrics.twins),
        outcomes={outcome.value: overall.share(outcome) for outcome in Outcome},
        errors=overall.outcomes[Outcome.ERROR.value],
        missing=metrics.missing,
        tokens=_tokens(run),
        sampling=_sampling(run),
        settings=_settings(run),
        report=report_address(run.report, out),
        partial=not asked <= _scored(run) or not metrics.complete,
    )


def _kind(run: RunRecord) -> str:
    if not run.config.scripted:
        return MODEL
    return {PERFECT: "perfect", RANDOM: "random"}.get(run.config.engine, "scripted")


def _chance_entry(reference: RunRecord) -> Entry:
    def exact(part: Slice) -> Figure:
        return Figure(part.chance, None, None, part.problems)

    metrics = reference.metrics
    twins = metrics.twins
    return Entry(
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


def _tokens(run: RunRecord) -> float | None:
    """The mean over the replies; None where none were counted (scripts count none)."""
    total, replies = run.metrics.tokens.completion, run.metrics.overall.scored
    return total / replies if total and replies else None


def _sampling(run: RunRecord) -> str:
    """What a reader must know to compare two rows, in a few words."""
    config = run.config
    if config.scripted:
        return ""
    words = ["greedy" if config.temperature == 0 else f"temperature {config.temperature:g}"]
    if config.samples > 1:
        words.append(f"{config.samples} samples a problem")
    return ", ".join(words)


def _settings(run: RunRecord) -> tuple[tuple[str, str], ...]:
    config, metrics = run.config, run.metrics
    rows = [
        ("engine", config.engine),
        ("samples a problem", str(config.samples)),
        ("temperature, top-p", f"{config.temperature:g}, {config.top_p:g}"),
        ("token limit", f"{config.max_tokens:,}"),
        ("seed", str(config.seed)),
        ("prompt tokens", f"{metrics.tokens.prompt:,}"),
        ("reply tokens", f"{metrics.tokens.completion:,}"),
        ("time", f"{metrics.seconds.wall:,.1f} s"),
        ("benchgen", config.benchgen_version),
    ]
    if not config.scripted:
        rows += [(str(name), _brief(value)) for name, value in config.settings.items()]
    return tuple(rows)


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_brief(part)}" for name, part in value.items())
    return display_name(str(value))


def display_name(name: str) -> str:
    """The name without the folders of the machine on which a local model lies."""
    return os.path.basename(name.rstrip("/")) if os.path.isabs(name) else name


def report_address(report: Path | None, out: Path) -> str | None:
    """The report's address relative to ``out``, None where it lies too far away.

    A page that is moved together with its runs keeps its links; one whose runs
    lie elsewhere on the disk names no folder of the machine.
    """
    if report is None:
        return None
    target, folder = report.resolve(), out.resolve()
    shared = os.path.commonpath((target, folder))
    address = Path(os.path.relpath(target, folder))
    if shared == folder.anchor or address.parts.count("..") > CLIMB:
        return None
    return address.as_posix()
