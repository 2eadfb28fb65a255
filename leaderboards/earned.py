"""What the scores of a record earn: its slices, chance and twins, from the problems themselves.

Conventions
-----------
* A record states figures of tasks, categories and levels, and its scores by problem. Which problem
  is of which task only the dataset says: with it the figures follow from the scores.
* A problem's score is the mean of its samples. Where each sample has one, accuracies follow, and
  so do their intervals, which know of a cluster's sum and size alone. Twins, which are judged by
  each sample, follow from one sample a problem; of several only their number and chance do.
* Where one of a problem's several samples failed the problem weighs less in its slices than what
  the record holds can tell: these are not held against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluators.intervals import clustered_interval
from evaluators.metrics import Answer, Twins, twins_all_right
from evaluators.placing import Place
from evaluators.run_directory import Metrics, Slice
from leaderboards.record import ROUNDING, Record


@dataclass(frozen=True, slots=True)
class Part:
    """The problems of one slice, as places in the order of the scores, and their mean chance."""

    places: tuple[int, ...]
    chance: float


Table = Mapping[str, Part]

_TABLES: dict[str, tuple[Callable[[Metrics], Mapping[str, Slice]], Callable[[Place], str]]] = {
    "all": (lambda m: {"problems": m.overall}, lambda p: "problems"),
    "category": (lambda m: m.by_category, lambda p: p.category),
    "task": (lambda m: m.by_task, lambda p: p.task),
    "level": (lambda m: m.by_level, lambda p: str(p.level)),
    "task and level": (lambda m: m.by_task_level, lambda p: f"{p.task}:{p.level}"),
}


def tables_of(problems: Sequence[Place]) -> dict[str, Table]:
    """The slices of a dataset's problems, by the kind of slice."""
    return {kind: _table(problems, name_of) for kind, (_, name_of) in _TABLES.items()}


def unearned(
    record: Record, problems: Sequence[Place], tables: Mapping[str, Table]
) -> str | None:
    """What the record states that its scores do not earn, or None.

    ``problems`` are those of its scores, in their order, and ``tables`` their ``tables_of``.
    """
    return next(_unearned(record, problems, tables), None)


def _table(problems: Sequence[Place], name_of: Callable[[Place], str]) -> Table:
    places: dict[str, list[int]] = {}
    for place, problem in enumerate(problems):
        places.setdefault(name_of(problem), []).append(place)
    return {name: Part(tuple(found), _chance(problems, found)) for name, found in places.items()}


def _chance(problems: Sequence[Place], places: Sequence[int]) -> float:
    guesses = [1 / problems[i].options if problems[i].options else 0.0 for i in places]
    return math.fsum(guesses) / len(guesses)


def _unearned(
    record: Record, problems: Sequence[Place], tables: Mapping[str, Table]
) -> Iterator[str]:
    for kind, (stated_in, _) in _TABLES.items():
        stated = stated_in(record.metrics)
        if stated.keys() != tables[kind].keys():
            yield f"each {kind} that there is, and no other"
            continue
        for name, part in stated.items():
            if not _is_earned(record, part, tables[kind][name]):
                yield f"{kind} {name}"
    if not _are_earned_twins(record, problems):
        yield "the twins"


def _is_earned(record: Record, stated: Slice, part: Part) -> bool:
    samples = record.config.samples
    if stated.problems != len(part.places):
        return False
    if record.metrics.missing == 0 and not (
        stated.samples == samples * stated.problems and _is_same(stated.chance, part.chance)
    ):
        return False
    scores = [score for i in part.places if (score := record.scores[i]) is not None]
    clusters = [record.clusters[i] for i in part.places if record.scores[i] is not None]
    if stated.scored != samples * len(scores):
        return samples > 1
    if not scores:
        return stated.accuracy is stated.low is stated.high is None
    low, high = clustered_interval(scores * samples, clusters * samples)
    return (
        _is_same(stated.accuracy, math.fsum(scores) / len(scores))
        and _is_same(stated.low, low)
        and _is_same(stated.high, high)
    )


def _are_earned_twins(record: Record, problems: Sequence[Place]) -> bool:
    stated, samples = record.metrics.twins, record.config.samples
    earned = twins_all_right(
        Answer(problem.twin_group, 0, problem.options, score)
        for problem, score in zip(problems, record.scores, strict=True)
    )
    if samples == 1:
        return _are_same_twins(stated, earned)
    if record.metrics.missing or record.metrics.overall.scored < samples * len(problems):
        return stated is None or _is_same(stated.rate, stated.all_right / max(1, stated.groups))
    if stated is None or earned is None:
        return stated is earned
    return (
        stated.groups == samples * earned.groups
        and _is_same(stated.rate, stated.all_right / stated.groups)
        and _is_same(stated.chance, earned.chance)
    )


def _are_same_twins(stated: Twins | None, earned: Twins | None) -> bool:
    if stated is None or earned is None:
        return stated is earned
    counted = (stated.groups, stated.all_right) == (earned.groups, earned.all_right)
    names = ("rate", "low", "high", "chance")
    return counted and all(_is_same(getattr(stated, n), getattr(earned, n)) for n in names)


def _is_same(stated: float | None, earned: float) -> bool:
    return stated is not None and abs(stated - earned) <= ROUNDING
