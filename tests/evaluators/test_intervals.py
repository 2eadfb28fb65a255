from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from evaluators.intervals import clustered_interval, effective_size, wilson


@pytest.mark.parametrize(("right", "size"), [(0, 10), (10, 10), (3, 10), (50, 100), (1, 1)])
def test_wilson_equals_scipys(right: int, size: int) -> None:
    reference = binomtest(right, size).proportion_ci(method="wilson")
    assert wilson(right / size, size) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_wilson_of_fifty_in_a_hundred_as_printed_in_tables() -> None:
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=5e-5)


@pytest.mark.parametrize(("mean", "size"), [(0.5, 0), (1.5, 10), (-0.1, 10)])
def test_no_interval_of_nonsense(mean: float, size: float) -> None:
    with pytest.raises(ValueError, match="positive size"):
        wilson(mean, size)


def test_variance_between_clusters_by_hand() -> None:
    # Sums 2, 1, 0, sizes 2, mean 1/2: ((2-1)^2 + 0 + (0-1)^2) / 36 = 1/18; 0.25 / (1/18) = 4.5.
    values = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert effective_size(values, list("aabbcc")) == pytest.approx(4.5)


def test_unequal_clusters_by_hand() -> None:
    # Sums 3, 0, sizes 3, 1, mean 3/4: ((3-9/4)^2 + (0-3/4)^2) / 16 = 9/128; (3/16)/(9/128) = 8/3.
    assert effective_size([1.0, 1.0, 1.0, 0.0], list("aaab")) == pytest.approx(8 / 3)


BITS = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=60)


@settings(deadline=None)
@given(BITS)
def test_one_sample_a_problem_is_wilson(values: list[float]) -> None:
    expected = wilson(sum(values) / len(values), len(values))
    assert clustered_interval(values, range(len(values))) == pytest.approx(expected)


@settings(deadline=None)
@given(BITS, st.integers(2, 5))
def test_copies_of_a_sample_tell_nothing_new(values: list[float], copies: int) -> None:
    repeated = [value for value in values for _ in range(copies)]
    clusters = [place for place in range(len(values)) for _ in range(copies)]
    expected = clustered_interval(values, range(len(values)))
    assert clustered_interval(repeated, clusters) == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9)), min_size=1, max_size=60))
def test_the_mean_lies_within(pairs: list[tuple[float, int]]) -> None:
    values, clusters = [v for v, _ in pairs], [c for _, c in pairs]
    low, high = clustered_interval(values, clusters)
    mean = sum(values) / len(values)
    assert 0 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= 1
    assert 1 <= effective_size(values, clusters) <= len(values)


def test_clustered_intervals_cover_where_plain_ones_do_not() -> None:
    rng = random.Random(3)
    runs, covered, plain = 600, 0, 0
    for _ in range(runs):
        values, clusters = [], []
        for problem in range(80):
            ability = rng.betavariate(0.5, 1.0)  # mean 1/3, and problems far apart
            values += [float(rng.random() < ability) for _ in range(4)]
            clusters += [problem] * 4
        low, high = clustered_interval(values, clusters)
        covered += low <= 1 / 3 <= high
        low, high = wilson(sum(values) / len(values), len(values))
        plain += low <= 1 / 3 <= high
    assert 0.925 <= covered / runs <= 0.975
    assert plain / runs < 0.85
