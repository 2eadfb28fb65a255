"""Meters: what a bar holds and where its beats fall.

Conventions
-----------
* Lengths are fractions of a whole note.
* The beat of a compound meter (6, 9 or 12 over something) is its dotted unit.
* A bar fits a meter when it is full, nothing that begins inside a beat reaches past
  that beat's end, a note longer than a beat lasts whole beats, and every beam
  stays inside one beat.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

Meter = tuple[int, int]


def bar_length(meter: Meter) -> Fraction:
    """The length of a full bar, in whole notes."""
    return Fraction(meter[0], meter[1])


def beat_length(meter: Meter) -> Fraction:
    """The length of a beat, in whole notes."""
    beats, unit = meter
    return Fraction(3, unit) if beats in (6, 9, 12) else Fraction(1, unit)


def fits(events: Iterable[tuple[Fraction, bool]], meter: Meter) -> bool:
    """Whether a bar of (length, beamed to the next) is written in ``meter``."""
    beat = beat_length(meter)
    place = Fraction(0)
    beamed_from_before = False
    for length, beamed in events:
        inside = place % beat
        if inside + length > beat and (inside or length % beat):
            return False
        if beamed_from_before and not inside:
            return False
        place += length
        beamed_from_before = beamed
    return place == bar_length(meter) and not beamed_from_before
