"""Bars counted out, as worked solutions do it: a small step for every note.

Conventions
-----------
* Lengths are counted in sixteenths of a whole note, which are whole numbers for all but the
  notes of a triplet; those have one length in common.
* A note goes by its letter, whatever its octave.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice

from benchgen.sheet_music.rhythm import Bar
from benchgen.sheet_music.score import Event


def sixteenths(length: Fraction) -> str:
    """``"6"``: a length in whole notes as a number of sixteenths."""
    return str(length * 16)


def sums_words(events: Iterable[Event], numbers: Iterator[int]) -> str:
    """``"3 D 2, 4 E 4, 5 F 8"``: every note's number and letter, and where it ends.

    Ends are counted from the first of the events, in sixteenths; within a triplet none is told.
    """
    told = []
    end = Fraction(0)
    for event, number in zip(events, numbers, strict=False):
        end += event.duration * 16
        words = f"{number} {_name(event)}"
        told.append(f"{words} {end}" if end.denominator == 1 else words)
    return ", ".join(told)


def beats_words(bar: Bar, events: Iterable[Event], beat: Fraction) -> str:
    """``"beat 1 is D 1, D 1, B 2, so 4; beats 2 and 3 are A 8"``: lengths, beat by beat."""
    told = []
    first = 1
    left = iter(events)
    for figure in bar.figures:
        written = list(islice(left, len(figure.values)))
        length = sum([event.duration for event in written], Fraction(0))
        last = first + int(length / beat) - 1
        subject = {0: f"beat {first} is", 1: f"beats {first} and {last} are"}.get(
            last - first, f"beats {first} to {last} are"
        )
        total = f", so {sixteenths(length)}" if len(written) > 1 else ""
        told.append(f"{subject} {_lengths(written)}{total}")
        first = last + 1
    return "; ".join(told)


def _lengths(events: Iterable[Event]) -> str:
    told = []
    names: list[str] = []
    length = Fraction(0)
    for event in events:
        names.append(_name(event))
        length += event.duration * 16
        if len(names) == (event.tuplet or 1):
            told.append(f"{' '.join(names)} {length}")
            names, length = [], Fraction(0)
    return ", ".join(told)


def _name(event: Event) -> str:
    return event.notes[0][0] if event.notes else "rest"
