"""A step's rollouts as one batch, and all that is to be known of it before the step is learned.

Conventions
-----------
* Rows are the replies, group by group; matrices are ``[B, T]``, as wide as the longest reply.
* What is read here is read without gradient, by ranks together (``passes``), but for what is read
  ahead of the step (``ahead``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from finetune.ahead import Ahead, read_ahead
from finetune.course import Course
from finetune.critic import Critic
from finetune.diversity import diversities
from finetune.objectives import RolloutBatch, Settings, State
from finetune.objectives.siren import nucleus_of
from finetune.objectives.vppo import needs_masked_image
from finetune.passes import Scorer, all_masked_images, all_scores, all_values
from finetune.policy import Policy
from finetune.ranks import Ranks
from finetune.rollouts import Group


def whole_batch(
    policy: Policy,
    groups: Sequence[Group],
    objective: Settings,
    state: State,
    course: Course,
    *,
    temperature: float,
    once: bool,
    one_update: bool,
    reference: Scorer | None = None,
    critic: Critic | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> tuple[RolloutBatch, Ahead | None]:
    """The groups with all that ``objective`` needs before its step, and what was read ahead of it.

    With ``once`` the policy's own log-probabilities are left to the pass with the gradient, and are
    the engine's until then. Else, and if the step is ``one_update``, some are read ahead.
    """
    rows = [one for group in groups for one in group]
    trajectories = [one.trajectory for one in rows]
    device = policy.model.device
    batch = as_batch(groups, device)
    texts, right = [one.text for one in rows], [one.outcome >= 1 for one in rows]
    apart = diversities(objective, texts, right, batch.group.tolist())
    more = {name: torch.tensor(values, device=device) for name, values in apart.items()}
    batch = dataclasses.replace(batch, scores={**batch.scores, **more})
    ahead = None
    if not once:
        nucleus = nucleus_of(objective)
        if one_update and ranks.size == 1:
            old, ahead = read_ahead(
                policy, trajectories, temperature, course,
                entropy_gradient=bool(objective.entropy_coef), nucleus=nucleus,
            )  # fmt: skip
        else:
            old = all_scores(policy, trajectories, temperature, course, ranks, device, nucleus)
        batch = dataclasses.replace(
            batch, logp_old=old.logp, logp_new=old.logp, entropy=old.entropy,
            nucleus_entropy=old.nucleus_entropy,
        )  # fmt: skip
    if reference is not None:
        scores = all_scores(reference, trajectories, temperature, course, ranks, device)
        batch = dataclasses.replace(batch, logp_ref=scores.logp)
    if critic is not None:
        values = all_values(critic, trajectories, course, ranks)
        batch = dataclasses.replace(batch, values_old=values, values_new=values)
    if needs_masked_image(objective):
        masked = all_masked_images(
            policy, rows, objective, state.step, temperature, course, ranks
        )
        batch = dataclasses.replace(batch, **masked)
    return batch, ahead


def as_batch(groups: Sequence[Group], device: torch.device) -> RolloutBatch:
    """Rollouts as tensors; ``logp_old`` and ``logp_new`` are the engine's until they are known."""
    rows = [one for group in groups for one in group]
    width = max(len(one.tokens) for one in rows)
    mask = torch.zeros(len(rows), width)
    engine = torch.zeros(len(rows), width)
    for number, one in enumerate(rows):
        mask[number, : len(one.tokens)] = 1
        engine[number, : len(one.tokens)] = torch.tensor(one.logprobs)
    group = [number for number, members in enumerate(groups) for _ in members]

    def vector(values: list[Any], dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    engine = engine.to(device)
    replayed = vector([one.replayed for one in rows], torch.bool)
    return RolloutBatch(
        logp_new=engine,
        logp_old=engine,
        mask=mask.to(device),
        rewards=vector([one.reward for one in rows]),
        group=vector(group, torch.long),
        # What sampled a replayed reply was another policy, and says nothing of today's engine.
        logp_rollout=torch.where(replayed[:, None], torch.nan, engine),
        logp_behavior=engine,
        off_policy=replayed,
        outcome=vector([one.outcome for one in rows]),
        truncated=vector([one.truncated for one in rows], torch.bool),
        row_key=vector([one.seed for one in rows], torch.long),
        scores={"length": vector([len(one.tokens) for one in rows])},
    )
