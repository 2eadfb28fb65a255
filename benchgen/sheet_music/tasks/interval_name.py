"""Name the interval between two accented notes.

The options are two numbers by two qualities. Octaves are left out: a perfect octave
never needs its alterations read. Levels add the carry of an earlier sign, compound intervals,
and double signs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from benchgen.content import Composition, Public, Reading
from benchgen.deck import Deck
from benchgen.problem import Problem
from benchgen.seeding import Draw
from benchgen.sheet_music.reading import read_accented
from benchgen.sheet_music.score import Score, Written, score_of
from benchgen.sheet_music.theory.interval import (
    NUMBERS,
    count_words,
    interval_name,
    measure_words,
    number_words,
    reference_words,
)
from benchgen.sheet_music.theory.pitch import LETTERS, pitch_words, signature
from benchgen.sheet_music.theory.scale import signature_words
from benchgen.sheet_music.writing import (
    CARRIED,
    Tone,
    bar_around,
    manners,
    matters,
    on_staff,
    written_words,
)
from benchgen.task import Task

QUESTION = "What is the interval between the two accented notes?"
FEATURES = ("signature|accidental", "carry", "compound", "double")
_IMPERFECT = (("minor", "major"), ("diminished", "minor"), ("major", "augmented"))
_PERFECT = (("perfect", "augmented"), ("diminished", "perfect"))
_WIDER = (("augmented", "doubly augmented"), ("doubly diminished", "diminished"))


@dataclass(frozen=True)
class Config:
    """Level 1 alterations, 2 carry, 3 compound intervals, 4 double signs."""

    level: int = 1

    @property
    def numbers(self) -> tuple[int, ...]:
        """The interval numbers asked for."""
        return (2, 3, 4, 5, 6, 7) if self.level < 3 else (9, 10, 11, 12, 13, 14)

    @property
    def reach(self) -> int:
        """The largest alteration."""
        return 1 if self.level < 4 else 2


def contents(config: Config) -> Iterator[tuple[Hashable, Reading]]:
    """Every pair of written notes of the level, the lower one in the lowest octave."""
    alters = range(-config.reach, config.reach + 1)
    for fifths in range(-7, 8):
        by_signature = signature(fifths)
        for low in range(7):
            for number in config.numbers:
                high = low + number - 1
                for alter in alters:
                    for other in alters:
                        name = interval_name((low, alter), (high, other))
                        if name is None:
                            continue
                        for how in manners(alter, by_signature[low], config.level > 1):
                            for manner in manners(other, by_signature[high % 7], config.level > 1):
                                tones = (Tone(low, alter, how), Tone(high, other, manner))
                                if _belongs(config, fifths, tones, name):
                                    yield name, Reading(
                                        canonical=f"{fifths} {tones}",
                                        fact=f"{low} {alter} {number} {other}",
                                        data=(fifths, tones, name),
                                    )


def _belongs(config: Config, fifths: int, tones: tuple[Tone, Tone], name: str) -> bool:
    if config.level > 1 and sum(tone.how == CARRIED for tone in tones) != 1:
        return False
    if config.level > 3 and all(abs(tone.alter) < 2 for tone in tones):
        return False
    low, high = tones

    def solve(read: tuple[int, ...]) -> str | None:
        return interval_name((low.place, read[0]), (high.place, read[1]))

    needed = [step for step in FEATURES[: config.level] if step != "compound"]
    return all(matters(step, tones, fifths, name, solve) for step in needed)


def publics(config: Config, known: frozenset[Hashable]) -> Iterable[Public]:
    """Two numbers by two qualities."""
    perfect = [n for n in config.numbers if n in (4, 5, 11, 12)]
    imperfect = [n for n in config.numbers if n not in perfect]
    wider = _WIDER if config.level > 3 else ()
    for numbers, pairs in ((perfect, _PERFECT + wider), (imperfect, _IMPERFECT + wider)):
        for pair in combinations(numbers, 2):
            for qualities in pairs:
                options = tuple(f"{q} {NUMBERS[n]}" for n in pair for q in qualities)
                if known.issuperset(options):
                    yield Public(QUESTION, options, options)


def compose(data: tuple[Any, ...], public: Public, config: Config, draw: Draw) -> Composition:
    """The two notes in a bar with their givers and two notes that decide nothing."""
    fifths, tones, name = data
    clef, octaves = on_staff(tones[0].place, tones[1].place, config.level, draw)
    moved = [tone.raised(octaves) for tone in tones]
    low, high = ((tone.place, tone.alter) for tone in moved)
    if draw.below(2):
        moved.reverse()
    bar = bar_around(((tone,) for tone in moved), 2, clef, draw)
    number = high[0] - low[0] + 1
    written = " and ".join(map(written_words, moved))
    read = " and ".join(pitch_words(tone.place, tone.alter) for tone in moved)
    return Composition(
        Written("interval_name", Score((bar,), fifths, clef)),
        f"{signature_words(fifths)} The accented notes are written {written}, so they are {read}. "
        f"Staff positions and semitones from the lower, {LETTERS[low[0] % 7]}, to the higher, "
        f"{LETTERS[high[0] % 7]}: {count_words(low[0], high[0])}, {number_words(number)}. "
        f"That makes {measure_words(low, high)}. {reference_words(number)}: {name}.",
    )


def steps(data: tuple[Any, ...], config: Config) -> dict[str, int]:
    """Reading two notes (and a giver), altering, counting, finding the quality."""
    counted = {"read": 2, "alter": 1, "number": 1, "quality": 1}
    if config.level > 1:
        counted |= {"read": 3, "carry": 1}
    if config.level > 2:
        counted["compound"] = 1
    if config.level > 3:
        counted["double"] = 1
    return counted


def ignoring(problem: Problem, step: str) -> str | None:
    """The interval as a reader names it who leaves out one kind of step."""
    (first,), (second,) = read_accented(score_of(problem.identity), step)
    low, high = sorted((first, second))
    if step == "compound":
        high = (high[0] - 7, high[1])
    return interval_name(low, high)


TASK = Task(
    category="interval",
    configs=tuple(Config(level) for level in (1, 2, 3, 4)),
    source=Deck(contents, publics),
    compose=compose,
    steps=steps,
    bands=((5, 5), (7, 7), (8, 8), (9, 9)),
    features=FEATURES,
    ignoring=ignoring,
)
