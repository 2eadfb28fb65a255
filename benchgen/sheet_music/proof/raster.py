"""Two rasterisers, one picture: the stored PNG against resvg's drawing of the SVG.

Ink is what is darker than half. Two pictures agree when at least 99.5 % of the ink
of each lies within one pixel (diagonals included) of the other's, and what does not
is scattered: a dot or an accent is less than half a percent of a page, so nowhere
may a square of eight pixels hold more than eight of stray ink.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from benchgen.errors import InputError
from benchgen.sheet_music.proof.fault import Fault

LEAST_AGREEMENT = 0.995
SQUARE, MOST_STRAY = 8, 8
Ink = NDArray[np.bool_]


def raster_faults(stored: bytes, redrawn: bytes, svg: str) -> list[str]:
    """What is wrong with a stored PNG, one line each.

    ``redrawn`` is our rasteriser's PNG of ``svg``, made anew; resvg draws it as well.
    """
    try:
        ink = read_ink(stored)
    except Fault as fault:
        return [f"the stored picture: {fault}"]
    faults = []
    if stored != redrawn:
        faults += _partings("the stored picture", ink, "the one drawn anew", read_ink(redrawn))
    return faults + _partings("the stored picture", ink, "resvg's", read_ink(draw_with_resvg(svg)))


def read_ink(png: bytes) -> Ink:
    """Where a PNG is darker than half: rows by columns."""
    try:
        with Image.open(BytesIO(png), formats=("PNG",)) as image:
            gray = np.asarray(image.convert("L"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise Fault(f"not a PNG: {error}") from error
    return gray < 128


def draw_with_resvg(svg: str) -> bytes:
    """The SVG as a PNG, one pixel a unit of its width."""
    try:
        import resvg
    except ImportError as error:
        raise InputError("verify needs resvg: install the extra benchgen[verify]") from error
    tree = resvg.usvg.Tree.from_str(svg, resvg.usvg.Options.default())
    png: bytes = resvg.render(
        tree, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), bg_size=tree.int_size(), bg_color=(255,) * 4
    )
    return png


def agreement(one: Ink, other: Ink) -> float:
    """The share of ``one``'s ink that lies within a pixel of ``other``'s; 1 for no ink."""
    total = int(one.sum())
    return 1.0 if total == 0 else int((one & _spread(other)).sum()) / total


def stray(one: Ink, other: Ink) -> int:
    """The most of ``one``'s ink in any square that is not within a pixel of ``other``'s."""
    sums = np.pad((one & ~_spread(other)).astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows, columns = (min(SQUARE, extent) for extent in one.shape)
    squares = (
        sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns]
        + sums[:-rows, :-columns]
    )  # fmt: skip
    return int(squares.max())


def _partings(name: str, one: Ink, other_name: str, other: Ink) -> list[str]:
    if one.shape != other.shape:
        return [f"{name} is {one.shape[::-1]} pixels, {other_name} {other.shape[::-1]}"]
    if not one.any():
        return [f"{name} is blank"]
    lines = []
    for mine, theirs, a, b in ((name, other_name, one, other), (other_name, name, other, one)):
        if (share := agreement(a, b)) < LEAST_AGREEMENT:
            lines.append(f"{share:.2%} of the ink of {mine} lies on that of {theirs}")
        if (most := stray(a, b)) > MOST_STRAY:
            lines.append(f"{mine} has a mark of {most} pixels that {theirs} lacks")
    return lines


def _spread(ink: Ink) -> Ink:
    """The ink and every pixel beside it."""
    wide = ink.copy()
    wide[:, 1:] |= ink[:, :-1]
    wide[:, :-1] |= ink[:, 1:]
    spread = wide.copy()
    spread[1:] |= wide[:-1]
    spread[:-1] |= wide[1:]
    return spread
