"""What music21 says, asked only where it was found sound.

It is given spelled pitches that our own reader resolved, never ABC, and only
questions of a closed vocabulary: intervals from the second to the fifteenth by
name and by transposition, roots and kinds of complete chords, scale and chord
spellings, signatures, bar lengths. It is imported when first asked, because only
``verify`` needs it.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from types import ModuleType

from benchgen.errors import InputError
from benchgen.sheet_music.proof.definitions import CHORDS
from benchgen.sheet_music.proof.pitches import Pitch, PitchClass

_QUALITIES = {
    "perfect": "P",
    "major": "M",
    "minor": "m",
    "augmented": "A",
    "diminished": "d",
    "doubly augmented": "AA",
    "doubly diminished": "dd",
}
_SCALES = {
    "major": "MajorScale",
    "natural minor": "MinorScale",
    "harmonic minor": "HarmonicMinorScale",
    "melodic minor": "MelodicMinorScale",
    "dorian": "DorianScale",
    "phrygian": "PhrygianScale",
    "lydian": "LydianScale",
    "mixolydian": "MixolydianScale",
}


@cache
def _music21() -> ModuleType:
    try:
        import music21
    except ImportError as error:
        raise InputError("verify needs music21: install the extra benchgen[verify]") from error
    module: ModuleType = music21
    return module


@cache
def interval_name(low: Pitch, high: Pitch) -> str | None:
    """The short name (``m10``) of an interval, second or wider, lower staff position first.

    None for one beyond the names that music21 has.
    """
    ends = (_music21().pitch.Pitch(_spell(pitch, pitch.octave)) for pitch in (low, high))
    try:
        name: str = _music21().interval.Interval(*ends).name
    except _music21().interval.IntervalException:
        return None
    return name


def short_name(quality: str, number: int) -> str:
    """``m10`` for a minor tenth: the form in which music21 names intervals."""
    return f"{_QUALITIES[quality]}{number}"


@cache
def transposed(pitch: Pitch, quality: str, number: int, *, up: bool) -> Pitch | None:
    """The note an interval above or below ``pitch``; None where no sign can write it."""
    interval = _music21().interval.Interval(short_name(quality, number))
    given = _music21().pitch.Pitch(_spell(pitch, pitch.octave))
    try:
        moved = interval.transposePitch(given, reverse=not up, maxAccidental=None)
    except _music21().pitch.AccidentalException:
        return None
    return Pitch(moved.step, int(moved.alter), moved.octave)


@cache
def chord_opinion(pitches: tuple[Pitch, ...]) -> tuple[PitchClass, str | None]:
    """Root and kind (None for one without a name) of the chord that sounds."""
    chord = _music21().chord.Chord([_spell(p, p.octave) for p in pitches])
    root = chord.root()
    heard = {
        (member.diatonicNoteNum - root.diatonicNoteNum) % 7: (member.ps - root.ps) % 12
        for member in chord.pitches
    }
    kinds = [
        kind
        for kind, heights in CHORDS.items()
        if heard == {2 * place: height for place, height in enumerate(heights)}
    ]
    return PitchClass(root.step, int(root.alter)), kinds[0] if kinds else None


@cache
def scale_spelling(tonic: PitchClass, kind: str) -> frozenset[PitchClass]:
    """The tones of a scale (melodic minor in its ascending form)."""
    scale = getattr(_music21().scale, _SCALES[kind])(_spell(tonic, 4))
    rising = _music21().scale.Direction.ASCENDING
    tones = scale.getPitches(_spell(tonic, 4), _spell(tonic, 5), direction=rising)
    return frozenset(PitchClass(p.step, int(p.alter)) for p in tones)


@cache
def key_fifths(tonic: PitchClass, mode: str) -> int:
    """The signature of a major or minor key."""
    name = _spell(tonic, None)
    fifths: int = _music21().key.Key(name.lower() if mode == "minor" else name, mode).sharps
    return fifths


@cache
def bar_length(meter: tuple[int, int]) -> Fraction:
    """The length of a bar in whole notes."""
    signature = _music21().meter.TimeSignature(f"{meter[0]}/{meter[1]}")
    return Fraction(signature.barDuration.quarterLength) / 4


def _spell(note: Pitch | PitchClass, octave: int | None) -> str:
    signs = "#" * note.alter if note.alter > 0 else "-" * -note.alter
    return f"{note.letter}{signs}{'' if octave is None else octave}"
