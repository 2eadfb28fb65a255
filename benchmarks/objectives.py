"""What each objective variant costs: its step beside that of the objective that it is built on.

Conventions
-----------
* A step is the whole of it, sampling included, of ``benchgen train``; both sides sample the same
  replies, since the learning rate changes no weight to speak of.
* Rewards differ in every group, so that no row is left out on either side.
* Each side is a process of its own, and they alternate; the first steps, until replies are
  replayed, are a warm-up. Medians of whole steps are compared, those of phases told.
* Where each rollout is learned from once, the base reads replies once. An objective that has to
  know something of the policy before the step reads them once more; with ``--mini-batches 2`` the
  base does so, too. How long such a forward pass takes is measured beside it.
* ``exgrpo`` replays right replies to questions that are sometimes got wrong: it needs a ``--model``
  that is partly right, a checkpoint of imitation. How many groups are replayed is told.
  ``diver`` compares right replies alone: how long it takes where all are right is told as well.

Run ``python benchmarks/objectives.py`` (``--model``, ``--engine``, ``--prompts``, ``--rounds``,
``--steps``, ``--mini-batches``, ``--only``, ``--json FILE``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchgen.dataset import synthesize
from benchgen.plan import make_plan
from benchgen.preload import find_preloads, preload_path
from benchgen.problem import Problem, Response
from evaluators.engines.smollm2 import NAME, smollm2_folder
from evaluators.engines.vllm_environment import OFFLINE
from finetune.trajectory import Trajectory

ROOT = Path(__file__).resolve().parents[1]
SEED = 1
RATE = 1e-12
WARMUP = 3
MICRO_TOKENS = 1024
PHASES = ("replay", "sample", "learn", "hand_over")
REWARDS = ("correctness", "benchmarks.objectives:variety")


@dataclass(frozen=True, slots=True)
class Variant:
    """An objective as it is run, what it stands beside, and the most that it may cost."""

    name: str
    objective: str
    base: str
    overrides: tuple[str, ...] = ()
    most: float | None = None


VARIANTS = (
    Variant("canon by length", "canon", "dr_grpo", ("canon_metric=length",), 1.05),
    Variant("canon by entropy", "canon", "dr_grpo"),
    Variant("siren", "siren", "dr_grpo", (), 1.15),
    Variant("exgrpo", "exgrpo", "dr_grpo", ("replay_start=0",), 1.2),
    Variant("diver", "diver", "dapo", (), 1.05),
    Variant("diver, musical", "diver", "dapo", ("diversity=musical",), 1.05),
)
BASES = ("dr_grpo", "dapo")


@dataclass(frozen=True, slots=True)
class Task:
    """What a process is to do."""

    folder: str
    objective: str
    overrides: tuple[str, ...]
    model: str
    engine: str
    prompts: int
    samples: int
    max_tokens: int
    mini_batches: int
    steps: int


def variety(problem: Problem, response: Response) -> float:
    """A reward: the share of distinct words, of 64."""
    return len(set(response.text.split())) / 64


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=NAME)
    parser.add_argument("--engine", choices=("vllm", "transformers"), default="vllm")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5, help="after the warm-up, a round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--mini-batches", type=int, default=1)
    parser.add_argument(
        "--only", action="append", choices=[one.name for one in VARIANTS],
        help="one of the variants (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(f"\n{json.dumps(trained(Task(**json.loads(options.task))))}", flush=True)
        return
    smollm2_folder()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options)
    for line in table(found):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The steps of every side, by its name."""
    count = (WARMUP + options.steps) * options.prompts
    plan = make_plan(
        "sheet_music", split="train", count=count, seed=SEED,
        tasks=["sheet_music/chord_root"], levels=[1],
    )  # fmt: skip
    synthesize(plan, folder / "data")
    chosen = [one for one in VARIANTS if not options.only or one.name in options.only]
    bases = sorted({one.base for one in chosen})
    sides: list[tuple[str, str, tuple[str, ...]]] = [(name, name, ()) for name in bases]
    sides += [(one.name, one.objective, one.overrides) for one in chosen]
    runs: dict[str, list[Any]] = {name: [] for name, _, _ in sides}
    for turn in range(options.rounds):
        for name, objective, overrides in sides:
            task = Task(
                str(folder), objective, overrides, options.model, options.engine,
                options.prompts, options.samples, options.max_tokens, options.mini_batches,
                options.steps,
            )  # fmt: skip
            runs[name] += run(task)
            spent = statistics.median(step["seconds"] for step in runs[name])
            print(f"round {turn + 1}, {name}: {spent:.1f} s a step", file=sys.stderr, flush=True)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "settings": {key: value for key, value in vars(options).items() if key != "json"},
        "runs": runs,
    }


def run(task: Task) -> list[dict[str, float]]:
    """What a process of its own finds."""
    command = [sys.executable, str(Path(__file__).resolve()), "--task", json.dumps(asdict(task))]
    preloads = preload_path(find_preloads(), os.environ.get("LD_PRELOAD", ""))
    environment = {**os.environ, **OFFLINE, "PYTHONPATH": str(ROOT), "LD_PRELOAD": preloads}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def trained(task: Task) -> list[dict[str, float]]:
    """The seconds of each step after the warm-up, whole and by phase."""
    from finetune.command import run_training
    from finetune.diversity import diversities
    from finetune.job import Job, parse_overrides
    from finetune.objectives import resolve
    from finetune.rollouts import read_rollouts
    from finetune.training_folder import read_metrics

    job = Job(
        objective=task.objective, model=task.model, data=str(Path(task.folder) / "data"),
        steps=WARMUP + task.steps, learning_rate=RATE, prompts=task.prompts,
        samples=task.samples, max_tokens=task.max_tokens, mini_batches=task.mini_batches,
        engine=task.engine,
        window=task.prompts * task.samples, overrides=tuple(task.overrides), rewards=REWARDS,
        micro_tokens=MICRO_TOKENS, save_every=0, seed=SEED,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(dir=task.folder) as out:
        run_training(job, Path(out), lambda step, steps, figures: None)
        lines = read_metrics(Path(out))
        groups = read_rollouts(Path(out), len(lines))
    settings = resolve(task.objective, **{"max_length": 1, **parse_overrides(task.overrides)})
    began = time.monotonic()
    for group in groups:
        everyone = [True] * len(group)
        diversities(settings, [one.text for one in group], everyone, [0] * len(group))
    compared = time.monotonic() - began
    rows = [one.trajectory for group in groups for one in group]
    passed = forward_pass(task.model, rows) if task.objective in BASES else 0.0
    found = []
    for line in lines[WARMUP:]:
        phases = {name: line.get(f"seconds_{name}", 0.0) for name in PHASES}
        more = {name: line.get(name, 0.0) for name in ("length", "replayed", "advantage_absolute")}
        whole = {"seconds": sum(phases.values()), "compared": compared, "pass": passed}
        found.append({**whole, **phases, **more})
    return found


def forward_pass(model: str, rows: Sequence[Trajectory]) -> float:
    """The seconds that the policy takes to read a step's rows without gradient, the second time."""
    from finetune.course import Course
    from finetune.passes import all_scores
    from finetune.policy import load_policy
    from finetune.ranks import Ranks

    policy = load_policy(model)
    spent = 0.0
    for _ in range(2):
        began = time.monotonic()
        all_scores(policy, rows, 1.0, Course(MICRO_TOKENS), Ranks(), policy.model.device)
        spent = time.monotonic() - began
    return spent


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures as lines."""
    runs, settings = found["runs"], found["settings"]
    yield (
        f"{found['machine']}; {settings['model']}, {settings['engine']}, {settings['prompts']} "
        f"prompts x {settings['samples']} replies x at most {settings['max_tokens']} tokens, "
        f"{settings['mini_batches']} mini-batches"
    )
    yield f"{'':18}{'step':>7}{'replay':>8}{'sample':>8}{'learn':>8}  over its base"

    def middle(name: str, what: str) -> float:
        return statistics.median(float(step[what]) for step in runs[name])

    variants = {one.name: one for one in VARIANTS}
    for name in runs:
        spent = "".join(f"{middle(name, what):8.2f}" for what in ("replay", "sample", "learn"))
        line = f"{name:18}{middle(name, 'seconds'):7.2f}{spent}"
        if name in variants:
            one = variants[name]
            ratio = middle(name, "seconds") / middle(one.base, "seconds")
            met = "" if one.most is None else f" (at most {one.most}: {_met(ratio <= one.most)})"
            if one.objective == "exgrpo" and not middle(name, "replayed"):
                met = " (nothing was replayed: no figure)"
            more = middle(name, "learn") - middle(one.base, "learn")
            passes = more / middle(one.base, "pass")
            line += f"  {ratio:.3f} of {one.base}'s{met}, {passes:+.2f} forward passes"
        else:
            line += f"  a forward pass takes {middle(name, 'pass'):.2f}"
        yield line
    for name in (one.name for one in VARIANTS if one.objective == "diver" and one.name in runs):
        yield f"{name}: {middle(name, 'compared'):.3f} s a step, were all replies right"
    if "exgrpo" in runs:
        replayed = [step["replayed"] for step in runs["exgrpo"]]
        yield f"exgrpo replayed {min(replayed):g} to {max(replayed):g} groups a step"


def _met(good: bool) -> str:
    return "met" if good else "missed"


if __name__ == "__main__":
    main()
