"""Words and figures as they stand in a board's tables."""

from __future__ import annotations

import math
import re
from html import escape
from unicodedata import category

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def text(words: str) -> str:
    """Untrusted words as HTML, control characters made visible, those of direction too."""
    return escape(_CONTROLS.sub("\ufffd", words), quote=True)


def named(name: str) -> str:
    """A name, or what stands for one of which nothing would be seen."""
    seen = any(not c.isspace() and category(c) not in ("Cc", "Cf") for c in name)
    return name if seen else "(no name)"


def heading(name: str) -> str:
    """A name of ours as a heading: ``sheet_music`` as ``Sheet music``."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def percent(share: float) -> str:
    """A share as a percentage with one decimal place, halves up as the script rounds them."""
    return f"{math.floor(1000 * share + 0.5) / 10:.1f}"
