"""``benchgen study objectives``: do the variants of the objective differ, from one cold start?

1. Imitation of worked solutions, and of answers alone to the other problems; the cold start is the
   best of its checkpoints that are right often enough, and not too often (``cold_start``). All
   seeds begin with it.

And for each seed:

2. from that one checkpoint a run of each objective, until it has generated ``tokens``;
3. the test set is asked of the cold start, and of where each run ended.

Conventions
-----------
* The primary measure, named beforehand: accuracy on the test set, greedy, at the end of a run, as a
  paired difference from ``grpo``. What is told of the steps on the way is described, not tested.
* Matched are the cold start, the questions and their order, the seeds of sampling, the rate, the
  groups of a step, and the tokens generated: a run ends with the first step that reaches them, so
  that one with longer replies takes fewer steps. Replies that are replayed are not generated, and
  the groups that ``exgrpo`` has them in stand in the place of fresh questions.
* Every objective is its preset as it stands. Nothing is chosen by its result: the last checkpoint
  counts.
* Seeds differ in questions, sampling and test sets; those share contents, of which there are not
  enough. What seeds found is told together by ``objectives_results``.
* Every run is a folder that is resumed, or read if it is done: the study may be cut anywhere. One
  seed at a time is run in a folder. A seed in another, on another machine say, makes the cold start
  anew; its weights' digest tells whether it is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.files import write_whole
from evaluators.compare import compare_runs
from evaluators.run_directory import RunRecord
from finetune.checkpoint import checkpoint_path, latest_step
from finetune.cold_start import COLD, asking_about, cold_start, make_data, train_in
from finetune.step_figures import step_figures
from finetune.study import Tell, begin, figures, is_asked, met, settings

RECORD = "objectives.json"
BASE = "grpo"
LEARNERS = (BASE, "dapo", "exgrpo", "diver", "siren", "canon")
MOST_STEPS = 10_000
"""A run ends by its tokens."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is studied; ``tasks`` at ``levels``, trained as one mix.

    Imitation is the learning study's, of the seed ``start`` whatever the study's own: ``sft_steps``
    of ``batch`` examples, of which the share ``worked`` has its solution. So the policy both works
    out and answers at once.
    Each objective takes steps of ``prompts`` groups of ``samples`` replies of no more than
    ``max_tokens``, until ``tokens`` are generated, at a rate that stays once it is warm.
    Test and validation items are counted by class, those of imitation in all; with each come its
    twins, which are items as well. With ``autocast`` all of it computes in bfloat16, over weights
    in single precision.
    What was expected before anything was run: two objectives are right on different problems in a
    share ``apart`` of them, and the difference of two scatters by ``scatter`` from seed to seed.
    """

    seed: int = 0
    start: int = 0
    model: str = "smollm2"
    engine: str = "vllm"
    suite: str = "sheet_music"
    tasks: tuple[str, ...] = ("chord_root", "key_from_tones")
    levels: tuple[int, ...] = (1,)
    sft_steps: tuple[int, ...] = (50, 60, 70, 80)
    batch: int = 8
    worked: float = 0.75
    boxed: str = "words"
    sft_rate: float = 5e-4
    enough: float = 0.35
    too_much: float = 0.65
    tokens: int = 120_000
    prompts: int = 16
    samples: int = 8
    rl_rate: float = 3e-5
    max_tokens: int = 80
    test_items: int = 300
    validation_items: int = 80
    sft_items: int = 2400
    autocast: bool = False
    apart: float = 0.25
    scatter: float = 0.03

    def __post_init__(self) -> None:
        if min(self.seed, self.start) < 0:
            raise InputError(f"a study's seeds are 0 or more, not {self.seed} and {self.start}")
        if self.tokens < 1:
            raise InputError("a run of the study has a token or more")


def run_study(study: Study, folder: Path, tell: Tell = lambda line: None) -> dict[str, Any]:
    """All of one seed, or the rest of it, in its folder within ``folder``.

    The results are in ``objectives.json`` there, too. The cold start lies beside it.

    Raises
    ------
    InputError
        ``folder`` holds another study, or no checkpoint of imitation that was asked lies between
        ``enough`` and ``too_much``.
    """
    cold, shown, steps = _make_cold_start(study, folder / "cold-start", tell)
    out = folder / f"seed-{study.seed}"
    begin(study, out)
    data = make_data(study, out, ["test"])
    with asking_about(study, data, out, tell) as ask:
        runs = {COLD: ask(COLD, "test", str(cold))}
    for name in LEARNERS:
        if not is_asked(out / "runs" / name):
            train_in(
                study, out / name, tell, name, model=str(cold), steps=MOST_STEPS,
                most_tokens=study.tokens, suite=study.suite, tasks=study.tasks,
                levels=study.levels, prompts=study.prompts, samples=study.samples,
                learning_rate=study.rl_rate, warmup=5, save_every=5, micro_tokens=2048,
            )  # fmt: skip
        # An engine opened anew for each: between two of them the trainer has its own.
        with asking_about(study, data, out, tell) as ask:
            runs[name] = ask(name, "test", str(_end(out / name)))
    others = [name for name in LEARNERS if name != BASE]
    found = {
        "study": settings(study),
        "sft_steps": steps,
        "cold_start": hashlib.sha256((cold / "model.safetensors").read_bytes()).hexdigest(),
        "runs": {name: figures(run) for name, run in runs.items()},
        "from_cold_start": _differences(runs[COLD], {name: runs[name] for name in LEARNERS}),
        "from_grpo": _differences(runs[BASE], {name: runs[name] for name in others}),
        "steps": {name: step_figures(out / name) for name in LEARNERS},
        "test_contents_met_in_training": met(
            data["test"], [shown], [out / name for name in LEARNERS]
        ),
    }
    write_whole(out / RECORD, f"{json.dumps(found, indent=1)}\n".encode())
    return found


def _make_cold_start(study: Study, out: Path, tell: Tell) -> tuple[Path, str, int]:
    """The checkpoint that all begin with, what it was shown, and its steps."""
    imitation = replace(study, seed=study.start)
    begin(imitation, out)
    data = make_data(imitation, out, [COLD, "validation"])
    with asking_about(imitation, data, out, tell) as ask:
        steps = cold_start(imitation, data, out, ask, tell)
    return checkpoint_path(out / COLD, steps), data[COLD], steps


def study_lines(found: dict[str, Any]) -> Iterator[str]:
    """The results of a seed for people."""
    for name, run in found["runs"].items():
        line = (
            f"{name:7} {100 * run['accuracy']:5.1f} % ({100 * run['low']:.1f} to "
            f"{100 * run['high']:.1f}), {run['tokens']:.0f} tokens a reply"
        )
        if name in found["steps"]:
            line += f", {len(found['steps'][name])} steps"
        if name in found["from_grpo"]:
            one = found["from_grpo"][name]
            line += (
                f"; from {BASE} {100 * one['effect']:+.1f} points ({100 * one['low']:+.1f} to "
                f"{100 * one['high']:+.1f}), p = {one['corrected']:.3f} corrected for several"
            )
        yield line
    yield f"test contents met in training: {found['test_contents_met_in_training']}"


def _end(folder: Path) -> Path:
    """A run's last checkpoint."""
    return checkpoint_path(folder, latest_step(folder) or 0)


def _differences(first: RunRecord, others: Mapping[str, RunRecord]) -> dict[str, Any]:
    """The paired difference of each from the first, the p-values corrected for several (Holm)."""
    compared = compare_runs([first.path, *(run.path for run in others.values())])["against"]
    names = (
        "effect", "low", "high", "p_value", "corrected", "problems", "better", "worse",
        "detectable",
    )  # fmt: skip
    return {
        name: {kind: one[kind] for kind in names}
        for name, one in zip(others, compared, strict=True)
    }
