"""The words of questions and options: notes, intervals, chords, scales, keys.

Each parser takes the whole of its text or nothing: what is not exactly in the
printed form is a fault.
"""

from __future__ import annotations

import re

from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.pitches import Pitch, PitchClass

_ALTERATIONS = {"double flat": -2, "flat": -1, "natural": 0, "sharp": 1, "double sharp": 2}
_ALTER = "|".join(_ALTERATIONS)
_NOTE = re.compile(rf"([A-G]) ({_ALTER})")
_PITCH = re.compile(rf"([A-G]) ({_ALTER}) ([0-9])")
_NAMED = re.compile(r"([A-G])(?: (double flat|flat|sharp|double sharp))? ([a-z][a-z -]*)")


def parse_note(text: str) -> PitchClass:
    """``E flat`` or ``C natural``."""
    match = _NOTE.fullmatch(text)
    if match is None:
        raise Fault(f"no note: {text!r}")
    return PitchClass(match[1], _ALTERATIONS[match[2]])


def parse_pitch(text: str) -> Pitch:
    """``F sharp 4``."""
    match = _PITCH.fullmatch(text)
    if match is None:
        raise Fault(f"no note with an octave: {text!r}")
    return Pitch(match[1], _ALTERATIONS[match[2]], int(match[3]))


def parse_named(text: str) -> tuple[PitchClass, str]:
    """``B flat dominant seventh`` as its first note and the kind; ``C major`` is on C natural."""
    match = _NAMED.fullmatch(text)
    if match is None:
        raise Fault(f"no name on a note: {text!r}")
    return PitchClass(match[1], _ALTERATIONS.get(match[2], 0)), match[3]
