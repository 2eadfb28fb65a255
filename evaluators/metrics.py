"""What a run comes to: accuracy with intervals, outcomes, twins, tokens, seconds.

Conventions
-----------
* Accuracy is the mean score over the samples that got a reply; unparsed and
  truncated replies count as wrong there. A sample without a reply (an engine's
  error, or never asked) is not wrong: it counts in ``outcomes`` or ``missing``
  and makes the run incomplete.
* Shares are of all samples on record, errors included.
* Intervals are 95 %, clustered by what is not independent: the twin group, the stimulus
  that outside questions share, or else the problem (``intervals.py``).
* A group of twins (as many problems as they have options) is all right in an
  epoch when every one of its problems is. A group that lacks a problem or a
  reply in an epoch is not counted in it. Chance: one over the options to
  the power of the options.
* Seconds: ``wall`` is the time in which any session of the run was between its
  beginning and its last reply, so that jobs side by side count once; ``replies`` sums
  what the engine took for each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchgen.errors import InputError
from benchgen.problem import Outcome
from evaluators.at_k import AtK, Estimate, Measure, measure_at
from evaluators.intervals import clustered_interval
from evaluators.journal import Sample


@dataclass(frozen=True, slots=True)
class Slice:
    """One row of a table: the samples of a task, a category, a level, or all.

    ``scored`` is the number of samples with a reply; ``accuracy``, ``low`` and
    ``high`` are None where there is none. ``chance`` is what guessing comes to.
    ``outcomes`` counts all samples by outcome, every outcome named.
    """

    problems: int
    samples: int
    scored: int
    accuracy: float | None
    low: float | None
    high: float | None
    chance: float
    outcomes: Mapping[str, int]

    def share(self, outcome: Outcome) -> float:
        """The part of all samples that had this outcome (0 of none)."""
        return self.outcomes[outcome.value] / self.samples if self.samples else 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What twins are judged by: one sample's ``score``, None without a reply."""

    twin_group: str
    epoch: int
    options: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Twins:
    """The all-twins-right rate: ``groups`` counts group times epoch."""

    groups: int
    all_right: int
    rate: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """Sums over all replies; ``cached`` is part of ``prompt``, ``thinking`` of ``completion``."""

    prompt: int
    completion: int
    cached: int
    thinking: int


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost; ``cached`` are those of the prompt that were cached."""

    prompt: float
    completion: float
    cached: float

    def cost(self, tokens: Tokens) -> float:
        """What the tokens cost, in the prices' currency."""
        return (
            (tokens.prompt - tokens.cached) * self.prompt
            + tokens.cached * self.cached
            + tokens.completion * self.completion
        ) / 1e6


@dataclass(frozen=True, slots=True)
class Seconds:
    """Time of the run: on the clock, and summed over the replies."""

    wall: float
    replies: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """All of ``metrics.json``. Keys of ``by_level`` are levels in digits; those of
    ``by_task_level`` are ``task:level``. ``twins`` is None without twins.
    """

    wanted: int
    missing: int
    complete: bool
    overall: Slice
    by_category: Mapping[str, Slice]
    by_task: Mapping[str, Slice]
    by_level: Mapping[str, Slice]
    by_task_level: Mapping[str, Slice]
    at_k: Mapping[str, AtK]
    twins: Twins | None
    tokens: Tokens
    seconds: Seconds
    cost: float | None


def parse_prices(text: str) -> Prices:
    """The prices that ``prompt,completion`` or ``prompt,completion,cached`` gives.

    Without one of their own, cached tokens cost what others of the prompt do.

    Raises
    ------
    InputError
        These are not two or three numbers of 0 or more.
    """
    try:
        figures = [float(part) for part in text.split(",")]
    except ValueError:
        figures = []
    if len(figures) not in (2, 3) or not all(math.isfinite(f) and f >= 0 for f in figures):
        raise InputError(f"prices are prompt,completion or prompt,completion,cached, not {text!r}")
    return Prices(figures[0], figures[1], figures[2] if len(figures) == 3 else figures[0])


def compute_metrics(
    samples: Sequence[Sample],
    wanted: int,
    measures: Sequence[Measure] = (),
    prices: Prices | None = None,
) -> Metrics:
    """The metrics over ``samples``, of the ``wanted`` ones that the run is to have."""
    missing = wanted - len(samples)
    tokens = Tokens(
        prompt=sum(sample.prompt_tokens for sample in samples),
        completion=sum(sample.completion_tokens for sample in samples),
        cached=sum(sample.cached_tokens for sample in samples),
        thinking=sum(sample.thinking_tokens for sample in samples),
    )
    return Metrics(
        wanted=wanted,
        missing=missing,
        complete=missing == 0 and not any(sample.failed for sample in samples),
        overall=_slice(samples),
        by_category=_slices(samples, lambda sample: sample.category),
        by_task=_slices(samples, lambda sample: sample.task),
        by_level=_slices(samples, lambda sample: sample.level),
        by_task_level={
            f"{task}:{level}": part
            for task in sorted({sample.task for sample in samples})
            for level, part in _slices(
                (sample for sample in samples if sample.task == task),
                lambda sample: sample.level,
            ).items()
        },
        at_k={measure.name: measure_at(measure, samples) for measure in measures},
        twins=twins_all_right(
            Answer(s.twin_group, s.epoch, s.options, None if s.failed else s.value)
            for s in samples
        ),
        tokens=tokens,
        seconds=Seconds(
            wall=_wall_seconds(samples),
            replies=math.fsum(sample.seconds for sample in samples),
        ),
        cost=None if prices is None else prices.cost(tokens),
    )


def twins_all_right(answers: Iterable[Answer]) -> Twins | None:
    """How often every problem of a group is right; None where there is no whole group."""
    groups: dict[tuple[str, int], list[Answer]] = {}
    for answer in answers:
        groups.setdefault((answer.twin_group, answer.epoch), []).append(answer)
    values: list[float] = []
    names: list[str] = []
    chances: list[float] = []
    for (name, _), members in groups.items():
        size = members[0].options
        if size < 2 or len(members) != size or any(m.score is None for m in members):
            continue
        values.append(float(all(member.score == 1.0 for member in members)))
        names.append(name)
        chances.append(float(size) ** -size)
    if not values:
        return None
    low, high = clustered_interval(values, names)
    return Twins(
        groups=len(values),
        all_right=int(sum(values)),
        rate=sum(values) / len(values),
        low=low,
        high=high,
        chance=math.fsum(chances) / len(chances),
    )


def metrics_to_json(metrics: Metrics) -> dict[str, Any]:
    """A JSON object from which ``metrics_from_json`` makes equal metrics.

    Each slice also holds its ``shares``, for readers that do not compute.
    """

    def table(slices: Mapping[str, Slice]) -> dict[str, Any]:
        return {name: _slice_to_json(part) for name, part in slices.items()}

    twins = metrics.twins
    return {
        "wanted": metrics.wanted,
        "missing": metrics.missing,
        "complete": metrics.complete,
        "overall": _slice_to_json(metrics.overall),
        "by_category": table(metrics.by_category),
        "by_task": table(metrics.by_task),
        "by_level": table(metrics.by_level),
        "by_task_level": table(metrics.by_task_level),
        "at_k": {name: dataclasses.asdict(measured) for name, measured in metrics.at_k.items()},
        "twins": None if twins is None else {n: getattr(twins, n) for n in Twins.__slots__},
        "tokens": {name: getattr(metrics.tokens, name) for name in Tokens.__slots__},
        "seconds": {name: getattr(metrics.seconds, name) for name in Seconds.__slots__},
        "cost": metrics.cost,
    }


def metrics_from_json(record: Mapping[str, Any]) -> Metrics:
    """The metrics that ``metrics_to_json`` wrote.

    Raises
    ------
    KeyError, TypeError
        The record is not one of ours.
    """

    def table(name: str) -> dict[str, Slice]:
        return {key: _slice_from_json(part) for key, part in record[name].items()}

    return Metrics(
        wanted=record["wanted"],
        missing=record["missing"],
        complete=record["complete"],
        overall=_slice_from_json(record["overall"]),
        by_category=table("by_category"),
        by_task=table("by_task"),
        by_level=table("by_level"),
        by_task_level=table("by_task_level"),
        at_k={name: _at_k_from_json(measured) for name, measured in record["at_k"].items()},
        twins=None if record["twins"] is None else Twins(**record["twins"]),
        tokens=Tokens(**record["tokens"]),
        seconds=Seconds(**record["seconds"]),
        cost=record["cost"],
    )


def _slices(samples: Iterable[Sample], name: Callable[[Sample], Any]) -> dict[str, Slice]:
    parts: dict[Any, list[Sample]] = {}
    for sample in samples:
        parts.setdefault(name(sample), []).append(sample)
    return {str(key): _slice(parts[key]) for key in sorted(parts)}


def _slice(samples: Sequence[Sample]) -> Slice:
    outcomes = {outcome.value: 0 for outcome in Outcome}
    for sample in samples:
        outcomes[sample.outcome.value] += 1
    scored = [sample for sample in samples if not sample.failed]
    accuracy = low = high = None
    if scored:
        values = [sample.value for sample in scored]
        accuracy = math.fsum(values) / len(values)
        low, high = clustered_interval(values, [sample.cluster for sample in scored])
    guesses = [1 / sample.options if sample.options else 0.0 for sample in samples]
    return Slice(
        problems=len({sample.problem for sample in samples}),
        samples=len(samples),
        scored=len(scored),
        accuracy=accuracy,
        low=low,
        high=high,
        chance=math.fsum(guesses) / len(guesses) if guesses else 0.0,
        outcomes=outcomes,
    )


def _wall_seconds(samples: Iterable[Sample]) -> float:
    lengths: dict[int, float] = {}
    for sample in samples:
        lengths[sample.session] = max(lengths.get(sample.session, 0.0), sample.elapsed)
    first = min(lengths, default=0)
    wall, over = 0.0, -math.inf
    for session in sorted(lengths):
        # Counted from the first, to lose no digits of a time since 1970.
        began = (session - first) / 1000
        ended = began + lengths[session]
        wall += max(0.0, ended - max(began, over))
        over = max(over, ended)
    return wall


def _slice_to_json(part: Slice) -> dict[str, Any]:
    record: dict[str, Any] = {name: getattr(part, name) for name in Slice.__slots__}
    record["outcomes"] = dict(part.outcomes)
    record["shares"] = {outcome.value: part.share(outcome) for outcome in Outcome}
    return record


def _at_k_from_json(record: Mapping[str, Any]) -> AtK:
    def table(name: str) -> dict[str, Estimate]:
        return {key: Estimate(**estimate) for key, estimate in record[name].items()}

    return AtK(Estimate(**record["overall"]), table("by_category"), table("by_level"))


def _slice_from_json(record: Mapping[str, Any]) -> Slice:
    return Slice(**{name: record[name] for name in Slice.__slots__})
