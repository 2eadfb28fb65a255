"""Exact tests and bounds for the number of right guesses.

Conventions
-----------
* A predictor that was not fitted on the items it is scored on hits an item of k
  options with probability exactly 1/k when the key is fair, whatever else is known
  of the question and its options. So its hits are Binomial(n, 1/k), or, with mixed
  numbers of options, a sum of independent binomials. No simulation is needed.
* Clopper-Pearson bounds the mean accuracy; by Hoeffding (1956) it remains valid when
  items differ in their probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from benchgen.audit.view import FloatArray

_NEGLIGIBLE = 1e-40


def null_pvalue(hits: int, sizes: Mapping[int, int]) -> float:
    """Two-sided exact p-value of ``hits`` when every key is fair.

    ``sizes`` maps a number of options to the number of items that have it. Both sides
    count: "never the middle one" is as much a leak as "always the middle one".
    """
    lower, upper = _tails(hits, sizes)
    return min(1.0, 2.0 * min(lower, upper))


def upper_bound(hits: int, scored: int, error: float) -> float:
    """Clopper-Pearson: the accuracy is below this with confidence 1 - ``error``."""
    if hits >= scored:
        return 1.0
    return float(stats.beta.ppf(1.0 - error, hits + 1, scored - hits))


def holm(pvalues: Sequence[float]) -> FloatArray:
    """Adjusted p-values: those at or below e are the ones rejected at family error e."""
    p = np.asarray(pvalues, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def planned_items(
    tests: int, chance: float = 0.25, margin: float = 0.02, error: float = 0.01
) -> int:
    """How many items let a fair design pass.

    With this many scored items, ``tests`` simultaneous upper bounds at confidence
    1 - ``error`` all fall within ``chance + margin`` for predictors that are truly at
    chance, except with probability ``error``. With fewer, fair classes are refused.
    """
    quantile = float(stats.norm.isf(error / max(tests, 1)))
    variance = (chance + margin / 2) * (1 - chance - margin / 2)
    return math.ceil((2 * quantile / margin) ** 2 * variance)


def detectable(scored: int, tests: int, chance: float = 0.25, error: float = 0.01) -> float:
    """The excess over chance that is found with 95 % power (normal approximation)."""
    quantile = float(stats.norm.isf(error / (2 * max(tests, 1)))) + float(stats.norm.isf(0.05))
    return quantile * math.sqrt(chance * (1 - chance) / scored)


def _tails(hits: int, sizes: Mapping[int, int]) -> tuple[float, float]:
    """P(hits or fewer) and P(hits or more)."""
    parts = [(count, 1.0 / k) for k, count in sorted(sizes.items()) if count]
    (count, share), rest = parts[-1], parts[:-1]
    support, weights = np.zeros(1, dtype=np.int64), np.ones(1)
    for other, probability in rest:
        span = np.arange(other + 1)
        mass = stats.binom.pmf(span, other, probability)
        kept = mass > _NEGLIGIBLE
        first = int(span[kept][0])
        weights = np.convolve(weights, mass[kept])
        support = np.arange(len(weights)) + int(support[0]) + first
    lower = float(weights @ stats.binom.cdf(hits - support, count, share))
    upper = float(weights @ stats.binom.sf(hits - support - 1, count, share))
    return lower, upper
