"""What holds of objectives whatever the numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchgen.errors import InputError
from finetune.objectives import RolloutBatch, State, Totals, compute, loss, names, prepare, resolve
from finetune.objectives.advantages import advantages
from finetune.objectives.ratios import log_ratio

MakeBatch = Callable[..., RolloutBatch]

WHOLE: dict[str, dict[str, Any]] = {
    name: {"max_length": 16} for name in ("dr_grpo", "canon", "siren", "exgrpo")
}
"""Overrides without which a preset is not whole."""

GROUPED = sorted(
    set(names()) - {"ppo", "reinforce", "reinforce_pp", "reinforce_pp_baseline"}
)
"""Whose advantages come of the group alone."""

CENTRED = ["grpo", "dapo", "dr_grpo", "rloo", "lite_ppo", "reinforce_pp_baseline", "canon"]


def random_batch(seed: int, groups: int = 3, size: int = 4, width: int = 6) -> RolloutBatch:
    """Replies of every length, rewards that are 0 or 1 and some others, in double precision."""
    draw = torch.Generator().manual_seed(seed)
    rows = groups * size

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draw, dtype=torch.float64)

    lengths = torch.randint(1, width + 1, (rows,), generator=draw)
    old = -2 * uniform(rows, width)
    return RolloutBatch(
        logp_new=(old + 0.6 * (uniform(rows, width) - 0.5)).requires_grad_(),
        logp_old=old,
        mask=(torch.arange(width) < lengths[:, None]).double(),
        rewards=uniform(rows).round() + 0.01 * uniform(rows),
        group=torch.arange(groups).repeat_interleave(size),
        logp_ref=old + 0.2 * (uniform(rows, width) - 0.5),
        logp_rollout=old + 0.1 * (uniform(rows, width) - 0.5),
        values_old=uniform(rows, width),
        values_new=uniform(rows, width).requires_grad_(),
        truncated=uniform(rows) < 0.2,
        row_key=torch.arange(rows),
        entropy=uniform(rows, width),
        nucleus_entropy=uniform(rows, width),
        logp_masked_image=old - uniform(rows, width),
        scores={f"{kind}_diversity": uniform(rows) for kind in ("textual", "formula")},
    )


def gradient(name: str, batch: RolloutBatch, **overrides: Any) -> Tensor:
    logp = batch.logp_new.detach().clone().requires_grad_()
    values = None if batch.values_new is None else batch.values_new.detach().clone()
    batch = dataclasses.replace(batch, logp_new=logp, values_new=values)
    (found,) = torch.autograd.grad(compute(name, batch, **overrides).loss, logp)
    return found


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp(min=1e-30))


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("parts", [1, 2, 4])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_micro_batches_do_not_change_the_gradient(
    name: str, parts: int, dtype: torch.dtype
) -> None:
    batch = random_batch(3)
    learned = ("logp_new", "values_new")
    lowered = {
        field.name: value.detach().to(dtype).requires_grad_(field.name in learned)
        for field in dataclasses.fields(batch)
        if torch.is_tensor(value := getattr(batch, field.name)) and value.is_floating_point()
    }
    batch = dataclasses.replace(batch, **lowered)
    overrides = {**WHOLE.get(name, {}), "correction": "truncate", "kl_coef": 0.1}
    whole = compute(name, batch, **overrides)
    both = [batch.logp_new, batch.values_new]
    expected = torch.autograd.grad(whole.loss, both, allow_unused=True)
    plan = prepare(name, batch, **overrides)
    for tensor in both:
        assert tensor is not None
        tensor.grad = None
    found = 0.0
    metrics: dict[str, float] = {}
    for rows in torch.arange(12).chunk(parts):
        # Of another width each.
        width = int(batch.lengths[rows].max())
        part = loss(plan.rows(rows, width), batch.rows(rows, width), plan.totals)
        part.loss.backward()
        found += float(part.loss.detach())
        for key, value in part.metrics.items():
            metrics[key] = metrics.get(key, 0.0) + value
    bound = 1e-6 if dtype == torch.float64 else 1e-5
    for tensor, gradients in zip(both, expected, strict=True):
        assert tensor is not None
        if gradients is None:
            assert tensor.grad is None
        else:
            assert tensor.grad is not None and relative(tensor.grad, gradients) < bound
    assert found == pytest.approx(float(whole.loss.detach()), rel=1e-4, abs=1e-5)
    for key, value in metrics.items():
        assert value == pytest.approx(whole.metrics[key], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("counted", [False, True])
def test_what_is_left_out_is_left_out_of_the_parts_as_well(name: str, counted: bool) -> None:
    batch = random_batch(4)
    rewards = batch.rewards.clone()
    rewards[7] = torch.nan
    batch = dataclasses.replace(batch, rewards=rewards)
    overrides: dict[str, Any] = {"mask_truncated": True, "count_truncated": counted}
    if name == "siren":
        overrides |= {"anchor": 0.2, "anchor_coef": 1.0}
    overrides |= WHOLE.get(name, {})
    assert batch.truncated is not None and bool(batch.truncated.any())
    whole = compute(name, batch, **overrides)
    plan = prepare(name, batch, **overrides)
    found: dict[str, float] = {}
    for row in torch.arange(12)[~plan.idle].split(1):
        part = loss(plan.rows(row), batch.rows(row), plan.totals)
        for key, value in part.metrics.items():
            found[key] = found.get(key, 0.0) + value
    for key in ("loss", "policy_loss", "anchor_penalty", "nll"):
        if key in whole.metrics:
            # Rows that are not read have no part in any of them.
            assert found[key] == pytest.approx(whole.metrics[key], rel=1e-6, abs=1e-9), key
    if name == "vppo":
        alpha = (whole.advantages / prepare("dapo", batch, **overrides).advantages).nanmean(1)
        there = ~batch.truncated & ~torch.isnan(rewards)
        assert float(alpha[there].mean()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", names())
def test_padding_does_not_change_anything(name: str) -> None:
    batch = random_batch(5)
    wide = {
        field.name: torch.nn.functional.pad(value, (0, 3), value=float("nan"))
        for field in dataclasses.fields(batch)
        if torch.is_tensor(value := getattr(batch, field.name)) and value.dim() == 2
    }
    wide["mask"] = torch.nn.functional.pad(batch.mask, (0, 3))
    padded = dataclasses.replace(batch, **wide)
    overrides = {**WHOLE.get(name, {}), "correction": "truncate", "kl_coef": 0.1}
    one, other = compute(name, batch, **overrides), compute(name, padded, **overrides)
    torch.testing.assert_close(one.loss, other.loss, atol=1e-12, rtol=1e-12)
    # And what is NaN under the mask does not reach the gradient.
    found = gradient(name, padded, **overrides)
    assert bool((found[:, 6:] == 0).all())
    torch.testing.assert_close(found[:, :6], gradient(name, batch, **overrides))


@pytest.mark.parametrize("name", names())
def test_rows_in_another_order_have_the_same_gradient(name: str) -> None:
    batch = random_batch(6)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    # Clip-Cov draws at random, by place: all candidates are taken here.
    overrides = {**WHOLE.get(name, {}), "select_share": 1.0}
    there = gradient(name, batch, **overrides)[order]
    torch.testing.assert_close(gradient(name, batch.rows(order), **overrides), there)


@given(st.integers(0, 2**32), st.floats(-5, 5), st.floats(0.1, 10))
@settings(max_examples=30, deadline=None)
def test_a_constant_added_to_the_rewards_of_a_group_changes_nothing(
    seed: int, shift: float, scale: float
) -> None:
    batch = random_batch(seed)
    moved = dataclasses.replace(batch, rewards=batch.rewards + shift * (batch.group == 1))
    for name in ("grpo", "dr_grpo", "rloo", "reinforce_pp_baseline"):
        chosen = resolve(name, **WHOLE.get(name, {}))
        torch.testing.assert_close(
            advantages(chosen, moved), advantages(chosen, batch), atol=1e-6, rtol=1e-6
        )
    scaled = dataclasses.replace(batch, rewards=batch.rewards * scale)
    for name, power in (("dr_grpo", 1.0), ("rloo", 1.0), ("grpo", 0.0)):
        # But for the epsilon.
        chosen = resolve(name, **WHOLE.get(name, {}), std_eps=1e-12)
        expected = advantages(chosen, batch) * scale**power
        torch.testing.assert_close(advantages(chosen, scaled), expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", names())
def test_equal_rewards_and_lone_replies_are_finite_and_teach_nothing(name: str) -> None:
    batch = random_batch(7)
    alone = dataclasses.replace(batch, group=torch.arange(12))
    equal = dataclasses.replace(batch, rewards=torch.ones(12, dtype=torch.float64))
    for odd in (alone, equal):
        found = gradient(name, odd, **WHOLE.get(name, {}))
        assert bool(torch.isfinite(found).all())
        if name in CENTRED:
            assert float(found.abs().max()) < 1e-9


@pytest.mark.parametrize("reward", [0.1, 1.05, 1.1, 1 / 3])
@pytest.mark.parametrize("name", GROUPED)
def test_rewards_that_are_alike_but_not_exact_in_binary_teach_nothing(
    name: str, reward: float
) -> None:
    batch = random_batch(7, groups=2, size=8)
    rewards = torch.full((16,), reward)
    rewards[:8] = torch.rand(8, generator=torch.Generator().manual_seed(0))
    batch = dataclasses.replace(batch, rewards=rewards)
    plan = prepare(name, batch, **WHOLE.get(name, {}))
    assert bool((plan.advantages[8:] == 0).all())
    if not plan.settings.regularized:
        assert bool(plan.idle[8:].all()) and not bool(plan.idle[:8].any())


@pytest.mark.parametrize("name", names())
def test_an_empty_row_and_a_reward_that_is_nan_add_nothing(name: str) -> None:
    batch = random_batch(8)
    mask, rewards = batch.mask.clone(), batch.rewards.clone()
    mask[2], rewards[5] = 0, float("nan")
    odd = dataclasses.replace(batch, mask=mask, rewards=rewards)
    found = compute(name, odd, **WHOLE.get(name, {}))
    assert bool(torch.isfinite(found.loss))
    there = gradient(name, odd, **WHOLE.get(name, {}))
    assert bool(torch.isfinite(there).all()) and float(there[2].abs().max()) == 0
    assert float(found.advantages[5].abs().max()) == 0
    # Its group's baseline is that of the three others.
    if name == "dr_grpo":
        others = [4, 6, 7]
        expected = rewards[4] - rewards[others].mean()
        torch.testing.assert_close(found.advantages[4, 0], expected)


@pytest.mark.parametrize("name", names())
def test_idle_rows_have_no_gradient_and_are_counted(name: str) -> None:
    batch = random_batch(9)
    batch = dataclasses.replace(batch, rewards=torch.where(batch.group == 1, 1.0, batch.rewards))
    plan = prepare(name, batch, **WHOLE.get(name, {}))
    found = gradient(name, batch, **WHOLE.get(name, {}))
    assert float(found[plan.idle].abs().max() if bool(plan.idle.any()) else 0.0) < 1e-12
    if name in ("grpo", "dapo", "gspo", "cispo"):
        assert plan.idle.tolist() == (batch.group == 1).tolist()
    assert plan.totals == Totals(12.0, float(batch.mask.sum()))


def test_first_update_has_the_gradient_of_the_gain() -> None:
    batch = random_batch(10)
    batch = dataclasses.replace(batch, logp_new=batch.logp_old.clone())
    advantage = advantages(resolve("grpo"), batch)
    assert abs(float(compute("grpo", batch).loss)) < 1e-12
    expected = -advantage / batch.lengths[:, None] / 12
    torch.testing.assert_close(gradient("grpo", batch), expected)


def test_leave_one_out_is_the_mean_s_scaled() -> None:
    batch = random_batch(11)
    one = advantages(resolve("rloo"), batch)
    other = advantages(resolve("dr_grpo", max_length=1), batch)
    torch.testing.assert_close(one, other * 4 / 3)


def test_replies_of_one_token_make_sequence_and_token_the_same() -> None:
    batch = random_batch(12, width=1)
    bounds = {"clip_low": 0.1, "clip_high": 0.1}
    grpo = compute("grpo", batch, **bounds).loss
    for name in ("gspo", "gspo_token", "dapo", "luspo"):
        torch.testing.assert_close(compute(name, batch, **bounds).loss, grpo)


def test_gradient_is_zero_exactly_where_the_clip_stops_it() -> None:
    batch = random_batch(13)
    found = compute("dapo", batch)
    there = gradient("dapo", batch)
    ratio = torch.exp(log_ratio("token", batch)).detach()
    up = (found.advantages > 0) & (ratio > 1.28)
    down = (found.advantages < 0) & (ratio < 0.8)
    stopped = (up | down) | (batch.mask == 0)
    assert bool((there[stopped] == 0).all()) and bool((there[~stopped] != 0).all())
    assert bool((up & (batch.mask > 0)).any() or (down & (batch.mask > 0)).any())
    high = found.metrics["clipped_high"] * float(batch.mask.sum())
    assert high == pytest.approx(float((up & (batch.mask > 0)).sum()))
    # CISPO stops none.
    assert bool((gradient("cispo", batch)[batch.mask > 0] != 0).all())


def test_a_sequence_s_gradient_is_the_same_along_it() -> None:
    there = gradient("gspo", random_batch(14), clip_low=0.5, clip_high=0.5)
    for row, length in zip(there, random_batch(14).lengths, strict=True):
        assert float(row[: int(length)].std(correction=0)) < 1e-15


def test_dual_clip_ends_the_gradient_of_large_ratios() -> None:
    batch = random_batch(15)
    batch = dataclasses.replace(batch, logp_new=batch.logp_old + 1.2)
    there = gradient("dapo", batch, dual_clip=3.0)
    assert bool((there == 0).all())


def test_an_overflowing_ratio_is_held() -> None:
    batch = random_batch(16)
    batch = dataclasses.replace(batch, logp_new=(batch.logp_old + 900).detach())
    for name in names():
        assert bool(torch.isfinite(compute(name, batch, **WHOLE.get(name, {})).loss)), name


def test_a_row_off_the_policy_has_the_ratio_of_its_own_sampler() -> None:
    batch = random_batch(17)
    behavior = batch.logp_old - 0.05
    off = torch.arange(12) == 3
    mixed = dataclasses.replace(batch, off_policy=off, logp_behavior=behavior)
    there, before = log_ratio("token", mixed), log_ratio("token", batch)
    torch.testing.assert_close(there[3], (before[3] + 0.05) * batch.mask[3])
    torch.testing.assert_close(there[[0, 11]], before[[0, 11]])


def test_random_choices_follow_the_state_alone() -> None:
    batch = random_batch(18, groups=20)
    overrides = {"cov_low": 0.0, "cov_high": 1e9, "select_share": 0.05}

    def chosen(state: State) -> Tensor:
        return prepare("clip_cov", batch, state, **overrides).token_weights

    torch.manual_seed(1)
    one = chosen(State(step=4, seed=2))
    torch.manual_seed(2)
    assert torch.equal(one, chosen(State(step=4, seed=2)))
    assert not torch.equal(one, chosen(State(step=5, seed=2)))
    assert int((one == 0).sum()) == int(0.05 * float(batch.mask.sum()))


def test_mismatch_of_the_engine_is_measured() -> None:
    batch = random_batch(19)
    same = dataclasses.replace(batch, logp_rollout=batch.logp_old.clone())
    seen = prepare("grpo", same).metrics
    assert (seen["mismatch_k3"], seen["mismatch_largest"]) == (0.0, 0.0)
    assert seen["mismatch_effective"] == pytest.approx(1.0)
    off = batch.logp_old.clone()
    off[0, 0] -= 1.0
    seen = prepare("grpo", dataclasses.replace(batch, logp_rollout=off)).metrics
    assert seen["mismatch_largest"] == pytest.approx(1.0)
    assert seen["mismatch_over_2"] == pytest.approx(1 / float(batch.mask.sum()))
    assert 0 < seen["mismatch_effective"] < 1


@pytest.mark.parametrize(
    ("name", "overrides", "said"),
    [
        ("grop", {}, "unknown objective 'grop'; there are: canon, cispo"),
        ("grpo", {"clip_hi": 0.3}, "unknown override 'clip_hi'; there are: advantage"),
        ("grpo", {"ratio": "word"}, "ratio is none, token, sequence_geometric"),
        ("dr_grpo", {}, "needs max_length"),
        ("ppo", {}, "needs values_old, which the batch lacks"),
        ("grpo", {"kl_coef": 0.1}, "needs logp_ref, which the batch lacks"),
        ("grpo", {"mask_truncated": True}, "needs truncated, which the batch lacks"),
        ("vppo", {}, "a dependency on pictures needs logp_masked_image, which the batch lacks"),
        ("vppo", {"visual_dependency": "kl"}, "needs kl_masked_image, which the batch lacks"),
        ("vppo", {"visual_filter": 0}, "are none, or above 0 and up to 1"),
        ("vppo", {"visual_patch": 0}, "visual_patch is a pixel or more"),
        ("vppo", {"visual_device_rows": 0.5}, "visual_device_rows and visual_micro_rows are 1 or"),
        ("vppo", {"ratio": "sequence_geometric"}, "needs a ratio of tokens, not of rows"),
        ("vppo", {"surrogate": "gmpo"}, "needs a ratio of tokens, not of rows"),
        ("diver", {"textual_cap": -1}, "the caps of diversities are 0 or more"),
        ("diver", {"diversity_coef": -0.1}, "diversity_coef and the caps"),
        ("siren", {"max_length": 8, "entropy_coef": 0.1}, "are of different entropies"),
        ("canon", {"max_length": 8}, "halves by entropy needs entropy, which the batch lacks"),
        ("canon", {"max_length": 8, "canon_metric": "wit"}, "no metric 'wit' to sort replies by; "),
        ("canon", {"max_length": 8, "canon_cosine": [1, 0, 5, 9, 3]}, "a shorter warm-up"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(name: str, overrides: Any, said: str) -> None:
    bare = dataclasses.replace(
        random_batch(20),
        **dict.fromkeys(("logp_ref", "values_old", "values_new", "truncated")),
        **dict.fromkeys(("entropy", "nucleus_entropy", "logp_masked_image")),
    )
    with pytest.raises(InputError, match=said):
        compute(name, bare, **overrides)


def test_a_tensor_of_another_shape_is_refused(make_batch: MakeBatch) -> None:
    with pytest.raises(InputError, match=r"rewards has the shape \[3\], not \[4\]"):
        make_batch(rewards=torch.zeros(3))


def test_a_critic_learns_nothing_from_a_reply_whose_reward_is_unknown() -> None:
    batch = random_batch(3)
    rewards = batch.rewards.clone()
    rewards[2] = torch.nan
    values = torch.ones_like(batch.mask, requires_grad=True)
    valued = dataclasses.replace(
        batch, rewards=rewards, values_old=torch.ones_like(batch.mask), values_new=values
    )
    compute("ppo", valued).loss.backward()
    assert values.grad is not None
    assert not bool(values.grad[2].any())
    assert bool(values.grad[[0, 1, 3]].any(1).all())
