"""Bars as beats: the rhythms that the meter and bar-line classes are made of.

Conventions
-----------
* A figure is one beat (or one note of several whole beats) of values: ``8`` an eighth,
  ``8.`` dotted, ``r8`` a rest, ``t8`` a third of the time of two. Figures are written
  for a quarter beat or a dotted-quarter beat; meters over 2 and 4 beats take them at
  twice their values.
* A bar's kind tells what it needs beyond plain values: ``plain``, ``rest``, ``dot`` or
  ``tuplet``; a bar of a kind has that and plain figures, nothing else.
* Beams join the notes of a figure; a rest or a quarter breaks them.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import chain
from math import comb
from typing import NamedTuple

from benchgen.seeding import Draw
from benchgen.sheet_music.score import Event
from benchgen.sheet_music.theory.meter import Meter
from benchgen.sheet_music.writing import note

SIMPLE = {
    "plain": ("4", "8 8", "8 16 16", "16 16 8", "16 8 16", "16 16 16 16"),
    "rest": ("8 r8", "r8 8", "r4", "r8 16 16", "16 16 r8"),
    "dot": ("8. 16", "16 8."),
    "tuplet": ("t8 t8 t8", "8 t16 t16 t16", "t16 t16 t16 8"),
}
COMPOUND = {
    "plain": (
        "8 8 8", "4 8", "8 4", "16 16 8 8", "8 16 16 8", "8 8 16 16", "4 16 16", "16 16 4",
    ),
    "rest": ("8 r8 8", "4 r8", "r8 4", "r4 8", "8 8 r8", "r8 8 8"),
    "dot": ("4.", "8. 16 8", "8 8. 16"),
    "tuplet": ("t16 t16 t16 8 8", "8 t16 t16 t16 8", "8 8 t16 t16 t16", "4 t16 t16 t16"),
}  # fmt: skip
KINDS = ("plain", "rest", "dot", "tuplet")


class Value(NamedTuple):
    """One printed value."""

    value: int
    dots: int = 0
    tuplet: int = 0
    rest: bool = False

    @property
    def length(self) -> Fraction:
        """In whole notes."""
        return Event((), self.value, self.dots, self.tuplet).duration


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One beat, or one note of several; ``beams`` tells what is beamed to the next value."""

    values: tuple[Value, ...]
    beams: tuple[bool, ...]
    text: str
    sounds: bool


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """A bar of figures."""

    figures: tuple[Figure, ...]
    values: tuple[Value, ...]
    text: str

    @property
    def lengths(self) -> list[tuple[Fraction, bool]]:
        """(length, beamed to the next) of each event, as ``theory.meter.fits`` takes them."""
        return [
            (value.length, beam)
            for figure in self.figures
            for value, beam in zip(figure.values, figure.beams, strict=True)
        ]


@cache
def _figure(text: str, factor: int) -> Figure:
    """The figure written ``text``, its values ``factor`` times as long."""
    values = []
    for word in text.split():
        digits = word.strip("rt.")
        values.append(
            Value(
                int(digits) // factor,
                word.count("."),
                3 if word[0] == "t" else 0,
                word[0] == "r",
            )
        )
    return _beamed(tuple(values))


@cache
def _note(value: int, dots: int) -> Figure:
    return _beamed((Value(value, dots),))


def _beamed(values: tuple[Value, ...]) -> Figure:
    short = [value.value >= 8 and not value.rest for value in values]
    beams = tuple(here and after for here, after in zip(short, [*short[1:], False], strict=True))
    text = " ".join(f"{v.value}{'.' * v.dots}{'t' * (v.tuplet > 0)}{'r' * v.rest}" for v in values)
    return Figure(values, beams, text, any(not value.rest for value in values))


def _long(meter: Meter, factor: int) -> dict[int, tuple[str, Figure]]:
    """The notes of several whole beats: beats -> (kind, figure)."""
    if meter[0] in (6, 9, 12):
        return {2: ("dot", _note(2 // factor, 1))}
    long: dict[int, tuple[str, Figure]] = {2: ("plain", _note(2 // factor, 0))}
    if meter[0] == 3:
        long[3] = ("dot", _note(2 // factor, 1))
    return long


@cache
def bars(meter: Meter, kind: str) -> tuple[Bar, ...]:
    """Every bar of a kind in a meter, in a fixed order; a bar of rests alone is none."""
    compound = meter[0] in (6, 9, 12)
    beats = meter[0] // 3 if compound else meter[0]
    factor = {8: 1, 4: 2}[meter[1]] if compound else {4: 1, 2: 2}[meter[1]]
    source = COMPOUND if compound else SIMPLE
    allowed = ("plain",) if kind == "plain" else ("plain", kind)
    figures = [
        (name, _figure(text, factor), 1) for name in allowed for text in source[name]
    ]
    for length, (name, figure) in _long(meter, factor).items():
        if name in allowed and length <= beats:
            figures.append((name, figure, length))
    found = []

    def extend(so_far: list[Figure], kinds: set[str], left: int) -> None:
        if left == 0:
            if kind in kinds and any([figure.sounds for figure in so_far]):
                values = tuple(chain.from_iterable([figure.values for figure in so_far]))
                text = " ".join([figure.text for figure in so_far])
                found.append(Bar(tuple(so_far), values, text))
            return
        for name, figure, length in figures:
            if length <= left:
                extend([*so_far, figure], kinds | {name}, left - length)

    extend([], set(), beats)
    return tuple(found)


@cache
def multisets(kinds: int, size: int) -> int:
    """How many multisets of ``size`` there are of ``kinds`` different things."""
    return comb(kinds + size - 1, size)


def multiset(kinds: int, size: int, rank: int) -> tuple[int, ...]:
    """The multiset of a rank, as numbers in descending order."""
    chosen = []
    for left in range(size, 0, -1):
        known = _combinations(kinds + size, left)
        low = bisect_right(known, rank) - 1
        rank -= known[low]
        chosen.append(low - left + 1)
    return tuple(chosen)


@cache
def _combinations(count: int, size: int) -> list[int]:
    """The numbers of ways to choose ``size`` of 0, 1, ... up to (not including) ``count``."""
    return [comb(things, size) for things in range(count)]


def events(bar: Bar, places: tuple[int, ...], draw: Draw) -> tuple[Event, ...]:
    """The bar as events whose pitches wander among ``places`` and decide nothing."""
    top = len(places) - 1
    below = draw.below
    at = below(len(places))
    made = []
    for figure in bar.figures:
        for rest, choices in _choices(figure, places):
            if not rest:
                at = max(0, min(top, at + below(5) - 2))
            made.append(choices[at])
    return tuple(made)


@cache
def _choices(figure: Figure, places: tuple[int, ...]) -> list[tuple[bool, list[Event]]]:
    """For each value of the figure, whether it is a rest, and the event it is at each place."""
    return [
        (
            value.rest,
            [
                Event(
                    () if value.rest else (note(place),),
                    value.value,
                    value.dots,
                    value.tuplet,
                    beam,
                )
                for place in places
            ],
        )
        for value, beam in zip(figure.values, figure.beams, strict=True)
    ]
