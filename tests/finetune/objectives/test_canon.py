"""CANON: its golden numbers, what holds of any numbers, and what the released code got wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from benchgen.errors import InputError
from finetune.objectives import RolloutBatch, State, compute, needs_old, prepare, resolve
from finetune.objectives.advantages import advantages
from finetune.objectives.canon import at_step, cosine, metric
from tests.finetune.objectives.exact import close, numbers

MakeBatch = Callable[..., RolloutBatch]

REWARDS = [1.0, 0.2, 0.0, 0.6]
ENTROPY = [0.9, 0.4, 1.3, 0.6]
LENGTHS = [120, 80, 200, 95]
ODD_REWARDS, ODD_ENTROPY = [*REWARDS, 0.8], [*ENTROPY, 0.4]

BY_TOKEN = [[0.20, 1.10, 0.05, 0.70], [0.90, 0.30, 0.60, 0], [0.50, 0.40, 0, 0],
            [0.00, 0.80, 0.85, 0]]  # fmt: skip
"""Entropies of the fixture's tokens."""


def one_group(rewards: list[float], **scores: list[float]) -> RolloutBatch:
    """Replies of a token to one prompt, and what they are sorted by."""
    column = torch.zeros(len(rewards), 1, dtype=torch.float64)
    return RolloutBatch(
        logp_new=column,
        logp_old=column,
        mask=torch.ones_like(column),
        rewards=numbers(rewards),
        group=torch.zeros(len(rewards), dtype=torch.long),
        scores={name: numbers(values) for name, values in scores.items()},
    )


def found(batch: RolloutBatch, **settings: Any) -> Tensor:
    settings = {"max_length": 8, "canon_metric": "metric", **settings}
    return advantages(resolve("canon", **settings), batch)[:, 0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.6, -0.3, -0.4, 0.1]),
        ({"canon_mu": 0.0}, [0.5, -0.2, -0.5, 0.2]),
        ({"canon_mu": 0.5}, [0.55, -0.25, -0.45, 0.15]),
        ({"canon_mu": 0.3}, [0.53, -0.23, -0.47, 0.17]),
        ({"canon_alpha": 0.9, "canon_scaled": "low"}, [0.64, -0.32, -0.36, 0.04]),
    ],
)
def test_halves_by_entropy(settings: dict[str, Any], expected: list[float]) -> None:
    close(found(one_group(REWARDS, metric=ENTROPY), **settings), expected)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.6, -0.3, -0.4, 0.1]),
        ({"canon_alpha": 0.9}, [0.5, -0.25, -0.4, 0.15]),
        ({"canon_alpha": 0.9, "canon_mu": 0.5}, [0.5, -0.225, -0.45, 0.175]),
    ],
)
def test_halves_by_length_and_its_efficient_form(
    settings: dict[str, Any], expected: list[float]
) -> None:
    close(found(one_group(REWARDS, metric=[float(n) for n in LENGTHS]), **settings), expected)
    # Those of the mask.
    batch = one_group(REWARDS)
    mask = (torch.arange(200) < torch.tensor(LENGTHS)[:, None]).double()
    wide = dataclasses.replace(batch, logp_new=0 * mask, logp_old=0 * mask, mask=mask)
    close(found(wide, canon_metric="length", **settings), expected)


@pytest.mark.parametrize(
    ("mu", "expected"),
    [
        (1.0, [0.5, -0.333333, -0.5, 0.1, 0.266667]),
        (0.5, [0.483333, -0.316667, -0.516667, 0.083333, 0.283333]),
    ],
)
def test_an_odd_reply_is_of_the_high_half(mu: float, expected: list[float]) -> None:
    close(found(one_group(ODD_REWARDS, metric=ODD_ENTROPY), canon_mu=mu), expected)


def test_replies_that_tie_are_told_apart_by_their_keys_wherever_they_lie() -> None:
    batch = one_group(REWARDS, metric=[1.0] * 4)
    close(found(batch), [0.7, -0.1, -0.6, 0.0])
    batch = dataclasses.replace(batch, row_key=torch.arange(4))
    for order in torch.randperm(4, generator=torch.Generator().manual_seed(1)), torch.arange(4):
        close(found(batch.rows(order)), numbers([0.7, -0.1, -0.6, 0.0])[order].tolist())


def test_a_reply_alone_teaches_nothing_but_as_released() -> None:
    batch = one_group([0.6], metric=[1.0])
    close(found(batch), [0.0])
    close(found(batch, canon_alone=True), [0.6])


@pytest.mark.parametrize("mu", [0.0, 0.3, 1.0])
def test_equal_rewards_teach_nothing_but_by_the_efficient_form(mu: float) -> None:
    batch = one_group([0.1] * 4, metric=ENTROPY)
    assert found(batch, canon_mu=mu).tolist() == [0.0] * 4
    ones, nothing = (one_group([value] * 4, metric=ENTROPY) for value in (1.0, 0.0))
    close(found(ones, canon_alpha=0.9), [-0.1, 0.1, -0.1, 0.1])
    assert found(nothing, canon_alpha=0.9).tolist() == [0.0] * 4


SCHEDULED = [1, 15, 29, 30, 40, 50, 69, 70, 110, 150, 190]


@pytest.mark.parametrize(
    ("schedule", "numbers_of_cosine", "expected"),
    [
        ("one_minus_cosine", (0.6, 0.0, 150, 30, 3),
         [0.96, 0.68, 0.4, 0.4, 0.487868, 0.7, 0.999075, 0.4, 0.4, 0.4, 0.4]),
        ("cosine", (1.0, 0.4, 150, 30, 3),
         [0.066667, 0.533333, 1.0, 1.0, 0.912132, 0.7, 0.400925, 1.0, 1.0, 1.0, 1.0]),
    ],
)  # fmt: skip
def test_cosines_of_the_share_between_halves(
    schedule: str, numbers_of_cosine: tuple[float, ...], expected: list[float]
) -> None:
    chosen = resolve("canon", max_length=8, canon_schedule=schedule,
                     canon_cosine=numbers_of_cosine)  # fmt: skip
    shares = [at_step(chosen, numbers(REWARDS), step).canon_mu for step in SCHEDULED]
    close(numbers(shares), expected)


def test_the_share_between_halves_follows_the_rewards() -> None:
    batch = one_group(REWARDS, metric=ENTROPY)
    settings = {"max_length": 8, "canon_metric": "metric"}
    plan = prepare("canon", batch, canon_schedule="reward", **settings)
    assert plan.metrics["canon_mu"] == pytest.approx(0.45)
    close(plan.advantages[:, 0], [0.545, -0.245, -0.455, 0.155])
    other = prepare("canon", batch, canon_schedule="one_minus_reward", **settings)
    assert other.metrics["canon_mu"] == pytest.approx(0.55)


def test_a_schedule_keeps_alpha_and_takes_the_step_that_it_is_told() -> None:
    # The released schedules drop alpha, and its plain trainer never passes the step.
    batch = one_group(REWARDS, metric=ENTROPY)
    settings = {"max_length": 8, "canon_metric": "metric", "canon_alpha": 0.9}
    cosines = {"canon_schedule": "one_minus_cosine"}
    at_ten, at_fifty = (
        prepare("canon", batch, State(step=step), **settings, **cosines) for step in (10, 50)
    )
    assert at_fifty.metrics["canon_mu"] == pytest.approx(0.7)
    assert at_ten.metrics["canon_mu"] == pytest.approx(1 - 0.6 * 11 / 30)
    expected = prepare("canon", batch, canon_mu=0.7, **settings)
    torch.testing.assert_close(at_fifty.advantages, expected.advantages)
    assert not torch.equal(
        expected.advantages,
        prepare("canon", batch, canon_mu=0.7, **{**settings, "canon_alpha": 1.0}).advantages,
    )


def test_no_half_is_preferred_by_a_number_that_is_defined_nowhere() -> None:
    # The released trainer reads ``algorithm.beta``, which no configuration of it has.
    with pytest.raises(InputError, match="unknown override 'canon_beta'"):
        resolve("canon", max_length=8, canon_beta=0.1)
    assert found(one_group([0.0] * 4, metric=ENTROPY), canon_alpha=0.5).tolist() == [0.0] * 4


def test_the_warm_up_of_the_cosine_begins_near_0() -> None:
    # "First inter, later intra" as released is intra for its first steps.
    assert cosine(1, 1.0, 0.4, 150, 30, 3) < 0.1 < 0.9 < cosine(29, 1.0, 0.4, 150, 30, 3)


@pytest.mark.parametrize(
    ("mu", "advantage", "loss"),
    [
        (1.0, [1.0, -0.75, 0.5, -0.75], 0.020922),
        (0.0, [0.25, 0.0, -0.25, 0.0], -0.015068),
        (0.5, [0.625, -0.375, 0.125, -0.375], 0.002927),
    ],
)
def test_losses(make_batch: MakeBatch, mu: float, advantage: list[float], loss: float) -> None:
    batch = make_batch(entropy=numbers(BY_TOKEN))
    output = compute("canon", batch, max_length=8, canon_mu=mu)
    close(output.advantages[:, 0], advantage)
    close(output.loss, loss)


def test_divided_by_the_longest_reply_as_in_the_loss() -> None:
    batch = one_group(REWARDS, metric=ENTROPY)
    logp = batch.logp_new.clone().requires_grad_()
    whole = compute("canon", dataclasses.replace(batch, logp_new=logp), max_length=8192,
                    canon_metric="metric")  # fmt: skip
    (gradient,) = torch.autograd.grad(whole.loss, logp)
    close(-1e3 * 4 * gradient[:, 0], [0.073242, -0.036621, -0.048828, 0.012207])


def test_an_odd_group_half_and_half_is_not_dr_grpo() -> None:
    batch = one_group(ODD_REWARDS, metric=ODD_ENTROPY)
    plain = advantages(resolve("dr_grpo", max_length=8), batch)[:, 0]
    close(plain, [0.48, -0.32, -0.52, 0.08, 0.28])
    assert not torch.allclose(found(batch, canon_mu=0.5), plain)


def test_the_fixture_s_metric(make_batch: MakeBatch) -> None:
    close(metric("entropy", make_batch(entropy=numbers(BY_TOKEN))), [0.5125, 0.6, 0.45, 0.55])


def test_a_mean_entropy_that_is_needed_beforehand_is_asked_for() -> None:
    assert needs_old(resolve("canon", max_length=8))
    assert not needs_old(resolve("canon", max_length=8, canon_metric="length"))


def test_a_metric_that_is_nan_is_refused_unless_its_row_has_no_reward() -> None:
    nan = float("nan")
    batch = one_group([1.0, nan, 0.0, 0.5], metric=[0.9, nan, 0.1, 0.2])
    # The lowest of the three is the low half.
    close(found(batch), [1.0, 0.0, -0.75, 0.5])
    with pytest.raises(InputError, match="the metric metric of a row is NaN"):
        found(one_group([1.0, 0.0, 1.0], metric=[0.1, 0.2, nan]))


REALS = st.lists(st.integers(0, 8).map(lambda n: n / 8), min_size=4, max_size=4)


@given(REALS, st.permutations([0.1, 0.2, 0.3, 0.4]), st.permutations(range(4)), st.floats(0, 1))
def test_laws_of_halves_of_one_size(
    rewards: list[float], values: list[float], order: list[int], mu: float
) -> None:
    batch = one_group(rewards, metric=values)
    mixed = found(batch, canon_mu=mu)
    # They cancel, move with their rows, and see nothing of a metric but its order.
    assert abs(float(mixed.sum())) < 1e-9
    rows = torch.tensor(order)
    torch.testing.assert_close(found(batch.rows(rows), canon_mu=mu), mixed[rows])
    steep = one_group(rewards, metric=[100 * value**3 for value in values])
    torch.testing.assert_close(found(steep, canon_mu=mu), mixed)
    # Half and half is Dr. GRPO; between and within differ by the halves' means.
    plain = advantages(resolve("dr_grpo", max_length=8), batch)[:, 0]
    torch.testing.assert_close(found(batch, canon_mu=0.5), plain)
    high = torch.tensor([value > 0.25 for value in values])
    gap = batch.rewards[high].mean() - batch.rewards[~high].mean()
    apart = found(batch, canon_mu=1.0) - found(batch, canon_mu=0.0)
    torch.testing.assert_close(apart, torch.where(high, gap, -gap))
    # A constant added changes nothing; a factor scales.
    moved = dataclasses.replace(batch, rewards=3 * (batch.rewards + 0.5))
    torch.testing.assert_close(found(moved, canon_mu=mu), 3 * mixed)
