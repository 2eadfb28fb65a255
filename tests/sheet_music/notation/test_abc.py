"""ABC as docs/sheet_music.md prints it."""

from __future__ import annotations

import pytest

from benchgen.sheet_music.notation.abc import write_abc
from benchgen.sheet_music.score import Event, Note, Score


def _body(*events: Event) -> str:
    return write_abc(Score((events,))).splitlines()[-1]


def test_the_header_leaves_nothing_to_defaults() -> None:
    score = Score((), fifths=-7, clef="tenor", meter=(6, 8))
    assert write_abc(score).splitlines()[:4] == [
        "X:1", "M:6/8", "L:1/8", "K:Cb major clef=tenor",
    ]  # fmt: skip
    assert "M:none\n" in write_abc(Score(()))
    assert "K:F# major" in write_abc(Score((), fifths=6))


@pytest.mark.parametrize(
    ("octave", "text"), [(2, "C,,"), (3, "C,"), (4, "C"), (5, "c"), (6, "c'"), (7, "c''")]
)
def test_octaves(octave: int, text: str) -> None:
    assert _body(Event((Note("C", octave),), 8)) == f"{text} |]"


@pytest.mark.parametrize(
    ("sign", "text"), [(-2, "__"), (-1, "_"), (0, "="), (1, "^"), (2, "^^"), (None, "")]
)
def test_signs(sign: int | None, text: str) -> None:
    assert _body(Event((Note("F", 4, sign),), 8)) == f"{text}F |]"


@pytest.mark.parametrize(
    ("value", "dots", "text"),
    [(1, 0, "8"), (2, 1, "6"), (4, 0, "2"), (4, 1, "3"), (8, 0, ""), (8, 1, "3/2"), (16, 0, "/2"),
     (16, 1, "3/4")],
)  # fmt: skip
def test_lengths_are_fractions_of_an_eighth(value: int, dots: int, text: str) -> None:
    assert _body(Event((Note("B", 4),), value, dots)) == f"B{text} |]"
    assert _body(Event((), value, dots)) == f"z{text} |]"


def test_a_chord_has_one_length_after_its_bracket() -> None:
    event = Event((Note("C", 4), Note("E", 4, -1)), 4, accent=True, above="minor")
    assert _body(event) == '"^minor"!accent![C_E]2 |]'


def test_a_space_breaks_the_beam_and_nothing_else_does() -> None:
    events = [Event((Note("C", 4),), 8, beam=beam) for beam in (True, False, False)]
    assert _body(*events) == "CC C |]"


def test_two_tuplets_side_by_side_are_two() -> None:
    events = [Event((Note("C", 4),), 8, tuplet=3, beam=i % 3 < 2) for i in range(6)]
    assert _body(*events) == "(3:2:3CCC (3:2:3CCC |]"


def test_bars_are_divided_and_the_last_one_ends() -> None:
    bar = (Event((Note("C", 4),), 4),)
    assert write_abc(Score((bar, bar))).endswith("C2 | C2 |]\n")
