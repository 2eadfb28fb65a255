"""The contamination guard: what a model scores on a public test set, and on a fresh draw of it.

Conventions
-----------
* A fresh draw is a dataset by the same recipe (``manifest.recipe_digest``) and another seed. A
  model that met the public items, or learned from them, does better on these; one that learned
  what they are about does as well on both.
* The gap is the public accuracy less the fresh one. Its 95 % interval is made of the two
  accuracies' own, which are independent (Zou and Donner, "Construction of confidence limits about
  effect measures: a general approach", Statistics in Medicine 27, 2008: limits of a difference from
  those of its terms). A gap is flagged where the interval lies above 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """An accuracy with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Gap:
    """``gap`` is the public share less the fresh one, ``low`` and ``high`` its limits."""

    gap: float
    low: float
    high: float

    @property
    def flagged(self) -> bool:
        """More of the public items were right than chance explains."""
        return self.low > 0


def gap(public: Share, fresh: Share) -> Gap:
    """The gap between two independent shares."""
    between = public.value - fresh.value
    below = math.hypot(public.value - public.low, fresh.high - fresh.value)
    above = math.hypot(public.high - public.value, fresh.value - fresh.low)
    return Gap(between, max(-1.0, between - below), min(1.0, between + above))
