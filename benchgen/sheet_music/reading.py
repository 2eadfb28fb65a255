"""A solver's reading of a written score, whole or with one kind of step left out.

Conventions
-----------
* A sign holds for its note and for every later note at the same staff position in the bar.
* ``skip`` names the step that the reader leaves out: ``signature`` (reads as if there
  were none), ``accidental`` (overlooks every printed sign), ``carry`` (a sign holds for
  its own note only), ``cancel`` (overlooks natural signs), ``double`` (reads a double
  sign as a single one), or nothing. The levels' tests use such readers: an item of a level
  must fail when that level's step is left out.
"""

from __future__ import annotations

from benchgen.sheet_music.score import Bar, Score
from benchgen.sheet_music.theory.pitch import LETTERS, signature

Pitch = tuple[int, int]
"""(place, alteration)."""


def read_bar(bar: Bar, fifths: int, skip: str = "") -> list[tuple[Pitch, ...]]:
    """The pitches of each event of a bar; a rest has none."""
    by_signature = signature(0 if skip == "signature" else fifths)
    holding: dict[int, int] = {}
    read = []
    for event in bar:
        pitches = []
        for one in event.notes:
            place = 7 * one.octave + LETTERS.index(one.letter)
            sign = one.sign
            if skip == "accidental" or (skip == "cancel" and sign == 0):
                sign = None
            if sign is not None and skip == "double" and abs(sign) == 2:
                sign //= 2
            if sign is not None:
                if skip != "carry":
                    holding[place] = sign
                alter = sign
            else:
                alter = holding.get(place, by_signature[place % 7])
            pitches.append((place, alter))
        read.append(tuple(pitches))
    return read


def read_accented(score: Score, skip: str = "") -> list[tuple[Pitch, ...]]:
    """The pitches of the accented events, bar after bar."""
    found = []
    for bar in score.bars:
        for event, pitches in zip(bar, read_bar(bar, score.fifths, skip), strict=True):
            if event.accent:
                found.append(pitches)
    return found
