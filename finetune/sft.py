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

import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

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
from finetune.packing import micro_batches
from finetune.policy import Policy
from finetune.trajectory import Trajectory

Progress = Callable[[int, int], None]
"""Called with the steps done and the steps wanted."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run goes on: examples a step, tokens at once, seed, and when to save.

    ``save_every`` 0 saves at the end alone; ``keep`` 0 keeps every checkpoint. ``max_minutes``
    and ``max_tokens`` (0: none) end it before the last step.
    """

    batch: int
    micro_tokens: int = 4096
    seed: int = 0
    save_every: int = 0
    keep: int = 2
    max_minutes: float = 0.0
    max_tokens: int = 0

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
    _cut_metrics(out, first)
    began = time.monotonic()
    stopped, step = "", first
    saved = first if first else -1

    def save(after: int) -> None:
        nonlocal saved
        state = {"optimizer": optimizer.state(), "tokens": tokens}
        save_checkpoint(out, after, policy.model, policy.tokenizer, state, pace.keep)
        saved = after

    for step in range(first, optimization.steps):
        chosen = [examples[i] for i in chosen_examples(len(examples), step, pace)]
        since = time.monotonic()
        try:
            loss = accumulate(policy, chosen, pace.micro_tokens)
            norm = optimizer.step(step)
        except NotFiniteError:
            record = [[list(t.prompt), list(t.reply)] for t in chosen]
            write_whole(out / "not-finite.json", json.dumps(record).encode())
            raise
        count = sum(len(t.reply) for t in chosen)
        tokens += count
        _append(
            out,
            {
                "step": step + 1,
                "loss": loss,
                "gradient_norm": norm,
                "learning_rate": optimization.rate(step),
                "tokens": tokens,
                "seconds": round(time.monotonic() - since, 3),
            },
        )
        if progress is not None:
            progress(step + 1, optimization.steps)
        if pace.max_minutes and time.monotonic() - began > 60 * pace.max_minutes:
            stopped = f"{pace.max_minutes:g} minutes are over"
        elif pace.max_tokens and tokens >= pace.max_tokens:
            stopped = f"{tokens} tokens have been learned from"
        if stopped or (pace.save_every and (step + 1) % pace.save_every == 0):
            save(step + 1)
        if stopped:
            break
    done = step + 1 if optimization.steps > first else first
    if saved != done:
        save(done)
    return Trained(done, stopped, checkpoint_path(out, done))


def accumulate(policy: Policy, chosen: Sequence[Trajectory], micro_tokens: int) -> float:
    """Gradients of the mean negative log-probability of all the replies' tokens; its value.

    Raises
    ------
    NotFiniteError
        The value is not finite.
    """
    total = sum(len(t.reply) for t in chosen)
    value = 0.0
    for part in micro_batches(chosen, shared=policy.shared, most_tokens=micro_tokens):
        scores = policy.scores([chosen[i] for i in part], temperature=1.0)
        loss = -(scores.logp * scores.mask).sum() / total
        value += float(loss.detach())
        if not math.isfinite(value):
            raise NotFiniteError("the loss is not finite")
        loss.backward()
    return value


def chosen_examples(count: int, step: int, pace: Pace) -> list[int]:
    """Which of ``count`` examples a step takes."""
    places = range(step * pace.batch, (step + 1) * pace.batch)
    found: list[int] = []
    for number, group in itertools.groupby(places, lambda place: place // count):
        order = _order(count, number, pace.seed)
        found += [order[place % count] for place in group]
    return found


@lru_cache(maxsize=2)
def _order(count: int, number: int, seed: int) -> list[int]:
    def key(place: int) -> bytes:
        text = f"{seed}:{number}:{place}".encode("ascii")
        return hashlib.blake2b(text, digest_size=8).digest()

    return sorted(range(count), key=key)


def _append(out: Path, record: dict[str, Any]) -> None:
    with (out / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _cut_metrics(out: Path, steps: int) -> None:
    """Leave the lines of the first ``steps`` steps: what was learned after them is lost."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "metrics.jsonl"
    if path.exists():
        kept = [line for line in _whole_lines(path) if json.loads(line)["step"] <= steps]
        write_whole(path, "".join(kept).encode())


def _whole_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from (line for line in file if line.endswith("\n"))
