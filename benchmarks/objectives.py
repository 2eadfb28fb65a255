"""What each objective variant costs: its step beside that of the objective that it is built on.

Conventions
-----------
* A step is the whole of it, sampling included, of ``benchgen train`` on the default model; both
  sides sample the same replies, since the learning rate changes no weight to speak of.
* Rewards differ in every group, so that no row is left out on either side.
* Each side is a process of its own, and they alternate; the first steps, until replies are
  replayed, are a warm-up. Medians of whole steps are compared, those of phases told.
* ``exgrpo`` replays from the first right reply on; how many groups that is a step is told.
  ``diver`` compares right replies alone, of which this model has few: how long it takes where all
  are right is told as well. ``vppo`` needs a model that sees, and is not among them.

Run ``python benchmarks/objectives.py`` (``--engine``, ``--prompts``, ``--rounds``, ``--steps``,
``--json FILE``).
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
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchgen.dataset import synthesize
from benchgen.plan import make_plan
from benchgen.preload import find_preloads, preload_path
from benchgen.problem import Problem, Response
from evaluators.engines.smollm2 import NAME, smollm2_folder
from evaluators.engines.vllm_environment import OFFLINE

ROOT = Path(__file__).resolve().parents[1]
SEED = 1
RATE = 1e-12
WARMUP = 3
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
    engine: str
    prompts: int
    samples: int
    max_tokens: int
    steps: int


def variety(problem: Problem, response: Response) -> float:
    """A reward: the share of distinct words, of 64."""
    return len(set(response.text.split())) / 64


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", choices=("vllm", "transformers"), default="vllm")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5, help="after the warm-up, a round")
    parser.add_argument("--rounds", type=int, default=1)
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
    sides: list[tuple[str, str, tuple[str, ...]]] = [(name, name, ()) for name in BASES]
    sides += [(one.name, one.objective, one.overrides) for one in VARIANTS]
    runs: dict[str, list[Any]] = {name: [] for name, _, _ in sides}
    for turn in range(options.rounds):
        for name, objective, overrides in sides:
            task = Task(
                str(folder), objective, overrides, options.engine, options.prompts,
                options.samples, options.max_tokens, options.steps,
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
        objective=task.objective, model=NAME, data=str(Path(task.folder) / "data"),
        steps=WARMUP + task.steps, learning_rate=RATE, prompts=task.prompts,
        samples=task.samples, max_tokens=task.max_tokens, engine=task.engine,
        window=task.prompts * task.samples, overrides=tuple(task.overrides), rewards=REWARDS,
        micro_tokens=1024, save_every=0, seed=SEED,
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
    found = []
    for line in lines[WARMUP:]:
        phases = {name: line.get(f"seconds_{name}", 0.0) for name in PHASES}
        more = {name: line.get(name, 0.0) for name in ("length", "replayed", "advantage_absolute")}
        whole = {"seconds": sum(phases.values()), "compared": compared}
        found.append({**whole, **phases, **more})
    return found


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures as lines."""
    runs, settings = found["runs"], found["settings"]
    yield (
        f"{found['machine']}; {NAME}, {settings['engine']}, {settings['prompts']} prompts x "
        f"{settings['samples']} replies x at most {settings['max_tokens']} tokens"
    )
    yield f"{'':18}{'step':>7}{'replay':>8}{'sample':>8}{'learn':>8}  over its base"

    def middle(name: str, what: str) -> float:
        return statistics.median(float(step[what]) for step in runs[name])

    bases = {one.name: one for one in VARIANTS}
    for name in runs:
        spent = "".join(f"{middle(name, what):8.2f}" for what in ("replay", "sample", "learn"))
        line = f"{name:18}{middle(name, 'seconds'):7.2f}{spent}"
        if name in bases:
            one = bases[name]
            ratio = middle(name, "seconds") / middle(one.base, "seconds")
            met = "" if one.most is None else f" (at most {one.most}: {_met(ratio <= one.most)})"
            if one.objective == "exgrpo" and not middle(name, "replayed"):
                met = " (nothing was replayed: no figure)"
            line += f"  {ratio:.3f} of {one.base}'s{met}"
        yield line
    replayed = [step["replayed"] for step in runs["exgrpo"]]
    for name in ("diver", "diver, musical"):
        yield f"{name}: {middle(name, 'compared'):.3f} s a step, were all replies right"
    yield f"exgrpo replayed {min(replayed):g} to {max(replayed):g} groups a step"


def _met(good: bool) -> str:
    return "met" if good else "missed"


if __name__ == "__main__":
    main()
