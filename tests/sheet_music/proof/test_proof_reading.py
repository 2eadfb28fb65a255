from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof_items import ITEMS, score_json
from random_scores import random_score

import benchgen.sheet_music.proof
from benchgen.sheet_music.proof.abc_reader import read_abc
from benchgen.sheet_music.proof.abc_text import abc_text
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.pitches import Pitch, signature, sounding, unsure_signs
from benchgen.sheet_music.proof.written import (
    Written,
    WrittenEvent,
    WrittenNote,
    differences,
    written_from_json,
)


def _abc(body: str, key: str = "C major clef=treble", meter: str = "none") -> str:
    return f"X:1\nM:{meter}\nL:1/8\nK:{key}\n{body}\n"


def _alters(body: str, key: str = "C major clef=treble") -> list[int]:
    heard = sounding(read_abc(_abc(body, key)))
    return [pitch.alter for bar in heard for event in bar for pitch in event]


def test_the_printed_example_is_not_read_as_it_is_written() -> None:
    text = _abc('!accent!F2 ^G2 A2 | "^minor"!accent![D=FA]4 z2 |]', "D major clef=treble", "3/4")
    note = WrittenNote
    assert read_abc(text) == Written(
        clef="treble",
        fifths=2,
        meter=(3, 4),
        bars=(
            (
                WrittenEvent((note("F", 4),), 4, accent=True),
                WrittenEvent((note("G", 4, 1),), 4),
                WrittenEvent((note("A", 4),), 4),
            ),
            (
                WrittenEvent(
                    (note("D", 4), note("F", 4, 0), note("A", 4)), 2, accent=True, above="minor"
                ),
                WrittenEvent((), 4),
            ),
        ),
    )


@pytest.mark.parametrize(("length", "value", "dots"), [
    ("", 8, 0), ("2", 4, 0), ("4", 2, 0), ("8", 1, 0), ("/2", 16, 0), ("3", 4, 1), ("6", 2, 1),
    ("12", 1, 1), ("3/2", 8, 1), ("3/4", 16, 1), ("7", 2, 2), ("7/2", 4, 2),
])  # fmt: skip
def test_a_length_is_another_value(length: str, value: int, dots: int) -> None:
    ((event,),) = read_abc(_abc(f"C{length} |]")).bars
    assert (event.value, event.dots) == (value, dots)


@pytest.mark.parametrize(("letter", "octave"), [
    ("C,,", 2), ("B,", 3), ("C", 4), ("B", 4), ("c", 5), ("b", 5), ("c'", 6),
])  # fmt: skip
def test_an_octave_mark_moves_the_note_wrongly(letter: str, octave: int) -> None:
    ((event,),) = read_abc(_abc(f"{letter} |]")).bars
    assert event.notes == (WrittenNote(letter[0].upper(), octave),)


def test_beams_go_by_spaces_alone() -> None:
    ((*events,),) = read_abc(_abc("CDE FG A z B2 |]")).bars
    assert [event.beam for event in events] == [
        True, True, False, True, False, False, False, False,
    ]  # fmt: skip


def test_a_triplet_takes_the_time_of_two() -> None:
    ((*events,),) = read_abc(_abc("(3:2:3CDE F2 |]")).bars
    assert [event.tuplet for event in events] == [3, 3, 3, 0]
    assert sum(event.duration for event in events[:3]) == events[3].duration


@pytest.mark.parametrize("text", [
    "",
    "M:4/4\nL:1/8\nK:C major clef=treble\nC |]\n",
    _abc("C |]").replace("X:1", "X:2"),
    _abc("C |]").replace("L:1/8", "L:1/4"),
    _abc("C |]", meter="C"),
    _abc("C |]", meter="0/4"),
    _abc("C |]", "C minor clef=treble"),
    _abc("C |]", "G# major clef=treble"),
    _abc("C |]", "C major"),
    _abc("C |]", "C major clef=soprano"),
    _abc("C"), _abc("C ||"), _abc("C | |]"), _abc(" |]"), _abc("C  D |]"), _abc("C|D |]"),
    _abc("C1 |]"), _abc("C2/2 |]"), _abc("C/ |]"), _abc("C5 |]"), _abc("C/0 |]"), _abc("C0 |]"),
    _abc("C> D |]"), _abc("C-C |]"), _abc("{C}D |]"), _abc("C' |]"), _abc("c, |]"),
    _abc("CD2 |]"), _abc("Cz |]"), _abc("zC |]"),
    _abc("[EC] |]"), _abc("[C] |]"), _abc("[CC] |]"), _abc("[C2E2] |]"), _abc("[CEG |]"),
    _abc("(3CDE |]"), _abc("(3:2:3CD |]"), _abc("(3:2:3CD2E |]"), _abc("(3:2:3C D E2 |]"),
    _abc("(3:2:3C(3:2:3DEF |]"),
    _abc('!accent!"^minor"C |]'), _abc('"minor"C |]'), _abc("!fermata!C |]"), _abc("!accent!z |]"),
    _abc("^^^C |]"), _abc("^=C |]"), _abc("H |]"), _abc("[K:G]C |]"),
])  # fmt: skip
def test_text_outside_the_dialect_is_read(text: str) -> None:
    with pytest.raises(Fault):
        read_abc(text)


@given(st.integers(0, 2**32))
def test_writing_and_reading_lose_something(seed: int) -> None:
    written = written_from_json(random_score(random.Random(seed)))
    assert read_abc(abc_text(written)) == written


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.task}: {item.name}")
def test_an_item_by_hand_does_not_survive_reading_and_writing(item: object) -> None:
    written = read_abc(item.abc)  # type: ignore[attr-defined]
    assert abc_text(written) == item.abc  # type: ignore[attr-defined]
    assert written_from_json(score_json(written)) == written


def test_differences_miss_a_field() -> None:
    score = random_score(random.Random(3))
    written = written_from_json(score)
    assert differences(written, written) == []
    event = written.bars[0][0]
    for change in (
        WrittenEvent(event.notes, 16 if event.value == 1 else 1),
        WrittenEvent(event.notes, event.value, dots=2),
        WrittenEvent(event.notes, event.value, event.dots, beam=not event.beam),
        WrittenEvent(event.notes, event.value, event.dots, accent=not event.accent),
        WrittenEvent(event.notes, event.value, event.dots, tuplet=3 - event.tuplet),
        WrittenEvent(event.notes, event.value, event.dots, above="other"),
        WrittenEvent((WrittenNote("C", 1, -2),), event.value, event.dots),
    ):
        bars = ((change, *written.bars[0][1:]), *written.bars[1:])
        changed = Written(written.clef, written.fifths, written.meter, bars)
        assert differences(changed, written), change
    assert differences(Written("x", written.fifths, written.meter, written.bars), written)
    assert differences(Written(written.clef, 9, written.meter, written.bars), written)
    assert differences(Written(written.clef, written.fifths, (1, 1), written.bars), written)
    longer = (*written.bars, written.bars[0])
    assert differences(Written(written.clef, written.fifths, written.meter, longer), written)
    shorter = (written.bars[0] + written.bars[0][:1], *written.bars[1:])
    assert differences(Written(written.clef, written.fifths, written.meter, shorter), written)


@pytest.mark.parametrize("change", [
    {"clef": "soprano"}, {"fifths": 8}, {"fifths": "1"}, {"meter": [0, 4]}, {"meter": 3},
    {"bars": []}, {"bars": [[]]}, {"bars": 1},
    {"bars": [[{"notes": [["H", 4, None]], "value": 4}]]},
    {"bars": [[{"notes": [["C", "4", None]], "value": 4}]]},
    {"bars": [[{"notes": [["C", 4, 3]], "value": 4}]]},
    {"bars": [[{"notes": [["C", 4]], "value": 4}]]},
    {"bars": [[{"notes": [], "value": 3}]]},
    {"bars": [[{"notes": [], "value": 4, "dots": 3}]]},
    {"bars": [[{"notes": [], "value": 4, "tuplet": 5}]]},
    {"bars": [[{"notes": [], "value": 4, "beam": "yes"}]]},
    {"bars": [[{"notes": [], "value": 4, "above": 1}]]},
    {"bars": [[{"value": 4}]]},
])  # fmt: skip
def test_a_stored_score_that_is_none_is_read(change: dict[str, object]) -> None:
    with pytest.raises(Fault):
        written_from_json(random_score(random.Random(1)) | change)


def test_the_signature_alters_the_wrong_letters() -> None:
    assert signature(0) == dict.fromkeys("CDEFGAB", 0)
    assert {x for x, a in signature(3).items() if a == 1} == set("FCG")
    assert {x for x, a in signature(-4).items() if a == -1} == set("BEAD")
    assert set(signature(7).values()) == {1}
    assert set(signature(-7).values()) == {-1}


def test_a_sign_carries_too_far_or_not_far_enough() -> None:
    assert _alters("^FF FF |]") == [1, 1, 1, 1]
    assert _alters("^F2 =F2 F2 |]") == [1, 0, 0]
    assert _alters("^F2 =f2 |]") == [1, 0]
    assert _alters("^F2 | =F2 | F2 |]") == [1, 0, 0]
    assert _alters("F2 =F2 | ^F2 |]", "G major clef=bass") == [1, 0, 1]
    assert _alters("__B2 B2 _B2 B2 |]") == [-2, -2, -1, -1]
    assert _alters("[^CEG]2 [CEG]2 |]") == [1, 0, 0, 1, 0, 0]


def test_the_clef_changes_the_pitches_of_abc() -> None:
    for clef in ("treble", "bass", "alto", "tenor"):
        ((event,),) = sounding(read_abc(_abc("C |]", f"C major clef={clef}")))
        assert event == (Pitch("C", 0, 4),)


def test_b_sharp_and_c_flat_sound_in_the_octave_of_their_name() -> None:
    assert Pitch("B", 1, 3).semitone == Pitch("C", 0, 4).semitone
    assert Pitch("C", -1, 4).semitone == Pitch("B", 0, 3).semitone


@pytest.mark.parametrize("body", [
    "^F2 f2 |]", "^f2 F2 |]", "[^Cc]2 |]", "^F2 | F2 |]", "^F2 | f2 |]", "=F2 ^f2 F2 |]",
])  # fmt: skip
def test_a_note_on_which_readers_part_is_passed(body: str) -> None:
    assert len(unsure_signs(read_abc(_abc(body)))) == 1


@pytest.mark.parametrize("body", [
    "^F2 F2 |]", "^F2 =f2 F2".replace(" F2", "") + " |]", "^F2 | =F2 |]", "^F2 | ^F2 F2 |]",
    "^F2 | G2 | F2 |]", "=F2 f2 | F2 |]", "^F2 =F2 | F2 |]", "^F2 ^f2 F2 |]",
])  # fmt: skip
def test_a_note_that_is_certain_is_faulted(body: str) -> None:
    assert unsure_signs(read_abc(_abc(body))) == []


def test_the_second_engine_imports_the_first() -> None:
    """Only ``prove`` may, for engraving, and only inside a function."""
    folder = Path(benchgen.sheet_music.proof.__file__).parent
    files = sorted(folder.rglob("*.py"))
    assert len(files) > 15
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        nodes = tree.body if file.name == "prove.py" else list(ast.walk(tree))
        for node in nodes:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                allowed = ("benchgen.sheet_music.proof", "benchgen.errors")
                assert not name.startswith("benchgen") or name.startswith(allowed), (file, name)
