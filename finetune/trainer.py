"""Reinforcement learning from verifiable rewards: sample, judge, learn.

The loop of one step:

1. draw groups of replies from the policy, through an engine;
2. write them down;
3. take old log-probabilities, where the pass with the gradient cannot give them;
4. let the objective prepare (advantages, token weights, selections);
5. learn, in micro-batches that cannot be told apart from one batch;
6. hand the new weights to the engine.

Conventions
-----------
* Steps count from 1 in ``metrics.jsonl`` and in the names of files.
* Three log-probabilities of a token are kept apart: the engine's, which sampled it; the
  policy's before the step (``old``); the policy's now (``new``). Where a rollout is
  learned from once, old is new without its gradient, and costs no pass.
* A row that teaches nothing is not read by the model; the normalizers count it.
* Ranks deal out the questions and the micro-batches and sum what comes of them; all of them
  prepare, and step, alike. The first one writes.
* A run goes on from its last checkpoint to the same end: questions, seeds and orders follow from
  the run's seed and how much has been drawn.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchgen.errors import InputError
from evaluators.engine import Engine
from evaluators.questions import Question
from finetune.checkpoint import (
    checkpoint_path,
    latest_step,
    load_state,
    save_checkpoint,
    seed_random,
)
from finetune.objectives import (
    RolloutBatch,
    Settings,
    State,
    loss,
    mismatch_seen,
    needs_old,
    prepare,
    reweighed,
)
from finetune.optimizer import Optimization, Optimizer
from finetune.order import places
from finetune.packing import micro_batches
from finetune.policy import Policy
from finetune.ranks import Ranks
from finetune.rewards import Reward, check_rewards
from finetune.rollouts import Group, draw_groups, teaches, write_rollouts
from finetune.sft import Trained
from finetune.training_folder import append_metrics, cut_metrics, read_metrics
from finetune.trajectory import Trajectory

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Called with the steps done, the steps wanted and the step's figures."""

Validate = Callable[[int], float]
"""Called with the steps done; the accuracy on what is held out."""


@dataclass(frozen=True, slots=True)
class Practice:
    """What a step samples and how often it learns from it.

    ``prompts`` groups of ``samples`` replies of at most ``max_tokens`` tokens. With ``dynamic``
    groups whose verdicts are all alike are put aside and others are drawn in their place,
    ``rounds`` times at most. Each batch is gone through ``updates`` times in ``mini_batches``
    parts, one optimizer step each.

    Raises
    ------
    InputError
        A number is out of range.
    """

    prompts: int
    samples: int
    max_tokens: int
    temperature: float = 1.0
    dynamic: bool = False
    rounds: int = 4
    updates: int = 1
    mini_batches: int = 1

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise InputError("a group has two replies or more: one alone has no baseline")
        if min(self.prompts, self.max_tokens, self.rounds, self.updates, self.mini_batches) < 1:
            raise InputError("prompts, tokens, rounds, updates and mini-batches are 1 or more")
        if not 0.01 <= self.temperature < math.inf:
            # vLLM takes a lower one for 0.01 and says nothing.
            raise InputError("a policy learns from what it draws: the temperature is 0.01 or more")
        if self.mini_batches > self.prompts:
            raise InputError("there are more mini-batches than prompts")


@dataclass(frozen=True, slots=True)
class Course:
    """How a run goes on: tokens at once, seed, when to save, validate and end (0: never).

    ``idle_steps`` steps in a row that taught nothing end it, and so does an entropy below
    ``least_entropy``.
    """

    micro_tokens: int = 4096
    seed: int = 0
    save_every: int = 0
    keep: int = 2
    validate_every: int = 0
    max_minutes: float = 0.0
    most_tokens: int = 0
    idle_steps: int = 20
    least_entropy: float = 0.0


def train(
    policy: Policy,
    engine: Engine,
    questions: Sequence[Question],
    rewards: Sequence[Reward],
    objective: Settings,
    out: Path,
    *,
    practice: Practice,
    course: Course,
    optimization: Optimization,
    reference: Policy | None = None,
    validate: Validate | None = None,
    progress: Progress | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> Trained:
    """Train ``policy`` on ``questions`` into the folder ``out``, sampling through ``engine``.

    ``policy`` holds the weights of the last checkpoint there, if there is one, and ``engine`` the
    same.

    Raises
    ------
    NotFiniteError
        A loss or gradient is not finite; the step's rollouts lie in the journal.
    InputError, OSError
        Rewards that cannot teach, a lacking reference, or a checkpoint that cannot be read or
        written.
    RuntimeError
        The engine answered nothing at all.
    """
    check_rewards(rewards, [question.problem for question in questions[:16]])
    if (objective.kl_coef or objective.reward_kl_coef) and reference is None:
        raise InputError("a divergence from the beginning needs a reference policy")
    optimizer = Optimizer(policy.model.named_parameters(), optimization)
    first = latest_step(out) or 0
    if len(set(ranks.gather(first))) > 1:
        raise InputError(f"the processes do not see the same checkpoints in {out}")
    drawn = tokens = idle = 0
    if first:
        kept = load_state(out, first)
        optimizer.restore(kept["optimizer"])
        drawn, tokens, idle = kept["drawn"], kept["tokens"], kept["idle"]
    else:
        seed_random(course.seed)
    if ranks.first:
        cut_metrics(out, first)
    ranks.wait()
    lines = read_metrics(out)
    began = time.monotonic() - (lines[-1]["elapsed"] if lines else 0.0)
    done = first
    # A run that came to its end does nothing more, unless it is to be longer.
    stopped = ranks.gather(_why_stop(course, began, tokens, idle, {}))[0] if first else ""

    def save(after: int) -> None:
        state = {
            "optimizer": optimizer.state(),
            "drawn": drawn,
            "tokens": tokens,
            "idle": idle,
        }
        if ranks.first:
            save_checkpoint(out, after, policy.model, policy.tokenizer, state, course.keep)
        ranks.wait()

    for step in range(first + 1, first if stopped else optimization.steps + 1):
        clock = _Clock()
        with clock.phase("sample"):
            groups, drawn, sampled, seen = _collect(
                engine, questions, rewards, practice, course, drawn, ranks
            )
            if ranks.first:
                write_rollouts(out, step, groups)
        with clock.phase("learn"):
            state = State(step=step, seed=course.seed)
            figures = learn(
                policy, groups, objective, state, optimizer, practice, course,
                rate_step=step - 1, reference=reference, ranks=ranks,
            )  # fmt: skip
        with clock.phase("hand_over"):
            _hand_over(engine, policy)
        tokens += sampled
        record = {"step": step, **seen, **figures, "tokens": tokens, "drawn": drawn}
        done = step
        idle = idle + 1 if figures["zero_variance_groups"] == 1.0 else 0
        # The first rank's clock decides for all.
        stopped = ranks.gather(_why_stop(course, began, tokens, idle, figures))[0]
        last = bool(stopped) or step == optimization.steps
        if validate is not None and course.validate_every and (
            last or step % course.validate_every == 0
        ):
            with clock.phase("validate"):
                if ranks.first and not math.isnan(accuracy := validate(step)):
                    record["validation"] = accuracy
                ranks.wait()
        record["elapsed"] = round(time.monotonic() - began, 3)
        record |= {f"seconds_{name}": round(spent, 3) for name, spent in clock.spent.items()}
        if ranks.first:
            append_metrics(out, record)
        if last or (course.save_every and step % course.save_every == 0):
            save(step)
        if progress is not None:
            progress(step, optimization.steps, record)
        if stopped:
            break
    return Trained(done, stopped, checkpoint_path(out, done))


def learn(
    policy: Policy,
    groups: Sequence[Group],
    objective: Settings,
    state: State,
    optimizer: Optimizer,
    practice: Practice,
    course: Course,
    *,
    rate_step: int,
    reference: Policy | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> dict[str, float]:
    """One step's updates; the figures of the step, means over its optimizer steps.

    Raises
    ------
    NotFiniteError
        A loss or a gradient is not finite.
    """
    rows = [one for group in groups for one in group]
    trajectories = [one.trajectory for one in rows]
    device = policy.model.device
    batch = as_batch(groups, device)
    once = practice.updates == practice.mini_batches == 1 and not needs_old(objective)
    if not once:
        logp, entropy = _all_scores(policy, trajectories, practice, course, batch.mask, ranks)
        batch = dataclasses.replace(batch, logp_old=logp, logp_new=logp, entropy=entropy)
    if reference is not None:
        logp, _ = _all_scores(reference, trajectories, practice, course, batch.mask, ranks)
        batch = dataclasses.replace(batch, logp_ref=logp)
    plan = prepare(objective, batch, state)
    known = torch.zeros_like(batch.logp_old, dtype=policy.precision)
    sums: dict[str, float] = {}
    norms: list[float] = []
    for _ in range(practice.updates):
        for part in _parts(groups, practice.mini_batches, device):
            totals = plan.rows(part).totals
            busy = part[~plan.idle[part]]
            if not len(busy):
                continue
            chosen = [trajectories[int(i)] for i in busy]
            micros = micro_batches(chosen, shared=policy.shared, most_tokens=course.micro_tokens)
            for micro in ranks.share(micros):
                index = busy[torch.tensor(micro, device=device)]
                scores = policy.scores([trajectories[int(i)] for i in index], practice.temperature)
                width = scores.logp.shape[1]
                some = dataclasses.replace(batch.rows(index, width), logp_new=scores.logp)
                mine = plan.rows(index, width)
                if once:
                    some = dataclasses.replace(some, logp_old=scores.logp.detach())
                    mine = reweighed(mine, some)
                    known[index, :width] = scores.logp.detach()
                found = loss(mine, some, totals)
                found.loss.backward()
                entropy_sum = float((scores.entropy * scores.mask).sum())
                passed = {"entropy": entropy_sum, "tokens_read": float(scores.mask.sum())}
                for name, value in (passed | dict(found.metrics)).items():
                    sums[name] = sums.get(name, 0.0) + value
            ranks.sum_gradients(policy.model.parameters())
            # Gradients that are not finite, of whichever rank, stop every one of them here.
            norms.append(optimizer.step(rate_step))
    sums = ranks.sum_figures(sums)
    read = sums.pop("tokens_read", 0.0)
    entropy = sums.pop("entropy", 0.0) / max(1.0, read)
    figures = {name: value / max(1, len(norms)) for name, value in sums.items()}
    if once and norms:
        ranks.sum_(known)
        busy_rows = torch.nonzero(~plan.idle).flatten()
        figures |= mismatch_seen(dataclasses.replace(batch, logp_old=known).rows(busy_rows))
    if norms:
        figures |= {"entropy": entropy, "gradient_norm": math.fsum(norms) / len(norms)}
    figures["optimizer_steps"] = float(len(norms))
    skipped = ("mismatch_k3", "mismatch_largest", "mismatch_effective", "mismatch_over_2", "weight")
    planned = {n: v for n, v in plan.metrics.items() if not (once and n in skipped)}
    return {**planned, **figures}


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
    return RolloutBatch(
        logp_new=engine,
        logp_old=engine,
        mask=mask.to(device),
        rewards=vector([one.reward for one in rows]),
        group=vector(group, torch.long),
        logp_rollout=engine,
        outcome=vector([one.outcome for one in rows]),
        truncated=vector([one.truncated for one in rows], torch.bool),
        row_key=vector([one.seed for one in rows], torch.long),
        scores={"length": vector([len(one.tokens) for one in rows])},
    )


def _collect(
    engine: Engine,
    questions: Sequence[Question],
    rewards: Sequence[Reward],
    practice: Practice,
    course: Course,
    drawn: int,
    ranks: Ranks,
) -> tuple[tuple[Group, ...], int, int, dict[str, float]]:
    """A step's groups, the draws so far, tokens sampled, and what was seen in passing."""
    kept: list[Group] = []
    aside: list[Group] = []
    failed, asked, error = 0, 0, ""
    for _ in range(practice.rounds if practice.dynamic else 1):
        lacking = practice.prompts - len(kept)
        if not lacking:
            break
        order = places(len(questions), drawn, lacking, course.seed)
        mine = ranks.share([(drawn + n, questions[i]) for n, i in enumerate(order)])
        found = draw_groups(
            engine, mine, rewards, samples=practice.samples, temperature=practice.temperature,
            max_tokens=practice.max_tokens, seed=course.seed,
        )  # fmt: skip
        drawn += lacking
        asked += lacking * practice.samples
        everyone = ranks.gather(found)
        failed += sum(one.failed for one in everyone)
        error = next((one.error for one in everyone if one.error), error)
        groups_found = [group for one in everyone for group in one.groups]
        for group in sorted(groups_found, key=lambda group: group[0].draw):
            (kept if teaches(group) or not practice.dynamic else aside).append(group)
    # Rather groups that teach nothing than a step of another size.
    groups = tuple(kept + aside[: practice.prompts - len(kept)])
    if not groups:
        raise RuntimeError(f"the engine gave no reply to learn from: {error}")
    rows = [one for group in [*kept, *aside] for one in group]
    outcomes = [one.outcome for one in rows if not math.isnan(one.outcome)]
    verdicts = [one.verdict for one in rows]
    seen = {
        "accuracy": math.fsum(outcomes) / max(1, len(outcomes)),
        "unparsed": verdicts.count("unparsed") / len(rows),
        "truncated": verdicts.count("truncated") / len(rows),
        "failed": failed / asked,
        "put_aside": float(len(kept) + len(aside) - len(groups)),
    }
    return groups, drawn, sum(len(one.tokens) for one in rows), seen


def _all_scores(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    practice: Practice,
    course: Course,
    mask: Tensor,
    ranks: Ranks,
) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies of all rows, without gradient, ``[B, T]``."""
    logp, entropy = (torch.zeros_like(mask, dtype=policy.precision) for _ in range(2))
    with torch.no_grad():
        micros = micro_batches(trajectories, shared=policy.shared, most_tokens=course.micro_tokens)
        for part in ranks.share(micros):
            found = policy.scores([trajectories[i] for i in part], practice.temperature)
            width = found.logp.shape[1]
            logp[part, :width] = found.logp
            entropy[part, :width] = found.entropy
    return ranks.sum_(logp), ranks.sum_(entropy)


def _parts(groups: Sequence[Group], count: int, device: torch.device) -> Iterator[Tensor]:
    """The rows of each mini-batch: whole groups, as evenly as may be."""
    ends = [0]
    for group in groups:
        ends.append(ends[-1] + len(group))
    for number in range(count):
        start, stop = (len(groups) * n // count for n in (number, number + 1))
        yield torch.arange(ends[start], ends[stop], device=device)


def _hand_over(engine: Engine, policy: Policy) -> None:
    """Let the engine sample from the weights as they are now.

    An engine that samples from the very model that is trained has nothing to do.
    """
    update = getattr(engine, "update_weights", None)
    if update is not None:
        update(policy.model)


def _why_stop(
    course: Course, began: float, tokens: int, idle: int, figures: Mapping[str, float]
) -> str:
    if course.max_minutes and time.monotonic() - began > 60 * course.max_minutes:
        return f"{course.max_minutes:g} minutes are over"
    if course.most_tokens and tokens >= course.most_tokens:
        return f"{tokens} tokens have been sampled"
    if course.idle_steps and idle >= course.idle_steps:
        return f"the rewards in every group have been alike for {idle} steps"
    entropy = figures.get("entropy")
    if entropy is not None and entropy < course.least_entropy:
        return f"the entropy has fallen to {entropy:.4f}"
    return ""


class _Clock:
    """Seconds of a step by phase."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + time.monotonic() - began
