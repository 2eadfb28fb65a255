"""Control views: predictors that see a little of the stimulus, reported and not gated.

Conventions
-----------
* A *partial view* is one number of the stimulus (its length, a count, its first note).
  Its predictor counts how often an option was the key beside this number; half of the
  items are learned from, the other half are scored.
* *Memorisation* gives each test item the answer of the nearest training item, stimulus
  and question compared by the letters they are written with.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer

from benchgen.audit.offers import Offers
from benchgen.audit.predictors import choose
from benchgen.audit.tables import fit_table
from benchgen.audit.view import FloatArray, HashArray, mixed
from benchgen.problem import Problem

_BINS = 12


def stimulus_numbers(
    text: str | None, picture: bytes | None, attributes: Mapping[str, float]
) -> dict[str, float]:
    """The partial views of one stimulus: the suite's own, and those of any text or PNG."""
    found = dict(attributes)
    if text is not None:
        found["length of the text"] = len(text)
        found["words of the text"] = len(text.split())
        found["digits of the text"] = sum(c.isdigit() for c in text)
        found["capitals of the text"] = sum(c.isupper() for c in text)
    if picture is not None:
        found["bytes of the picture"] = len(picture)
        width, height = png_size(picture)
        found["width of the picture"] = width
        found["height of the picture"] = height
    return found


def stimulus_columns(rows: Sequence[Mapping[str, float]]) -> dict[str, FloatArray]:
    """The partial views of many items as columns [n]; NaN where an item has none."""
    names = sorted({name for row in rows for name in row})
    return {
        name: np.array([row.get(name, np.nan) for row in rows], dtype=np.float64) for name in names
    }


def partial_views(
    offers: Offers, columns: Mapping[str, FloatArray], seed: int
) -> list[dict[str, object]]:
    """How well each partial view alone tells the key."""
    n = len(offers.view)
    half = n // 2
    learn, test = offers.take(slice(0, half)), offers.take(slice(half, n))
    rows: list[dict[str, object]] = []
    if not half:
        return rows
    for name, values in columns.items():
        bins = _binned(values)
        coin = np.random.default_rng(seed)
        by_option = _table_scores(learn, test, bins[:half], bins[half:])
        chosen = choose(by_option, test.view.offered, coin)
        hits = float((chosen == test.view.key).mean())
        rows.append(
            {
                "task": offers.view.task,
                "level": offers.view.level,
                "split": offers.view.split,
                "sees": name,
                "scored": n - half,
                "accuracy": round(hits, 4),
                "chance": round(test.view.chance, 4),
            }
        )
    return rows


def nearest_neighbour(
    learned: Sequence[Problem], asked: Sequence[Problem], seed: int
) -> dict[str, object] | None:
    """How often the nearest training item's answer is right; None without options."""
    if not learned or not asked or any(p.options is None for p in (*learned, *asked)):
        return None
    grams = HashingVectorizer(analyzer="char", ngram_range=(3, 5), lowercase=False)
    likeness = (
        grams.transform([_written(p) for p in asked])
        @ grams.transform([_written(p) for p in learned]).T
    )
    nearest = np.asarray(likeness.tocsr().argmax(axis=1)).ravel()
    coin = np.random.default_rng(seed)
    offered = hits = 0
    for problem, place in zip(asked, nearest, strict=True):
        options = problem.options or ()
        answer = learned[int(place)].answer
        offered += answer in options
        guess = answer if answer in options else options[int(coin.integers(len(options)))]
        hits += guess == problem.answer
    first = asked[0]
    return {
        "task": first.task,
        "level": first.level,
        "train_items": len(learned),
        "scored": len(asked),
        "answer_on_offer": round(offered / len(asked), 4),
        "accuracy": round(hits / len(asked), 4),
        "chance": round(float(np.mean([1 / len(p.options or "-") for p in asked])), 4),
    }


def png_size(data: bytes) -> tuple[float, float]:
    """Width and height of a PNG, NaN for anything else."""
    if len(data) < 24 or not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return (float("nan"), float("nan"))
    width, height = struct.unpack(">II", data[16:24])
    return (float(width), float(height))


def _table_scores(learn: Offers, test: Offers, seen: HashArray, shown: HashArray) -> FloatArray:
    """Rates of (option, number), plus those of (option, number, question) where met."""
    total = np.zeros(test.option.shape)
    for asked in (False, True):

        def trait(offers: Offers, by_question: bool = asked) -> HashArray:
            bins = seen if offers is learn else shown
            codes = mixed(offers.option, bins[:, None])
            return mixed(codes, offers.question[:, None]) if by_question else codes

        total += fit_table(trait, learn).score(test)
    return total


def _binned(values: FloatArray) -> HashArray:
    """Few values as they are, many by twelfths; NaN is a bin of its own."""
    known = values[~np.isnan(values)]
    if len(np.unique(known)) <= _BINS:
        codes = np.where(np.isnan(values), 1e9, values)
    else:
        edges = np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])
        codes = np.where(np.isnan(values), 1e9, np.searchsorted(edges, values))
    return np.round(codes * 16).astype(np.int64).astype(np.uint64)


def _written(problem: Problem) -> str:
    return f"{problem.question}\n{problem.text()}"
