"""Find the meter of four bars.

The options are simple and compound by two numbers of beats. Every bar is full; beams follow the
meter; of two meters of one length, at least two bars tell them apart. Levels add
rests, dotted values, and tuplets. The order of the bars and their pitches decide nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any

from benchgen.content import Composition, Public, Reading
from benchgen.problem import Problem
from benchgen.ranked import Ranked
from benchgen.seeding import Draw
from benchgen.sheet_music.counting import beats_words, sixteenths
from benchgen.sheet_music.rhythm import KINDS, Bar, bars, events, multiset, multisets
from benchgen.sheet_music.score import Event, Score, Written, score_of
from benchgen.sheet_music.theory.meter import Meter, bar_length, beat_length, fits
from benchgen.sheet_music.writing import clefs, staff_places
from benchgen.task import Task

QUESTION = (
    "Which meter are these bars written in? Every bar is full, and the beams follow the meter."
)
FEATURES = ("value", "rest", "dot", "tuplet")
SETS: tuple[tuple[Meter, ...], ...] = (
    ((2, 4), (3, 4), (6, 8), (9, 8)),
    ((2, 4), (4, 4), (6, 8), (12, 8)),
    ((3, 4), (4, 4), (9, 8), (12, 8)),
    ((2, 2), (3, 2), (6, 4), (9, 4)),
)
_RIVALS: dict[Meter, Meter] = {(3, 4): (6, 8), (6, 8): (3, 4), (3, 2): (6, 4), (6, 4): (3, 2)}
_KINDS = (
    {"plain": 4},
    {"rest": 2, "plain": 2},
    {"rest": 2, "dot": 2},
    {"rest": 1, "dot": 1, "tuplet": 2},
)


@dataclass(frozen=True)
class Config:
    """Level 1 plain values, 2 rests, 3 dots, 4 tuplets."""

    level: int = 1

    @property
    def kinds(self) -> dict[str, int]:
        """How many of the four bars are of each kind."""
        return _KINDS[self.level - 1]


def publics(config: Config) -> Iterable[Public]:
    """Simple and compound by two numbers of beats."""
    for meters in SETS:
        yield Public(QUESTION, tuple(f"{beats}/{unit}" for beats, unit in meters), meters)


@cache
def size(config: Config, meter: Meter) -> int:
    """The number of multisets of bars of the level's kinds."""
    return prod(ways for _, _, ways in _spaces(config, meter))


def unrank(config: Config, meter: Meter, rank: int) -> Reading | None:
    """Four bars in a fixed order; None where a rival meter or a count of notes would do."""
    chosen = []
    for known, count, ways in _spaces(config, meter):
        rank, place = divmod(rank, ways)
        chosen += [known[one] for one in multiset(len(known), count, place)]
    if meter in _RIVALS:
        shared = _shared(meter)
        if sum([bar.text not in shared for bar in chosen]) < 2:
            return None
    if all([len(bar.values) == meter[0] for bar in chosen]):
        return None
    canonical = "; ".join(sorted([bar.text for bar in chosen]))
    return Reading(f"{meter} {canonical}", f"{meter}", (meter, tuple(chosen)))


@cache
def _spaces(config: Config, meter: Meter) -> tuple[tuple[tuple[Bar, ...], int, int], ...]:
    """For each kind the bars there are, how many are shown, and how many ways there are."""
    return tuple(
        (known, count, multisets(len(known), count))
        for kind, count in config.kinds.items()
        for known in [bars(meter, kind)]
    )


@cache
def _shared(meter: Meter) -> frozenset[str]:
    """The bars of a meter that its rival of the same length could own."""
    rival = _RIVALS[meter]
    return frozenset(
        bar.text
        for kind in KINDS
        for bar in bars(meter, kind)
        if fits(bar.lengths, rival)
    )


def compose(data: tuple[Any, ...], public: Public, config: Config, draw: Draw) -> Composition:
    """The bars in any order, with pitches that decide nothing."""
    meter, chosen = data
    ordered = list(chosen)
    draw.shuffle(ordered)
    clef = draw.choice(clefs(config.level))
    places = staff_places(clef)
    score = Score(
        tuple(events(bar, places, draw) for bar in ordered), 0, clef, bars_per_system=2
    )
    shared = _shared(meter) if _RIVALS.get(meter) in public.cells else frozenset()
    at = next(place for place, bar in enumerate(ordered) if bar.text not in shared)
    beat = beat_length(meter)
    return Composition(
        Written("meter", score),
        f"In sixteenths, bar {at + 1}: {beats_words(ordered[at], score.bars[at], beat)}. "
        f"{bar_length(meter) / beat} beats of {sixteenths(beat)} are {meter[0]}/{meter[1]}.",
    )


def steps(data: tuple[Any, ...], config: Config) -> dict[str, int]:
    """Adding up and grouping each bar; rests, dots and (twice as hard) tuplets, bar by bar."""
    kinds = Counter(config.kinds)
    counted = {"add": 4, "group": 4}
    if config.level > 1:
        counted["rest"] = kinds["rest"]
    if config.level > 2:
        counted["dot"] = kinds["dot"]
    if config.level > 3:
        counted["tuplet"] = 2 * kinds["tuplet"]
    return counted


def ignoring(problem: Problem, step: str) -> str | None:
    """The meter as a reader finds it who leaves out one kind of step."""
    score = score_of(problem.identity)
    if step == "value":
        counts = {len(bar) for bar in score.bars}
        return f"{counts.pop()}/4" if len(counts) == 1 else None
    read = [
        [
            (misread_length(event, step), event.beam)
            for event in bar
            if event.notes or step != "rest"
        ]
        for bar in score.bars
    ]
    found = [
        option
        for option in problem.options or ()
        if all(fits(bar, _meter(option)) for bar in read)
    ]
    return found[0] if len(found) == 1 else None


def _meter(option: str) -> Meter:
    beats, _, unit = option.partition("/")
    return int(beats), int(unit)


def misread_length(event: Event, step: str) -> Fraction:
    """The length of an event as one reads it who overlooks dots or tuplets."""
    return Event(
        (),
        event.value,
        0 if step == "dot" else event.dots,
        0 if step == "tuplet" else event.tuplet,
    ).duration


TASK = Task(
    category="rhythm",
    configs=tuple(Config(level) for level in (1, 2, 3, 4)),
    source=Ranked(publics, size, unrank, valid=0.4),
    compose=compose,
    steps=steps,
    bands=((8, 8), (10, 10), (12, 12), (14, 14)),
    features=FEATURES,
    ignoring=ignoring,
)
