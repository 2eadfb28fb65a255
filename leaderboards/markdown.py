"""Untrusted words in Markdown: in fences that they cannot leave."""

from __future__ import annotations

import re
from collections.abc import Sequence


def code(text: object) -> str:
    """Words as a code span: its fence is longer than any run of backticks in them."""
    words = "".join(c if c.isprintable() else "\ufffd" for c in str(text)).strip() or " "
    fence = _fence(words, 1)
    edge = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{edge}{words}{edge}{fence}"


def block(text: str, language: str = "") -> str:
    """Lines as a code block."""
    lines = ["".join(c if c.isprintable() else "\ufffd" for c in x) for x in text.splitlines()]
    fence = _fence(text, 3)
    return "\n".join([f"{fence}{language}", *lines, fence])


def table(heads: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A table whose cells show their words as they are; the first column is to the left."""
    marks = ["---", *["---:"] * (len(heads) - 1)]
    lines = [[_cell(head) for head in heads], marks, *([_cell(c) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: object) -> str:
    """Every mark that Markdown or HTML knows is escaped: a bar would end a code span here."""
    words = "".join(c if c.isprintable() else "\ufffd" for c in str(text))
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$@])", r"\\\1", words)


def _fence(words: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", words)), default=0)
    return "`" * max(least, 1 + longest)
