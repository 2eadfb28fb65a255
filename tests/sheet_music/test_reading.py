"""Signature, signs and carry as a solver reads them, and the score's JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from benchgen.sheet_music.reading import read_accented, read_bar
from benchgen.sheet_music.score import Event, Note, Score, score_from_json, score_to_json

F4, F5 = (31, "F", 4), (38, "F", 5)


def _bar(*notes: tuple[str, int, int | None]) -> tuple[Event, ...]:
    return tuple(Event((Note(*one),), 4) for one in notes)


def _alters(bar: tuple[Event, ...], fifths: int, skip: str = "") -> list[int]:
    return [pitches[0][1] for pitches in read_bar(bar, fifths, skip)]


def test_a_sign_holds_to_the_bar_line_at_its_own_position_only() -> None:
    bar = _bar(("F", 4, 1), ("F", 4, None), ("F", 5, None), ("F", 4, 0), ("F", 4, None))
    assert _alters(bar, 0) == [1, 1, 0, 0, 0]
    assert _alters(_bar(("F", 4, None)), 0) == [0]


def test_a_sign_replaces_the_signature_s() -> None:
    bar = _bar(("F", 4, None), ("F", 4, 0), ("F", 4, None), ("F", 4, 2))
    assert _alters(bar, 3) == [1, 0, 0, 2]


def test_readers_who_leave_out_a_step() -> None:
    bar = _bar(("F", 4, 0), ("F", 4, None), ("C", 5, None), ("G", 4, 2))
    assert _alters(bar, 2) == [0, 0, 1, 2]
    assert _alters(bar, 2, "signature") == [0, 0, 0, 2]
    assert _alters(bar, 2, "accidental") == [1, 1, 1, 0]
    assert _alters(bar, 2, "carry") == [0, 1, 1, 2]
    assert _alters(bar, 2, "cancel") == [1, 1, 1, 2]
    assert _alters(bar, 2, "double") == [0, 0, 1, 1]


def test_accented_events_are_found_in_order() -> None:
    marked = Event((Note("A", 4),), 4, accent=True)
    score = Score((_bar(("C", 4, None)), (marked,)))
    assert read_accented(score) == [((33, 0),)]


notes = st.builds(
    Note, st.sampled_from("CDEFGAB"), st.integers(2, 6), st.sampled_from([None, -2, -1, 0, 1, 2])
)
events = st.builds(
    Event,
    st.lists(notes, max_size=4).map(tuple),
    st.sampled_from([1, 2, 4, 8, 16]),
    st.integers(0, 2),
    st.sampled_from([0, 3]),
    st.booleans(),
    st.booleans(),
    st.none() | st.text(max_size=8),
)
scores = st.builds(
    Score,
    st.lists(st.lists(events, max_size=5).map(tuple), max_size=4).map(tuple),
    st.integers(-7, 7),
    st.sampled_from(["treble", "bass", "alto", "tenor"]),
    st.none() | st.just((6, 8)),
    st.integers(1, 4),
)


@given(scores)
def test_a_score_survives_json(score: Score) -> None:
    assert score_from_json(json.loads(json.dumps(score_to_json(score)))) == score
