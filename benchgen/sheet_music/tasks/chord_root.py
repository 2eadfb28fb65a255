"""Find the root of an accented chord under a key signature.

Half of the option sets are two letters by two alterations, which test the signature;
half are four roots of one signature, which test the chord. Levels add the carry of an
earlier sign, inversions, and sevenths.
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
from benchgen.sheet_music.tasks.chord_name import Config as ChordConfig
from benchgen.sheet_music.tasks.chord_name import spelled
from benchgen.sheet_music.theory.chord import name_chord, stack_words
from benchgen.sheet_music.theory.pitch import (
    Spelling,
    note_words,
    signature,
)
from benchgen.sheet_music.voicing import chord_words, lift, stack, writings
from benchgen.sheet_music.writing import CARRIED, Tone, bar_around, matters, on_staff
from benchgen.task import Task

QUESTION = "Which note is the root of the accented chord?"
FEATURES = ("signature|accidental", "carry", "inversion", "seventh")


@dataclass(frozen=True)
class Config:
    """Level 1 alterations, 2 carry, 3 inversions, 4 sevenths."""

    level: int = 1


def contents(config: Config) -> Iterator[tuple[Hashable, Reading]]:
    """Every chord whose root needs the level's steps; a cell is the root."""
    chords = ChordConfig(config.level)
    for root, kind, tones in spelled(chords):
        for voicing in chords.voicings:
            placed = stack(tones, voicing)
            at = voicing.index(0)
            for fifths in range(-7, 8):
                for written in writings(placed, fifths, config.level > 1):
                    if _belongs(config, fifths, written, at):
                        yield (
                            root,
                            Reading(
                                canonical=f"{fifths} {written}",
                                fact=f"{root} {kind}",
                                data=(fifths, written, root, kind),
                            ),
                        )


def _belongs(config: Config, fifths: int, tones: tuple[Tone, ...], at: int) -> bool:
    if config.level > 1 and tones[at].how != CARRIED:
        return False
    return all(
        matters(step, (tones[at],), fifths, (tones[at].alter,), lambda read: read)
        for step in FEATURES[: min(config.level, 2)]
    )


def publics(config: Config, known: frozenset[Hashable]) -> Iterable[Public]:
    """Two letters by two alterations; as many sets of four notes of one signature."""
    crossed: list[tuple[Spelling, ...]] = []
    for letters in combinations(range(7), 2):
        for alters in ((-1, 0), (0, 1), (-1, 1)):
            cells = tuple((step, alter) for step in letters for alter in alters)
            if known.issuperset(cells):
                crossed.append(cells)
    diatonic = sorted(
        {
            tuple((step, signature(fifths)[step]) for step in steps)
            for fifths in range(-7, 8)
            for steps in combinations(range(7), 4)
        }
    )
    diatonic = [cells for cells in diatonic if known.issuperset(cells)]
    # Each kind is repeated as often as the other has members, so that both are dealt alike.
    for cells in crossed * len(diatonic[::8]) + diatonic * len(crossed[::8]):
        yield Public(QUESTION, tuple(note_words(*cell) for cell in cells), cells)


def compose(data: tuple[Any, ...], public: Public, config: Config, draw: Draw) -> Composition:
    """The chord in a bar with its giver and two notes that decide nothing."""
    fifths, tones, root, kind = data
    clef, octaves = on_staff(tones[0].place, tones[-1].place, config.level, draw)
    bar = bar_around((lift(tones, octaves),), 2, clef, draw)
    return Composition(
        Written("chord_root", Score((bar,), fifths, clef)),
        f"{chord_words(tones, fifths)} Stacked in thirds it is {stack_words(root, kind)}: its root "
        f"is {note_words(*root)}.",
    )


def steps(data: tuple[Any, ...], config: Config) -> dict[str, int]:
    """Reading the notes (and a giver), altering the root, stacking."""
    counted = {"read": 3, "alter": 1, "stack": 1}
    if config.level > 1:
        counted |= {"read": 4, "carry": 1}
    if config.level > 2:
        counted["invert"] = 1
    if config.level > 3:
        counted |= {"read": 5, "seventh": 1}
    return counted


def ignoring(problem: Problem, step: str) -> str | None:
    """The root as a reader finds it who leaves out one kind of step."""
    (tones,) = read_accented(score_of(problem.identity), step)
    spelling = [(place % 7, alter) for place, alter in tones]
    if step == "inversion":
        return note_words(*spelling[0])
    letters = {letter for letter, _ in spelling}
    if step == "seventh":
        # Knows triads only: reads the three lowest notes.
        found = name_chord(spelling[:3])
        return None if found is None else note_words(*found[0])
    for letter, alter in spelling:
        if all((letter + 2 * thirds) % 7 in letters for thirds in range(len(letters))):
            return note_words(letter, alter)
    return None


TASK = Task(
    category="chord",
    configs=tuple(Config(level) for level in (1, 2, 3, 4)),
    source=Deck(contents, publics),
    compose=compose,
    steps=steps,
    bands=((5, 5), (7, 7), (8, 8), (10, 10)),
    features=FEATURES,
    ignoring=ignoring,
)
