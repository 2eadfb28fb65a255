"""The events that carry an accent: what most questions are about."""

from __future__ import annotations

from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.pitches import Pitch, sounding
from benchgen.sheet_music.proof.written import Written, WrittenEvent


def accented(written: Written) -> list[tuple[WrittenEvent, tuple[Pitch, ...]]]:
    """Every accented event with its pitches, in order."""
    return [
        (event, pitches)
        for bar, heard in zip(written.bars, sounding(written), strict=True)
        for event, pitches in zip(bar, heard, strict=True)
        if event.accent
    ]


def accented_notes(written: Written, count: int) -> tuple[Pitch, ...]:
    """The pitches under accents, which must be single notes, ``count`` of them."""
    found = accented(written)
    if len(found) != count or any(len(pitches) != 1 for _, pitches in found):
        raise Fault(f"{len(found)} accents, not {count} on single notes")
    return tuple(pitches[0] for _, pitches in found)


def accented_chord(written: Written) -> tuple[WrittenEvent, tuple[Pitch, ...]]:
    """The one accented event, which must be a chord."""
    found = accented(written)
    if len(found) != 1 or len(found[0][1]) < 2:
        raise Fault(f"{len(found)} accents, not one on a chord")
    return found[0]
