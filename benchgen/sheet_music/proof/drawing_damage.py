"""Drawings with one shape altered: what ``mutate`` does to engraved pictures.

Each alteration takes the root of an SVG, damages it in place and tells whether it
found anything to damage. A moved glyph goes to the next staff position (a clef
to the next line), an exchanged one is drawn as the font draws it, so that only
reading the picture can tell.
"""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping

from benchgen.sheet_music.proof.outlines import glyph_outline, words_outline

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"
_SIGN_CODES = ("E260", "E261", "E262", "E263", "E264")
_STEP = 80
"""Half a staff space in the units of the drawing, where the scale of glyphs is 0.64."""

Tree = ElementTree.Element


def damaged_drawings(svg: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Every kind of damage that the drawing admits, by name, each once at a place drawn."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    for name, damage in _DRAWN.items():
        root = ElementTree.fromstring(svg)
        if damage(root, rng):
            yield name, ElementTree.tostring(root, encoding="unicode")


def _pairs(root: Tree, fits: Callable[[Tree], bool]) -> list[tuple[Tree, Tree]]:
    """(parent, child) of every drawn element that fits; definitions are left out."""
    return [
        (parent, child)
        for top in root
        if not top.tag.endswith("defs")
        for parent in top.iter()
        for child in parent
        if fits(child)
    ]


def _code(element: Tree) -> str:
    return element.get(_HREF, "").removeprefix("#").partition("-")[0]


def _glyphs(root: Tree, *codes: str, under: str | None = None) -> list[tuple[Tree, Tree]]:
    return [
        (parent, use)
        for parent, use in _pairs(root, lambda e: e.tag.endswith("}use") and _code(e) in codes)
        if under is None or parent.get("class") == under
    ]


def _remove(found: list[tuple[Tree, Tree]], rng: random.Random) -> bool:
    if found:
        parent, child = rng.choice(found)
        parent.remove(child)
    return bool(found)


def _shift(found: list[tuple[Tree, Tree]], rng: random.Random, steps: int = 1) -> bool:
    """Move one glyph up or down by that many staff positions."""
    if not found:
        return False
    _, use = rng.choice(found)
    move = f"translate(0, {rng.choice([-1, 1]) * steps * _STEP})"
    use.set("transform", f"{move} {use.get('transform')}")
    return True


def _exchange(root: Tree, found: list[tuple[Tree, Tree]], codes: tuple[str, ...],
              rng: random.Random) -> bool:  # fmt: skip
    """Draw another glyph of ``codes`` in the place of one."""
    if not found:
        return False
    _, use = rng.choice(found)
    code = rng.choice([c for c in codes if c != _code(use)])
    use.set(_HREF, "#" + _define(root, code))
    return True


def _define(root: Tree, code: str) -> str:
    """The id of a definition of the glyph, added to the drawing."""
    name = f"{code}-mutant"
    group = ElementTree.SubElement(
        next(e for e in root if e.tag.endswith("defs")), f"{{{_SVG}}}g", {"id": name}
    )
    path = {"transform": "scale(1,-1)", "d": glyph_outline(code)}
    ElementTree.SubElement(group, f"{{{_SVG}}}path", path)
    return name


_HEADS = ("E0A2", "E0A3", "E0A4")
_RESTS = ("E4E3", "E4E4", "E4E5", "E4E6", "E4E7")
_FLAGS = ("E240", "E241", "E242", "E243")
_CLEF_PLACES = {"E050": 2, "E062": 6, "E05C": 4}
_DIGITS = tuple(f"E08{digit}" for digit in range(10))


def _swap_clef(root: Tree, rng: random.Random) -> bool:
    """Another clef on its own line, on every system."""
    found = _glyphs(root, *_CLEF_PLACES)
    old = _code(found[0][1])
    new = rng.choice([code for code in _CLEF_PLACES if code != old])
    name = _define(root, new)
    for parent, use in found:
        lines = _clef_steps(root, parent, use)
        move = f"translate(0, {(lines - _CLEF_PLACES[new]) * _STEP})"
        use.set(_HREF, f"#{name}")
        use.set("transform", f"{move} {use.get('transform')}")
    return True


def _clef_steps(root: Tree, parent: Tree, use: Tree) -> int:
    """The staff position at which a clef stands: its class's, a tenor's being 6."""
    if _code(use) != "E05C":
        return _CLEF_PLACES[_code(use)]
    staff = next(e for e in root.iter() if parent in list(e))
    heights = sorted(
        float(path.get("d", "").split()[1]) for path in staff if path.tag.endswith("}path")
    )
    y = float(use.get("transform", "").split("(")[1].split(")")[0].split(",")[1])
    return round((heights[-1] - y) / _STEP)


def _strokes(root: Tree, *classes: str) -> list[tuple[Tree, Tree]]:
    return [
        (parent, path)
        for parent, path in _pairs(root, lambda e: e.tag.endswith("}path"))
        if parent.get("class", "").split(" ")[0] in classes
    ]


def _tagged(root: Tree, tag: str) -> list[tuple[Tree, Tree]]:
    return _pairs(root, lambda e: e.tag.endswith("}" + tag))


def _classed(root: Tree, *classes: str) -> list[tuple[Tree, Tree]]:
    return _pairs(root, lambda e: e.get("class") in classes)


def _rewrite_words(root: Tree, rng: random.Random) -> bool:
    """Other words, drawn as they are said to be."""
    found = [e for _, e in _classed(root, "text")]
    if not found:
        return False
    text = rng.choice(found)
    words = _other_words(text)
    text.set("data-text", words)
    for path in text:
        path.set("d", words_outline(words).path)
    return True


def _mislabel_words(root: Tree, rng: random.Random) -> bool:
    """Words that are not what is drawn."""
    found = [e for _, e in _classed(root, "text")]
    if found:
        text = rng.choice(found)
        text.set("data-text", _other_words(text))
    return bool(found)


def _other_words(text: Tree) -> str:
    old = text.get("data-text", "")
    return ("9" if old != "9" else "8") if old.isdigit() else f"not {old}"


def _mislabel_glyph(root: Tree, rng: random.Random) -> bool:
    """A definition that draws another glyph than its id says."""
    definitions = [e for top in root if top.tag.endswith("defs") for e in top]
    definition = rng.choice(definitions)
    code = definition.get("id", "").partition("-")[0]
    other = "E0A3" if code == "E0A4" else "E0A4"
    definition[0].set("d", glyph_outline(other))
    return True


_DRAWN: Mapping[str, Callable[[Tree, random.Random], bool]] = {
    "a note head moved": lambda root, rng: _shift(_glyphs(root, *_HEADS), rng),
    "a note head missing": lambda root, rng: _remove(_glyphs(root, *_HEADS), rng),
    "another note head": lambda root, rng: _exchange(root, _glyphs(root, *_HEADS), _HEADS, rng),
    "an accidental moved": lambda root, rng: _shift(
        _glyphs(root, *_SIGN_CODES, under="accid"), rng
    ),
    "an accidental missing": lambda root, rng: _remove(
        _glyphs(root, *_SIGN_CODES, under="accid"), rng
    ),
    "another accidental": lambda root, rng: _exchange(
        root, _glyphs(root, *_SIGN_CODES, under="accid"), _SIGN_CODES, rng
    ),
    "a signature sign moved": lambda root, rng: _shift(
        _glyphs(root, *_SIGN_CODES, under="keyAccid"), rng
    ),
    "a signature sign missing": lambda root, rng: _remove(
        _glyphs(root, *_SIGN_CODES, under="keyAccid"), rng
    ),
    "another signature sign": lambda root, rng: _exchange(
        root, _glyphs(root, *_SIGN_CODES, under="keyAccid"), _SIGN_CODES, rng
    ),
    "a clef on another line": lambda root, rng: _shift(_glyphs(root, *_CLEF_PLACES), rng, 2),
    "a clef missing": lambda root, rng: _remove(_glyphs(root, *_CLEF_PLACES), rng),
    "another clef": _swap_clef,
    "a meter digit missing": lambda root, rng: _remove(_glyphs(root, *_DIGITS), rng),
    "another meter digit": lambda root, rng: _exchange(root, _glyphs(root, *_DIGITS), _DIGITS, rng),
    "a rest missing": lambda root, rng: _remove(_glyphs(root, *_RESTS), rng),
    "another rest": lambda root, rng: _exchange(root, _glyphs(root, *_RESTS), _RESTS, rng),
    "a dot missing": lambda root, rng: _remove(_tagged(root, "ellipse"), rng),
    "a flag missing": lambda root, rng: _remove(_glyphs(root, *_FLAGS), rng),
    "another flag": lambda root, rng: _exchange(root, _glyphs(root, *_FLAGS), _FLAGS, rng),
    "a beam missing": lambda root, rng: _remove(_tagged(root, "polygon"), rng),
    "an accent missing": lambda root, rng: _remove(_glyphs(root, "E4A0", "E4A1"), rng),
    "a tuplet number missing": lambda root, rng: _remove(_glyphs(root, "E883"), rng),
    "a bracket missing": lambda root, rng: _remove(_classed(root, "tupletBracket"), rng),
    "a stem missing": lambda root, rng: _remove(_strokes(root, "stem"), rng),
    "a bar line missing": lambda root, rng: _remove(_strokes(root, "barLine"), rng),
    "a staff line missing": lambda root, rng: _remove(_strokes(root, "staff"), rng),
    "a ledger line missing": lambda root, rng: _remove(_strokes(root, "ledgerLines"), rng),
    "words missing": lambda root, rng: _remove(_classed(root, "text"), rng),
    "other words": _rewrite_words,
    "words mislabelled": _mislabel_words,
    "a glyph mislabelled": _mislabel_glyph,
}
