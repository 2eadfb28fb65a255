"""The one score model: what is written on the staff, not what it sounds like.

Conventions
-----------
* A ``Note`` stands on a staff position, given by letter and octave (scientific,
  C4 is middle C, octaves change at C), and bears the sign printed before it,
  or none. What pitch it has follows from signature and carry: see
  ``reading.py``.
* ``sign`` is the printed accidental as a number of semitones: -2 double flat,
  -1 flat, 0 natural, 1 sharp, 2 double sharp, None no sign.
* ``value`` is the printed note value as a denominator (1 whole, 2 half, 4
  quarter, 8 eighth, 16 sixteenth); each dot adds half of what stands before it.
  ``tuplet`` 3 means three in the time of two; the three events that make up one
  tuplet stand side by side.
* ``beam`` is True where the event is beamed to the next one.
* ``fifths`` counts the sharps (positive) or flats (negative) of the key
  signature. ``meter`` is (beats, unit), or None where none is printed.
* ``systems`` tells the engraver after how many bars to begin a new line; it
  changes nothing in text.
* One voice, one staff, one clef. Bars count from 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

CLEFS = ("treble", "bass", "alto", "tenor")


class Note(NamedTuple):
    """One written note head: a staff position and the sign before it."""

    letter: str
    octave: int
    sign: int | None = None


class Event(NamedTuple):
    """A note, a chord (notes from low to high) or, without notes, a rest."""

    notes: tuple[Note, ...]
    value: int
    dots: int = 0
    tuplet: int = 0
    beam: bool = False
    accent: bool = False
    above: str | None = None

    @property
    def duration(self) -> Fraction:
        """The length in whole notes."""
        length = Fraction(2 ** (self.dots + 1) - 1, 2**self.dots * self.value)
        return length * Fraction(2, 3) if self.tuplet == 3 else length


Bar = tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """A single line of music."""

    bars: tuple[Bar, ...]
    fifths: int = 0
    clef: str = "treble"
    meter: tuple[int, int] | None = None
    bars_per_system: int = 4


class Written(Mapping[str, Any]):
    """An identity that remembers the score it was made from.

    To everyone it is the JSON object. That is made only when somebody looks, because the
    renderings take the score, and a dataset takes the text of the JSON.
    """

    __slots__ = ("_record", "score", "task")

    def __init__(self, task: str, score: Score) -> None:
        self.task = task
        self.score = score
        self._record: dict[str, Any] | None = None

    def to_json(self) -> str:
        """The object as compact JSON."""
        return f'{{"task":"{self.task}","score":{score_to_text(self.score)}}}'

    def __getitem__(self, name: str) -> Any:
        return self._object()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._object())

    def __len__(self) -> int:
        return len(self._object())

    def __repr__(self) -> str:
        return repr(self._object())

    def _object(self) -> dict[str, Any]:
        if self._record is None:
            self._record = {"task": self.task, "score": score_to_json(self.score)}
        return self._record


def score_of(identity: Mapping[str, Any]) -> Score:
    """The score of an identity."""
    if isinstance(identity, Written):
        return identity.score
    return score_from_json(identity["score"])


def score_to_json(score: Score) -> dict[str, Any]:
    """A JSON object from which ``score_from_json`` makes an equal score."""
    return {
        "clef": score.clef,
        "fifths": score.fifths,
        "meter": None if score.meter is None else list(score.meter),
        "bars_per_system": score.bars_per_system,
        "bars": [[_event_to_json(event) for event in bar] for bar in score.bars],
    }


def score_to_text(score: Score) -> str:
    """``score_to_json`` as compact JSON text."""
    bars = ",".join(["[" + ",".join(map(_event_to_text, bar)) + "]" for bar in score.bars])
    meter = "null" if score.meter is None else f"[{score.meter[0]},{score.meter[1]}]"
    return (
        f'{{"clef":"{score.clef}","fifths":{score.fifths},"meter":{meter},'
        f'"bars_per_system":{score.bars_per_system},"bars":[{bars}]}}'
    )


def score_from_json(record: Mapping[str, Any]) -> Score:
    """The score that ``score_to_json`` wrote.

    Raises
    ------
    KeyError, TypeError
        The record is not one of ours.
    """
    meter: Sequence[int] | None = record["meter"]
    return Score(
        bars=tuple(tuple(_event_from_json(e) for e in bar) for bar in record["bars"]),
        fifths=record["fifths"],
        clef=record["clef"],
        meter=None if meter is None else (meter[0], meter[1]),
        bars_per_system=record["bars_per_system"],
    )


def _event_to_json(event: Event) -> dict[str, Any]:
    notes, value, dots, tuplet, beam, accent, above = event
    record: dict[str, Any] = {"notes": [list(one) for one in notes], "value": value}
    if dots:
        record["dots"] = dots
    if tuplet:
        record["tuplet"] = tuplet
    if beam:
        record["beam"] = True
    if accent:
        record["accent"] = True
    if above is not None:
        record["above"] = above
    return record


@lru_cache(maxsize=16384)
def _event_to_text(event: Event) -> str:
    return json.dumps(_event_to_json(event), ensure_ascii=False, separators=(",", ":"))


def _event_from_json(record: Mapping[str, Any]) -> Event:
    return Event(
        notes=tuple(Note(letter, octave, sign) for letter, octave, sign in record["notes"]),
        value=record["value"],
        dots=record.get("dots", 0),
        tuplet=record.get("tuplet", 0),
        beam=record.get("beam", False),
        accent=record.get("accent", False),
        above=record.get("above"),
    )
