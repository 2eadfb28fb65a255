"""Damage for testing the prover: rows and pictures with one thing wrong.

Every mutation changes what the item means or shows, by construction: a new sign
gives another pitch, a moved glyph another staff position, and so on. So a prover
that accepts a mutant is at fault, and no mutant has to be excused.

Kinds
-----
* ``text:`` the ABC alone is altered, ``identity:`` the stored score alone;
* ``truth:`` text and stored score are altered alike (and the picture left out), so
  that only judging the options can tell;
* ``key:`` answer, target or options are altered;
* ``drawing:`` a shape of the engraved SVG is moved, removed, exchanged or mislabelled.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchgen.sheet_music.proof.abc_text import abc_text
from benchgen.sheet_music.proof.drawing_damage import damaged_drawings
from benchgen.sheet_music.proof.pitches import sounding
from benchgen.sheet_music.proof.words import parse_note
from benchgen.sheet_music.proof.written import Written, WrittenEvent, written_from_json
from benchgen.sheet_music.proof.written_damage import (
    WRITTEN_DAMAGE,
    alter_value,
    event_at,
    places,
    put,
)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One damaged item; ``svg`` is None where the picture is not concerned."""

    name: str
    row: Row
    svg: str | None = None


def mutations(row: Row, svg: str | None, rng: random.Random) -> Iterator[Mutation]:
    """Every kind of damage that the row admits, each once, at a place drawn at random."""
    score = json.loads(row["identity"])["score"]
    written = written_from_json(score)
    for name, alter in WRITTEN_DAMAGE.items():
        if (altered := alter(written, rng)) is not None:
            if row["text"] is not None:
                yield Mutation(f"text: {name}", {**row, "text": abc_text(altered)})
            yield Mutation(f"identity: {name}", _with_score(row, altered))
    if row["text"] is not None and (false := _another_truth(row, written, rng)) is not None:
        changed = _with_score(row, false) | {"text": abc_text(false), "image": None}
        yield Mutation("truth: what the answer rests on altered", changed)
    yield from _wrong_keys(row, rng)
    if svg is not None:
        for name, damaged in damaged_drawings(svg, rng):
            yield Mutation(f"drawing: {name}", row, damaged)


def _with_score(row: Row, written: Written) -> dict[str, Any]:
    identity = json.loads(row["identity"])
    identity["score"] |= {
        "clef": written.clef,
        "fifths": written.fifths,
        "meter": None if written.meter is None else list(written.meter),
        "bars": [[_event_json(event) for event in bar] for bar in written.bars],
    }
    return {**row, "identity": json.dumps(identity)}


def _event_json(event: WrittenEvent) -> dict[str, Any]:
    record: dict[str, Any] = {
        "notes": [[n.letter, n.octave, n.sign] for n in event.notes],
        "value": event.value,
        "dots": event.dots,
        "tuplet": event.tuplet,
        "beam": event.beam,
        "accent": event.accent,
    }
    return record if event.above is None else record | {"above": event.above}


def _another_truth(row: Row, written: Written, rng: random.Random) -> Written | None:
    """The score with something altered that the right answer cannot survive."""
    task = row["task"].rpartition("/")[2]
    if task in ("meter", "bar_lines"):
        return alter_value(written, rng)
    if task == "scale_selection":
        number = _bar_of(row["answer"])
        found = [(number, e) for e in range(len(written.bars[number]))]
    else:
        found = places(written, lambda event: event.accent)
    place = rng.choice(found)
    event, heard = event_at(written, place), sounding(written)[place[0]][place[1]]
    numbers = list(range(len(event.notes)))
    if task == "chord_root":  # a third or fifth might be altered and leave the root the same
        root = parse_note(row["answer"])
        numbers = [n for n in numbers if heard[n].pitch_class == root]
    number = rng.choice(numbers)
    note = event.notes[number]
    sign = rng.choice([s for s in range(-2, 3) if s != heard[number].alter])
    notes = [*event.notes]
    notes[number] = replace(note, sign=sign)
    return put(written, place, replace(event, notes=tuple(notes)))


def _wrong_keys(row: Row, rng: random.Random) -> Iterator[Mutation]:
    options = list(row["options"])
    right = options.index(row["answer"])
    wrong = rng.choice([place for place in range(len(options)) if place != right])
    letter = "ABCDEFGH"[wrong]
    yield Mutation("key: wrong letter", {**row, "target": letter})
    yield Mutation("key: wrong answer", {**row, "answer": options[wrong]})
    both = {**row, "target": letter, "answer": options[wrong]}
    yield Mutation("key: wrong letter and answer", both)
    swapped = [*options]
    swapped[right], swapped[wrong] = swapped[wrong], swapped[right]
    yield Mutation("key: two options exchanged", {**row, "options": swapped})
    twice = [*options]
    twice[wrong] = options[right]
    yield Mutation("key: the right option twice", {**row, "options": twice})
    without = [option for option in options if option != row["answer"]]
    yield Mutation("key: the right option missing", {**row, "options": without})
    if row["task"].endswith("scale_selection") and row["text"] is not None:
        written = written_from_json(json.loads(row["identity"])["score"])
        bars = [*written.bars]
        bars[_bar_of(options[wrong])] = bars[_bar_of(row["answer"])]
        twin = replace(written, bars=tuple(bars))
        second = _with_score(row, twin) | {"text": abc_text(twin), "image": None}
        yield Mutation("key: a second right option", second)


def _bar_of(option: str) -> int:
    """The index of the bar that ``bar 3`` names."""
    return int(option.removeprefix("bar ")) - 1
