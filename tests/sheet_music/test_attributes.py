"""What the audit reads in an option's words, checked by hand."""

from __future__ import annotations

import pytest

from benchgen.sheet_music.attributes import (
    option_attributes,
    plausibility,
    stimulus_attributes,
)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("B flat", {"letter": "B", "alteration": -1, "fifths": -2, "chroma": 10}),
        ("F sharp 4", {"height": 54, "steps": 31, "fifths": 6, "octave": "4"}),
        ("C flat 5", {"height": 59, "steps": 35, "chroma": 11}),
        ("B double sharp 3", {"height": 49, "alteration": 2, "chroma": 1}),
        ("minor third", {"semitones": 3, "steps": 2, "fifths": -3, "alteration": -1}),
        ("augmented fourth", {"semitones": 6, "steps": 3, "fifths": 6}),
        ("diminished fifth", {"semitones": 6, "steps": 4, "fifths": -6}),
        ("diminished seventh", {"semitones": 9, "fifths": -9}),
        ("doubly diminished fifth", {"semitones": 5}),
        ("major tenth", {"semitones": 16, "steps": 9, "simple number": "third", "compound": 1.0}),
        ("perfect fifteenth", {"semitones": 24, "steps": 14, "simple number": "unison"}),
        ("F sharp minor", {"letter": "F", "alteration": 1, "kind": "minor", "signature": 3}),
        ("E flat major", {"signature": -3, "mode": "major"}),
        ("C minor", {"signature": -3, "sign": "natural"}),
        ("B flat dominant seventh", {"kind": "dominant seventh", "fifths": -2}),
        ("6/8", {"beats": 6, "sort": "compound", "pulses": 2, "duration": 0.75}),
        ("3/4", {"sort": "simple", "duration": 0.75}),
        ("7/8", {"sort": "irregular"}),
        ("after notes 4, 7 and 11", {"lines": 3, "first line": 4, "last line": 11}),
        ("after notes 4 and 8", {"lines": 2, "widest bar": 4, "unevenness": 0}),
    ],
)
def test_option_means(option: str, expected: dict[str, object]) -> None:
    found = option_attributes(option)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize("option", ["bar 3", "", "H flat", "major", "__import__('os')"])
def test_option_of_another_form_means_nothing(option: str) -> None:
    assert option_attributes(option) == {}


def test_prover_prefers_the_option_whose_given_note_is_plain() -> None:
    question = "Which note is a minor sixth above the accented note?"
    # The given notes would be E4, E flat 4, F4, F flat 4.
    found = plausibility(question, ["C natural 5", "C flat 5", "D flat 5", "D double flat 5"])
    assert found is not None
    assert min(found[0], found[2]) > max(found[1], found[3])


def test_prover_counts_the_signs_that_a_chord_takes() -> None:
    found = plausibility("What is the accented chord?", ["C major", "D major", "C sharp major"])
    assert found == [0, -1, -3]


def test_prover_prefers_common_meters_and_near_keys() -> None:
    meters = plausibility("", ["3/4", "9/4"])
    assert meters is not None and meters[0] > meters[1]
    keys = plausibility("", ["C flat minor-major seventh", "C minor"])
    assert keys is not None and keys[0] < keys[1]


def test_prover_has_no_opinion_on_numbered_bars() -> None:
    assert plausibility("Which bar?", ["bar 1", "bar 2", "bar 3", "bar 4"]) is None


def test_partial_views_of_a_score() -> None:
    score = {
        "clef": "bass",
        "fifths": -3,
        "meter": None,
        "bars_per_system": 4,
        "bars": [
            [{"notes": [["C", 3, None]], "value": 4, "beam": True}, {"notes": [], "value": 4}],
            [{"notes": [["E", 3, -1], ["G", 3, None]], "value": 2, "accent": True, "dots": 1}],
        ],
    }
    found = stimulus_attributes({"score": score})
    expected = {
        "signature": -3, "bars": 2, "notes": 3, "rests": 1, "accidentals": 1, "clef": 1,
        "first note": 21, "last note": 25, "lowest note": 21, "accented note": 23, "dots": 1,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
