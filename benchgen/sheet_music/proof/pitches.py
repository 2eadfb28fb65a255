"""From what is written to what sounds: signature, signs and carry.

Conventions
-----------
* A sign holds for its own letter and octave to the end of its bar. Without one
  the signature decides, in every octave.
* The order of sharps in a signature is F C G D A E B; that of flats, its reverse.
* Readers of ABC part on signs: some carry them to every octave, some print
  courtesy signs after a bar line, some do not. ``unsure_signs`` finds the notes
  on which they would part; a sound item has none.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchgen.sheet_music.proof.written import LETTERS, NATURAL_SEMITONES, Written

_SHARPS = "FCGDAEB"


@dataclass(frozen=True, slots=True, order=True)
class PitchClass:
    """A spelled note without its octave: letter and alteration in semitones."""

    letter: str
    alter: int

    @property
    def semitone(self) -> int:
        """Semitones above C, not reduced: C flat is -1, B sharp 12."""
        return NATURAL_SEMITONES[self.letter] + self.alter


@dataclass(frozen=True, slots=True)
class Pitch:
    """A spelled note with the octave of its letter."""

    letter: str
    alter: int
    octave: int

    @property
    def step(self) -> int:
        """Diatonic steps above C0."""
        return 7 * self.octave + LETTERS.index(self.letter)

    @property
    def semitone(self) -> int:
        """Semitones above C0: B sharp 3 and C4 share one."""
        return 12 * self.octave + NATURAL_SEMITONES[self.letter] + self.alter

    @property
    def pitch_class(self) -> PitchClass:
        """The note without its octave."""
        return PitchClass(self.letter, self.alter)


Sounding = tuple[tuple[tuple[Pitch, ...], ...], ...]
"""The pitches of each event of each bar; a rest has none."""


def signature(fifths: int) -> dict[str, int]:
    """The alteration that a signature gives to each letter."""
    altered = _SHARPS[:fifths] if fifths >= 0 else _SHARPS[fifths:]
    step = 1 if fifths >= 0 else -1
    return {letter: step if letter in altered else 0 for letter in LETTERS}


def sounding(written: Written) -> Sounding:
    """The pitches that the written notes have."""
    plain = signature(written.fifths)
    bars = []
    for bar in written.bars:
        carried: dict[tuple[str, int], int] = {}
        events = []
        for event in bar:
            pitches = []
            for note in event.notes:
                place = (note.letter, note.octave)
                if note.sign is not None:
                    carried[place] = note.sign
                alter = carried.get(place, plain[note.letter])
                pitches.append(Pitch(note.letter, alter, note.octave))
            events.append(tuple(pitches))
        bars.append(tuple(events))
    return tuple(bars)


def unsure_signs(written: Written) -> list[str]:
    """Notes without a sign on which careful readers would part: one line each."""
    lines = []
    before: dict[str, set[int]] = {}
    for number, (bar, heard) in enumerate(
        zip(written.bars, sounding(written), strict=True), start=1
    ):
        last: dict[str, int] = {}
        held: dict[tuple[str, int], int] = {}
        for event, pitches in zip(bar, heard, strict=True):
            for note, pitch in zip(event.notes, pitches, strict=True):
                if note.sign is not None:
                    last[note.letter] = note.sign
                    held[note.letter, note.octave] = note.sign
                    continue
                name = f"bar {number}: {note.letter}{note.octave} without a sign"
                if last.get(note.letter, pitch.alter) != pitch.alter:
                    lines.append(f"{name} after another sign in another octave")
                elif note.letter not in last and before.get(note.letter, set()) - {pitch.alter}:
                    lines.append(f"{name} after a sign in the bar before")
        before = {}
        for (letter, _), sign in held.items():
            before.setdefault(letter, set()).add(sign)
    return lines
