"""Two models on the same problems: how far apart, and how surely.

Conventions
-----------
* A problem's value is the mean score of its samples with a reply; a problem that lacks
  one in either run is left out. The effect is the mean over problems of the second run's
  value less the first's.
* Twins, and outside questions on one stimulus, are alike: they make one cluster, whose
  difference is the sum over its problems.
* The test: exact McNemar where every value is 0 or 1 and every cluster one problem;
  else a sign-flip test on the clusters' differences, exact where these are whole numbers
  of some unit (means of a few verdicts are), else of ``FLIPS`` random flips. Both are
  two-sided and hold for any number of problems.
* The interval, 95 %: the normal one for the mean difference between clusters, after one
  cluster wholly for each side is added (Bonett and Price, "Adjusted Wald confidence
  interval for a difference of binomial proportions based on paired data", Journal of
  Educational and Behavioral Statistics 37, 2012). It may hold zero where the test
  rejects, and the other way about, near the edge.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

CONFIDENCE = 0.95
FLIPS = 9_999
FINEST = 1_000
"""The smallest unit is one over so many."""
MOST_UNITS = 1 << 20
"""Differences that sum up to more units than these are flipped at random."""
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
    apart = _apart(pairs)
    count = len(pairs)
    test, p_value = _test(pairs, apart)
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
        test=test,
        p_value=p_value,
        detectable=_detectable(apart, count),
    )


def paired_test(pairs: Sequence[Pair]) -> tuple[str, float]:
    """The name of the test over ``pairs``, at least one, and its p-value.

    Raises
    ------
    ValueError
        There are no pairs.
    """
    return _test(pairs, _apart(pairs))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p-values corrected for there being several (Holm 1979)."""
    from statsmodels.stats.multitest import multipletests

    corrected = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, corrected), strict=True))


def _apart(pairs: Sequence[Pair]) -> list[float]:
    """The clusters' differences."""
    if not pairs:
        raise ValueError("no problem has a reply in both runs")
    sums: dict[str, float] = {}
    for pair in pairs:
        sums[pair.group] = sums.get(pair.group, 0.0) + pair.second - pair.first
    return list(sums.values())


def _test(pairs: Sequence[Pair], apart: Sequence[float]) -> tuple[str, float]:
    single = len(apart) == len(pairs) and all(
        value in (0.0, 1.0) for pair in pairs for value in (pair.first, pair.second)
    )
    return ("McNemar", _mcnemar(pairs)) if single else ("sign flip", _sign_flip(apart))


def _mcnemar(pairs: Sequence[Pair]) -> float:
    from scipy.special import bdtr

    better = sum(pair.second > pair.first for pair in pairs)
    worse = sum(pair.second < pair.first for pair in pairs)
    # A fair coin's tails are alike: twice the smaller one.
    return min(1.0, 2 * float(bdtr(min(better, worse), better + worse, 0.5)))


def _sign_flip(apart: Sequence[float]) -> float:
    units = _in_units(apart)
    return _random_flips(apart) if units is None else _all_flips(units)


def _in_units(apart: Sequence[float]) -> list[int] | None:
    """The values as whole numbers of their common unit; None where they have none."""
    parts = [Fraction(value).limit_denominator(FINEST) for value in apart]
    if any(abs(part - Fraction(value)) > 1e-9 for part, value in zip(parts, apart, strict=True)):
        return None
    unit = math.lcm(*(part.denominator for part in parts))
    units = [int(part * unit) for part in parts]
    return units if sum(map(abs, units)) <= MOST_UNITS else None


def _all_flips(units: Sequence[int]) -> float:
    """Among all flips of signs, the share whose sum is as far from 0 as that of ``units``.

    The sum of values with random signs has the characteristic function ``prod(cos(v t))``,
    whose inverse Fourier transform is the distribution on the whole numbers.
    """
    import numpy as np
    from scipy.fft import next_fast_len

    moved = Counter(abs(value) for value in units if value)
    reach = sum(value * times for value, times in moved.items())
    size = next_fast_len(2 * reach + 1)
    angles = 2 * np.pi * np.arange(size) / size
    function = np.ones(size)
    for value, times in moved.items():
        function *= np.cos(value * angles) ** times
    shares = np.fft.ifft(function).real
    seen = abs(sum(units))
    if seen == 0:
        return 1.0
    least = 2.0 ** (1 - sum(moved.values()))  # Rounding may fall below what can be.
    return min(1.0, max(2 * float(shares[seen : reach + 1].sum()), least))


def _random_flips(apart: Sequence[float]) -> float:
    import numpy as np
    from scipy.stats import permutation_test

    # What is alike in both runs is the same whichever way it is flipped.
    moved = np.array([value for value in apart if value != 0.0])
    result = permutation_test(
        (moved,),
        lambda values, axis: np.mean(values, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=FLIPS,
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
