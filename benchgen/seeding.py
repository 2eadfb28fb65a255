"""From an item's key to its random choices, and from a content to its split.

Conventions
-----------
* Keys are hashed with blake2b; nothing is ever seeded by ``seed + index``, so that
  neighbouring seeds and indices share nothing.
* ``Draw`` is a counter-mode generator of our own, so that its choices are the same
  under every Python version, process and ``PYTHONHASHSEED``.
* A content's position in [0, 1) is its own: test is [0, .25), validation [.25, .3),
  train the rest, for ever, whatever the seed.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

SPLITS = ("train", "validation", "test")
_BOUNDS = {"test": (0.0, 0.25), "validation": (0.25, 0.3), "train": (0.3, 1.0)}
_POOL_END = 1 << 512


def digest(*parts: object) -> bytes:
    """32 bytes that depend on every part and on where one ends and the next begins."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=32).digest()


def hex_key(*parts: object) -> str:
    """A 128-bit key in hexadecimal."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def position(key: str) -> float:
    """Where a hexadecimal key lies in [0, 1)."""
    return int(key[:13], 16) / 16**13


def split_of(content_key: str) -> str:
    """The split that a content belongs to."""
    place = position(content_key)
    if place < 0.25:
        return "test"
    return "validation" if place < 0.3 else "train"


def split_share(split: str) -> float:
    """The share of contents that belongs to ``split``."""
    low, high = _BOUNDS[split]
    return high - low


class Draw:
    """Unbiased choices from a hashed key.

    ``Draw(a, b)`` and ``Draw(c, d)`` are independent whenever their keys differ.
    """

    __slots__ = ("_counter", "_key", "_pool")

    def __init__(self, *key: object) -> None:
        self._key = key[0] if len(key) == 1 and isinstance(key[0], bytes) else digest(*key)
        self._counter = 0
        # The bits that are left, below a one that marks their end.
        self._pool = 1

    def below(self, n: int) -> int:
        """A uniform integer in [0, n); ``n`` is at most 2**512."""
        bits = (n - 1).bit_length()
        mask = (1 << bits) - 1
        pool = self._pool
        while True:
            rest = pool >> bits
            if not rest:
                pool = self._refill()
                continue
            value = pool & mask
            if value < n:
                self._pool = rest
                return value
            pool = rest

    def _refill(self) -> int:
        block = blake2b(self._counter.to_bytes(8, "big"), key=self._key).digest()
        self._counter += 1
        return _POOL_END | int.from_bytes(block, "big")

    def choice(self, items: Sequence[T]) -> T:
        """One of ``items``, each as likely."""
        return items[self.below(len(items))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put ``items`` into a uniformly random order, in place."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different places of ``items``, in random order."""
        pool = list(items)
        for place in range(count):
            other = place + self.below(len(pool) - place)
            pool[place], pool[other] = pool[other], pool[place]
        return pool[:count]


def permuted(key: bytes, size: int, rank: int) -> int:
    """The image of ``rank`` under a keyed permutation of [0, size).

    A four-round Feistel network over the next even number of bits, walked along
    its cycle until it falls inside. It needs no table, so that item ``rank`` of
    a large class is found without the items before it.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    width = (half + 7) // 8
    value = rank
    while True:
        left, right = value >> half, value & mask
        for turn in b"\x00\x01\x02\x03":
            block = bytes((turn,)) + right.to_bytes(width, "big")
            hashed = int.from_bytes(blake2b(block, key=key, digest_size=32).digest(), "big")
            left, right = right, left ^ (hashed & mask)
        value = (left << half) | right
        if value < size:
            return value
