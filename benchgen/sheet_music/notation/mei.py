"""Writing a score as MEI, the engraver's input.

Conventions
-----------
* One staff, one layer. The root carries ``meiversion="5.1"``; bars are
  ``<measure n="1">`` and count from 1, each with its number (``<mNum>``) when
  there is more than one, and the last ends in a final bar line.
* Only what is printed is written: ``@accid`` where the note bears a sign, never
  a sounding pitch (``@accid.ges``), no meter where none is printed.
* Beams and tuplets nest: a beam that covers whole tuplets stands outside them,
  a beam inside one tuplet stands inside it. A rest at either end of a beam has no
  stem to hang on and is left outside.
* Words above are ``<harm>``, centred over the note, chord or rest they belong to.
  The spaces around them keep them clear of the notes beside.
* Stem directions, spacing and collisions are the engraver's affair.
"""

from __future__ import annotations

from html import escape

from benchgen.sheet_music.score import Bar, Event, Note, Score

_CLEFS = {
    "treble": 'clef.shape="G" clef.line="2"',
    "bass": 'clef.shape="F" clef.line="4"',
    "alto": 'clef.shape="C" clef.line="3"',
    "tenor": 'clef.shape="C" clef.line="4"',
}
_ACCIDENTALS = {
    None: "",
    -2: ' accid="ff"',
    -1: ' accid="f"',
    0: ' accid="n"',
    1: ' accid="s"',
    2: ' accid="x"',
}
_HEAD = (
    '<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.1"><meiHead/>'
    "<music><body><mdiv><score>"
)
_TAIL = "</section></score></mdiv></body></music></mei>"
_PAD = "&#160;&#160;"
_BEGIN_TUPLET = '<tuplet num="3" numbase="2">'


def write_mei(score: Score) -> str:
    """The score as one MEI document.

    Raises
    ------
    ValueError
        The clef is unknown, a tuplet is not three events long, or a beam
        crosses the edge of a tuplet or joins a value longer than an eighth.
    """
    if score.clef not in _CLEFS:
        raise ValueError(f"unknown clef {score.clef!r}")
    parts = [_HEAD, "<scoreDef", _key(score.fifths)]
    if score.meter is not None:
        parts.append(f' meter.count="{score.meter[0]}" meter.unit="{score.meter[1]}"')
    parts.append('><staffGrp><staffDef n="1" lines="5" ')
    parts.append(_CLEFS[score.clef])
    parts.append("/></staffGrp></scoreDef><section>")
    last = len(score.bars)
    for number, bar in enumerate(score.bars, start=1):
        if number > 1 and (number - 1) % score.bars_per_system == 0:
            parts.append("<sb/>")
        _write_bar(bar, number, last, parts)
    parts.append(_TAIL)
    return "".join(parts)


def _key(fifths: int) -> str:
    if fifths == 0:
        return ' keysig="0"'
    return f' keysig="{abs(fifths)}{"s" if fifths > 0 else "f"}"'


def _write_bar(bar: Bar, number: int, last: int, parts: list[str]) -> None:
    right = ' right="end"' if number == last else ""
    numeral = f"<mNum>{number}</mNum>" if last > 1 else ""
    parts.append(f'<measure n="{number}"{right}>{numeral}<staff n="1"><layer n="1">')
    opening, closing = _brackets(bar)
    for place, event in enumerate(bar):
        parts.append(opening[place])
        name = f' xml:id="w{number}-{place}"' if event.above is not None else ""
        parts.append(_event(event, name))
        parts.append(closing[place])
    parts.append("</layer></staff>")
    for place, event in enumerate(bar):
        if event.above is not None:
            word = f"{_PAD}{escape(event.above)}{_PAD}"
            parts.append(
                f'<harm place="above" staff="1" startid="#w{number}-{place}">{word}</harm>'
            )
    parts.append("</measure>")


def _event(event: Event, name: str) -> str:
    length = f' dur="{event.value}"'
    if event.dots:
        length += f' dots="{event.dots}"'
    if not event.notes:
        return f"<rest{name}{length}/>"
    if event.accent:
        length += ' artic="acc"'
    if len(event.notes) == 1:
        return f"<note{name}{length}{_pitch(event.notes[0])}/>"
    heads = "".join([f"<note{_pitch(note)}/>" for note in event.notes])
    return f"<chord{name}{length}>{heads}</chord>"


def _pitch(note: Note) -> str:
    letter = note.letter.lower()
    return f' pname="{letter}" oct="{note.octave}"{_ACCIDENTALS[note.sign]}'


def _brackets(bar: Bar) -> tuple[list[str], list[str]]:
    """What opens before and what closes after each event of the bar."""
    opening, closing = [""] * len(bar), [""] * len(bar)
    tuplets = _tuplets(bar)
    for first, last in tuplets:
        opening[first] += _BEGIN_TUPLET
        closing[last] += "</tuplet>"
    for first, last in _beams(bar):
        inside = False
        for begin, end in tuplets:
            if end < first or begin > last or (first <= begin and end <= last):
                continue
            if begin <= first and last <= end:
                inside = True
                continue
            raise ValueError(f"a beam crosses the edge of a tuplet at event {first + 1}")
        if inside:
            opening[first] += "<beam>"
            closing[last] = "</beam>" + closing[last]
        else:
            opening[first] = "<beam>" + opening[first]
            closing[last] += "</beam>"
    return opening, closing


def _tuplets(bar: Bar) -> list[tuple[int, int]]:
    spans = []
    place = 0
    while place < len(bar):
        if bar[place].tuplet == 0:
            place += 1
            continue
        group = bar[place : place + 3]
        if len(group) < 3 or any(event.tuplet != 3 for event in group):
            raise ValueError(f"no three events make up the tuplet at event {place + 1}")
        spans.append((place, place + 2))
        place += 3
    return spans


def _beams(bar: Bar) -> list[tuple[int, int]]:
    """First and last event of each beam, rests at its ends left out."""
    spans = []
    place = 0
    while place < len(bar):
        first = place
        while place < len(bar) - 1 and bar[place].beam:
            place += 1
        last = place
        while first < last and not bar[first].notes:
            first += 1
        while last > first and not bar[last].notes:
            last -= 1
        if last > first:
            if any(event.value < 8 for event in bar[first : last + 1]):
                raise ValueError(f"a beam at event {first + 1} joins a value longer than an eighth")
            spans.append((first, last))
        place += 1
    return spans
