"""Two models on the same problems: how far apart, and how surely.

Conventions
-----------
* A problem's value is the mean score of its samples with a reply; a problem that lacks
  one in either run is left out. The effect is the mean over problems of the second run's
  value less the first's.
* Twins, and outside questions on one stimulus, are alike: they make one cluster, whose
  difference is the sum over its problems.
* The test: exact McNemar where every value is 0 or 1 and every cluster one problem;
  else a sign-flip test on the clusters' differences (exact up to 2^12 flips, then of
  ``FLIPS`` random ones). Both are two-sided and hold for any number of problems.
* The interval, 95 %: the normal one for the mean difference between clusters, after one
  cluster wholly for each side is added (Bonett and Price, "Adjusted Wald confidence
  interval for a difference of binomial proportions based on paired data", Journal of
  Educational and Behavioral Statistics 37, 2012). It may hold zero where the test
  rejects, and the other way about, near the edge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

CONFIDENCE = 0.95
FLIPS = 9_999
EXACT_CLUSTERS = 12
POWER = 0.8
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """One problem's values in the first and the second run."""

    group: str
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The second run against the first over ``problems`` in ``clusters``.

    ``test`` is ``"McNemar"`` or ``"sign flip"``. ``detectable`` is the smallest effect
    that as many clusters show with 80 % power at 5 %, as far apart as these are; None
    where that is not known: the clusters are fewer than three, or all differ alike.
    """

    problems: int
    clusters: int
    first: float
    second: float
    effect: float
    low: float
    high: float
    better: int
    worse: int
    test: str
    p_value: float
    detectable: float | None


def difference(pairs: Sequence[Pair]) -> Difference:
    """The difference over ``pairs``, at least one.

    Raises
    ------
    ValueError
        There are no pairs.
    """
    if not pairs:
        raise ValueError("no problem has a reply in both runs")
    sums: dict[str, float] = {}
    for pair in pairs:
        sums[pair.group] = sums.get(pair.group, 0.0) + pair.second - pair.first
    count = len(pairs)
    apart = list(sums.values())
    single = len(apart) == count and all(
        value in (0.0, 1.0) for pair in pairs for value in (pair.first, pair.second)
    )
    low, high = _interval(apart, count)
    return Difference(
        problems=count,
        clusters=len(apart),
        first=math.fsum(pair.first for pair in pairs) / count,
        second=math.fsum(pair.second for pair in pairs) / count,
        effect=math.fsum(apart) / count,
        low=low,
        high=high,
        better=sum(pair.second > pair.first for pair in pairs),
        worse=sum(pair.second < pair.first for pair in pairs),
        test="McNemar" if single else "sign flip",
        p_value=_mcnemar(pairs) if single else _sign_flip(apart),
        detectable=_detectable(apart, count),
    )


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p-values corrected for there being several (Holm 1979)."""
    from statsmodels.stats.multitest import multipletests

    corrected = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, corrected), strict=True))


def _mcnemar(pairs: Sequence[Pair]) -> float:
    from scipy.stats import binomtest

    better = sum(pair.second > pair.first for pair in pairs)
    worse = sum(pair.second < pair.first for pair in pairs)
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def _sign_flip(apart: Sequence[float]) -> float:
    import numpy as np
    from scipy.stats import permutation_test

    # What is alike in both runs is the same whichever way it is flipped.
    moved = np.array([value for value in apart if value != 0.0])
    if not len(moved):
        return 1.0
    few = len(moved) <= EXACT_CLUSTERS
    result = permutation_test(
        (moved,),
        lambda values, axis: np.mean(values, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=math.inf if few else FLIPS,
        batch=max(1, 4_000_000 // len(moved)),
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def _interval(apart: Sequence[float], problems: int) -> tuple[float, float]:
    from scipy.stats import norm

    # A wholly won and a wholly lost cluster, of as many problems as clusters have.
    size = problems / len(apart)
    values = [*apart, size, -size]
    count = len(values)
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / count / count)
    low, high = norm.interval(CONFIDENCE, loc=mean, scale=spread)
    return max(-1.0, float(low) / size), min(1.0, float(high) / size)


def _detectable(apart: Sequence[float], problems: int) -> float | None:
    count = len(apart)
    mean = math.fsum(apart) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in apart) / max(1, count - 1))
    if spread == 0 or count < 3:
        return None
    return min(1.0, _smallest_effect(count) * spread * count / problems)


@lru_cache(maxsize=256)
def _smallest_effect(count: int) -> float:
    """In standard deviations, what a t test over so many finds with ``POWER``."""
    import numpy as np
    from statsmodels.stats.power import TTestPower

    # A number, or an array of one.
    found = TTestPower().solve_power(nobs=count, alpha=ALPHA, power=POWER)
    return float(np.asarray(found).item())
