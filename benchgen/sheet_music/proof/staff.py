"""The frame of one system: staff lines, bar lines, clef, signature, meter.

A staff position counts lines and spaces upwards from the bottom line, which is
0; the top line is 8. All tolerances are in staff spaces.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from benchgen.sheet_music.proof.drawing import Glyph, Stroke, System
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.outlines import glyph_width

NEAR = 0.1
_CLEFS = {
    ("E050", 2): "treble",
    ("E062", 6): "bass",
    ("E05C", 4): "alto",
    ("E05C", 6): "tenor",
}
_CLEF_CODES = {code for code, _ in _CLEFS}
_SHARP, _FLAT = "E262", "E260"
_TREBLE_SHARPS, _TREBLE_FLATS = (8, 5, 9, 6, 3, 7, 4), (4, 7, 3, 6, 2, 5, 1)
_SIGNATURE_PLACES: dict[str, dict[str, tuple[int, ...]]] = {
    "treble": {_SHARP: _TREBLE_SHARPS, _FLAT: _TREBLE_FLATS},
    "bass": {
        _SHARP: tuple(place - 2 for place in _TREBLE_SHARPS),
        _FLAT: tuple(place - 2 for place in _TREBLE_FLATS),
    },
    "alto": {
        _SHARP: tuple(place - 1 for place in _TREBLE_SHARPS),
        _FLAT: tuple(place - 1 for place in _TREBLE_FLATS),
    },
    "tenor": {
        _SHARP: (2, 6, 3, 7, 4, 8, 5),
        _FLAT: tuple(place + 1 for place in _TREBLE_FLATS),
    },
}
_DIGITS = {f"E08{digit}": str(digit) for digit in range(10)}
_ROW_ABOVE, _ROW_BELOW = 6, 2


@dataclass(frozen=True, slots=True)
class Staff:
    """Five lines from margin to margin; ``edges`` bound the bars, left edge first."""

    space: float
    bottom: float
    left: float
    right: float
    edges: tuple[float, ...]
    closed: bool
    """Whether it ends in a thin and a thick line."""

    @property
    def top(self) -> float:
        """The y of the top line."""
        return self.bottom - 4 * self.space

    def position(self, y: float) -> int:
        """The staff position at ``y``; a shape between two positions is a fault."""
        exact = 2 * (self.bottom - y) / self.space
        if abs(exact - round(exact)) > 2 * NEAR:
            raise Fault(f"a symbol stands between staff positions, at {exact:.2f}")
        return round(exact)

    def near(self, one: float, other: float, spaces: float = NEAR) -> bool:
        """Whether two coordinates are at most that many spaces apart."""
        return abs(one - other) <= spaces * self.space

    def width(self, glyph: Glyph) -> float:
        """How wide the glyph is drawn."""
        return glyph_width(glyph.code) * glyph.em / 1000


@dataclass(frozen=True, slots=True)
class Opening:
    """What stands at the left of a system; ``end`` is where it ends."""

    clef: str
    fifths: int
    meter: tuple[int, int] | None
    end: float


def read_staff(system: System) -> tuple[Staff, list[Stroke]]:
    """The staff, and the strokes that are neither staff lines nor bar lines."""
    ems = {glyph.em for glyph in system.glyphs}
    if len(ems) != 1:
        raise Fault(f"a system with glyphs of {len(ems)} sizes")
    space = ems.pop() / 4
    level = [stroke for stroke in system.strokes if stroke.y1 == stroke.y2]
    margin = min((stroke.x1 for stroke in level), default=0.0)
    heights = {stroke.y1 for stroke in level if stroke.x1 == margin}
    lines = [stroke for stroke in level if stroke.y1 in heights]
    bottom, left, right = _five_lines(lines, space)
    rest = [stroke for stroke in system.strokes if stroke not in lines]
    top = bottom - 4 * space
    bars = [
        s
        for s in rest
        if s.x1 == s.x2
        and abs(min(s.y1, s.y2) - top) <= NEAR * space
        and abs(max(s.y1, s.y2) - bottom) <= NEAR * space
    ]
    edges, closed = _bar_edges(bars, left, right, space)
    staff = Staff(space, bottom, left, right, edges, closed)
    return staff, [stroke for stroke in rest if stroke not in bars]


def _five_lines(lines: list[Stroke], space: float) -> tuple[float, float, float]:
    """(y of the bottom line, left end, right end) of five whole lines a space apart."""
    rows: dict[float, list[Stroke]] = defaultdict(list)
    for line in lines:
        rows[line.y1].append(line)
    heights = sorted(rows)
    if len(heights) != 5:
        raise Fault(f"a staff of {len(heights)} lines")
    if any(
        abs(low - high - space) > NEAR * space
        for high, low in zip(heights, heights[1:], strict=False)
    ):
        raise Fault("staff lines that are not one space apart")
    ends = set()
    for row in rows.values():
        row.sort(key=lambda stroke: stroke.x1)
        if any(abs(b.x1 - a.x2) > NEAR * space for a, b in zip(row, row[1:], strict=False)):
            raise Fault("a staff line with a gap")
        ends.add((row[0].x1, row[-1].x2))
    if len(ends) != 1:
        raise Fault("staff lines of different lengths")
    left, right = ends.pop()
    return heights[-1], left, right


def _bar_edges(
    bars: list[Stroke], left: float, right: float, space: float
) -> tuple[tuple[float, ...], bool]:
    bars = sorted(bars, key=lambda stroke: stroke.x1)
    if not bars or abs(bars[-1].x1 - right) > space:
        raise Fault("no bar line ends the system")
    thin = min(stroke.width for stroke in bars)
    thick = [stroke for stroke in bars if stroke.width > 2 * thin]
    if not thick:
        return (left, *(stroke.x1 for stroke in bars)), False
    if thick != bars[-1:] or len(bars) < 2 or bars[-1].x1 - bars[-2].x1 > space:
        raise Fault("a thick line elsewhere than after the last thin one")
    return (left, *(stroke.x1 for stroke in bars[:-1])), True


def read_opening(staff: Staff, glyphs: list[Glyph]) -> tuple[Opening, list[Glyph]]:
    """Clef, signature and meter, and the glyphs that are none of these."""
    clefs = [g for g in glyphs if g.code in _CLEF_CODES]
    signs = sorted((g for g in glyphs if g.in_signature), key=lambda g: g.x)
    digits = sorted((g for g in glyphs if g.code in _DIGITS), key=lambda g: g.x)
    others = [g for g in glyphs if g not in clefs and g not in signs and g not in digits]
    if len(clefs) != 1:
        raise Fault(f"a system with {len(clefs)} clefs")
    clef = _CLEFS.get((clefs[0].code, staff.position(clefs[0].y)))
    if clef is None:
        raise Fault("a clef on an unwonted line")
    reached = staff.left
    for group in (clefs, signs, digits, others):
        if min((g.x for g in group), default=reached) < reached:
            raise Fault("clef, signature, meter and notes do not stand in this order")
        reached = max((g.x for g in group), default=reached)
    end = max(g.x for g in (*clefs, *signs, *digits))
    fifths = _fifths(staff, clef, signs)
    return Opening(clef, fifths, _meter(staff, digits), end), others


def _fifths(staff: Staff, clef: str, signs: list[Glyph]) -> int:
    codes = {sign.code for sign in signs}
    if not signs:
        return 0
    if len(codes) != 1 or not codes <= {_SHARP, _FLAT} or len(signs) > 7:
        raise Fault("no signature is of these signs")
    code = codes.pop()
    places = tuple(staff.position(sign.y) for sign in signs)
    if places != _SIGNATURE_PLACES[clef][code][: len(places)]:
        raise Fault(f"signature signs at positions {places} under a {clef} clef")
    for one, other in zip(signs, signs[1:], strict=False):
        if not 0.5 * staff.space < other.x - one.x < 1.5 * staff.space:
            raise Fault("signature signs that do not stand side by side")
    return len(signs) if code == _SHARP else -len(signs)


def _meter(staff: Staff, digits: list[Glyph]) -> tuple[int, int] | None:
    if not digits:
        return None
    rows: dict[int, str] = defaultdict(str)
    for digit in digits:
        rows[staff.position(digit.y)] += _DIGITS[digit.code]
    if set(rows) != {_ROW_ABOVE, _ROW_BELOW}:
        raise Fault(f"meter digits at staff positions {sorted(rows)}")
    return int(rows[_ROW_ABOVE]), int(rows[_ROW_BELOW])
