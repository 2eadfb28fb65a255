"""Find the note that is missing from a chord whose kind is written above it.

The lowest note is the root, so that kind and root together name the chord; a printed
chord symbol would leave nothing to read, and a kind alone would leave diminished and augmented
dyads open. The options are two neighbouring letters by two alterations, none of them a
tone already shown. Levels add the carry of an earlier sign, sevenths, and double signs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from benchgen.content import Composition, Public, Reading
from benchgen.deck import Deck
from benchgen.problem import Problem
from benchgen.seeding import Draw
from benchgen.sheet_music.reading import read_accented
from benchgen.sheet_music.score import Score, Written, score_of
from benchgen.sheet_music.theory.chord import SEVENTHS, TRIADS, missing_words, spell
from benchgen.sheet_music.theory.pitch import LETTERS, note_words
from benchgen.sheet_music.voicing import chord_words, lift, stack, writings
from benchgen.sheet_music.writing import CARRIED, Tone, bar_around, matters, on_staff
from benchgen.task import Task

QUESTION = (
    "One note is missing from the accented chord. The word above it names the kind of chord, "
    "and its lowest note is the root. Which note is missing?"
)
FEATURES = ("signature|accidental", "carry", "seventh", "double")


@dataclass(frozen=True)
class Config:
    """Level 1 alterations, 2 carry, 3 sevenths, 4 double signs."""

    level: int = 1

    @property
    def shapes(self) -> tuple[tuple[str, int, tuple[int, ...]], ...]:
        """(kind, missing member, members shown from low to high, the root lowest)."""
        kinds, size = (TRIADS, 3) if self.level < 3 else (SEVENTHS, 4)
        return tuple(
            (kind, gone, (0, *upper))
            for kind in kinds
            for gone in range(1, size)
            for upper in permutations([member for member in range(1, size) if member != gone])
        )

    @property
    def reach(self) -> int:
        """The largest alteration."""
        return 1 if self.level < 4 else 2


def contents(config: Config) -> Iterator[tuple[Hashable, Reading]]:
    """Every chord with a member missing.

    A cell is the missing note, and the root where that is its neighbour (a seventh's root
    stands on the next letter and could be offered beside it).
    """
    reach = range(-config.reach, config.reach + 1)
    for root in product(range(7), reach):
        for kind, gone, shown in config.shapes:
            tones = spell(root, kind)
            if any(abs(alter) > config.reach for _, alter in tones):
                continue
            close = stack(tones, shown)
            # A dyad has an open spacing too; longer chords have theirs among the shapes.
            spacings = [close, (close[0], (close[1][0] + 7, close[1][1]))]
            for fifths, placed in product(range(-7, 8), spacings[: 2 if len(shown) == 2 else 1]):
                for written in writings(placed, fifths, config.level > 1):
                    if _belongs(config, fifths, written, tones[gone][1]):
                        yield (
                            (tones[gone], root if gone == 3 else None),
                            Reading(
                                canonical=f"{fifths} {kind} {written}",
                                fact=f"{root} {kind} {gone}",
                                data=(fifths, written, kind, gone),
                            ),
                        )


def _belongs(config: Config, fifths: int, tones: tuple[Tone, ...], answer: int) -> bool:
    root = tones[0]
    if config.level > 1 and root.how != CARRIED:
        return False
    if config.level > 3 and abs(root.alter) < 2 and abs(answer) < 2:
        return False
    return all(
        matters(step, (root,), fifths, (root.alter,), lambda read: read)
        for step in FEATURES[: min(config.level, 2)]
    )


def publics(config: Config, known: frozenset[Hashable]) -> Iterable[Public]:
    """Two neighbouring letters by two alterations, none of them shown in any twin."""
    pairs = ((-1, 0), (0, 1), (-1, 1)) + (((-2, -1), (1, 2)) if config.level > 3 else ())
    by_missing: dict[Any, list[Any]] = {}
    cells: Any = known
    for missing, root in cells:
        by_missing.setdefault(missing, []).append((missing, root))
    for step in range(7):
        for pair in pairs:
            offered = [((step + up) % 7, alter) for up in (0, 1) for alter in pair]
            usable = [
                sorted(
                    (cell for cell in by_missing.get(one, ()) if cell[1] not in offered),
                    key=lambda cell: (cell[1] is not None, cell[1]),
                )
                for one in offered
            ]
            for turn in range(max(map(len, usable)) if all(usable) else 0):
                taken = tuple(choices[turn % len(choices)] for choices in usable)
                yield Public(QUESTION, tuple(note_words(*one) for one in offered), taken)


def compose(data: tuple[Any, ...], public: Public, config: Config, draw: Draw) -> Composition:
    """The chord in a bar with its giver and two notes that decide nothing."""
    fifths, tones, kind, gone = data
    clef, octaves = on_staff(tones[0].place, tones[-1].place, config.level, draw)
    bar = bar_around((lift(tones, octaves),), 2, clef, draw, above=kind)
    root = (tones[0].place % 7, tones[0].alter)
    return Composition(
        Written("chord_completion", Score((bar,), fifths, clef)),
        f"{chord_words(tones, fifths)} {missing_words(root, kind, gone)}.",
    )


def steps(data: tuple[Any, ...], config: Config) -> dict[str, int]:
    """Reading the shown notes (and a giver), altering the root, finding the member, spelling."""
    counted = {"read": 2, "alter": 1, "member": 1, "spell": 1}
    if config.level > 1:
        counted |= {"read": 3, "carry": 1}
    if config.level > 2:
        counted |= {"read": 4, "seventh": 1}
    if config.level > 3:
        counted["double"] = 1
    return counted


def ignoring(problem: Problem, step: str) -> str | None:
    """The missing note as a reader finds it who leaves out one kind of step."""
    score = score_of(problem.identity)
    (tones,) = read_accented(score, step)
    (kind,) = (event.above for bar in score.bars for event in bar if event.above)
    if step == "seventh" and kind not in TRIADS:
        return None
    root = (tones[0][0] % 7, tones[0][1])
    shown = {place % 7 for place, _ in tones}
    missing = [tone for tone in spell(root, kind) if tone[0] not in shown]
    if len(missing) != 1:
        return None
    letter, alter = missing[0]
    if step == "double":
        alter = max(-1, min(1, alter))
    return note_words(letter, alter) if abs(alter) <= 2 else LETTERS[letter]


TASK = Task(
    category="chord",
    configs=tuple(Config(level) for level in (1, 2, 3, 4)),
    source=Deck(contents, publics),
    compose=compose,
    steps=steps,
    bands=((5, 5), (7, 7), (9, 9), (10, 10)),
    features=FEATURES,
    ignoring=ignoring,
)
