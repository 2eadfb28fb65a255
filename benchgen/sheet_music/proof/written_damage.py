"""Scores with one thing altered: what ``mutate`` does to texts and stored scores.

Every alteration changes what is written, and one of notes, signs, values or dots also
what sounds. Each takes a score and returns an altered one, or None where the score
has no place for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from benchgen.sheet_music.proof.pitches import sounding
from benchgen.sheet_music.proof.written import (
    CLEFS,
    LETTERS,
    Written,
    WrittenEvent,
    WrittenNote,
)

_METERS = ((2, 4), (3, 4), (4, 4), (6, 8), (9, 8))


def places(
    written: Written, fits: Callable[[WrittenEvent], bool] = lambda event: True
) -> list[tuple[int, int]]:
    """(bar, event) of every event that fits, from 0."""
    return [
        (b, e) for b, bar in enumerate(written.bars) for e, event in enumerate(bar) if fits(event)
    ]


def put(written: Written, place: tuple[int, int], *events: WrittenEvent) -> Written:
    """The score with ``events`` in the place of the one at ``place``."""
    b, e = place
    bar = written.bars[b]
    bars = [*written.bars]
    bars[b] = (*bar[:e], *events, *bar[e + 1 :])
    return replace(written, bars=tuple(bars))


def event_at(written: Written, place: tuple[int, int]) -> WrittenEvent:
    """The event at (bar, event)."""
    return written.bars[place[0]][place[1]]


def _one_note(
    written: Written,
    rng: random.Random,
    alter: Callable[[WrittenNote, int], WrittenNote],
    *,
    single: bool = False,
) -> Written | None:
    """Replace one note (of a single-note event, if ``single``) by ``alter(note, pitch's sign)``."""
    found = places(written, lambda e: len(e.notes) == 1 if single else bool(e.notes))
    if not found:
        return None
    place = rng.choice(found)
    event = event_at(written, place)
    number = rng.randrange(len(event.notes))
    heard = sounding(written)[place[0]][place[1]][number]
    notes = [*event.notes]
    notes[number] = alter(notes[number], heard.alter)
    return put(written, place, replace(event, notes=tuple(notes)))


def _sign(written: Written, rng: random.Random) -> Written | None:
    def alter(note: WrittenNote, heard: int) -> WrittenNote:
        return replace(note, sign=rng.choice([s for s in range(-2, 3) if s != heard]))

    return _one_note(written, rng, alter)


def _letter(written: Written, rng: random.Random) -> Written | None:
    def alter(note: WrittenNote, heard: int) -> WrittenNote:
        return replace(note, letter=rng.choice([x for x in LETTERS if x != note.letter]))

    return _one_note(written, rng, alter, single=True)


def _octave(written: Written, rng: random.Random) -> Written | None:
    def alter(note: WrittenNote, heard: int) -> WrittenNote:
        return replace(note, octave=note.octave + rng.choice([-1, 1]))

    return _one_note(written, rng, alter, single=True)


def alter_value(written: Written, rng: random.Random) -> Written | None:
    """Another value where no beam or tuplet stands against it."""
    bars = written.bars
    found = [
        (b, e)
        for b, e in places(written, lambda event: not event.tuplet and not event.beam)
        if e == 0 or not bars[b][e - 1].beam
    ]
    if not found:
        return None
    place = rng.choice(found)
    event = event_at(written, place)
    value = rng.choice([v for v in (1, 2, 4, 8) if v != event.value])
    return put(written, place, replace(event, value=value))


def _dot(written: Written, rng: random.Random) -> Written | None:
    found = places(written, lambda e: not e.tuplet and e.value <= 8 and e.dots <= 1)
    if not found:
        return None
    place = rng.choice(found)
    event = event_at(written, place)
    return put(written, place, replace(event, dots=1 - event.dots))


def _beam(written: Written, rng: random.Random) -> Written | None:
    found = [
        (b, e)
        for b, e in places(written)
        if e + 1 < len(written.bars[b])
        and all(event.notes and event.value >= 8 for event in written.bars[b][e : e + 2])
    ]
    if not found:
        return None
    place = rng.choice(found)
    event = event_at(written, place)
    return put(written, place, replace(event, beam=not event.beam))


def _accent(written: Written, rng: random.Random) -> Written | None:
    found = places(written, lambda event: bool(event.notes))
    if not found:
        return None
    place = rng.choice(found)
    event = event_at(written, place)
    return put(written, place, replace(event, accent=not event.accent))


def _word(written: Written, rng: random.Random) -> Written | None:
    place = rng.choice(places(written))
    event = event_at(written, place)
    word = rng.choice([w for w in ("major", "minor", "major third up") if w != event.above])
    return put(written, place, replace(event, above=word))


def _rest(written: Written, rng: random.Random) -> Written | None:
    """A note becomes a rest, or a rest a note."""
    found = [
        (b, e)
        for b, e in places(written, lambda event: not event.beam and not event.tuplet)
        if e == 0 or not written.bars[b][e - 1].beam
    ]
    if not found:
        return None
    place = rng.choice(found)
    event = event_at(written, place)
    if event.notes:
        return put(written, place, replace(event, notes=(), accent=False))
    return put(written, place, replace(event, notes=(WrittenNote("B", 4),)))


def _missing(written: Written, rng: random.Random) -> Written | None:
    found = [
        (b, e)
        for b, e in places(written, lambda event: not event.beam and not event.tuplet)
        if len(written.bars[b]) > 1 and (e == 0 or not written.bars[b][e - 1].beam)
    ]
    return put(written, rng.choice(found)) if found else None


def _bar_line(written: Written, rng: random.Random) -> Written | None:
    """A bar line less, or where there is none one more."""
    bars = written.bars
    if len(bars) > 1:
        b = rng.randrange(len(bars) - 1)
        return replace(written, bars=(*bars[:b], bars[b] + bars[b + 1], *bars[b + 2 :]))
    (bar,) = bars
    cuts = [e for e in range(1, len(bar)) if not bar[e - 1].beam and not (bar[e - 1].tuplet)]
    if not cuts:
        return None
    cut = rng.choice(cuts)
    return replace(written, bars=(bar[:cut], bar[cut:]))


def _clef(written: Written, rng: random.Random) -> Written:
    return replace(written, clef=rng.choice([c for c in CLEFS if c != written.clef]))


def _signature(written: Written, rng: random.Random) -> Written:
    return replace(written, fifths=rng.choice([f for f in range(-7, 8) if f != written.fifths]))


def _meter(written: Written, rng: random.Random) -> Written:
    return replace(written, meter=rng.choice([m for m in _METERS if m != written.meter]))


WRITTEN_DAMAGE: Mapping[str, Callable[[Written, random.Random], Written | None]] = {
    "an accidental altered": _sign,
    "a note on another letter": _letter,
    "a note in another octave": _octave,
    "a duration altered": alter_value,
    "a dot more or less": _dot,
    "a beam altered": _beam,
    "an accent more or less": _accent,
    "another word above": _word,
    "a note for a rest": _rest,
    "a note missing": _missing,
    "a bar line more or less": _bar_line,
    "another clef": _clef,
    "another signature": _signature,
    "another meter": _meter,
}
