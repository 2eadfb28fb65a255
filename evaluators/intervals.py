"""Confidence intervals for a mean of scores in [0, 1], clustered by problem.

Conventions
-----------
* Samples of one problem (or of one group of twins) are not independent, so the
  variance of the mean is taken between clusters: with cluster sums ``s``,
  cluster sizes ``m`` and mean ``p``, ``sum((s - m p)^2) / (sum m)^2``.
* The interval is Wilson's, at the number of independent samples that would have
  that variance (Kish's effective sample size), less what not knowing the variance
  costs: it is estimated with one cluster less than there are, and the number is
  reduced by the squared ratio of the normal quantile to Student's (Korn and
  Graubard, "Confidence intervals for proportions with small expected number of
  positive counts estimated from survey data", Survey Methodology 24, 1998).
* With one sample a cluster it is Wilson's interval exactly. One cluster counts as one
  sample. Where every score is alike the data tell nothing of the clustering, and
  every cluster counts once.
* How often it holds the truth: ``tests/evaluators/test_coverage.py``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache
from statistics import NormalDist

CONFIDENCE = 0.95

Group = tuple[Sequence[float], Sequence[Hashable]]
"""Values and their clusters, of the same length, at least 1."""


def wilson(mean: float, size: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval for ``mean`` over ``size`` independent samples.

    Raises
    ------
    ValueError
        ``size`` is not positive, or ``mean`` is outside [0, 1].
    """
    if size <= 0 or not 0 <= mean <= 1:
        raise ValueError(f"a mean in [0, 1] over a positive size, not {mean} over {size}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    shrink = 1 + z * z / size
    centre = (mean + z * z / (2 * size)) / shrink
    half = z * math.sqrt(mean * (1 - mean) / size + z * z / (4 * size * size)) / shrink
    low = 0.0 if mean == 0 else max(0.0, centre - half)
    high = 1.0 if mean == 1 else min(1.0, centre + half)
    return low, high


def effective_size(
    values: Sequence[float], clusters: Sequence[Hashable], confidence: float = CONFIDENCE
) -> float:
    """How many independent samples tell as much of the mean as these do.

    ``values`` and ``clusters`` have the same length, at least 1. The result is above 0 and
    at most the number of values.
    """
    return _size_of_means([(values, clusters)], math.fsum(values) / len(values), confidence)


def _size_of_means(groups: Sequence[Group], mean: float, confidence: float) -> float:
    """The same of the mean of several groups' means, which is ``mean``."""
    count = len(groups)
    residuals: dict[Hashable, float] = {}
    apart = 0.0
    for values, clusters in groups:
        own = math.fsum(values) / len(values)
        for value, cluster in zip(values, clusters, strict=True):
            share = (value - own) / (count * len(values))
            residuals[cluster] = residuals.get(cluster, 0.0) + share
        apart += 1 / len(set(clusters))
    found, spread = len(residuals), mean * (1 - mean)
    if found == 1 or spread <= 0:
        return min(count**2 / apart, found)
    independent = count**2 / math.fsum(1 / len(values) for values, _ in groups)
    if count == 1 and found == independent:
        return independent
    variance = math.fsum(part**2 for part in residuals.values()) * found / (found - 1)
    size = independent if variance * independent <= spread else spread / variance
    return size * _quantile_ratio(found - 1, confidence) ** 2


@lru_cache(maxsize=1024)
def _quantile_ratio(freedom: int, confidence: float) -> float:
    """The normal quantile over Student's."""
    from scipy.stats import norm, t

    tail = (1 + confidence) / 2
    return float(norm.ppf(tail) / t.ppf(tail, freedom))


def interval_of_means(
    groups: Sequence[Group], confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The interval for the mean of several groups' means, each weighing the same.

    A group is its values and their clusters, which may be those of other groups, too. It is
    Wilson's at the number of samples that would have the variance of the clusters' weighted
    residuals, each from the mean of its group; at most as if all values were independent and
    spread as they are together, so that a few values of one group that are all alike do not count
    as sure. Of one group it is ``clustered_interval``.
    """
    means = [math.fsum(values) / len(values) for values, _ in groups]
    mean = min(1.0, max(0.0, math.fsum(means) / len(means)))
    return wilson(mean, _size_of_means(groups, mean, confidence), confidence)


def clustered_interval(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """The interval for the mean of ``values``, samples of a cluster being alike."""
    mean = math.fsum(values) / len(values)
    size = effective_size(values, clusters, confidence)
    return wilson(min(1.0, max(0.0, mean)), size, confidence)
