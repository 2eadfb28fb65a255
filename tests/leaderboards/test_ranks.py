"""Ranks with ties, by paired tests between neighbours."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.paired import Pair, difference, holm
from leaderboards.gaps import Share, gap
from leaderboards.ranks import Standing, ranks


def standing(right: int, of: int = 200) -> Standing:
    return stand([float(i < right) for i in range(of)], range(of))


def stand(
    scores: Sequence[float], clusters: Sequence[int], weights: Sequence[int] = ()
) -> Standing:
    whole = weights or [1] * len(scores)
    mean = sum(s * w for s, w in zip(scores, whole, strict=True)) / sum(whole)
    return Standing(mean, scores, clusters, weights)


def test_the_first_of_one_is_first() -> None:
    (only,) = ranks([standing(3)])
    assert (only.rank, only.tied, only.above) == (1, False, None)
    assert ranks([]) == []


def test_neighbours_that_cannot_be_told_apart_share_a_rank() -> None:
    found = ranks([standing(150), standing(148), standing(100), standing(99), standing(98)])
    assert [(r.rank, r.tied) for r in found] == [(1, True), (1, True), (3, True), (3, True),
                                                 (3, True)]  # fmt: skip


def test_the_p_value_is_that_of_the_comparison_after_holm() -> None:
    three = [standing(150), standing(141), standing(135)]
    alone = {
        str(i): difference(
            [Pair(str(k), *pair) for k, pair in
             enumerate(zip(three[i - 1].scores, three[i].scores, strict=True))]
        ).p_value
        for i in (1, 2)
    }  # fmt: skip
    corrected = holm(alone)
    found = ranks(three)
    for place in (1, 2):
        above = found[place].above
        assert above is not None and above.p_value == corrected[str(place)]
        assert above.test == "McNemar"
    assert found[1].above is not None and found[1].above.effect == pytest.approx(-9 / 200)
    # 9 discordant, all one way: 2/2^9; doubled by Holm, still below 5 %. 6 of 6: 2/2^6 = 0.031.
    assert alone == pytest.approx({"1": 2**-8, "2": 2**-5})
    assert [r.rank for r in found] == [1, 2, 3]


def test_weights_are_how_often_a_problem_counts() -> None:
    upper, lower = [1.0, 1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0, 0.0]
    weights = [2, 1, 1, 3, 1]
    weighed = ranks([stand(row, range(5), weights) for row in (upper, lower)])
    # The same as so many problems in one cluster each.
    places = [i for i, weight in enumerate(weights) for _ in range(weight)]
    repeated = ranks([stand([row[i] for i in places], places) for row in (upper, lower)])
    assert weighed == repeated
    assert weighed[1].above is not None and weighed[1].above.effect == -1 / 8


def test_without_holms_correction_chance_would_make_ranks() -> None:
    # Forty models of equal skill: 39 tests at 5 % would find two differences in the mean.
    worse = 0
    for seed in range(20):
        rng = random.Random(seed)
        rows = [[float(rng.random() < 0.5) for _ in range(120)] for _ in range(40)]
        rows.sort(key=sum, reverse=True)
        found = ranks([stand(row, range(120)) for row in rows])
        worse += any(rank.rank > 1 for rank in found)
    assert worse <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_ranks_count_those_before_and_never_fall(counts: list[int]) -> None:
    found = ranks([standing(n, 40) for n in sorted(counts, reverse=True)])
    numbers = [rank.rank for rank in found]
    assert numbers[0] == 1
    for place, number in enumerate(numbers):
        assert number == 1 + sum(other < number for other in numbers)
        assert found[place].tied == (numbers.count(number) > 1)
    assert numbers == sorted(numbers)


def test_a_gap_by_hand() -> None:
    found = gap(Share(0.8, 0.7, 0.9), Share(0.5, 0.44, 0.58))
    assert found.gap == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - (0.1**2 + 0.08**2) ** 0.5)
    assert found.high == pytest.approx(0.3 + (0.1**2 + 0.06**2) ** 0.5)
    assert found.flagged


def test_a_fresh_draw_that_was_easier_flags_nobody() -> None:
    assert not gap(Share(0.5, 0.45, 0.55), Share(0.7, 0.65, 0.75)).flagged
    assert not gap(Share(0.55, 0.45, 0.65), Share(0.5, 0.4, 0.6)).flagged
