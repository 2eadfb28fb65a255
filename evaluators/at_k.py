"""What a model reaches with k tries at a problem: avg@k, pass@k, maj@k.

Conventions
-----------
* A problem's ``n`` samples are those with a reply, in the order of their epochs.
  One with fewer than k of them has no value at k: it is left out and counted, and
  is not wrong.
* ``avg@k``: the mean score of the first k samples.
* ``pass@k``: the chance that at least one of k samples is right, estimated without
  bias from all n as ``1 - C(n - c, k) / C(n, k)`` with c of them right (Chen et al.,
  "Evaluating Large Language Models Trained on Code", 2021, equation 1).
* ``maj@k``: the answer that most of k samples give, right or not. Every reply that was
  read casts a vote; unparsed and truncated ones cast none. Of answers that share the
  lead each is taken as likely, so the value is the right one's share of the lead; with
  no vote at all it is 0. The n samples are cut into ``n // k`` blocks of k in a row,
  and the value is the mean over them.
* Intervals are 95 %, clustered as accuracy's are (``metrics.py``). Those of pass@k and
  maj@k take a problem's value for one sample, and are wider than they need be where it is
  a fraction.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchgen.errors import InputError
from benchgen.problem import Outcome
from evaluators.intervals import clustered_interval
from evaluators.journal import Sample

_NAME = re.compile(r"(avg|pass|maj)@([1-9]\d{0,5})")


@dataclass(frozen=True, slots=True)
class Measure:
    """One of ``avg``, ``pass`` and ``maj``, at ``k``."""

    kind: str
    k: int

    @property
    def name(self) -> str:
        """As it is written: ``pass@4``."""
        return f"{self.kind}@{self.k}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure's mean over ``problems``; ``left_out`` had fewer than k samples.

    ``value``, ``low`` and ``high`` are None where there is no problem.
    """

    problems: int
    left_out: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class AtK:
    """A measure over all problems, by category, and by level (in digits)."""

    overall: Estimate
    by_category: Mapping[str, Estimate]
    by_level: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class _Problem:
    first: Sample
    value: float | None
    samples: Sequence[Sample]


def parse_measure(text: str) -> Measure:
    """The measure that ``avg@4``, ``pass@8`` or ``maj@16`` names.

    Raises
    ------
    InputError
        It names none.
    """
    found = _NAME.fullmatch(text)
    if found is None:
        raise InputError(f"a measure is avg@k, pass@k or maj@k, such as pass@4, not {text!r}")
    return Measure(found[1], int(found[2]))


def value_at(measure: Measure, samples: Sequence[Sample]) -> float | None:
    """The measure of one problem; None if it has fewer than k samples with a reply."""
    replied = _replied(samples)
    k = measure.k
    if len(replied) < k:
        return None
    match measure.kind:
        case "avg":
            return math.fsum(_first(replied, k)) / k
        case "pass":
            right = sum(sample.outcome is Outcome.CORRECT for sample in replied)
            return pass_at(len(replied), right, k)
        case _:
            blocks = [replied[start : start + k] for start in range(0, len(replied) - k + 1, k)]
            return math.fsum(map(_majority, blocks)) / len(blocks)


def pass_at(samples: int, right: int, k: int) -> float:
    """The unbiased estimate of the chance that at least one of k is right.

    ``right`` of ``samples`` were, and ``k`` is at most ``samples``.
    """
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def measure_at(measure: Measure, samples: Iterable[Sample]) -> AtK:
    """The measure over the samples of a run."""
    by_problem: dict[str, list[Sample]] = {}
    for sample in samples:
        by_problem.setdefault(sample.problem, []).append(sample)
    problems = [_Problem(m[0], value_at(measure, m), m) for m in by_problem.values()]

    def table(name: Callable[[Sample], str | int]) -> dict[str, Estimate]:
        parts: dict[str | int, list[_Problem]] = {}
        for problem in problems:
            parts.setdefault(name(problem.first), []).append(problem)
        return {str(key): _estimate(measure, parts[key]) for key in sorted(parts)}

    return AtK(
        overall=_estimate(measure, problems),
        by_category=table(lambda first: first.category),
        by_level=table(lambda first: first.level),
    )


def _majority(block: Sequence[Sample]) -> float:
    votes = Counter(
        sample.extracted
        for sample in block
        if sample.outcome in (Outcome.CORRECT, Outcome.WRONG) and sample.extracted is not None
    )
    if not votes:
        return 0.0
    most = max(votes.values())
    leaders = [answer for answer, count in votes.items() if count == most]
    return (block[0].target in leaders) / len(leaders)


def _estimate(measure: Measure, problems: Sequence[_Problem]) -> Estimate:
    known = [problem for problem in problems if problem.value is not None]
    if not known:
        return Estimate(0, len(problems), None, None, None)
    # A mean of samples is as sure as its samples make it; the others have one value a problem.
    values, groups = [], []
    for problem in known:
        averaged = measure.kind == "avg"
        parts = _first(problem.samples, measure.k) if averaged else [problem.value or 0.0]
        values += parts
        groups += [problem.first.cluster] * len(parts)
    low, high = clustered_interval(values, groups)
    return Estimate(
        problems=len(known),
        left_out=len(problems) - len(known),
        value=math.fsum(values) / len(values),
        low=low,
        high=high,
    )


def _replied(samples: Iterable[Sample]) -> list[Sample]:
    return sorted((s for s in samples if not s.failed), key=lambda sample: sample.epoch)


def _first(samples: Iterable[Sample], k: int) -> list[float]:
    return [sample.value for sample in _replied(samples)[:k]]
