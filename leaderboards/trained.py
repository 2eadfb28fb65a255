"""A trained model as its folder tells: what it began as, what was done, what it scores.

It is read from files alone: ``config.json`` and ``metrics.jsonl`` of the training folder, a
``checkpoint-00000050`` in it, and the evaluation runs ``test/step-00000050`` and
``validation/step-00000050`` where there are such. A model that began as another training's
checkpoint has the stages of both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from evaluators.run_directory import RunRecord, read_run

CHECKPOINT = r"checkpoint-(\d{8})"
HELD_OUT = ("test", "validation")
MOST_STAGES = 16


@dataclass(frozen=True, slots=True)
class Stage:
    """One training run, as far as the model went through it."""

    folder: Path
    steps: int
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trained:
    """A checkpoint. ``base`` is what the first of its stages began as, ``runs`` what was asked of
    it after exactly these steps on held-out problems, the test set first.
    """

    checkpoint: Path
    base: str
    stages: tuple[Stage, ...]
    runs: tuple[RunRecord, ...]


def read_trained(path: Path) -> Trained:
    """The model in ``path``: one checkpoint, or a training folder's (the best one by validation,
    the last one where nothing was validated).

    Raises
    ------
    InputError
        It is neither, or what it holds is damaged.
    """
    checkpoint = _checkpoint(path.resolve())
    if checkpoint is None:
        raise InputError(f"{path} is neither a training folder with a checkpoint nor a checkpoint")
    stages = [_stage(checkpoint)]
    while len(stages) < MOST_STAGES:
        before = Path(_base(stages[-1]))
        if not re.fullmatch(CHECKPOINT, before.name) or _config(before.parent) is None:
            break
        stages.append(_stage(before))
    last = stages[0]
    folders = [last.folder / name / f"step-{last.steps:08d}" for name in HELD_OUT]
    runs = [read_run(folder) for folder in folders if (folder / "metrics.json").is_file()]
    measured = tuple(run for run in runs if run.metrics.overall.accuracy is not None)
    return Trained(checkpoint, _base(stages[-1]), tuple(reversed(stages)), measured)


def _checkpoint(path: Path) -> Path | None:
    if re.fullmatch(CHECKPOINT, path.name) and _config(path.parent) is not None:
        return path if path.is_dir() else None
    if _config(path) is None:
        return None
    named = ((re.fullmatch(CHECKPOINT, p.name), p) for p in path.glob("checkpoint-*"))
    found = {int(match[1]): p for match, p in named if match}
    judged = {step: value for step, value in _validations(path).items() if step in found}
    # The first of equals.
    best = max(sorted(judged), key=judged.__getitem__, default=max(found, default=None))
    return None if best is None else found[best]


def _config(folder: Path) -> dict[str, Any] | None:
    """The configuration of a training folder; a model's own, of the same name, is none."""
    try:
        record = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and "objective" in record else None


def _stage(checkpoint: Path) -> Stage:
    config = _config(checkpoint.parent)
    assert config is not None, "asked for before"
    return Stage(checkpoint.parent, int(checkpoint.name.removeprefix("checkpoint-")), config)


def _base(stage: Stage) -> str:
    return str(stage.config.get("model", ""))


def _validations(folder: Path) -> dict[int, float]:
    """Accuracies on what is held out, by step."""
    path = folder / "metrics.jsonl"
    try:
        # The last line is torn where a run was cut.
        whole = [x for x in path.read_text("utf-8").splitlines(keepends=True) if x.endswith("\n")]
        lines = [json.loads(text) for text in whole]
        return {int(x["step"]): float(x["validation"]) for x in lines if "validation" in x}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
