"""The measurements of a blind view that predictors choose by.

Conventions
-----------
* A measurement is an array [n, k]: one number for every option of every item, larger
  meaning more. Measurements that never differ within an item, or that order the
  options exactly as another one does, are dropped.
* ``rank`` codes where an option stands among its item's options: 64 x (number of
  options below it) + (number of options equal to it, itself included).
* ``shares`` counts the item's other options that have the same attribute value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchgen.audit.attributes import SuiteReading, generic_attributes, words
from benchgen.audit.view import BlindView, FloatArray, HashArray, IntArray, mixed, text_hashes

RANK_STEP = 64
_MISSING = -1e9
_SIGNATURE_WORDS = 8
_PLAIN_COUNT = {"word", "count"}


@dataclass(frozen=True)
class Offers:
    """A blind view with everything measured on its options.

    ``measures``, ``ranks`` and ``shares`` map a name to [n, k]; ``question`` [n],
    ``option`` [n, k] and ``option_set`` [n] are hashes of texts, equal across views;
    ``tokens`` [n, k, t] hashes the words and attribute values of each option (0: none).
    """

    view: BlindView
    measures: Mapping[str, FloatArray]
    ranks: Mapping[str, IntArray]
    shares: Mapping[str, IntArray]
    question: HashArray
    option: HashArray
    option_set: HashArray
    tokens: HashArray

    def take(self, rows: slice) -> Offers:
        """The offers of some of the items."""
        return Offers(
            self.view.take(rows),
            {name: values[rows] for name, values in self.measures.items()},
            {name: values[rows] for name, values in self.ranks.items()},
            {name: values[rows] for name, values in self.shares.items()},
            self.question[rows],
            self.option[rows],
            self.option_set[rows],
            self.tokens[rows],
        )


def measure(view: BlindView, reading: SuiteReading) -> Offers:
    """Measure every option of a view."""
    table = [
        {**generic_attributes(text), **reading.option_attributes(text)} for text in view.vocabulary
    ]
    numbers, labels = _columns(table)
    hashes = text_hashes(view.vocabulary)
    questions = text_hashes(view.questions)
    offered = view.offered
    option = np.where(offered, hashes[view.options], np.uint64(0))
    shares = {name: _shared(values[view.options], offered) for name, values in labels.items()}
    measures = dict(_measures(view, numbers, shares, reading))
    ranks = {name: ranked(values, offered) for name, values in measures.items()}
    kept = _distinct(ranks, offered)
    with np.errstate(over="ignore"):
        option_set = mixed(option * offered).sum(axis=1, dtype=np.uint64)
    return Offers(
        view,
        {name: measures[name] for name in kept},
        {name: ranks[name] for name in kept},
        shares,
        questions[view.question],
        option,
        option_set,
        _tokens(view, labels, table),
    )


def ranked(values: FloatArray, offered: npt.NDArray[np.bool_]) -> IntArray:
    """The rank codes of a measurement; 0 where no option is."""
    here = offered[:, :, None] & offered[:, None, :]
    below = ((values[:, None, :] < values[:, :, None]) & here).sum(axis=2)
    equal = ((values[:, None, :] == values[:, :, None]) & here).sum(axis=2)
    return np.where(offered, RANK_STEP * below + equal, 0).astype(np.int64)


def _columns(
    table: list[dict[str, float | str]],
) -> tuple[dict[str, FloatArray], dict[str, IntArray]]:
    """Numeric columns and categorical codes (-1: none), one entry a vocabulary word."""
    numbers: dict[str, FloatArray] = {}
    labels: dict[str, IntArray] = {}
    places: dict[str, dict[str, int]] = {}
    for row, attributes in enumerate(table):
        for name, value in attributes.items():
            if isinstance(value, str):
                if name not in labels:
                    labels[name] = np.full(len(table), -1, dtype=np.int64)
                known = places.setdefault(name, {})
                labels[name][row] = known.setdefault(value, len(known))
            else:
                if name not in numbers:
                    missing = 0.0 if name.split()[0] in _PLAIN_COUNT else _MISSING
                    numbers[name] = np.full(len(table), missing)
                numbers[name][row] = float(value)
    return numbers, labels


def _measures(
    view: BlindView,
    numbers: Mapping[str, FloatArray],
    shares: Mapping[str, IntArray],
    reading: SuiteReading,
) -> list[tuple[str, FloatArray]]:
    offered = view.offered
    found: list[tuple[str, FloatArray]] = []
    for name, values in numbers.items():
        here = values[view.options]
        found.append((name, here))
        found.append((f"distance of {name} from the centre", _from_centre(here, offered)))
    order = np.empty(len(view.vocabulary))
    order[np.argsort(np.array(view.vocabulary, dtype=object))] = np.arange(len(view.vocabulary))
    found.append(("alphabetical", order[view.options]))
    found.append(("likeness in words", _likeness(view, words)))
    found.append(("likeness in letters", _likeness(view, _bigrams)))
    found.append(("words of the question", _overlap(view)))
    for name, count in shares.items():
        found.append((f"others with its {name}", count.astype(np.float64)))
    if shares:
        found.append(("attributes shared", np.sum(list(shares.values()), axis=0) + 0.0))
        named = [values for name, values in shares.items() if not _is_generic(name)]
        if named:
            found.append(("named attributes shared", np.sum(named, axis=0) + 0.0))
    opinion = _plausibility(view, reading)
    if opinion is not None:
        found.append(("plausibility", opinion))
    return found


def _is_generic(name: str) -> bool:
    return name.startswith("word ") or name in ("last word", "without case")


def _shared(codes: IntArray, offered: npt.NDArray[np.bool_]) -> IntArray:
    here = offered[:, :, None] & offered[:, None, :] & (codes >= 0)[:, :, None]
    same = (codes[:, :, None] == codes[:, None, :]) & here
    return np.where(offered, same.sum(axis=2) - (codes >= 0), 0).astype(np.int64)


def _from_centre(values: FloatArray, offered: npt.NDArray[np.bool_]) -> FloatArray:
    total = np.where(offered, values, 0.0).sum(axis=1)
    centre = total / np.maximum(offered.sum(axis=1), 1)
    distance: FloatArray = np.round(np.abs(values - centre[:, None]), 6)
    return distance


def _bigrams(text: str) -> list[str]:
    padded = f" {text} "
    return [padded[i : i + 2] for i in range(len(padded) - 1)]


def _likeness(view: BlindView, split: Callable[[str], list[str]]) -> FloatArray:
    """The Jaccard similarities of each option to its item's options, summed."""
    bits = _bitsets([split(text) for text in view.vocabulary])[view.options]
    offered = view.offered
    total = np.zeros(offered.shape)
    for other in range(offered.shape[1]):
        both = np.bitwise_count(bits & bits[:, other : other + 1]).sum(axis=2, dtype=np.int64)
        either = np.bitwise_count(bits | bits[:, other : other + 1]).sum(axis=2, dtype=np.int64)
        total += np.where(offered[:, other : other + 1], both / np.maximum(either, 1), 0.0)
    rounded: FloatArray = np.round(total, 9)
    return rounded


def _overlap(view: BlindView) -> FloatArray:
    """How many of the option's words stand in the question."""
    lists = [words(text.casefold()) for text in (*view.vocabulary, *view.questions)]
    lists = [[w.strip(".,?;:") for w in row] for row in lists]
    bits = _bitsets(lists)
    asked = bits[len(view.vocabulary) :][view.question]
    offered_bits = bits[: len(view.vocabulary)][view.options]
    counts = np.bitwise_count(offered_bits & asked[:, None, :]).sum(axis=2, dtype=np.int64)
    return np.asarray(counts, dtype=np.float64)


def _bitsets(token_lists: list[list[str]]) -> HashArray:
    """Sets of tokens as bits [texts, 16]; beyond 1,024 different tokens some coincide."""
    places: dict[str, int] = {}
    bits = np.zeros((len(token_lists), 1024), dtype=np.uint8)
    for row, tokens in enumerate(token_lists):
        for token in tokens:
            bits[row, places.setdefault(token, len(places)) % 1024] = 1
    used = max(64, -(-min(len(places), 1024) // 64) * 64)
    return np.packbits(bits[:, :used], axis=1).view(np.uint64)


def _plausibility(view: BlindView, reading: SuiteReading) -> FloatArray | None:
    found: dict[tuple[int, ...], tuple[float, ...] | None] = {}
    values = np.zeros(view.options.shape)
    any_opinion = False
    for row, (question, options) in enumerate(zip(view.question, view.options, strict=True)):
        place = (int(question), *(int(o) for o in options if o >= 0))
        if place not in found:
            texts = [view.vocabulary[o] for o in place[1:]]
            opinion = reading.plausibility(view.questions[place[0]], texts)
            found[place] = None if opinion is None else tuple(opinion)
        known = found[place]
        if known is not None:
            any_opinion = True
            values[row, : len(known)] = known
    return values if any_opinion else None


def _distinct(ranks: Mapping[str, IntArray], offered: npt.NDArray[np.bool_]) -> list[str]:
    """The measurements that order some item's options, without copies or mirror images."""
    level = np.where(offered, offered.sum(axis=1, keepdims=True), 0)
    seen: set[bytes] = set()
    kept = []
    for name, codes in ranks.items():
        if np.array_equal(codes, level):
            continue
        below, equal = codes // RANK_STEP, codes % RANK_STEP
        mirror = np.where(
            offered, RANK_STEP * (offered.sum(axis=1, keepdims=True) - below - equal) + equal, 0
        )
        key, mirrored = codes.astype(np.int16).tobytes(), mirror.astype(np.int16).tobytes()
        if key in seen or mirrored in seen:
            continue
        seen.add(key)
        kept.append(name)
    return kept


def _tokens(
    view: BlindView, labels: Mapping[str, IntArray], table: list[dict[str, float | str]]
) -> HashArray:
    rows = []
    named = [name for name in labels if not _is_generic(name)]
    for text, attributes in zip(view.vocabulary, table, strict=True):
        tokens = list(dict.fromkeys(words(text)))[:_SIGNATURE_WORDS]
        tokens += [f"{name}={attributes[name]}" for name in named if name in attributes]
        rows.append(tokens)
    width = max((len(row) for row in rows), default=0)
    hashes = np.zeros((len(rows) + 1, max(width, 1)), dtype=np.uint64)
    for place, row in enumerate(rows):
        hashes[place, : len(row)] = text_hashes(row)
    return hashes[view.options]
