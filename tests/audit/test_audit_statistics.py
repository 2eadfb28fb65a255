"""The tests and bounds against other implementations and against counting."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchgen.audit.statistics import (
    detectable,
    holm,
    null_pvalue,
    planned_items,
    upper_bound,
)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (2, 10), (9, 10), (250, 1000), (300, 1000)])
def test_pvalue_is_twice_the_smaller_binomial_tail(hits: int, n: int) -> None:
    tails = [
        stats.binomtest(hits, n, 0.25, alternative=side).pvalue for side in ("less", "greater")
    ]
    assert null_pvalue(hits, {4: n}) == pytest.approx(min(1.0, 2 * min(tails)))


def test_mixed_numbers_of_options_are_counted_exactly() -> None:
    sizes = {2: 3, 3: 2, 4: 2}
    shares = [1 / k for k, n in sizes.items() for _ in range(n)]
    mass = [0.0] * (len(shares) + 1)
    for outcome in itertools.product((0, 1), repeat=len(shares)):
        weight = math.prod(p if hit else 1 - p for hit, p in zip(outcome, shares, strict=True))
        mass[sum(outcome)] += weight
    for hits in range(len(mass)):
        tails = min(sum(mass[: hits + 1]), sum(mass[hits:]))
        assert null_pvalue(hits, sizes) == pytest.approx(min(1.0, 2 * tails))


def test_mixed_sizes_of_a_large_sample_agree_with_the_normal_law() -> None:
    sizes = {3: 9000, 4: 20000, 5: 11000}
    mean = sum(n / k for k, n in sizes.items())
    spread = math.sqrt(sum(n / k * (1 - 1 / k) for k, n in sizes.items()))
    hits = round(mean + 3 * spread)
    assert null_pvalue(hits, sizes) == pytest.approx(2 * stats.norm.sf(3), rel=0.05)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_pvalue_is_a_probability(case: tuple[int, int]) -> None:
    n, hits = case
    assert 0.0 <= null_pvalue(hits, {4: n}) <= 1.0


def test_pvalues_of_fair_keys_are_not_too_small() -> None:
    hits = np.random.default_rng(1).binomial(200, 0.25, 4000)
    p = np.array([null_pvalue(int(h), {4: 200}) for h in hits])
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level + 3 * math.sqrt(level / 4000)


@pytest.mark.parametrize(("hits", "n"), [(0, 50), (13, 50), (5100, 20000), (49, 50)])
def test_upper_bound_is_where_so_few_hits_become_unlikely(hits: int, n: int) -> None:
    bound = upper_bound(hits, n, 0.001)
    assert stats.binom.cdf(hits, n, bound) == pytest.approx(0.001)


def test_upper_bound_of_nothing_but_hits_is_one() -> None:
    assert upper_bound(30, 30, 0.01) == 1.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert len(holm([])) == 0


def test_planned_number_makes_both_errors_rare() -> None:
    tests, n = 5000, planned_items(5000)
    threshold = 0.27
    worst = stats.norm.isf(0.01 / tests)
    spread = math.sqrt(0.25 * 0.75 / n)
    # A predictor at chance, unlucky as one in ``tests`` / 0.01, still passes.
    unlucky = round(n * (0.25 + worst * spread))
    assert upper_bound(unlucky, n, 0.01 / tests) == pytest.approx(threshold, abs=5e-4)


def test_twenty_thousand_items_find_leaks_of_two_points() -> None:
    assert detectable(20_000, 4000) < 0.021
    assert detectable(500, 4000) > 0.1
