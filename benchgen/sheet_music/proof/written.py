"""What is written on a staff, in the form that every source is read into.

The ABC text, the engraved picture and the stored score are each read into a
``Written`` by a reader of their own; ``differences`` then says where two of
them part.

Conventions
-----------
* Pitches are in scientific notation: C4 is middle C, octaves change at C.
* ``sign`` is the printed accidental in semitones (-2 to 2), None for no sign.
* ``value`` is the note value as a denominator (4 is a quarter), ``tuplet`` is 3
  inside a triplet (three in the time of two) and 0 elsewhere.
* ``beam`` is True where an event is beamed to the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from benchgen.sheet_music.proof.fault import Fault

LETTERS = "CDEFGAB"
NATURAL_SEMITONES = dict(zip(LETTERS, (0, 2, 4, 5, 7, 9, 11), strict=True))
CLEFS = ("treble", "bass", "alto", "tenor")
VALUES = (1, 2, 4, 8, 16)
MOST_DOTS = 2


@dataclass(frozen=True, slots=True)
class WrittenNote:
    """A note head's staff position and the sign before it."""

    letter: str
    octave: int
    sign: int | None = None

    @property
    def step(self) -> int:
        """Diatonic steps above C0: two notes share it when they share a position."""
        return 7 * self.octave + LETTERS.index(self.letter)


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """A note, a chord from low to high, or a rest (no notes)."""

    notes: tuple[WrittenNote, ...]
    value: int
    dots: int = 0
    tuplet: int = 0
    beam: bool = False
    accent: bool = False
    above: str | None = None

    @property
    def duration(self) -> Fraction:
        """Length in whole notes, the tuplet counted."""
        plain = Fraction(2 ** (self.dots + 1) - 1, self.value * 2**self.dots)
        return plain * 2 / 3 if self.tuplet else plain


WrittenBar = tuple[WrittenEvent, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """One voice on one staff; ``meter`` is None where none is printed."""

    clef: str
    fifths: int
    meter: tuple[int, int] | None
    bars: tuple[WrittenBar, ...]


def written_from_json(record: Mapping[str, Any]) -> Written:
    """The stored score (the layout of ``score.py``) as what is written.

    Raises
    ------
    Fault
        The record does not have that layout, or holds what cannot be written.
    """
    try:
        clef, fifths, meter = record["clef"], record["fifths"], record["meter"]
        bars = tuple(tuple(_event(e) for e in bar) for bar in record["bars"])
        printed = None if meter is None else (int(meter[0]), int(meter[1]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Fault(f"the stored score is not a score: {error!r}") from error
    if clef not in CLEFS or not isinstance(fifths, int) or not -7 <= fifths <= 7:
        raise Fault(f"the stored score has clef {clef!r} and {fifths!r} fifths")
    if printed is not None and min(printed) < 1:
        raise Fault(f"the stored score has meter {printed}")
    if not bars or not all(bars):
        raise Fault("the stored score has an empty bar")
    return Written(clef=clef, fifths=fifths, meter=printed, bars=bars)


def _event(record: Mapping[str, Any]) -> WrittenEvent:
    event = WrittenEvent(
        notes=tuple(_note(*note) for note in record["notes"]),
        value=record["value"],
        dots=record.get("dots", 0),
        tuplet=record.get("tuplet", 0),
        beam=record.get("beam", False),
        accent=record.get("accent", False),
        above=record.get("above"),
    )
    if event.value not in VALUES or event.dots not in range(MOST_DOTS + 1):
        raise ValueError(f"no note has value {event.value} and {event.dots} dots")
    if event.tuplet not in (0, 3):
        raise ValueError(f"no tuplet of {event.tuplet}")
    if event.beam not in (False, True) or event.accent not in (False, True):
        raise ValueError("beam and accent are true or false")
    if not (event.above is None or isinstance(event.above, str)):
        raise TypeError("what stands above is no text")
    return event


def _note(letter: str, octave: int, sign: int | None) -> WrittenNote:
    if letter not in tuple(LETTERS) or octave not in range(10):
        raise ValueError(f"no note is called {letter!r} {octave!r}")
    if sign not in (None, -2, -1, 0, 1, 2):
        raise ValueError(f"no sign is {sign!r}")
    return WrittenNote(letter, octave, sign)


def differences(found: Written, expected: Written) -> list[str]:
    """Where ``found`` parts from ``expected``: one line each, bars and events from 1."""
    lines = [
        f"{name} is {getattr(found, name)!r}, not {getattr(expected, name)!r}"
        for name in ("clef", "fifths", "meter")
        if getattr(found, name) != getattr(expected, name)
    ]
    if len(found.bars) != len(expected.bars):
        lines.append(f"{len(found.bars)} bars, not {len(expected.bars)}")
    for bar, (mine, theirs) in enumerate(zip(found.bars, expected.bars, strict=False), 1):
        if len(mine) != len(theirs):
            lines.append(f"bar {bar} has {len(mine)} events, not {len(theirs)}")
        for place, (one, other) in enumerate(zip(mine, theirs, strict=False), 1):
            lines += [f"bar {bar}, event {place}: {line}" for line in _parting(one, other)]
    return lines


def _parting(found: WrittenEvent, expected: WrittenEvent) -> list[str]:
    lines = []
    for field in fields(WrittenEvent):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "notes":
            one, other = _spell(one), _spell(other)
        if one != other:
            lines.append(f"{field.name} is {one!r}, not {other!r}")
    return lines


def _spell(notes: tuple[WrittenNote, ...]) -> str:
    signs = {None: "", -2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
    return " ".join(f"{signs[n.sign]}{n.letter}{n.octave}" for n in notes) or "rest"
