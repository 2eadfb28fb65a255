"""Intervals between spelled pitches.

Conventions
-----------
* Number and direction go by staff position, both ends counted: C to E is a third
  whatever their alterations. The quality compares the semitones with the
  perfect or major interval of that number.
* Compounds are named in full up to the fifteenth; their quality is that of the
  simple interval.
* Qualities go to doubly augmented and doubly diminished, no further.
"""

from __future__ import annotations

from functools import cache

from benchgen.sheet_music.theory.pitch import LETTERS, STEP_SEMITONES, semitones

NUMBERS = (
    "", "unison", "second", "third", "fourth", "fifth", "sixth", "seventh", "octave", "ninth",
    "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth",
)  # fmt: skip
PERFECT_NUMBERS = frozenset({1, 4, 5, 8, 11, 12, 15})
_PERFECT = {
    -2: "doubly diminished", -1: "diminished", 0: "perfect", 1: "augmented",
    2: "doubly augmented",
}  # fmt: skip
_IMPERFECT = {
    -3: "doubly diminished", -2: "diminished", -1: "minor", 0: "major", 1: "augmented",
    2: "doubly augmented",
}  # fmt: skip


def reference_semitones(number: int) -> int:
    """Semitones of the perfect or major interval of that number."""
    octaves, steps = divmod(number - 1, 7)
    return 12 * octaves + STEP_SEMITONES[steps]


@cache
def quality(number: int, distance: int) -> str | None:
    """The quality of an interval of ``distance`` semitones, None beyond doubly."""
    table = _PERFECT if number in PERFECT_NUMBERS else _IMPERFECT
    return table.get(distance - reference_semitones(number))


@cache
def size(number: int, quality_name: str) -> int:
    """Semitones of the named interval.

    Raises
    ------
    KeyError
        No such interval (a perfect third).
    """
    table = _PERFECT if number in PERFECT_NUMBERS else _IMPERFECT
    offsets = {name: offset for offset, name in table.items()}
    return reference_semitones(number) + offsets[quality_name]


def interval_name(low: tuple[int, int], high: tuple[int, int]) -> str | None:
    """The name of the interval from ``low`` to ``high``, each (place, alteration).

    None where the pair sounds crossed or the quality is beyond doubly.
    """
    number = high[0] - low[0] + 1
    distance = semitones(*high) - semitones(*low)
    name = quality(number, distance)
    if name is None or distance <= 0:
        return None
    return f"{name} {NUMBERS[number]}"


def count_words(low: tuple[int, int], high: tuple[int, int]) -> str:
    """How an interval is counted, of two (place, alteration).

    ``"B, C, D make a third. In semitones, B to D is 3 without signs and 4 with them"``
    """
    letters = [LETTERS[place % 7] for place in range(low[0], high[0] + 1)]
    bare = semitones(high[0], 0) - semitones(low[0], 0)
    signed = semitones(*high) - semitones(*low)
    return (
        f"{', '.join(letters)} make {_article(NUMBERS[len(letters)])}. In semitones, "
        f"{letters[0]} to {letters[-1]} is {bare} without signs and {signed} with them"
    )


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
