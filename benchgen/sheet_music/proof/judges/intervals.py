"""``interval_name`` and ``note_completion``: two spelled notes and the name between them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchgen.sheet_music.proof import music21_witness
from benchgen.sheet_music.proof.definitions import (
    INTERVAL_NUMBERS,
    interval_is,
    interval_semitones,
)
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.judges.marked import accented, accented_notes
from benchgen.sheet_music.proof.pitches import Pitch
from benchgen.sheet_music.proof.words import parse_pitch
from benchgen.sheet_music.proof.written import Written

_NAME_QUESTION = "What is the interval between the two accented notes?"
_COMPLETION_QUESTION = (
    "An interval and a direction are written above the accented note. "
    "Which note do they lead to from there?"
)
_INSTRUCTION = re.compile(r"([a-z ]+) (up|down)")
_QUALITIES = (
    "doubly diminished", "doubly augmented", "diminished", "augmented", "perfect", "major", "minor",
)  # fmt: skip


def judge_interval_name(question: str, options: Sequence[str], written: Written) -> list[bool]:
    """Right is the full name of the interval from the lower staff position to the higher."""
    if question != _NAME_QUESTION:
        raise Fault(f"not the question of this class: {question!r}")
    low, high = sorted(accented_notes(written, 2), key=lambda pitch: pitch.step)
    _check_apart(low, high)
    witness = music21_witness.interval_name(low, high)
    verdicts = []
    for option in options:
        quality, number = parse_interval(option)
        right = interval_is(low, high, quality, number)
        if right != (witness == music21_witness.short_name(quality, number)):
            raise Fault(f"music21 calls it {witness} and parts from the definition on {option}")
        verdicts.append(right)
    return verdicts


def judge_note_completion(question: str, options: Sequence[str], written: Written) -> list[bool]:
    """Right is the note that the interval and direction above the accented note lead to."""
    if question != _COMPLETION_QUESTION:
        raise Fault(f"not the question of this class: {question!r}")
    (given,) = accented_notes(written, 1)
    above = accented(written)[0][0].above or ""
    match = _INSTRUCTION.fullmatch(above)
    if match is None:
        raise Fault(f"above the accented note stands {above!r}, no interval and direction")
    quality, number = parse_interval(match[1])
    up = match[2] == "up"
    witness = music21_witness.transposed(given, quality, number, up=up)
    verdicts = []
    for option in options:
        pitch = parse_pitch(option)
        low, high = (given, pitch) if up else (pitch, given)
        right = interval_is(low, high, quality, number)
        if right != (witness == pitch):
            raise Fault(f"music21 gives {witness} and parts from the definition on {option}")
        if right:
            _check_apart(low, high)
        verdicts.append(right)
    return verdicts


def parse_interval(name: str) -> tuple[str, int]:
    """Quality and number of a full name such as ``doubly augmented fourth``."""
    quality, _, ordinal = name.rpartition(" ")
    number = INTERVAL_NUMBERS.get(ordinal)
    if number is None or quality not in _QUALITIES or interval_semitones(quality, number) is None:
        raise Fault(f"no interval: {name!r}")
    return quality, number


def _check_apart(low: Pitch, high: Pitch) -> None:
    if high.step == low.step or high.semitone <= low.semitone:
        raise Fault(f"{low} and {high} stand or sound alike or crossed")
    if high.step - low.step > 14:
        raise Fault(f"{low} and {high} are more than a fifteenth apart")
