"""The theory against printed tables and, where it is sound, music21."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise, product

import pytest
from music21 import chord as m21chord
from music21 import interval as m21interval
from music21 import key as m21key
from music21 import pitch as m21pitch
from music21 import scale as m21scale

from benchgen.sheet_music.theory.chord import (
    KINDS,
    SEVENTHS,
    missing_words,
    name_chord,
    spell,
    stack_words,
    thirds_words,
)
from benchgen.sheet_music.theory.interval import (
    NUMBERS,
    count_words,
    interval_name,
    measure_words,
    number_words,
    quality,
    reference_words,
    size,
)
from benchgen.sheet_music.theory.meter import bar_length, beat_length, fits
from benchgen.sheet_music.theory.pitch import (
    LETTERS,
    note_words,
    pitch_words,
    root_words,
    semitones,
    signature,
)
from benchgen.sheet_music.theory.scale import FORMS, keys, scale, signature_words, tonic_of

_SIGNS = {-2: "--", -1: "-", 0: "", 1: "#", 2: "##"}


def _m21(place: int, alter: int) -> m21pitch.Pitch:
    return m21pitch.Pitch(f"{LETTERS[place % 7]}{_SIGNS[alter]}{place // 7}")


def test_b_sharp_3_sounds_with_c_4_and_c_flat_4_with_b_3() -> None:
    assert semitones(27, 1) == semitones(28, 0) == 48
    assert semitones(28, -1) == semitones(27, 0)
    assert pitch_words(27, 1) == "B sharp 3"


def test_words_of_every_alteration() -> None:
    assert [note_words(3, a) for a in range(-2, 3)] == [
        "F double flat", "F flat", "F natural", "F sharp", "F double sharp",
    ]  # fmt: skip
    assert (root_words(0, 0), root_words(6, -2)) == ("C", "B double flat")


@pytest.mark.parametrize("fifths", range(-7, 8))
def test_signatures_agree_with_music21(fifths: int) -> None:
    theirs = m21key.KeySignature(fifths)
    for step, alter in enumerate(signature(fifths)):
        accidental = theirs.accidentalByStep(LETTERS[step])
        assert alter == (0 if accidental is None else int(accidental.alter))
    # Theirs in the order in which they are written.
    letters = [pitch.step for pitch in theirs.alteredPitches]
    key, said = signature_words(fifths).removeprefix("The signature, that of ").split(" major, ")
    tonic = theirs.asKey("major").tonic
    assert key == root_words(LETTERS.index(tonic.step), int(tonic.alter))
    assert [word.strip(",") for word in said.split() if word.strip(",") in LETTERS] == letters
    sign = "flat." if fifths < 0 else "sharp." if fifths else "empty."
    assert said.endswith(sign)


def test_interval_names_agree_with_music21() -> None:
    checked = 0
    for low, number, one, other in product(range(28, 35), range(2, 16), range(-2, 3), range(-2, 3)):
        name = interval_name((low, one), (low + number - 1, other))
        if name is None:
            continue
        theirs = m21interval.Interval(_m21(low, one), _m21(low + number - 1, other))
        expected = theirs.niceName.lower()
        expected = {"perfect octave": "perfect octave"}.get(expected, expected)
        expected = expected.replace("doubly-", "doubly ").replace("double octave", "fifteenth")
        for plural, word in (("eighth", "octave"),):
            expected = expected.replace(plural, word)
        ours = name.replace("doubly ", "doubly ")
        assert ours.split()[-1] == NUMBERS[number]
        assert theirs.generic.undirected == number
        assert ours.rsplit(" ", 1)[0] == _quality(theirs.name), (low, number, one, other)
        _check_count((low, one), (low + number - 1, other), theirs)
        checked += 1
    assert checked > 1500


def _check_count(
    low: tuple[int, int], high: tuple[int, int], theirs: m21interval.Interval
) -> None:
    number = theirs.generic.undirected
    for start, end in ((low[0], high[0]), (high[0], low[0])):
        counted = count_words(start, end).split(", ")
        for place, words in enumerate(counted):
            to = start + (place if end > start else -place)
            between = m21interval.Interval(_m21(start, 0), _m21(to, 0))
            letter = _m21(to, 0).step
            assert words == f"{between.generic.undirected} {letter} {abs(between.semitones)}"
        assert len(counted) == number
    named = number_words(number)
    assert named.split()[-1] == NUMBERS[number]
    assert named.split()[0] == ("an" if "octave" in named or "eleventh" in named else "a")
    bare = m21interval.Interval(_m21(low[0], 0), _m21(high[0], 0)).semitones
    half = m21interval.Interval(_m21(*low), _m21(high[0], 0)).semitones
    does = [f"{'takes' if by < 0 else 'adds'} {abs(by)}" for by in (-low[1], high[1])]
    assert measure_words(low, high) == (
        f"{bare} without signs. {note_words(low[0] % 7, low[1])} below {does[0]}: {half}. "
        f"{note_words(high[0] % 7, high[1])} above {does[1]}: {theirs.semitones}"
    )
    reference = "P" if theirs.generic.perfectable else "M"
    assert reference_words(number) == (
        f"The {'perfect' if reference == 'P' else 'major'} one has "
        f"{m21interval.Interval(f'{reference}{number}').semitones}"
    )


def _quality(short: str) -> str:
    letters = short.rstrip("0123456789")
    return {
        "P": "perfect", "M": "major", "m": "minor", "A": "augmented", "d": "diminished",
        "AA": "doubly augmented", "dd": "doubly diminished",
    }[letters]  # fmt: skip


def test_an_interval_s_size_is_the_inverse_of_its_name() -> None:
    for number in range(2, 16):
        for distance in range(0, 30):
            name = quality(number, distance)
            if name is not None:
                assert size(number, name) == distance


def test_pairs_that_sound_crossed_have_no_name() -> None:
    assert interval_name((27, 1), (28, -1)) is None
    assert interval_name((30, 0), (31, -1)) is None


def test_chords_agree_with_music21() -> None:
    sevenths = {
        "dominant seventh": "isDominantSeventh",
        "half-diminished seventh": "isHalfDiminishedSeventh",
        "diminished seventh": "isDiminishedSeventh",
    }  # fmt: skip
    triads = {
        "major": "isMajorTriad", "minor": "isMinorTriad", "diminished": "isDiminishedTriad",
        "augmented": "isAugmentedTriad",
    }  # fmt: skip
    for step, alter, kind in product(range(7), (-1, 0, 1), KINDS):
        tones = spell((step, alter), kind)
        if any(abs(a) > 2 for _, a in tones):
            continue
        places = [28 + step + 2 * i for i in range(len(tones))]
        theirs = m21chord.Chord(
            [_m21(place, a) for place, (_, a) in zip(places, tones, strict=True)]
        )
        assert theirs.root().step == LETTERS[step]
        check = (sevenths | triads).get(kind)
        if check:
            assert getattr(theirs, check)(), (step, alter, kind)
        if all(abs(a) <= 1 for _, a in tones):
            named = [note_words(*tone) for tone in tones]
            assert stack_words((step, alter), kind) == ", ".join(named)
            members, thirds = thirds_words((step, alter), kind).split(": ")
            classes = [pitch.pitchClass for pitch in theirs.pitches]
            assert members.split(", ") == list(map("{} {}".format, named, classes))
            pairs = pairwise(theirs.pitches)
            for said, (low, high) in zip(thirds.split(", then "), pairs, strict=True):
                third = m21interval.Interval(low, high)
                assert said == f"{third.semitones}, a {third.niceName.lower()}"
        for turn in range(len(tones)):
            assert name_chord(tones[turn:] + tones[:turn]) == ((step, alter), kind)


def test_a_missing_member_is_found_where_music21_has_it() -> None:
    signs = {-2: "2 too high", -1: "1 too high", 0: "which it is", 1: "1 too low", 2: "2 too low"}
    for step, alter, kind in product(range(7), (-2, -1, 0, 1, 2), KINDS):
        tones = spell((step, alter), kind)
        if any(abs(a) > 2 for _, a in tones):
            continue
        chord = [_m21(28 + step + 2 * i, a) for i, (_, a) in enumerate(tones)]
        for gone in range(1, len(tones)):
            found = re.fullmatch(
                r"Thirds on (.) are (.*), so (.), the (.*), is missing\. In an? (.*) chord it "
                r"stands (\d+) semitones above the root\. (.*) is (\d+) above C, and (\d+) more "
                r"are (\d+)(?:, or (\d+))?\. (.) natural is (\d+), (.*): (.*)",
                missing_words((step, alter), kind, gone),
            )
            assert found is not None, missing_words((step, alter), kind, gone)
            (
                on, letters, letter, member, named, size, root, start, more, end, wrapped,
                bare, natural, off, answer,
            ) = found.groups()  # fmt: skip
            theirs = m21interval.Interval(chord[0], chord[gone])
            assert letters.split(", ") == [pitch.step for pitch in chord]
            assert (on, letter, bare) == (chord[0].step, chord[gone].step, chord[gone].step)
            assert (root, answer) == (note_words(step, alter), note_words(*tones[gone]))
            assert (named, member) == (kind, theirs.generic.niceName.lower())
            assert int(size) == int(more) == theirs.semitones
            assert int(start) == chord[0].pitchClass
            assert int(end) == int(start) + int(size)
            assert int(wrapped or end) == chord[gone].pitchClass
            assert int(natural) == m21pitch.Pitch(chord[gone].step).pitchClass
            assert off == signs[int(chord[gone].alter)]


def test_double_accidentals_of_chords_are_kept() -> None:
    # Cut to single ones, eight of fifty-six triads are misprinted.
    assert spell((6, 0), "augmented") == ((6, 0), (1, 1), (3, 2))
    assert spell((4, -1), "minor") == ((4, -1), (6, -2), (1, -1))
    assert spell((2, -1), "diminished") == ((2, -1), (4, -1), (6, -2))


def test_no_name_for_what_is_no_chord() -> None:
    assert name_chord([(0, 0), (3, 0), (4, 0)]) is None
    assert name_chord([(0, 0), (2, 0), (4, -1)]) is None
    assert name_chord([(0, 0), (0, 1), (4, 0)]) is None


@pytest.mark.parametrize("kind", SEVENTHS)
def test_kinds_of_sevenths_are_told_apart(kind: str) -> None:
    assert sum(pattern == KINDS[kind] for pattern in KINDS.values()) == 1


def test_scales_agree_with_music21() -> None:
    theirs = {
        "major": m21scale.MajorScale, "natural minor": m21scale.MinorScale,
        "harmonic minor": m21scale.HarmonicMinorScale, "dorian": m21scale.DorianScale,
        "phrygian": m21scale.PhrygianScale, "lydian": m21scale.LydianScale,
        "mixolydian": m21scale.MixolydianScale, "melodic minor": m21scale.MelodicMinorScale,
    }  # fmt: skip
    assert set(theirs) == set(FORMS)
    for form, build in theirs.items():
        for step, alter in product(range(7), (-1, 0, 1)):
            tones = scale((step, alter), form)
            if any(abs(a) > 2 for _, a in tones):
                continue
            tonic = f"{LETTERS[step]}{_SIGNS[alter]}"
            expected = [p.name for p in build(tonic).getPitches(f"{tonic}4", f"{tonic}5")[:7]]
            assert [f"{LETTERS[s]}{_SIGNS[a]}" for s, a in tones] == expected, (tonic, form)


def test_there_are_fifteen_major_and_fifteen_minor_keys() -> None:
    assert len(keys()) == 30
    for fifths in range(-7, 8):
        for mode in ("major", "minor"):
            step, alter = tonic_of(fifths, mode)
            theirs = m21key.KeySignature(fifths).asKey(mode).tonic
            assert (LETTERS[step], alter) == (theirs.step, int(theirs.alter))


def _bar(text: str) -> list[tuple[Fraction, bool]]:
    """``8~`` is an eighth beamed to the next."""
    return [(Fraction(1, int(word.rstrip("~"))), word.endswith("~")) for word in text.split()]


@pytest.mark.parametrize(
    ("bar", "right", "wrong"),
    [
        ("8~ 8 8~ 8 8~ 8", (3, 4), (6, 8)),
        ("8~ 8~ 8 8~ 8~ 8", (6, 8), (3, 4)),
        ("4 8 4 8", (6, 8), (3, 4)),
        ("4 4 4", (3, 4), (6, 8)),
        ("2 4", (3, 4), (6, 8)),
        ("4 4 4 4", (4, 4), (3, 4)),
        ("8~ 8 4", (2, 4), (6, 8)),
    ],
)
def test_bars_of_one_length_are_told_apart_by_their_beats(
    bar: str, right: tuple[int, int], wrong: tuple[int, int]
) -> None:
    assert fits(_bar(bar), right)
    assert not fits(_bar(bar), wrong)


def test_a_bar_too_short_or_too_long_fits_nothing() -> None:
    assert not fits(_bar("4 4"), (3, 4))
    assert not fits(_bar("4 4 4 4"), (3, 4))
    assert not fits(_bar("4 4 4~"), (3, 4))


def test_the_beat_of_a_compound_meter_is_its_dotted_unit() -> None:
    assert (beat_length((6, 8)), beat_length((9, 4)), beat_length((3, 2))) == (
        Fraction(3, 8), Fraction(3, 4), Fraction(1, 2),
    )  # fmt: skip
    assert bar_length((12, 8)) == Fraction(3, 2)
