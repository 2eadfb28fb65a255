"""Gradient-boosted trees on the measurements of each option.

Conventions
-----------
* One row an option, one target: is it the key? The option with the highest score in
  its item is chosen. Trees find interactions of attributes (the one whose mode differs
  names the root of the right one) that no single count shows.
* One thread: the audit runs in several processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from benchgen.audit.offers import Offers
from benchgen.audit.view import FloatArray

_ROUNDS = 40
_MOST_QUESTIONS = 200


@dataclass(frozen=True)
class BoostedTrees:
    """The fitted trees, and the names of what they look at."""

    model: Any
    names: tuple[str, ...]
    questions: tuple[int, ...]

    def score(self, offers: Offers) -> FloatArray:
        """The log-odds of every option [n, k]."""
        if self.model is None:
            return np.zeros(offers.option.shape)
        with threadpool_limits(limits=1):
            found = self.model.decision_function(_table(offers, self.names, self.questions))
        return np.asarray(found, dtype=np.float64).reshape(offers.option.shape)


def fit_trees(offers: Offers) -> BoostedTrees:
    """Fit to the keys of ``offers``; no opinion where there is nothing to learn from."""
    view = offers.view
    names = tuple(sorted(offers.measures))
    asked, counts = np.unique(offers.question, return_counts=True)
    most = asked[np.argsort(-counts, kind="stable")][:_MOST_QUESTIONS]
    questions = tuple(sorted(int(q) for q in most))
    keyed = np.zeros(offers.option.shape, dtype=np.int64)
    keyed[np.arange(len(view)), view.key] = 1
    offered = view.offered.ravel()
    target = keyed.ravel()[offered]
    if len(np.unique(target)) < 2:
        return BoostedTrees(None, names, questions)
    model = HistGradientBoostingClassifier(
        max_iter=_ROUNDS,
        max_leaf_nodes=16,
        min_samples_leaf=min(80, max(5, len(view) // 20)),
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features=[0],
        random_state=0,
    )
    with threadpool_limits(limits=1):
        model.fit(_table(offers, names, questions)[offered], target)
    return BoostedTrees(model, names, questions)


def _table(offers: Offers, names: tuple[str, ...], questions: tuple[int, ...]) -> FloatArray:
    """[n k, columns]: question, place, number of options; value and rank by every name."""
    n, k = offers.option.shape
    known = np.array(questions, dtype=np.uint64)
    place = np.minimum(np.searchsorted(known, offers.question), len(known) - 1)
    asked = np.where(known[place] == offers.question, place, len(known))
    columns = [
        np.repeat(asked, k),
        np.tile(np.arange(k), n),
        np.repeat(offers.view.sizes, k),
    ]
    for name in names:
        values, ranks = offers.measures.get(name), offers.ranks.get(name)
        if values is None or ranks is None:
            columns += [np.full(n * k, np.nan), np.full(n * k, np.nan)]
            continue
        # A place in the vocabulary means something else in another view.
        columns.append(np.zeros(n * k) if name == "alphabetical" else values.ravel())
        columns.append(ranks.ravel())
    return np.stack(columns, axis=1).astype(np.float32).astype(np.float64)
