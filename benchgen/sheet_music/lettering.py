"""Words and numbers as outlines, so that no picture depends on a system's fonts.

Conventions
-----------
* The one face is Liberation Serif, regular, taken from the data that the
  engraver's package carries; its widths are those by which the engraver spaces
  its text.
* Outlines and widths are in the face's own units, with y upwards and the
  baseline at 0; ``units_per_em`` units make one font size.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO

from fontTools.misc.transform import Identity
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont

_FACE = re.compile(
    r"base64,([A-Za-z0-9+/=]+)[^}]*?font-weight:\s*normal;\s*font-style:\s*normal", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Lettering:
    """One line of text: an SVG path (``d``) and its advance width."""

    path: str
    width: int


@cache
def _face() -> TTFont:
    css = files("verovio").joinpath("data", "Liberation.css").read_text(encoding="ascii")
    found = _FACE.search(css)
    if found is None:
        raise RuntimeError("the engraver's package holds no upright Liberation Serif")
    return TTFont(BytesIO(base64.b64decode(found[1])))


@cache
def units_per_em() -> int:
    """Font units in one font size."""
    units: int = _face()["head"].unitsPerEm
    return units


@lru_cache(maxsize=1024)
def letter(text: str) -> Lettering:
    """The outlines of ``text`` on one baseline, beginning at x = 0.

    Raises
    ------
    ValueError
        The face has no glyph for a character.
    """
    face = _face()
    names = face.getBestCmap()
    glyphs = face.getGlyphSet()
    pen = SVGPathPen(glyphs)
    x = 0
    for character in text:
        name = names.get(ord(character))
        if name is None:
            raise ValueError(f"no glyph for {character!r}")
        glyphs[name].draw(TransformPen(pen, Identity.translate(x)))
        x += glyphs[name].width
    return Lettering(pen.getCommands(), x)
