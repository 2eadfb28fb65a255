"""Rewards add up, say nothing where they know nothing, and are checked before they teach."""

from __future__ import annotations

import math

import pytest

import benchgen
from benchgen.errors import InputError
from benchgen.problem import Outcome, Problem, Response
from finetune.rewards import (
    Reward,
    check_rewards,
    correctness,
    form,
    judge,
    parse_reward,
    soft_overlong,
)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return benchgen.make("sheet_music/interval_name", split="train", index=3, level=1)


def nothing(problem: Problem, response: Response) -> None:
    return None


def reply(text: str, finish_reason: str = "stop", tokens: int = 4) -> Response:
    return Response("a", text, finish_reason=finish_reason, token_ids=tuple(range(tokens)))


def test_parts_are_weighed_and_what_is_unknown_is_left_out(problem: Problem) -> None:
    rewards = [Reward("a", 1.0, correctness), Reward("b", 0.5, form), Reward("c", 9.0, nothing)]
    right = judge(rewards, problem, reply(f"\\boxed{{{problem.target}}}"))
    assert (right.reward, right.outcome, right.verdict) == (1.5, 1.0, Outcome.CORRECT)
    assert math.isnan(right.parts["c"])
    assert judge(rewards, problem, reply("no idea")).reward == 0.0
    cut = judge(rewards, problem, reply(f"\\boxed{{{problem.target}}}", "length"))
    assert (cut.reward, cut.outcome, cut.verdict) == (0.0, 0.0, Outcome.TRUNCATED)


def test_a_reply_that_failed_is_worth_nothing_that_is_known(problem: Problem) -> None:
    failed = Response("a", "", finish_reason="error", error="it broke")
    found = judge([Reward("a", 1.0, correctness)], problem, failed)
    assert math.isnan(found.reward) and math.isnan(found.outcome)


@pytest.mark.parametrize(
    ("tokens", "penalty"), [(16, 0.0), (17, -0.25), (19, -0.75), (20, -1.0), (22, -1.0)]
)
def test_overlong_replies_are_held_back_softly(
    problem: Problem, tokens: int, penalty: float
) -> None:
    assert soft_overlong(20, 4)(problem, reply("", tokens=tokens)) == penalty


def test_rewards_are_named_with_their_weights() -> None:
    assert parse_reward("correctness", 9) == Reward("correctness", 1.0, correctness)
    assert parse_reward("form=0.25", 9) == Reward("form", 0.25, form)
    found = parse_reward("finetune.rewards:form=2", 9)
    assert (found.name, found.weight, found.function) == ("finetune.rewards:form", 2.0, form)


def test_the_penalty_of_long_replies_goes_by_the_longest_that_is_sampled(problem: Problem) -> None:
    found = parse_reward("overlong:4=0.5", 20)
    assert (found.name, found.weight) == ("overlong:4", 0.5)
    assert [found.function(problem, reply("", tokens=n)) for n in (16, 18, 20)] == [0, -0.5, -1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("form=heavy", "weight is a number"),
        ("form=nan", "weight is a number"),
        ("beauty", "a reward is correctness, form, overlong:TOKENS or module:function"),
        ("overlong:many", "overlong:TOKENS, not 'overlong:many'"),
        ("overlong:10", "the last tokens of 9 are from 1 to as many, not 10"),
        ("no_such_module:f", "No module named"),
        ("finetune.rewards:beauty", "has no attribute"),
    ],
)
def test_what_is_no_reward_is_said_in_a_line(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_reward(text, 9)


def test_a_reward_that_does_not_prefer_the_right_reply_is_refused(problem: Problem) -> None:
    check_rewards([Reward("a", 1.0, correctness)], [problem])
    for rewards, said in (
        ([], "nothing to be rewarded for"),
        ([Reward("a", -1.0, correctness)], "earns -1, an empty one"),
        ([Reward("a", 1.0, nothing)], "earns nan"),
    ):
        with pytest.raises(InputError, match=said):
            check_rewards(rewards, [problem])
