"""What a blind reader can tell of a question and its options.

A suite may supply ``benchgen/<suite>/attributes.py`` with any of

* ``option_attributes(option) -> {name: number or word}``: what the option means;
* ``plausibility(question, options) -> [number] or None``: a prover that knows the
  field's theory and not the stimulus, higher where an option alone looks likelier;
* ``stimulus_attributes(identity) -> {name: number}``: partial views of the stimulus,
  for the control predictors that are reported and not gated.

Without it the generic attributes below are all there is. Nothing here sees a key.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchgen.problem import Identity
from benchgen.suite import suite_names

Attributes = Mapping[str, float | str]

MAX_WORDS = 12
_PUNCTUATION = "|:/^_=,'#()[]<>-"
_NUMBER = re.compile(r"\d+")


def _no_attributes(option: str) -> Attributes:
    return {}


def _no_opinion(question: str, options: Sequence[str]) -> Sequence[float] | None:
    return None


def _no_stimulus(identity: Identity) -> Mapping[str, float]:
    return {}


@dataclass(frozen=True)
class SuiteReading:
    """A suite's knowledge of its own options and stimuli."""

    option_attributes: Callable[[str], Attributes] = _no_attributes
    plausibility: Callable[[str, Sequence[str]], Sequence[float] | None] = _no_opinion
    stimulus_attributes: Callable[[Identity], Mapping[str, float]] = _no_stimulus


def suite_reading(suite: str) -> SuiteReading:
    """What the suite supplies, generic where it supplies nothing or is unknown."""
    name = f"benchgen.{suite}.attributes"
    if suite not in suite_names() or importlib.util.find_spec(name) is None:
        return SuiteReading()
    module = importlib.import_module(name)
    generic = SuiteReading()
    return SuiteReading(
        getattr(module, "option_attributes", generic.option_attributes),
        getattr(module, "plausibility", generic.plausibility),
        getattr(module, "stimulus_attributes", generic.stimulus_attributes),
    )


def words(text: str) -> list[str]:
    """The words of an option, notation split at white space alone."""
    return text.split()


def generic_attributes(option: str) -> dict[str, float | str]:
    """Attributes of any text: lengths, numbers, signs, words by their place."""
    parts = words(option)
    numbers = [int(n[:9]) for n in _NUMBER.findall(option)]
    found: dict[str, float | str] = {
        "length": len(option),
        "words": len(parts),
        "capitals": sum(c.isupper() for c in option),
        "without case": option.casefold(),
    }
    if numbers:
        found["first number"] = numbers[0]
        found["last number"] = numbers[-1]
        found["sum of numbers"] = sum(numbers)
        found["numbers"] = len(numbers)
    for sign in _PUNCTUATION:
        count = option.count(sign)
        if count:
            found[f"count of {sign}"] = count
    for place, word in enumerate(parts[:MAX_WORDS], 1):
        found[f"word {place}"] = word
    if parts:
        found["last word"] = parts[-1]
    return found
