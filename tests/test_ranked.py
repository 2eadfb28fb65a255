"""Classes too large to list: contents by rank."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

import benchgen.ranked
from benchgen.content import Public, Reading
from benchgen.ranked import Ranked
from benchgen.seeding import split_of, split_share


@dataclass(frozen=True)
class Config:
    level: int = 1


def publics(config: Config) -> Iterable[Public]:
    for cells in ("abcd", "cdef"):
        yield Public("which?", tuple(cells), tuple(cells))


def size(config: Config, cell: str) -> int:
    return 10**7 + ord(cell)


def unrank(config: Config, cell: str, rank: int) -> Reading | None:
    # Every third rank is not valid.
    return None if rank % 3 == 0 else Reading(f"{cell}{rank}", cell, (cell, rank))


SOURCE = Ranked(publics, size, unrank, valid=0.6)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_contents_of_a_seed_are_distinct_and_in_their_split(split: str) -> None:
    keys = []
    for index in range(150):
        deal = SOURCE.dealer("t", Config(), split, 3)(index)
        keys += [deal.content(option).key for option in range(4)]
    assert len(keys) == len(set(keys))
    assert all(split_of(key) == split for key in keys)


def test_an_item_needs_no_item_before_it() -> None:
    later = SOURCE.dealer("t", Config(), "test", 3)(4000)
    assert [later.content(o) for o in range(4)] == [
        SOURCE.dealer("t", Config(), "test", 3)(4000).content(o) for o in range(4)
    ]


def test_redraws_stay_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0
    permuted = benchgen.ranked.permuted

    def counted(*arguments: Any) -> int:
        nonlocal tried
        tried += 1
        return permuted(*arguments)

    monkeypatch.setattr(benchgen.ranked, "permuted", counted)
    for index in range(300):
        SOURCE.dealer("t", Config(), "test", 9)(index).content(0)
    assert tried / 300 < 2 / (split_share("test") * 2 / 3)


def test_a_block_without_a_content_is_an_error_and_not_another_key() -> None:
    barren = Ranked(publics, size, lambda config, cell, rank: None)
    with pytest.raises(RuntimeError, match="no content"):
        barren.dealer("t", Config(), "test", 0)(0).content(2)


def test_the_scarcest_cell_bounds_the_class() -> None:
    scarce = Ranked(publics, lambda config, cell: 500 if cell == "f" else 10**9, unrank, 0.6)
    assert 0 < scarce.capacity("t", Config(), "train") < 12
