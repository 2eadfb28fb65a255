"""The ABC text of what is written, in the dialect that ``abc_reader`` reads.

The prover needs it for mutations alone: what is proved was written elsewhere.
"""

from __future__ import annotations

from fractions import Fraction

from benchgen.sheet_music.proof.written import Written, WrittenBar, WrittenEvent, WrittenNote

_TONICS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
_SIGNS = {None: "", -2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}


def abc_text(written: Written) -> str:
    """Five lines of ABC, the last of them ended."""
    meter = "none" if written.meter is None else f"{written.meter[0]}/{written.meter[1]}"
    body = " | ".join(_bar(bar) for bar in written.bars)
    key = f"K:{_TONICS[written.fifths + 7]} major clef={written.clef}"
    return f"X:1\nM:{meter}\nL:1/8\n{key}\n{body} |]\n"


def _bar(bar: WrittenBar) -> str:
    text, in_tuplet = "", 0
    for event in bar:
        if event.tuplet and not in_tuplet:
            text += "(3:2:3"
            in_tuplet = 3
        in_tuplet = max(0, in_tuplet - 1)
        text += _event(event) + ("" if event.beam else " ")
    return text.removesuffix(" ")


def _event(event: WrittenEvent) -> str:
    above = "" if event.above is None else f'"^{event.above}"'
    accent = "!accent!" if event.accent else ""
    notes = "".join(_note(note) for note in event.notes) or "z"
    if len(event.notes) > 1:
        notes = f"[{notes}]"
    return above + accent + notes + _length(event)


def _note(note: WrittenNote) -> str:
    letter = note.letter if note.octave <= 4 else note.letter.lower()
    marks = "," * (4 - note.octave) + "'" * (note.octave - 5)
    return _SIGNS[note.sign] + letter + marks


def _length(event: WrittenEvent) -> str:
    eighths = Fraction(2 ** (event.dots + 1) - 1, 2**event.dots * event.value) * 8
    above = "" if eighths.numerator == 1 else str(eighths.numerator)
    return above if eighths.denominator == 1 else f"{above}/{eighths.denominator}"
