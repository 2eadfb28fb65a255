"""How pictures of training look, and how their bytes are made.

Conventions
-----------
* Sizes are pixels of a page, 96 to the inch; an SVG has 72 units to the inch.
* The same figures give the same bytes under one version of matplotlib. Letters are outlines, so
  that no font is needed and none moves them.
* Names are untrusted: matplotlib escapes them, and none is read as a formula.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchgen.errors import InputError

FORMS = (".svg", ".png")
PAPER, INK, SOFT, RULE = "#fffefb", "#1d1b17", "#655f54", "#e2dccf"
COLOURS = ("#1b6475", "#b4552d", "#7b4aa0", "#9a6d00", "#2c7a4b", "#8b8375")


def check_drawing() -> None:
    """Whether pictures can be drawn here.

    Raises
    ------
    InputError
        matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError("curves are drawn by matplotlib: pip install matplotlib") from None


@contextmanager
def look() -> Iterator[None]:
    """Matplotlib's settings while a picture is made."""
    from matplotlib import rc_context

    style = {
        "svg.hashsalt": "benchgen", "svg.fonttype": "path", "text.parse_math": False,
        "font.family": "DejaVu Sans", "font.size": 8, "text.color": INK,
        "axes.edgecolor": RULE, "axes.labelcolor": SOFT, "axes.axisbelow": True,
        "xtick.color": RULE, "ytick.color": RULE, "xtick.labelcolor": SOFT,
        "ytick.labelcolor": SOFT, "grid.color": RULE, "grid.linewidth": 0.6,
        "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "legend.fontsize": 7.5,
    }  # fmt: skip
    with rc_context(style), warnings.catch_warnings():
        # A name in letters that the font lacks shows boxes in their place.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def page(width: float, height: float) -> Any:
    """An empty picture of so many pixels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 96, height / 96), facecolor=PAPER, dpi=96)


def plain(axes: Any) -> None:
    """Leave of axes the horizontal lines and the one below."""
    axes.set_facecolor(PAPER)
    axes.grid(axis="y")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def form_of(out: Path) -> str:
    """``svg`` or ``png``, by a file's name.

    Raises
    ------
    InputError
        It is neither.
    """
    if out.suffix not in FORMS:
        raise InputError(f"curves are drawn as {' or '.join(FORMS)}, not {out.name!r}")
    return out.suffix[1:]


def picture_bytes(figure: Any, form: str, title: str) -> bytes:
    """The picture as an SVG, or as a PNG of twice its pixels."""
    metadata = {
        "svg": {"Date": None, "Creator": "benchgen", "Title": title},
        "png": {"Software": "benchgen"},
    }[form]
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, metadata=metadata, dpi=192 if form == "png" else 72)
    return buffer.getvalue()
