"""``meter`` and ``bar_lines``: lengths that must add up.

Where careful musicians might part on a meter, the item is at fault: each meter
is judged by the strictest reading of the printed rule and by the most lenient,
and the two must agree. They differ in one thing: what begins on a beat and
lasts longer than it. The strict reading lets it end only where a beat ends, the
lenient one anywhere (a dotted quarter on the beat in 3/4), save that in 6/8, 9/8
and 12/8 it too wants whole dotted quarters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

from benchgen.sheet_music.proof import music21_witness
from benchgen.sheet_music.proof.definitions import beat_patterns
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.written import Written, WrittenBar

_METER_QUESTION = (
    "Which meter are these bars written in? Every bar is full, and the beams follow the meter."
)
_BARS_QUESTION = (
    "After which notes do the bar lines fall? Every bar is full, the last one too, and no note "
    "is held over a bar line."
)
_METER = re.compile(r"([1-9][0-9]?)/([1-9][0-9]?)")
_BARRING = re.compile(r"after (?:note [0-9]+|notes (?:[0-9]+, )*[0-9]+ and [0-9]+)")
_ALWAYS_WHOLE = ((6, 8), (9, 8), (12, 8))


def judge_meter(question: str, options: Sequence[str], written: Written) -> list[bool]:
    """Right is a meter that every bar fills and whose beats no note or beam offends."""
    if question != _METER_QUESTION:
        raise Fault(f"not the question of this class: {question!r}")
    if written.meter is not None:
        raise Fault("the meter that is asked for is printed")
    verdicts = []
    for option in options:
        match = _METER.fullmatch(option)
        if match is None:
            raise Fault(f"no meter: {option!r}")
        meter = int(match[1]), int(match[2])
        patterns = beat_patterns(meter)
        if not patterns:
            raise Fault(f"no meter of the printed list: {option!r}")
        if music21_witness.bar_length(meter) != sum(patterns[0]):
            raise Fault(f"music21 measures a bar of {option} in another way")
        strict, lenient = (
            any(
                all(_obeys(bar, beats, strict or meter in _ALWAYS_WHOLE) for bar in written.bars)
                for beats in patterns
            )
            for strict in (True, False)
        )
        if strict != lenient:
            raise Fault(f"whether the bars are in {option} can be disputed")
        verdicts.append(strict)
    return verdicts


def _obeys(bar: WrittenBar, beats: tuple[Fraction, ...], strict: bool) -> bool:
    """Whether one bar sums to its beats and keeps them."""
    edges = list(accumulate(beats, initial=Fraction(0)))
    starts = list(accumulate((event.duration for event in bar), initial=Fraction(0)))
    if starts[-1] != edges[-1]:
        return False
    for place, event in enumerate(bar):
        start, end = starts[place], starts[place + 1]
        beat_end = min(edge for edge in edges if edge > start)
        if end > beat_end and (start not in edges or (strict and end not in edges)):
            return False
        if event.beam and starts[place + 1] >= beat_end:
            return False
    return True


def judge_bar_lines(question: str, options: Sequence[str], written: Written) -> list[bool]:
    """Right is a barring that makes every bar as long as the meter printed."""
    if question != _BARS_QUESTION:
        raise Fault(f"not the question of this class: {question!r}")
    if written.meter is None or len(written.bars) != 1:
        raise Fault("a meter and no bar line should be printed")
    (notes,) = written.bars
    if any(not event.notes for event in notes):
        raise Fault("a rest among the notes to be counted")
    if not beat_patterns(written.meter):
        raise Fault(f"no meter of the printed list: {written.meter}")
    full = Fraction(*written.meter)
    if full != music21_witness.bar_length(written.meter):
        raise Fault(f"music21 measures a bar of {written.meter} in another way")
    verdicts = []
    for option in options:
        if not _BARRING.fullmatch(option):
            raise Fault(f"no barring: {option!r}")
        lines = [int(number) for number in re.findall(r"[0-9]+", option)]
        cuts = [0, *lines, len(notes)]
        if any(high <= low for low, high in zip(cuts, cuts[1:], strict=False)):
            raise Fault(f"lines that do not rise, or fall outside the score: {option!r}")
        verdicts.append(
            all(
                sum((event.duration for event in notes[low:high]), Fraction(0)) == full
                for low, high in zip(cuts, cuts[1:], strict=False)
            )
        )
    return verdicts
