"""Every objective equals the number that others' code was run to reproduce, to 1e-6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from finetune.objectives import RolloutBatch, compute, resolve
from finetune.objectives.advantages import advantages, discounted_returns, gae, whiten
from finetune.objectives.batch import masked_mean
from finetune.objectives.ratios import log_ratio
from finetune.objectives.regularizers import kl_estimate, value_loss
from finetune.objectives.surrogates import surrogate
from finetune.objectives.token_weights import correction, on_policy_rows
from tests.finetune.objectives.exact import close, numbers

MakeBatch = Callable[..., RolloutBatch]


@pytest.mark.parametrize(
    ("name", "overrides", "expected"),
    [
        ("grpo", {}, [1.305580, -0.783348, 0.261116, -0.783348]),
        ("grpo", {"std_eps": 1e-4}, [1.305310, -0.783186, 0.261062, -0.783186]),
        ("grpo", {"std_eps": 1e-4, "std_ddof": 0}, [1.507193, -0.904316, 0.301439, -0.904316]),
        ("dr_grpo", {"max_length": 8}, [0.625, -0.375, 0.125, -0.375]),
        ("rloo", {}, [0.833333, -0.5, 0.166667, -0.5]),
        ("rloo", {"reward_kl_coef": 0.05}, [0.825833, -0.4575, 0.169167, -0.5375]),
        ("opo", {}, [0.583333, -0.416667, 0.083333, -0.416667]),
        ("dapo", {"advantage": "pass_at_k"}, [0.5, 0.0, 0.0, 0.0]),
        ("gpg", {}, [1.25, -0.75, 0.25, -0.75]),
        ("reinforce", {}, [1.0, 0.0, 0.5, 0.0]),
        ("reinforce_pp_baseline", {}, [1.244528, -0.888949, 0.177790, -0.888949]),
        ("reinforce_pp", {"reward_kl_coef": 0.0}, [1.244528, -0.888949, 0.177790, -0.888949]),
    ],
)
def test_advantages(
    make_batch: MakeBatch, name: str, overrides: dict[str, Any], expected: list[float]
) -> None:
    close(advantages(resolve(name, **overrides), make_batch())[:, 0], expected)


def test_advantages_scaled_by_the_batch(make_batch: MakeBatch) -> None:
    one = make_batch()
    rewards = torch.cat([one.rewards, numbers([1.0, 1.0, 1.0, 0.0])])
    both = one.rows(torch.tensor([0, 1, 2, 3, 0, 1, 2, 3]))
    both = RolloutBatch(
        both.logp_new, both.logp_old, both.mask, rewards, torch.tensor([7, 7, 7, 7, 2, 2, 2, 2])
    )
    found = advantages(resolve("lite_ppo"), both)[:, 0]
    close(found[:4], [1.261058, -0.756635, 0.252212, -0.756635])
    close(found[4:], [0.504423, 0.504423, 0.504423, -1.513270])


@pytest.mark.parametrize(
    ("unbiased", "expected"),
    [
        (True, [[1.242549, 1.244684, 1.242549, 1.245751], [-0.875796, -0.876863, -0.881132, 0],
                [0.178574, 0.181776, 0, 0], [-0.901409, -0.902476, -0.898207, 0]]),
        (False, [[1.297800, 1.300030, 1.297800, 1.301144], [-0.914739, -0.915854, -0.920313, 0],
                 [0.186515, 0.189859, 0, 0], [-0.941490, -0.942605, -0.938147, 0]]),
    ],
)  # fmt: skip
def test_whitened_returns_with_a_divergence_in_the_reward(
    make_batch: MakeBatch, unbiased: bool, expected: object
) -> None:
    settings = resolve("reinforce_pp", whiten_unbiased=unbiased)
    close(advantages(settings, make_batch()), expected)


def test_returns_are_discounted(make_batch: MakeBatch) -> None:
    batch = make_batch()
    last = torch.zeros(4, 4).double()
    last[range(4), [3, 2, 1, 2]] = batch.rewards
    found = discounted_returns(last, batch.mask, 0.9)
    close(found, [[0.729, 0.81, 0.9, 1.0], [0, 0, 0, 0], [0.45, 0.5, 0, 0], [0, 0, 0, 0]])


def test_generalized_advantages() -> None:
    rewards, values = numbers([[0.0, 0.0, 1.0]]), numbers([[0.2, 0.5, 0.7]])
    mask = torch.ones(1, 3).double()
    found = gae(rewards, values, mask, 1.0, 0.95)
    close(found, [[0.76075, 0.485, 0.3]])
    close(found + values, [[0.96075, 0.985, 1.0]])
    close(whiten(found, mask, True), [[1.058830, -0.130467, -0.928363]])
    close(gae(rewards, values, mask, 1.0, 1.0), [[0.8, 0.5, 0.3]])


def test_generalized_advantages_pass_over_what_the_policy_did_not_say() -> None:
    mask = numbers([[1, 0, 0, 1, 1, 0]])
    rewards, values = numbers([[0, 9, 9, 0, 1.0, 9]]), numbers([[0.2, 9, 9, 0.5, 0.7, 9]])
    found = gae(rewards, values, mask, 1.0, 0.95)
    close(found, [[0.76075, 0, 0, 0.485, 0.3, 0]])


def test_critic_s_loss_is_clipped() -> None:
    values, before, returns = numbers([0.9, 0.1]), numbers([0.5, 0.5]), numbers([1.0, 1.0])
    close(value_loss(values, before, returns, 0.2).mean(), 0.225)


LOSSES = [
    ("grpo", {}, 0.156347),
    ("grpo", {"aggregation": "token_mean"}, 0.069703),
    ("grpo", {"dual_clip": 3.0}, 0.112656),
    ("grpo", {"kl_coef": 0.04}, 0.158457),
    ("grpo", {"kl_coef": 0.04, "kl_ratio": True}, 0.161230),
    ("dr_grpo", {"max_length": 8}, 0.012513),
    ("dr_grpo", {"max_length": 4}, 0.025026),
    ("dr_grpo", {"aggregation": "seq_mean_token_sum"}, 0.100103),
    ("dapo", {}, 0.059996),
    ("dapo", {"dual_clip": 3.0}, 0.016305),
    ("dapo", {"mask_truncated": True}, 0.763346),
    ("dapo", {"mask_truncated": True, "count_truncated": True}, 0.508897),
    ("dapo", {"correction": "truncate"}, -0.215290),
    ("dapo", {"correction": "sequence_mask", "correction_high": 2.5}, 0.299630),
    ("dapo", {"off_policy_delta": 0.05}, -0.121142),
    ("gspo", {"clip_low": 0.2, "clip_high": 0.28}, 0.063043),
    ("gspo", {}, 0.101012),
    ("gspo_token", {}, 0.101012),
    ("gspo", {"clip_low": 0.2, "clip_high": 0.28, "aggregation": "token_mean"}, -0.027643),
    ("luspo", {}, -0.082929),
    ("cispo", {}, -0.002901),
    ("cispo", {"cispo_low": 0.8, "cispo_high": 1.28}, 0.091434),
    ("cispo", {"cispo_high": 1.28}, 0.092464),
    ("cispo", {"cispo_high": 0.2}, 0.010140),
    ("rloo", {}, 0.236905),
    ("rloo", {"ratio": "token", "aggregation": "token_mean"}, 0.044490),
    ("rloo", {"ratio": "token", "aggregation": "token_mean", "dual_clip": 3.0}, 0.016603),
    ("reinforce_pp", {}, 0.178262),
    ("reinforce_pp", {"dual_clip": 3.0}, 0.129117),
    ("reinforce_pp_baseline", {}, 0.180274),
    ("sapo", {}, 0.026466),
    ("gmpo", {}, 0.063043),
    ("gpg", {}, 0.048542),
    ("vespo", {}, 0.103627),
    ("dro", {}, 0.059891),
    ("clip_cov",
     {"clip_high": 0.28, "cov_low": 0.3, "cov_high": 5.0, "select_share": 1.0}, 0.207391),
    ("kl_cov", {"select_share": 2 / 12}, 0.058087),
    ("dapo", {"surrogate": "dppo_tv"}, -0.105166),
    ("cpgd", {"drift_coef": 0.0}, 0.069340),
]  # fmt: skip


@pytest.mark.parametrize(("name", "overrides", "expected"), LOSSES)
def test_losses(
    make_batch: MakeBatch, name: str, overrides: dict[str, Any], expected: float
) -> None:
    close(compute(name, make_batch(), **overrides).loss, expected)


def test_geometric_mean_of_held_ratios_far_from_the_old_policy(make_batch: MakeBatch) -> None:
    close(compute("gmpo", make_batch(moved=2.0)).loss, 0.245215)


def test_reinforce_on_the_policy_that_sampled(make_batch: MakeBatch) -> None:
    found = compute("reinforce", make_batch(moved=0.0), advantage="leave_one_out").loss
    close(found, 0.020833)


def test_dppo_of_ratios_with_a_quadratic_penalty(make_batch: MakeBatch) -> None:
    batch = make_batch()
    settings = resolve("dapo", advantage="group_mean", surrogate="dppo_tv", dppo_high=0.2,
                       dppo_low=0.2)  # fmt: skip
    advantage = advantages(settings, batch)
    # What verl weighs by a constant ratio prime-rl differentiates: the values differ by logp.
    there = torch.where(batch.mask > 0, batch.logp_new, torch.ones_like(batch.logp_new))
    kept = surrogate(settings, batch, advantage) / there
    penalty = 1e-3 * (batch.logp_new - batch.logp_old) ** 2
    close(masked_mean(kept + penalty, batch.mask), 0.016023)


def test_policy_drift(make_batch: MakeBatch) -> None:
    found = compute("cpgd", make_batch(), drift_coef=1.0)
    assert found.metrics["drift"] == pytest.approx(0.136175, abs=1e-6)
    close(found.loss, 0.069340 + 0.136175)


NEAR = [[1e-3, 2e-3, -5e-4, 3e-4], [-2e-3, 5e-4, 3e-4, 0], [4e-4, -2e-4, 0, 0],
        [1e-3, 5e-4, -3e-4, 0]]  # fmt: skip

GRADIENTS = [
    ("grpo", {}, [[-0.090181, 0, -0.060450, -0.081599], [0, 0.083820, 0.239528, 0],
                  [0, -0.031048, 0, 0], [0.059067, 0.068626, 0.053446, 0]]),
    ("dr_grpo", {"max_length": 8},
     [[-0.021585, 0, -0.014469, -0.019531], [0, 0.015047, 0.043000, 0], [0, -0.003716, 0, 0],
      [0.010604, 0.012320, 0.009595, 0]]),
    ("dapo", {}, [[-0.120241, 0, -0.080600, -0.108798], [0, 0.083820, 0.239528, 0],
                  [-0.027114, -0.020698, 0, 0], [0.059067, 0.068626, 0.053446, 0]]),
    ("gspo", {"clip_low": 0.2, "clip_high": 0.28},
     [[-0.085782] * 4, [0.099021, 0.099021, 0.099021, 0], [-0.035535, -0.035535, 0, 0],
      [0.060060, 0.060060, 0.060060, 0]]),
    ("gspo", {}, [[0.0] * 4, [0.099021, 0.099021, 0.099021, 0], [0.0] * 4, [0.0] * 4]),
    ("gspo_token", {}, [[0.0] * 4, [0.099021, 0.099021, 0.099021, 0], [0.0] * 4, [0.0] * 4]),
    ("cispo", {"cispo_low": 0.8, "cispo_high": 1.28},
     [[-0.120241, -0.139262, -0.087039, -0.108798], [0.052223, 0.083557, 0.083557, 0],
      [-0.027114, -0.020698, 0, 0], [0.059067, 0.068626, 0.053446, 0]]),
    ("cispo", {}, [[-0.120241, -0.162308, -0.080600, -0.108798],
                   [0.048360, 0.083820, 0.239528, 0], [-0.027114, -0.020698, 0, 0],
                   [0.059067, 0.068626, 0.053446, 0]]),
    ("cispo", {"cispo_high": 1.28},
     [[-0.120241, -0.139262, -0.080600, -0.108798], [0.048360, 0.083557, 0.083557, 0],
      [-0.027114, -0.020698, 0, 0], [0.059067, 0.068626, 0.053446, 0]]),
    ("rloo", {}, [[0.0] * 4, [0.436293, 0.436293, 0.436293, 0], [-0.049388, -0.049388, 0, 0],
                  [0.0] * 4]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "overrides", "expected"), GRADIENTS)
def test_gradients(
    make_batch: MakeBatch, name: str, overrides: dict[str, Any], expected: object
) -> None:
    batch = make_batch()
    compute(name, batch, **overrides).loss.backward()
    close(batch.logp_new.grad, expected)


@pytest.mark.parametrize("name", ["gspo", "gspo_token"])
def test_sequence_ratios_near_the_old_policy(make_batch: MakeBatch, name: str) -> None:
    batch = make_batch(moved=0.0)
    logp = (batch.logp_old + numbers(NEAR)).requires_grad_()
    batch = make_batch(logp_new=logp)
    found = compute(name, batch).loss
    torch.testing.assert_close(found, numbers(-0.00011749), atol=1e-8, rtol=0)
    found.backward()
    close(logp.grad, [[0.0] * 4, [0.0] * 4, [-0.032643, -0.032643, 0, 0],
                      [0.065305, 0.065305, 0.065305, 0]])  # fmt: skip


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("sequence_geometric", [1.051271, 1.516897, 1.088717, 0.920044]),
        ("sequence_product", [1.221403, 3.490343, 1.185305, 0.778801]),
    ],
)
def test_ratios_of_sequences(make_batch: MakeBatch, level: str, expected: list[float]) -> None:
    close(torch.exp(log_ratio(level, make_batch()))[:, 0].detach(), expected)


@pytest.mark.parametrize(
    ("estimate", "mean"), [("k1", 0.110000), ("k2", 0.058933), ("k3", 0.050304)]
)
def test_divergences(make_batch: MakeBatch, estimate: str, mean: float) -> None:
    batch = make_batch()
    assert batch.logp_ref is not None
    found = kl_estimate(estimate, batch.logp_new.detach(), batch.logp_ref)
    close(masked_mean(found, batch.mask), mean)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"correction": "truncate"},
         [[1.051271, 2, 1.051271, 1], [0.904837, 1.105171, 0.449329, 0], [1, 1.051271, 0, 0],
          [1.221403, 1, 0.818731, 0]]),
        ({"correction": "mask"},
         [[1.051271, 0, 1.051271, 1], [0.904837, 1.105171, 0.449329, 0], [1, 1.051271, 0, 0],
          [1.221403, 1, 0.818731, 0]]),
        ({"correction": "mask", "correction_low": 0.5},
         [[1.051271, 0, 1.051271, 1], [0.904837, 1.105171, 0, 0], [1, 1.051271, 0, 0],
          [1.221403, 1, 0.818731, 0]]),
    ],
)  # fmt: skip
def test_corrections_by_token(
    make_batch: MakeBatch, overrides: dict[str, Any], expected: object
) -> None:
    batch = make_batch()
    close(correction(resolve("dapo", **overrides), batch) * batch.mask, expected)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"correction": "sequence_mask", "correction_high": 3.0}, [0, 0.449329, 1.051271, 1]),
        ({"correction": "sequence_truncate", "correction_high": 3.0}, [3, 0.449329, 1.051271, 1]),
        ({"correction": "geometric_truncate", "correction_high": 9.0},
         [1.316531, 0.765928, 1.025315, 1]),
    ],
)  # fmt: skip
def test_corrections_by_sequence(
    make_batch: MakeBatch, overrides: dict[str, Any], expected: object
) -> None:
    close(correction(resolve("dapo", **overrides), make_batch())[:, 0], expected)


def test_rows_that_the_policy_has_left_are_dropped(make_batch: MakeBatch) -> None:
    batch = make_batch()
    settings = resolve("dapo", off_policy_delta=0.05)
    close(on_policy_rows(settings, batch, advantages(settings, batch))[:, 0], [1, 1, 1, 0])
