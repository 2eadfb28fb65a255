"""Every blind predictor, and how often each one hits.

Conventions
-----------
* A predictor scores the options of an item and takes the highest; ties are broken by a
  coin that is seeded by the audit's seed and the predictor's name.
* ``fitted`` says on what a predictor learned: "" (nothing), "train" (the items of the
  train split, scored on another one) or "split" (other items of the same split, which
  finds what the split itself tilts). No predictor is scored on an item it learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from benchgen.audit.logistic import fit_logit
from benchgen.audit.offers import Offers
from benchgen.audit.tables import fit_table, traits
from benchgen.audit.trees import fit_trees
from benchgen.audit.view import BoolArray, FloatArray, IntArray
from benchgen.problem import LETTERS

Scorer = Callable[[Offers], FloatArray]


@dataclass(frozen=True)
class Trial:
    """How one predictor did on the items of one task, level and split.

    ``sizes`` holds (number of options, number of items) pairs.
    """

    task: str
    level: int
    split: str
    predictor: str
    fitted: str
    scored: int
    hits: int
    sizes: tuple[tuple[int, int], ...]

    @property
    def accuracy(self) -> float:
        """The share of items hit."""
        return self.hits / self.scored

    @property
    def chance(self) -> float:
        """What a guess hits."""
        return sum(count / k for k, count in self.sizes) / self.scored


def fixed_scores(offers: Offers) -> Iterator[tuple[str, FloatArray]]:
    """Predictors that learn nothing: every place, and both ends of every measurement."""
    n, k = offers.option.shape
    for place in range(k):
        yield f"always {LETTERS[place]}", np.tile(np.eye(k)[place], (n, 1))
    for name, values in offers.measures.items():
        yield f"most: {name}", values
        yield f"least: {name}", -values


def fit_predictors(offers: Offers) -> dict[str, Scorer]:
    """All predictors that learn, fitted to the keys of ``offers``."""
    found: dict[str, Scorer] = {
        name: fit_table(trait, offers).score for name, trait in traits(offers).items()
    }
    found["logistic regression"] = fit_logit(offers).score
    found["boosted trees"] = fit_trees(offers).score
    return found


def run_trials(offers: Offers, learned: dict[str, dict[str, Scorer]], seed: object) -> list[Trial]:
    """Score every predictor on every item of ``offers``.

    ``learned`` maps what was learned from ("train", "split") to fitted predictors;
    their items must not be among those of ``offers``.
    """
    view = offers.view
    if not len(view):
        return []
    values, counts = np.unique(view.sizes, return_counts=True)
    sizes = tuple((int(k), int(c)) for k, c in zip(values, counts, strict=True))

    def trial(name: str, fitted: str, scores: FloatArray) -> Trial:
        coin = _coin(seed, view.task, view.level, view.split, name, fitted)
        chosen = choose(scores, view.offered, coin)
        hits = int((chosen == view.key).sum())
        return Trial(view.task, view.level, view.split, name, fitted, len(view), hits, sizes)

    trials = [trial(name, "", scores) for name, scores in fixed_scores(offers)]
    for fitted, scorers in learned.items():
        trials += [trial(name, fitted, scorer(offers)) for name, scorer in scorers.items()]
    return trials


def choose(scores: FloatArray, offered: BoolArray, coin: np.random.Generator) -> IntArray:
    """The place of the highest score among the options [n]; ties by ``coin``."""
    shown = np.where(offered, scores, -np.inf)
    best = (shown == shown.max(axis=1, keepdims=True)) & offered
    tosses = np.where(best, coin.random(scores.shape), -1.0)
    return np.asarray(np.argmax(tosses, axis=1), dtype=np.int64)


def _coin(*parts: object) -> np.random.Generator:
    text = "\x1f".join(str(part) for part in parts)
    return np.random.default_rng(
        int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big")
    )
