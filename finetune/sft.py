"""Supervised fine-tuning on worked solutions: the cold start.

Conventions
-----------
* Step s takes the next ``batch`` examples of an endless order: the dataset shuffled anew each
  time it has been gone through, by a hash of seed, round and place. Nothing of it is state.
* The loss is the mean over the step's tokens of minus their log-probability, whatever the
  micro-batches.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

from benchgen.errors import InputError
from benchgen.files import write_whole
from finetune.course import Course, Progress, Trained, TrainingRun
from finetune.optimizer import NotFiniteError, Optimization, Optimizer
from finetune.order import places
from finetune.packing import micro_batches
from finetune.policy import Policy
from finetune.ranks import Ranks
from finetune.trajectory import Trajectory


def imitate(
    policy: Policy,
    examples: Sequence[Trajectory],
    out: Path,
    optimization: Optimization,
    course: Course,
    batch: int,
    progress: Progress | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> Trained:
    """Train ``policy`` to say what the examples say, ``batch`` a step, into the folder ``out``.

    ``policy`` holds the weights of the last checkpoint there, if there is one.

    Raises
    ------
    NotFiniteError
        A loss or gradient is not finite; the step's examples lie in ``not-finite.json``.
    InputError, OSError
        A step takes no example; a checkpoint cannot be read, or written.
    """
    if batch < 1:
        raise InputError(f"a step takes an example or more, not {batch}")
    optimizer = Optimizer(policy.model.named_parameters(), optimization)
    run = TrainingRun(out, policy, optimizer, course, optimization.steps, ranks)
    tokens = int(run.kept.get("tokens", 0))
    if run.first:
        run.check(tokens)
    for step in run.steps():
        order = places(len(examples), (step - 1) * batch, batch, course.seed)
        chosen = [examples[i] for i in order]
        since = time.monotonic()
        try:
            loss = accumulate(policy, chosen, course.micro_tokens, ranks)
            norm = optimizer.step(step - 1)
        except NotFiniteError:
            record = [[list(t.prompt), list(t.reply)] for t in chosen]
            if ranks.first:
                write_whole(out / "not-finite.json", json.dumps(record).encode())
            raise
        tokens += sum(len(t.reply) for t in chosen)
        run.check(tokens)
        figures = {
            "loss": loss,
            "gradient_norm": norm,
            "learning_rate": optimization.rate(step - 1),
            "tokens": tokens,
            "seconds": round(time.monotonic() - since, 3),
        }
        line = run.end(step, figures, {"tokens": tokens})
        if progress is not None:
            progress(step, optimization.steps, line)
    return run.trained


def accumulate(
    policy: Policy,
    chosen: Sequence[Trajectory],
    micro_tokens: int,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> float:
    """Gradients of the mean negative log-probability of all the replies' tokens; its value.

    Raises
    ------
    NotFiniteError
        The value is not finite.
    """
    total = sum(len(t.reply) for t in chosen)
    value = 0.0
    parts = micro_batches(chosen, shared=policy.shared, most_tokens=micro_tokens)
    for part, counts in ranks.rounds(parts):
        scores = policy.scores([chosen[i] for i in part], temperature=1.0)
        loss = -counts * (scores.logp * scores.mask).sum() / total
        value += float(loss.detach())
        loss.backward()
    ranks.sum_gradients(policy.model.parameters())
    value = ranks.sum_figures({"loss": value})["loss"]
    if not math.isfinite(value):
        raise NotFiniteError("the loss is not finite")
    return value
