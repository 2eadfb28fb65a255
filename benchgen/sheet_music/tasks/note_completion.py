"""Find the note at a named interval above or below an accented note.

The interval and its direction are printed in the score, above the given note: in the
question they would leave each answer with a dozen readings, too few to split. The options
are two neighbouring staff positions by two alterations; the octave is told, so that no
option differs from another in case or register alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
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
    number_words,
    sign_words,
    size,
)
from benchgen.sheet_music.theory.pitch import (
    LETTERS,
    pitch_words,
    semitones,
    signature,
)
from benchgen.sheet_music.theory.scale import signature_words
from benchgen.sheet_music.writing import (
    CARRIED,
    Tone,
    bar_around,
    clef_for,
    manners,
    matters,
    written_words,
)
from benchgen.task import Task

QUESTION = (
    "An interval and a direction are written above the accented note. "
    "Which note do they lead to from there?"
)
FEATURES = ("signature|accidental", "carry", "compound", "double")
_QUALITIES = {
    True: ("diminished", "perfect", "augmented"),
    False: ("diminished", "minor", "major", "augmented"),
}


@dataclass(frozen=True)
class Config:
    """Level 1 alterations, 2 carry, 3 compound intervals, 4 double signs."""

    level: int = 1

    @property
    def intervals(self) -> tuple[tuple[int, str], ...]:
        """The (number, quality) pairs asked for; no diminished second."""
        numbers = (2, 3, 4, 5, 6, 7) if self.level < 3 else (9, 10, 11, 12, 13, 14)
        return tuple(
            (number, quality)
            for number in numbers
            for quality in _QUALITIES[number in (4, 5, 11, 12)]
            if not (number in (2, 9) and quality == "diminished")
        )

    @property
    def registers(self) -> range:
        """The lower of the two places offered, so that any given note is near a staff."""
        return range(28, 42) if self.level < 3 else range(24, 31)

    @property
    def reach(self) -> int:
        """The largest alteration."""
        return 1 if self.level < 4 else 2


def _other(given: tuple[int, int], number: int, quality: str, direction: int) -> tuple[int, int]:
    """The (place, alteration) at an interval from ``given``, up (1) or down (-1)."""
    place = given[0] + direction * (number - 1)
    target = semitones(*given) + direction * size(number, quality)
    return place, target - semitones(place, 0)


def contents(config: Config) -> Iterator[tuple[Hashable, Reading]]:
    """Every given note with its interval; a cell is the answer's spelling."""
    for number, quality in config.intervals:
        for direction in (1, -1):
            for fifths in range(-7, 8):
                by_signature = signature(fifths)
                for step in range(7):
                    for alter in range(-config.reach, config.reach + 1):
                        place, answer = _other((step + 28, alter), number, quality, direction)
                        if abs(answer) > config.reach:
                            continue
                        for how in manners(alter, by_signature[step], config.level > 1):
                            tone = Tone(step + 28, alter, how)
                            if _belongs(config, fifths, tone, number, quality, direction):
                                fact = f"{step} {alter} {number} {quality} {direction}"
                                yield (
                                    (place % 7, answer),
                                    Reading(
                                        canonical=f"{fifths} {how} {fact}",
                                        fact=fact,
                                        data=(fifths, tone, number, quality, direction),
                                    ),
                                )


def _belongs(
    config: Config, fifths: int, tone: Tone, number: int, quality: str, direction: int
) -> bool:
    if config.level > 1 and tone.how != CARRIED:
        return False
    answer = _other((tone.place, tone.alter), number, quality, direction)
    if config.level > 3 and abs(tone.alter) < 2:
        return False

    def solve(read: tuple[int, ...]) -> tuple[int, int]:
        return _other((tone.place, read[0]), number, quality, direction)

    needed = [step for step in FEATURES[: config.level] if step != "compound"]
    return all(matters(step, (tone,), fifths, answer, solve) for step in needed)


def publics(config: Config, known: frozenset[Hashable]) -> Iterable[Public]:
    """Two neighbouring positions by two alterations, no two of which sound alike."""
    pairs = ((-1, 0), (0, 1), (-1, 1)) + (((-2, -1), (1, 2)) if config.level > 3 else ())
    for low in config.registers:
        for pair in pairs:
            offered = [(low + up, alter) for up in (0, 1) for alter in pair]
            cells = tuple((place % 7, alter) for place, alter in offered)
            alike = len({semitones(*one) for one in offered}) < 4
            if known.issuperset(cells) and not alike:
                options = tuple(pitch_words(*one) for one in offered)
                yield Public(QUESTION, options, cells, register=low)


def compose(data: tuple[Any, ...], public: Public, config: Config, draw: Draw) -> Composition:
    """The given note in a bar with its giver and three notes that decide nothing."""
    fifths, tone, number, quality, direction = data
    place, alter = _other((tone.place, tone.alter), number, quality, direction)
    # The register is the lower of the two positions offered: the answer is there or next.
    target = public.register + (place - public.register) % 7
    given = tone._replace(place=tone.place + target - place)
    clef = clef_for(given.place, config.level, draw)
    way = "up" if direction > 0 else "down"
    bar = bar_around(((given,),), 3, clef, draw, above=f"{quality} {NUMBERS[number]} {way}")
    bare = direction * (semitones(target, 0) - semitones(given.place, 0))
    sign, signed = sign_words(bare, (given.place, given.alter), above=direction < 0)
    wanted = size(number, quality)
    fewer = abs(signed - wanted)
    compared = f"{fewer} {'less' if wanted < signed else 'more'}" if fewer else "as many"
    moves = f"moves {'up' if alter > 0 else 'down'} by {abs(alter)}" if alter else "stays"
    return Composition(
        Written("note_completion", Score((bar,), fifths, clef)),
        f"{signature_words(fifths)} The accented note is written {written_words(given)}, so it is "
        f"{pitch_words(given.place, given.alter)}. {number_words(number).capitalize()} is "
        f"{number} staff positions, going {way} with their semitones: "
        f"{count_words(given.place, target)}. That makes {bare} without signs. {sign}. "
        f"The {quality} one has {wanted}, {compared}, so {LETTERS[target % 7]} "
        f"{'above' if direction > 0 else 'below'} {moves}: {pitch_words(target, alter)}.",
    )


def steps(data: tuple[Any, ...], config: Config) -> dict[str, int]:
    """Reading the note (and its giver), altering, counting, measuring."""
    counted = {"read": 1, "alter": 1, "number": 1, "quality": 1}
    if config.level > 1:
        counted |= {"read": 2, "carry": 1}
    if config.level > 2:
        counted["compound"] = 1
    if config.level > 3:
        counted["double"] = 1
    return counted


def ignoring(problem: Problem, step: str) -> str | None:
    """The note as a reader finds it who leaves out one kind of step."""
    score = score_of(problem.identity)
    ((given,),) = read_accented(score, step)
    (above,) = (event.above for bar in score.bars for event in bar if event.above)
    *quality, word, way = above.split()
    number = NUMBERS.index(word) - (7 if step == "compound" else 0)
    place, alter = _other(given, number, " ".join(quality), 1 if way == "up" else -1)
    return pitch_words(place, alter) if abs(alter) <= 2 else None


TASK = Task(
    category="interval",
    configs=tuple(Config(level) for level in (1, 2, 3, 4)),
    source=Deck(contents, publics),
    compose=compose,
    steps=steps,
    bands=((4, 4), (6, 6), (7, 7), (8, 8)),
    features=FEATURES,
    ignoring=ignoring,
)
