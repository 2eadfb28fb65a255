"""Sheet music: the suite that succeeds SSMR-Bench."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from benchgen.problem import Identity
from benchgen.sheet_music.notation.abc import write_abc
from benchgen.sheet_music.score import score_of
from benchgen.suite import Suite

_WRITERS = {"abc": write_abc}


def render_text(identity: Identity, notation: str) -> str:
    """The score in one notation.

    Raises
    ------
    KeyError
        No such notation.
    """
    return _WRITERS[notation](score_of(identity))


def render_images(identity: Identity) -> tuple[bytes, ...]:
    """The engraved score: one PNG."""
    from benchgen.sheet_music.engrave import render_png

    return (render_png(score_of(identity)),)


@cache
def fingerprint() -> Mapping[str, str]:
    """The libraries that decide the bytes of the pictures."""
    names = ("verovio", "skia-python", "fonttools")
    return {**{name: version(name) for name in names}, "zlib": zlib.ZLIB_RUNTIME_VERSION}


SUITE = Suite(
    name="sheet_music",
    title="Sheet music",
    version="1",
    licence="Apache-2.0",
    about="Scores of one voice, as ABC text and as engraved pictures, and questions whose answers "
    "follow from reading them: intervals, chords, scales and keys, and rhythm.",
    reading="Two scores have one reading where they differ by octaves, by the clef (in which text "
    "sounds the same), by distractor notes, or by how the question and its options are put.",
    modalities=("text", "image"),
    notations=("abc",),
    render_text=render_text,
    render_images=render_images,
    fingerprint=fingerprint,
    prove="benchgen.sheet_music.proof:prove",
)
