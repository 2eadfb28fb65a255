"""The events of one system, gathered from the shapes that draw them.

A head belongs to the stem that it touches, a sign to the next head at its height, a
dot to what stands before it, an accent or a word to what stands under it, a beam to
the stems that it covers, a tuplet number to the event in whose middle it stands
and to its neighbours. Tolerances are in staff spaces.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from benchgen.sheet_music.proof.drawing import Dot, Glyph, Polygon, Stroke, System, Words
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.staff import Opening, read_opening, read_staff
from benchgen.sheet_music.proof.written import LETTERS, WrittenBar, WrittenEvent, WrittenNote

_WHOLE, _HALF, _BLACK = "E0A2", "E0A3", "E0A4"
_HEADS = (_WHOLE, _HALF, _BLACK)
_RESTS = {"E4E3": (1, 6), "E4E4": (2, 4), "E4E5": (4, 4), "E4E6": (8, 4), "E4E7": (16, 4)}
_FLAGS = {"E240": (8, "up"), "E241": (8, "down"), "E242": (16, "up"), "E243": (16, "down")}
_SIGNS = {"E264": -2, "E260": -1, "E261": 0, "E262": 1, "E263": 2}
_ACCENTS = {"E4A0": "above", "E4A1": "below"}
_TRIPLET = "E883"
_BOTTOM_STEPS = {"treble": 30, "bass": 18, "alto": 24, "tenor": 22}
"""Diatonic steps from C0 to the bottom line: E4, G2, F3, D3."""


@dataclass(slots=True)
class _Found:
    """One event while its parts are gathered."""

    heads: list[Glyph]
    stem: Stroke | None = None
    rest: Glyph | None = None
    flags: list[Glyph] = field(default_factory=list)
    beams: list[Polygon] = field(default_factory=list)
    signs: dict[int, int] = field(default_factory=dict)
    dots: list[Dot] = field(default_factory=list)
    accents: int = 0
    tuplet: int = 0
    words: list[str] = field(default_factory=list)
    left: float = 0.0
    right: float = 0.0

    @property
    def centre(self) -> float:
        return (self.left + self.right) / 2


class SystemReading:
    """One system, read from its shapes on construction.

    ``numbers`` are the bar numbers at the bars' left edges, None where there is none.

    Raises
    ------
    Fault
        A shape belongs to nothing, or a note lacks a part.
    """

    def __init__(self, system: System) -> None:
        self.staff, strokes = read_staff(system)
        self.opening: Opening
        self.opening, glyphs = read_opening(self.staff, system.glyphs)
        heads = [g for g in glyphs if g.code in _HEADS]
        stems = [s for s in strokes if s.x1 == s.x2]
        self._ledgers = [s for s in strokes if s.y1 == s.y2]
        if len(stems) + len(self._ledgers) != len(strokes):
            raise Fault("a slanted line")
        self.events = [*self._stemmed(heads, stems), *self._stemless(heads)]
        self.events += [
            _Found([], rest=g, left=g.x, right=g.x + self.staff.width(g))
            for g in glyphs
            if g.code in _RESTS
        ]
        self.events.sort(key=lambda event: event.left)
        if not self.events or self.events[0].left < self.opening.end:
            raise Fault("a system without notes, or with notes before its clef")
        self._check_ledgers()
        for glyph in glyphs:
            self._place_glyph(glyph)
        for dot in system.dots:
            self._dotted(dot).dots.append(dot)
        for polygon in system.polygons:
            if polygon.closed:
                self._place_beam(polygon)
        self.numbers = self._read_words(system.words)
        brackets = [polygon for polygon in system.polygons if not polygon.closed]
        self._place_triplets([g for g in glyphs if g.code == _TRIPLET], brackets)

    def _stemmed(self, heads: list[Glyph], stems: list[Stroke]) -> list[_Found]:
        """One event a stem, with the heads that it touches (taken out of ``heads``)."""
        events = []
        for stem in stems:
            own = [head for head in heads if head.code != _WHOLE and self._touches(stem, head)]
            if not own:
                raise Fault("a stem that touches no note")
            for head in own:
                heads.remove(head)
            events.append(self._event(own, stem))
        return events

    def _stemless(self, heads: list[Glyph]) -> list[_Found]:
        """Whole notes, those whose heads touch each other in one event."""
        groups: list[list[Glyph]] = []
        for head in sorted(heads, key=lambda g: g.x):
            if head.code != _WHOLE:
                raise Fault("a note without its stem")
            reach = self.staff.width(head) + 0.3 * self.staff.space
            if groups and head.x <= groups[-1][0].x + reach:
                groups[-1].append(head)
            else:
                groups.append([head])
        return [self._event(group, None) for group in groups]

    def _event(self, heads: list[Glyph], stem: Stroke | None) -> _Found:
        heads = sorted(heads, key=lambda head: -head.y)
        if len({head.code for head in heads}) != 1:
            raise Fault("a chord of different heads")
        if len({self.staff.position(head.y) for head in heads}) != len(heads):
            raise Fault("two heads at one staff position")
        left = min(head.x for head in heads)
        return _Found(heads, stem, left=left, right=max(h.x + self.staff.width(h) for h in heads))

    def _touches(self, stem: Stroke, head: Glyph) -> bool:
        beside = self.staff.near(stem.x1, head.x, 0.2) or self.staff.near(
            stem.x1, head.x + self.staff.width(head), 0.2
        )
        top, bottom = sorted((stem.y1, stem.y2))
        slack = 0.4 * self.staff.space
        return beside and top - slack <= head.y <= bottom + slack

    def _check_ledgers(self) -> None:
        """Every head outside the staff hangs on ledger lines, and every line holds one."""
        used: set[int] = set()
        for event in self.events:
            for head in event.heads:
                place = self.staff.position(head.y)
                middle = head.x + self.staff.width(head) / 2
                wanted = (*range(10, place + 1, 2), *range(-2, place - 1, -2))
                for line in wanted:
                    y = self.staff.bottom - line * self.staff.space / 2
                    found = [
                        number
                        for number, ledger in enumerate(self._ledgers)
                        if self.staff.near(ledger.y1, y) and ledger.x1 < middle < ledger.x2
                    ]
                    if len(found) != 1:
                        raise Fault(f"{len(found)} ledger lines where one is needed")
                    used.add(found[0])
        if len(used) != len(self._ledgers):
            raise Fault("a ledger line without a note")

    def _place_glyph(self, glyph: Glyph) -> None:
        if glyph.code in _SIGNS:
            self._place_sign(glyph)
        elif glyph.code in _FLAGS:
            self._place_flag(glyph)
        elif glyph.code in _ACCENTS:
            self._place_accent(glyph)
        elif glyph.code not in (*_HEADS, *_RESTS, _TRIPLET):
            raise Fault(f"a glyph that engraving does not use: {glyph.code}")

    def _place_sign(self, glyph: Glyph) -> None:
        """A sign belongs to the next head at its height, and covers no other note."""
        end = glyph.x + self.staff.width(glyph)
        place = self.staff.position(glyph.y)
        after = [
            (head.x, event)
            for event in self.events
            for head in event.heads
            if head.x > end - 0.3 * self.staff.space and self.staff.position(head.y) == place
        ]
        if not after:
            raise Fault("an accidental before no note at its height")
        x, event = min(after, key=lambda found: found[0])
        if x - end > 7 * self.staff.space:
            raise Fault("an accidental far from its note")
        if place in event.signs:
            raise Fault("two accidentals before one note")
        event.signs[place] = _SIGNS[glyph.code]

    def _place_flag(self, glyph: Glyph) -> None:
        for event in self.events:
            stem = event.stem
            if stem is None or not self.staff.near(stem.x1, glyph.x, 0.2):
                continue
            end = min(stem.y1, stem.y2) if self._stem_up(event) else max(stem.y1, stem.y2)
            direction = "up" if self._stem_up(event) else "down"
            if direction == _FLAGS[glyph.code][1] and self.staff.near(end, glyph.y, 0.3):
                event.flags.append(glyph)
                return
        raise Fault("a flag at no stem's end")

    def _stem_up(self, event: _Found) -> bool:
        assert event.stem is not None
        top, bottom = sorted((event.stem.y1, event.stem.y2))
        above = min(head.y for head in event.heads) - top
        below = bottom - max(head.y for head in event.heads)
        return above > below

    def _place_accent(self, glyph: Glyph) -> None:
        event = self._nearest(glyph.x + self.staff.width(glyph) / 2)
        heights = [head.y for head in event.heads]
        over = _ACCENTS[glyph.code] == "above"
        if not heights or (glyph.y > min(heights) if over else glyph.y < max(heights)):
            raise Fault("an accent that is not outside its note")
        event.accents += 1

    def _nearest(self, x: float, reach: float = 1.5) -> _Found:
        event = min(self.events, key=lambda e: abs(e.centre - x))
        if not self.staff.near(event.centre, x, reach):
            raise Fault("a mark over nothing")
        return event

    def _dotted(self, dot: Dot) -> _Found:
        before = [event for event in self.events if event.right <= dot.x]
        if not before or dot.x - before[-1].right > 2 * self.staff.space:
            raise Fault("a dot after nothing")
        return before[-1]

    def _place_beam(self, polygon: Polygon) -> None:
        slack = 0.15 * self.staff.space
        covered = [
            number
            for number, event in enumerate(self.events)
            if event.stem is not None
            and polygon.left - slack <= event.stem.x1 <= polygon.right + slack
        ]
        if not covered or covered != list(range(covered[0], covered[-1] + 1)):
            raise Fault("a beam over no stem, or over a rest")
        for number in covered:
            event = self.events[number]
            if not self._reaches(event, polygon):
                raise Fault("a beam that does not touch a stem below or above it")
            event.beams.append(polygon)

    def _reaches(self, event: _Found, polygon: Polygon) -> bool:
        stem = event.stem
        assert stem is not None
        by_x = sorted(polygon.points)
        (x1, y1), (x2, y2) = (
            ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in (by_x[:2], by_x[-2:])
        )
        share = (stem.x1 - x1) / (x2 - x1)
        y = y1 + share * (y2 - y1)
        slack = 0.5 * self.staff.space
        return min(stem.y1, stem.y2) - slack <= y <= max(stem.y1, stem.y2) + slack

    def _read_words(self, words: list[Words]) -> list[str | None]:
        """Give words to the events under them; return the numbers at the bars' left edges."""
        numbers: list[str | None] = [None] * (len(self.staff.edges) - 1)
        for word in words:
            centre = (word.left + word.right) / 2
            if not word.text.isdigit():
                event = self._nearest(centre, 3.0)
                if any(head.y < word.y for head in event.heads) or word.y > self.staff.top:
                    raise Fault("a word that is not above its note")
                event.words.append(word.text)
                continue
            edges = self.staff.edges[:-1]
            bar = min(range(len(edges)), key=lambda n: abs(edges[n] - centre))
            if not self.staff.near(edges[bar], centre, 1.0) or numbers[bar] is not None:
                raise Fault("a number at no bar's left edge")
            if word.y > self.staff.top:
                raise Fault("a bar number that is not above the staff")
            numbers[bar] = word.text
        return numbers

    def _place_triplets(self, digits: list[Glyph], brackets: list[Polygon]) -> None:
        for digit in digits:
            centre = digit.x + self.staff.width(digit) / 2
            middle = min(range(len(self.events)), key=lambda n: abs(self.events[n].centre - centre))
            group = self.events[max(0, middle - 1) : middle + 2]
            if len(group) != 3 or any(event.tuplet for event in group):
                raise Fault("a tuplet number without three notes of its own")
            slack = self.staff.space
            own = [
                bracket
                for bracket in brackets
                if group[0].left - slack <= bracket.left and bracket.right <= group[2].right + slack
            ]
            halves = 0 if self._beamed_alone(group) else 2
            if len(own) != halves:
                raise Fault(f"a tuplet with {len(own)} halves of a bracket, not {halves}")
            if own and not (
                self.staff.near(min(b.left for b in own), group[0].left, 1.0)
                and self.staff.near(max(b.right for b in own), group[2].right, 1.0)
            ):
                raise Fault("a tuplet bracket that does not end with its notes")
            brackets = [bracket for bracket in brackets if bracket not in own]
            for event in group:
                event.tuplet = 3
        if brackets:
            raise Fault("a tuplet bracket without a number")

    def _beamed_alone(self, group: list[_Found]) -> bool:
        """Whether one beam joins the events of ``group`` and no other event."""
        stems = [event.stem.x1 for event in group if event.stem is not None]
        slack = 0.2 * self.staff.space
        return len(stems) == len(group) and any(
            abs(beam.left - stems[0]) < slack and abs(beam.right - stems[-1]) < slack
            for beam in group[0].beams
        )

    def bars(self) -> list[WrittenBar]:
        """The bars of this system as written."""
        edges = self.staff.edges
        bars = []
        for low, high in zip(edges, edges[1:], strict=False):
            inside = [event for event in self.events if low < event.centre < high]
            if not inside:
                raise Fault("an empty bar")
            bars.append(tuple(self._written(event, inside) for event in inside))
        if sum(len(bar) for bar in bars) != len(self.events):
            raise Fault("a note outside the bars")
        return bars

    def _written(self, event: _Found, bar: list[_Found]) -> WrittenEvent:
        if event.accents > 1 or len(event.words) > 1:
            raise Fault("two accents or two words on one note")
        place = bar.index(event)
        after = bar[place + 1] if place + 1 < len(bar) else None
        joined = [] if after is None else [b for b in event.beams if b in after.beams]
        if after is not None and joined:
            whole = min(self._beam_count(event), self._beam_count(after))
            if len(joined) != whole:
                raise Fault(f"{len(joined)} beams between notes that have {whole}")
        return WrittenEvent(
            notes=tuple(self._note(head, event) for head in event.heads),
            value=self._value(event),
            dots=self._dots(event),
            tuplet=event.tuplet,
            beam=bool(joined),
            accent=event.accents == 1,
            above=event.words[0] if event.words else None,
        )

    def _note(self, head: Glyph, event: _Found) -> WrittenNote:
        place = self.staff.position(head.y)
        octave, letter = divmod(_BOTTOM_STEPS[self.opening.clef] + place, 7)
        return WrittenNote(LETTERS[letter], octave, event.signs.get(place))

    def _value(self, event: _Found) -> int:
        if event.rest is not None:
            value, place = _RESTS[event.rest.code]
            if self.staff.position(event.rest.y) != place:
                raise Fault("a rest at an unwonted height")
            return value
        if len(event.flags) > 1 or (event.flags and event.beams):
            raise Fault("a stem with two flags, or with a flag and a beam")
        head = event.heads[0].code
        if head != _BLACK and (event.flags or event.beams):
            raise Fault("an open head with a flag or a beam")
        if event.flags:
            return _FLAGS[event.flags[0].code][0]
        if head == _BLACK:
            return int(4 * 2 ** self._beam_count(event))
        return 2 if head == _HALF else 1

    def _beam_count(self, event: _Found) -> int:
        """Beams at one side of the stem or the other, whichever has more."""
        if event.stem is None or not event.beams:
            return 0
        x, slack = event.stem.x1, 0.15 * self.staff.space
        before = sum(beam.left < x - slack for beam in event.beams)
        after = sum(beam.right > x + slack for beam in event.beams)
        return max(before, after)

    def _dots(self, event: _Found) -> int:
        """Dots a note: every head has its row of them, all rows alike."""
        rows = Counter(round(dot.y) for dot in event.dots)
        if not rows:
            return 0
        if len(set(rows.values())) != 1 or len(rows) != max(1, len(event.heads)):
            raise Fault(f"{len(event.dots)} dots after {len(event.heads)} heads")
        marked = [head.y for head in (*event.heads, event.rest) if head is not None]
        for y in rows:
            if self.staff.position(y) % 2 == 0:
                raise Fault("a dot on a line")
            if not any(self.staff.near(y, head, 1.1) for head in marked):
                raise Fault("a dot beside no head")
        return max(rows.values())
