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

from benchgen.sheet_music.theory.pitch import LETTERS, STEP_SEMITONES, note_words, semitones

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


def count_words(start: int, end: int) -> str:
    """How one goes up or down from a place to another, by staff position and by semitone.

    Each position has its number before it and its semitones from the first, signs left out,
    behind: ``"1 B 0, 2 C 1, 3 D 3"``.
    """
    way = 1 if end >= start else -1
    return ", ".join(
        f"{number} {LETTERS[place % 7]} {abs(semitones(place, 0) - semitones(start, 0))}"
        for number, place in enumerate(range(start, end + way, way), 1)
    )


def number_words(number: int) -> str:
    """``"a third"``, ``"an octave"``."""
    word = NUMBERS[number]
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def measure_words(low: tuple[int, int], high: tuple[int, int]) -> str:
    """How the signs of two notes, each (place, alteration), change what is between them.

    ``"3 without signs. B natural below adds 0: 3. D sharp above adds 1: 4"``
    """
    bare = semitones(high[0], 0) - semitones(low[0], 0)
    lower, signed = sign_words(bare, low, above=False)
    higher, _ = sign_words(signed, high, above=True)
    return f"{bare} without signs. {lower}. {higher}"


def sign_words(distance: int, note: tuple[int, int], above: bool) -> tuple[str, int]:
    """What the sign of a note, (place, alteration), does to a distance, and what that makes it.

    ``"D sharp above adds 1: 4"``, where the note is the higher one, and 4
    """
    place, alter = note
    added = alter if above else -alter
    does = f"{'takes' if added < 0 else 'adds'} {abs(added)}"
    made = distance + added
    return f"{note_words(place % 7, alter)} {'above' if above else 'below'} {does}: {made}", made


def reference_words(number: int) -> str:
    """``"The major one has 4"``: what the quality of an interval is compared with."""
    quality = "perfect" if number in PERFECT_NUMBERS else "major"
    return f"The {quality} one has {reference_semitones(number)}"
