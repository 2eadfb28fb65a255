"""Spelled pitches and key signatures.

Conventions
-----------
* A step is 0 to 6 for C to B; an alteration counts semitones, sharps positive;
  octaves are scientific (C4 is middle C) and change at C: B sharp 3 sounds with
  C natural 4.
* A *place* is ``7 * octave + step``: the staff position, clef aside.
* Spelling is the answer: G flat is not F sharp.
* ``fifths`` counts a signature's sharps (positive) or flats (negative), -7 to 7.
"""

from __future__ import annotations

LETTERS = "CDEFGAB"
STEP_SEMITONES = (0, 2, 4, 5, 7, 9, 11)
ALTERATIONS = {-2: "double flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double sharp"}
_SHARP_ORDER = (3, 0, 4, 1, 5, 2, 6)

Spelling = tuple[int, int]
"""(step, alteration): a pitch class as it is spelled."""


def signature(fifths: int) -> tuple[int, ...]:
    """The alteration of each step, C to B, under a key signature."""
    return _SIGNATURES[fifths]


def _signature(fifths: int) -> tuple[int, ...]:
    signed = signed_steps(fifths)
    return tuple((1 if fifths > 0 else -1) if step in signed else 0 for step in range(7))


def signed_steps(fifths: int) -> tuple[int, ...]:
    """The steps that have a sign, in the order in which the signs are written."""
    return _SHARP_ORDER[:fifths] if fifths >= 0 else _SHARP_ORDER[::-1][:-fifths]


_SIGNATURES = {fifths: _signature(fifths) for fifths in range(-7, 8)}


def semitones(place: int, alter: int) -> int:
    """Semitones above C0."""
    return 12 * (place // 7) + STEP_SEMITONES[place % 7] + alter


def pitch_class(spelling: Spelling) -> int:
    """0 to 11, C natural 0."""
    return (STEP_SEMITONES[spelling[0]] + spelling[1]) % 12


def note_words(step: int, alter: int) -> str:
    """``"F sharp"``, ``"C natural"``."""
    return f"{LETTERS[step]} {ALTERATIONS[alter]}"


def root_words(step: int, alter: int) -> str:
    """As the name of a chord, key or scale begins: ``"F sharp"``, but ``"C"``."""
    return f"{LETTERS[step]} {ALTERATIONS[alter]}" if alter else LETTERS[step]


def pitch_words(place: int, alter: int) -> str:
    """``"F sharp 4"``."""
    return f"{LETTERS[place % 7]} {ALTERATIONS[alter]} {place // 7}"
