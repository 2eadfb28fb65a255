"""ABC text, in the dialect that docs/sheet_music.md prints.

Conventions
-----------
* ``L:1/8`` always; the mode of ``K:`` and the clef are always explicit; ``M:none``
  where no meter is printed.
* A space breaks a beam; nothing else does.
"""

from __future__ import annotations

from functools import cache, lru_cache

from benchgen.sheet_music.score import Bar, Event, Score
from benchgen.sheet_music.theory.pitch import LETTERS
from benchgen.sheet_music.theory.scale import tonic_of

_SIGNS = {None: "", -2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}


@cache
def _key(fifths: int, clef: str) -> str:
    step, alter = tonic_of(fifths, "major")
    return f"K:{LETTERS[step]}{ {-1: 'b', 0: '', 1: '#'}[alter]} major clef={clef}"


@cache
def _note(letter: str, octave: int, sign: int | None) -> str:
    low, high = "," * (4 - octave), "'" * (octave - 5)
    return _SIGNS[sign] + (letter if octave < 5 else letter.lower()) + low + high


@cache
def _length(value: int, dots: int) -> str:
    # In units of an eighth; a tuplet's notes are written at their face value.
    numerator, denominator = 8 * (2 ** (dots + 1) - 1), value * 2**dots
    while numerator % 2 == 0 and denominator % 2 == 0:
        numerator, denominator = numerator // 2, denominator // 2
    if denominator == 1:
        return "" if numerator == 1 else str(numerator)
    return f"/{denominator}" if numerator == 1 else f"{numerator}/{denominator}"


@lru_cache(maxsize=16384)
def _event(event: Event) -> str:
    """The event, and the space that ends its beam."""
    notes, value, dots, _, beam, accent, above = event
    if not notes:
        body = "z"
    elif len(notes) == 1:
        body = _note(*notes[0])
    else:
        body = "[" + "".join(_note(*note) for note in notes) + "]"
    body += _length(value, dots)
    if accent:
        body = "!accent!" + body
    if above is not None:
        body = f'"^{above}"' + body
    return body if beam else body + " "


def _bar(bar: Bar) -> str:
    out: list[str] = []
    left_in_tuplet = 0
    for event in bar:
        if event[3]:
            if not left_in_tuplet:
                out.append("(3:2:3")
                left_in_tuplet = 3
            left_in_tuplet -= 1
        out.append(_event(event))
    return "".join(out).rstrip()


def write_abc(score: Score) -> str:
    """The score as ABC, one line of music, ending in a newline."""
    meter = "none" if score.meter is None else f"{score.meter[0]}/{score.meter[1]}"
    body = " | ".join([_bar(bar) for bar in score.bars])
    return f"X:1\nM:{meter}\nL:1/8\n{_key(score.fifths, score.clef)}\n{body} |]\n"
