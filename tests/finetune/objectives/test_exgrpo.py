"""ExGRPO's loss: its golden numbers, its laws, and what the released code got wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from benchgen.errors import InputError
from finetune.objectives import RolloutBatch, State, compute, needs_old, prepare, resolve
from finetune.objectives.exgrpo import bent
from tests.finetune.objectives.exact import close, numbers

BEHAVIOR = [[-0.20, -1.50, -0.60, -0.05], [-0.30, -0.80, -0.10, 0], [-0.40, -0.25, -0.90, -0.35],
            [-0.70, -0.15, 0, 0]]  # fmt: skip
NEW = [[-0.35, -0.50, -2.90, -0.05], [-0.28, -0.95, -0.08, 0], [-0.05, -0.25, -0.90, -0.30],
       [-1.10, -0.15, 0, 0]]  # fmt: skip
MIXED = State(step=2, mixed=True)


def fixture(**changes: Any) -> RolloutBatch:
    """Row 0 is replayed; what the policy before the step said of it is not in the loss."""
    old = numbers(BEHAVIOR)
    old[0] = -7.0
    batch = RolloutBatch(
        logp_new=numbers(NEW).requires_grad_(),
        logp_old=old,
        mask=(torch.arange(4) < torch.tensor([4, 3, 4, 2])[:, None]).double(),
        rewards=numbers([1.0, 0.0, 1.0, 0.0]),
        group=torch.zeros(4, dtype=torch.long),
        logp_behavior=numbers(BEHAVIOR),
        off_policy=torch.tensor([True, False, False, False]),
    )
    return dataclasses.replace(batch, **changes)


def found(state: State = MIXED, batch: RolloutBatch | None = None, **settings: Any) -> Tensor:
    return compute("exgrpo", batch or fixture(), state, max_length=6, **settings).loss


def test_loss_by_sequence_and_as_released() -> None:
    close(found(), -0.066022)
    close(found(aggregation="token_sum_norm"), -0.264089)
    close(found(aggregation="token_mean"), -0.121887)


def test_other_replies_are_clipped_before_any_has_joined_and_by_a_switch() -> None:
    close(found(aggregation="token_sum_norm", replay_clipped=True), -0.235027)
    close(found(State(step=1), aggregation="token_sum_norm"), -0.235027)
    # Without the bend, and clipped everywhere.
    close(found(aggregation="token_sum_norm", replay_beta=None), -0.225927)


def test_gradient() -> None:
    batch = fixture()
    found(batch=batch, aggregation="token_sum_norm").backward()
    assert batch.logp_new.grad is not None
    close(
        batch.logp_new.grad,
        [[-0.007771, -0.002852, -0.020833, -0.006887], [0.085017, 0.071726, 0.085017, 0],
         [-0.118256, -0.083333, -0.083333, -0.087606], [0.055860, 0.083333, 0, 0]],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ratio", "value"),
    [(0.01, 0.090909), (0.1, 0.5), (0.5, 0.833333), (1, 0.909091), (2, 0.952381), (10, 0.990099)],
)
def test_bent_ratios(ratio: float, value: float) -> None:
    logs = numbers([[ratio]]).log().requires_grad_()
    loss = bent(logs, numbers([[-1.0]]), 0.1)
    close(loss, [[value]])
    loss.sum().backward()
    assert logs.grad is not None
    close(logs.grad, [[0.1 * ratio / (ratio + 0.1) ** 2]])


def test_a_replayed_token_s_push_is_largest_where_the_policy_has_come_down_to_beta() -> None:
    logs = torch.linspace(-6, 3, 901, dtype=torch.float64)[None].requires_grad_()
    bent(logs, -torch.ones_like(logs), 0.1).sum().backward()
    assert logs.grad is not None
    assert float(logs.grad.max()) == pytest.approx(0.25, abs=1e-5)
    assert float(logs.detach()[0, logs.grad.argmax()].exp()) == pytest.approx(0.1, rel=0.01)


def test_the_replayed_reply_is_one_of_its_group() -> None:
    plan = prepare("exgrpo", fixture(), MIXED, max_length=6)
    close(plan.advantages[:, 0], [0.5, -0.5, 0.5, -0.5])
    alone = numbers([1.0, 0.0, 0.0, 0.0])
    plan = prepare("exgrpo", fixture(rewards=alone), MIXED, max_length=6)
    close(plan.advantages[:, 0], [0.75, -0.25, -0.25, -0.25])


def test_a_row_s_weight_hangs_on_no_width_of_a_tensor() -> None:
    batch = fixture()
    wide = {
        field.name: torch.nn.functional.pad(value, (0, 3))
        for field in dataclasses.fields(batch)
        if torch.is_tensor(value := getattr(batch, field.name)) and value.dim() == 2
    }
    close(found(batch=dataclasses.replace(batch, **wide)), -0.066022)


@pytest.mark.parametrize("name", ["dapo", "gspo", "cispo", "sapo", "rloo"])
def test_any_surrogate_takes_replayed_rows_and_leaves_the_others_as_they_are(name: str) -> None:
    batch = fixture()
    compute(name, batch, State(step=1), replay_beta=0.1).loss.backward()
    mixed, batch.logp_new.grad = batch.logp_new.grad, None
    compute(name, batch, State(step=1)).loss.backward()
    assert mixed is not None and batch.logp_new.grad is not None
    torch.testing.assert_close(mixed[1:], batch.logp_new.grad[1:])
    assert not torch.allclose(mixed[0], batch.logp_new.grad[0])


def test_engine_s_mismatch_says_nothing_of_a_replayed_row() -> None:
    sampled = numbers(BEHAVIOR)
    sampled[0] = float("nan")
    plan = prepare("exgrpo", fixture(logp_rollout=sampled), MIXED, max_length=6,
                   correction="truncate")  # fmt: skip
    assert plan.token_weights[0].tolist() == [1.0] * 4
    assert not needs_old(resolve("exgrpo", max_length=6))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"replay_beta": 0.0}, "replay_beta above 0"),
        ({"replay_share": 1.0}, "replay_share is from 0 to below 1"),
        ({"replay_candidates": 0}, "replay_candidates is 1 or more"),
        ({"replay_choice": "best"}, "replay_choice is entropy, entropy_sum, highest, newest"),
        ({"max_length": None}, "seq_mean_token_sum_norm needs max_length"),
        ({"max_length": None, "aggregation": "token_sum_norm"}, "token_sum_norm needs max_length"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        resolve("exgrpo", **{"max_length": 6, **settings})
