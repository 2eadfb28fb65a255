"""``benchgen study learning``: does a small model learn to read, and what is reinforcement's part?

The study of one seed, on classes trained as one mix:

1. the model is asked the test set as it is;
2. imitation of worked solutions, and of answers alone to the other problems; the cold start is
   the best of its checkpoints that are right often enough on the validation set, and not too
   often to leave anything to reinforcement;
3. the control: as many steps of imitation of the form alone (``--replies format``);
4. reinforcement from the cold start, on fresh items, rewarded by ``benchgen.score`` alone, whose
   replies are too short for a solution: what is taught is to answer at once;
5. the test set is asked of the control, of the cold start, and of the best checkpoint of 4.

Conventions
-----------
* The primary measure, named beforehand: accuracy on the test set, greedy, of ``test_items`` items
  a class; reinforcement's part is the paired difference from the checkpoint that it began with.
* The floor is the larger of chance and the accuracy at the start.
* No content of the test set occurs in training: splits are by content, and it is checked.
* Every part is a folder that is resumed, or read if it is done: the study may be cut anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.files import write_whole
from evaluators.run_directory import RunRecord
from finetune.checkpoint import checkpoint_path
from finetune.cold_start import asking_about, cold_start, imitate, make_data, train_in
from finetune.study import Tell, begin, figures, gain, met, settings


@dataclass(frozen=True, slots=True)
class Study:
    """What is studied; ``tasks`` at ``levels``, trained as one mix.

    Imitation takes steps of ``batch`` examples, of which the share ``worked`` has its solution,
    with an option's letter or words ``boxed``. After each of ``sft_steps`` the checkpoint is asked
    the validation set; the cold start is the best of those that are right on no less than
    ``enough`` and no more than ``too_much``.
    Reinforcement takes ``rl_steps`` of ``prompts`` groups of ``samples`` replies of no more than
    ``rl_tokens``, which suffice for an answer and not for a solution. Once warm, the rate of
    imitation stays, and that of reinforcement falls.
    Test and validation items are counted by class, those of imitation in all; with each come its
    twins, which are items as well. With ``autocast`` all of it computes in bfloat16, over weights
    in single precision.
    """

    seed: int = 0
    model: str = "smollm2"
    engine: str = "vllm"
    suite: str = "sheet_music"
    tasks: tuple[str, ...] = ("chord_root", "chord_completion")
    levels: tuple[int, ...] = (1,)
    sft_steps: tuple[int, ...] = (50, 60, 70, 80)
    batch: int = 8
    worked: float = 0.4
    boxed: str = "words"
    sft_rate: float = 5e-4
    enough: float = 0.4
    too_much: float = 0.6
    objective: str = "grpo"
    rl_steps: int = 60
    prompts: int = 32
    samples: int = 8
    rl_tokens: int = 24
    rl_rate: float = 1e-4
    max_tokens: int = 160
    test_items: int = 400
    validation_items: int = 80
    sft_items: int = 2400
    autocast: bool = False


def run_study(study: Study, out: Path, tell: Tell = lambda line: None) -> dict[str, Any]:
    """All of it, or the rest of it; the results, which ``learning.json`` in ``out`` holds too.

    Raises
    ------
    InputError
        ``out`` holds another study, or no checkpoint of imitation that was asked lies between
        ``enough`` and ``too_much``.
    """
    begin(study, out)
    data = make_data(study, out)
    with asking_about(study, data, out, tell) as ask:
        start = ask("start", "test", study.model)
        steps = cold_start(study, data, out, ask, tell)
        cold = checkpoint_path(out / "sft", steps)
        control = imitate(study, "format", steps, data["sft"], out, tell, replies="format")
        form = ask("format", "test", str(control))
        before = ask("sft", "test", str(cold))
    rl = train_in(
        study, out / "rl", tell, study.objective, model=str(cold), steps=study.rl_steps,
        suite=study.suite, tasks=study.tasks, levels=study.levels, prompts=study.prompts,
        samples=study.samples, max_tokens=study.rl_tokens, learning_rate=study.rl_rate, warmup=5,
        decay="linear", validation=data["validation"], validate_every=10, save_every=10,
        # Short replies: a longer row would hold more of them, and be masked for the most part.
        micro_tokens=2048,
    )  # fmt: skip
    with asking_about(study, data, out, tell) as ask:
        after = ask("rl", "test", rl["best"] or rl["checkpoint"])
    runs = {"start": start, "format": form, "sft": before, "rl": after}
    found = {
        "study": settings(study),
        "sft_steps": steps,
        "rl_checkpoint": Path(rl["best"] or rl["checkpoint"]).name,
        "runs": {name: figures(run) for name, run in runs.items()},
        "gain_over_floor": _gain_over_floor(start, after),
        "part_of_reinforcement": gain(before, after),
        "test_contents_met_in_training": met(data["test"], [data["sft"]], [out / "rl"]),
    }
    write_whole(out / "learning.json", f"{json.dumps(found, indent=1)}\n".encode())
    return found


def study_lines(found: dict[str, Any]) -> Iterator[str]:
    """The results for people."""
    for name, run in found["runs"].items():
        parts = ", ".join(f"{task} {100 * value:.1f} %" for task, value in run["by_task"].items())
        yield (
            f"{name:7} {100 * run['accuracy']:5.1f} % ({100 * run['low']:.1f} to "
            f"{100 * run['high']:.1f}), unparsed {100 * run['unparsed']:.1f} %, truncated "
            f"{100 * run['truncated']:.1f} %, {run['tokens']:.0f} tokens a reply; {parts}"
        )
    for name in ("gain_over_floor", "part_of_reinforcement"):
        gain = found[name]
        yield (
            f"{name.replace('_', ' ')}: {100 * gain['effect']:+.1f} points "
            f"({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"
        )
    yield f"test contents met in training: {found['test_contents_met_in_training']}"


def _gain_over_floor(start: RunRecord, after: RunRecord) -> dict[str, Any]:
    """The paired difference from the start, or the accuracy's from chance where that is more."""
    whole = after.metrics.overall
    if whole.chance <= (start.metrics.overall.accuracy or 0.0):
        return {"floor": "start", **gain(start, after)}
    reached = {"effect": whole.accuracy, "low": whole.low, "high": whole.high}
    gains = {name: None if v is None else v - whole.chance for name, v in reached.items()}
    return {"floor": "chance", **gains, "problems": whole.problems}
