"""DIVER's bonus: its golden numbers, its laws, and what the released code got wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from benchgen.errors import InputError
from finetune.objectives import RolloutBatch, State, prepare, resolve
from finetune.objectives.diver import bonus, share
from tests.finetune.objectives.exact import close, numbers

TEXTUAL = [0.778047739, 0.778047739, 1.0, 1.0]
FORMULA = [0.0, 0.5, 0.5, 0.0]
REWARDS = [1.0, 1.0, 1.0, 0.0]


def one_group(
    rewards: list[float] = REWARDS, textual: list[float] = TEXTUAL, formula: list[float] = FORMULA
) -> RolloutBatch:
    column = torch.zeros(len(rewards), 1, dtype=torch.float64)
    return RolloutBatch(
        logp_new=column,
        logp_old=column,
        mask=torch.ones_like(column),
        rewards=numbers(rewards),
        group=torch.zeros(len(rewards), dtype=torch.long),
        scores={
            "textual_diversity": numbers(textual),
            "formula_diversity": numbers(formula),
            "musical_diversity": numbers(formula),
        },
    )


def found(batch: RolloutBatch, step: int = 1, **settings: Any) -> Tensor:
    return prepare("diver", batch, State(step=step), **settings).advantages[:, 0]


@pytest.mark.parametrize(
    ("settings", "rewards", "expected"),
    [
        ({"diversity": "formula", "formula_cap": 0.68}, [1, 1.05, 1.05, 0],
         [0.435031, 0.531704, 0.531704, -1.498439]),
        ({"diversity": "formula"}, [1, 1.042, 1.042, 0],
         [0.445194, 0.526846, 0.526846, -1.498886]),
        ({"diversity": "textual"}, [1.077805, 1.077805, 1.091, 0],
         [0.491838, 0.491838, 0.516222, -1.499898]),
        ({}, [1.077805, 1.119805, 1.133, 0], [0.441238, 0.516832, 0.540581, -1.498651]),
        ({"diversity": "none"}, [1, 1, 1, 0], [0.499999, 0.499999, 0.499999, -1.499997]),
    ],
)  # fmt: skip
def test_advantages(settings: dict[str, Any], rewards: list[float], expected: list[float]) -> None:
    batch = one_group()
    close(batch.rewards + bonus(resolve("diver", **settings), batch, 1), rewards)
    close(found(batch, **settings), expected)


@pytest.mark.parametrize(
    ("coefficient", "expected"),
    [
        (1.0, [0.387297, -0.387297, 1.161891, -1.161891]),
        (0.1, [0.387286, -0.387286, 1.161859, -1.161859]),
        (0.001, [0.386102, -0.386102, 1.158306, -1.158306]),
        (1e-6, [0.094500, -0.094500, 0.283501, -0.283501]),
    ],
)
def test_a_tiny_gap_in_a_group_that_is_all_right_is_no_full_size_advantage(
    coefficient: float, expected: list[float]
) -> None:
    batch = one_group([1.0] * 4, formula=[0.5, 0.25, 0.75, 0.0])
    settings = {"diversity": "formula", "formula_cap": 1.0, "diversity_coef": coefficient}
    assert found(batch, **settings).tolist() == [0.0] * 4
    # Open as an option, and without a deviation as small as the bonus.
    close(found(batch, diversity_groups="all", **settings), expected)
    plain = found(batch, diversity_groups="all", advantage="group_mean", **settings)
    close(plain, [0.125 * coefficient, -0.125 * coefficient, 0.375 * coefficient,
                  -0.375 * coefficient])  # fmt: skip


def test_textual_diversity_as_released_is_for_groups_that_are_all_right() -> None:
    released = {"diversity": "textual", "textual_cap": 1.0, "diversity_groups": "all_right"}
    mixed, right = one_group(), one_group([1.0] * 4)
    chosen = resolve("diver", **released)
    assert bonus(chosen, mixed, 1).tolist() == [0.0] * 4
    close(bonus(chosen, right, 1), [0.1 * d for d in TEXTUAL])


def test_formulas_as_released_are_weighed_by_the_group_s_accuracy() -> None:
    chosen = resolve("diver", diversity="formula", diversity_by_accuracy=True)
    close(bonus(chosen, one_group(), 1), [0, 0.042 * 0.75, 0.042 * 0.75, 0])


@pytest.mark.parametrize(
    ("schedule", "steps", "expected"),
    [
        ("fading", [1, 100, 110, 125, 140, 150, 200],
         [1, 1, 0.951057, 0.707107, 0.309017, 0, 0]),
        ("cut", [1, 99, 100, 150], [1, 1, 0, 0]),
        ("rising", [1, 25, 50, 75, 99, 100], [-0.999507, -0.707107, 0, 0.707107, 0.999507, 0]),
        ("constant", [1, 1000], [1, 1]),
    ],
)  # fmt: skip
def test_schedules(schedule: str, steps: list[int], expected: list[float]) -> None:
    chosen = resolve("diver", diversity_schedule=schedule)
    close(numbers([share(chosen, step) for step in steps]), expected)


def test_a_bonus_is_never_taken_away_for_being_different() -> None:
    # The released cosine is below 0 for the first half of its steps.
    usual = resolve("diver")
    assert all(share(usual, step) >= 0 for step in range(1, 300))
    early = bonus(resolve("diver", diversity_schedule="rising"), one_group(), 10)
    assert float(early.min()) < 0 <= float(bonus(usual, one_group(), 10).min())


def test_a_wrong_reply_earns_nothing_for_being_different_and_a_right_one_stays_above_it() -> None:
    batch = one_group(textual=[0.0, 0.0, 0.0, 1.0], formula=[0.0, 0.0, 0.0, 1.0])
    assert bonus(resolve("diver"), batch, 1).tolist() == [0.0] * 4
    # The verdict decides, whatever else the reward holds.
    paid = dataclasses.replace(batch, outcome=batch.rewards, rewards=batch.rewards + 2)
    assert bonus(resolve("diver"), paid, 1).tolist() == [0.0] * 4
    shaped = found(one_group())
    assert bool((shaped[:3] > 0).all()) and float(shaped[3]) < 0


def test_more_of_it_is_worth_more_up_to_the_cap() -> None:
    chosen = resolve("diver", diversity="musical")
    rows = one_group(formula=[0.1, 0.3, 0.9, 0.9])
    first, second, third, wrong = bonus(chosen, rows, 1).tolist()
    assert 0 < first < second < third == pytest.approx(0.042) and wrong == 0


def test_rows_in_another_order_earn_the_same_and_nan_is_left_out() -> None:
    batch = one_group()
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(found(batch.rows(order)), found(batch)[order])
    nan = float("nan")
    alike = dataclasses.replace(batch, rewards=numbers([1.0, 1.0, 1.0, nan]))
    assert prepare("diver", alike).advantages[:, 0].tolist() == [0.0] * 4
    mixed = dataclasses.replace(batch, rewards=numbers([1.0, 1.0, nan, 0.0]))
    plan = prepare("diver", mixed)
    assert float(plan.advantages[2, 0]) == 0 and bool(torch.isfinite(plan.advantages).all())
    assert float(plan.advantages[1, 0]) > float(plan.advantages[0, 0]) > 0


def test_what_is_told_of_the_rewards_is_told_without_the_bonus() -> None:
    plan = prepare("diver", one_group())
    assert plan.metrics["reward"] == pytest.approx(0.75)
    mean = (0.077805 + 0.119805 + 0.133) / 4
    assert plan.metrics["diversity_bonus"] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"diversity": "wit"}, "diversity is none, textual, formula, musical, mix, not 'wit'"),
        ({"diversity_steps": [100, 0]}, "those before a bonus fades"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        resolve("diver", **settings)


def test_a_batch_without_diversities_is_refused() -> None:
    bare = dataclasses.replace(one_group(), scores={})
    with pytest.raises(InputError, match="mix needs the score formula_diversity"):
        prepare("diver", bare)
