"""Worked solutions that read and count: what they read, count and sign agrees with music21."""

import re
from dataclasses import replace
from fractions import Fraction

import pytest
from music21 import converter
from music21 import interval as m21interval
from music21 import key as m21key
from music21 import pitch as m21pitch

from benchgen.problem import Problem
from benchgen.sheet_music.proof.abc_reader import read_abc
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.judges.rhythm import judge_meter
from benchgen.sheet_music.score import Note, score_of
from benchgen.task import make

ITEMS = 60
SIGNS = {-2: "double flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double sharp"}
WAYS = {"up": 1, "down": -1}


def items(task: str, level: int) -> list[Problem]:
    return [
        make(f"sheet_music/{task}", split="train", seed=3, index=index, level=level)
        for index in range(ITEMS)
    ]


def m21(words: str) -> m21pitch.Pitch:
    """Of ``"F double sharp 4"``."""
    letter, *sign, octave = words.split()
    found = m21pitch.Pitch(f"{letter}{octave}")
    alter = {name: alter for alter, name in SIGNS.items()}[" ".join(sign)]
    found.accidental = m21pitch.Accidental(alter)
    return found


def words(pitch: m21pitch.Pitch) -> str:
    """``"F double sharp"``."""
    return f"{pitch.step} {SIGNS[int(pitch.alter)]}"


def accented(problem: Problem) -> list[tuple[Note, int | None]]:
    """The accented notes, each with the sign that an earlier note at its place leaves it."""
    found = []
    earlier: dict[tuple[str, int], int] = {}
    (bar,) = score_of(problem.identity).bars
    for event in bar:
        for note in event.notes:
            if event.accent:
                found.append((note, earlier.get((note.letter, note.octave))))
            if note.sign is not None:
                earlier[note.letter, note.octave] = note.sign
    return found


def check_reading(problem: Problem, written: list[str], read: list[str]) -> None:
    """What is written, and what it is under the signature."""
    signature = m21key.KeySignature(score_of(problem.identity).fifths)
    marked = accented(problem)
    assert len(marked) == len(written) == len(read)
    for (note, earlier), as_written, as_read in zip(marked, written, read, strict=True):
        place = f"{note.letter} {note.octave}"
        if note.sign is not None:
            alter, said = note.sign, f"{place} with a {SIGNS[note.sign]}"
        elif earlier is not None:
            alter, said = earlier, f"{place} under an earlier {SIGNS[earlier]}"
        else:
            sign = signature.accidentalByStep(note.letter)
            alter, said = 0 if sign is None else int(sign.alter), place
        assert as_written == said
        assert as_read == f"{note.letter} {SIGNS[alter]} {note.octave}"


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_an_interval_is_read_as_it_is_written(level: int) -> None:
    for problem in items("interval_name", level):
        found = re.search(
            r"are written (.*) and (.*), so they are (.*) and (.*?)\. Staff", _of(problem)
        )
        assert found is not None
        check_reading(problem, list(found.group(1, 2)), list(found.group(3, 4)))
        one, other = sorted(map(m21, found.group(3, 4)), key=lambda p: p.diatonicNoteNum)
        counted = re.search(
            r"from the lower, (.), to the higher, (.): 1 (.) 0, .* (.) \d+, an? (.*)\. That",
            _of(problem),
        )
        assert counted is not None
        theirs = m21interval.Interval(one, other)
        number = theirs.niceName.lower().split()[-1]
        assert counted.groups() == (*(2 * (one.step, other.step)), number)
        signed = re.findall(r"([A-G] [a-z ]+) (below|above) (?:adds|takes) \d: (\d+)", _of(problem))
        plain = m21pitch.Pitch(f"{other.step}{other.octave}")
        assert signed == [
            (words(one), "below", str(m21interval.Interval(one, plain).semitones)),
            (words(other), "above", str(theirs.semitones)),
        ]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_the_note_of_an_interval_is_measured_from_the_given_one(level: int) -> None:
    moved = set()
    for problem in items("note_completion", level):
        found = re.search(
            r"The accented note is written (.*), so it is (.*)\. An? (.*) is (\d+) staff "
            r"positions, going (up|down) with their semitones: 1 (.) 0, (.*)\. That makes (\d+) "
            r"without signs\. (.*) (below|above) (adds|takes) (\d): (\d+)\. The (.*) one has "
            r"(\d+), (.*), so (.) (below|above) (.*): (.*)\.$",
            _of(problem),
        )
        assert found is not None, _of(problem)
        (
            written, read, number, positions, way, first, counted, bare, sign, side, does,
            by_sign, signed, quality, size, compared, letter, other_side, moves, answer,
        ) = found.groups()  # fmt: skip
        check_reading(problem, [written], [read])
        given, target = m21(read), m21(answer)
        theirs = m21interval.Interval(given, target)
        assert answer == problem.answer
        assert WAYS[way] == theirs.direction.value
        assert theirs.niceName.lower() == f"{quality} {number}"
        assert abs(theirs.semitones) == int(size)
        assert (first, counted.split()[-2], letter) == (given.step, target.step, target.step)
        assert counted.split()[-3] == positions == str(theirs.generic.undirected)
        assert counted.split()[-1] == bare
        assert sign == words(given)
        plain = [m21pitch.Pitch(f"{pitch.step}{pitch.octave}") for pitch in (given, target)]
        assert int(bare) == abs(m21interval.Interval(*plain).semitones)
        to_plain = m21pitch.Pitch(f"{target.step}{target.octave}")
        assert int(signed) == WAYS[way] * m21interval.Interval(given, to_plain).semitones
        assert int(signed) - int(bare) == int(by_sign) * (1 if does == "adds" else -1)
        assert (side, other_side) == (("below", "above") if way == "up" else ("above", "below"))
        by = int(size) - int(signed)
        assert compared == (f"{abs(by)} {'more' if by > 0 else 'less'}" if by else "as many")
        assert moves == (f"moves {way if by > 0 else _other(way)} by {abs(by)}" if by else "stays")
        assert WAYS[way] * by == int(target.alter)
        moved.add(moves)
    assert len(moved) > 2


def heard(problem: Problem) -> list[list[tuple[str, Fraction]]]:
    """Bar by bar the letters (or rests) and lengths in sixteenths that music21 finds in the ABC."""
    score = converter.parse(problem.text(), format="abc")
    return [
        [
            (event.pitches[0].step if event.pitches else "rest", 4 * Fraction(event.quarterLength))
            for event in measure.notesAndRests
        ]
        for measure in score.recurse().getElementsByClass("Measure") or [score.flatten()]
    ]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_bar_lines_are_counted_where_music21_hears_them(level: int) -> None:
    for problem in items("bar_lines", level):
        found = re.fullmatch(
            r"A bar of (\d+)/(\d+) has (\d+) sixteenths\. Adding up: (.*), a bar\. (.*), "
            r"a bar\. (.*), a bar\. So the bar lines fall (after notes (\d+), (\d+) and (\d+))\.",
            _of(problem),
        )
        assert found is not None, _of(problem)
        beats, unit, whole = map(int, found.group(1, 2, 3))
        assert f"M:{beats}/{unit}\n" in problem.text()
        assert whole == 16 * beats // unit
        (run,) = heard(problem)
        number = 0
        for bar, last in zip(found.group(4, 5, 6), found.group(8, 9, 10), strict=True):
            end = Fraction(0)
            for words in bar.split(", "):
                letter, length = run[number]
                number += 1
                end += length
                told = [str(number), letter] + ([str(end)] if end.denominator == 1 else [])
                assert words.split() == told
            assert (end, number) == (whole, int(last))
        assert found.group(7) == problem.answer


def fits_alone(problem: Problem, bar: int, meter: str) -> bool:
    """Whether the second engine finds one bar, the others unseen, beyond dispute in a meter."""
    written = read_abc(problem.text())
    alone = replace(written, bars=(written.bars[bar - 1],))
    try:
        return judge_meter(problem.question, [meter], alone) == [True]
    except Fault as fault:
        assert "can be disputed" in str(fault)
        return False


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_beats_of_a_bar_are_those_that_music21_hears(level: int) -> None:
    for problem in items("meter", level):
        found = re.fullmatch(
            r"In sixteenths, bar (\d): (.*)\. (\d) beats of (\d+) are (.*)\.", _of(problem)
        )
        assert found is not None, _of(problem)
        at, beats, size, answer = found.group(1, 3, 4, 5)
        assert problem.options is not None
        fitting = [option for option in problem.options if fits_alone(problem, int(at), option)]
        assert fitting == [answer], "the bar that is told could be another meter's"
        left = heard(problem)[int(at) - 1]
        number = 0
        for words in found.group(2).split("; "):
            said = re.fullmatch(r"beats? (.*) (?:is|are) (.*?)(?:, so (\d+))?", words)
            assert said is not None, words
            sum_of_figure = Fraction(0)
            for group in said.group(2).split(", "):
                *letters, length = group.split()
                taken, left = left[: len(letters)], left[len(letters) :]
                assert [letter for letter, _ in taken] == letters
                assert sum(lengths := [length for _, length in taken]) == int(length)
                assert len(set(lengths)) == 1
                sum_of_figure += int(length)
            count = sum_of_figure / int(size)
            assert said.group(3) in (None, str(sum_of_figure))
            first, last = number + 1, number + int(count)
            spans = {1: f"{first}", 2: f"{first} and {last}", 3: f"{first} to {last}"}
            assert said.group(1) == spans[count]
            number = last
        assert (left, number) == ([], int(beats))
        assert answer == problem.answer
        per_whole = Fraction(16, int(size))
        assert Fraction(*map(int, answer.split("/"))) == number / per_whole


def _other(way: str) -> str:
    return "down" if way == "up" else "up"


def _of(problem: Problem) -> str:
    assert problem.solution is not None
    return problem.solution
