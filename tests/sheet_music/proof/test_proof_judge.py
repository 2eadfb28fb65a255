from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from proof_items import (
    BAR_LINES,
    BARS,
    CHORD,
    COMPLETION,
    INTERVAL,
    ITEMS,
    KEY,
    METER,
    MISSING,
    ROOT,
    Item,
    row_of,
)

from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.judge import JUDGES, judge
from benchgen.sheet_music.proof.prove import CHECKS, prove


def _judge(
    task: str, question: str, options: Sequence[str], body: str, **header: str
) -> list[bool]:
    return judge(task, question, options, Item("", task, question, (), body, **header).abc)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.task}: {item.name}")
def test_a_trap_misleads_the_judge(item: Item) -> None:
    assert judge(item.task, item.question, item.options, item.abc) == [True, False, False, False]


def test_every_class_has_items_by_hand() -> None:
    assert {item.task for item in ITEMS} == set(JUDGES)
    assert all(sum(item.task == task for item in ITEMS) >= 4 for task in JUDGES)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.task}: {item.name}")
def test_a_sound_row_is_faulted_or_a_wrong_letter_passes(item: Item) -> None:
    for right, claimed in itertools.product(range(4), repeat=2):
        row = row_of(item, right) | {"target": "ABCD"[claimed]}
        faults = prove(row)
        assert bool(faults) == (right != claimed)
        assert all(fault.partition(":")[0] in CHECKS for fault in faults)


def test_enharmonic_spellings_count_as_right() -> None:
    assert _judge("interval_name", INTERVAL, ("augmented second", "minor third"),
                  "!accent!C2 !accent!^D2") == [True, False]  # fmt: skip
    assert _judge("chord_name", CHORD, ("E augmented", "C augmented"),
                  "!accent![CE^G]4") == [False, True]  # fmt: skip
    assert _judge("note_completion", COMPLETION, ("G flat 4", "F sharp 4"),
                  '"^major third up"!accent!D2') == [False, True]  # fmt: skip


def test_an_option_that_names_a_natural_is_a_chord() -> None:
    with pytest.raises(Fault, match="no kind of chord"):
        _judge("chord_name", CHORD, ("C natural major",), "!accent![CEG]4")


def test_the_octave_of_a_completing_note_is_ignored() -> None:
    assert _judge("note_completion", COMPLETION, ("C natural 5", "C natural 4"),
                  '"^minor third up"!accent!A2') == [True, False]  # fmt: skip


def test_the_direction_of_a_completing_note_is_ignored() -> None:
    assert _judge("note_completion", COMPLETION, ("D flat 5", "G natural 4"),
                  '"^minor second down"!accent!_A2 G2') == [False, True]  # fmt: skip


def test_an_ambiguous_meter_is_judged_instead_of_refused() -> None:
    body = "C3 D E2 | F3 G A2"
    with pytest.raises(Fault, match="3/4 can be disputed"):
        _judge("meter", METER, ("6/8", "3/4"), body)
    assert _judge("meter", METER, ("6/8", "2/4"), body) == [True, False]


def test_one_discriminating_bar_makes_the_whole_meter_certain() -> None:
    assert _judge("meter", METER, ("6/8", "3/4"), "C3 D E2 | CDE FGA") == [True, False]


def test_two_groupings_are_mixed_in_one_score() -> None:
    assert _judge("meter", METER, ("5/8",), "CDE FG | CD EFG") == [False]
    assert _judge("meter", METER, ("5/8",), "CDE FG | CDE FG") == [True]


def test_a_long_value_that_no_compound_beat_holds_is_accepted() -> None:
    assert _judge("meter", METER, ("6/8",), "C4 D2 | CDE FGA") == [False]


def test_four_four_and_two_two_are_told_apart_by_beams() -> None:
    assert _judge("meter", METER, ("4/4", "2/2"), "CDEF GABc") == [False, True]


def test_a_printed_meter_gives_the_answer_away() -> None:
    with pytest.raises(Fault, match="printed"):
        _judge("meter", METER, ("6/8",), "CDE FGA", meter="6/8")


def test_tones_that_fit_two_keys_pass() -> None:
    with pytest.raises(Fault, match="fit 6 of the thirty keys"):
        _judge("key_from_tones", KEY, ("C major", "A minor"), "!accent!C2 !accent!E2")


def test_a_key_beyond_seven_accidentals_is_offered() -> None:
    with pytest.raises(Fault, match="none of the thirty"):
        _judge("key_from_tones", KEY, ("G sharp major", "G minor"),
               "!accent!_B2 !accent!^F2 !accent!_E2")  # fmt: skip


def test_a_bar_that_is_the_scale_of_nothing_passes() -> None:
    odd = "C2 _D2 E2 F2 ^G2 A2 B2 c2"
    question = "Which bar holds the C major scale, beginning on any of its notes?"
    with pytest.raises(Fault, match="bar 2 is the scale of nothing"):
        _judge("scale_selection", question, ("bar 1", "bar 2"),
               f"C2 D2 E2 F2 G2 A2 B2 c2 | {odd}")  # fmt: skip


def test_a_scale_with_a_leap_passes() -> None:
    question = "Which bar holds the C major scale, beginning on any of its notes?"
    with pytest.raises(Fault, match="by step"):
        _judge("scale_selection", question, ("bar 1",), "C2 E2 D2 F2 G2 A2 B2 c2")


def test_an_incomplete_chord_has_a_root() -> None:
    with pytest.raises(Fault, match="0 roots"):
        _judge("chord_root", ROOT, ("C natural",), "!accent![CG]4")


def test_a_tone_already_shown_completes_the_chord() -> None:
    options = ("G natural", "C natural")
    assert _judge("chord_completion", MISSING, options, '"^major"!accent![CEc]4') == [True, False]


def test_the_chord_above_which_stands_no_kind_is_completed() -> None:
    with pytest.raises(Fault, match="no kind of chord"):
        _judge("chord_completion", MISSING, ("G natural",), '"^nice"!accent![CE]4')


def test_a_wrong_tone_in_the_shown_chord_is_overlooked() -> None:
    with pytest.raises(Fault, match="less one note"):
        _judge("chord_completion", MISSING, ("G natural",), '"^minor"!accent![CE]4')


@pytest.mark.parametrize(
    "body", ["!accent!C2 !accent!^C2", "!accent!^B2 !accent!c2", "!accent!^B2 !accent!_c2"]
)
def test_notes_that_stand_or_sound_alike_or_crossed_are_named(body: str) -> None:
    with pytest.raises(Fault, match="alike or crossed"):
        _judge("interval_name", INTERVAL, ("minor second",), body)


@pytest.mark.parametrize("accents", ["C2 E2", "!accent!C2 E2", "!accent!C2 !accent!E2 !accent!G2"])
def test_the_wrong_number_of_accents_passes(accents: str) -> None:
    with pytest.raises(Fault, match="accents"):
        _judge("interval_name", INTERVAL, ("major third",), accents)


@pytest.mark.parametrize("option", [
    "perfect third", "M3", "minor octave", "third", "major  third", "Major third",
])  # fmt: skip
def test_an_option_that_is_no_interval_is_merely_wrong(option: str) -> None:
    with pytest.raises(Fault, match="no interval"):
        _judge("interval_name", INTERVAL, (option,), "!accent!C2 !accent!E2")


@pytest.mark.parametrize("option", ["after note 3 and 5", "after notes 3", "notes 3 and 5",
                                    "after notes 5 and 3", "after notes 3 and 3",
                                    "after notes 3 and 6", "after notes 0 and 3"])  # fmt: skip
def test_an_option_that_is_no_barring_is_merely_wrong(option: str) -> None:
    with pytest.raises(Fault, match="no barring|lines that"):
        judge("bar_lines", BARS, (option,), BAR_LINES[0].abc)


def test_a_last_bar_that_is_not_full_is_right() -> None:
    assert _judge("bar_lines", BARS, ("after note 3",), "C2 D2 E2 F4", meter="3/4") == [False]


def test_a_rest_among_counted_notes_passes() -> None:
    with pytest.raises(Fault, match="rest"):
        _judge("bar_lines", BARS, ("after note 2",), "C4 z2 F4 G2", meter="3/4")


@pytest.mark.parametrize("task", sorted(JUDGES))
def test_another_question_is_answered_as_if_it_were_the_class_s_own(task: str) -> None:
    with pytest.raises(Fault, match="not the question"):
        _judge(task, "What is the interval between the two notes?", ("minor third",), "C2 E2")


def test_a_class_without_a_definition_is_judged() -> None:
    with pytest.raises(Fault, match="no printed definition"):
        _judge("sheet_music/cadence", "Which?", ("half",), "C2")
