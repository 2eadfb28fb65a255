"""What is kept to be learned from again: whom it keeps, whom it chooses, and that it goes on."""

from __future__ import annotations

import collections
import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import benchgen
from evaluators.questions import Question
from finetune.objectives import resolve
from finetune.replay import (
    Replay,
    bucket_chances,
    drawn_counts,
    spread_surplus,
)
from finetune.replay_choice import best_reply
from finetune.rewards import Reward, correctness
from finetune.rollouts import Rollout

PROBLEMS = [
    benchgen.make("sheet_music/interval_name", split="train", index=n, level=1) for n in range(8)
]
QUESTIONS = {
    f"q{n}": Question(dataclasses.replace(problem, id=f"q{n}"), tuple(problem.messages("text")), ())
    for n, problem in enumerate(PROBLEMS, 1)
}
REWARDS = [Reward("correctness", 1.0, correctness)]


def reply(name: str, right: float, number: int, replayed: bool = False) -> Rollout:
    target = QUESTIONS[name].problem.target
    return Rollout(
        draw=0, problem=name, task="s/t", level=1, sample=number, seed=number, prompt=(1, 2),
        tokens=tuple(range(5, 6 + number)), logprobs=(-0.5,) * (number + 1),
        text=f"{number} \\boxed{{{target}}}", truncated=False, reward=right,
        parts={"correctness": right}, outcome=right, verdict="correct" if right else "wrong",
        replayed=replayed,
    )  # fmt: skip


def group(name: str, marks: str, first: int = 0) -> list[Rollout]:
    """``"1*100"``: right and replayed, right, wrong, wrong."""
    made = []
    for number, mark in enumerate(marks.replace("1*", "r")):
        made.append(reply(name, float(mark in "1r"), first + number, mark == "r"))
    return made


def kept_by(samples: int = 4, mixed: bool = True, **settings: Any) -> Replay:
    made = Replay(resolve("exgrpo", max_length=8, **settings), samples, seed=3)
    made.mixed = mixed
    return made


def noted(replay: Replay, *groups: list[Rollout], step: int = 1) -> Replay:
    for one in groups:
        replay.note([one], QUESTIONS, step)
    return replay


def counts(replay: Replay) -> dict[str, tuple[int, int]]:
    return {name: (one.count, len(one.replies)) for name, one in replay.kept.items()}


def test_golden_states_as_released() -> None:
    replay = kept_by(replay_stale=True)
    noted(replay, group("q1", "1000"))
    assert counts(replay) == {"q1": (1, 1)}
    noted(replay, group("q1", "1*100", first=10))
    assert counts(replay) == {"q1": (2, 2)}
    noted(replay, group("q1", "0000"))
    assert counts(replay) == {"q1": (2, 2)}
    noted(replay, group("q1", "1*111", first=20))
    assert counts(replay) == {} and replay.retired == {"q1"}
    noted(replay, group("q2", "1111"), group("q3", "1110"), group("q4", "0000"))
    assert counts(replay) == {"q3": (3, 3)} and replay.retired == {"q1", "q2"}


def test_no_question_keeps_a_count_that_is_no_more() -> None:
    # The released code leaves it in the bucket of a policy that is gone.
    replay = noted(kept_by(), group("q1", "1110"), group("q1", "0000"))
    assert counts(replay) == {"q1": (1, 3)}
    assert [one.question.problem.id for one in replay.choose(4, 1)] == ["q1"]


def test_a_retired_question_never_comes_back() -> None:
    replay = noted(kept_by(), group("q1", "1111"), group("q1", "1000"))
    assert counts(replay) == {} and replay.choose(8, 2) == []


def test_token_ids_are_kept_and_none_twice() -> None:
    # Texts cut of an end mark, and tokenized again, need not be the tokens that were said.
    replay = noted(kept_by(), group("q1", "1100"), group("q1", "1100"))
    assert [one.tokens for one in replay.kept["q1"].replies] == [(5,), (5, 6)]


def test_the_newest_few_are_kept() -> None:
    replay = noted(kept_by(8, replay_candidates=2), group("q1", "11110000"))
    assert [one.sample for one in replay.kept["q1"].replies] == [2, 3]


def test_a_replayed_reply_is_not_kept_once_more() -> None:
    replay = noted(kept_by(), group("q1", "1000"), group("q1", "1*000", first=30))
    assert counts(replay) == {"q1": (1, 1)}


def test_a_group_that_lacks_failed_replies_is_not_retired() -> None:
    replay = noted(kept_by(), group("q1", "11"))
    assert counts(replay) == {"q1": (2, 2)} and not replay.retired


def test_it_begins_late_and_for_good() -> None:
    replay = kept_by(mixed=False)
    noted(replay, group("q1", "1000"))
    assert not replay.mixed and counts(replay) == {} and replay.choose(8, 1) == []
    # What begins it is not kept yet, and retiring does not wait.
    replay.note([group("q2", "1100"), group("q3", "1111")], QUESTIONS, 2)
    assert replay.mixed and counts(replay) == {} and replay.retired == {"q3"}
    noted(replay, group("q1", "0000"))
    assert replay.mixed
    # What is replayed is no sign of progress.
    late = kept_by(mixed=False)
    late.note([group("q1", "1*100"), group("q2", "1*000")], QUESTIONS, 2)
    assert not late.mixed


def test_a_share_of_the_groups_is_replayed_each_question_once() -> None:
    replay = noted(kept_by(), *(group(f"q{n}", "1100") for n in range(1, 8)))
    chosen = [one.question.problem.id for one in replay.choose(8, 5)]
    assert len(chosen) == len(set(chosen)) == 4
    assert chosen == [one.question.problem.id for one in replay.choose(8, 5)]
    drawn = {tuple(one.question.problem.id for one in replay.choose(8, n)) for n in range(9)}
    assert len(drawn) > 3
    assert len(replay.choose(100, 5)) == 7
    assert noted(kept_by(replay_share=0.0), group("q1", "1100")).choose(8, 1) == []


@pytest.mark.parametrize(
    ("present", "samples", "sigma", "expected"),
    [
        (range(1, 8), 8, 1.0,
         [0.004433, 0.054006, 0.242036, 0.399050, 0.242036, 0.054006, 0.004433]),
        (range(1, 8), 8, 0.5,
         [0.000000, 0.000264, 0.106451, 0.786571, 0.106451, 0.000264, 0.000000]),
        (range(1, 8), 8, 1.5,
         [0.036633, 0.111281, 0.216745, 0.270682, 0.216745, 0.111281, 0.036633]),
        # The paper's own scale, of accuracies, is nearly flat.
        (range(1, 8), 8, 8.0,
         [0.137334, 0.142805, 0.146192, 0.147338, 0.146192, 0.142805, 0.137334]),
        ([2, 4, 7], 8, 1.0, [0.118048, 0.872262, 0.009690]),
        (range(1, 4), 4, 1.0, [0.274069, 0.451863, 0.274069]),
        ([1, 7], 8, 0.01, [0.5, 0.5]),
    ],
)  # fmt: skip
def test_chances_of_buckets(
    present: Any, samples: int, sigma: float, expected: list[float]
) -> None:
    assert bucket_chances(list(present), samples, sigma) == pytest.approx(expected, abs=1e-6)


def test_golden_surplus() -> None:
    draw = np.random.default_rng(0)
    chances = bucket_chances([2, 4, 7], 8, 1.0)
    assert spread_surplus([40, 20, 4], chances, [10, 50, 4], draw) == [10, 50, 4]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), st.integers(0, 40), st.integers(0, 99))
def test_as_many_are_drawn_as_are_wanted_and_no_more_than_there_are(
    sizes: list[int], wanted: int, seed: int
) -> None:
    wanted = min(wanted, sum(sizes))
    chances = bucket_chances(list(range(1, len(sizes) + 1)), len(sizes) + 1, 1.0)
    found = drawn_counts(wanted, chances, sizes, np.random.default_rng(seed))
    assert sum(found) == wanted
    assert all(0 <= count <= size for count, size in zip(found, sizes, strict=True))


def test_questions_half_right_are_drawn_most() -> None:
    replay = kept_by(8)
    for name, marks in (("q1", "10000000"), ("q2", "11110000"), ("q3", "11111110")):
        noted(replay, group(name, marks))
    seen = collections.Counter(
        replay.choose(2, step)[0].question.problem.id for step in range(300)
    )
    assert seen["q2"] > 270


def test_golden_entropies_choose_by_their_mean() -> None:
    # Released: the sum over other places, since pad masks are inverted and sides are confused.
    a, b = reply("q1", 1.0, 1), reply("q1", 1.0, 3)
    entropies = [0.841465, 0.569967]
    assert best_reply("entropy", [a, b], entropies) == (b, 0.569967)
    assert best_reply("entropy_sum", [a, b], entropies) == (a, 0.841465)
    assert best_reply("highest", [a, b], entropies)[0] is a
    assert best_reply("newest", [a, b], entropies)[0] is b
    assert best_reply("entropy", [a, b], [0.5, 0.5])[0] is a


def test_what_is_right_no_more_is_not_replayed() -> None:
    replay = noted(kept_by(), group("q1", "1100"), group("q2", "1000"))
    chosen = list(replay.kept.values())
    assert [len(replies) for _, replies in replay.verified(chosen, REWARDS)] == [2, 1]

    def picky(problem: Any, response: Any) -> float:
        return 0.25

    worth = replay.verified(chosen, [*REWARDS, Reward("picky", 1.0, picky)])
    assert worth[0][1][0].reward == 1.25 and worth[0][1][0].outcome == 1
    wrong = dataclasses.replace(chosen[1].replies[0], text="no answer")
    odd = [chosen[0], dataclasses.replace(chosen[1], replies=(wrong,))]
    assert [one.question.problem.id for one, _ in replay.verified(odd, REWARDS)] == ["q1"]
    assert set(replay.kept) == {"q1"}


def test_it_goes_on_from_its_state_as_json() -> None:
    replay = noted(kept_by(), group("q1", "1100"), group("q2", "1111"), group("q3", "1000"))
    nan = dataclasses.replace(reply("q4", 1.0, 2), parts={"form": math.nan})
    noted(replay, [nan, *group("q4", "000")])
    state = json.loads(json.dumps(replay.state(), allow_nan=False))
    other = kept_by(mixed=False)
    other.restore(state)
    assert other.mixed and other.retired == replay.retired
    assert json.dumps(other.state()) == json.dumps(state)
    for step in range(5):
        names = [
            [one.question.problem.id for one in each.choose(6, step)] for each in (replay, other)
        ]
        assert names[0] == names[1]
    assert other.kept["q1"].replies == replay.kept["q1"].replies
    assert other.kept["q1"].question.messages == replay.kept["q1"].question.messages
