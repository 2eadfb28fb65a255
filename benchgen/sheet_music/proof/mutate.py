"""Damage for testing the prover: rows and pictures with one thing wrong.

Every mutation changes what the item means or shows, by construction: a new sign
gives another pitch, a moved glyph another staff position, and so on. So a prover
that accepts a mutant is at fault, and no mutant has to be excused.

Kinds
-----
* ``text:`` the ABC alone is altered, ``identity:`` the stored score alone;
* ``truth:`` text and stored score are altered alike (and the picture left out), so
  that only judging the options can tell;
* ``key:`` answer, target or options are altered;
* ``drawing:`` a shape of the engraved SVG is moved, removed, added or exchanged.
"""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchgen.sheet_music.proof.abc_text import abc_text
from benchgen.sheet_music.proof.outlines import glyph_outline, words_outline
from benchgen.sheet_music.proof.pitches import sounding
from benchgen.sheet_music.proof.words import parse_note
from benchgen.sheet_music.proof.written import (
    CLEFS,
    LETTERS,
    Written,
    WrittenEvent,
    WrittenNote,
    written_from_json,
)

Row = Mapping[str, Any]
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"
_SIGN_CODES = ("E260", "E261", "E262", "E263", "E264")
_METERS = ((2, 4), (3, 4), (4, 4), (6, 8), (9, 8))
_STEP = 80
"""Half a staff space in the units of the drawing, where the scale of glyphs is 0.64."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One damaged item; ``svg`` is None where the picture is not concerned."""

    name: str
    row: Row
    svg: str | None = None


def mutations(row: Row, svg: str | None, rng: random.Random) -> Iterator[Mutation]:
    """Every kind of damage that the row admits, each once, at a place drawn at random."""
    score = json.loads(row["identity"])["score"]
    written = written_from_json(score)
    for name, alter in _WRITTEN.items():
        if (altered := alter(written, rng)) is not None:
            if row["text"] is not None:
                yield Mutation(f"text: {name}", {**row, "text": abc_text(altered)})
            yield Mutation(f"identity: {name}", _with_score(row, altered))
    if row["text"] is not None and (false := _another_truth(row, written, rng)) is not None:
        changed = _with_score(row, false) | {"text": abc_text(false), "image": None}
        yield Mutation("truth: what the answer rests on altered", changed)
    yield from _wrong_keys(row, rng)
    if svg is not None:
        yield from _damaged_drawings(row, svg, rng)


def _with_score(row: Row, written: Written) -> dict[str, Any]:
    identity = json.loads(row["identity"])
    identity["score"] |= {
        "clef": written.clef,
        "fifths": written.fifths,
        "meter": None if written.meter is None else list(written.meter),
        "bars": [[_event_json(event) for event in bar] for bar in written.bars],
    }
    return {**row, "identity": json.dumps(identity)}


def _event_json(event: WrittenEvent) -> dict[str, Any]:
    record: dict[str, Any] = {
        "notes": [[n.letter, n.octave, n.sign] for n in event.notes],
        "value": event.value,
        "dots": event.dots,
        "tuplet": event.tuplet,
        "beam": event.beam,
        "accent": event.accent,
    }
    return record if event.above is None else record | {"above": event.above}


# What is written, altered in one place: None where the score has no such place.


def _places(
    written: Written, fits: Callable[[WrittenEvent], bool] = lambda event: True
) -> list[tuple[int, int]]:
    return [
        (b, e)
        for b, bar in enumerate(written.bars)
        for e, event in enumerate(bar)
        if fits(event)
    ]


def _put(written: Written, place: tuple[int, int], *events: WrittenEvent) -> Written:
    b, e = place
    bar = written.bars[b]
    bars = [*written.bars]
    bars[b] = (*bar[:e], *events, *bar[e + 1 :])
    return replace(written, bars=tuple(bars))


def _event_at(written: Written, place: tuple[int, int]) -> WrittenEvent:
    return written.bars[place[0]][place[1]]


def _one_note(
    written: Written,
    rng: random.Random,
    alter: Callable[[WrittenNote, int], WrittenNote],
    *,
    single: bool = False,
) -> Written | None:
    """Replace one note (of a single-note event, if ``single``) by ``alter(note, pitch's sign)``."""
    places = _places(written, lambda e: len(e.notes) == 1 if single else bool(e.notes))
    if not places:
        return None
    place = rng.choice(places)
    event = _event_at(written, place)
    number = rng.randrange(len(event.notes))
    heard = sounding(written)[place[0]][place[1]][number]
    notes = [*event.notes]
    notes[number] = alter(notes[number], heard.alter)
    return _put(written, place, replace(event, notes=tuple(notes)))


def _sign(written: Written, rng: random.Random) -> Written | None:
    def alter(note: WrittenNote, heard: int) -> WrittenNote:
        return replace(note, sign=rng.choice([s for s in range(-2, 3) if s != heard]))

    return _one_note(written, rng, alter)


def _letter(written: Written, rng: random.Random) -> Written | None:
    def alter(note: WrittenNote, heard: int) -> WrittenNote:
        return replace(note, letter=rng.choice([x for x in LETTERS if x != note.letter]))

    return _one_note(written, rng, alter, single=True)


def _octave(written: Written, rng: random.Random) -> Written | None:
    def alter(note: WrittenNote, heard: int) -> WrittenNote:
        return replace(note, octave=note.octave + rng.choice([-1, 1]))

    return _one_note(written, rng, alter, single=True)


def _value(written: Written, rng: random.Random) -> Written | None:
    """Another value where no beam or tuplet stands against it."""
    bars = written.bars
    places = [
        (b, e)
        for b, e in _places(written, lambda event: not event.tuplet and not event.beam)
        if e == 0 or not bars[b][e - 1].beam
    ]
    if not places:
        return None
    place = rng.choice(places)
    event = _event_at(written, place)
    value = rng.choice([v for v in (1, 2, 4, 8) if v != event.value])
    return _put(written, place, replace(event, value=value))


def _dot(written: Written, rng: random.Random) -> Written | None:
    places = _places(written, lambda e: not e.tuplet and e.value <= 8 and e.dots <= 1)
    if not places:
        return None
    place = rng.choice(places)
    event = _event_at(written, place)
    return _put(written, place, replace(event, dots=1 - event.dots))


def _beam(written: Written, rng: random.Random) -> Written | None:
    places = [
        (b, e)
        for b, e in _places(written)
        if e + 1 < len(written.bars[b])
        and all(event.notes and event.value >= 8 for event in written.bars[b][e : e + 2])
    ]
    if not places:
        return None
    place = rng.choice(places)
    event = _event_at(written, place)
    return _put(written, place, replace(event, beam=not event.beam))


def _accent(written: Written, rng: random.Random) -> Written | None:
    places = _places(written, lambda event: bool(event.notes))
    if not places:
        return None
    place = rng.choice(places)
    event = _event_at(written, place)
    return _put(written, place, replace(event, accent=not event.accent))


def _word(written: Written, rng: random.Random) -> Written | None:
    place = rng.choice(_places(written))
    event = _event_at(written, place)
    word = rng.choice([w for w in ("major", "minor", "major third up") if w != event.above])
    return _put(written, place, replace(event, above=word))


def _rest(written: Written, rng: random.Random) -> Written | None:
    """A note becomes a rest, or a rest a note."""
    places = [
        (b, e)
        for b, e in _places(written, lambda event: not event.beam and not event.tuplet)
        if e == 0 or not written.bars[b][e - 1].beam
    ]
    if not places:
        return None
    place = rng.choice(places)
    event = _event_at(written, place)
    if event.notes:
        return _put(written, place, replace(event, notes=(), accent=False))
    return _put(written, place, replace(event, notes=(WrittenNote("B", 4),)))


def _missing(written: Written, rng: random.Random) -> Written | None:
    places = [
        (b, e)
        for b, e in _places(written, lambda event: not event.beam and not event.tuplet)
        if len(written.bars[b]) > 1 and (e == 0 or not written.bars[b][e - 1].beam)
    ]
    return _put(written, rng.choice(places)) if places else None


def _bar_line(written: Written, rng: random.Random) -> Written | None:
    """A bar line less, or where there is none one more."""
    bars = written.bars
    if len(bars) > 1:
        b = rng.randrange(len(bars) - 1)
        return replace(written, bars=(*bars[:b], bars[b] + bars[b + 1], *bars[b + 2 :]))
    (bar,) = bars
    cuts = [
        e for e in range(1, len(bar)) if not bar[e - 1].beam and not (bar[e - 1].tuplet)
    ]
    if not cuts:
        return None
    cut = rng.choice(cuts)
    return replace(written, bars=(bar[:cut], bar[cut:]))


def _clef(written: Written, rng: random.Random) -> Written:
    return replace(written, clef=rng.choice([c for c in CLEFS if c != written.clef]))


def _signature(written: Written, rng: random.Random) -> Written:
    return replace(written, fifths=rng.choice([f for f in range(-7, 8) if f != written.fifths]))


def _meter(written: Written, rng: random.Random) -> Written:
    return replace(written, meter=rng.choice([m for m in _METERS if m != written.meter]))


_WRITTEN: Mapping[str, Callable[[Written, random.Random], Written | None]] = {
    "an accidental altered": _sign,
    "a note on another letter": _letter,
    "a note in another octave": _octave,
    "a duration altered": _value,
    "a dot more or less": _dot,
    "a beam altered": _beam,
    "an accent more or less": _accent,
    "another word above": _word,
    "a note for a rest": _rest,
    "a note missing": _missing,
    "a bar line more or less": _bar_line,
    "another clef": _clef,
    "another signature": _signature,
    "another meter": _meter,
}


def _another_truth(row: Row, written: Written, rng: random.Random) -> Written | None:
    """The score with something altered that the right answer cannot survive."""
    task = row["task"].rpartition("/")[2]
    if task in ("meter", "bar_lines"):
        return _value(written, rng)
    if task == "scale_selection":
        number = _bar_of(row["answer"])
        places = [(number, e) for e in range(len(written.bars[number]))]
    else:
        places = _places(written, lambda event: event.accent)
    place = rng.choice(places)
    event, heard = _event_at(written, place), sounding(written)[place[0]][place[1]]
    numbers = list(range(len(event.notes)))
    if task == "chord_root":  # a third or fifth might be altered and leave the root the same
        root = parse_note(row["answer"])
        numbers = [n for n in numbers if heard[n].pitch_class == root]
    number = rng.choice(numbers)
    note = event.notes[number]
    sign = rng.choice([s for s in range(-2, 3) if s != heard[number].alter])
    notes = [*event.notes]
    notes[number] = replace(note, sign=sign)
    return _put(written, place, replace(event, notes=tuple(notes)))


def _wrong_keys(row: Row, rng: random.Random) -> Iterator[Mutation]:
    options = list(row["options"])
    right = options.index(row["answer"])
    wrong = rng.choice([place for place in range(len(options)) if place != right])
    letter = "ABCDEFGH"[wrong]
    yield Mutation("key: wrong letter", {**row, "target": letter})
    yield Mutation("key: wrong answer", {**row, "answer": options[wrong]})
    both = {**row, "target": letter, "answer": options[wrong]}
    yield Mutation("key: wrong letter and answer", both)
    swapped = [*options]
    swapped[right], swapped[wrong] = swapped[wrong], swapped[right]
    yield Mutation("key: two options exchanged", {**row, "options": swapped})
    twice = [*options]
    twice[wrong] = options[right]
    yield Mutation("key: the right option twice", {**row, "options": twice})
    without = [option for option in options if option != row["answer"]]
    yield Mutation("key: the right option missing", {**row, "options": without})
    if row["task"].endswith("scale_selection") and row["text"] is not None:
        written = written_from_json(json.loads(row["identity"])["score"])
        bars = [*written.bars]
        bars[_bar_of(options[wrong])] = bars[_bar_of(row["answer"])]
        twin = replace(written, bars=tuple(bars))
        second = _with_score(row, twin) | {"text": abc_text(twin), "image": None}
        yield Mutation("key: a second right option", second)


def _bar_of(option: str) -> int:
    """The index of the bar that ``bar 3`` names."""
    return int(option.removeprefix("bar ")) - 1


# The drawing, damaged in one place.

Tree = ElementTree.Element


def _damaged_drawings(row: Row, svg: str, rng: random.Random) -> Iterator[Mutation]:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    for name, damage in _DRAWN.items():
        root = ElementTree.fromstring(svg)
        if damage(root, rng):
            text = ElementTree.tostring(root, encoding="unicode")
            yield Mutation(f"drawing: {name}", row, text)


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
    "another meter digit": lambda root, rng: _exchange(
        root, _glyphs(root, *_DIGITS), _DIGITS, rng
    ),
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
