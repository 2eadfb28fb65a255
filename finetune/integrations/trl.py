"""Our objectives inside TRL's GRPOTrainer, which samples, scores, accumulates and steps as ever.

::

    trainer = ObjectiveTrainer(
        model="...", reward_funcs=reward, args=GRPOConfig(...), train_dataset=prompts,
        objective=objectives.resolve("gspo", clip_high=5e-4),
    )
    trainer.train()

Conventions
-----------
* TRL gathers the rewards of all processes but keeps each one's replies to itself. Here the replies'
  masks and log-probabilities are gathered, too: every process prepares the whole generation batch,
  alike, and learns from its own rows.
* Rows, shuffled and dealt out by TRL, carry their place in that batch (``rollout``).
* Normalizers count the optimizer step's rows and tokens over all its micro-batches and
  processes. So a generation batch has to hold whole optimizer steps.
* TRL computes no old log-probabilities where each rollout is learned from once; there the old
  ones are the new ones without their gradient, unless the objective reads them beforehand.
* What an objective says (clip bounds, divergence, masks ...) GRPOConfig may not say otherwise.
  TRL's own correction of a vLLM's log-probabilities is not used: ``correction`` is an axis here.
* Steps of a schedule are TRL's, optimizer steps; of replies that tie, the first in a generation
  batch is the lesser.
* A reply is right where its reward is 1 or more: TRL knows no verdict beside it.
* The private methods overridden here are TRL 1.16's.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from benchgen.errors import InputError
from finetune.diversity import diversities
from finetune.objectives import (
    Plan,
    RolloutBatch,
    Settings,
    State,
    Totals,
    loss,
    needs_entropy,
    needs_old,
    prepare,
)
from finetune.objectives.vppo import needs_masked_image

WRITTEN_FOR = "1.16."

REPLACED = (
    "beta",
    "delta",
    "entropy_coef",
    "epsilon",
    "epsilon_high",
    "importance_sampling_level",
    "loss_type",
    "mask_truncated_completions",
    "multi_objective_aggregation",
    "off_policy_mask_threshold",
    "sapo_temperature_neg",
    "sapo_temperature_pos",
    "scale_rewards",
    "top_entropy_quantile",
    "use_adaptive_entropy",
    "use_bias_correction_kl",
    "vespo_k_neg",
    "vespo_k_pos",
    "vespo_lambda_neg",
    "vespo_lambda_pos",
)
"""GRPOConfig's fields that make an objective."""

SHOWN = (
    "pixel_values",
    "image_grid_thw",
    "num_images",
    "pixel_attention_mask",
    "spatial_shapes",
    "num_tiles",
    "image_sizes",
    "token_type_ids",
    "mm_token_type_ids",
    "image_position_ids",
)
"""What a row may hold for the model beside its tokens."""


@dataclass(frozen=True, slots=True)
class _Generation:
    """One generation batch of all processes, what was prepared of it, and whether ``logp_old``
    is known.
    """

    batch: RolloutBatch
    plan: Plan
    has_old: bool


class ObjectiveTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's GRPOTrainer with an objective of ours in the place of its advantage and its loss.

    ``objective`` is a resolved preset (``objectives.resolve``), the rest is GRPOTrainer's, by
    name. A reference model is loaded where the objective has a divergence.

    Raises
    ------
    InputError
        The objective asks for what this trainer does not have, ``args`` for another objective,
        or another TRL is installed.
    """

    def __init__(self, *, objective: Settings, args: Any, **rest: Any) -> None:
        check_expressible(objective, args)
        args = copy.copy(args)
        # All that TRL is told of a divergence: that a reference is needed.
        args.beta = objective.kl_coef or objective.reward_kl_coef
        self._objective = objective
        self._rewards = torch.empty(0)
        self._generations: dict[str, _Generation] = {}
        super().__init__(args=args, **rest)
        if self.aux_loss_enabled:
            raise InputError("a router's loss is no part of an objective: router_aux_loss_coef=0")

    def _calculate_rewards(self, *given: Any, **named: Any) -> Any:
        """Remember the rewards: those of all processes, ``[B, functions]``."""
        self._rewards = super()._calculate_rewards(*given, **named)
        return self._rewards

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        """Prepare what TRL has generated."""
        mode = self._mode
        output = super()._generate_and_score_completions(inputs)
        sampled = output.get("sampling_per_token_logps")
        corrected = self._objective.correction != "none" and sampled is not None
        lacking = "old_per_token_logps" not in output and (corrected or needs_old(self._objective))
        if lacking or needs_entropy(self._objective):
            with torch.no_grad():
                size = self.args.per_device_train_batch_size
                logp, entropy = self._scores(self.model, output, size)
            output.setdefault("old_per_token_logps", logp)
        has_old = "old_per_token_logps" in output
        batch = self._everyone(output, mode)
        if needs_entropy(self._objective):
            batch = dataclasses.replace(batch, entropy=self._gathered(entropy))
        plan = prepare(self._objective, batch, State(self.state.global_step + 1, self.args.seed))
        self._generations[mode] = _Generation(batch, plan, has_old)
        for name, value in plan.metrics.items():
            self._metrics[mode][f"objective/{name}"].append(value)
        mine = len(output["completion_ids"])
        first = self.accelerator.process_index * mine
        output["rollout"] = torch.arange(first, first + mine, device=batch.mask.device)
        output["advantages"] = plan.rows(output["rollout"]).advantages
        self._show(batch, plan)
        return output

    def _compute_loss(self, model: Any, inputs: Any) -> Any:
        """The part of the optimizer step's loss that these rows have."""
        mode = self._mode
        generation = self._generations[mode]
        index, width = inputs["rollout"], inputs["completion_ids"].size(1)
        logp, entropy = self._scores(model, inputs)
        rows = generation.batch.rows(index, width)
        old = rows.logp_old if generation.has_old else logp.detach()
        rows = dataclasses.replace(rows, logp_new=logp, logp_old=old)
        totals = self._totals(generation.plan, mode)
        found = loss(generation.plan.rows(index, width), rows, totals)
        spread = float((entropy.detach() * rows.mask).sum()) / max(totals.tokens, 1)
        self._note(mode, {**found.metrics, "entropy": spread})
        # Processes that share a model take the mean of their gradients.
        return found.loss * self.accelerator.num_processes

    @property
    def _mode(self) -> str:
        return "train" if self.model.training else "eval"

    def _scores(self, model: Any, rows: Any, size: int | None = None) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies of the replies' tokens, ``[B, T]``."""
        ids, mask = (
            torch.cat([rows[f"prompt_{kind}"], rows[f"completion_{kind}"]], dim=1)
            for kind in ("ids", "mask")
        )
        shown = {name: rows[name] for name in SHOWN if rows.get(name) is not None}
        logp, entropy, _ = self._get_per_token_logps_and_entropies(
            model, ids, mask, rows["completion_ids"].size(1), size, compute_entropy=True, **shown
        )
        return logp, entropy

    def _everyone(self, output: Mapping[str, Any], mode: str) -> RolloutBatch:
        """The rollouts of all processes, in their order."""
        there = output["completion_mask"]
        last = (there.sum(1, keepdim=True) - 1).clamp(min=0)
        ends = torch.tensor([*self.eos_token_ids, self._tokenizer.pad_token_id], device=last.device)
        cut = ~torch.isin(output["completion_ids"].gather(1, last)[:, 0], ends)
        mask = self._gathered((there * output.get("tool_mask", 1)).float())
        old, sampled, reference = (
            self._gathered(output[name]) if name in output else None
            for name in ("old_per_token_logps", "sampling_per_token_logps", "ref_per_token_logps")
        )
        # What is not known is not read.
        known = torch.zeros_like(mask) if old is None else old
        weights = self.reward_weights.to(mask.device)
        rewards = (self._rewards * weights).nansum(1)
        rewards[self._rewards.isnan().all(1)] = torch.nan
        number = torch.arange(len(mask), device=mask.device)
        of = self.num_generations if mode == "train" else self.num_generations_eval
        return RolloutBatch(
            logp_new=known,
            logp_old=known,
            mask=mask,
            rewards=rewards,
            group=number // of,
            logp_ref=reference,
            logp_rollout=sampled if old is not None else None,
            truncated=self.accelerator.gather(cut),
            row_key=number,
            scores={"length": mask.sum(1), **self._diversities(output, rewards, number // of)},
        )

    def _diversities(
        self, output: Mapping[str, Any], rewards: Tensor, group: Tensor
    ) -> dict[str, Tensor]:
        """How different each reply is from the others of its group, ``[B]`` by name."""
        if self._objective.diversity == "none":
            return {}
        ids = output["completion_ids"]
        mine = self._tokenizer.batch_decode(ids, skip_special_tokens=True)
        right = [reward >= 1 for reward in rewards.tolist()]
        found = diversities(self._objective, gather_object(mine), right, group.tolist())
        return {name: torch.tensor(values, device=ids.device) for name, values in found.items()}

    def _gathered(self, matrix: Tensor) -> Tensor:
        """The rows of all processes, as wide as the widest."""
        wide = self.accelerator.pad_across_processes(matrix, dim=1)
        found: Tensor = self.accelerator.gather(wide)
        return found

    def _totals(self, plan: Plan, mode: str) -> Totals:
        """What normalizers count: the optimizer step, or what is evaluated."""
        steps, whole = self.args.gradient_accumulation_steps, self.args.steps_per_generation
        if mode == "eval" or steps == whole:
            return plan.totals
        first = self._step // steps * steps % whole
        parts = self._buffered_inputs[first : first + steps]
        mine = plan.rows(torch.cat([part["rollout"] for part in parts])).totals
        counts = torch.tensor([mine.rows, mine.tokens], device=plan.mask.device)
        return Totals(*self.accelerator.reduce(counts, "sum").tolist())

    def _note(self, mode: str, metrics: Mapping[str, float]) -> None:
        """Log figures whose parts add up over micro-batches and processes; TRL logs a mean."""
        parts = torch.tensor(list(metrics.values()), device=self.accelerator.device)
        count = self.args.gradient_accumulation_steps if mode == "train" else 1
        whole = (self.accelerator.reduce(parts, "sum") * count).tolist()
        for name, value in zip(metrics, whole, strict=True):
            self._metrics[mode][f"objective/{name}"].append(value)

    def _show(self, batch: RolloutBatch, plan: Plan) -> None:
        """Put our advantages, as means over a row's tokens, where TRL logs its own."""
        means = plan.advantages.sum(1) / batch.lengths.clamp(min=1)
        shown = self._logs["advantages"]
        for _ in range(min(len(shown), len(means))):
            shown.pop()
        shown.extend(means.tolist())


def check_expressible(objective: Settings, args: Any) -> None:
    """Whether this trainer can do what ``objective`` asks for, and ``args`` asks for nothing else.

    Raises
    ------
    InputError
        It cannot, ``args`` does, or another TRL is installed.
    """
    installed = version("trl")
    if not installed.startswith(WRITTEN_FOR):
        raise InputError(f"this trainer is written for TRL {WRITTEN_FOR}x, not {installed}")
    if objective.value_coef or objective.advantage == "gae":
        raise InputError("the objective needs a critic, which TRL's GRPOTrainer has none of")
    if objective.replay_beta is not None:
        raise InputError("TRL mixes no earlier replies into a batch")
    if needs_masked_image(objective):
        raise InputError("TRL reads no reply twice, with its picture blackened")
    if objective.anchor_coef:
        raise InputError("an anchor needs a nucleus entropy, which TRL's head does not give")
    if objective.entropy_coef:
        raise InputError("entropy_coef needs a nucleus entropy, which TRL's head does not give")
    for name in REPLACED:
        if getattr(args, name) != GRPOConfig.__dataclass_fields__[name].default:
            raise InputError(f"{name} is for the objective to say, not for GRPOConfig")
    whole, steps = args.steps_per_generation, args.gradient_accumulation_steps
    if whole % steps:
        raise InputError(
            f"steps_per_generation ({whole}) is a multiple of gradient_accumulation_steps ({steps})"
        )
