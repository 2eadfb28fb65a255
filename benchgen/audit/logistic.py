"""Pairwise logistic regression on hashed features of question x option x other options.

Conventions
-----------
* The model is a conditional logit: the options of one item compete, so that its
  probabilities sum to 1 over them. What all options have in common cancels out.
* Features are indicators, hashed into 2^17 places; nothing is scaled.
* Fitted by L-BFGS on the ridge-penalised likelihood: deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse
from threadpoolctl import threadpool_limits

from benchgen.audit.offers import Offers
from benchgen.audit.tables import letters, sharing
from benchgen.audit.view import FloatArray, HashArray, mixed, text_hashes

_PLACES = 1 << 17
_RIDGE = 8.0
_STEPS = 25
_CHUNK = 8192


@dataclass(frozen=True)
class ConditionalLogit:
    """Weights of the hashed features; ``_PLACES`` is the place of "no feature"."""

    weights: FloatArray

    def score(self, offers: Offers) -> FloatArray:
        """The linear predictor of every option [n, k]."""
        found = []
        for start in range(0, len(offers.view), _CHUNK):
            part = offers.take(slice(start, start + _CHUNK))
            found.append(self.weights[features(part)].sum(axis=2))
        return np.concatenate(found) if found else np.zeros(offers.option.shape)


def fit_logit(offers: Offers) -> ConditionalLogit:
    """Fit to the keys of ``offers``."""
    view = offers.view
    columns = features(offers)
    n, k, width = columns.shape
    # Only the features that occur are fitted: their number, not 2^17, sets the time.
    used = np.zeros(_PLACES + 1, dtype=bool)
    used[columns.ravel()] = True
    used[_PLACES] = False
    places = np.flatnonzero(used)
    compact = np.full(_PLACES + 1, len(places), dtype=np.int32)
    compact[places] = np.arange(len(places))
    design = sparse.csr_matrix(
        (
            np.ones(n * k * width, dtype=np.float32),
            compact[columns.ravel()],
            np.arange(0, n * k * width + 1, width),
        ),
        shape=(n * k, len(places) + 1),
    )[:, : len(places)]
    transposed = design.T.tocsr()
    offered = view.offered
    keyed = np.zeros((n, k))
    keyed[np.arange(n), view.key] = 1.0

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        scores = (design @ weights.astype(np.float32)).astype(np.float64).reshape(n, k)
        scores = np.where(offered, scores, -np.inf)
        scores -= scores.max(axis=1, keepdims=True)
        mass = np.exp(scores)
        total = mass.sum(axis=1, keepdims=True)
        likelihood = scores[np.arange(n), view.key] - np.log(total[:, 0])
        residual = (mass / total - keyed).astype(np.float32).ravel()
        gradient = (transposed @ residual).astype(np.float64) + _RIDGE * weights
        return float(-likelihood.sum() + _RIDGE / 2 * weights @ weights), gradient

    with threadpool_limits(limits=1):
        found = optimize.minimize(
            loss, np.zeros(len(places)), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}
        )
    weights = np.zeros(_PLACES + 1)
    weights[places] = found.x
    return ConditionalLogit(weights)


def features(offers: Offers) -> npt.NDArray[np.int32]:
    """The places of every option's features [n, k, f]."""
    n, k = offers.option.shape
    alone = [
        np.broadcast_to(letters(offers), (n, k)),
        _named("option", offers.option),
        _named("pattern", sharing(offers)),
    ]
    for name, codes in offers.ranks.items():
        alone.append(_named(f"rank {name}", codes))
    for place in range(offers.tokens.shape[2]):
        token = offers.tokens[:, :, place]
        held = (offers.tokens == token[:, :, None]).sum(axis=2)
        among = sum(
            (np.roll(offers.tokens, shift, axis=1) == token[:, :, None]).any(axis=2).astype(int)
            for shift in range(1, k)
        )
        alone.append(np.where(held > 0, _named("token", token), 0))
        alone.append(_named("token among others", mixed(token, np.asarray(among))))
        alone[-1] = np.where(token == 0, np.uint64(0), alone[-1])
        alone[-2] = np.where(token == 0, np.uint64(0), alone[-2])
    for shift in range(1, k):
        other = np.roll(offers.option, shift, axis=1)
        alone.append(np.where(other == 0, 0, _named("beats", mixed(offers.option, other))))
    hashed = alone
    if len(offers.view.questions) > 1:
        asked = offers.question[:, None]
        hashed = alone + [np.where(h == 0, np.uint64(0), mixed(h, asked)) for h in alone]
    stacked = np.stack([np.asarray(h, dtype=np.uint64) for h in hashed], axis=2)
    places = (stacked >> np.uint64(40)) % np.uint64(_PLACES)
    present = (stacked != 0) & offers.view.offered[:, :, None]
    return np.where(present, places, _PLACES).astype(np.int32)


def _named(name: str, codes: npt.NDArray[np.generic]) -> HashArray:
    return mixed(np.asarray(codes), text_hashes([name])[0])
