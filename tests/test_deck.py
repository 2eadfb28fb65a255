"""Listed classes: contents dealt at most once, publics blind to keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

import pytest

from benchgen.content import Public, Reading
from benchgen.deck import Deck, listed
from benchgen.seeding import hex_key, position, split_of


@dataclass(frozen=True)
class Config:
    level: int = 1
    per_cell: int = 200
    facts: int = 20


def contents(config: Config) -> Iterator[tuple[Hashable, Reading]]:
    for cell in "abcdef":
        # Cells of unequal size: the scarcest must not bias the rest.
        for rank in range(config.per_cell * (1 + ord(cell) % 3)):
            fact = f"{(ord(cell) * 31 + rank) % config.facts}"
            yield cell, Reading(f"{cell}{rank}", fact, (cell, rank))


def publics(config: Config, known: frozenset[Hashable]) -> Iterable[Public]:
    for cells in ("abcd", "bcde", "cdef", "adef"):
        yield Public(f"which of {cells}?", tuple(cells), tuple(cells))


DECK = Deck(contents, publics)


def _deal_all(config: Config, split: str, seed: int) -> list[tuple[Public, list[str]]]:
    count = DECK.capacity("t", config, split)
    deals = [DECK.dealer("t", config, split, seed)(index) for index in range(count)]
    return [(deal.public, [deal.content(o).key for o in range(4)]) for deal in deals]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_no_content_is_dealt_twice_whatever_the_keys(split: str) -> None:
    keys = [key for _, hand in _deal_all(Config(), split, 5) for key in hand]
    assert keys
    assert len(keys) == len(set(keys))
    assert all(split_of(key) == split for key in keys)


def test_every_option_has_a_content_of_its_own_cell() -> None:
    for index in range(DECK.capacity("t", Config(), "train")):
        deal = DECK.dealer("t", Config(), "train", 0)(index)
        for option, cell in enumerate(deal.public.cells):
            assert deal.content(option).data[0] == cell


def test_the_capacity_depends_on_no_seed_and_seeds_deal_differently() -> None:
    first, second = (_deal_all(Config(), "test", seed) for seed in (1, 2))
    assert len(first) == len(second)
    assert Counter(p.question for p, _ in first) == Counter(p.question for p, _ in second)
    assert first != second


def test_a_reading_listed_twice_is_refused() -> None:
    def doubled(config: Config) -> Iterator[tuple[Hashable, Reading]]:
        yield "a", Reading("same", "f", ())
        yield "b", Reading("same", "f", ())

    with pytest.raises(ValueError, match="listed twice"):
        listed(Deck(doubled, publics), "t", Config())


def test_held_out_facts_are_met_in_the_test_split_alone() -> None:
    config = Config(per_cell=3000, facts=5000)
    splits = listed(DECK, "t", config)
    held_out = {hex_key("t", "fact", fact) for fact in range(5000)}
    held_out = {key for key in held_out if position(key) < 0.1}
    met = {
        split: {content.fact_key for contents in cells.values() for content in contents}
        for split, cells in splits.items()
    }
    assert len(held_out & met["test"]) > 300
    assert not held_out & (met["train"] | met["validation"])


def test_few_facts_are_not_held_out() -> None:
    splits = listed(DECK, "t", Config())
    assert {c.fact_key for cells in splits["train"].values() for c in cells} == {
        hex_key("t", "fact", str(fact)) for fact in range(20)
    }
