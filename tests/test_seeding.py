"""Item keys, draws, splits and permutations."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchgen.seeding import Draw, digest, hex_key, permuted, split_of, split_share


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest(1, 23) != digest(12, 3)


def test_neighbouring_seeds_share_no_choices() -> None:
    draws = [Draw("task", seed) for seed in range(500)]
    streams = {tuple(draw.below(2**64) for _ in range(4)) for draw in draws}
    values = Counter(value for stream in streams for value in stream)
    assert len(streams) == 500
    assert max(values.values()) == 1


def test_a_draw_is_the_same_in_every_process() -> None:
    code = (
        "from benchgen.seeding import Draw; d = Draw('x', 1); "
        "print([d.below(1000) for _ in range(5)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("0", "1", "77")
    }  # fmt: skip
    assert outputs == {f"{_first_five()}\n"}


def _first_five() -> list[int]:
    draw = Draw("x", 1)
    return [draw.below(1000) for _ in range(5)]


def test_known_draws_never_change() -> None:
    draw = Draw("golden")
    assert [draw.below(n) for n in (2, 3, 10, 1000, 2**40)] == [1, 2, 3, 978, 841000318177]


@given(st.integers(1, 50), st.text(max_size=5))
def test_below_is_in_range(n: int, key: str) -> None:
    draw = Draw(key)
    assert all(0 <= draw.below(n) < n for _ in range(30))


def test_below_is_unbiased_where_the_range_is_no_power_of_two() -> None:
    draw = Draw("bias")
    counts = Counter(draw.below(3) for _ in range(30_000))
    # Six standard deviations of a fair three-way draw.
    assert all(abs(count - 10_000) < 490 for count in counts.values())


@given(st.lists(st.integers(), max_size=30, unique=True), st.integers(0, 99))
def test_shuffle_loses_and_doubles_nothing(items: list[int], key: int) -> None:
    shuffled = list(items)
    Draw(key).shuffle(shuffled)
    assert sorted(shuffled) == sorted(items)


@given(st.integers(1, 40), st.integers(0, 99))
def test_a_sample_has_no_place_twice(size: int, key: int) -> None:
    sample = Draw(key).sample(range(size), size // 2)
    assert len(set(sample)) == size // 2


@given(st.integers(1, 700), st.integers(0, 9))
def test_a_keyed_permutation_is_one(size: int, key: int) -> None:
    assert sorted(permuted(digest(key), size, rank) for rank in range(size)) == list(range(size))


def test_permutations_of_different_keys_differ() -> None:
    images = {tuple(permuted(digest(key), 1000, rank) for rank in range(5)) for key in range(50)}
    assert len(images) == 50


def test_splits_have_their_shares_and_depend_on_content_alone() -> None:
    counts = Counter(split_of(hex_key("content", i)) for i in range(40_000))
    for split in ("train", "validation", "test"):
        share = split_share(split)
        assert abs(counts[split] / 40_000 - share) < 6 * (share * (1 - share) / 40_000) ** 0.5


@pytest.mark.parametrize(
    ("key", "split"),
    [("0" * 32, "test"), ("3f" + "f" * 30, "test"), ("4" + "0" * 31, "validation"),
     ("4c" + "0" * 30, "validation"), ("4d" + "0" * 30, "train"), ("f" * 32, "train")],
)  # fmt: skip
def test_the_borders_of_the_splits(key: str, split: str) -> None:
    assert split_of(key) == split
