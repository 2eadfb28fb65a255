"""An endless order of what is learned from: everything once, then once again in another order."""

from __future__ import annotations

import hashlib
from functools import lru_cache


def places(count: int, first: int, more: int, seed: int) -> list[int]:
    """Of ``count`` things, those that are the ``first``-th and the ``more`` - 1 after it.

    Each round is shuffled by a hash of seed, round and place: nothing of the order is state.
    """
    return [_round(count, n // count, seed)[n % count] for n in range(first, first + more)]


@lru_cache(maxsize=4)
def _round(count: int, number: int, seed: int) -> tuple[int, ...]:
    def key(place: int) -> bytes:
        text = f"{seed}:{number}:{place}".encode("ascii")
        return hashlib.blake2b(text, digest_size=8).digest()

    return tuple(sorted(range(count), key=key))
