"""Bars counted out, as worked solutions do it: a small step for every note.

Conventions
-----------
* Lengths are counted in sixteenths of a whole note, which are whole numbers for all but the
  notes of a triplet; those have one length in common.
* A note goes by its letter, whatever its octave.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from itertools import islice

from benchgen.sheet_music.rhythm import Bar
from benchgen.sheet_music.score import Event


def sixteenths(length: Fraction) -> str:
    """``"6"``: a length in whole notes as a number of sixteenths."""
    return str(length * 16)


def sums_words(events: Iterable[Event], first: int) -> str:
    """``"3 D 2, 4 E 4, 5 F 8"``: every note's number, from ``first``, its letter, where it ends.

    Ends are counted from the first of the events, in sixteenths; within a triplet none is told.
    """
    told = []
    end = 0
    for number, event in enumerate(events, start=first):
        end += _thirds(*event[1:4])
        words = f"{number} {_name(event)}"
        told.append(words if end % 3 else f"{words} {end // 3}")
    return ", ".join(told)


def beats_words(bar: Bar, events: Iterable[Event], beat: Fraction) -> str:
    """``"beat 1 is D 1, D 1, B 2, so 4; beats 2 and 3 are A 8"``: lengths, beat by beat."""
    told = []
    whole = int(48 * beat)
    first = 1
    left = iter(events)
    for figure in bar.figures:
        written = list(islice(left, len(figure.values)))
        length = sum([_thirds(*event[1:4]) for event in written])
        last = first + length // whole - 1
        subject = f"beat {first} is"
        if last > first:
            subject = f"beats {first} {'and' if last == first + 1 else 'to'} {last} are"
        total = f", so {length // 3}" if len(written) > 1 else ""
        told.append(f"{subject} {_lengths(written)}{total}")
        first = last + 1
    return "; ".join(told)


def _lengths(events: Iterable[Event]) -> str:
    told = []
    names: list[str] = []
    for event in events:
        names.append(_name(event))
        if len(names) == (event.tuplet or 1):
            told.append(f"{' '.join(names)} {len(names) * _thirds(*event[1:4]) // 3}")
            names = []
    return ", ".join(told)


@cache
def _thirds(value: int, dots: int, tuplet: int) -> int:
    """A length in thirds of a sixteenth, which is what a note of a triplet is made of."""
    return int(Event((), value, dots, tuplet).duration * 48)


def _name(event: Event) -> str:
    return event.notes[0][0] if event.notes else "rest"
