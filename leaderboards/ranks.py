"""Ranks with ties: two neighbours share one where the paired test cannot tell them apart.

Conventions
-----------
* Runs stand best first. Each is tested against the one above it, on the problems, by the
  test of ``benchgen compare`` (exact McNemar, or a sign-flip test for means and twins); the
  p-values are corrected by Holm's method for there being several.
* A run begins a new rank where its corrected p-value is below ``ALPHA``; else it shares the rank
  of the one above. A rank is one more than the number of runs with a better one.
* A tie says that neighbours were not told apart. It is no chain of equals: the first and the
  last of many that share a rank may well differ, which ``benchgen compare`` tells.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from operator import mul

from evaluators.paired import ALPHA, Pair, holm, paired_test


@dataclass(frozen=True, slots=True)
class Standing:
    """One run: its ``mean``, and by problem ``scores`` and ``clusters``, of the same length.

    ``weights``, if there are any, are whole numbers above 0: what each problem counts in the test.
    """

    mean: float
    scores: Sequence[float]
    clusters: Sequence[Hashable]
    weights: Sequence[int] = ()

    @property
    def weighed(self) -> Sequence[float]:
        """The scores times their weights."""
        return list(map(mul, self.scores, self.weights)) if self.weights else self.scores


@dataclass(frozen=True, slots=True)
class Above:
    """A run against the one above it: how much less it has, and the corrected p-value."""

    effect: float
    p_value: float
    test: str


@dataclass(frozen=True, slots=True)
class Rank:
    """``tied`` tells that others have it, too; ``above`` is None for the first."""

    rank: int
    tied: bool
    above: Above | None


def ranks(standings: Sequence[Standing]) -> list[Rank]:
    """The ranks of runs on the same problems, given best first."""
    tests = {
        str(place): _test(standings[place - 1], standings[place])
        for place in range(1, len(standings))
    }
    corrected = holm({place: p for place, (_, p) in tests.items()}) if tests else {}
    numbers: list[int] = []
    for place in range(len(standings)):
        told = place == 0 or corrected[str(place)] < ALPHA
        numbers.append(place + 1 if told else numbers[-1])
    found = []
    for place, number in enumerate(numbers):
        above = None
        if place:
            effect = standings[place].mean - standings[place - 1].mean
            above = Above(effect, corrected[str(place)], tests[str(place)][0])
        found.append(Rank(number, numbers.count(number) > 1, above))
    return found


def _test(upper: Standing, lower: Standing) -> tuple[str, float]:
    return paired_test(
        [
            Pair(str(cluster), first, second)
            for cluster, first, second in zip(
                upper.clusters, upper.weighed, lower.weighed, strict=True
            )
        ]
    )
