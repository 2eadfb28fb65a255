"""Supervised fine-tuning on worked solutions: the cold start.

Conventions
-----------
* Step s takes the next ``batch`` examples of an endless order: the dataset shuffled anew each
  time it has been gone through, by a hash of seed, round and place. Nothing of it is state.
* The loss is the mean over the step's tokens of minus their log-probability, whatever the
  micro-batches.
* A run goes on from its last checkpoint, and only under the same configuration.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchgen.errors import InputError
from benchgen.files import write_whole
from finetune.checkpoint import (
    checkpoint_path,
    latest_step,
    load_state,
    save_checkpoint,
    seed_random,
)
from finetune.optimizer import NotFiniteError, Optimization, Optimizer
from finetune.order import places
from finetune.packing import micro_batches
from finetune.policy import Policy
from finetune.ranks import Ranks
from finetune.training_folder import append_metrics, cut_metrics, read_metrics
from finetune.trajectory import Trajectory

Progress = Callable[[int, int], None]
"""Called with the steps done and the steps wanted."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run goes on: examples a step, tokens at once, seed, and when to save.

    ``save_every`` 0 saves at the end alone; ``keep`` 0 keeps every checkpoint. ``max_minutes``
    and ``most_tokens`` (0: none) end it before the last step.
    """

    batch: int
    micro_tokens: int = 4096
    seed: int = 0
    save_every: int = 0
    keep: int = 2
    max_minutes: float = 0.0
    most_tokens: int = 0

    def __post_init__(self) -> None:
        if self.batch < 1 or self.micro_tokens < 1:
            raise InputError("a step takes an example or more, and a token or more at once")


@dataclass(frozen=True, slots=True)
class Trained:
    """Where a run ended: after how many steps, why, and its last checkpoint."""

    steps: int
    stopped: str
    checkpoint: Path


def imitate(
    policy: Policy,
    examples: Sequence[Trajectory],
    out: Path,
    optimization: Optimization,
    pace: Pace,
    progress: Progress | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> Trained:
    """Train ``policy`` to say what the examples say, into the folder ``out``.

    ``policy`` holds the weights of the last checkpoint there, if there is one.

    Raises
    ------
    NotFiniteError
        A loss or gradient is not finite; the step's examples lie in ``not-finite.json``.
    InputError, OSError
        A checkpoint cannot be read, or written.
    """
    optimizer = Optimizer(policy.model.named_parameters(), optimization)
    first = latest_step(out) or 0
    tokens = 0
    if first:
        state = load_state(out, first)
        optimizer.restore(state["optimizer"])
        tokens = state["tokens"]
    else:
        seed_random(pace.seed)
    if ranks.first:
        cut_metrics(out, first)
    ranks.wait()
    lines = read_metrics(out)
    began = time.monotonic() - (lines[-1]["elapsed"] if lines else 0.0)

    def why_stop() -> str:
        late = pace.max_minutes and time.monotonic() - began > 60 * pace.max_minutes
        # The first rank's clock decides for all.
        if ranks.gather(bool(late))[0]:
            return f"{pace.max_minutes:g} minutes are over"
        if pace.most_tokens and tokens >= pace.most_tokens:
            return f"{tokens} tokens have been learned from"
        return ""

    def save(after: int) -> None:
        state = {"optimizer": optimizer.state(), "tokens": tokens}
        if ranks.first:
            save_checkpoint(out, after, policy.model, policy.tokenizer, state, pace.keep)
        ranks.wait()

    done = first
    # A run that came to its end does nothing more, unless it is to be longer.
    stopped = why_stop() if first else ""
    for step in range(first, first if stopped else optimization.steps):
        order = places(len(examples), step * pace.batch, pace.batch, pace.seed)
        chosen = [examples[i] for i in order]
        since = time.monotonic()
        try:
            loss = accumulate(policy, chosen, pace.micro_tokens, ranks)
            norm = optimizer.step(step)
        except NotFiniteError:
            record = [[list(t.prompt), list(t.reply)] for t in chosen]
            if ranks.first:
                write_whole(out / "not-finite.json", json.dumps(record).encode())
            raise
        tokens += sum(len(t.reply) for t in chosen)
        line = {
            "step": step + 1,
            "loss": loss,
            "gradient_norm": norm,
            "learning_rate": optimization.rate(step),
            "tokens": tokens,
            "seconds": round(time.monotonic() - since, 3),
            "elapsed": round(time.monotonic() - began, 3),
        }
        if ranks.first:
            append_metrics(out, line)
        if progress is not None:
            progress(step + 1, optimization.steps)
        done, stopped = step + 1, why_stop()
        due = pace.save_every and done % pace.save_every == 0
        if stopped or due or done == optimization.steps:
            save(done)
        if stopped:
            break
    return Trained(done, stopped, checkpoint_path(out, done))


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
    for part in ranks.share(parts):
        scores = policy.scores([chosen[i] for i in part], temperature=1.0)
        loss = -(scores.logp * scores.mask).sum() / total
        value += float(loss.detach())
        loss.backward()
    ranks.sum_gradients(policy.model.parameters())
    value = ranks.sum_figures({"loss": value})["loss"]
    if not math.isfinite(value):
        raise NotFiniteError("the loss is not finite")
    return value
