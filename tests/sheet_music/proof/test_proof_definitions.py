from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from benchgen.sheet_music.proof import music21_witness
from benchgen.sheet_music.proof.definitions import (
    CHORDS,
    INTERVAL_NUMBERS,
    MAJOR_TONICS,
    MINOR_TONICS,
    SCALES,
    beat_patterns,
    chord_tones,
    interval_is,
    interval_semitones,
    scale_tones,
)
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.judges.intervals import parse_interval
from benchgen.sheet_music.proof.pitches import Pitch, PitchClass, signature
from benchgen.sheet_music.proof.words import parse_named, parse_note, parse_pitch

QUALITIES = (
    "doubly diminished", "diminished", "minor", "perfect", "major", "augmented",
    "doubly augmented",
)  # fmt: skip
PITCHES = [
    Pitch(letter, alter, octave)
    for letter, alter, octave in itertools.product("CDEFGAB", range(-2, 3), (3, 4))
]


def test_two_names_fit_one_pair_or_none_fits_a_common_one() -> None:
    for low, high in itertools.product(PITCHES, PITCHES):
        if high.step <= low.step:
            continue
        names = [
            (quality, number)
            for quality in QUALITIES
            for number in INTERVAL_NUMBERS.values()
            if interval_is(low, high, quality, number)
        ]
        assert len(names) <= 1
        if abs(low.alter) + abs(high.alter) <= 1:
            assert names, (low, high)


def test_the_definition_of_an_interval_parts_from_music21() -> None:
    """Every pair of the two octaves, and every named interval from every pitch both ways."""
    compared = 0
    for low, high in itertools.product(PITCHES, PITCHES):
        if high.step <= low.step or high.semitone <= low.semitone:
            continue
        for quality in QUALITIES:
            number = high.step - low.step + 1
            if interval_semitones(quality, number) is None:
                continue
            named = music21_witness.interval_name(low, high)
            said = named == music21_witness.short_name(quality, number)
            assert said == interval_is(low, high, quality, number), (low, high, quality)
            compared += 1
    assert compared > 10_000


def test_transposing_parts_from_music21() -> None:
    for pitch, quality, number, up in itertools.product(
        PITCHES[::3], QUALITIES, INTERVAL_NUMBERS.values(), (True, False)
    ):
        if (interval_semitones(quality, number) or 0) <= 0:
            continue
        moved = music21_witness.transposed(pitch, quality, number, up=up)
        if moved is not None:
            low, high = (pitch, moved) if up else (moved, pitch)
            assert interval_is(low, high, quality, number), (pitch, quality, number, up)


def test_a_chord_in_some_inversion_parts_from_music21() -> None:
    for kind, letter, alter in itertools.product(CHORDS, "CDEFGAB", (-1, 0, 1)):
        tones = chord_tones(PitchClass(letter, alter), kind)
        if any(abs(tone.alter) > 2 for tone in tones):
            continue
        for order in itertools.permutations(sorted(tones)):
            pitches: list[Pitch] = []
            for tone in order:
                pitch = Pitch(tone.letter, tone.alter, 2)
                while pitches and pitch.step <= pitches[-1].step:
                    pitch = Pitch(tone.letter, tone.alter, pitch.octave + 1)
                pitches.append(pitch)
            opinion = music21_witness.chord_opinion(tuple(pitches))
            assert opinion == (PitchClass(letter, alter), kind)


def test_one_set_of_spelled_tones_has_two_names() -> None:
    roots = [PitchClass(letter, alter) for letter in "CDEFGAB" for alter in range(-2, 3)]
    chords = [chord_tones(root, kind) for root in roots for kind in CHORDS]
    assert len(set(chords)) == len(chords) == 35 * 11


def test_scales_part_from_music21() -> None:
    for kind, letter, alter in itertools.product(SCALES, "CDEFGAB", (-1, 0, 1)):
        tonic = PitchClass(letter, alter)
        assert scale_tones(tonic, kind) == music21_witness.scale_spelling(tonic, kind)
        assert len({tone.letter for tone in scale_tones(tonic, kind)}) == 7


def test_the_thirty_keys_are_not_those_of_the_fifteen_signatures() -> None:
    for fifths, (major, minor) in enumerate(zip(MAJOR_TONICS, MINOR_TONICS, strict=True), -7):
        assert music21_witness.key_fifths(major, "major") == fifths
        assert music21_witness.key_fifths(minor, "minor") == fifths
        printed = {PitchClass(letter, alter) for letter, alter in signature(fifths).items()}
        assert scale_tones(major, "major") == printed
        assert scale_tones(minor, "natural minor") == printed


@pytest.mark.parametrize("meter", [
    (2, 4), (3, 4), (4, 4), (2, 2), (3, 2), (6, 8), (9, 8), (12, 8), (6, 4), (9, 4), (5, 8), (7, 8),
])  # fmt: skip
def test_beats_do_not_fill_the_bar(meter: tuple[int, int]) -> None:
    patterns = beat_patterns(meter)
    assert patterns
    for beats in patterns:
        assert sum(beats) == Fraction(*meter) == music21_witness.bar_length(meter)


def test_beats_are_other_than_printed() -> None:
    assert beat_patterns((6, 8)) == ((Fraction(3, 8),) * 2,)
    assert beat_patterns((9, 4)) == ((Fraction(3, 4),) * 3,)
    assert beat_patterns((2, 2)) == ((Fraction(1, 2),) * 2,)
    assert len(beat_patterns((5, 8))) == 2
    assert len(beat_patterns((7, 8))) == 3
    assert beat_patterns((8, 8)) == ()


def test_words_are_read_as_something_else() -> None:
    assert parse_note("E flat") == PitchClass("E", -1)
    assert parse_note("C natural") == PitchClass("C", 0)
    assert parse_pitch("F double sharp 4") == Pitch("F", 2, 4)
    assert parse_named("B double flat minor") == (PitchClass("B", -2), "minor")
    assert parse_named("C major seventh") == (PitchClass("C", 0), "major seventh")
    assert parse_interval("doubly augmented fourth") == ("doubly augmented", 4)


@pytest.mark.parametrize(
    "text", ["e flat", "E", "E-flat", "Eb", "H natural", "E flat ", "E flat 4"]
)
def test_a_note_in_another_form_is_read(text: str) -> None:
    with pytest.raises(Fault):
        parse_note(text)


@pytest.mark.parametrize("text", ["E flat", "E 4", "Eb4", "E flat 44", "E flat -1"])
def test_a_pitch_in_another_form_is_read(text: str) -> None:
    with pytest.raises(Fault):
        parse_pitch(text)


@pytest.mark.parametrize("text", ["C", "Cmaj7", "C Major", "c major", "C  major"])
def test_a_name_in_another_form_is_read(text: str) -> None:
    with pytest.raises(Fault):
        parse_named(text)
