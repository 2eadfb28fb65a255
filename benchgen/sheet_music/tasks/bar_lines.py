"""Find where the bar lines fall in notes written without them.

The options are first and last bar line by two places each, the middle one shared, drawn before
any rhythm. The meter stands in the score, so each twin has a rhythm and a meter of its own.
Levels add dotted values, meters whose unit is not a quarter, and tuplets. No rests, no signs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import accumulate, permutations, product
from math import prod
from typing import Any

from benchgen.content import Composition, Public, Reading
from benchgen.problem import Problem
from benchgen.ranked import Ranked
from benchgen.seeding import Draw
from benchgen.sheet_music.counting import sixteenths, sums_words
from benchgen.sheet_music.rhythm import Bar, bars, events
from benchgen.sheet_music.score import Score, Written, score_of
from benchgen.sheet_music.tasks.meter import misread_length
from benchgen.sheet_music.theory.meter import Meter, bar_length
from benchgen.sheet_music.writing import clefs, staff_places
from benchgen.task import Task

QUESTION = (
    "After which notes do the bar lines fall? Every bar is full, the last one too, and no note "
    "is held over a bar line."
)
FEATURES = ("value", "dot", "unit", "tuplet")
_QUARTERS: tuple[Meter, ...] = ((2, 4), (3, 4), (4, 4))
_OTHERS: tuple[Meter, ...] = ((6, 8), (9, 8), (12, 8), (2, 2), (3, 2))
_COUNTS = range(3, 8)

Cell = tuple[int, int, int]
"""The numbers of notes in the first three bars."""


@dataclass(frozen=True)
class Config:
    """Level 1 plain values, 2 dots, 3 other units than a quarter, 4 tuplets."""

    level: int = 1

    @property
    def meters(self) -> tuple[Meter, ...]:
        """The meters written."""
        return _QUARTERS if self.level < 3 else _OTHERS

    @property
    def kinds(self) -> tuple[tuple[str, ...], ...]:
        """What the four bars may be; what a level adds stands before the last bar line."""
        added = {1: (), 2: ("dot",), 3: ("dot",), 4: ("dot", "tuplet")}[self.level]
        first = sorted(set(permutations((*added, *("plain",) * (3 - len(added))))))
        return tuple((*three, "plain") for three in first)


@cache
def _counted(meter: Meter, kind: str, count: int) -> tuple[Bar, ...]:
    return tuple(bar for bar in bars(meter, kind) if len(bar.values) == count)


@cache
def _spaces(
    config: Config, cell: Cell
) -> tuple[tuple[int, Meter, tuple[tuple[Bar, ...], ...]], ...]:
    """(number of scores, meter, the bars that may stand in each place)."""
    found = []
    for meter, last, kinds in product(config.meters, _COUNTS, config.kinds):
        choices = tuple(
            _counted(meter, kind, count) for kind, count in zip(kinds, (*cell, last), strict=True)
        )
        size = prod(map(len, choices))
        # Where every bar has as many notes as the meter has beats, counting would do.
        if size and cell != (meter[0],) * 3:
            found.append((size, meter, choices))
    return tuple(found)


@cache
def _ends(config: Config, cell: Cell) -> tuple[int, ...]:
    """The first rank beyond each space."""
    return tuple(accumulate(space[0] for space in _spaces(config, cell)))


@cache
def size(config: Config, cell: Cell) -> int:
    """The number of scores with those numbers of notes."""
    return sum(space[0] for space in _spaces(config, cell))


def publics(config: Config) -> Iterable[Public]:
    """First and last line by two places each, around a middle line.

    Of all such sets the half with the richer cells is asked, since the scarcest cell
    bounds the class.
    """
    asked = []
    for first, second, third in product(range(3, 6), range(4, 7), range(3, 6)):
        middle = first + second
        lines = [
            (one, middle, other)
            for one in (first, first + 1)
            for other in (middle + third, middle + third + 1)
        ]
        options = tuple(f"after notes {one}, {two} and {three}" for one, two, three in lines)
        cells = tuple((one, two - one, three - two) for one, two, three in lines)
        asked.append(Public(QUESTION, options, cells))
    asked.sort(key=lambda public: -min(size(config, cell) for cell in public.cells))
    return asked[: (len(asked) + 1) // 2]


def unrank(config: Config, cell: Cell, rank: int) -> Reading:
    """Four bars that run together."""
    ends = _ends(config, cell)
    at = bisect_right(ends, rank)
    count, meter, choices = _spaces(config, cell)[at]
    rank -= ends[at] - count
    chosen = []
    for known in choices:
        rank, place = divmod(rank, len(known))
        chosen.append(known[place])
    canonical = " ".join([bar.text for bar in chosen])
    return Reading(f"{meter} {canonical}", f"{meter} {cell}", (meter, tuple(chosen), cell))


def compose(data: tuple[Any, ...], public: Public, config: Config, draw: Draw) -> Composition:
    """The bars run together, with pitches that decide nothing."""
    meter, chosen, cell = data
    clef = draw.choice(clefs(config.level))
    places = staff_places(clef)
    written = [events(bar, places, draw) for bar in chosen]
    run = tuple(event for bar in written for event in bar)
    first, middle, last = cell[0], cell[0] + cell[1], sum(cell)
    starts = (1, first + 1, middle + 1)
    counted = " ".join(
        [f"{sums_words(bar, start)}, a bar." for bar, start in zip(written, starts, strict=False)]
    )
    return Composition(
        Written("bar_lines", Score((run,), 0, clef, meter)),
        f"A bar of {meter[0]}/{meter[1]} has {sixteenths(bar_length(meter))} sixteenths. "
        f"Adding up: {counted} So the bar lines fall after notes {first}, {middle} and {last}.",
    )


def steps(data: tuple[Any, ...], config: Config) -> dict[str, int]:
    """Finding the length of a bar, filling four of them; dots, the unit, tuplets (twice)."""
    counted = {"length": 1, "fill": 4}
    if config.level > 1:
        counted["dot"] = 1
    if config.level > 2:
        counted["unit"] = 1
    if config.level > 3:
        counted["tuplet"] = 2
    return counted


def ignoring(problem: Problem, step: str) -> str | None:
    """The lines as a reader draws them who leaves out one kind of step."""
    score = score_of(problem.identity)
    if score.meter is None:
        return None
    full = Fraction(score.meter[0], 4) if step == "unit" else bar_length(score.meter)
    lines = []
    filled = Fraction(0)
    for count, event in enumerate(score.bars[0], start=1):
        filled += Fraction(1, 4) if step == "value" else misread_length(event, step)
        if filled > full:
            return None
        if filled == full:
            lines.append(count)
            filled = Fraction(0)
    if len(lines) != 4 or filled:
        return None
    return f"after notes {lines[0]}, {lines[1]} and {lines[2]}"


TASK = Task(
    category="rhythm",
    configs=tuple(Config(level) for level in (1, 2, 3, 4)),
    source=Ranked(publics, size, unrank),
    compose=compose,
    steps=steps,
    bands=((5, 5), (6, 6), (7, 7), (9, 9)),
    features=FEATURES,
    ignoring=ignoring,
)
