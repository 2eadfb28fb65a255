"""What is imitated is right, and the control teaches the form alone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator

import pytest

from benchgen.answers import score
from benchgen.errors import InputError
from benchgen.problem import LETTERS, Problem, Response
from benchgen.task import list_tasks, make
from finetune.examples import imitated


def problems(count: int) -> Iterator[Problem]:
    for task in list_tasks():
        for level in (1, 2, 3, 4):
            for index in range(count):
                yield make(task, split="train", seed=5, index=index, level=level)


def worth(problem: Problem, reply: str) -> float:
    return score(problem, Response(problem.id, reply)).value


def test_a_letter_and_the_words_of_its_option_are_both_right() -> None:
    for problem in problems(3):
        for boxed, box in (("letter", problem.target), ("words", problem.answer)):
            for replies in ("solution", "answer"):
                reply = imitated(problem, replies, boxed)
                assert reply.endswith(f"\\boxed{{{box}}}")
                assert worth(problem, reply) == 1.0


def test_a_control_that_knew_the_key_would_be_none() -> None:
    places: Counter[bool] = Counter()
    for problem in problems(25):
        letter = imitated(problem, "format")
        place = LETTERS.index(letter.removeprefix("\\boxed{")[0])
        assert problem.options is not None
        assert imitated(problem, "format", "words") == f"\\boxed{{{problem.options[place]}}}"
        places[problem.options[place] == problem.answer] += 1
    share = places[True] / places.total()
    assert abs(share - 0.25) < 4 * (0.25 * 0.75 / places.total()) ** 0.5


def test_no_more_than_the_share_of_solutions_is_shown() -> None:
    shown: Counter[bool] = Counter()
    for problem in problems(25):
        reply = imitated(problem, "solution", "words", worked=0.3)
        assert reply in {imitated(problem, kind, "words") for kind in ("solution", "answer")}
        assert imitated(problem, "solution", worked=0.3).startswith(reply.partition("\\boxed")[0])
        shown[reply.startswith("\\boxed")] += 1
        if not reply.startswith("\\boxed"):
            assert reply == imitated(problem, "solution", "words", worked=0.6), "a larger share"
    share = shown[False] / shown.total()
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / shown.total()) ** 0.5


def test_words_that_the_score_does_not_take_are_not_imitated() -> None:
    problem = next(problems(1))
    assert problem.options is not None
    twice = dataclasses.replace(problem, options=(problem.answer,) * 4)
    with pytest.raises(InputError, match="does not take the words of its right option"):
        imitated(twice, "solution", "words")
    with pytest.raises(InputError, match="has no options"):
        imitated(dataclasses.replace(problem, options=None), "solution", "words")
