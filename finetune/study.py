"""What studies are made of: a folder of parts, runs of training, and models asked in turn.

Conventions
-----------
* A study is a frozen dataclass of settings and a folder. ``study.json`` there holds the settings,
  and a folder of other settings is refused.
* Every part is a folder that is resumed, or read if it is done: a study may be cut anywhere.
* Accuracies are shares from 0 to 1, with the intervals of ``evaluators``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchgen.dataset import read_rows
from benchgen.errors import InputError
from benchgen.files import write_whole
from benchgen.problem import Outcome
from benchgen.task import make
from evaluators.command import evaluate
from evaluators.compare import check_comparison, compare_runs
from evaluators.engine import Engine
from evaluators.run_directory import RunRecord, read_run
from finetune.command import run_training
from finetune.held_out import Named
from finetune.job import Job
from finetune.rollouts import read_rollouts
from finetune.transcripts import journalled_steps

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OPTIONS = 4
"""An item and its twins are as many."""

Tell = Callable[[str], None]
"""Called with a line for whoever watches."""

Ask = Callable[[str, str, str], RunRecord]
"""Called with the run's name, the dataset's, and the model."""


def settings(study: DataclassInstance) -> dict[str, Any]:
    """A study's settings as JSON has them."""
    record: dict[str, Any] = json.loads(json.dumps(asdict(study)))
    return record


def begin(study: DataclassInstance, out: Path) -> None:
    """Make ``out`` the study's folder, or see that it is.

    Raises
    ------
    InputError
        It holds another study, or something else.
    """
    path = out / "study.json"
    record = settings(study)
    check_comparison()
    if path.exists():
        try:
            begun = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path} cannot be read: {error}") from None
        changed = [name for name in record if begun.get(name) != record[name]]
        if changed:
            raise InputError(f"{out} holds a study with another {', '.join(changed)}")
    elif out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty and holds no study: give another --out")
    out.mkdir(parents=True, exist_ok=True)
    write_whole(path, f"{json.dumps(record, indent=1)}\n".encode())


@contextmanager
def asking(
    data: Mapping[str, str],
    runs: Path,
    tell: Tell,
    *,
    engine: str,
    seed: int,
    max_tokens: int,
    dtype: str = "float32",
    window: int = 64,
    modality: str = "text",
) -> Iterator[Ask]:
    """Ask one model after the other through one engine, opened when something is to be asked.

    ``data`` has the datasets' folders by name; a run lies in the folder of its name in ``runs``.
    Replies are greedy. ``seed`` is the study's, and part of what a model is called.
    """
    opened: list[Engine] = []
    with contextlib.ExitStack() as stack:

        def engine_on(model: str) -> Engine:
            update = getattr(opened[0], "update_weights", None) if opened else None
            if update is not None:
                from finetune.policy import load_policy

                update(load_policy(model).model)
            else:
                from evaluators.engines import open_engine

                stack.close()
                opened[:] = [open_engine(engine, model, dtype=dtype, window=window)]
                stack.callback(opened[0].close)
            return opened[0]

        def ask(name: str, dataset: str, model: str) -> RunRecord:
            folder = runs / name
            if not is_asked(folder):
                named = Named(engine_on(model), f"{name} (seed {seed})")
                evaluate(
                    data[dataset], folder, engine=named, modality=modality, max_tokens=max_tokens
                )
            run = read_run(folder)
            accuracy = run.metrics.overall.accuracy
            tell(f"{name}: {100 * (accuracy or 0.0):.1f} % of {run.metrics.overall.problems}")
            return run

        yield ask


def is_asked(folder: Path) -> bool:
    """Whether a run of evaluation has come to its end."""
    return (folder / "metrics.json").is_file() and read_run(folder).metrics.complete


def train(job: Job, folder: Path, tell: Tell) -> dict[str, Any]:
    """Train, or what is left of it; what ``run_training`` gives.

    Raises
    ------
    InputError
        The job is none, or ``folder`` holds another.
    """

    def progress(done: int, steps: int, figures: Any) -> None:
        from finetune.command import step_line

        tell(f"{folder.name}: {done} of {steps} steps: {step_line(figures)}")

    return run_training(job, folder, progress)


def figures(run: RunRecord) -> dict[str, Any]:
    """What a study keeps of a run of evaluation."""
    whole = run.metrics.overall
    return {
        "accuracy": whole.accuracy,
        "chance": whole.chance,
        "problems": whole.problems,
        "low": whole.low,
        "high": whole.high,
        "unparsed": whole.share(Outcome.UNPARSED),
        "truncated": whole.share(Outcome.TRUNCATED),
        "tokens": run.metrics.tokens.completion / whole.samples,
        "by_task": {task: part.accuracy for task, part in run.metrics.by_task.items()},
    }


def gain(before: RunRecord, after: RunRecord) -> dict[str, Any]:
    """The paired difference of two runs on the same problems.

    Raises
    ------
    InputError
        They are on other data, or share no problem with a reply.
    """
    (found,) = compare_runs([before.path, after.path])["against"]
    names = ("effect", "low", "high", "p_value", "problems", "better", "worse")
    return {name: found[name] for name in names}


def met(tested: str, shown_data: Iterable[str], trained: Iterable[Path]) -> int:
    """How many contents of the test set were shown in training.

    Shown were the datasets ``shown_data``, and what the runs of reinforcement in the folders
    ``trained`` drew, by their journals.

    Raises
    ------
    InputError
        A dataset or a journal cannot be read.
    """
    shown = {key for data in shown_data for key in _contents(data)}
    for run in trained:
        for step in journalled_steps(run):
            for group in read_rollouts(run, step):
                task, _, rest = group[0].problem.partition("-l")
                level, split, seed, index = rest.split("-")[:4]
                problem = make(
                    task, split=split, seed=int(seed[1:]), index=int(index), level=int(level)
                )
                shown.add(problem.content_key)
    return len(_contents(tested) & shown)


def _contents(data: str) -> set[str]:
    return {row["content_key"] for row in read_rows(Path(data), ("content_key",))}
