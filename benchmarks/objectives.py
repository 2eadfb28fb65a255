"""What each objective variant costs: its step beside that of the objective that it is built on.

Conventions
-----------
* A step is the whole of it, sampling included, of ``benchgen train``; both sides sample the same
  replies, since the learning rate changes no weight to speak of.
* Rewards differ in every group, so that no row is left out on either side.
* Each side is a process of its own, and they alternate; the first steps, until replies are
  replayed, are a warm-up. What is compared are steps on the same replies: the median of their
  ratios. Of seconds, medians are told.
* Where each rollout is learned from once, the base reads replies once. An objective that has to
  know something of the policy before the step reads them once more, but for the last of its
  micro-batches (``--micro-tokens``); with ``--mini-batches 2`` the base does so, too. How long a
  forward pass over all rows takes is measured beside it.
* ``exgrpo`` replays right replies to questions that are sometimes got wrong: it needs a ``--model``
  that is partly right, a checkpoint of imitation. How many groups are replayed is told.
  ``diver`` compares right replies alone: how long it takes where all are right is told as well.
* ``vppo`` and its base read pictures: with the small model of ``benchgen study pictures``, as it
  is made, and by Transformers, whatever ``--model`` and ``--engine`` the others have.

Run ``python benchmarks/objectives.py`` (``--model``, ``--engine``, ``--prompts``, ``--rounds``,
``--steps``, ``--mini-batches``, ``--micro-tokens``, ``--only``, ``--json FILE``).
"""

from __future__ import annotations

import argparse
import dataclasses
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
from finetune.pictures_study import Study
from finetune.small_pictures import write_small
from finetune.small_reader import write_small_reader
from finetune.trajectory import Trajectory

ROOT = Path(__file__).resolve().parents[1]
SEED = 1
RATE = 1e-12
WARMUP = 3
READER = "reader"
SHAPE = Study().shape
PHASES = ("replay", "sample", "learn", "hand_over")
REWARDS = ("correctness", "benchmarks.objectives:variety")


@dataclass(frozen=True, slots=True)
class Side:
    """An objective as it is run; a variant has a ``base`` and perhaps the most it may cost."""

    name: str
    objective: str
    overrides: tuple[str, ...] = ()
    base: str = ""
    most: float | None = None
    pictures: bool = False


PLAIN, RIGHT, SEEING = "dr_grpo", "dapo", "dapo on pictures"
BASES = (
    Side(PLAIN, "dr_grpo"),
    Side(RIGHT, "dapo"),
    Side(SEEING, "dapo", ("nll_coef=0.06", "dual_clip=3.0"), pictures=True),
)
VARIANTS = (
    Side("canon by length", "canon", ("canon_metric=length",), PLAIN, 1.05),
    Side("canon by entropy", "canon", (), PLAIN),
    Side("siren", "siren", (), PLAIN, 1.15),
    Side("exgrpo", "exgrpo", ("replay_start=0",), PLAIN, 1.2),
    Side("diver", "diver", (), RIGHT, 1.05),
    Side("diver, musical", "diver", ("diversity=musical",), RIGHT, 1.05),
    Side("vppo", "vppo", (f"visual_patch={SHAPE.token}",), SEEING, pictures=True),
)


@dataclass(frozen=True, slots=True)
class Task:
    """What a process is to do."""

    folder: str
    data: str
    modality: str
    objective: str
    overrides: tuple[str, ...]
    model: str
    engine: str
    prompts: int
    samples: int
    max_tokens: int
    mini_batches: int
    micro_tokens: int
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
    parser.add_argument("--micro-tokens", type=int, default=4096, help="train's default: 4096")
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
    chosen = [one for one in VARIANTS if not options.only or one.name in options.only]
    sides = [one for one in BASES if one.name in {variant.base for variant in chosen}] + chosen
    count = (WARMUP + options.steps) * options.prompts
    shown = {seeing: make_data(folder, count, seeing) for seeing in {s.pictures for s in sides}}
    runs: dict[str, list[Any]] = {side.name: [] for side in sides}
    for turn in range(options.rounds):
        for side in sides:
            seeing = side.pictures
            task = Task(
                str(folder), str(shown[seeing]), "image" if seeing else "text", side.objective,
                side.overrides, str(folder / READER) if seeing else options.model,
                "transformers" if seeing else options.engine, options.prompts, options.samples,
                options.max_tokens, options.mini_batches, options.micro_tokens, options.steps,
            )  # fmt: skip
            runs[side.name] += run(task)
            spent = statistics.median(step["seconds"] for step in runs[side.name])
            print(
                f"round {turn + 1}, {side.name}: {spent:.1f} s a step", file=sys.stderr, flush=True
            )
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "settings": {key: value for key, value in vars(options).items() if key != "json"},
        "runs": runs,
    }


def make_data(folder: Path, count: int, pictures: bool) -> Path:
    """The problems in ``folder``, and with pictures the model that is shown them."""
    plan = make_plan(
        "sheet_music", split="train", count=count, seed=SEED, tasks=["sheet_music/chord_root"],
        levels=[1], modalities=("image",) if pictures else ("text",),
    )  # fmt: skip
    drawn = folder / f"drawn-{int(pictures)}"
    synthesize(plan, drawn)
    if not pictures:
        return drawn
    write_small_reader(folder / READER, SHAPE, SEED)
    write_small([drawn], folder / "small", SHAPE.side)
    return folder / "small"


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
    from evaluators.questions import read_questions
    from finetune.command import run_training
    from finetune.diversity import diversities
    from finetune.job import Job, parse_overrides
    from finetune.objectives import resolve
    from finetune.rollouts import read_rollouts
    from finetune.training_folder import read_metrics

    job = Job(
        objective=task.objective, model=task.model, data=task.data, modality=task.modality,
        steps=WARMUP + task.steps, learning_rate=RATE, prompts=task.prompts,
        samples=task.samples, max_tokens=task.max_tokens, mini_batches=task.mini_batches,
        engine=task.engine, window=task.prompts * task.samples, rewards=REWARDS,
        overrides=tuple(task.overrides), micro_tokens=task.micro_tokens, save_every=0, seed=SEED,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(dir=task.folder) as out:
        run_training(job, Path(out), lambda step, steps, figures: None)
        lines = read_metrics(Path(out))
        asked = read_questions(Path(task.data), task.modality)
        groups = read_rollouts(Path(out), len(lines), asked)
    settings = resolve(task.objective, **{"max_length": 1, **parse_overrides(task.overrides)})
    began = time.monotonic()
    for group in groups:
        everyone = [True] * len(group)
        diversities(settings, [one.text for one in group], everyone, [0] * len(group))
    compared = time.monotonic() - began
    rows = [one.trajectory for group in groups for one in group]
    passed = forward_pass(task.model, rows, task.micro_tokens)
    found = []
    for line in lines[WARMUP:]:
        phases = {name: line.get(f"seconds_{name}", 0.0) for name in PHASES}
        more = {name: line.get(name, 0.0) for name in ("length", "replayed", "advantage_absolute")}
        whole = {"seconds": sum(phases.values()), "compared": compared, "pass": passed}
        found.append({**whole, **phases, **more})
    return found


def forward_pass(model: str, rows: Sequence[Trajectory], micro_tokens: int) -> float:
    """The seconds that the policy takes to read a step's rows without gradient, the second time.

    Rows with pictures are read each by itself, as blackened ones are.
    """
    from finetune.course import Course
    from finetune.passes import all_scores
    from finetune.policy import load_policy
    from finetune.ranks import Ranks

    policy = load_policy(model)
    if rows[0].pictures:
        policy = dataclasses.replace(policy, unshared="each has its own")
    spent = 0.0
    for _ in range(2):
        began = time.monotonic()
        all_scores(policy, rows, 1.0, Course(micro_tokens), Ranks(), policy.model.device)
        spent = time.monotonic() - began
    return spent


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures as lines."""
    runs, settings = found["runs"], found["settings"]
    yield (
        f"{found['machine']}; {settings['model']}, {settings['engine']}, {settings['prompts']} "
        f"prompts x {settings['samples']} replies x at most {settings['max_tokens']} tokens, "
        f"{settings['mini_batches']} mini-batches, {settings['micro_tokens']} tokens at once"
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
            pairs = list(zip(runs[name], runs[one.base], strict=True))
            ratio = statistics.median(mine["seconds"] / base["seconds"] for mine, base in pairs)
            met = "" if one.most is None else f" (at most {one.most}: {_met(ratio <= one.most)})"
            if one.objective == "exgrpo" and not middle(name, "replayed"):
                met = " (nothing was replayed: no figure)"
            more = statistics.median(mine["learn"] - base["learn"] for mine, base in pairs)
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
