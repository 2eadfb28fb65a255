"""Reading an engraved picture back from its shapes: what is on the staff, and where.

Every note, rest, sign, dot, flag, beam, accent, tuplet and word is found by its
glyph and its place; which event a shape belongs to follows from where it
stands. A shape that belongs to nothing is a fault, as is a note that lacks what
it needs to be read (a stem, a ledger line), so that nothing can be missing,
moved or left over unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchgen.sheet_music.proof.drawing import read_drawing
from benchgen.sheet_music.proof.events import SystemReading
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.written import Written, differences, written_from_json


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture shows; ``bars_in_systems`` counts the bars of each line."""

    written: Written
    bars_in_systems: tuple[int, ...]
    bar_numbers: tuple[str | None, ...]
    """The number printed at the left of each bar, or None."""


def compare_with_score(svg: str, score_json: Mapping[str, Any]) -> list[str]:
    """Every difference between an engraved picture and the stored score, one line each."""
    try:
        picture = read_picture(svg)
        return picture_differences(picture, score_json)
    except Fault as fault:
        return [str(fault)]


def picture_differences(picture: Picture, score_json: Mapping[str, Any]) -> list[str]:
    """The same for a picture that has been read already."""
    expected = written_from_json(score_json)
    lines = differences(picture.written, expected)
    whole, left = divmod(len(expected.bars), int(score_json["bars_per_system"]))
    layout = (score_json["bars_per_system"],) * whole + ((left,) if left else ())
    if picture.bars_in_systems != layout:
        lines.append(f"systems of {picture.bars_in_systems} bars, not {layout}")
    numbers = tuple(str(n) for n in range(1, len(expected.bars) + 1))
    if len(numbers) > 1 and picture.bar_numbers != numbers:
        lines.append(f"bars are numbered {picture.bar_numbers}")
    return lines


def read_picture(svg: str) -> Picture:
    """What an engraved SVG shows.

    Raises
    ------
    Fault
        It cannot be read, or holds a shape that belongs to nothing.
    """
    systems = [SystemReading(system) for system in read_drawing(svg)]
    first, last = systems[0], systems[-1]
    for system in systems:
        if system.staff.closed != (system is last):
            raise Fault("the closing bar line is not at the end, or not there alone")
        if (system.opening.clef, system.opening.fifths) != (
            first.opening.clef,
            first.opening.fifths,
        ):
            raise Fault("systems under different clefs or signatures")
        if system is not first and system.opening.meter is not None:
            raise Fault("a meter after the first system")
    bars = [bar for system in systems for bar in system.bars()]
    numbers = [number for system in systems for number in system.numbers]
    written = Written(
        clef=first.opening.clef,
        fifths=first.opening.fifths,
        meter=first.opening.meter,
        bars=tuple(bars),
    )
    return Picture(written, tuple(len(s.staff.edges) - 1 for s in systems), tuple(numbers))
