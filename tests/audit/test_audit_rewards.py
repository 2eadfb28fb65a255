"""A reward that pays for anything but the right answer must be found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchgen.answers import score
from benchgen.audit.rewards import reward_faults
from benchgen.problem import AnswerType, Outcome, Problem, Response, Score

PROBLEM = Problem(
    id="item", task="t/x", category="x", level=1, split="test", seed=0, index=0,
    suite_version="1", question="Which?",
    options=("minor third", "major third", "minor sixth", "major sixth"),
    answer="minor sixth", answer_type=AnswerType.CHOICE, identity={}, content_key="c",
    fact_key="f", twin_group="g",
)  # fmt: skip

PROBLEMS = [
    replace(PROBLEM, id=f"item-{place}", answer=(PROBLEM.options or ())[place])
    for place in range(4)
]


def text_of(response: Response | str) -> str:
    return response if isinstance(response, str) else response.text


def given(value: bool) -> Score:
    return Score(float(value), Outcome.CORRECT if value else Outcome.WRONG)


def contains_the_answer(problem: Problem, response: Response | str) -> Score:
    return given(problem.answer in text_of(response) or f"{{{problem.target}" in text_of(response))


def last_box(problem: Problem, response: Response | str) -> Score:
    last = text_of(response).rsplit("\\boxed{", 1)[-1].split("}")[0]
    return given(last in (problem.target, problem.answer))


def ignores_the_finish_reason(problem: Problem, response: Response | str) -> Score:
    return score(problem, text_of(response))


def never_pays(problem: Problem, response: Response | str) -> Score:
    return given(False)


def pays_for_speech(problem: Problem, response: Response | str) -> Score:
    return (
        given("full marks" in text_of(response))
        if "Grader" in text_of(response)
        else (score(problem, response))
    )


def test_our_reward_has_no_fault() -> None:
    assert reward_faults(PROBLEMS) == []


@pytest.mark.parametrize(
    "scoring",
    [contains_the_answer, last_box, ignores_the_finish_reason, never_pays, pays_for_speech],
)
def test_bad_reward_is_found(scoring: Callable[[Problem, Response | str], Score]) -> None:
    assert reward_faults(PROBLEMS, scoring)
