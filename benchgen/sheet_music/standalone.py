"""From Verovio's SVG to one that stands alone.

Conventions
-----------
* Geometry is in tenths of a pixel, y downwards.
* Verovio is asked for millimetres, and so writes every stroke as an attribute and
  no style sheet. What is left to do: one outer element in pixels, a white ground,
  black for the current colour, and outlines for text.
* Verovio keeps words off the notes, but bar numbers neither off words nor off signs
  that reach out over a rest. A bar number that meets one of these moves above it;
  that system and all below it move down by a line (``transform`` on
  ``<g class="system">``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape, unescape

from benchgen.sheet_music.lettering import letter, units_per_em

_SHELL = re.compile(
    r"<svg .*?</desc>(<defs>.*?</defs>)?<svg class=\"definition-scale\"[^>]*"
    r'viewBox="0 0 (\d+) (\d+)">(.*)</svg></svg>\s*',
    re.DOTALL,
)
_SYSTEM = re.compile(r'<g id="\w+" class="system"')
_TEXT = re.compile(
    r'<text(?: x="(-?\d+)")? y="(-?\d+)"( text-anchor="middle")?[^>]*>'
    r'(?:<tspan[^>]*>)*?<tspan font-size="(\d+)px">([^<]*)</tspan>(?:</tspan>)*</text>'
)
_SYMBOL = re.compile(
    r'<use xlink:href="#(E0A[2-4]|E26[0-4])-\w+" transform="translate\((-?\d+), (-?\d+)\)'
)
_REACH = {
    "E0A2": (50, 90, 320, 90),
    "E0A3": (50, 90, 250, 90),
    "E0A4": (50, 90, 250, 90),
    "E260": (0, 300, 160, 120),
    "E261": (0, 240, 140, 240),
    "E262": (0, 240, 190, 240),
    "E263": (0, 100, 180, 100),
    "E264": (0, 300, 290, 120),
}
"""How far heads (with their ledger lines) and signs reach from their origin: to
the left, up, right and down."""
_CLEARANCE = 20
_LINE = 260


@dataclass(frozen=True, slots=True)
class _Box:
    """What something covers."""

    left: float
    top: int
    right: float
    bottom: int

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right + _CLEARANCE
            and other.left < self.right + _CLEARANCE
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True, slots=True)
class _Text:
    """Words or a bar number where they stand: left end, width, baseline, font size."""

    is_number: bool
    words: str
    left: float
    width: float
    baseline: int
    size: int

    @property
    def box(self) -> _Box:
        top, bottom = self.baseline - 7 * self.size // 10, self.baseline + self.size // 8
        return _Box(self.left, top, self.left + self.width, bottom)


def standalone(drawing: str) -> str:
    """The SVG that ``drawing``, as Verovio wrote it, becomes.

    Raises
    ------
    RuntimeError
        Verovio's SVG has another shape than the version we know writes.
    """
    found = _SHELL.fullmatch(drawing)
    if found is None:
        raise RuntimeError("Verovio's SVG has another shape than expected")
    defs, width, height, body = found.groups()
    body = body.replace("currentColor", "#000")
    lowered = 0
    if "<text" in body:
        body, lowered = _outline_texts(body)
    w, h = -(-int(width) // 10), -(-(int(height) + lowered) // 10)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' version="1.1" width="{w}" height="{h}" viewBox="0 0 {w}0 {h}0">'
        f'{defs or ""}<rect width="{w}0" height="{h}0" fill="#fff"/>{body}</svg>'
    )


def _outline_texts(body: str) -> tuple[str, int]:
    """The body with outlines for text, and by how much its last system moved down."""
    heads = list(_SYSTEM.finditer(body))
    ends = [head.start() for head in heads[1:]] + [len(body)]
    parts = [body[: heads[0].start()]] if heads else [body]
    lowered = 0
    for head, end in zip(heads, ends, strict=True):
        found = list(_TEXT.finditer(body, head.end(), end))
        texts = [_read(match) for match in found]
        settled = _clear_numbers(texts, body[head.end() : end])
        if settled != texts:
            lowered += _LINE
        parts.append(head[0])
        if lowered:
            parts.append(f' transform="translate(0, {lowered})"')
        place = head.end()
        for match, text in zip(found, settled, strict=True):
            parts += [body[place : match.start()], _outline(text)]
            place = match.end()
        parts.append(body[place:end])
    return "".join(parts), lowered


def _read(match: re.Match[str]) -> _Text:
    x, y, middle, size, written = match.groups()
    parent = match.string.rfind("<g ", 0, match.start())
    is_number = 'class="mNum' in match.string[parent : match.start()]
    words = unescape(written).strip()
    width = letter(words).width * int(size) / units_per_em()
    left = float(x or 0) - (width / 2 if middle else 0)
    return _Text(is_number, words, left, width, int(y), int(size))


def _clear_numbers(texts: list[_Text], content: str) -> list[_Text]:
    """The texts of a system, each bar number above whatever it met."""
    if not any(text.is_number for text in texts):
        return texts
    boxes = [text.box for text in texts if not text.is_number]
    boxes += [_symbol_box(*found.groups()) for found in _SYMBOL.finditer(content)]
    return [_raised(text, boxes) if text.is_number else text for text in texts]


def _symbol_box(code: str, x: str, y: str) -> _Box:
    left, up, right, down = _REACH[code]
    return _Box(int(x) - left, int(y) - up, int(x) + right, int(y) + down)


def _raised(number: _Text, boxes: Sequence[_Box]) -> _Text:
    while met := [box.top for box in boxes if number.box.meets(box)]:
        number = replace(number, baseline=min(met) - number.size // 8)
    return number


def _outline(text: _Text) -> str:
    scale = text.size / units_per_em()
    return (
        f'<g class="text" data-text="{escape(text.words)}" '
        f'transform="translate({text.left:.1f}, {text.baseline}) scale({scale:.5f}, {-scale:.5f})">'
        f'<path d="{letter(text.words).path}"/></g>'
    )
