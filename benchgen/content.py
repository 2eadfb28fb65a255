"""What a task deals to the spine: a public part, and a content for every option.

Conventions
-----------
* The public part (question and options) is drawn without looking at any answer.
  It names one *cell* for each option: the contents that make that option right.
* A content's ``key`` hashes its canonical reading: two contents coincide when the
  answer to one could be copied from the other by recognising it.
* A ``Source`` deals item ``index`` of a (task, configuration, split, seed) without
  knowing which option will be the key, and no two items of one seed, nor any two
  twins, share a content.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Config(Hashable, Protocol):
    """A task's frozen configuration: a level and its knobs."""

    @property
    def level(self) -> int:
        """1 to 4."""
        ...


@dataclass(frozen=True, slots=True)
class Public:
    """A question with its options, and the cell that makes each option right.

    ``shuffle`` is False where the options have an order of their own ("bar 1" to
    "bar 4"). ``register`` is what of the options ``compose`` must know whichever is the
    key: where octaves are told, the place of the lowest of them.
    """

    question: str
    options: tuple[str, ...]
    cells: tuple[Hashable, ...]
    shuffle: bool = True
    register: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """A content as a task states it, before it is hashed.

    ``canonical`` and ``fact`` are text; ``data`` is whatever ``compose`` needs.
    """

    canonical: str
    fact: str
    data: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """A content with its keys (128 bits, hexadecimal)."""

    key: str
    fact_key: str
    data: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Composition:
    """A content made into a score: the identity, and the solution worked on it."""

    identity: Mapping[str, Any]
    solution: str


@dataclass(frozen=True, slots=True)
class Deal:
    """The public part of an item, and the content that each option would take."""

    public: Public
    content: Callable[[int], Content]


class Source(Protocol):
    """Deals items, each a pure function of its key."""

    def capacity(self, task: str, config: Config, split: str) -> int:
        """How many items one seed has; the same for every seed."""
        ...

    def dealer(self, task: str, config: Config, split: str, seed: int) -> Callable[[int], Deal]:
        """What deals item ``index`` of a seed, which is below the capacity."""
        ...
