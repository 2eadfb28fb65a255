"""Fresh questions never run out, are never of the test split, and come where they teach."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import pytest

from benchgen.errors import InputError
from benchgen.seeding import split_of
from benchgen.task import capacity
from finetune.curriculum import LEAST, Curriculum, curriculum
from finetune.rollouts import Rollout

EASY, HARD, HALF = (("sheet_music/interval_name", level) for level in (1, 2, 3))


def some(cell: tuple[str, int], outcomes: list[float]) -> list[Rollout]:
    return [
        Rollout(
            draw=0, problem="p", task=cell[0], level=cell[1], sample=n, seed=n, prompt=(1,),
            tokens=(2,), logprobs=(-1.0,), text="", truncated=False, reward=outcome, parts={},
            outcome=outcome, verdict="wrong",
        )
        for n, outcome in enumerate(outcomes)
    ]  # fmt: skip


def made(adaptive: bool = True, seed: int = 3) -> Curriculum:
    return Curriculum((EASY, HARD, HALF), modality="text", seed=seed, adaptive=adaptive)


def measured() -> Curriculum:
    found = made()
    for _ in range(40):
        found.note([some(EASY, [1.0] * 8), some(HARD, [0.0] * 8), some(HALF, [1.0, 0.0] * 4)])
    return found


def test_cells_come_as_often_as_they_teach_and_none_is_given_up() -> None:
    found = measured()
    rates, weights = found.pass_rates(), found.weights()
    assert rates[EASY] > 0.95 and rates[HARD] < 0.05
    assert rates[HALF] == pytest.approx(0.5, abs=0.01)
    assert math.fsum(weights.values()) == pytest.approx(1)
    assert weights[EASY] == pytest.approx(weights[HALF] * LEAST, rel=1.0)
    assert weights[EASY] >= weights[HALF] * LEAST and weights[HARD] >= weights[HALF] * LEAST
    drawn = Counter(q.problem.level for q in found.take(0, 300))
    assert drawn[3] > 200 and min(drawn.values()) > 5


def test_what_is_not_measured_is_asked_first_and_failed_replies_measure_nothing() -> None:
    found = made()
    found.note([some(EASY, [math.nan] * 50)])
    assert set(found.pass_rates().values()) == {0.5}
    found.note([some(EASY, [1.0] * 50)])
    assert found.weights()[EASY] < found.weights()[HARD] == found.weights()[HALF]


def test_an_even_mix_stays_even_whatever_is_answered() -> None:
    found = made(adaptive=False)
    found.note([some(EASY, [1.0] * 500)])
    assert set(found.weights().values()) == {1 / 3}


def test_measurements_fade_as_the_policy_moves() -> None:
    found = made()
    found.note([some(EASY, [0.0] * 1000)])
    assert found.pass_rates()[EASY] < 0.05
    found.note([some(EASY, [1.0] * 256)])
    assert found.pass_rates()[EASY] > 0.6


def test_a_run_that_goes_on_draws_what_it_would_have_drawn() -> None:
    whole, first = measured(), measured()
    expected = [q.problem.id for q in whole.take(0, 40)]
    begun = [q.problem.id for q in first.take(0, 15)]
    going_on = made()
    going_on.restore(json.loads(json.dumps(first.state())))
    assert begun + [q.problem.id for q in going_on.take(15, 25)] == expected
    assert len(set(expected)) == 40
    assert [q.problem.id for q in made(seed=4).take(0, 40)] != expected


def test_a_cell_that_is_used_up_goes_on_with_other_items_of_the_train_split() -> None:
    cell = ("sheet_music/interval_name", 1)
    found = Curriculum((cell,), modality="text", seed=1)
    limit = capacity(*cell, "train")
    found.restore({"cells": [[*cell, limit - 2, 0.0, 0.0]]})
    problems = [q.problem for q in found.take(0, 4)]
    assert [p.index for p in problems] == [limit - 2, limit - 1, 0, 1]
    assert len({p.seed for p in problems}) == 2
    assert {split_of(p.content_key) for p in problems} == {"train"}


def test_pictures_are_asked_as_pictures() -> None:
    (question,) = Curriculum((EASY,), modality="image", seed=0).take(0, 1)
    assert question.images == question.problem.images()


def test_cells_are_chosen_as_in_synth() -> None:
    found = curriculum(
        "sheet_music", ["meter", "chord_root"], [2, 1], modality="text", seed=0, adaptive=True
    )
    assert sorted(found.pass_rates()) == [
        ("sheet_music/chord_root", 1), ("sheet_music/chord_root", 2),
        ("sheet_music/meter", 1), ("sheet_music/meter", 2),
    ]  # fmt: skip
    for changes, said in (
        ({"suite": "opera"}, "opera"),
        ({"tasks": ["aria"]}, "unknown task"),
        ({"levels": [9]}, "no level 9"),
        ({"modality": "smell"}, "modality is text, image, both"),
    ):
        asked = {"suite": "sheet_music", "tasks": [], "levels": [], "modality": "text"} | changes
        with pytest.raises(InputError, match=said):
            curriculum(**asked, seed=0, adaptive=True)  # type: ignore[arg-type]


def test_a_curriculum_with_nothing_to_choose_is_refused() -> None:
    words: dict[str, Any] = {"modality": "text", "seed": 0}
    with pytest.raises(InputError, match="chooses among two or more"):
        curriculum("sheet_music", ["interval_name"], [1], adaptive=True, **words)
    assert curriculum("sheet_music", ["interval_name"], [1], adaptive=False, **words)
