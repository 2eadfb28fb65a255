"""``chord_name``, ``chord_completion`` and ``chord_root``: one accented chord."""

from __future__ import annotations

from collections.abc import Sequence

from benchgen.sheet_music.proof import music21_witness
from benchgen.sheet_music.proof.definitions import CHORDS, chord_tones
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.judges.marked import accented_chord
from benchgen.sheet_music.proof.pitches import Pitch, PitchClass
from benchgen.sheet_music.proof.words import parse_named, parse_note
from benchgen.sheet_music.proof.written import Written

_NAME_QUESTION = "What is the accented chord?"
_COMPLETION_QUESTION = (
    "One note is missing from the accented chord. The word above it names the kind of chord, "
    "and its lowest note is the root. Which note is missing?"
)
_ROOT_QUESTION = "Which note is the root of the accented chord?"


def judge_chord_name(question: str, options: Sequence[str], written: Written) -> list[bool]:
    """Right is a name whose spelled tones are exactly those of the chord."""
    _check_question(question, _NAME_QUESTION)
    _, pitches = accented_chord(written)
    shown = _tones(pitches)
    witness = music21_witness.chord_opinion(pitches)
    verdicts = []
    for option in options:
        root, kind = parse_named(option)
        if kind not in CHORDS:
            raise Fault(f"no kind of chord: {option!r}")
        right = chord_tones(root, kind) == shown
        if right != (witness == (root, kind)):
            raise Fault(f"music21 hears {witness} and parts from the definition on {option}")
        verdicts.append(right)
    return verdicts


def judge_chord_completion(question: str, options: Sequence[str], written: Written) -> list[bool]:
    """Right is the one tone that makes the shown ones the chord of that kind on the lowest."""
    _check_question(question, _COMPLETION_QUESTION)
    event, pitches = accented_chord(written)
    kind = event.above
    if kind not in CHORDS:
        raise Fault(f"the word above the accented chord is {kind!r}, no kind of chord")
    lowest = min(pitches, key=lambda pitch: pitch.step)
    if any(p.semitone < lowest.semitone for p in pitches):
        raise Fault("which note is lowest differs between staff and sound")
    chord = chord_tones(lowest.pitch_class, kind)
    shown = _tones(pitches)
    if not shown < chord or len(chord - shown) != 1:
        raise Fault("the shown notes are not the chord of that kind less one note")
    return [
        tone not in shown
        and shown | {tone} == chord
        and _witness_completes(pitches, tone, (lowest.pitch_class, kind))
        for tone in map(parse_note, options)
    ]


def judge_chord_root(question: str, options: Sequence[str], written: Written) -> list[bool]:
    """Right is the note over which the spelled tones stack in thirds."""
    _check_question(question, _ROOT_QUESTION)
    _, pitches = accented_chord(written)
    shown = _tones(pitches)
    roots = {tone for tone in shown for kind in CHORDS if chord_tones(tone, kind) == shown}
    if len(roots) != 1:
        raise Fault(f"the accented chord has {len(roots)} roots by the printed kinds")
    witness = music21_witness.chord_opinion(pitches)[0]
    if roots != {witness}:
        raise Fault(f"music21 takes {witness} for the root and not {roots}")
    return [parse_note(option) in roots for option in options]


def _witness_completes(
    pitches: tuple[Pitch, ...], tone: PitchClass, expected: tuple[PitchClass, str]
) -> bool:
    """Whether music21 hears the expected chord once ``tone`` stands on top (else a fault)."""
    octave = max(pitch.octave for pitch in pitches) + 1
    full = (*pitches, Pitch(tone.letter, tone.alter, octave))
    witness = music21_witness.chord_opinion(full)
    if witness != expected:
        raise Fault(f"with {tone} music21 hears {witness}, not {expected}")
    return True


def _tones(pitches: tuple[Pitch, ...]) -> frozenset[PitchClass]:
    return frozenset(pitch.pitch_class for pitch in pitches)


def _check_question(question: str, expected: str) -> None:
    if question != expected:
        raise Fault(f"not the question of this class: {question!r}")
