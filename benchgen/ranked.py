"""Classes too large to list: contents are found by their rank.

Every cell is a space of known size from which any rank can be built at once. A keyed
permutation scatters the ranks; item ``i`` owns the ``i``-th block of scattered ranks in
every cell, and takes the first of them that is valid and lies in the split. Blocks do
not overlap, so the contents of a seed are distinct; they are long enough that one
without a content is not to be expected in 10^15 items. The key is not drawn again in
any case: a block without a content is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from benchgen.content import Config, Content, Deal, Public, Reading
from benchgen.seeding import Draw, digest, hex_key, permuted, split_of, split_share

MISS = 1e-15


@dataclass(frozen=True, eq=False)
class Ranked:
    """A class whose cells are spaces.

    ``publics`` yields the public parts of a configuration; ``size`` is the number of
    ranks of a cell; ``unrank`` builds the content of a rank, or None where that rank is
    not valid, which it is for at least ``valid`` of any cell's ranks.
    """

    publics: Callable[[Any], Iterable[Public]]
    size: Callable[[Any, Any], int]
    unrank: Callable[[Any, Any, int], Reading | None]
    valid: float = 1.0

    def capacity(self, task: str, config: Config, split: str) -> int:
        """How many items one seed has: the scarcest cell's number of blocks."""
        return _smallest(self, config) // _block(self.valid, split)

    def dealer(self, task: str, config: Config, split: str, seed: int) -> Callable[[int], Deal]:
        """What deals item ``index`` of a seed, which is below the capacity."""
        publics = _publics(self, config)
        block = _block(self.valid, split)
        item = "\x1f".join(map(str, (task, config, split, seed)))

        @cache
        def cell_key(cell: Hashable) -> bytes:
            return digest(item, cell, "cell")

        def content(index: int, cell: Hashable) -> Content:
            size = self.size(config, cell)
            key = cell_key(cell)
            for rank in range(index * block, (index + 1) * block):
                reading = self.unrank(config, cell, permuted(key, size, rank))
                if reading is not None:
                    content_key = hex_key(task, reading.canonical)
                    if split_of(content_key) == split:
                        fact_key = hex_key(task, "fact", reading.fact)
                        return Content(content_key, fact_key, reading.data)
            raise RuntimeError(
                f"{task} {config}: no content for {cell} in block {index} of {split}"
            )

        def deal(index: int) -> Deal:
            public = Draw(item, index, "public").choice(publics)
            return Deal(public, lambda option: content(index, public.cells[option]))

        return deal


@lru_cache(maxsize=256)
def _block(valid: float, split: str) -> int:
    return math.ceil(math.log(MISS) / math.log1p(-valid * split_share(split)))


@lru_cache(maxsize=256)
def _smallest(source: Ranked, config: Config) -> int:
    return min(
        source.size(config, cell)
        for public in _publics(source, config)
        for cell in public.cells
    )


@lru_cache(maxsize=256)
def _publics(source: Ranked, config: Config) -> tuple[Public, ...]:
    return tuple(source.publics(config))
