"""The second engine of sheet music, written from ``docs/sheet_music.md`` alone.

It shares no code with the generator: it reads the written text and the engraved
shapes with readers of its own, and decides every option by the printed
definitions, with music21 as a witness where that was found sound.
"""

from __future__ import annotations

from benchgen.sheet_music.proof.prove import CHECKS, prove

__all__ = ["CHECKS", "prove"]
