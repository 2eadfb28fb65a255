"""The audit of one task and level: the unit of work that a process takes.

Conventions
-----------
* Of every split, the first items are for learning and nothing else: every predictor is
  scored on the ones after them. What was learned from the train split is scored on the
  other splits too.
* A cell is a pure function of its plan, so that the number of processes changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from benchgen.audit.attributes import SuiteReading, suite_reading
from benchgen.audit.controls import (
    nearest_neighbour,
    partial_views,
    stimulus_columns,
    stimulus_numbers,
)
from benchgen.audit.offers import measure
from benchgen.audit.predictors import Scorer, Trial, fit_predictors, run_trials
from benchgen.audit.rewards import reward_faults
from benchgen.audit.sample import Sample, collect, draw, item_keys
from benchgen.audit.twin_proof import Prover, TwinProof, prove_twins
from benchgen.columns import table_of
from benchgen.errors import InputError
from benchgen.problem import Problem
from benchgen.suite import find_suite
from benchgen.task import find_task, make, twins

REWARD_ITEMS = 10


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How many items of a split are learned from, and how many are scored."""

    split: str
    learned: int
    scored: int


@dataclass(frozen=True)
class SplitResult:
    """What was found for one task, level and split.

    ``refused`` says why the class cannot be audited, None if it can. ``sample`` has no
    view any more; ``trials`` is empty for a class without options.
    """

    task: str
    level: int
    split: str
    refused: str | None
    sample: Sample | None = None
    trials: tuple[Trial, ...] = ()
    twins: TwinProof | None = None
    reward_faults: tuple[str, ...] = ()
    controls: tuple[dict[str, object], ...] = ()
    memorisation: dict[str, object] | None = None


@dataclass(frozen=True)
class CellAudit:
    """Audits cell ``place`` of ``cells`` (task, level) when called.

    ``second_engine`` is False where the suite's prover cannot be imported.
    """

    cells: tuple[tuple[str, int], ...]
    splits: tuple[SplitPlan, ...]
    seed: int
    twin_items: int
    proved_items: int
    control_items: int
    second_engine: bool

    def __call__(self, place: int) -> list[SplitResult]:
        """The results of every split."""
        task, level = self.cells[place]
        reading = suite_reading(task.partition("/")[0])
        prover = second_engine(task.partition("/")[0]) if self.second_engine else None
        results = []
        trained: dict[str, Scorer] = {}
        examples: list[Problem] = []
        for plan in sorted(self.splits, key=lambda p: p.split != "train"):
            split = plan.split
            count = max(plan.learned + plan.scored, self._kept_items)
            try:
                keys = item_keys(task, level, split, self.seed, count)
            except InputError as error:
                results.append(SplitResult(task, level, split, str(error)))
                continue
            kept: list[Problem] = []
            problems = _keeping(draw(task, level, split, keys), kept, self._kept_items)
            sample = collect(task, level, split, problems)
            trials, learned = self._trials(sample, plan, reading, trained)
            if split == "train":
                trained = learned
                examples = kept
            results.append(
                SplitResult(
                    task,
                    level,
                    split,
                    None,
                    replace(sample, view=None),
                    tuple(trials),
                    prove_twins(kept[: self.twin_items], twins, prover, self.proved_items),
                    tuple(reward_faults(kept[:REWARD_ITEMS])),
                    *self._controls(kept, examples, reading, split),
                )
            )
        return results

    @property
    def _kept_items(self) -> int:
        return max(self.twin_items, REWARD_ITEMS, self.control_items)

    def _trials(
        self,
        sample: Sample,
        plan: SplitPlan,
        reading: SuiteReading,
        trained: dict[str, Scorer],
    ) -> tuple[list[Trial], dict[str, Scorer]]:
        if sample.view is None or not plan.scored:
            return [], {}
        offers = measure(sample.view, reading)
        learned = fit_predictors(offers.take(slice(0, plan.learned)))
        scorers = {"split": learned}
        if trained:
            scorers["train"] = trained
        scored = offers.take(slice(plan.learned, plan.learned + plan.scored))
        return run_trials(scored, scorers, self.seed), learned

    def _controls(
        self,
        kept: list[Problem],
        examples: list[Problem],
        reading: SuiteReading,
        split: str,
    ) -> tuple[tuple[dict[str, object], ...], dict[str, object] | None]:
        shown = kept[: self.control_items]
        if split != "test" or not shown:
            return (), None
        view = collect(shown[0].task, shown[0].level, split, shown).view
        if view is None:
            return (), None
        columns = stimulus_columns(
            [
                stimulus_numbers(p.text(), None, reading.stimulus_attributes(p.identity))
                for p in shown
            ]
        )
        offers = measure(view, reading)
        near = nearest_neighbour(
            examples[: self.control_items], shown[: self.control_items // 4], self.seed
        )
        return tuple(partial_views(offers, columns, self.seed)), near


def second_engine(suite: str) -> Prover:
    """The suite's prover as a function of a problem.

    Raises
    ------
    ImportError
        It needs packages that are not installed.
    """
    prove = find_suite(suite).load_prove()

    def judge(problem: Problem) -> list[str]:
        return prove(table_of([problem], ("text",)).to_pylist()[0])

    return judge


def has_second_engine(task: str) -> bool:
    """Whether the prover of a task's suite has all the packages that it needs here."""
    try:
        second_engine(task.partition("/")[0])(make(task, level=find_task(task).levels[0]))
    except ImportError:
        return False
    return True


def _keeping(problems: Iterable[Problem], kept: list[Problem], count: int) -> Iterator[Problem]:
    """The problems as they come; the first ``count`` are put into ``kept``."""
    stream = iter(problems)
    for problem in islice(stream, count):
        kept.append(problem)
        yield problem
    yield from stream
