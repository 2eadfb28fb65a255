from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, t

from evaluators.intervals import clustered_interval, effective_size, interval_of_means, wilson


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


def student_over_normal(freedom: int) -> float:
    return t.ppf(0.975, freedom) / 1.959964


def test_variance_between_clusters_by_hand() -> None:
    # Sums 2, 1, 0, sizes 2, mean 1/2: ((2-1)^2 + 0 + (0-1)^2) / 36 = 1/18, times 3/2 for the
    # cluster less; 0.25 / (1/12) = 3 samples.
    values = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    expected = 3 / student_over_normal(2) ** 2
    assert effective_size(values, list("aabbcc")) == pytest.approx(expected, rel=1e-6)


def test_unequal_clusters_by_hand() -> None:
    # Sums 3, 0, sizes 3, 1, mean 3/4: ((3-9/4)^2 + (0-3/4)^2) / 16 = 9/128, times 2;
    # (3/16) / (9/64) = 4/3.
    expected = 4 / 3 / student_over_normal(1) ** 2
    assert effective_size([1.0, 1.0, 1.0, 0.0], list("aaab")) == pytest.approx(expected, rel=1e-6)


def test_many_samples_of_one_problem_are_one() -> None:
    assert clustered_interval([1.0, 0.0, 1.0, 1.0], "aaaa") == pytest.approx(wilson(0.75, 1))


BITS = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=60)


@settings(deadline=None)
@given(BITS)
def test_one_sample_a_problem_is_wilson(values: list[float]) -> None:
    expected = wilson(sum(values) / len(values), len(values))
    assert clustered_interval(values, range(len(values))) == pytest.approx(expected)


@settings(deadline=None)
@given(BITS, st.integers(2, 5), st.integers(2, 3))
def test_copies_of_a_sample_tell_nothing_new(values: list[float], copies: int, more: int) -> None:
    def repeated(count: int) -> tuple[float, float]:
        clusters = [place for place in range(len(values)) for _ in range(count)]
        return clustered_interval([value for value in values for _ in range(count)], clusters)

    low, high = clustered_interval(values, range(len(values)))
    found = repeated(copies)
    assert found == pytest.approx(repeated(copies * more))
    assert found[0] <= low + 1e-9
    assert high <= found[1] + 1e-9


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9)), min_size=1, max_size=60))
def test_the_mean_lies_within(pairs: list[tuple[float, int]]) -> None:
    values, clusters = [v for v, _ in pairs], [c for _, c in pairs]
    low, high = clustered_interval(values, clusters)
    mean = sum(values) / len(values)
    assert 0 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= 1
    assert 0 < effective_size(values, clusters) <= len(values)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 0.5, 1]), st.integers(0, 5)), min_size=1, max_size=40)
)
def test_the_interval_of_one_mean_is_that_of_its_values(pairs: list[tuple[float, int]]) -> None:
    values, clusters = [value for value, _ in pairs], [cluster for _, cluster in pairs]
    found = interval_of_means([(values, clusters)])
    assert found == pytest.approx(clustered_interval(values, clusters), abs=1e-12)


def test_a_test_weighs_the_same_whatever_its_size() -> None:
    large = ([1.0] * 900 + [0.0] * 100, list(range(1000)))
    small = ([1.0] * 5 + [0.0] * 5, list(range(1000, 1010)))
    low, high = interval_of_means([large, small])
    assert low < 0.7 < high
    # Ten problems of one test are what is not known.
    alone = clustered_interval(*small)
    assert high - low > (alone[1] - alone[0]) / 2


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
