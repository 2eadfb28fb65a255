"""From pitches to what is written: signs, carry, staff, clef.

Conventions
-----------
* A ``Tone`` is a pitch and how its alteration is written: ``plain`` (by the signature
  alone), ``printed`` (a sign before it) or ``carried`` (by the sign of an earlier note at
  the same staff position in the bar, the *giver*). A tone that the signature
  already gives is always plain.
* No other note of the bar stands on a letter whose sign would have to be printed
  again, so that exactly two things are implicit: signature and carry.
* The clef and the octave of the whole are chosen here; they change no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from benchgen.seeding import Draw
from benchgen.sheet_music.score import Event, Note
from benchgen.sheet_music.theory.pitch import ALTERATIONS, LETTERS, signature

PLAIN, PRINTED, CARRIED = "plain", "printed", "carried"
_MIDDLE_LINE = {"treble": 34, "bass": 22, "alto": 28, "tenor": 26}
_CLEFS = {1: ("treble",), 2: ("treble", "bass"), 3: ("treble", "bass")}
_ALL_CLEFS = ("treble", "bass", "alto", "tenor")
QUARTER = 4


class Tone(NamedTuple):
    """A pitch and how its alteration is written."""

    place: int
    alter: int
    how: str

    def __repr__(self) -> str:
        # Readings are made of these by the hundred thousand: the general one is slow.
        return f"Tone(place={self[0]}, alter={self[1]}, how='{self[2]}')"

    def raised(self, octaves: int) -> Tone:
        """The tone moved by whole octaves."""
        return Tone(self[0] + 7 * octaves, self[1], self[2])


def manners(alter: int, by_signature: int, carry: bool) -> tuple[str, ...]:
    """How an alteration can be written under a signature."""
    if alter == by_signature:
        return (PLAIN,)
    return (PRINTED, CARRIED) if carry else (PRINTED,)


def misread(tone: Tone, by_signature: int, step: str) -> int:
    """The alteration that a reader gets who skips one kind of step."""
    _, alter, how = tone
    if step == "signature":
        return 0 if how == PLAIN else alter
    if step == "accidental" or (step == "carry" and how == CARRIED):
        return by_signature
    if step == "cancel" and how != PLAIN and alter == 0:
        return by_signature
    if step == "double" and abs(alter) == 2:
        return alter // 2
    return alter


def matters(step: str, tones: Sequence[Tone], fifths: int, answer: object, solve: object) -> bool:
    """Whether ``solve`` of the alterations misread differs from ``answer``.

    ``step`` may name several kinds, divided by bars: one of them has to matter.
    """
    alters = signature(fifths)
    whole = tuple([tone[1] for tone in tones])
    for kind in step.split("|"):
        read = tuple([misread(tone, alters[tone[0] % 7], kind) for tone in tones])
        if read != whole and solve(read) != answer:  # type: ignore[operator]
            return True
    return False


def written_words(tone: Tone) -> str:
    """The note and the sign before it, if any, whatever the signature: ``"F 4 with a sharp"``."""
    _, alter, how = tone
    where = {PLAIN: "", PRINTED: " with a ", CARRIED: " under an earlier "}[how]
    sign = ALTERATIONS[alter] if where else ""
    return f"{LETTERS[tone.place % 7]} {tone.place // 7}{where}{sign}"


@cache
def note(place: int, sign: int | None = None) -> Note:
    """A written note at an absolute place."""
    return Note(LETTERS[place % 7], place // 7, sign)


@cache
def quarter(place: int, sign: int | None = None) -> Event:
    """A quarter note that bears no mark."""
    return Event((note(place, sign),), QUARTER)


@cache
def accented(place: int, sign: int | None = None) -> Event:
    """An accented quarter note."""
    return Event((note(place, sign),), QUARTER, accent=True)


def clefs(level: int) -> tuple[str, ...]:
    """The clefs of a level."""
    return _CLEFS.get(level, _ALL_CLEFS)


def onto(clef: str, low: int, high: int, level: int, draw: Draw) -> int:
    """By how many octaves to move places so that they fit the staff of a clef."""
    middle = _MIDDLE_LINE[clef]
    # Steps beyond the middle line: 4 is the staff itself, 6 the first ledger line.
    reach = 5 if level < 3 else 8
    while True:
        first = -(-(middle - reach - low) // 7)
        last = (middle + reach - high) // 7
        if first <= last:
            return first + draw.below(last - first + 1)
        reach += 1


def on_staff(low: int, high: int, level: int, draw: Draw) -> tuple[str, int]:
    """A clef, and by how many octaves to move places so that they fit its staff."""
    clef = draw.choice(clefs(level))
    return clef, onto(clef, low, high, level, draw)


def clef_for(place: int, level: int, draw: Draw) -> str:
    """A clef on whose staff an absolute place is not far from the middle."""
    known = clefs(level)
    near = [clef for clef in known if abs(place - _MIDDLE_LINE[clef]) <= (5 if level < 3 else 8)]
    if near:
        return draw.choice(near)
    return min(_ALL_CLEFS, key=lambda clef: abs(place - _MIDDLE_LINE[clef]))


def bar_around(
    marked: Iterable[Sequence[Tone]],
    extra: int,
    clef: str,
    draw: Draw,
    above: str | None = None,
) -> tuple[Event, ...]:
    """One bar of quarter notes: the accented events, their givers, and ``extra`` others.

    Each of ``marked`` is a note or a chord (tones from low to high); a word ``above``
    stands over the first. The others are notes that the signature alone decides, on letters that
    no marked tone has.
    """
    events: list[Event] = []
    taken: set[int] = set()
    word = above
    below = draw.below
    for tones in marked:
        notes = []
        for tone in tones:
            place, alter, how = tone
            taken.add(place % 7)
            notes.append(note(place, alter if how == PRINTED else None))
            if how == CARRIED:
                events.insert(below(len(events) + 1), quarter(place, alter))
        events.append(Event(tuple(notes), QUARTER, 0, 0, False, True, word))
        word = None
    middle = _MIDDLE_LINE[clef]
    free = [place for place in range(middle - 4, middle + 5) if place % 7 not in taken]
    for place in draw.sample(free, min(extra, len(free))):
        events.insert(below(len(events) + 1), quarter(place))
    return tuple(events)


@cache
def staff_places(clef: str) -> tuple[int, ...]:
    """The places from a step below the staff to a step above it."""
    middle = _MIDDLE_LINE[clef]
    return tuple(range(middle - 5, middle + 6))
