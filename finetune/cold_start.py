"""What reinforcement begins with: a model that imitation has half taught.

Conventions
-----------
* A study's settings are read by their names (``Imitating``), so that studies of other questions
  have the same cold start.
* The cold start is the best of the checkpoints that are right often enough on the validation set,
  and not too often to leave anything to reinforcement; of equals the one with fewer steps.
* Items are counted with their twins, those of validation and test by class.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from benchgen.dataset import synthesize
from benchgen.errors import InputError
from benchgen.plan import make_plan
from finetune.checkpoint import checkpoint_path
from finetune.job import SFT, Job
from finetune.study import OPTIONS, Ask, Tell, asking, train

COLD = "sft"


class Imitating(Protocol):
    """The settings of a study that has a cold start; ``learning_study.Study`` says what they are.

    ``model`` imitates ``batch`` examples a step at ``sft_rate``, and is asked after each of
    ``sft_steps``; from ``enough`` to ``too_much`` are shares of the validation set.
    """

    @property
    def seed(self) -> int: ...
    @property
    def model(self) -> str: ...
    @property
    def engine(self) -> str: ...
    @property
    def suite(self) -> str: ...
    @property
    def tasks(self) -> tuple[str, ...]: ...
    @property
    def levels(self) -> tuple[int, ...]: ...
    @property
    def sft_steps(self) -> tuple[int, ...]: ...
    @property
    def batch(self) -> int: ...
    @property
    def worked(self) -> float: ...
    @property
    def boxed(self) -> str: ...
    @property
    def sft_rate(self) -> float: ...
    @property
    def enough(self) -> float: ...
    @property
    def too_much(self) -> float: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def test_items(self) -> int: ...
    @property
    def validation_items(self) -> int: ...
    @property
    def sft_items(self) -> int: ...
    @property
    def autocast(self) -> bool: ...


def make_data(
    study: Imitating, out: Path, names: Sequence[str] = (COLD, "validation", "test")
) -> dict[str, str]:
    """The datasets' folders in ``out`` by what they are for.

    Raises
    ------
    InputError
        There are not so many items, or a folder holds others.
    """
    sizes = {
        COLD: ("train", study.sft_items),
        "validation": ("validation", study.validation_items * len(study.tasks)),
        "test": ("test", study.test_items * len(study.tasks)),
    }
    found = {}
    for name in names:
        split, count = sizes[name]
        plan = make_plan(
            study.suite, split=split, count=count // OPTIONS, seed=study.seed, tasks=study.tasks,
            levels=study.levels, with_twins=True,
        )  # fmt: skip
        synthesize(plan, out / "data" / name)
        found[name] = str(out / "data" / name)
    return found


def asking_about(
    study: Imitating, data: dict[str, str], out: Path, tell: Tell
) -> AbstractContextManager[Ask]:
    """Ask models the study's datasets, in text, into ``runs`` in ``out``."""
    return asking(
        data, out / "runs", tell, engine=study.engine, seed=study.seed,
        max_tokens=study.max_tokens, dtype="bfloat16" if study.autocast else "float32",
    )  # fmt: skip


def cold_start(study: Imitating, data: dict[str, str], out: Path, ask: Ask, tell: Tell) -> int:
    """After how many steps of imitation, in the folder ``sft``, reinforcement begins.

    Raises
    ------
    InputError
        No checkpoint that was asked lies between ``enough`` and ``too_much``.
    """
    right: dict[int, float] = {}
    for steps in study.sft_steps:
        cold = imitate(study, COLD, steps, data[COLD], out, tell, worked=study.worked)
        run = ask(f"validation-{steps}", "validation", str(cold))
        right[steps] = run.metrics.overall.accuracy or 0.0
    among = [steps for steps, share in right.items() if study.enough <= share <= study.too_much]
    if not among:
        shares = ", ".join(f"{share:.1%} after {steps}" for steps, share in right.items())
        raise InputError(
            f"no imitation is right on {study.enough:.0%} to {study.too_much:.0%} of the "
            f"validation set: {shares} steps"
        )
    return max(among, key=right.__getitem__)


def imitate(
    study: Imitating, name: str, steps: int, data: str, out: Path, tell: Tell, **shown: Any
) -> Path:
    """The checkpoint after so many steps of the run of imitation in the folder ``name``.

    Raises
    ------
    InputError
        The folder holds another run, or the job is none.
    """
    checkpoint = checkpoint_path(out / name, steps)
    if not checkpoint.exists():
        train_in(
            study, out / name, tell, SFT, data=data, steps=steps, batch=study.batch,
            boxed=study.boxed, learning_rate=study.sft_rate, warmup=10, keep=0, **shown,
        )  # fmt: skip
    return checkpoint


def train_in(study: Imitating, folder: Path, tell: Tell, objective: str, **changes: Any) -> Any:
    """A run of the study's model, engine, seed and precision, but for the ``changes``.

    Raises
    ------
    InputError
        The folder holds another run, or the job is none.
    """
    wanted: dict[str, Any] = {
        "model": study.model, "max_tokens": study.max_tokens, "engine": study.engine,
        "autocast": study.autocast, "seed": study.seed, "save_every": 20, "keep": 1,
    }  # fmt: skip
    return train(Job(objective=objective, **(wanted | changes)), folder, tell)
