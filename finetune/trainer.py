"""Reinforcement learning from verifiable rewards: sample, judge, learn.

The loop of one step:

1. draw groups of replies from the policy, through an engine;
2. write them down;
3. take old log-probabilities, where the pass with the gradient cannot give them, and values;
4. let the objective prepare (advantages, token weights, selections);
5. learn, in micro-batches that cannot be told apart from one batch;
6. hand the new weights to the engine.

Where an objective learns from earlier replies, some of the groups have one (``replay``).

Conventions
-----------
* Three log-probabilities of a token are kept apart: the engine's, which sampled it; the
  policy's before the step (``old``); the policy's now (``new``). Where a rollout is
  learned from once, old is new without its gradient, and costs no pass.
* A row that teaches nothing is not read by the model; the normalizers count it.
* Ranks deal out the questions and the micro-batches and sum what comes of them; all of them
  prepare, and step, alike. The first one writes.
* A run goes on from its last checkpoint to the same end: questions, seeds and orders follow from
  the run's seed, how much has been drawn, and what its source of questions keeps. A step that was
  journalled before the run was cut is learned from its journal, not sampled again.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchgen.errors import InputError
from evaluators.engine import Engine
from evaluators.questions import Question
from finetune.ahead import Ahead, among
from finetune.course import Course, Progress, Trained, TrainingRun
from finetune.critic import Critic
from finetune.log_probabilities import TokenScores
from finetune.objectives import (
    Settings,
    State,
    loss,
    mismatch_seen,
    needs_old,
    prepare,
    reweighed,
)
from finetune.objectives.siren import nucleus_of
from finetune.optimizer import Optimization, Optimizer
from finetune.packing import micro_batches
from finetune.passes import Scorer
from finetune.policy import Policy
from finetune.questions import Questions
from finetune.ranks import Ranks
from finetune.replay import Replay
from finetune.replay_choice import choose_replies
from finetune.rewards import Reward, check_rewards
from finetune.rollouts import (
    Group,
    Journalled,
    Rollout,
    draw_groups,
    journalled_rollouts,
    teaches,
    write_rollouts,
)
from finetune.sharding import Handed, restore_weights
from finetune.step_batch import whole_batch
from finetune.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Validation:
    """Every so many steps ``ask`` is called with the steps done; it gives the accuracy."""

    every: int
    ask: Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Practice:
    """What a step samples and how often it learns from it.

    ``prompts`` groups of ``samples`` replies of at most ``max_tokens`` tokens. With ``dynamic``
    groups whose verdicts are all alike are put aside and others are drawn in their place,
    ``rounds`` times at most. Each batch is gone through ``updates`` times in ``mini_batches``
    parts, one optimizer step each. ``idle_steps`` steps in a row that taught nothing end the
    run (0: they do not), and so does an entropy below ``least_entropy`` (in nats).

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
    idle_steps: int = 20
    least_entropy: float = 0.0

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


def train(
    policy: Policy,
    engine: Engine,
    questions: Questions,
    rewards: Sequence[Reward],
    objective: Settings,
    out: Path,
    *,
    practice: Practice,
    course: Course,
    optimization: Optimization,
    reference: Scorer | None = None,
    critic: Critic | None = None,
    validation: Validation | None = None,
    progress: Progress | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> Trained:
    """Train ``policy`` on ``questions`` into the folder ``out``, sampling through ``engine``.

    ``policy`` holds the weights of the last checkpoint there, if there is one, and ``engine`` the
    same; the ``critic``'s are in the trainer's state.

    Raises
    ------
    NotFiniteError
        A loss or gradient is not finite; the step's rollouts lie in the journal.
    InputError, OSError
        Rewards that cannot teach, a lacking reference or critic, or a checkpoint that cannot be
        read or written.
    RuntimeError
        The engine answered nothing at all.
    """
    check_rewards(rewards, questions.samples())
    if (objective.kl_coef or objective.reward_kl_coef) and reference is None:
        raise InputError("a divergence from the beginning needs a reference policy")
    if needs_critic(objective) and critic is None:
        raise InputError("values need a critic")
    valued = critic.model.named_parameters() if critic else ()
    optimizer = Optimizer(policy.model.named_parameters(), optimization, valued)
    run = TrainingRun(out, policy, optimizer, course, optimization.steps, ranks)
    drawn = tokens = idle = 0
    anchor: float | None = None
    replay = None
    if objective.replay_beta is not None:
        replay = Replay(objective, practice.samples, course.seed)
    if run.first:
        drawn, tokens, idle = (run.kept[name] for name in ("drawn", "tokens", "idle"))
        anchor = run.kept.get("anchor")
        questions.restore(run.kept["questions"])
        if replay is not None:
            replay.restore(run.kept["replay"])
        if critic is not None:
            restore_weights(critic.model, run.kept["critic"])
        run.check(tokens, _why_stop(practice, idle, run.kept["entropy"]))
    for step in run.steps():
        clock = _Clock()
        replayed: list[tuple[Question, Rollout]] = []
        told: dict[str, float] = {}
        if replay is not None:
            with clock.phase("replay"):
                chosen = replay.verified(replay.choose(practice.prompts, step), rewards)
                replayed, told = choose_replies(
                    policy, chosen, objective, practice.temperature, course, ranks
                )
        with clock.phase("sample"):
            groups, aside, drawn, seen = _collect(
                engine, questions, rewards, practice, course, drawn, ranks,
                journalled_rollouts(out, step), replayed,
            )  # fmt: skip
            if ranks.first:
                write_rollouts(out, step, groups, aside)
        _rest(engine)
        with clock.phase("learn"):
            mixed = replay is not None and replay.mixed
            state = State(step=step, seed=course.seed, anchor=anchor, mixed=mixed)
            figures = learn(
                policy, groups, objective, state, optimizer, practice, course,
                rate_step=step - 1, reference=reference, critic=critic, ranks=ranks,
            )  # fmt: skip
        with clock.phase("hand_over"):
            _hand_over(engine, policy, ranks)
        rows = [one for group in (*groups, *aside) for one in group]
        tokens += sum(len(one.tokens) for one in rows if not one.replayed)
        if replay is not None:
            replay.note((*groups, *aside), seen.asked, step)
            told |= replay.figures()
        anchor = figures.get("anchor")
        alike = figures["zero_variance_groups"] == 1.0 and figures["advantage_absolute"] == 0.0
        idle = idle + 1 if alike else 0
        entropy = figures.get("entropy")
        run.check(tokens, _why_stop(practice, idle, entropy))
        rate = optimization.rate(step - 1)
        counts = {"learning_rate": rate, "tokens": tokens, "drawn": drawn}
        record = {**seen.figures, **told, **figures, **counts}
        if validation is not None and run.due(step, validation.every):
            with clock.phase("validate"):
                accuracy = ranks.gather(validation.ask(step) if ranks.first else 0.0)[0]
            if not math.isnan(accuracy):
                record["validation"] = accuracy
                run.judged(step, accuracy)
        record |= {f"seconds_{name}": round(spent, 3) for name, spent in clock.spent.items()}
        kept = {
            "drawn": drawn,
            "tokens": tokens,
            "idle": idle,
            "entropy": entropy,
            "anchor": anchor,
            "questions": questions.state(),
        }
        if replay is not None:
            kept["replay"] = replay.state()
        if critic is not None:
            kept["critic"] = critic.model.state_dict()
        line = run.end(step, record, kept)
        if progress is not None:
            progress(step, optimization.steps, line)
    return run.trained


def needs_critic(objective: Settings) -> bool:
    """Whether an objective reads values."""
    return bool(objective.value_coef) or objective.advantage == "gae"


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
    reference: Scorer | None = None,
    critic: Critic | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> dict[str, float]:
    """One step's updates; the figures of the step, means over its optimizer steps.

    Raises
    ------
    NotFiniteError
        A loss or a gradient is not finite.
    """
    device = policy.model.device
    trajectories = [one.trajectory for group in groups for one in group]
    nucleus = nucleus_of(objective)
    one_update = practice.updates == practice.mini_batches == 1
    once = one_update and not needs_old(objective)
    batch, ahead = whole_batch(
        policy, groups, objective, state, course, temperature=practice.temperature,
        once=once, one_update=one_update, reference=reference, critic=critic, ranks=ranks,
    )  # fmt: skip
    plan = prepare(objective, batch, state)
    if ahead is not None and bool(plan.idle[ahead.rows].all()):
        # Nothing would ever let its activations go.
        ahead = None
    known = torch.zeros_like(batch.logp_old, dtype=policy.precision)
    sums: dict[str, float] = {}
    norms: list[float] = []
    for _ in range(practice.updates):
        for part in _parts(groups, practice.mini_batches, device):
            totals = plan.rows(part).totals
            busy = part[~plan.idle[part]]
            if not len(busy):
                continue
            for index, scores, counts in _read(
                policy, trajectories, busy, objective, practice.temperature, course, ranks, ahead
            ):
                width = scores.logp.shape[1]
                entropy = scores.entropy if nucleus is None else scores.nucleus_entropy
                some = dataclasses.replace(
                    batch.rows(index, width), logp_new=scores.logp, nucleus_entropy=entropy
                )
                mine = plan.rows(index, width)
                if once:
                    some = dataclasses.replace(some, logp_old=scores.logp.detach())
                    mine = reweighed(mine, some)
                if critic is not None:
                    values = critic.values([trajectories[int(i)] for i in index])
                    some = dataclasses.replace(some, values_new=values)
                found = loss(mine, some, totals)
                (counts * found.loss).backward()
                if not counts:
                    continue
                if once:
                    known[index, :width] = scores.logp.detach()
                entropy_sum = float((scores.entropy.detach() * scores.mask).sum())
                passed = {"entropy": entropy_sum, "tokens_read": float(scores.mask.sum())}
                for name, value in (passed | dict(found.metrics)).items():
                    sums[name] = sums.get(name, 0.0) + value
            ranks.sum_gradients(optimizer.parameters)
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen as a step's groups were collected: figures, and the questions by their ids."""

    figures: dict[str, float]
    asked: dict[str, Question]


def _collect(
    engine: Engine,
    questions: Questions,
    rewards: Sequence[Reward],
    practice: Practice,
    course: Course,
    drawn: int,
    ranks: Ranks,
    journalled: Journalled,
    replayed: Sequence[tuple[Question, Rollout]] = (),
) -> tuple[tuple[Group, ...], tuple[Group, ...], int, _Seen]:
    """A step's groups, those put aside, the draws so far, and what was seen in passing.

    The last draws are those of the questions that are replayed, with a reply each that is not asked
    for.
    """
    kept: list[Group] = []
    aside: list[Group] = []
    failed, asked, error = 0, 0, ""
    named: dict[str, Question] = {}
    for _ in range(practice.rounds if practice.dynamic else 1):
        lacking = practice.prompts - len(kept)
        if not lacking:
            break
        fresh = questions.take(drawn, lacking - len(replayed))
        drawing = list(enumerate([*fresh, *(question for question, _ in replayed)], drawn))
        again = {
            number: reply
            for (number, _), (_, reply) in zip(drawing[len(fresh) :], replayed, strict=True)
        }
        named |= {question.problem.id: question for _, question in drawing}
        found = draw_groups(
            engine, ranks.share(drawing), rewards, samples=practice.samples,
            temperature=practice.temperature, max_tokens=practice.max_tokens, seed=course.seed,
            journalled=journalled, replayed=again,
        )  # fmt: skip
        drawn += lacking
        asked += lacking * practice.samples - len(replayed)
        everyone = ranks.gather(found)
        failed += sum(one.failed for one in everyone)
        error = next((one.error for one in everyone if one.error), error)
        groups_found = [group for one in everyone for group in one.groups]
        groups_found.sort(key=lambda group: group[0].draw)
        questions.note([[one for one in group if not one.replayed] for group in groups_found])
        for group in groups_found:
            (kept if teaches(group) or not practice.dynamic else aside).append(group)
    # Rather groups that teach nothing than a step of another size.
    needed = practice.prompts - len(kept)
    groups, left = tuple(kept + aside[:needed]), tuple(aside[needed:])
    if not groups:
        raise RuntimeError(f"the engine gave no reply to learn from: {error}")
    rows = [one for group in (*groups, *left) for one in group if not one.replayed]
    outcomes = [one.outcome for one in rows if not math.isnan(one.outcome)]
    verdicts = [one.verdict for one in rows]
    figures = {
        "accuracy": math.fsum(outcomes) / max(1, len(outcomes)),
        "unparsed": verdicts.count("unparsed") / len(rows),
        "truncated": verdicts.count("truncated") / len(rows),
        "failed": failed / asked,
        "put_aside": float(len(left)),
    }
    return groups, left, drawn, _Seen(figures, named)


def _read(
    policy: Policy,
    trajectories: Sequence[Trajectory],
    busy: Tensor,
    objective: Settings,
    temperature: float,
    course: Course,
    ranks: Ranks,
    ahead: Ahead | None,
) -> Iterator[tuple[Tensor, TokenScores, bool]]:
    """This rank's micro-batches of the rows ``busy``, their scores, and whether each counts."""
    if ahead is not None:
        for index, scores in among(ahead, busy):
            yield index, scores, True
        busy = busy[~torch.isin(busy, ahead.rows)]
    chosen = [trajectories[int(i)] for i in busy]
    micros = micro_batches(chosen, shared=policy.shared, most_tokens=course.micro_tokens)
    for micro, counts in ranks.rounds(micros):
        index = busy[torch.tensor(micro, device=busy.device)]
        scores = policy.scores(
            [trajectories[int(i)] for i in index], temperature,
            entropy_gradient=bool(objective.entropy_coef), nucleus=nucleus_of(objective),
        )  # fmt: skip
        yield index, scores, counts


def _parts(groups: Sequence[Group], count: int, device: torch.device) -> Iterator[Tensor]:
    """The rows of each mini-batch: whole groups, as evenly as may be."""
    ends = [0]
    for group in groups:
        ends.append(ends[-1] + len(group))
    for number in range(count):
        start, stop = (len(groups) * n // count for n in (number, number + 1))
        yield torch.arange(ends[start], ends[stop], device=device)


def _rest(engine: Engine) -> None:
    """Let the engine lend its memory to the trainer, where it can, until the weights come."""
    sleep = getattr(engine, "sleep", None)
    if sleep is not None:
        sleep()


def _hand_over(engine: Engine, policy: Policy, ranks: Ranks) -> None:
    """Let the engine sample from the weights as they are now.

    An engine that samples from the very model that is trained has nothing to do.
    """
    update = getattr(engine, "update_weights", None)
    if update is not None:
        # What the trainer's allocator keeps for later is what the engine wakes into.
        torch.cuda.empty_cache()
        whole = policy.gathered().whole
        update(whole if ranks.size == 1 else Handed(whole, ranks))


def _why_stop(practice: Practice, idle: int, entropy: float | None) -> str:
    if practice.idle_steps and idle >= practice.idle_steps:
        return f"the rewards in every group have been alike for {idle} steps"
    if entropy is not None and entropy < practice.least_entropy:
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
