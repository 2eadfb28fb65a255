"""The MEI says what the score says, and nothing that is not printed."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchgen.sheet_music.notation.mei import write_mei
from benchgen.sheet_music.score import CLEFS, Event, Note, Score

NS = "{http://www.music-encoding.org/ns/mei}"
SIGNS = {"ff": -2, "f": -1, "n": 0, "s": 1, "x": 2, None: None}
CLEF_SHAPES = {"treble": "G2", "bass": "F4", "alto": "C3", "tenor": "C4"}


def body(score: Score) -> Element:
    return ElementTree.fromstring(write_mei(score))


def note(name: str, sign: int | None = None) -> Note:
    return Note(name[0], int(name[1:]), sign)


def eighths(names: str, beams: str = "", **fields: Any) -> tuple[Event, ...]:
    """One eighth a name; ``beams`` holds ``-`` where an event is beamed to the next."""
    flags = beams.ljust(len(names.split()))
    return tuple(
        Event(() if name == "z" else (note(name),), 8, beam=flag == "-", **fields)
        for name, flag in zip(names.split(), flags, strict=True)
    )


def shape(element: Element) -> str:
    """The layer as nested brackets: b(...) a beam, t(...) a tuplet."""
    inner = "".join(shape(child) for child in element)
    tag = element.tag.removeprefix(NS)
    return {"beam": f"b({inner})", "tuplet": f"t({inner})", "layer": inner}.get(tag, tag[0])


def layer(bar: tuple[Event, ...]) -> str:
    found = body(Score((bar,))).find(f".//{NS}layer")
    assert found is not None
    return shape(found)


notes = st.builds(
    Note, st.sampled_from("CDEFGAB"), st.integers(1, 7), st.sampled_from([None, -2, -1, 0, 1, 2])
)
plain_events = st.builds(
    Event,
    st.lists(notes, max_size=4).map(tuple),
    st.sampled_from([1, 2, 4, 8, 16]),
    st.integers(0, 2),
    tuplet=st.just(0),
    beam=st.just(False),
    accent=st.booleans(),
    above=st.none() | st.sampled_from(["minor", "half-diminished seventh", '<&">']),
)
scores = st.builds(
    Score,
    st.lists(st.lists(plain_events, min_size=1, max_size=6).map(tuple), min_size=1, max_size=5).map(
        tuple
    ),
    st.integers(-7, 7),
    st.sampled_from(CLEFS),
    st.none() | st.sampled_from([(4, 4), (12, 8), (3, 2)]),
    st.integers(1, 4),
)


def read_note(element: Element) -> Note:
    accid = element.get("accid")
    return Note(element.attrib["pname"].upper(), int(element.attrib["oct"]), SIGNS[accid])


def read_event(element: Element, words: dict[str, str]) -> Event:
    tag = element.tag.removeprefix(NS)
    heads = {"rest": [], "note": [element], "chord": list(element)}[tag]
    return Event(
        tuple(read_note(head) for head in heads),
        int(element.attrib["dur"]),
        int(element.get("dots", "0")),
        accent=element.get("artic") == "acc",
        above=words.get(element.get("{http://www.w3.org/XML/1998/namespace}id", "")),
    )


@given(scores)
@settings(max_examples=150, deadline=None)
def test_every_bar_note_sign_dot_accent_and_word_is_written(score: Score) -> None:
    root = body(score)
    bars = []
    for measure in root.iter(f"{NS}measure"):
        words = {
            harm.attrib["startid"].removeprefix("#"): (harm.text or "").strip("\u00a0")
            for harm in measure.iter(f"{NS}harm")
        }
        events = measure.find(f"{NS}staff/{NS}layer")
        assert events is not None
        bars.append(tuple(read_event(element, words) for element in events))
    # A rest has no accent to print.
    expected = tuple(
        tuple(e if e.notes else Event((), e.value, e.dots, above=e.above) for e in bar)
        for bar in score.bars
    )
    assert tuple(bars) == expected


@given(scores)
@settings(max_examples=50, deadline=None)
def test_signature_clef_meter_breaks_and_numbers_are_those_of_the_score(score: Score) -> None:
    root = body(score)
    definition, staff = root.find(f".//{NS}scoreDef"), root.find(f".//{NS}staffDef")
    assert definition is not None and staff is not None
    kind = "" if score.fifths == 0 else "s" if score.fifths > 0 else "f"
    assert definition.get("keysig") == f"{abs(score.fifths)}{kind}"
    assert staff.attrib["clef.shape"] + staff.attrib["clef.line"] == CLEF_SHAPES[score.clef]
    meter = definition.get("meter.count"), definition.get("meter.unit")
    assert meter == ((None, None) if score.meter is None else tuple(map(str, score.meter)))
    section = root.find(f".//{NS}section")
    assert section is not None
    tags = [child.tag.removeprefix(NS) for child in section]
    before = [i for i in range(1, len(score.bars)) if i % score.bars_per_system == 0]
    assert tags.count("sb") == len(before)
    systems = "".join("|" if tag == "sb" else "m" for tag in tags).split("|")
    assert all(len(line) == score.bars_per_system for line in systems[:-1])
    numbers = [number.text for number in root.iter(f"{NS}mNum")]
    assert numbers == ([str(n + 1) for n in range(len(score.bars))] if len(score.bars) > 1 else [])
    assert [m.get("right") for m in root.iter(f"{NS}measure")][-1] == "end"
    assert [m.get("right") for m in root.iter(f"{NS}measure")].count("end") == 1


def test_no_sounding_pitch_is_given_away() -> None:
    bar = (Event((note("F4", 1),), 4), Event((note("F4"),), 4))
    assert "ges" not in write_mei(Score((bar,), fifths=-3))


@pytest.mark.parametrize(
    ("beams", "drawn"),
    [("", "nnnn"), ("-", "b(nn)nn"), ("---", "b(nnnn)"), ("- -", "b(nn)b(nn)"), (" -", "nb(nn)n")],
)
def test_a_beam_joins_the_events_marked_and_no_others(beams: str, drawn: str) -> None:
    assert layer(eighths("C4 D4 E4 F4", beams)) == drawn


@pytest.mark.parametrize(
    ("names", "drawn"),
    [("z D4 E4", "rb(nn)"), ("C4 D4 z", "b(nn)r"), ("C4 z E4", "b(nrn)"), ("z D4 z", "rnr")],
)
def test_a_rest_at_the_end_of_a_beam_is_left_outside(names: str, drawn: str) -> None:
    assert layer(eighths(names, "--")) == drawn


@pytest.mark.parametrize(
    ("count", "beams", "drawn"),
    [
        (3, "", "t(nnn)"),
        (3, "--", "b(t(nnn))"),
        (3, "-", "t(b(nn)n)"),
        (3, " -", "t(nb(nn))"),
        (6, "-----", "b(t(nnn)t(nnn))"),
        (6, "-- --", "b(t(nnn))b(t(nnn))"),
    ],
)
def test_beams_and_tuplets_nest(count: int, beams: str, drawn: str) -> None:
    names = " ".join(["C4"] * count)
    assert layer(eighths(names, beams, tuplet=3)) == drawn


def test_a_beam_may_join_a_tuplet_and_plain_notes() -> None:
    bar = (
        *eighths("C4", "-"),
        *eighths("D4 E4 F4", "---", tuplet=3),
        *eighths("G4"),
    )
    assert layer(bar) == "b(nt(nnn)n)"


@pytest.mark.parametrize(
    ("bar", "complaint"),
    [
        (eighths("C4 D4", tuplet=3), "tuplet at event 1"),
        ((*eighths("C4"), *eighths("D4 E4", tuplet=3), *eighths("F4")), "tuplet at event 2"),
        ((*eighths("C4", "-"), *eighths("D4 E4 F4", tuplet=3)), "crosses the edge of a tuplet"),
        ((Event((note("C4"),), 4, beam=True), Event((note("D4"),), 8)), "longer than an eighth"),
    ],
)
def test_what_cannot_be_written_is_refused(bar: tuple[Event, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        write_mei(Score((bar,)))


def test_an_unknown_clef_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown clef 'soprano'"):
        write_mei(Score((eighths("C4"),), clef="soprano"))
