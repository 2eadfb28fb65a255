"""Predictors that count: how often was the key what it was when this was on offer?

Conventions
-----------
* A *trait* gives every option of every item a 64-bit hash [n, k]: its text, its place,
  its rank by some measurement, each alone or with the question.
* A table learns P(key | an option with this trait is offered), shrunk towards chance,
  and chooses the option whose trait has the highest rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchgen.audit.offers import Offers
from benchgen.audit.view import FloatArray, HashArray, mixed, text_hashes

_PRIOR = 4.0

Trait = Callable[[Offers], HashArray]


@dataclass(frozen=True)
class RateTable:
    """P(key | trait) for the traits that were met, in ascending order of hash."""

    trait: Trait
    hashes: HashArray
    rates: FloatArray
    chance: float

    def score(self, offers: Offers) -> FloatArray:
        """The rate of every option [n, k]; chance for a trait that was never met."""
        if not len(self.hashes):
            return np.full(offers.option.shape, self.chance)
        codes = self.trait(offers)
        place = np.minimum(np.searchsorted(self.hashes, codes), len(self.hashes) - 1)
        return np.where(self.hashes[place] == codes, self.rates[place], self.chance)


def fit_table(trait: Trait, offers: Offers) -> RateTable:
    """Count the trait's offers and keys over the items of ``offers``."""
    offered = offers.view.offered
    codes = trait(offers)
    keyed = np.zeros(offered.shape, dtype=bool)
    keyed[np.arange(len(keyed)), offers.view.key] = True
    hashes, place = np.unique(codes[offered], return_inverse=True)
    shown = np.bincount(place, minlength=len(hashes))
    hits = np.bincount(place, weights=keyed[offered], minlength=len(hashes))
    chance = offers.view.chance if len(keyed) else 0.0
    rates = (hits + _PRIOR * chance) / (shown + _PRIOR)
    return RateTable(trait, hashes, rates, chance)


def traits(offers: Offers) -> dict[str, Trait]:
    """The traits that the options of this view can be counted by."""
    found: dict[str, Trait] = {
        "letter": _letter,
        "rate of the option": _option,
        "rate of the option in its set": _option_in_set,
        "rate of the sharing pattern": _pattern,
    }
    if len(offers.view.questions) > 1:
        found["letter by question"] = lambda o: _asked(o, _letter(o))
        found["rate of the option by question"] = lambda o: _asked(o, _option(o))
        found["rate of the option in its set by question"] = lambda o: _asked(o, _option_in_set(o))
        found["rate of the sharing pattern by question"] = lambda o: _asked(o, _pattern(o))
    for name in offers.ranks:
        found[f"rank by {name}"] = _rank(name)
    for name in offers.view.metadata:
        found[f"letter by {name}"] = _metadata(name)
    return found


def letters(offers: Offers) -> HashArray:
    """The place of each option as a hash [1, k]."""
    return mixed(np.arange(1, offers.option.shape[1] + 1, dtype=np.uint64)[None, :])


def sharing(offers: Offers) -> HashArray:
    """Which attributes each option shares with how many others, as one hash [n, k]."""
    # A sum, so that an attribute that only another view knows changes nothing here.
    total = np.zeros(offers.option.shape, dtype=np.uint64)
    for name, counts in offers.shares.items():
        total += np.where(counts > 0, mixed(text_hashes([name])[0], counts), np.uint64(0))
    return total


def _letter(offers: Offers) -> HashArray:
    return np.broadcast_to(letters(offers), offers.option.shape)


def _option(offers: Offers) -> HashArray:
    return offers.option


def _option_in_set(offers: Offers) -> HashArray:
    return mixed(offers.option, offers.option_set[:, None])


def _pattern(offers: Offers) -> HashArray:
    return sharing(offers)


def _asked(offers: Offers, codes: HashArray) -> HashArray:
    return mixed(codes, offers.question[:, None])


def _rank(name: str) -> Trait:
    def trait(offers: Offers) -> HashArray:
        codes = offers.ranks.get(name)
        if codes is None:
            return np.zeros(offers.option.shape, dtype=np.uint64)
        return codes.astype(np.uint64)

    return trait


def _metadata(name: str) -> Trait:
    def trait(offers: Offers) -> HashArray:
        return mixed(offers.view.metadata[name][:, None], letters(offers))

    return trait
