"""From nothing to a board in one call, resumable: what is done is not done again.

Conventions
-----------
* One folder holds it all: ``data/text`` and ``data/image`` (the test split, 400
  problems each), ``runs/`` (the model and two scripted readers on the text set) and
  ``board/``.
* The evaluator and the board are handed in by the command line, because this
  package imports neither.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.dataset import Synthesis, synthesize
from benchgen.executors import choose_executor
from benchgen.plan import make_plan

SUITE = "sheet_music"
COUNT = 400
MAX_TOKENS = 256
BASELINES = ("scripted:gold", "scripted:random")

Evaluate = Callable[[Path, Path, str, str | None], dict[str, Any]]
"""Called with data, run folder, engine and model; gives the run's summary."""

Build = Callable[[Sequence[Path], Path], dict[str, Any]]
"""Called with run folders and the board's folder; gives the board's record."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Quickstart:
    """Where everything is, and what the model's run came to."""

    data: dict[str, Path]
    report: Path
    page: Path
    run: dict[str, Any]


def quickstart(
    folder: Path,
    evaluate: Evaluate,
    build: Build,
    *,
    model: str = "smollm2",
    count: int = COUNT,
    workers: int | None = None,
    say: Say,
) -> Quickstart:
    """Synthesize, evaluate, rank.

    Raises
    ------
    InputError
        The folder cannot be written or holds something else, or the model is none.
    """
    data = {modality: folder / "data" / modality for modality in ("text", "image")}
    for modality, out in data.items():
        made = _synthesize(out, modality, count, workers or os.cpu_count() or 1)
        verb = "made" if made.made else "already there"
        say(f"{made.manifest.rows} problems as {modality}: {out} ({verb})")
    run = folder / "runs" / f"{Path(model).name}-text"
    say(f"asking {model} through vLLM")
    summary = evaluate(data["text"], run, "vllm", model)
    runs = [run]
    for engine in BASELINES:
        baseline = folder / "runs" / engine.replace(":", "-")
        evaluate(data["text"], baseline, engine, None)
        runs.append(baseline)
    page = build(runs, folder / "board")["page"]
    return Quickstart(data, Path(summary["report"]), Path(page), summary)


def _synthesize(out: Path, modality: str, count: int, workers: int) -> Synthesis:
    plan = make_plan(SUITE, split="test", count=count, modalities=[modality])
    return synthesize(plan, out, executor=choose_executor("local", min(workers, plan.shards)))
