"""The printed definitions of ``docs/sheet_music.md`` as tables and two plain functions.

Written from that page alone; nothing here is shared with the generator.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

from benchgen.sheet_music.proof.pitches import Pitch, PitchClass
from benchgen.sheet_music.proof.written import LETTERS, NATURAL_SEMITONES

INTERVAL_NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            "second", "third", "fourth", "fifth", "sixth", "seventh", "octave", "ninth",
            "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth",
        ),
        start=2,
    )
}  # fmt: skip
_PERFECT_QUALITIES = {
    "doubly diminished": -2, "diminished": -1, "perfect": 0, "augmented": 1, "doubly augmented": 2,
}  # fmt: skip
_MAJOR_QUALITIES = {
    "doubly diminished": -3, "diminished": -2, "minor": -1, "major": 0, "augmented": 1,
    "doubly augmented": 2,
}  # fmt: skip

TRIADS = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "diminished": (0, 3, 6),
    "augmented": (0, 4, 8),
}
SEVENTHS = {
    "major seventh": (0, 4, 7, 11),
    "dominant seventh": (0, 4, 7, 10),
    "minor seventh": (0, 3, 7, 10),
    "half-diminished seventh": (0, 3, 6, 10),
    "diminished seventh": (0, 3, 6, 9),
    "minor-major seventh": (0, 3, 7, 11),
    "augmented-major seventh": (0, 4, 8, 11),
}
CHORDS = TRIADS | SEVENTHS

SCALES = {
    "major": (2, 2, 1, 2, 2, 2, 1),
    "natural minor": (2, 1, 2, 2, 1, 2, 2),
    "harmonic minor": (2, 1, 2, 2, 1, 3, 1),
    "melodic minor": (2, 1, 2, 2, 2, 2, 1),
    "dorian": (2, 1, 2, 2, 2, 1, 2),
    "phrygian": (1, 2, 2, 2, 1, 2, 2),
    "lydian": (2, 2, 2, 1, 2, 2, 1),
    "mixolydian": (2, 2, 1, 2, 2, 1, 2),
}

MAJOR_TONICS = tuple(
    PitchClass(letter, alter)
    for letter, alter in (
        ("C", -1), ("G", -1), ("D", -1), ("A", -1), ("E", -1), ("B", -1), ("F", 0), ("C", 0),
        ("G", 0), ("D", 0), ("A", 0), ("E", 0), ("B", 0), ("F", 1), ("C", 1),
    )
)  # fmt: skip
MINOR_TONICS = tuple(
    PitchClass(letter, alter)
    for letter, alter in (
        ("A", -1), ("E", -1), ("B", -1), ("F", 0), ("C", 0), ("G", 0), ("D", 0), ("A", 0),
        ("E", 0), ("B", 0), ("F", 1), ("C", 1), ("G", 1), ("D", 1), ("A", 1),
    )
)  # fmt: skip

_QUARTER, _HALF = Fraction(1, 4), Fraction(1, 2)
_EVEN_BEATS = {
    (2, 4): _QUARTER, (3, 4): _QUARTER, (4, 4): _QUARTER,
    (2, 2): _HALF, (3, 2): _HALF,
    (6, 8): 3 * _QUARTER / 2, (9, 8): 3 * _QUARTER / 2, (12, 8): 3 * _QUARTER / 2,
    (6, 4): 3 * _HALF / 2, (9, 4): 3 * _HALF / 2,
}  # fmt: skip
_UNEVEN_GROUPINGS = {
    (5, 8): ((2, 3), (3, 2)),
    (7, 8): ((2, 2, 3), (2, 3, 2), (3, 2, 2)),
}


def interval_semitones(quality: str, number: int) -> int | None:
    """The semitones of an interval, or None where the quality does not go with the number."""
    octaves, simple = divmod(number - 1, 7)
    qualities = _PERFECT_QUALITIES if simple in (0, 3, 4) else _MAJOR_QUALITIES
    if quality not in qualities:
        return None
    plain = NATURAL_SEMITONES[LETTERS[simple]]  # C up to each letter is perfect or major
    return 12 * octaves + plain + qualities[quality]


def interval_is(low: Pitch, high: Pitch, quality: str, number: int) -> bool:
    """Whether ``low`` up to ``high`` (by staff position) is that interval."""
    distance = high.semitone - low.semitone
    return high.step - low.step + 1 == number and distance == interval_semitones(quality, number)


def chord_tones(root: PitchClass, kind: str) -> frozenset[PitchClass]:
    """The spelled tones of a chord: letters in stacked thirds over the root."""
    return frozenset(
        spelled(root, 2 * place, semitones) for place, semitones in enumerate(CHORDS[kind])
    )


def scale_tones(tonic: PitchClass, kind: str) -> frozenset[PitchClass]:
    """The spelled tones of a scale, each letter once."""
    heights = accumulate(SCALES[kind][:-1], initial=0)
    return frozenset(spelled(tonic, degree, height) for degree, height in enumerate(heights))


def spelled(low: PitchClass, steps: int, semitones: int) -> PitchClass:
    """The note that many letters and semitones above ``low`` (the octave left out)."""
    octaves, place = divmod(LETTERS.index(low.letter) + steps, 7)
    letter = LETTERS[place]
    return PitchClass(letter, low.semitone + semitones - NATURAL_SEMITONES[letter] - 12 * octaves)


def beat_patterns(meter: tuple[int, int]) -> tuple[tuple[Fraction, ...], ...]:
    """The ways a bar of ``meter`` falls into beats: each a tuple of lengths in whole notes.

    Empty for a meter that the page does not name.
    """
    if meter in _EVEN_BEATS:
        beat = _EVEN_BEATS[meter]
        return ((beat,) * int(Fraction(*meter) / beat),)
    groupings = _UNEVEN_GROUPINGS.get(meter, ())
    return tuple(tuple(Fraction(n, meter[1]) for n in grouping) for grouping in groupings)
