"""How long a step of training takes, beside TRL's GRPOTrainer on the same model and prompts.

Conventions
-----------
* The same on both sides: the default model in single precision, the prompts (interval_name,
  level 1) in the same order, replies a prompt, longest reply, temperature 1, reward, and the
  axes: group z-score with ``std_eps`` 1e-4, token ratio, clip 0.2 on both sides, mean over the
  step's tokens, AdamW at a constant rate, the gradient clipped at 1.
* The reward is the share of distinct words in a reply, beside the benchmark's own score: rewards
  that differ in every group, so that neither side finds rows that teach nothing and leaves them
  out.
* Each side is a process of its own, and they alternate. A step is timed by the clock from the
  end of the one before to its own; the first is a warm-up. Medians are compared.
* Ours is ``benchgen train`` with each of its engines; the quicker one is the headline. It begins
  with an allocator and Intel's OpenMP preloaded (``benchgen.preload``), where they are installed.
  TRL is run as it starts by itself, and once more with the same libraries.
* TRL samples as it does on a machine without a GPU, with ``generate``. How many rows it reads at
  once, and whether it computes activations anew in the backward pass, is what is quickest for
  it, found in a trial of ``SETTINGS``; the first is what TRL does by itself. How many tokens
  ours reads at once is found alike, of ``TOKENS``.
* Memory is the most that the trainer's process ever held (``VmHWM``), before the first
  checkpoint. vLLM has a process of its own, whose memory is told apart.
* Training alone: both sides are given the token ids and rewards of one step, and learn from them
  twice, so that the second update has ratios that are not 1; the pass for the old
  log-probabilities is part of it. Both begin with the same weights, and their losses and the norms
  of their gradients are compared update by update.

Run ``python benchmarks/train.py`` (``--prompts``, ``--rounds``, ``--steps``, ``--json FILE``).
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchgen.dataset import synthesize
from benchgen.plan import make_plan
from benchgen.preload import find_preloads, preload_path
from benchgen.problem import Problem, Response
from evaluators.engines.smollm2 import NAME, smollm2_folder
from evaluators.engines.vllm_environment import OFFLINE

ROOT = Path(__file__).resolve().parents[1]
RATE = 1e-5
SEED = 1
AXES = {"std_eps": 1e-4, "clip_low": 0.2, "clip_high": 0.2}
REWARDS = ("correctness", "benchmarks.train:variety")
SETTINGS = ((8, True), (8, False), (32, True))
"""Rows that TRL reads at once, and whether activations are computed anew."""
TOKENS = (4096, 1024, 512)
"""``--micro-tokens``; the first is the default."""
PRELOADED = " preloaded"
UPDATES = 2
GENERATIONS = 2
"""Of training alone: the first is a warm-up."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a process is to do; ``folder`` holds the data and takes what it leaves."""

    side: str
    folder: str
    prompts: int
    samples: int
    max_tokens: int
    steps: int
    rows: int = 8
    anew: bool = True
    tokens: int = 4096

    @property
    def preloads(self) -> bool:
        """Whether the process begins with the libraries of ``benchgen.preload``."""
        return not self.side.startswith("trl") or self.side.endswith(PRELOADED)

    @property
    def setting(self) -> str:
        """What was tried, in words."""
        if self.side.startswith("trl"):
            kept = "computed anew" if self.anew else "kept"
            return f"{self.rows} rows at once, activations {kept}"
        return f"{self.tokens} tokens at once"


def variety(problem: Problem, response: Response) -> float:
    """A reward: the share of distinct words."""
    return spread(response.text)


def spread(text: str) -> float:
    """How many different words there are, of 64."""
    return len(set(text.split())) / 64


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--steps", type=int, default=3, help="after the warm-up, a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        do(Task(**json.loads(options.task)))
        return
    smollm2_folder()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options)
    for line in table(found):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


# All of it


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every figure of the page."""
    data = folder / "data"
    most = (options.steps + 1) * options.prompts
    plan = make_plan(
        "sheet_music", split="train", count=most, seed=SEED,
        tasks=["sheet_music/interval_name"], levels=[1],
    )  # fmt: skip
    synthesize(plan, data)
    sizes = (options.prompts, options.samples, options.max_tokens)
    # What both learn from in the trials, and alone.
    run(Task("transformers", str(folder), *sizes, 1, tokens=TOKENS[-1]))
    fitting = [(rows, anew) for rows, anew in SETTINGS if rows <= options.prompts * options.samples]
    tried: list[tuple[Task, Any]] = []
    choices: dict[str, list[dict[str, Any]]] = {
        "trl alone": [{"rows": rows, "anew": anew} for rows, anew in fitting],
        "ours alone": [{"tokens": tokens} for tokens in TOKENS],
    }
    for side, several in choices.items():
        for choice in several:
            task = Task(side, str(folder), *sizes, 2, **choice)
            tried.append((task, run(task)))
            note(f"{side}, {task.setting}: {tried[-1][1]['seconds'][0]:.1f} s")
    theirs, mine = (
        min((pair for pair in tried if pair[0].side == side), key=lambda p: p[1]["seconds"])[0]
        for side in ("trl alone", "ours alone")
    )
    best: dict[str, Any] = {"rows": theirs.rows, "anew": theirs.anew, "tokens": mine.tokens}
    sides = ("trl", f"trl{PRELOADED}", "vllm", "transformers")
    runs: dict[str, list[Any]] = {side: [] for side in sides}
    alone: dict[str, list[Any]] = {
        "trl alone": [], f"trl alone{PRELOADED}": [], "ours alone": []
    }  # fmt: skip
    for turn in range(options.rounds):
        for side in sides:
            runs[side].append(run(Task(side, str(folder), *sizes, options.steps, **best)))
            times = ", ".join(f"{t:.1f}" for t in runs[side][-1]["seconds"])
            note(f"round {turn + 1}, {side}: {times} s")
        for side in alone:
            found = run(Task(side, str(folder), *sizes, GENERATIONS, **best))
            alone[side].append(found)
            note(f"round {turn + 1}, {side}: {statistics.median(found['seconds']):.1f} s")
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "settings": {
            "model": NAME,
            "prompts": options.prompts,
            "samples": options.samples,
            "max_tokens": options.max_tokens,
            "steps": options.steps,
            "rounds": options.rounds,
            "axes": AXES,
            "learning_rate": RATE,
            "trl": theirs.setting,
            "ours": mine.setting,
        },
        "trials": [{"side": t.side, "setting": t.setting, **found} for t, found in tried],
        "runs": runs,
        "alone": alone,
    }


def run(task: Task) -> Any:
    """What a process of its own finds."""
    command = [sys.executable, str(Path(__file__).resolve()), "--task", json.dumps(asdict(task))]
    silence = {"CI": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment = {**os.environ, **OFFLINE, **silence, "PYTHONPATH": str(ROOT)}
    if task.preloads:
        environment["LD_PRELOAD"] = preload_path(find_preloads(), os.environ.get("LD_PRELOAD", ""))
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def do(task: Task) -> None:
    """One side, in this process; the last line of the output is what was found."""
    sides: dict[str, Callable[[Task], dict[str, Any]]] = {
        "trl": peer,
        "vllm": ours,
        "transformers": ours,
        "trl alone": peer_alone,
        "ours alone": ours_alone,
    }
    found = sides[task.side.removesuffix(PRELOADED)](task)
    print(f"\n{json.dumps(found)}", flush=True)


# Ours


def ours(task: Task) -> dict[str, Any]:
    """``benchgen train``, with an engine."""
    from finetune.command import run_training
    from finetune.job import Job
    from finetune.training_folder import read_metrics

    folder = Path(task.folder)
    job = Job(
        objective="dapo", model=NAME, data=str(folder / "data"), steps=task.steps + 1,
        learning_rate=RATE, prompts=task.prompts, samples=task.samples,
        max_tokens=task.max_tokens, engine=task.side, window=task.prompts * task.samples,
        overrides=tuple(f"{name}={value}" for name, value in AXES.items()), rewards=REWARDS,
        micro_tokens=task.tokens, save_every=0, seed=SEED,
    )  # fmt: skip
    memory: list[tuple[int, int]] = []

    def seen(step: int, steps: int, figures: Any) -> None:
        memory.append((most_held("self"), sum(most_held(str(p)) for p in descendants())))

    with tempfile.TemporaryDirectory(dir=folder) as out:
        run_training(job, Path(out), seen)
        lines = read_metrics(Path(out))
        kept = folder / "step.jsonl"
        if not kept.exists():
            (Path(out) / "rollouts" / "rollouts-00000001.jsonl").rename(kept)
    ends = [line["elapsed"] for line in lines]
    measured = lines[1:]
    phases = ("sample", "learn", "hand_over")
    return {
        "seconds": [end - begin for begin, end in zip(ends, ends[1:], strict=False)],
        **{name: [line[f"seconds_{name}"] for line in measured] for name in phases},
        "reply_tokens": statistics.fmean(line["length"] for line in measured),
        "alike": statistics.fmean(line["zero_variance_groups"] for line in measured),
        # The last step saves a checkpoint.
        "bytes": memory[-2][0],
        "bytes_with_checkpoint": memory[-1][0],
        "bytes_of_engine": memory[-1][1],
    }


def ours_alone(task: Task) -> dict[str, Any]:
    """The trainer on a step's rollouts, again and again."""
    from finetune import objectives, trainer
    from finetune.course import Course
    from finetune.objectives import State, resolve
    from finetune.optimizer import Optimization, Optimizer
    from finetune.policy import load_policy

    groups = step_rollouts(Path(task.folder))
    policy = load_policy(NAME)
    optimization = Optimization(task.steps * UPDATES, RATE)
    losses: list[float] = []
    norms: list[float] = []
    part = objectives.loss

    def noted(*given: Any, **named: Any) -> Any:
        found = part(*given, **named)
        losses[-1] += found.metrics["loss"]
        return found

    class Noting(Optimizer):
        def step(self, number: int) -> float:
            norms.append(super().step(number))
            losses.append(0.0)
            return norms[-1]

    # What ``learn`` calls.
    vars(trainer)["loss"] = noted
    losses.append(0.0)
    optimizer = Noting(policy.model.named_parameters(), optimization)
    practice = trainer.Practice(task.prompts, task.samples, task.max_tokens, updates=UPDATES)
    objective = resolve("dapo", **AXES)
    seconds = []
    for generation in range(task.steps):
        began = time.monotonic()
        state = State(generation + 1, SEED)
        trainer.learn(
            policy, groups, objective, state, optimizer, practice, Course(task.tokens, SEED),
            rate_step=generation,
        )  # fmt: skip
        seconds.append(time.monotonic() - began)
    return {
        "seconds": seconds[1:],
        "losses": losses[:-1],
        "norms": norms,
        "bytes": most_held("self"),
        **counts(groups),
    }


# TRL's


def peer(task: Task) -> dict[str, Any]:
    """GRPOTrainer, sampling by itself."""
    from datasets import Dataset
    from trl import GRPOTrainer

    from evaluators.questions import read_questions
    from finetune.questions import Listed

    questions = list(read_questions(Path(task.folder) / "data", "text"))
    steps = task.steps + 1
    drawn = Listed(questions, SEED).take(0, steps * task.prompts)
    problems = {question.prompt: question.problem for question in drawn}
    sampling: list[float] = []

    class Timed(GRPOTrainer):  # type: ignore[misc]
        def _generate(self, *given: Any, **named: Any) -> Any:
            began = time.monotonic()
            found = super()._generate(*given, **named)
            sampling.append(time.monotonic() - began)
            return found

    def reward(prompts: Any, completions: Any, **_: Any) -> list[float]:
        from benchgen.answers import score

        said = [completion[0]["content"] for completion in completions]
        asked = [problems[prompt[-1]["content"]] for prompt in prompts]
        return [score(p, text).value + spread(text) for p, text in zip(asked, said, strict=True)]

    ends: list[float] = []
    trainer = Timed(
        model=str(smollm2_folder()), reward_funcs=reward, args=arguments(task, steps, 1),
        train_dataset=Dataset.from_dict({"prompt": [list(q.messages) for q in drawn]}),
        callbacks=[stamps(ends)],
    )  # fmt: skip
    trainer.train()
    seconds = [end - begin for begin, end in zip(ends, ends[1:], strict=False)]
    lengths = [
        line["completions/mean_length"]
        for line in trainer.state.log_history if "completions/mean_length" in line
    ]  # fmt: skip
    alike = [
        line["frac_reward_zero_std"]
        for line in trainer.state.log_history if "frac_reward_zero_std" in line
    ]  # fmt: skip
    return {
        "seconds": seconds,
        "sample": sampling[1:],
        "learn": [whole - part for whole, part in zip(seconds, sampling[1:], strict=True)],
        "reply_tokens": statistics.fmean(lengths[1:]),
        "alike": statistics.fmean(alike[1:]),
        "bytes": most_held("self"),
    }


def peer_alone(task: Task) -> dict[str, Any]:
    """GRPOTrainer on a step's rollouts, again and again."""
    from datasets import Dataset
    from trl import GRPOTrainer

    groups = step_rollouts(Path(task.folder))
    rows = [one for group in groups for one in group]

    class Given(GRPOTrainer):  # type: ignore[misc]
        def _generate(self, prompts: Any) -> Any:
            said = [[{"role": "assistant", "content": one.text}] for one in rows]
            prompt_ids, reply_ids = ([list(ids) for ids in found] for found in (
                [one.prompt for one in rows], [one.tokens for one in rows]
            ))  # fmt: skip
            return prompt_ids, reply_ids, None, said, None, {}, None, []

    ends: list[float] = []
    trainer = Given(
        model=str(smollm2_folder()),
        reward_funcs=lambda **_: [one.reward for one in rows],
        args=arguments(task, task.steps * UPDATES, UPDATES),
        train_dataset=Dataset.from_dict(
            {"prompt": [[{"role": "user", "content": group[0].problem}] for group in groups]}
        ),
        callbacks=[stamps(ends)],
    )
    trainer.train()
    lines = [line for line in trainer.state.log_history if "grad_norm" in line]
    last = ends[UPDATES - 1 :: UPDATES]
    return {
        "seconds": [end - begin for begin, end in zip(last, last[1:], strict=False)],
        "losses": [line["loss"] for line in lines],
        "norms": [line["grad_norm"] for line in lines],
        "bytes": most_held("self"),
        **counts(groups),
    }


def arguments(task: Task, steps: int, iterations: int) -> Any:
    """TRL's configuration: its own but for what is to be the same on both sides."""
    from trl import GRPOConfig

    return GRPOConfig(
        output_dir=f"{task.folder}/trl", use_cpu=True, bf16=False, report_to=[],
        per_device_train_batch_size=task.rows,
        gradient_accumulation_steps=task.prompts * task.samples // task.rows,
        gradient_checkpointing=task.anew, num_generations=task.samples,
        max_completion_length=task.max_tokens, num_iterations=iterations, max_steps=steps,
        learning_rate=RATE, lr_scheduler_type="constant", shuffle_dataset=False,
        logging_steps=1, save_strategy="no", disable_tqdm=True, seed=SEED,
    )  # fmt: skip


def stamps(ends: list[float]) -> Any:
    """A callback that notes when steps end."""
    from transformers import TrainerCallback

    class Stamps(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **named: Any) -> None:
            ends.append(time.monotonic())

    return Stamps()


# Of both


def step_rollouts(folder: Path) -> Any:
    """The groups that were kept of one step."""
    from finetune.rollouts import journal_path, read_rollouts

    place = folder / "alone"
    path = journal_path(place, 1)
    if not path.exists():
        path.parent.mkdir(parents=True)
        (folder / "step.jsonl").rename(path)
    return read_rollouts(place, 1)


def counts(groups: Any) -> dict[str, int]:
    """Replies and tokens of a step."""
    rows = [one for group in groups for one in group]
    return {
        "replies": len(rows),
        "prompt_tokens": sum(len(one.prompt) for one in rows),
        "reply_tokens": sum(len(one.tokens) for one in rows),
    }


def most_held(process: str) -> int:
    """The most bytes that a process ever held in memory."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:  # It has ended.
        return 0
    found = [line.split() for line in lines if line.startswith("VmHWM:")]
    return 1024 * int(found[0][1]) if found else 0


def descendants() -> list[int]:
    """The processes that this one started, and theirs."""
    import psutil

    return [process.pid for process in psutil.Process().children(recursive=True)]


def medians(runs: Sequence[Any], name: str) -> float:
    """The median over all rounds' steps."""
    values: list[float] = [value for one in runs for value in one[name]]
    return statistics.median(values)


def apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest relative difference of two lists."""
    pairs = zip(one, other, strict=True)
    return max(abs(a - b) / max(abs(a), abs(b), 1e-30) for a, b in pairs)


def table(found: dict[str, Any]) -> Iterator[str]:
    """The figures for people, each beside what is asked of it."""
    wanted, runs, alone = found["settings"], found["runs"], found["alone"]
    yield (
        f"{found['machine']}; {wanted['model']} in single precision, {wanted['prompts']} prompts x "
        f"{wanted['samples']} replies x at most {wanted['max_tokens']} tokens, "
        f"{wanted['rounds']} rounds of {wanted['steps']} steps; dapo with "
        f"{', '.join(f'{n} {v:g}' for n, v in wanted['axes'].items())}; "
        f"TRL with {wanted['trl']}, ours with {wanted['ours']}"
    )
    for trial in found["trials"]:
        yield (
            f"tried, {trial['side']}, {trial['setting']}: {trial['seconds'][0]:.1f} s, "
            f"{size(trial['bytes'])}"
        )
    yield f"{'seconds':<15}{'step':>8}{'sample':>8}{'learn':>8}{'hand over':>11}{'reply':>8}"
    for side, several in runs.items():
        handed = medians(several, "hand_over") if "hand_over" in several[0] else 0.0
        tokens = statistics.fmean(one["reply_tokens"] for one in several)
        parts = [medians(several, name) for name in ("seconds", "sample", "learn")]
        yield (
            f"{side:<15}{parts[0]:>8.1f}{parts[1]:>8.1f}{parts[2]:>8.1f}{handed:>11.2f}"
            f"{tokens:>8.1f} tokens"
        )
    peers = ("trl", f"trl{PRELOADED}")
    best = min(("vllm", "transformers"), key=lambda side: medians(runs[side], "seconds"))
    for side, peer_side in product(("vllm", "transformers"), peers):
        ratio = medians(runs[side], "seconds") / medians(runs[peer_side], "seconds")
        asked = f"  (at most 0.6: {verdict(ratio <= 0.6)}; 0.5 the goal)" if side == best else ""
        yield f"step, {side} over {peer_side}  {ratio:.3f}{asked}"
    one = alone["ours alone"][0]
    yield (
        f"training alone, {UPDATES} updates on {one['replies']} replies "
        f"({one['prompt_tokens']} prompt tokens, {one['reply_tokens']} of replies)"
    )
    mine = medians(alone["ours alone"], "seconds")
    for peer_side in ("trl alone", f"trl alone{PRELOADED}"):
        other = medians(alone[peer_side], "seconds")
        yield f"  ours over {peer_side}: {mine:.1f} s, {other:.1f} s, {mine / other:.3f}"
    for name in ("losses", "norms"):
        pairs = list(zip(alone["ours alone"], alone["trl alone"], strict=True))
        first = max(apart(a[name][:UPDATES], b[name][:UPDATES]) for a, b in pairs)
        whole = max(apart(a[name], b[name]) for a, b in pairs)
        yield (
            f"{name} of {UPDATES} updates apart by {first:.1e}  (at most 1e-4: "
            f"{verdict(first <= 1e-4)}); of all {len(one[name])}: {whole:.1e}"
        )
    least = min(run["bytes"] for run in runs["trl"])
    default = found["trials"][0]["bytes"]
    for side in ("vllm", "transformers"):
        most = max(run["bytes"] for run in runs[side])
        line = f"memory, {side}: {size(most)}"
        if side == best:
            line += f"  (at most TRL's {size(least)}: {verdict(most <= least)}; "
            line += f"{size(default)} by default: {verdict(most <= default)})"
        beside = max(run["bytes_of_engine"] for run in runs[side])
        yield line + (f", the engine's processes {size(beside)} besides" if beside else "")


def size(count: float) -> str:
    """In gigabytes."""
    return f"{count / 1e9:.2f} GB"


def verdict(met: bool) -> str:
    """In a word."""
    return "met" if met else "MISSED"


def note(line: str) -> None:
    """To stderr, at once."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
