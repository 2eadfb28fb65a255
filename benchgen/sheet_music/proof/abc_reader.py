"""A strict reader of the ABC dialect that ``docs/sheet_music.md`` prints.

It reads what is written, not what it means: signs stay signs. Whatever lies
outside the dialect is a fault, even where ABC at large would allow it, so that
nothing rests on how some other reader might take it.
"""

from __future__ import annotations

import re
from fractions import Fraction

from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.written import (
    CLEFS,
    MOST_DOTS,
    VALUES,
    Written,
    WrittenBar,
    WrittenEvent,
    WrittenNote,
)

_TONICS_BY_FIFTHS = (
    "Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#",
)  # fmt: skip
_FIFTHS = {f"{tonic} major": place - 7 for place, tonic in enumerate(_TONICS_BY_FIFTHS)}
_SIGNS = {"": None, "^": 1, "_": -1, "=": 0, "^^": 2, "__": -2}
_EIGHTH = Fraction(1, 8)

_METER = re.compile(r"M:(?:(none)|([1-9][0-9]?)/(1|2|4|8|16))")
_KEY = re.compile(r"K:([A-G][#b]? major) clef=([a-z]+)")
_NOTE = r"(?:\^\^|__|\^|_|=)?(?:[A-G],*|[a-g]'*)"
_EVENT = re.compile(
    r"(?P<tuplet>\(3:2:3)?"
    r'(?:"\^(?P<above>[a-z][a-z -]*)")?'
    r"(?P<accent>!accent!)?"
    rf"(?:(?P<rest>z)|(?P<note>{_NOTE})|\[(?P<chord>(?:{_NOTE}){{2,}})\])"
    r"(?P<length>[0-9]*(?:/[0-9]+)?)"
)
_NOTE_PARTS = re.compile(r"(\^\^|__|\^|_|=)?([A-Ga-g])([,']*)")


def read_abc(text: str) -> Written:
    """What the ABC text writes.

    Raises
    ------
    Fault
        The text is not in the dialect.
    """
    lines = text.rstrip("\n").split("\n")
    if len(lines) != 5:
        raise Fault(f"four header lines and one of music expected, not {len(lines)} lines")
    number, meter_line, length_line, key_line, body = lines
    if number != "X:1":
        raise Fault(f"first line is {number!r}, not X:1")
    if length_line != "L:1/8":
        raise Fault(f"third line is {length_line!r}, not L:1/8")
    meter = _METER.fullmatch(meter_line)
    if meter is None:
        raise Fault(f"no meter line: {meter_line!r}")
    key = _KEY.fullmatch(key_line)
    if key is None or key[1] not in _FIFTHS or key[2] not in CLEFS:
        raise Fault(f"no key line: {key_line!r}")
    return Written(
        clef=key[2],
        fifths=_FIFTHS[key[1]],
        meter=None if meter[1] else (int(meter[2]), int(meter[3])),
        bars=_read_bars(body),
    )


def _read_bars(body: str) -> tuple[WrittenBar, ...]:
    if not body.endswith(" |]"):
        raise Fault("the music does not end in ' |]'")
    return tuple(_read_bar(bar) for bar in body.removesuffix(" |]").split(" | "))


def _read_bar(bar: str) -> WrittenBar:
    """One bar: events with one space between them, or none where they are beamed."""
    events: list[WrittenEvent] = []
    place = left = 0
    while place < len(bar):
        match = _EVENT.match(bar, place)
        if match is None:
            raise Fault(f"cannot read {bar[place:]!r} in bar {bar!r}")
        if match["tuplet"]:
            if left:
                raise Fault(f"a tuplet begins inside another in bar {bar!r}")
            left = 3
        place = match.end()
        beam = place < len(bar) and bar[place] != " "
        events.append(_read_event(match, 3 if left else 0, beam))
        left = max(0, left - 1)
        if place < len(bar) and not beam:
            place += 1
            if place == len(bar):
                raise Fault(f"a space ends bar {bar!r}")
    if not events:
        raise Fault("an empty bar")
    if left:
        raise Fault(f"a tuplet is cut short in bar {bar!r}")
    _check_beams(events, bar)
    _check_tuplets(events, bar)
    return tuple(events)


def _read_event(match: re.Match[str], tuplet: int, beam: bool) -> WrittenEvent:
    notes = tuple(_read_note(*parts) for parts in _NOTE_PARTS.findall(_noted(match)))
    steps = [note.step for note in notes]
    if any(high <= low for low, high in zip(steps, steps[1:], strict=False)):
        raise Fault(f"chord {match['chord']!r} does not rise")
    if match["rest"] and match["accent"]:
        raise Fault("an accented rest")
    value, dots = _read_length(match["length"])
    return WrittenEvent(
        notes=notes,
        value=value,
        dots=dots,
        tuplet=tuplet,
        beam=beam,
        accent=match["accent"] is not None,
        above=match["above"],
    )


def _noted(match: re.Match[str]) -> str:
    return match["note"] or match["chord"] or ""


def _read_note(sign: str, letter: str, marks: str) -> WrittenNote:
    octave = (5 if letter.islower() else 4) + marks.count("'") - marks.count(",")
    return WrittenNote(letter.upper(), octave, _SIGNS[sign])


def _read_length(text: str) -> tuple[int, int]:
    """(value, dots) of a length in eighths, written in its shortest form."""
    above, slash, below = text.partition("/")
    try:
        eighths = Fraction(int(above or 1), int(below) if slash else 1)
    except ZeroDivisionError:
        raise Fault(f"length {text!r} divides by zero") from None
    if text != _shortest(eighths):
        raise Fault(f"length {text!r} is not in its shortest form")
    for value in VALUES:
        for dots in range(MOST_DOTS + 1):
            if eighths * _EIGHTH == Fraction(2 ** (dots + 1) - 1, value * 2**dots):
                return value, dots
    raise Fault(f"no note lasts {eighths} eighths")


def _shortest(eighths: Fraction) -> str:
    above = "" if eighths.numerator == 1 else str(eighths.numerator)
    return above if eighths.denominator == 1 else f"{above}/{eighths.denominator}"


def _check_beams(events: list[WrittenEvent], bar: str) -> None:
    for one, other in zip(events, events[1:], strict=False):
        if one.beam and not all(e.notes and e.value >= 8 for e in (one, other)):
            raise Fault(f"what cannot be beamed stands without a space in bar {bar!r}")


def _check_tuplets(events: list[WrittenEvent], bar: str) -> None:
    triplets = [event for event in events if event.tuplet]
    for place in range(0, len(triplets), 3):
        if len({(e.value, e.dots) for e in triplets[place : place + 3]}) != 1:
            raise Fault(f"a tuplet of unequal notes in bar {bar!r}")
