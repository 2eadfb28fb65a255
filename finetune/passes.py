"""Passes over all rows of a step, without gradient: what is to be known before it learns.

Conventions
-----------
* Every rank reads its part of the rows, in micro-batches, which may be none, and has the sum of
  all: whole matrices ``[B, T]`` in the precision of log-probabilities, 0 behind a reply.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor

from finetune.blackened import blackened
from finetune.course import Course
from finetune.critic import Critic
from finetune.log_probabilities import TokenScores
from finetune.objectives import Settings
from finetune.objectives.siren import Nucleus
from finetune.packing import micro_batches
from finetune.policy import Policy
from finetune.ranks import Ranks
from finetune.rollouts import Rollout
from finetune.trajectory import Trajectory

SCORES = tuple(field.name for field in dataclasses.fields(TokenScores))


class Scorer(Protocol):
    """Whatever tells the log-probabilities of replies: a policy, or what it began as."""

    @property
    def shared(self) -> bool:
        """Whether replies to one prompt may share a row."""

    @property
    def precision(self) -> Any:
        """Of log-probabilities."""

    def scores(
        self,
        trajectories: Sequence[Trajectory],
        temperature: float,
        *,
        nucleus: Nucleus | None = None,
    ) -> TokenScores:
        """Log-probabilities and entropies of the replies' tokens, ``[B, T]``."""


def all_scores(
    policy: Scorer,
    trajectories: Sequence[Trajectory],
    temperature: float,
    course: Course,
    ranks: Ranks,
    device: torch.device,
    nucleus: Nucleus | None = None,
) -> TokenScores:
    """What a policy says of all rows."""
    names = [name for name in SCORES if nucleus is not None or name != "nucleus_entropy"]

    def read(part: list[Trajectory]) -> dict[str, Tensor]:
        found = policy.scores(part, temperature, nucleus=nucleus)
        return {name: getattr(found, name) for name in names}

    empty = _empty(names, trajectories, policy.precision, device)
    return TokenScores(**_of_all(read, empty, trajectories, policy.shared, course, ranks))


def all_values(
    critic: Critic, trajectories: Sequence[Trajectory], course: Course, ranks: Ranks
) -> Tensor:
    """The critic's values of all rows."""
    of = critic.policy

    def read(part: list[Trajectory]) -> dict[str, Tensor]:
        return {"values": critic.values(part)}

    empty = _empty(["values"], trajectories, of.precision, of.model.device)
    return _of_all(read, empty, trajectories, of.shared, course, ranks)["values"]


def all_masked_images(
    policy: Policy,
    rows: Sequence[Rollout],
    objective: Settings,
    step: int,
    temperature: float,
    course: Course,
    ranks: Ranks,
) -> dict[str, Tensor]:
    """What a policy says where the pictures are black in part; NaN in rows that have none.

    ``logp_masked_image`` or, if the objective goes by it, ``kl_masked_image``. Each row has
    blackened pictures of its own.
    """
    kl = objective.visual_dependency == "kl"
    there = [number for number, row in enumerate(rows) if row.pictures]
    shape = len(rows), max(len(row.tokens) for row in rows)
    out = torch.full(shape, torch.nan, dtype=policy.precision, device=policy.model.device)
    name = "kl_masked_image" if kl else "logp_masked_image"
    if not there:
        return {name: out}
    own = [rows[number].trajectory for number in there]
    seeds = {id(one): rows[number].seed for number, one in zip(there, own, strict=True)}

    def read(part: list[Trajectory]) -> dict[str, Tensor]:
        dark = [
            dataclasses.replace(
                one,
                pictures=blackened(
                    one, seeds[id(one)], step,
                    patch=objective.visual_patch, chance=objective.visual_chance,
                ),
            )
            for one in part
        ]  # fmt: skip
        # They never come again: kept, they would drive out the pictures that do.
        with nullcontext() if policy.reader is None else policy.reader.passing():
            if kl:
                return {name: policy.divergence(part, dark, temperature)}
            return {name: policy.scores(dark, temperature).logp}

    empty = _empty([name], own, policy.precision, policy.model.device)
    # Rows of one prompt show other pictures: each is a row by itself.
    found = _of_all(read, empty, own, False, course, ranks)[name]
    out[there] = 0.0
    out[there, : found.shape[1]] = found
    return {name: out}


def _empty(
    names: Sequence[str],
    trajectories: Sequence[Trajectory],
    precision: Any,
    device: torch.device,
) -> dict[str, Tensor]:
    """Zeros for what will be said of the rows."""
    shape = len(trajectories), max(len(one.reply) for one in trajectories)
    return {name: torch.zeros(shape, dtype=precision, device=device) for name in names}


def _of_all(
    read: Callable[[list[Trajectory]], Mapping[str, Tensor]],
    whole: dict[str, Tensor],
    trajectories: Sequence[Trajectory],
    shared: bool,
    course: Course,
    ranks: Ranks,
) -> dict[str, Tensor]:
    """What ``read`` says of rows, put into ``whole`` from all micro-batches and ranks."""
    micros = micro_batches(trajectories, shared=shared, most_tokens=course.micro_tokens)
    with torch.no_grad():
        for part, counts in ranks.rounds(micros):
            for name, values in read([trajectories[i] for i in part]).items():
                whole[name][part, : values.shape[1]] = counts * values.to(whole[name].dtype)
    return {name: ranks.sum_(matrix) for name, matrix in whole.items()}
