"""What a blind reader is given: questions and options in columns, the key beside them.

Conventions
-----------
* A ``BlindView`` holds items of one task, one level and one split, so that nothing
  can be pooled over levels by mistake.
* Texts are held once, in a vocabulary, and referred to by position; ``-1`` fills the
  places of an item with fewer options than the widest.
* The stimulus is not there. ``metadata`` holds whole numbers that a reader of the data
  set could use although they say nothing of the stimulus (index, id, order ...).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from benchgen.errors import InputError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
HashArray = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class BlindView:
    """n items of one task, level and split, with up to k options each.

    ``question`` [n] and ``options`` [n, k] are positions in ``questions`` and
    ``vocabulary``; ``key`` [n] is the place of the right option; ``metadata``
    maps a name to whole numbers [n].
    """

    task: str
    level: int
    split: str
    questions: tuple[str, ...]
    question: IntArray
    vocabulary: tuple[str, ...]
    options: IntArray
    key: IntArray
    metadata: Mapping[str, IntArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.key)

    @property
    def offered(self) -> BoolArray:
        """Which of the [n, k] places hold an option."""
        return self.options >= 0

    @property
    def sizes(self) -> IntArray:
        """How many options each item has [n]."""
        return np.asarray(self.offered.sum(axis=1), dtype=np.int64)

    @property
    def chance(self) -> float:
        """The expected accuracy of a guess."""
        return float((1.0 / self.sizes).mean())

    def take(self, rows: slice) -> BlindView:
        """The view of some of the items."""
        return BlindView(
            self.task,
            self.level,
            self.split,
            self.questions,
            self.question[rows],
            self.vocabulary,
            self.options[rows],
            self.key[rows],
            {name: values[rows] for name, values in self.metadata.items()},
        )


def blind_view(
    task: str,
    level: int,
    split: str,
    questions: Iterable[str],
    options: Iterable[Sequence[str]],
    keys: Iterable[int],
    metadata: Mapping[str, Sequence[int]] | None = None,
) -> BlindView:
    """Put items into columns.

    ``metadata`` is given for each item; ``previous key`` (the key's place in the item
    before) is added to it.

    Raises
    ------
    InputError
        The columns differ in length, or a key is not one of its options.
    """
    question_codes, question_texts = _encode(questions)
    option_lists = list(options)
    key = np.fromiter(keys, dtype=np.int64)
    where = f"{task}, level {level}, {split}"
    if not len(question_codes) == len(option_lists) == len(key):
        raise InputError(f"{where}: questions, options and keys differ in length")
    width = max((len(o) for o in option_lists), default=0)
    sizes = np.array([len(o) for o in option_lists], dtype=np.int64)
    if ((key < 0) | (key >= sizes)).any():
        raise InputError(f"{where}: a key is not one of the item's options")
    flat, vocabulary = _encode(text for row in option_lists for text in row)
    table = np.full((len(key), width), -1, dtype=np.int64)
    table[np.arange(width) < sizes[:, None]] = flat
    columns = {name: np.asarray(v, dtype=np.int64) for name, v in (metadata or {}).items()}
    columns["previous key"] = np.concatenate([[-1], key[:-1]]).astype(np.int64)[: len(key)]
    return BlindView(
        task, level, split, question_texts, question_codes, vocabulary, table, key, columns
    )


def text_hashes(texts: Iterable[str]) -> HashArray:
    """64-bit hashes of texts, the same in every process."""
    return np.array(
        [int.from_bytes(blake2b(t.encode(), digest_size=8).digest(), "big") for t in texts],
        dtype=np.uint64,
    )


def mixed(*parts: npt.NDArray[Any] | np.uint64) -> HashArray:
    """One hash from several (arrays of uint64 that broadcast), the order mattering."""
    total = np.uint64(0x9E3779B97F4A7C15) + np.zeros((), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in parts:
            total = (total ^ np.asarray(part).astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
            total = total ^ (total >> np.uint64(29))
            total = total * np.uint64(0x94D049BB133111EB)
            total = total ^ (total >> np.uint64(32))
    return np.asarray(total, dtype=np.uint64)


def _encode(texts: Iterable[str]) -> tuple[IntArray, tuple[str, ...]]:
    places: dict[str, int] = {}
    codes = np.fromiter((places.setdefault(t, len(places)) for t in texts), dtype=np.int64)
    return codes, tuple(places)
