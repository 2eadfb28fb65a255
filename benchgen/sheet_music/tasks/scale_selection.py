"""Find the bar that holds a named scale.

The score holds four scales, each a correct scale of something: two tonics by two forms. So
neither the question nor the score alone tells anything, and no bar is the odd one out. Levels add
scales that begin elsewhere than on the tonic, natural signs that cancel the signature, and
forms beyond major and harmonic minor.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

from benchgen.content import Composition, Public, Reading
from benchgen.deck import Deck
from benchgen.problem import Problem
from benchgen.seeding import Draw
from benchgen.sheet_music.reading import read_bar
from benchgen.sheet_music.score import Event, Score, Written, score_of
from benchgen.sheet_music.theory.pitch import LETTERS, Spelling, note_words, root_words, signature
from benchgen.sheet_music.theory.scale import FORMS, scale
from benchgen.sheet_music.writing import PLAIN, PRINTED, Tone, clefs, matters, note, onto
from benchgen.task import Task

OPTIONS = ("bar 1", "bar 2", "bar 3", "bar 4")
FEATURES = ("signature|accidental", "start", "cancel", "form")
_PLAIN_FORMS = (("major", "harmonic minor"),)
_WIDER_FORMS = tuple(
    combinations(("melodic minor", "dorian", "phrygian", "lydian"), 2)
)
_TONICS = tuple(
    (step, alter)
    for step in range(7)
    for alter in (-1, 0, 1)
    if (step, alter) not in {(2, 1), (6, 1), (3, -1), (0, -1)}
)


@dataclass(frozen=True)
class Config:
    """Level 1 alterations, 2 other first notes, 3 cancelled signatures, 4 other forms."""

    level: int = 1

    @property
    def distance(self) -> int:
        """How many fifths apart the two tonics may be."""
        return (9, 5, 3, 1)[self.level - 1]

    @property
    def forms(self) -> tuple[tuple[str, ...], ...]:
        """The pairs of forms shown together."""
        return _PLAIN_FORMS if self.level < 4 else _WIDER_FORMS


Name = tuple[Spelling, str]


def _along(tonic: Spelling) -> int:
    """Steps along the line of fifths from C."""
    return (0, 2, 4, -1, 1, 3, 5)[tonic[0]] + 7 * tonic[1]


def _quartets(config: Config) -> Iterator[tuple[Name, ...]]:
    """Two near tonics by two forms, all writable with single signs and all different."""
    for tonics in combinations(_TONICS, 2):
        if abs(_along(tonics[0]) - _along(tonics[1])) > config.distance:
            continue
        for forms in config.forms:
            names = tuple((tonic, form) for tonic in tonics for form in forms)
            tones = [scale(*name) for name in names]
            single = all(abs(alter) < 2 for scales in tones for _, alter in scales)
            if single and len({frozenset(scales) for scales in tones}) == 4:
                yield names


def contents(config: Config) -> Iterator[tuple[Hashable, Reading]]:
    """Every quartet, its target and how that is written; a cell is (target, bar).

    The bar does not decide what is read, so each content is put in one bar by its rank.
    """
    turns: dict[Name, int] = {}
    for names in _quartets(config):
        for target in names:
            tones = scale(*target)
            for fifths in range(-7, 8):
                if not _belongs(config, fifths, tones):
                    continue
                for start in (0,) if config.level < 2 else range(1, 7):
                    for direction in (1, -1):
                        turn = turns.get(target, 0)
                        turns[target] = turn + 1
                        yield (
                            (target, turn % 4),
                            Reading(
                                canonical=f"{names} {target} {fifths} {start} {direction}",
                                fact=f"{target}",
                                data=(names, target, fifths, start, direction, turn % 4),
                            ),
                        )


def _belongs(config: Config, fifths: int, tones: tuple[Spelling, ...]) -> bool:
    by_signature = signature(fifths)
    written = tuple(
        Tone(step, alter, PLAIN if alter == by_signature[step] else PRINTED)
        for step, alter in tones
    )
    cancels = any(tone.how == PRINTED and tone.alter == 0 for tone in written)
    if cancels != (config.level > 2):
        return False
    whole = tuple(alter for _, alter in tones)
    return matters("signature|accidental", written, fifths, whole, lambda read: read)


def publics(config: Config, known: frozenset[Hashable]) -> Iterable[Public]:
    """One question for each scale; the options are the four bars."""
    for target in sorted({cell[0] for cell in known}):  # type: ignore[index]
        question = (
            f"Which bar holds the {root_words(*target[0])} {target[1]} scale, "
            "beginning on any of its notes?"
        )
        cells = tuple((target, bar) for bar in range(4))
        yield Public(question, OPTIONS, cells, shuffle=False)


def compose(data: tuple[Any, ...], public: Public, config: Config, draw: Draw) -> Composition:
    """Four bars of eight notes, the target in its bar and the others in any order."""
    names, target, fifths, start, direction, at = data
    others = [name for name in names if name != target]
    draw.shuffle(others)
    clef = draw.choice(clefs(config.level))
    by_signature = signature(fifths)
    bars: list[tuple[Event, ...]] = []
    signed: set[int] = set()
    for place in range(4):
        if place == at:
            name, first, way = target, start, direction
        else:
            name = others.pop()
            first = 0 if config.level < 2 else 1 + draw.below(6)
            way = 1 - 2 * draw.below(2)
        tones = scale(*name)
        low = tones[first][0]
        low += 7 * onto(clef, low, low + 7, config.level, draw)
        events: list[Event] = []
        signs: set[int] = set()
        for degree in range(8) if way > 0 else range(7, -1, -1):
            step, alter = tones[(first + degree) % 7]
            # After a sign in the bar before, the one that now holds is printed too.
            printed = alter != by_signature[step] or step in signed
            if printed:
                signs.add(step)
            sign = alter if printed else None
            events.append(_eighth(low + degree, sign, len(events) % 4 != 3))
        bars.append(tuple(events))
        signed = signs
    tones = scale(*target)
    named = " ".join(note_words(*tone) for tone in tones)
    score = Score(tuple(bars), fifths, clef, bars_per_system=2)
    return Composition(
        Written("scale_selection", score),
        f"The {root_words(*target[0])} {target[1]} scale is {named}. Only {OPTIONS[at]} has "
        "these seven notes.",
    )


@cache
def _eighth(place: int, sign: int | None, beam: bool) -> Event:
    return Event((note(place, sign),), 8, beam=beam)


def steps(data: tuple[Any, ...], config: Config) -> dict[str, int]:
    """Spelling the scale, comparing it with the bars, altering what they show."""
    counted = {"spell": 1, "alter": 1, "compare": 4}
    if config.level > 1:
        counted["start"] = 1
    if config.level > 2:
        counted["cancel"] = 1
    if config.level > 3:
        counted["form"] = 1
    return counted


def ignoring(problem: Problem, step: str) -> str | None:
    """The bar as a reader finds it who leaves out one kind of step."""
    words = problem.question.removeprefix("Which bar holds the ").split(" scale")[0].split()
    alter = {"flat": -1, "sharp": 1}.get(words[1], 0)
    tonic = (LETTERS.index(words[0]), alter)
    form = " ".join(words[2 if alter else 1 :])
    if step == "form" and form not in ("major", "natural minor", "harmonic minor"):
        return None
    wanted = set(scale(tonic, form)) if form in FORMS else set()
    score = score_of(problem.identity)
    found = []
    for place, bar in enumerate(score.bars):
        read = [(p[0][0] % 7, p[0][1]) for p in read_bar(bar, score.fifths, step)]
        if set(read) == wanted and (step != "start" or read[0] == tonic):
            found.append(OPTIONS[place])
    return found[0] if len(found) == 1 else None


TASK = Task(
    category="scale",
    configs=tuple(Config(level) for level in (1, 2, 3, 4)),
    source=Deck(contents, publics),
    compose=compose,
    steps=steps,
    bands=((6, 6), (7, 7), (8, 8), (9, 9)),
    features=FEATURES,
    ignoring=ignoring,
)
