"""From nothing to a board in one call, resumable: what is done is not done again.

Conventions
-----------
* One folder holds it all: ``data/text`` and ``data/image`` (the test split, 400
  problems each), ``runs/`` (the model and two scripted readers on the text set),
  ``audit.json`` (blind readers, a short audit) and ``board/``.
* The evaluator and the board are handed in by the command line, because this
  package imports neither.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.audit import audit_tasks
from benchgen.dataset import Synthesis, synthesize
from benchgen.executors import choose_executor
from benchgen.files import write_whole
from benchgen.plan import make_plan
from benchgen.task import list_tasks

SUITE = "sheet_music"
COUNT = 400
MAX_TOKENS = 64
AUDIT_ITEMS = 1000
BASELINES = ("scripted:gold", "scripted:random")

Evaluate = Callable[[Path, Path, str, str | None], dict[str, Any]]
"""Called with data, run folder, engine and model; gives the run's summary."""

Build = Callable[[Sequence[Path], Path, Path], dict[str, Any]]
"""Called with run folders, the board's folder and an audit; gives the board's record."""

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
    audit_items: int = AUDIT_ITEMS,
    say: Say,
) -> Quickstart:
    """Synthesize, evaluate, rank.

    Raises
    ------
    InputError
        The folder cannot be written or holds something else, or the model is none.
    """
    processes = workers or os.cpu_count() or 1
    data = {modality: folder / "data" / modality for modality in ("text", "image")}
    for modality, out in data.items():
        made = _synthesize(out, modality, count, processes)
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
    audit = folder / "audit.json"
    if not audit.exists():
        say("looking for the best blind reader")
        write_whole(audit, _blind_readers(audit_items, processes))
    page = build(runs, folder / "board", audit)["page"]
    return Quickstart(data, Path(summary["report"]), Path(page), summary)


def _blind_readers(items: int, workers: int) -> bytes:
    """A short audit of the test split as JSON: the best blind reader of each kind."""
    report = audit_tasks(
        list_tasks(SUITE),
        splits=("test",),
        items=items,
        workers=workers,
        twin_items=0,
        proved_items=0,
        control_items=0,
        with_equivalence=False,
    )
    return json.dumps(report, indent=1).encode()


def _synthesize(out: Path, modality: str, count: int, workers: int) -> Synthesis:
    plan = make_plan(SUITE, split="test", count=count, modalities=[modality])
    return synthesize(plan, out, executor=choose_executor("local", min(workers, plan.shards)))
