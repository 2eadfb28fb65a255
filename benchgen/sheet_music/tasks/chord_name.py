"""Name an accented chord: its root and its kind.

The options are two roots, a third or a chromatic step apart, by two kinds, no two of
them alike in sound. Levels add the carry of an earlier sign, inversions, and sevenths.
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
from benchgen.sheet_music.theory.chord import SEVENTHS, TRIADS, name_chord, spell, thirds_words
from benchgen.sheet_music.theory.pitch import (
    Spelling,
    pitch_class,
    root_words,
)
from benchgen.sheet_music.voicing import (
    INVERTED_SEVENTHS,
    INVERTED_TRIADS,
    ROOT_POSITION,
    ROOTS,
    chord_words,
    lift,
    stack,
    writings,
)
from benchgen.sheet_music.writing import Tone, bar_around, matters, on_staff
from benchgen.task import Task

QUESTION = "What is the accented chord?"
FEATURES = ("signature|accidental", "carry", "inversion", "seventh")


@dataclass(frozen=True)
class Config:
    """Level 1 alterations, 2 carry, 3 inversions, 4 sevenths."""

    level: int = 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of chord asked for."""
        return tuple(TRIADS if self.level < 4 else SEVENTHS)

    @property
    def voicings(self) -> tuple[tuple[int, ...], ...]:
        """The spacings and inversions shown."""
        return (ROOT_POSITION, ROOT_POSITION, INVERTED_TRIADS, INVERTED_SEVENTHS)[self.level - 1]


def spelled(config: Config) -> Iterator[tuple[Spelling, str, tuple[Spelling, ...]]]:
    """Every chord of the level that needs no double sign."""
    for root in ROOTS:
        for kind in config.kinds:
            tones = spell(root, kind)
            if all(abs(alter) <= 1 for _, alter in tones):
                yield root, kind, tones


def contents(config: Config) -> Iterator[tuple[Hashable, Reading]]:
    """Every chord under every signature; a cell is (root, kind)."""
    for root, kind, tones in spelled(config):
        for voicing in config.voicings:
            placed = stack(tones, voicing)
            for fifths in range(-7, 8):
                for written in writings(placed, fifths, config.level > 1):
                    if _belongs(config, fifths, written, root, kind):
                        yield (
                            (root, kind),
                            Reading(
                                canonical=f"{fifths} {written}",
                                fact=f"{root} {kind}",
                                data=(fifths, written, root, kind),
                            ),
                        )


def _belongs(
    config: Config, fifths: int, tones: tuple[Tone, ...], root: Spelling, kind: str
) -> bool:
    def solve(read: tuple[int, ...]) -> tuple[Spelling, str] | None:
        return name_chord(
            [(tone.place % 7, alter) for tone, alter in zip(tones, read, strict=True)]
        )

    return all(
        matters(step, tones, fifths, (root, kind), solve)
        for step in FEATURES[: min(config.level, 2)]
    )


def publics(config: Config, known: frozenset[Hashable]) -> Iterable[Public]:
    """Two neighbouring roots by two kinds."""
    for first, second in combinations(ROOTS, 2):
        apart = (second[0] - first[0]) % 7
        if apart not in (2, 5) and not (apart == 0 and abs(first[1] - second[1]) == 1):
            continue
        for kinds in combinations(config.kinds, 2):
            cells = tuple((root, kind) for root in (first, second) for kind in kinds)
            sounds = {frozenset(map(pitch_class, spell(*cell))) for cell in cells}
            if known.issuperset(cells) and len(sounds) == 4:
                options = tuple(f"{root_words(*root)} {kind}" for root, kind in cells)
                yield Public(QUESTION, options, cells)


def compose(data: tuple[Any, ...], public: Public, config: Config, draw: Draw) -> Composition:
    """The chord in a bar with its giver and two notes that decide nothing."""
    fifths, tones, root, kind = data
    clef, octaves = on_staff(tones[0].place, tones[-1].place, config.level, draw)
    bar = bar_around((lift(tones, octaves),), 2, clef, draw)
    return Composition(
        Written("chord_name", Score((bar,), fifths, clef)),
        f"{chord_words(tones, fifths)} Stacked in thirds, with semitones above C, it is "
        f"{thirds_words(root, kind)}: {root_words(*root)} {kind}.",
    )


def steps(data: tuple[Any, ...], config: Config) -> dict[str, int]:
    """Reading the notes (and a giver), altering, stacking, naming."""
    counted = {"read": 3, "alter": 1, "stack": 1, "kind": 1}
    if config.level > 1:
        counted |= {"read": 4, "carry": 1}
    if config.level > 2:
        counted["invert"] = 1
    if config.level > 3:
        counted |= {"read": 5, "seventh": 1}
    return counted


def ignoring(problem: Problem, step: str) -> str | None:
    """The chord as a reader names it who leaves out one kind of step."""
    (tones,) = read_accented(score_of(problem.identity), step)
    found = name_chord([(place % 7, alter) for place, alter in tones])
    if found is None:
        return None
    root, kind = found
    if step == "inversion":
        root = (tones[0][0] % 7, tones[0][1])
    if step == "seventh":
        triad = name_chord(spell(root, kind)[:3])
        return None if triad is None else f"{root_words(*root)} {triad[1]}"
    return f"{root_words(*root)} {kind}"


TASK = Task(
    category="chord",
    configs=tuple(Config(level) for level in (1, 2, 3, 4)),
    source=Deck(contents, publics),
    compose=compose,
    steps=steps,
    bands=((6, 6), (8, 8), (9, 9), (11, 11)),
    features=FEATURES,
    ignoring=ignoring,
)
