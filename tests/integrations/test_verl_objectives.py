"""Inside verl our objectives are ours: the same advantages, losses and gradients.

verl's own code calls them here, as its trainer and its workers do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from tensordict import TensorDict
from torch import Tensor
from verl import DataProto
from verl.trainer.ppo.core_algos import (
    get_adv_estimator_fn,
    get_kl_controller,
    get_policy_loss_fn,
)
from verl.trainer.ppo.ray_trainer import apply_kl_penalty, compute_advantage
from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_and_add_to_batch
from verl.utils import tensordict_utils as tu
from verl.utils.import_utils import import_external_libs
from verl.workers.config import FSDPActorConfig, PolicyLossConfig
from verl.workers.utils.losses import ppo_loss

from benchgen.errors import InputError
from finetune import objectives

# As verl does it in its trainer and in its workers.
import_external_libs("finetune.integrations.verl")
from finetune.integrations.verl import beyond_verl, register  # noqa: E402

LONGEST = 8
PROMPT = 2
ALGORITHM = {
    "gamma": 1.0,
    "use_kl_in_reward": False,
    "kl_penalty": "kl",
    "kl_ctrl": {"type": "fixed", "kl_coef": 0.01},
}


def overrides(preset: str) -> dict[str, Any]:
    return {"max_length": LONGEST} if preset == "dr_grpo" else {}


def expressible() -> list[str]:
    return [
        name
        for name in objectives.names()
        if beyond_verl(objectives.resolve(name, max_length=LONGEST)) is None
    ]


def rollouts(seed: int, groups: tuple[int, ...] = (4, 3, 4, 1)) -> objectives.RolloutBatch:
    """Rows of unequal lengths in groups that are mixed among each other; one group is all right."""
    draw = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draw, dtype=torch.float64)

    group = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(groups))
    order = torch.randperm(len(group), generator=draw)
    lengths = torch.randint(1, LONGEST + 1, (len(group),), generator=draw)
    mask = (torch.arange(LONGEST) < lengths[:, None]).double()
    # A token in the middle that the policy did not choose.
    mask[lengths.argmax(), 1] = 0
    old = -3 * uniform(len(group), LONGEST)
    rewards = torch.where(group == 2, 1.0, torch.round(4 * uniform(len(group))) / 4)
    return objectives.RolloutBatch(
        logp_new=(old + uniform(*old.shape) - 0.5).requires_grad_(),
        logp_old=old,
        mask=mask,
        rewards=rewards[order],
        group=group[order],
        logp_ref=old + uniform(*old.shape) - 0.5,
        logp_rollout=old + 2 * uniform(*old.shape) - 1,
    )


def advantages_by_verl(
    batch: objectives.RolloutBatch, estimator: str, algorithm: dict[str, Any], **more: Any
) -> Tensor:
    """What verl's trainer computes before an update."""
    ends = (torch.arange(LONGEST) * batch.mask).argmax(1)
    scores = torch.zeros_like(batch.mask)
    scores[torch.arange(len(ends)), ends] = batch.rewards
    data = DataProto(
        batch=TensorDict(
            {
                "token_level_scores": scores,
                "token_level_rewards": scores,
                "response_mask": batch.mask.long(),
                "old_log_probs": batch.logp_old,
                "ref_log_prob": batch.logp_ref,
            },
            batch_size=len(scores),
        ),
        non_tensor_batch={
            "uid": np.array([f"prompt {9 - number}" for number in batch.group], dtype=object)
        },
    )
    config = OmegaConf.create({**ALGORITHM, **algorithm})
    if config.use_kl_in_reward:
        kl = get_kl_controller(config.kl_ctrl)
        data, _ = apply_kl_penalty(data, kl_ctrl=kl, kl_penalty=config.kl_penalty)
    found = compute_advantage(data, adv_estimator=estimator, config=config, **more)
    return found.batch["advantages"]


def actor(loss_mode: str, **settings: Any) -> FSDPActorConfig:
    policy = {key: settings.pop(key) for key in ("dro_beta",) if key in settings}
    return FSDPActorConfig(
        rollout_n=4,
        ppo_micro_batch_size_per_gpu=1,
        policy_loss=PolicyLossConfig(loss_mode=loss_mode, **policy),
        **settings,
    )


def loss_by_verl(
    config: FSDPActorConfig,
    batch: objectives.RolloutBatch,
    advantages: Tensor,
    *,
    rows: Tensor,
    ranks: int = 1,
    weights: Tensor | None = None,
) -> tuple[Tensor, dict[str, Any]]:
    """What verl's worker computes of a micro-batch: prompts of two tokens, replies behind them."""
    # A token that the policy did not choose lies in its reply all the same.
    lengths = [int(torch.nonzero(batch.mask[row]).max()) + 1 for row in rows]

    def nested(matrix: Tensor) -> Tensor:
        parts = [matrix[row, :length] for row, length in zip(rows, lengths, strict=True)]
        return torch.nested.as_nested_tensor(parts, layout=torch.jagged)

    tensors = {
        "prompts": nested_of([torch.zeros(PROMPT)] * len(rows)),
        "responses": nested(torch.zeros_like(batch.mask)),
        "response_mask": nested(batch.mask.long()),
        "old_log_probs": nested(batch.logp_old),
        "advantages": nested(advantages),
    }
    if weights is not None:
        tensors["rollout_is_weights"] = nested(weights)
    data = TensorDict(tensors, batch_size=len(rows))
    tu.assign_non_tensor(
        data,
        dp_size=ranks,
        batch_num_tokens=int(batch.mask.sum()),
        global_batch_size=len(batch.mask),
    )
    # The model's output is a place ahead: what stands at a token is of the next one.
    before, behind = torch.zeros(PROMPT - 1).double(), torch.zeros(1).double()
    output = [
        torch.cat([before, batch.logp_new[row, :length], behind])
        for row, length in zip(rows, lengths, strict=True)
    ]
    found: tuple[Tensor, dict[str, Any]] = ppo_loss(config, {"log_probs": nested_of(output)}, data)
    return found


def nested_of(parts: list[Tensor]) -> Tensor:
    return torch.nested.as_nested_tensor(parts, layout=torch.jagged)


def step_by_verl(
    config: FSDPActorConfig,
    batch: objectives.RolloutBatch,
    advantages: Tensor,
    micro_batches: int = 1,
    **more: Any,
) -> tuple[float, Tensor]:
    """The loss and the gradient of a step in some micro-batches."""
    batch.logp_new.grad = None
    total = 0.0
    for rows in torch.arange(len(batch.mask)).chunk(micro_batches):
        part, _ = loss_by_verl(config, batch, advantages, rows=rows, **more)
        part.backward()
        total += float(part.detach())
    return total, batch.logp_new.grad.clone()


def step_by_us(
    batch: objectives.RolloutBatch, preset: str, **settings: Any
) -> tuple[objectives.Plan, float, Tensor]:
    batch.logp_new.grad = None
    plan = objectives.prepare(preset, batch, **settings)
    found = objectives.loss(plan, batch, plan.totals)
    found.loss.backward()
    return plan, float(found.loss.detach()), batch.logp_new.grad.clone()


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def in_reward(preset: str) -> dict[str, Any]:
    taken = objectives.resolve(preset, max_length=LONGEST).reward_kl_coef > 0
    return {"use_kl_in_reward": taken}


@pytest.mark.parametrize("micro_batches", [1, 2, 4])
@pytest.mark.parametrize("preset", expressible())
def test_a_preset_is_the_same_inside_verl(preset: str, micro_batches: int) -> None:
    for seed in (1, 2):
        batch = rollouts(seed)
        plan, loss, gradient = step_by_us(batch, preset, **overrides(preset))
        name = f"benchgen_{preset}"
        advantages = advantages_by_verl(batch, name, in_reward(preset))
        close(advantages, plan.advantages)
        config = actor(name, loss_scale_factor=overrides(preset).get("max_length"))
        by_verl, theirs = step_by_verl(config, batch, advantages, micro_batches)
        assert by_verl == pytest.approx(loss, abs=1e-6)
        close(theirs, gradient)
        assert gradient.abs().sum() > 0


def test_every_preset_is_there_or_says_why_not() -> None:
    refused = {}
    for preset in objectives.names():
        if preset in expressible():
            continue
        for lookup in (get_adv_estimator_fn, get_policy_loss_fn):
            with pytest.raises(InputError, match=f"verl cannot express {preset}: ") as refusal:
                lookup(f"benchgen_{preset}")(anything="at all")
            assert "\n" not in str(refusal.value)
        refused[preset] = str(refusal.value)
    assert {"ppo", "clip_cov", "kl_cov"} <= refused.keys()
    assert {"canon", "diver", "siren", "vppo", "exgrpo"} <= refused.keys()
    assert {"grpo", "dr_grpo", "dapo", "gspo", "cispo", "rloo", "cpgd"} <= set(expressible())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kl_coef": 0.1}, "actor.use_kl_loss"),
        ({"entropy_coef": 0.1}, "actor.entropy_coeff"),
        ({"correction": "truncate"}, "algorithm.rollout_correction"),
        ({"mask_truncated": True}, "cut off"),
        ({"off_policy_delta": 0.1}, "no log-probabilities"),
        ({"diversity": "mix"}, "no texts"),
        ({"clip_hihg": 0.1}, "unknown override"),
    ],
)
def test_an_override_that_verl_cannot_express_is_refused(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        register("refused", "dapo", **settings)
    with pytest.raises(ValueError, match="Unsupported loss mode"):
        get_policy_loss_fn("refused")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "no entropy before advantages"),
        ({"canon_metric": "wit"}, "nothing called wit"),
        ({"canon_metric": "length", "canon_schedule": "one_minus_cosine"}, "not tell the step"),
    ],
)
def test_halves_that_verl_cannot_tell_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        register("refused_canon", "canon", **settings)


@pytest.mark.parametrize("schedule", ["constant", "reward", "one_minus_reward"])
def test_halves_by_length(schedule: str) -> None:
    settings = {"canon_metric": "length", "canon_alpha": 0.9, "canon_schedule": schedule}
    name = f"canon_by_length_{schedule}"
    register(name, "canon", max_length=LONGEST, **settings)
    batch = rollouts(4)
    plan, loss, gradient = step_by_us(batch, "canon", max_length=LONGEST, **settings)
    advantages = advantages_by_verl(batch, name, {})
    close(advantages, plan.advantages)
    by_verl, theirs = step_by_verl(actor(name), batch, advantages, 2)
    assert by_verl == pytest.approx(loss, abs=1e-6)
    close(theirs, gradient)
    assert gradient.abs().sum() > 0


def test_an_objective_of_one_s_own_is_registered_with_its_numbers() -> None:
    register("my_own", "dapo", clip_high=0.05, dual_clip=1.5)
    batch = rollouts(3)
    plan, loss, gradient = step_by_us(batch, "dapo", clip_high=0.05, dual_clip=1.5)
    config = actor("my_own", clip_ratio_high=0.9, loss_agg_mode="seq-mean-token-mean")
    by_verl, theirs = step_by_verl(config, batch, advantages_by_verl(batch, "my_own", {}), 2)
    assert by_verl == pytest.approx(loss, abs=1e-6)
    close(theirs, gradient)
    assert loss != pytest.approx(step_by_us(batch, "dapo")[1], abs=1e-3)


def test_two_ranks_whose_gradients_verl_averages_are_one() -> None:
    batch = rollouts(4)
    _, _, gradient = step_by_us(batch, "grpo")
    advantages = advantages_by_verl(batch, "benchgen_grpo", {})
    _, both = step_by_verl(actor("benchgen_grpo"), batch, advantages, 2, ranks=2)
    close(both / 2, gradient)


def test_verl_s_weights_between_engine_and_trainer_are_ours() -> None:
    batch = rollouts(5)
    _, loss, gradient = step_by_us(batch, "cpgd", correction="truncate", drift_coef=0.5)
    register("drifting", "cpgd", drift_coef=0.5)
    fields = {
        "old_log_probs": batch.logp_old,
        "rollout_log_probs": batch.logp_rollout,
        "response_mask": batch.mask.long(),
    }
    data = DataProto(batch=TensorDict(fields, batch_size=len(batch.mask)))
    wanted = OmegaConf.create({"rollout_is": "token", "rollout_is_threshold": 2.0})
    data, _ = compute_rollout_correction_and_add_to_batch(data, wanted)
    by_verl, theirs = step_by_verl(
        actor("drifting"),
        batch,
        advantages_by_verl(batch, "drifting", {}),
        weights=data.batch["rollout_is_weights"],
    )
    assert by_verl == pytest.approx(loss, abs=1e-6)
    close(theirs, gradient)


def test_a_divergence_that_verl_took_off_the_reward_is_not_taken_off_again() -> None:
    batch = rollouts(9)
    register("divergent", "rloo", reward_kl="k3", reward_kl_coef=0.05)
    plan = objectives.prepare("rloo", batch, reward_kl="k3", reward_kl_coef=0.05)
    kl = {"type": "fixed", "kl_coef": 0.05}
    taken = {"use_kl_in_reward": True, "kl_penalty": "low_var_kl", "kl_ctrl": kl}
    close(advantages_by_verl(batch, "divergent", taken), plan.advantages)


def test_what_is_logged_is_of_the_micro_batch() -> None:
    batch = rollouts(10)
    plan = objectives.prepare("dapo", batch)
    whole = objectives.loss(plan, batch, plan.totals).metrics
    seen = {"actor/ppo_kl": 0.0, "actor/pg_clipfrac": 0.0}
    for rows in torch.arange(len(batch.mask)).chunk(3):
        _, logged = loss_by_verl(actor("benchgen_dapo"), batch, plan.advantages, rows=rows)
        for name in seen:
            seen[name] += logged[name].aggregate() * float(batch.mask[rows].sum())
    tokens = float(batch.mask.sum())
    assert seen["actor/ppo_kl"] / tokens == pytest.approx(whole["kl_old"], abs=1e-9)
    clipped = whole["clipped_high"] + whole["clipped_low"]
    assert seen["actor/pg_clipfrac"] / tokens == pytest.approx(clipped, abs=1e-9)
    assert clipped > 0


def test_what_the_configuration_lacks_is_said_in_one_line() -> None:
    batch = rollouts(6)
    with pytest.raises(InputError, match="algorithm.use_kl_in_reward=true"):
        advantages_by_verl(batch, "benchgen_reinforce_pp", {})
    other = {"use_kl_in_reward": True, "kl_ctrl": {"type": "fixed", "kl_coef": 0.5}}
    with pytest.raises(InputError, match="algorithm.kl_ctrl.kl_coef=0.01"):
        advantages_by_verl(batch, "benchgen_reinforce_pp", other)
    nothing = torch.zeros_like(batch.mask)
    with pytest.raises(InputError, match="actor.loss_scale_factor"):
        step_by_verl(actor("benchgen_dr_grpo"), batch, nothing)


SEQUENCES = {"loss_agg_mode": "seq-mean-token-mean"}

VERL_S_OWN = [
    # preset and overrides; verl's estimator and its settings; verl's loss and its settings
    ("grpo", {"dual_clip": 3.0}, "grpo", {}, "vanilla", SEQUENCES),
    (
        "dr_grpo",
        {"dual_clip": 3.0, "max_length": LONGEST},
        "grpo",
        {"norm_adv_by_std_in_grpo": False},
        "vanilla",
        {"loss_agg_mode": "seq-mean-token-sum-norm", "loss_scale_factor": LONGEST},
    ),
    ("dapo", {"dual_clip": 3.0}, "grpo", {}, "vanilla", {"clip_ratio_high": 0.28}),
    (
        "gspo_token",
        {},
        "grpo",
        {},
        "gspo",
        {**SEQUENCES, "clip_ratio_low": 3e-4, "clip_ratio_high": 4e-4},
    ),
    ("sapo", {}, "grpo", {}, "sapo", SEQUENCES),
    (
        "cispo",
        {"cispo_low": 0.8, "cispo_high": 1.28},
        "grpo",
        {},
        "cispo",
        {"clip_ratio_high": 0.28},
    ),
    ("dro", {}, "grpo", {}, "dro", {"dro_beta": 0.1}),
    (
        "rloo",
        {"dual_clip": 3.0, "ratio": "token", "aggregation": "token_mean"},
        "rloo",
        {},
        "vanilla",
        {},
    ),
    ("opo", {"dual_clip": 3.0}, "opo", {}, "vanilla", {}),
    ("gpg", {}, "gpg", {}, "gpg", {}),
    ("reinforce_pp", {"dual_clip": 3.0}, "reinforce_plus_plus", {}, "vanilla", {}),
    (
        "reinforce_pp_baseline",
        {"dual_clip": 3.0},
        "reinforce_plus_plus_baseline",
        {},
        "vanilla",
        {},
    ),
]


@pytest.mark.parametrize("row", VERL_S_OWN, ids=lambda row: row[0])
def test_verl_s_own_objective_is_ours_by_the_documented_overrides(row: Any) -> None:
    preset, settings, estimator, algorithm, loss_mode, numbers = row
    # Of a reply alone in its group verl takes the reward for the advantage.
    batch = rollouts(7, groups=(4, 3, 4))
    plan, loss, gradient = step_by_us(batch, preset, **settings)
    advantages = advantages_by_verl(batch, estimator, in_reward(preset), **algorithm)
    close(advantages * batch.mask, plan.advantages)
    by_verl, theirs = step_by_verl(actor(loss_mode, **numbers), batch, advantages, 2)
    assert by_verl == pytest.approx(loss, abs=1e-6)
    close(theirs, gradient)


def test_verl_s_geometric_mean_is_ours_where_there_is_one_micro_batch() -> None:
    # verl takes the mean of each micro-batch there, whatever the others hold.
    batch = rollouts(8, groups=(4, 3, 4))
    _, loss, gradient = step_by_us(batch, "gmpo")
    advantages = advantages_by_verl(batch, "grpo", {})
    config = actor("geo_mean", clip_ratio_low=0.4, clip_ratio_high=0.4)
    by_verl, theirs = step_by_verl(config, batch, advantages)
    assert by_verl == pytest.approx(loss, abs=1e-6)
    close(theirs, gradient)
