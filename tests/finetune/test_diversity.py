"""Replies told apart by words, formulas and music, and what does not make them different."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import benchgen
from finetune.diversity import (
    bleu,
    diversities,
    formulas,
    formulas_of,
    music_of,
    musical,
    released_formulas,
    textual,
)
from finetune.objectives import Settings, resolve

GROUP = [
    "we first add the two numbers so $x=3+4$ and then we get $x=7$",
    "we first add the two numbers so $x=3+4$ and then the answer is $7$",
    "let us count up from four by three steps giving $4+1+1+1$ hence $x=7$",
    "guess the answer is ten",
]
RIGHT = [True, True, True, False]
KINDS = [textual, formulas, musical]


def solution(task: str, index: int) -> str:
    found = benchgen.make(f"sheet_music/{task}", split="train", seed=0, index=index, level=2)
    assert found.solution is not None
    return found.solution


def test_released_golden_numbers() -> None:
    close = pytest.approx([0.778048, 0.778048, 1.0, 1.0], abs=1e-6)
    assert textual(GROUP, RIGHT, released=True) == close
    assert formulas(GROUP, RIGHT, released=True) == [0.0, 0.5, 0.5, 0.0]
    one, other = (GROUP[place].split() for place in (0, 1))
    assert (bleu(one, other) + bleu(other, one)) / 2 == pytest.approx(0.665857, abs=1e-6)


@pytest.mark.parametrize(
    ("reference", "reply", "expected"),
    [
        ("a b c d e", "a b c d e", 1.0),
        ("a b c d", "a b c d", 1e-117),
        ("a b c d e f g h", "a b c d x f g h", 7e-118),
        ("a b c", "", 0.0),
        ("", "a b c", 0.0),
    ],
)
def test_bleu_as_released_is_nothing_without_five_words_in_common(
    reference: str, reply: str, expected: float
) -> None:
    found = bleu(reference.split(), reply.split())
    assert found == pytest.approx(expected, rel=0.5, abs=1e-130)


@pytest.mark.parametrize(
    ("text", "released", "ours"),
    [
        ("$$x=1$$", {""}, {"x=1"}),
        (r"\(f(x)=2\)", set(), {"f(x)=2"}),
        (r"\[a[1]=2\]", set(), {"a[1]=2"}),
        ("$x = 1$ and $x=1$", {"x = 1", "x=1"}, {"x=1"}),
        (r"it costs \$5 and $y$", {"5 and "}, {"y"}),
        (r"\boxed{3}", set(), set()),
        ("$ $", {" "}, set()),
    ],
)
def test_formulas_are_found_whole_and_whatever_their_spaces(
    text: str, released: set[str], ours: set[str]
) -> None:
    assert released_formulas(text) == released
    assert formulas_of(text) == ours


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_that_others_gave_and_a_wrong_or_lone_one_are_not_diverse(kind: object) -> None:
    one = "B flat, D, F and G sharp: $a=1$ and $b=2$ and so the answer is here"
    other = "count E 2, F 2, A 4 and C 8: $c=3$ and $d=4$ so that is what it has to be"
    assert kind([one, one], [True, True]) == [0.0, 0.0]
    assert kind([one, other], [True, False]) == [0.0, 0.0]
    assert kind([one], [True]) == [0.0]
    assert min(kind([one, other], [True, True])) > 0.5


@pytest.mark.parametrize(
    ("kind", "one", "other", "expected"),
    [
        (
            textual, "a b c d e f", "a b c d e g",
            1 - (5 / 6) ** 0.02 * (4 / 5) ** 0.1 * (3 / 4) ** 0.15 * (2 / 3) ** 0.25 * 0.5**0.38,
        ),
        # Of the smaller one all is in the other but its last word.
        (
            textual, "a b c d e z", "a b c d e f g h i j",
            1 - (5 / 6) ** 0.02 * (4 / 5) ** 0.1 * (3 / 4) ** 0.15 * (2 / 3) ** 0.25 * 0.5**0.38,
        ),
        (formulas, "$a$ $b$ $c$", "$a$ $b$ $d$", 1 / 3),
        (formulas, "$a$ $b$ $c$", "$a$ $d$ $e$ $f$", 2 / 3),
        (musical, "C, D, E, F", "C, D, E, G", 1 - (3 / 4 + 2 / 3 + 1 / 2) / 3),
        # Lengths apart from pitches: alike in one, half alike in the other.
        (musical, "C 1, D 2, E 3, F 4", "C 1, D 2, E 4, F 3",
         1 - (1 + (1 + 1 / 3 + 0) / 3) / 2),
    ],
)  # fmt: skip
def test_replies_that_are_partly_alike(
    kind: Any, one: str, other: str, expected: float
) -> None:
    assert kind([one, other], [True, True]) == pytest.approx([expected, expected])


GARBAGE = st.text(alphabet="qwz $=1A#2b\n", max_size=60)


@given(GARBAGE, GARBAGE, st.integers(0, 2))
def test_garbage_around_another_s_reply_does_not_make_it_diverse(
    before: str, behind: str, place: int
) -> None:
    texts = [solution("bar_lines", 3), solution("chord_name", 3), GROUP[0]]
    # What would open a formula, or end a note's name, in the copy itself is another text.
    copy = f"{before.replace('$', '')} . {texts[place]} . {behind.replace('$', '')}"
    for kind in KINDS:
        assert kind([*texts, copy], [True] * 4)[3] == pytest.approx(0.0, abs=1e-12)


def test_a_garbage_prefix_is_worth_nothing_though_the_released_code_pays_for_it() -> None:
    garbage = " ".join(f"w{n}" for n in range(400))
    texts = [GROUP[0], f"{garbage} {GROUP[0]}"]
    assert textual(texts, [True, True], released=True)[1] > 0.99
    assert textual(texts, [True, True]) == [0.0, 0.0]


def test_formulas_that_say_nothing_are_worth_nothing_though_the_released_code_pays_for_them() -> (
    None
):
    texts = [GROUP[0], GROUP[0] + " $q=1$ $q=2$ $q=3$", GROUP[0].replace("=", " = ")]
    assert formulas(texts, [True] * 3, released=True) == [0.0, 0.6, 1.0]
    assert formulas(texts, [True] * 3) == [0.0, 0.0, 0.0]


def test_a_reply_of_a_word_is_not_diverse_though_the_released_code_says_so() -> None:
    texts = [GROUP[0], "seven"]
    assert textual(texts, [True, True], released=True) == [1.0, 1.0]
    assert textual(texts, [True, True]) == [0.0, 0.0]
    assert formulas(["$x$", *GROUP], [True] * 5)[0] == 0.0


@pytest.mark.parametrize(
    ("text", "pitches", "lengths"),
    [
        ("G, B and D", [7, 11, 2], []),
        ("A flat, Bb, C#4, F-sharp, E double sharp", [8, 10, 1, 6, 6], []),
        ("A bar of notes: A, then A natural", [9, 9], []),
        ("1 G 3, 2 B 4, 3 B 7", [7, 11, 11], [3, 4, 7]),
        ("a dotted quarter, an eighth", [], [(True, "quarter"), (False, "eighth")]),
        ("Because Dogs Can", [], []),
        ("```abc\nX:1\nK:C\n\"Am\"G,,3/2^B,,/2 z2 [C__E]4\n```", [7, 0, 0, 2],
         ["3/2", "/2", "2", "", ""]),
        (r"so it is \boxed{C}", [], []),
        ("C flat, B sharp", [11, 0], []),
    ],
)  # fmt: skip
def test_music_is_read_out_of_a_reply(
    text: str, pitches: list[int], lengths: list[object]
) -> None:
    assert music_of(text) == (pitches, lengths)


def test_solutions_of_other_pieces_are_musically_different_and_of_the_same_are_not() -> None:
    same = solution("meter", 1)
    found = musical([same, same.replace("sixteenths", "parts"), solution("meter", 2)], [True] * 3)
    assert found[:2] == [0.0, 0.0] and found[2] > 0.3


def test_an_objective_asks_for_what_its_bonus_is_made_of() -> None:
    def names(objective: Settings) -> set[str]:
        return set(diversities(objective, GROUP, RIGHT, [0] * 4))

    assert names(resolve("diver")) == {"textual_diversity", "formula_diversity"}
    assert names(resolve("diver", diversity="musical")) == {"musical_diversity"}
    assert names(resolve("dapo")) == set()


def test_replies_are_held_against_those_to_their_own_prompt_wherever_they_lie() -> None:
    released = resolve("diver", diversity="formula", diversity_released=True)
    texts = [text for text in GROUP for _ in range(2)]
    right = [verdict for verdict in RIGHT for _ in range(2)]
    found = diversities(released, texts, right, [5, 2] * 4)["formula_diversity"]
    assert found[::2] == found[1::2] == [0.0, 0.5, 0.5, 0.0]
