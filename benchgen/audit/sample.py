"""Drawing the items of one task, level and split, as many as a test needs.

Conventions
-----------
* A seed has at most ``capacity`` items. Where that is fewer than asked for, more seeds
  are drawn from: contents then repeat between seeds, but the public parts are dealt
  anew and the keys are fresh fair bits, which is all that the tests rest on.
* Every split draws from seeds of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from benchgen.audit.view import BlindView, HashArray, blind_view, text_hashes
from benchgen.errors import InputError
from benchgen.problem import Problem
from benchgen.seeding import SPLITS
from benchgen.task import capacity, make

MOST_SEEDS = 20_000
_SEEDS_OF_A_SPLIT = 1_000_000
INDEX_CYCLES = (2, 3, 4, 5, 7, 8, 9, 36)


@dataclass(frozen=True)
class Sample:
    """What an audit keeps of many problems.

    ``view`` is None where the problems have no options. ``content`` and ``fact``
    [n] hash the problems' keys. ``repeated`` lists content keys that came twice in one
    seed; ``misplaced`` ids whose fields are not those asked for.
    """

    task: str
    level: int
    split: str
    view: BlindView | None
    content: HashArray
    fact: HashArray
    seeds: int
    repeated: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()


def item_keys(task: str, level: int, split: str, seed: int, count: int) -> list[tuple[int, int]]:
    """(seed, index) of the first ``count`` items that an audit of ``seed`` draws.

    Raises
    ------
    InputError
        The class is too small: it would take more than ``MOST_SEEDS`` seeds.
    """
    each = capacity(task, level, split)
    if each * MOST_SEEDS < count:
        raise InputError(
            f"{task} level {level} {split} has {each} items a seed: too few to audit {count}"
        )
    first = (seed * len(SPLITS) + SPLITS.index(split)) * _SEEDS_OF_A_SPLIT
    each = max(each, 1)
    return [(first + place // each, place % each) for place in range(count)]


def draw(task: str, level: int, split: str, keys: Iterable[tuple[int, int]]) -> Iterator[Problem]:
    """The problems of the (seed, index) pairs."""
    for seed, index in keys:
        yield make(task, split=split, seed=seed, index=index, level=level)


def collect(
    task: str, level: int, split: str, problems: Iterable[Problem], *, pooled: bool = False
) -> Sample:
    """Keep of the problems what the audit needs, and let go of the rest.

    With ``pooled`` the problems are of several levels, and ``level`` is only a name.
    """
    questions: list[str] = []
    options: list[Sequence[str]] = []
    keys: list[int] = []
    contents: list[str] = []
    facts: list[str] = []
    metadata: dict[str, list[int]] = {name: [] for name in _METADATA}
    seen: set[tuple[int, str]] = set()
    repeated: list[str] = []
    misplaced: list[str] = []
    for problem in problems:
        asked = (problem.task, level if pooled else problem.level, problem.split)
        if asked != (task, level, split):
            misplaced.append(problem.id)
        if problem.options is not None:
            questions.append(problem.question)
            options.append(problem.options)
            keys.append(problem.options.index(problem.answer))
            for name, value in zip(_METADATA, _metadata(problem), strict=True):
                metadata[name].append(value)
        if not pooled and (problem.seed, problem.content_key) in seen:
            repeated.append(problem.content_key)
        seen.add((problem.seed, problem.content_key))
        contents.append(problem.content_key)
        facts.append(problem.fact_key)
    whole = len(keys) == len(contents) > 0
    return Sample(
        task,
        level,
        split,
        blind_view(task, level, split, questions, options, keys, metadata) if whole else None,
        text_hashes(contents),
        text_hashes(facts),
        len({seed for seed, _ in seen}),
        tuple(repeated),
        tuple(misplaced),
    )


def id_ending(name: str) -> int:
    """The last character of an id, as a number."""
    return ord(name[-1]) if name else 0


_METADATA = (
    *(f"index mod {cycle}" for cycle in INDEX_CYCLES),
    "end of the id",
    "length of the solution",
    "hash of the twin group",
)


def _metadata(problem: Problem) -> list[int]:
    group = blake2b(problem.twin_group.encode(), digest_size=1).digest()[0]
    return [
        *(problem.index % cycle for cycle in INDEX_CYCLES),
        id_ending(problem.id),
        len(problem.solution or ""),
        group % 16,
    ]


def joined(arrays: Sequence[HashArray]) -> HashArray:
    """All values of several arrays, each once, in order."""
    if not arrays:
        return np.zeros(0, dtype=np.uint64)
    return np.unique(np.concatenate(arrays))
