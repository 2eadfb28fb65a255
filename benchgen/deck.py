"""Classes small enough to list: every content is dealt at most once.

All contents of a (task, configuration) are listed, hashed, and kept in their split.
Public parts whose every cell still has a content are dealt in rounds; each takes one
content from each of its cells, so that an item owns its twins and no two items of a
seed share a content, whatever their keys. The counts depend on no seed; a seed shuffles
the order of the public parts and of the contents inside each cell. Which option is the
key is decided elsewhere, by bits that nothing here sees.

Where a configuration has a thousand facts or more, a tenth of them is held out: their
contents are dealt in the test split alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from benchgen.content import Config, Content, Deal, Public, Reading
from benchgen.seeding import Draw, digest, hex_key, position, split_of

HELD_OUT_FACTS = 1000
HELD_OUT_SHARE = 0.1

Cells = dict[Hashable, list[Content]]


@dataclass(frozen=True, eq=False)
class Deck:
    """A listed class.

    ``contents`` yields (cell, reading) pairs of a configuration; ``publics`` yields its
    public parts, given the cells that have any content at all.
    """

    contents: Callable[[Any], Iterable[tuple[Hashable, Reading]]]
    publics: Callable[[Any, frozenset[Hashable]], Iterable[Public]]

    def capacity(self, task: str, config: Config, split: str) -> int:
        """How many items one seed has: the number of twin groups without a shared content."""
        return sum(_table(self, task, config, split).quotas)

    def dealer(self, task: str, config: Config, split: str, seed: int) -> Callable[[int], Deal]:
        """What deals item ``index`` of a seed, which is below the capacity."""
        table = _table(self, task, config, split)
        hands = _hands(self, task, config, split, seed)

        def deal(index: int) -> Deal:
            place, hand = hands[index]
            public = table.publics[place]
            return Deal(public, lambda option: table.cells[public.cells[option]][hand[option]])

        return deal


@dataclass(frozen=True)
class _Table:
    cells: Cells
    publics: tuple[Public, ...]
    quotas: tuple[int, ...]


@lru_cache(maxsize=512)
def listed(deck: Deck, task: str, config: Config) -> dict[str, Cells]:
    """Every content of a configuration, by split and cell.

    Raises
    ------
    ValueError
        Two contents have one reading, or one content makes two options right: the
        task's listing is at fault.
    """
    readings = list(deck.contents(config))
    facts = {reading.fact for _, reading in readings}
    hold_out = len(facts) >= HELD_OUT_FACTS
    splits: dict[str, Cells] = {"train": {}, "validation": {}, "test": {}}
    seen: set[str] = set()
    for cell, reading in readings:
        key = hex_key(task, reading.canonical)
        if key in seen:
            raise ValueError(f"{task}: a reading is listed twice: {reading.canonical}")
        seen.add(key)
        fact_key = hex_key(task, "fact", reading.fact)
        split = split_of(key)
        if hold_out and split != "test" and position(fact_key) < HELD_OUT_SHARE:
            continue
        splits[split].setdefault(cell, []).append(Content(key, fact_key, reading.data))
    return splits


@lru_cache(maxsize=512)
def _table(deck: Deck, task: str, config: Config, split: str) -> _Table:
    splits = listed(deck, task, config)
    known = frozenset(cell for cells in splits.values() for cell in cells)
    cells = splits[split]
    publics = tuple(
        public
        for public in deck.publics(config, known)
        if all(cell in cells for cell in public.cells)
    )
    left = {cell: len(contents) for cell, contents in cells.items()}
    quotas = [0] * len(publics)
    # Where the parts outnumber the contents, the order of the rounds decides which are
    # dealt; a hashed order keeps that from following the order of the listing.
    order = list(range(len(publics)))
    Draw(task, config, split, "rounds").shuffle(order)
    while order:
        kept = []
        for place in order:
            wanted = publics[place].cells
            if all(left[cell] for cell in wanted):
                for cell in wanted:
                    left[cell] -= 1
                quotas[place] += 1
                kept.append(place)
        order = kept
    return _Table(cells, publics, tuple(quotas))


def _hands(
    deck: Deck, task: str, config: Config, split: str, seed: int
) -> list[tuple[int, list[int]]]:
    table = _table(deck, task, config, split)
    draw = Draw(digest(task, config, split, seed, "deck"))
    order = [place for place, quota in enumerate(table.quotas) for _ in range(quota)]
    draw.shuffle(order)
    stacks: dict[Hashable, list[int]] = {}
    for cell, contents in table.cells.items():
        stack = list(range(len(contents)))
        draw.shuffle(stack)
        stacks[cell] = stack
    takes = [
        [stacks[cell].pop for cell in public.cells] if quota else []
        for public, quota in zip(table.publics, table.quotas, strict=True)
    ]
    return [(place, [take() for take in takes[place]]) for place in order]
