"""VPPO: its golden numbers, its laws, and what the released code got wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.objectives import (
    RolloutBatch,
    Totals,
    compute,
    loss,
    needs_old,
    prepare,
    resolve,
)
from finetune.objectives.batch import masked_sum
from finetune.objectives.ratios import log_ratio
from finetune.objectives.surrogates import clipped, surrogate
from finetune.objectives.vppo import dependency, kept_tokens, shaping
from tests.finetune.objectives.exact import close, numbers

MASK = [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
OLD = [[-0.10, -1.20, -0.30, -0.05, -0.70], [-0.50, -0.20, -2.00, -0.01, 0],
       [-0.90, -0.40, -0.15, 0, 0], [-0.60, -0.25, 0, 0, 0]]  # fmt: skip
BLACK = [[-0.40, -3.00, -0.30, -0.85, -0.60], [-0.55, -1.70, -1.10, -0.02, 0],
         [-0.90, -0.95, -0.10, 0, 0], [-2.60, -0.30, 0, 0, 0]]  # fmt: skip
NEW = [[-0.15, -0.90, -0.32, -0.02, -0.65], [-0.45, -0.60, -1.90, -0.01, 0],
       [-0.85, -0.38, -0.20, 0, 0], [-0.05, -0.25, 0, 0, 0]]  # fmt: skip
DEPENDS = [[0.040818, 0.965299, 0.0, 0.249329, 0.005171],
           [0.001229, 0.723130, 0.559603, 0.000050, 0],
           [0, 0.126950, 0.001271, 0, 0], [1.135335, 0.001229, 0, 0, 0]]  # fmt: skip
KEPT = [[0, 1, 0, 1, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [1, 0, 0, 0, 0]]
ALPHA = [0.982663, 1.009856, 0.900000, 1.107481]
NAN = float("nan")


RATIO = [
    [0.951229, 1.349859, 0.980199, 1.030455, 1.051271], [1.051271, 0.670320, 1.105171, 1, 0],
    [1.051271, 1.020201, 0.951229, 0, 0], [1.733253, 1, 0, 0, 0],
]  # fmt: skip


def fixture(**changes: Any) -> RolloutBatch:
    batch = RolloutBatch(
        logp_new=numbers(NEW).requires_grad_(),
        logp_old=numbers(OLD),
        mask=numbers(MASK),
        rewards=numbers([1.0, 0.0, 1.0, 0.0]),
        group=torch.zeros(4, dtype=torch.long),
        logp_masked_image=numbers(BLACK),
    )
    return dataclasses.replace(batch, **changes)


def scalars(old: list[float], black: list[float]) -> RolloutBatch:
    """Rows of one token."""
    columns = (numbers(values)[:, None] for values in (old, old, black))
    new, before, masked = columns
    return RolloutBatch(
        new, before, torch.ones_like(new), numbers([0.0] * len(old)),
        torch.arange(len(old)), logp_masked_image=masked,
    )  # fmt: skip


def test_dependency_filter_and_shaping() -> None:
    batch, chosen = fixture(), resolve("vppo")
    depends = dependency(chosen, batch)
    close(depends, DEPENDS)
    close(kept_tokens(chosen, batch, depends), KEPT)
    alpha = shaping(chosen, batch, depends)
    close(alpha, ALPHA)
    assert float(alpha.mean()) == pytest.approx(1.0, abs=1e-6)


def test_loss_and_gradient() -> None:
    batch = fixture()
    close(log_ratio("token", batch).exp() * batch.mask, RATIO)
    found = compute("vppo", batch)
    close(found.advantages[:, 0], [0.851010, -0.874560, 0.779422, -0.959105])
    assert found.metrics["policy_loss"] == pytest.approx(-0.012446, abs=1e-6)
    assert found.metrics["nll"] == pytest.approx(0.480714, abs=1e-6)
    close(found.loss, 0.016397)
    found.loss.backward()
    assert batch.logp_new.grad is not None
    close(
        batch.logp_new.grad,
        [[-0.004286, -0.004286, -0.004286, -0.066923, -0.004286],
         [-0.004286, -0.004286, 0.064753, -0.004286, 0],
         [-0.004286, -0.061083, -0.057243, 0, 0], [0.114455, -0.004286, 0, 0, 0]],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"visual_filter": None, "visual_shaping": None}, -0.100592),
        ({"visual_filter": None}, -0.055633),
        ({"visual_shaping": None}, -0.039804),
        # The paper's eq. 6.
        ({"aggregation": "seq_mean_token_mean", "clip_high": 0.2, "dual_clip": None}, 0.088978),
    ],
)
def test_ablations(overrides: dict[str, Any], expected: float) -> None:
    found = compute("vppo", fixture(), **overrides)
    assert found.metrics["policy_loss"] == pytest.approx(expected, abs=1e-6)


def test_tokens_that_are_left_out_are_counted() -> None:
    batch = fixture()
    plan = prepare("vppo", batch, nll_coef=0.0)
    assert plan.totals == Totals(4.0, 14.0)
    # What it would be if they were not.
    close(loss(plan, batch, Totals(4.0, float(numbers(KEPT).sum()))).loss, -0.024891)


def test_statistics_of_devices_and_micro_batches_as_released() -> None:
    # Its two sets differ, so that alpha hangs on the number of GPUs and the size of a micro-batch.
    batch = fixture()
    released = resolve("vppo", visual_micro_rows=2)
    found = shaping(released, batch, dependency(released, batch))
    close(found, [0.985875, 1.014125, 0.9, 1.1])
    # Each device has its own least and largest mean.
    apart = resolve("vppo", visual_device_rows=2)
    close(shaping(apart, batch, dependency(apart, batch)), [0.9, 1.1, 0.9, 1.1])


@pytest.mark.parametrize(
    ("new", "old", "advantage", "expected", "gradient"),
    [
        (-0.1, -1.4, -1.0, 3.0, 0.0),
        (-1.4, -0.1, -1.0, 0.8, 0.0),
        (-0.1, -0.5, 1.0, -1.28, 0.0),
        (-0.5, -0.1, 1.0, -0.670320, -0.670320),
    ],
)
def test_clip_of_a_token(
    new: float, old: float, advantage: float, expected: float, gradient: float
) -> None:
    logp = numbers([[new]]).requires_grad_()
    found = clipped(resolve("vppo"), logp - old, numbers([[advantage]]))
    close(found, [[expected]])
    found.sum().backward()
    assert logp.grad is not None
    close(logp.grad, [[gradient]])


def test_dependency_saturates() -> None:
    batch = scalars([-3.0, -0.01, -9.0, -0.5], [-0.2, -5.0, -1.0, -0.5])
    close(dependency(resolve("vppo"), batch)[:, 0], [10.0, 3.996806, 10.0, 0.0])


def test_the_mean_of_the_sampled_dependency_is_the_divergence() -> None:
    one, other = numbers([0.7, 0.2, 0.1]), numbers([0.3, 0.3, 0.4])
    batch = scalars(one.log().tolist(), other.log().tolist())
    sampled = dependency(resolve("vppo"), batch)[:, 0]
    close(sampled, [0.275869, 0.094535, 1.613706])
    close((one * sampled).sum(), 0.373386)
    close((one * (one / other).log()).sum(), 0.373386)
    # And not that of the blackened from the whole.
    close((other * (other / one).log()).sum(), 0.421968)


def test_the_divergence_over_the_vocabulary_takes_the_place_of_the_sampled_one() -> None:
    divergence = numbers([[0.1, 0.2, 0.3, 0.4, 12.0]] * 4)
    batch = fixture(logp_masked_image=None, kl_masked_image=divergence)
    depends = dependency(resolve("vppo", visual_dependency="kl"), batch)
    close(depends[0], [0.1, 0.2, 0.3, 0.4, 10.0])
    assert bool((depends[numbers(MASK) == 0] == 0).all())


def test_a_row_without_a_picture_keeps_its_tokens_and_its_advantage() -> None:
    black = numbers(BLACK)
    black[1] = NAN
    batch = fixture(logp_masked_image=black)
    plan = prepare("vppo", batch)
    assert plan.token_weights[1, :4].tolist() == [1.0] * 4
    plain = prepare("dapo", batch).advantages
    torch.testing.assert_close(plan.advantages[1], plain[1])
    # The others' factors are 1 in the mean, without it.
    factors = (plan.advantages / plain)[:, 0]
    assert float(factors[[0, 2, 3]].mean()) == pytest.approx(1.0, abs=1e-6)
    # Released: its dependency is 0, so that its first tokens are kept, and it is least of all.
    released = prepare("vppo", batch, visual_blind="filter")
    assert released.token_weights[1, :4].tolist() == [1, 1, 0, 0]
    close(released.advantages[1, 0] / plain[1, 0], 0.9)


@pytest.mark.parametrize("blind", ["keep", "filter"])
def test_a_batch_without_pictures_has_factors_of_1(blind: str) -> None:
    batch = fixture(logp_masked_image=torch.full((4, 5), NAN).double())
    plan = prepare("vppo", batch, visual_blind=blind)
    torch.testing.assert_close(plan.advantages, prepare("dapo", batch).advantages)
    kept = int((plan.token_weights * plan.mask).sum())
    assert kept == (14 if blind == "keep" else 2 + 2 + 2 + 1)


def test_golden_parts_of_the_shaping_and_of_the_loss() -> None:
    batch, chosen = fixture(), resolve("vppo")
    means = masked_sum(dependency(chosen, batch), batch.mask) / batch.lengths
    close(means, [0.252123, 0.321003, 0.042740, 0.568282])
    share = (means - means.min()) / (means.max() - means.min())
    close(share, [0.398414, 0.529478, 0, 1])
    most = 0.9 + 0.1 / (float(share.mean()) + 1e-8)
    assert (float(share.mean()), most) == pytest.approx((0.481973, 1.107481), abs=1e-6)
    plain = prepare("dapo", batch).advantages
    close(plain[:, 0], [0.866024, -0.866024, 0.866024, -0.866024])
    tokens = surrogate(chosen, batch, prepare(chosen, batch).advantages) * batch.mask
    close(
        tokens,
        [[-0.809505, -1.089292, -0.834159, -0.876927, -0.894642],
         [0.919399, 0.699648, 0.966538, 0.874560, 0], [-0.819383, -0.795167, -0.741409, 0, 0],
         [1.662371, 0.959105, 0, 0, 0]],
    )  # fmt: skip


def test_no_gradient_of_the_policy_s_loss_at_tokens_that_are_left_out() -> None:
    for name in ("dapo", "cispo", "sapo", "dr_grpo", "gspo_token"):
        batch = fixture()
        visual = {"visual_filter": 0.4, "visual_shaping": 0.9, "max_length": 5}
        compute(name, batch, **visual).loss.backward()
        assert batch.logp_new.grad is not None
        assert bool((batch.logp_new.grad[numbers(KEPT) == 0] == 0).all())


def test_a_bound_on_the_factor_of_a_row_far_above_many_others() -> None:
    depends = torch.zeros(300, 1).double()
    depends[7] = 3.0
    batch = scalars([-1.0] * 300, [-1.0] * 300)
    assert float(shaping(resolve("vppo"), batch, depends).max()) == pytest.approx(30.9, abs=1e-3)
    held = shaping(resolve("vppo", visual_most=1.5), batch, depends)
    assert held.max() == 1.5 and held.min() == 0.9


def test_one_row_far_above_fifteen_others() -> None:
    depends = torch.zeros(16, 1).double()
    depends[5] = 3.0
    batch = scalars([-1.0] * 16, [-1.0] * 16)
    alpha = shaping(resolve("vppo"), batch, depends)
    assert float(alpha[5]) == pytest.approx(2.5, abs=1e-5)
    assert alpha[[0, 15]].tolist() == [0.9, 0.9]


def test_the_likelihood_term_raises_what_was_sampled_whatever_it_is_called() -> None:
    # "Entropy penalty" in the paper: the gradient is below 0 at every token, selected or not.
    batch = fixture(rewards=torch.ones(4).double())
    compute("vppo", batch).loss.backward()
    assert batch.logp_new.grad is not None
    close(batch.logp_new.grad, [[-0.06 / 14 * value for value in row] for row in MASK])


DRAWN = st.integers(1, 9).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(0, 9), min_size=width, max_size=width), min_size=2, max_size=6
    )
)


@given(DRAWN, st.randoms(), st.floats(0.05, 1.0))
@settings(deadline=None)
def test_laws(values: list[list[float]], random: Any, share: float) -> None:
    depends = numbers(values)
    rows, width = depends.shape
    lengths = torch.tensor([random.randint(1, width) for _ in range(rows)])
    mask = (torch.arange(width) < lengths[:, None]).double()
    nothing = torch.zeros_like(mask)
    batch = RolloutBatch(
        nothing, nothing, mask, nothing[:, 0], torch.arange(rows), logp_masked_image=nothing
    )
    chosen = resolve("vppo", visual_filter=share)
    kept = kept_tokens(chosen, batch, depends)
    for row, length in enumerate(lengths.tolist()):
        count = max(1, -int(-(length * share - 1e-6) // 1))
        assert int(kept[row].sum()) == count
        inside = depends[row, :length]
        if count < length:
            assert float(inside[kept[row, :length]].min()) >= float(
                inside[~kept[row, :length]].max()
            )
    alpha = shaping(chosen, batch, depends)
    assert float(alpha.mean()) == pytest.approx(1.0, abs=1e-6)
    assert float(alpha.min()) >= 0.9 - 1e-9
    order = torch.tensor(random.sample(range(rows), rows))
    moved = shaping(chosen, batch.rows(order), depends[order])
    torch.testing.assert_close(moved, alpha[order])


def test_equal_dependencies_keep_the_first_and_shape_nothing() -> None:
    batch = fixture(logp_masked_image=numbers(OLD) - 0.5)
    plan = prepare("vppo", batch)
    assert plan.token_weights[0].tolist() == [1, 1, 0, 0, 0]
    torch.testing.assert_close(plan.advantages, prepare("dapo", batch).advantages)


def test_nothing_is_learned_through_the_dependency() -> None:
    black = numbers(BLACK).requires_grad_()
    compute("vppo", fixture(logp_masked_image=black)).loss.backward()
    assert black.grad is None and needs_old(resolve("vppo"))
