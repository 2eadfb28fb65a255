"""Columns, ranks and shares: what predictors are computed from."""

from __future__ import annotations

import numpy as np
import pytest

from benchgen.audit.attributes import SuiteReading, generic_attributes, suite_reading
from benchgen.audit.offers import RANK_STEP, measure, ranked
from benchgen.audit.tables import fit_table, traits
from benchgen.audit.view import BlindView, blind_view, mixed, text_hashes
from benchgen.errors import InputError


def small(options: list[list[str]], keys: list[int] | None = None) -> BlindView:
    return blind_view("t/x", 1, "test", ["Q?"] * len(options), options,
                      keys or [0] * len(options))  # fmt: skip


def test_key_that_is_no_option_is_refused() -> None:
    with pytest.raises(InputError, match="not one of"):
        small([["a", "b"]], [2])
    with pytest.raises(InputError, match="not one of"):
        small([["a", "b"], []], [0, 0])


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="length"):
        blind_view("t/x", 1, "test", ["Q?"], [["a", "b"]] * 2, [0, 0])


def test_items_with_fewer_options_are_filled_and_masked() -> None:
    view = small([["a", "b", "c"], ["b", "d"]])
    assert view.sizes.tolist() == [3, 2]
    assert view.chance == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert view.offered.tolist() == [[True, True, True], [True, True, False]]


def test_previous_key_is_of_the_item_before() -> None:
    assert small([["a", "b"]] * 3, [1, 0, 1]).metadata["previous key"].tolist() == [-1, 1, 0]


def test_rank_counts_those_below_and_those_equal() -> None:
    values = np.array([[3.0, 1.0, 3.0, 2.0]])
    codes = ranked(values, np.ones((1, 4), dtype=bool))[0]
    assert [divmod(int(c), RANK_STEP) for c in codes] == [(2, 2), (0, 1), (2, 2), (1, 1)]


def test_rank_ignores_places_without_an_option() -> None:
    values = np.array([[3.0, 1.0, -9.0]])
    codes = ranked(values, np.array([[True, True, False]]))[0]
    assert [divmod(int(c), RANK_STEP) for c in codes] == [(1, 1), (0, 1), (0, 0)]


def test_shares_count_the_others_with_the_same_word() -> None:
    offers = measure(small([["C major", "C minor", "D major", "E major"]]), SuiteReading())
    assert offers.shares["word 1"].tolist() == [[1, 1, 0, 0]]
    assert offers.shares["word 2"].tolist() == [[2, 0, 2, 2]]


def test_measurement_that_never_differs_is_dropped() -> None:
    offers = measure(small([["aa", "bb"], ["cc", "dd"]]), SuiteReading())
    assert "length" not in offers.measures
    assert "alphabetical" in offers.measures


def test_mirror_image_of_a_measurement_is_dropped() -> None:
    def twice(option: str) -> dict[str, float | str]:
        return {"up": float(option), "down": -float(option)}

    offers = measure(small([["1", "20", "3"], ["30", "2", "1"]]), SuiteReading(twice))
    assert not {"up", "down"} <= set(offers.measures)


def test_hashes_are_the_same_in_every_view() -> None:
    one = measure(small([["a", "b"]]), SuiteReading())
    other = measure(small([["c", "b"], ["b", "a"]]), SuiteReading())
    assert one.option[0, 0] == other.option[1, 1]
    assert one.option_set[0] == other.option_set[1]


def test_mixing_depends_on_the_order_of_the_parts() -> None:
    a, b = text_hashes(["a", "b"])
    assert mixed(a, b) != mixed(b, a)


def test_rate_table_learns_a_letter_bias() -> None:
    offers = measure(small([["a", "b"], ["b", "a"]] * 50, [1, 1] * 50), SuiteReading())
    table = fit_table(traits(offers)["letter"], offers)
    scores = table.score(offers)
    assert (scores[:, 1] > 0.9).all()
    assert (scores[:, 0] < 0.1).all()


def test_rate_table_says_chance_of_what_it_never_met() -> None:
    learned = measure(small([["a", "b"]] * 10), SuiteReading())
    table = fit_table(traits(learned)["rate of the option"], learned)
    asked = measure(small([["c", "a"]]), SuiteReading())
    assert table.score(asked)[0, 0] == pytest.approx(0.5)
    assert table.score(asked)[0, 1] > 0.8


def test_generic_attributes_read_numbers_signs_and_words() -> None:
    found = generic_attributes("after notes 4, 7 and 11")
    assert (found["first number"], found["last number"], found["sum of numbers"]) == (4, 11, 22)
    assert generic_attributes("C D | E F |")["count of |"] == 2
    assert generic_attributes("C")["without case"] == generic_attributes("c")["without case"]


def test_unknown_suite_has_generic_attributes_alone() -> None:
    assert suite_reading("no_such_suite").option_attributes("C natural") == {}
