from __future__ import annotations

import itertools
import math
import operator
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from evaluators import paired
from evaluators.paired import Pair, difference, holm, paired_test


def binary(better: int, worse: int, both: int = 0, neither: int = 0) -> list[Pair]:
    values = [(0.0, 1.0)] * better + [(1.0, 0.0)] * worse + [(1.0, 1.0)] * both
    values += [(0.0, 0.0)] * neither
    return [Pair(f"g{place}", *value) for place, value in enumerate(values)]


def test_mcnemar_by_hand() -> None:
    # 8 against 2 discordant: 2 * P(X <= 2) of ten fair coins.
    found = difference(binary(8, 2, 5, 5))
    assert found.test == "McNemar"
    assert found.p_value == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert (found.problems, found.better, found.worse) == (20, 8, 2)
    assert (found.first, found.second, found.effect) == pytest.approx((0.35, 0.65, 0.3))


@pytest.mark.parametrize(
    ("better", "worse"), [(0, 0), (1, 0), (0, 7), (5, 5), (6, 5), (30, 12), (400, 511)]
)
def test_mcnemar_is_the_binomial_test(better: int, worse: int) -> None:
    known = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert difference(binary(better, worse, 3, 3)).p_value == pytest.approx(known, rel=1e-9)


def test_interval_as_bonett_and_price_print_it() -> None:
    # Their equation: (f12 + 1) / (n + 2) and (f21 + 1) / (n + 2), an ordinary Wald interval.
    better, worse, rest = 8, 2, 10
    n = better + worse + rest
    up, down = (better + 1) / (n + 2), (worse + 1) / (n + 2)
    half = 1.959964 * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    found = difference(binary(better, worse, rest))
    assert (found.low, found.high) == pytest.approx((up - down - half, up - down + half), abs=1e-6)


def test_runs_that_never_differ_are_not_told_apart_and_not_sure_either() -> None:
    found = difference(binary(0, 0, 30, 20))
    assert (found.effect, found.p_value, found.detectable) == (0.0, 1.0, None)
    assert found.low < 0 < found.high
    assert difference([Pair("g", 0.5, 0.5)] * 3).p_value == 1.0


def test_sign_flip_by_hand() -> None:
    # Differences 1/2, 1/4, 1/4: of eight flips two are as far out.
    pairs = [Pair("a", 0.25, 0.75), Pair("b", 0.5, 0.75), Pair("c", 0.0, 0.25)]
    found = difference(pairs)
    assert (found.test, found.p_value) == ("sign flip", pytest.approx(2 / 8))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=9))
def test_sign_flip_counts_every_flip(quarters: list[tuple[int, int]]) -> None:
    pairs = [Pair(f"g{i // 2}", a / 4, b / 4) for i, (a, b) in enumerate(quarters)]
    sums: dict[str, int] = {}
    for i, (a, b) in enumerate(quarters):
        sums[f"g{i // 2}"] = sums.get(f"g{i // 2}", 0) + b - a
    seen = abs(sum(sums.values()))
    flips = list(itertools.product((1, -1), repeat=len(sums)))
    far = sum(
        abs(sum(map(operator.mul, signs, sums.values()))) >= seen for signs in flips
    )  # fmt: skip
    test, p_value = paired_test(pairs)
    if test == "sign flip":
        assert p_value == pytest.approx(far / len(flips), abs=1e-12)


def test_sign_flip_of_many_thirds_is_not_left_to_chance() -> None:
    # Six times as many problems as all flips could be counted for; McNemar's of the same.
    pairs = binary(2_100, 1_900, 500, 500)
    thirds = [Pair(p.group, p.first / 3, p.second / 3) for p in pairs]
    (test, p_value), whole = paired_test(thirds), paired_test(pairs)
    assert (test, whole[0]) == ("sign flip", "McNemar")
    assert p_value == pytest.approx(whole[1], rel=1e-9)


def test_a_p_value_is_never_less_than_one_flip_in_all() -> None:
    assert paired_test([Pair(f"g{i}", 0.0, 0.5) for i in range(200)])[1] == 2.0**-199


def test_scores_without_a_common_unit_are_flipped_at_random(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(5)
    pairs = [Pair(f"g{i}", rng.randint(0, 4) / 4, rng.randint(1, 5) / 5) for i in range(60)]
    exact = paired_test(pairs)[1]
    monkeypatch.setattr(paired, "FINEST", 2)
    assert paired_test(pairs)[1] == pytest.approx(exact, abs=0.02)
    assert paired_test(pairs)[1] != exact


def test_sign_flip_of_halves_is_mcnemar_of_wholes() -> None:
    whole = difference(binary(40, 20, 60, 80))
    halves = difference(
        [Pair(p.group, p.first / 2, p.second / 2) for p in binary(40, 20, 60, 80)]
    )
    assert halves.test == "sign flip"
    assert halves.p_value == pytest.approx(whole.p_value, rel=1e-9)
    assert halves.effect == pytest.approx(whole.effect / 2)


def test_twins_that_fall_together_count_once() -> None:
    alone = difference(binary(6, 0, 0, 6))
    twins = [Pair(p.group, p.first, p.second) for p in binary(6, 0, 0, 6) for _ in range(4)]
    together = difference(twins)
    assert (together.problems, together.clusters) == (48, 12)
    assert together.test == "sign flip"
    assert together.effect == alone.effect
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert together.p_value == pytest.approx(alone.p_value)


def test_order_of_problems_does_not_matter() -> None:
    rng = random.Random(2)
    pairs = [Pair(f"g{i % 40}", rng.randint(0, 4) / 4, rng.randint(0, 4) / 4) for i in range(160)]
    shuffled = rng.sample(pairs, len(pairs))
    one, other = difference(pairs), difference(shuffled)
    assert one.effect == pytest.approx(other.effect)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9)


def test_holm_by_hand() -> None:
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03})
    assert corrected == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.2}) == pytest.approx({"a": 0.2})


def test_no_pairs_have_no_difference() -> None:
    with pytest.raises(ValueError, match="no problem"):
        difference([])


def test_detectable_effect_is_detected_in_four_runs_of_five() -> None:
    rng = random.Random(11)

    def pairs(rise: float) -> list[Pair]:
        return [
            Pair(f"g{i}", float(rng.random() < 0.4), float(rng.random() < 0.4 + rise))
            for i in range(400)
        ]

    rise = difference(pairs(0.1)).detectable
    assert rise is not None
    found = sum(difference(pairs(rise)).p_value < 0.05 for _ in range(400))
    # Exact McNemar is a little less powerful than the t test that is solved.
    assert binom.ppf(1e-4, 400, 0.74) <= found <= binom.ppf(1 - 1e-4, 400, 0.83)
