"""Scales and keys by spelling.

Conventions
-----------
* A scale has each letter once. Minor is always natural, harmonic or melodic;
  "melodic minor" here is the ascending form in both directions.
* A key is a tonic and major or minor; there are fifteen of each, of up to seven
  signature accidentals. The tones of a minor key are those of its harmonic minor.
"""

from __future__ import annotations

from functools import cache

from benchgen.sheet_music.theory.pitch import (
    ALTERATIONS,
    LETTERS,
    STEP_SEMITONES,
    Spelling,
    root_words,
    signed_steps,
)

FORMS = {
    "major": (2, 2, 1, 2, 2, 2, 1),
    "natural minor": (2, 1, 2, 2, 1, 2, 2),
    "harmonic minor": (2, 1, 2, 2, 1, 3, 1),
    "melodic minor": (2, 1, 2, 2, 2, 2, 1),
    "dorian": (2, 1, 2, 2, 2, 1, 2),
    "phrygian": (1, 2, 2, 2, 1, 2, 2),
    "lydian": (2, 2, 2, 1, 2, 2, 1),
    "mixolydian": (2, 2, 1, 2, 2, 1, 2),
}
Key = tuple[Spelling, str]
"""(tonic, ``"major"`` or ``"minor"``)."""


@cache
def scale(tonic: Spelling, form: str) -> tuple[Spelling, ...]:
    """The seven tones from the tonic up. Alterations may pass double signs."""
    step, alter = tonic
    tones = []
    height = 0
    for degree, width in enumerate(FORMS[form]):
        place = step + degree
        natural = 12 * (place // 7) + STEP_SEMITONES[place % 7] - STEP_SEMITONES[step]
        tones.append((place % 7, alter + height - natural))
        height += width
    return tuple(tones)


def tonic_of(fifths: int, mode: str) -> Spelling:
    """The tonic of the key with that signature."""
    along = fifths + (3 if mode == "minor" else 0)
    step = (4 * along) % 7
    # F is one fifth below C; every seven fifths add a sharp.
    return step, (along + 1) // 7


def signature_words(fifths: int) -> str:
    """``"The signature, that of D major, makes F and C sharp."``, in the order of writing.

    The key comes first: ABC names it, and the signs follow from it.
    """
    start = f"The signature, that of {root_words(*tonic_of(fifths, 'major'))} major,"
    if not fifths:
        return f"{start} is empty."
    *others, last = (LETTERS[step] for step in signed_steps(fifths))
    letters = f"{', '.join(others)} and {last}" if others else last
    return f"{start} makes {letters} {ALTERATIONS[1 if fifths > 0 else -1]}."


def keys() -> dict[Key, frozenset[Spelling]]:
    """The thirty keys and their tones, minor as harmonic minor."""
    return _KEYS


def _keys() -> dict[Key, frozenset[Spelling]]:
    found: dict[Key, frozenset[Spelling]] = {}
    for mode, form in (("major", "major"), ("minor", "harmonic minor")):
        for fifths in range(-7, 8):
            tonic = tonic_of(fifths, mode)
            found[tonic, mode] = frozenset(scale(tonic, form))
    return found


_KEYS = _keys()
