"""What the scores of a record earn: its slices, chance and twins, from the problems themselves.

Conventions
-----------
* A record states figures of tasks, categories and levels, and its scores by problem. Which problem
  is of which task only the dataset says: with it the figures follow from the scores.
* Where each problem has one score of one sample, all of them follow; where it has the mean of
  several, their intervals and the twins do not; where samples are missing or failed, which weigh
  a problem, its accuracies do not; where samples are missing, chance does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from evaluators.intervals import clustered_interval
from evaluators.metrics import Answer, twins_all_right
from evaluators.run_directory import Slice, Twins
from leaderboards.digests import Placed
from leaderboards.record import ROUNDING, Record


def unearned(record: Record, problems: Sequence[Placed]) -> str | None:
    """What the record states that its scores do not earn, or None.

    ``problems`` are those of its scores, in their order.
    """
    return next(_unearned(record, problems), None)


def _unearned(record: Record, problems: Sequence[Placed]) -> Iterator[str]:
    metrics = record.metrics
    tables: dict[str, tuple[Mapping[str, Slice], Callable[[Placed], str]]] = {
        "": ({"": metrics.overall}, lambda p: ""),
        "category ": (metrics.by_category, lambda p: p.category),
        "task ": (metrics.by_task, lambda p: p.task),
        "level ": (metrics.by_level, lambda p: str(p.level)),
        "task and level ": (metrics.by_task_level, lambda p: f"{p.task}:{p.level}"),
    }
    for kind, (stated, name_of) in tables.items():
        places: dict[str, list[int]] = {}
        for place, problem in enumerate(problems):
            places.setdefault(name_of(problem), []).append(place)
        if places.keys() != stated.keys():
            yield f"each {kind.strip()} that there is, and no other"
            continue
        for name, part in stated.items():
            if not _is_earned(record, part, places[name], problems):
                yield f"{kind}{name}".strip() or "the whole"
    if not _are_same_twins(metrics.twins, _twins(record, problems)):
        yield "the twins"


def _is_earned(
    record: Record, part: Slice, places: Sequence[int], problems: Sequence[Placed]
) -> bool:
    if part.problems != len(places):
        return False
    samples = record.config.samples
    if record.metrics.missing == 0:
        guesses = [1 / problems[i].options if problems[i].options else 0.0 for i in places]
        if not _same(part.chance, math.fsum(guesses) / len(guesses)):
            return False
        if part.samples != samples * len(places):
            return False
    scores = [record.scores[place] for place in places]
    known = [score for score in scores if score is not None]
    if len(known) < len(scores) or part.scored != samples * len(places):
        return True
    if not _same(part.accuracy, math.fsum(known) / len(known)):
        return False
    if samples > 1:
        return True
    low, high = clustered_interval(known, [record.clusters[place] for place in places])
    return _same(part.low, low) and _same(part.high, high)


def _twins(record: Record, problems: Sequence[Placed]) -> Twins | None:
    """The twins, as far as they follow; else as they are stated."""
    if record.config.samples > 1 or None in record.scores or record.metrics.missing:
        return record.metrics.twins
    return twins_all_right(
        Answer(problem.twin_group, 0, problem.options, score)
        for problem, score in zip(problems, record.scores, strict=True)
    )


def _same(stated: float | None, earned: float) -> bool:
    return stated is not None and abs(stated - earned) <= ROUNDING


def _are_same_twins(stated: Twins | None, earned: Twins | None) -> bool:
    if stated is None or earned is None:
        return stated is earned
    counted = (stated.groups, stated.all_right) == (earned.groups, earned.all_right)
    names = ("rate", "low", "high", "chance")
    return counted and all(_same(getattr(stated, n), getattr(earned, n)) for n in names)
