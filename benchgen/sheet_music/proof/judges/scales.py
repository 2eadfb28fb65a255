"""``key_from_tones`` and ``scale_selection``: which tones belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchgen.sheet_music.proof import music21_witness
from benchgen.sheet_music.proof.definitions import (
    MAJOR_TONICS,
    MINOR_TONICS,
    SCALES,
    scale_tones,
)
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.judges.marked import accented
from benchgen.sheet_music.proof.pitches import Pitch, PitchClass, sounding
from benchgen.sheet_music.proof.words import parse_named
from benchgen.sheet_music.proof.written import LETTERS, Written

_KEY_QUESTION = (
    "In which one of these keys do all the accented notes belong? Minor keys are harmonic minor."
)
_SCALE_QUESTION = re.compile(r"Which bar holds the (.+) scale, beginning on any of its notes\?")
_BAR = re.compile(r"bar ([1-9])")
_KEYS = tuple((tonic, "major") for tonic in MAJOR_TONICS) + tuple(
    (tonic, "minor") for tonic in MINOR_TONICS
)
_FORMS = {"major": "major", "minor": "harmonic minor"}
_TONICS = tuple(PitchClass(letter, alter) for letter in LETTERS for alter in range(-2, 3))


def judge_key_from_tones(question: str, options: Sequence[str], written: Written) -> list[bool]:
    """Right is the key that holds every accented note; of the thirty, one alone may."""
    if question != _KEY_QUESTION:
        raise Fault(f"not the question of this class: {question!r}")
    tones = {pitch.pitch_class for _, pitches in accented(written) for pitch in pitches}
    if not tones:
        raise Fault("a score without accents")
    fitting = [key for key in _KEYS if tones <= _spelling(key[0], _FORMS[key[1]])]
    if len(fitting) != 1:
        raise Fault(f"the accented notes fit {len(fitting)} of the thirty keys")
    named = [parse_named(option) for option in options]
    for tonic, mode in named:
        if (tonic, mode) not in _KEYS:
            raise Fault(f"none of the thirty keys: {tonic} {mode}")
    return [key == fitting[0] for key in named]


def judge_scale_selection(question: str, options: Sequence[str], written: Written) -> list[bool]:
    """Right is a bar whose spelled tones are exactly those of the scale named."""
    match = _SCALE_QUESTION.fullmatch(question)
    if match is None:
        raise Fault(f"not the question of this class: {question!r}")
    tonic, kind = parse_named(match[1])
    if kind not in SCALES:
        raise Fault(f"no kind of scale: {match[1]!r}")
    wanted = _spelling(tonic, kind)
    bars = [_scale_of(number, bar) for number, bar in enumerate(sounding(written), start=1)]
    verdicts = []
    for option in options:
        named = _BAR.fullmatch(option)
        if named is None or int(named[1]) > len(bars):
            raise Fault(f"no bar of the score: {option!r}")
        verdicts.append(bars[int(named[1]) - 1] == wanted)
    if len(set(options)) != len(bars):
        raise Fault(f"{len(set(options))} different options for {len(bars)} bars")
    return verdicts


def _scale_of(number: int, bar: tuple[tuple[Pitch, ...], ...]) -> frozenset[PitchClass]:
    """The tones of a bar that must hold some scale from a note to its octave."""
    if len(bar) != 8 or any(len(pitches) != 1 for pitches in bar):
        raise Fault(f"bar {number} does not hold eight single notes")
    notes = [pitches[0] for pitches in bar]
    moves = {high.step - low.step for low, high in zip(notes, notes[1:], strict=False)}
    if moves not in ({1}, {-1}) or notes[0].pitch_class != notes[-1].pitch_class:
        raise Fault(f"bar {number} does not go by step to the octave of its first note")
    tones = frozenset(note.pitch_class for note in notes)
    if not any(tones == scale_tones(tonic, kind) for tonic in _TONICS for kind in SCALES):
        raise Fault(f"bar {number} is the scale of nothing")
    return tones


def _spelling(tonic: PitchClass, kind: str) -> frozenset[PitchClass]:
    tones = scale_tones(tonic, kind)
    if tones != music21_witness.scale_spelling(tonic, kind):
        raise Fault(f"music21 spells the {kind} scale on {tonic} in another way")
    return tones
