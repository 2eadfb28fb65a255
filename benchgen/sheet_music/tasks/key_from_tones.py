"""Find the key to which all the accented notes belong.

The options are two tonics by major and minor; minor keys are harmonic minor, because natural
minor ties with its relative. The notes fit exactly one of the thirty keys, and the signature
they are written under need not be the key's. Levels add the carry of an earlier sign, keys told by
four notes, and a foreign note that is not accented.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations
from typing import Any

from benchgen.content import Composition, Public, Reading
from benchgen.deck import Deck
from benchgen.problem import Problem
from benchgen.seeding import Draw
from benchgen.sheet_music.reading import read_bar
from benchgen.sheet_music.score import Event, Score, Written, score_of
from benchgen.sheet_music.theory.pitch import Spelling, note_words, root_words, signature
from benchgen.sheet_music.theory.scale import Key, keys
from benchgen.sheet_music.writing import (
    CARRIED,
    PLAIN,
    PRINTED,
    Tone,
    accented,
    matters,
    on_staff,
    quarter,
)
from benchgen.task import Task

QUESTION = (
    "In which one of these keys do all the accented notes belong? "
    "Minor keys are harmonic minor."
)
FEATURES = ("signature|accidental", "carry", "partial", "select")


@dataclass(frozen=True)
class Config:
    """Level 1 alterations, 2 carry, 3 four notes only, 4 a foreign note."""

    level: int = 1

    @property
    def counts(self) -> tuple[int, ...]:
        """How many different notes are shown."""
        return (5, 6, 7) if self.level < 3 else (4,)


def key_of(tones: Iterable[Spelling]) -> Key | None:
    """The one key of the thirty that holds all the tones, None where it is not one."""
    return _key_of(frozenset(tones))


@lru_cache(maxsize=65536)
def _key_of(shown: frozenset[Spelling]) -> Key | None:
    found = [key for key, members in keys().items() if shown <= members]
    return found[0] if len(found) == 1 else None


@cache
def _tone_sets(counts: tuple[int, ...]) -> tuple[tuple[Key, tuple[Spelling, ...]], ...]:
    return tuple(
        (key, tones)
        for key, members in keys().items()
        for count in counts
        for tones in combinations(sorted(members), count)
        if key_of(tones) == key and all(abs(alter) < 2 for _, alter in tones)
    )


def contents(config: Config) -> Iterator[tuple[Hashable, Reading]]:
    """Every telling set of tones under every signature; a cell is the key."""
    for key, tones in _tone_sets(config.counts):
        for fifths in range(-7, 8):
            by_signature = signature(fifths)
            plain = [
                Tone(step, alter, PLAIN if alter == by_signature[step] else PRINTED)
                for step, alter in tones
            ]
            carried: list[int | None] = [None]
            if config.level > 1:
                carried = [place for place, tone in enumerate(plain) if tone.how == PRINTED]
            for place in carried:
                chosen = tuple(plain)
                if place is not None:
                    tone = Tone(*tones[place], CARRIED)
                    chosen = (*plain[:place], tone, *plain[place + 1 :])
                if not _belongs(config, fifths, chosen, key):
                    continue
                for foreign in _foreign(chosen, fifths, key) if config.level > 3 else (None,):
                    yield (
                        key,
                        Reading(
                            canonical=f"{fifths} {chosen} {foreign}",
                            fact=f"{key} {tones}",
                            data=(fifths, chosen, key, foreign),
                        ),
                    )


def _foreign(tones: tuple[Tone, ...], fifths: int, key: Key) -> Iterator[Tone]:
    """Notes on other letters that are not in the key, as the signature has them."""
    taken = {tone.place for tone in tones}
    for step, alter in enumerate(signature(fifths)):
        if step not in taken and (step, alter) not in keys()[key]:
            yield Tone(step, alter, PLAIN)


def _belongs(config: Config, fifths: int, tones: tuple[Tone, ...], key: Key) -> bool:
    steps = [tone.place for tone in tones]
    given = [(tone.place, tone.alter) for tone in tones if tone.how == CARRIED]

    def solve(read: tuple[int, ...]) -> Key | None:
        return key_of(zip(steps, read, strict=True))

    if not matters("signature|accidental", tones, fifths, key, solve):
        return False
    # The giver of a carried tone is accented too: overlooking the carry shows both.
    return config.level < 2 or matters(
        "carry", tones, fifths, key, lambda read: key_of([*zip(steps, read, strict=True), *given])
    )


def publics(config: Config, known: frozenset[Hashable]) -> Iterable[Public]:
    """Two tonics by major and minor."""
    tonics = sorted({tonic for tonic, _ in keys()})
    for pair in combinations(tonics, 2):
        cells = tuple((tonic, mode) for tonic in pair for mode in ("major", "minor"))
        if known.issuperset(cells):
            yield Public(QUESTION, tuple(f"{root_words(*t)} {mode}" for t, mode in cells), cells)


def compose(data: tuple[Any, ...], public: Public, config: Config, draw: Draw) -> Composition:
    """The tones in any order in one bar, the carried one after its giver."""
    fifths, tones, (tonic, mode), foreign = data
    placed = [tone.raised(draw.below(2)) for tone in tones]
    low, high = min(t.place for t in placed), max(t.place for t in placed)
    clef, octaves = on_staff(low, high, config.level, draw)
    moved = [tone.raised(octaves) for tone in placed]
    draw.shuffle(moved)
    events: list[Event] = []
    for tone in moved:
        if tone.how == CARRIED:
            giver = accented(tone.place, tone.alter)
            events.insert(draw.below(len(events) + 1), giver)
        events.append(accented(tone.place, tone.alter if tone.how == PRINTED else None))
    if foreign is not None:
        place = low + 7 * octaves + (foreign.place - low) % 7
        events.insert(draw.below(len(events) + 1), quarter(place))
    named = ", ".join(note_words(tone.place, tone.alter) for tone in tones)
    bar = tuple(events)
    return Composition(
        Written("key_from_tones", Score((bar,), fifths, clef)),
        f"The accented notes are {named}. Of the fifteen major and fifteen harmonic minor keys "
        f"only {root_words(*tonic)} {mode} has them all.",
    )


def steps(data: tuple[Any, ...], config: Config) -> dict[str, int]:
    """Applying signature and signs to the notes, comparing with each key offered."""
    counted = {"alter": 1, "compare": 4}
    if config.level > 1:
        counted["carry"] = 1
    if config.level > 2:
        counted["partial"] = 1
    if config.level > 3:
        counted["select"] = 1
    return counted


def ignoring(problem: Problem, step: str) -> str | None:
    """The key as a reader finds it who leaves out one kind of step."""
    score = score_of(problem.identity)
    read = {
        (pitches[0][0] % 7, pitches[0][1])
        for bar in score.bars
        for event, pitches in zip(bar, read_bar(bar, score.fifths, step), strict=True)
        if event.accent or step == "select"
    }
    if step == "partial" and len(read) < 5:
        return None
    key = key_of(read)
    return None if key is None else f"{root_words(*key[0])} {key[1]}"


TASK = Task(
    category="scale",
    configs=tuple(Config(level) for level in (1, 2, 3, 4)),
    source=Deck(contents, publics),
    compose=compose,
    steps=steps,
    bands=((5, 5), (6, 6), (7, 7), (8, 8)),
    features=FEATURES,
    ignoring=ignoring,
)
