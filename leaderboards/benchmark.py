"""What a record is held against: the dataset that it claims to be about, and today's scoring code.

Conventions
-----------
* A run takes the first so many problems of a dataset, in its order, so that a record over fewer
  problems is held against as many.
* Worked examples come from another dataset: where a run showed some, its prompts are not
  held against anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchgen.errors import InputError
from benchgen.scoring_code import scoring_digest
from evaluators.configuration import PLAIN
from evaluators.placing import Place, place_of
from evaluators.questions import Question, read_data, read_questions
from evaluators.run_directory import Data, RunConfig
from leaderboards.digests import prompts_digest, questions_digest
from leaderboards.earned import Table, tables_of, unearned
from leaderboards.record import Record, numbered


@dataclass(frozen=True, slots=True)
class _Derived:
    """What a record of a run on ``problems``, which are in the order of their ids, has to have."""

    problems: tuple[Place, ...]
    tables: Mapping[str, Table]
    questions: str
    prompts: str
    clusters: tuple[int, ...]


class Benchmark:
    """A dataset, and what it says of the digests and figures of runs on it.

    Raises
    ------
    InputError
        The dataset cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data: Data = read_data(folder)
        self._derived: dict[tuple[object, ...], _Derived] = {}

    def refusal(self, record: Record) -> str | None:
        """Why the record is none of a run on this dataset; None if it is one.

        Raises
        ------
        InputError
            The dataset does not hold the record's modality.
        """
        config, digests = record.config, record.digests
        if config.data.digest != self.data.digest:
            return f"it is on the data {config.data.digest[:16]}, not {self.data.digest[:16]}"
        known = (self.data.suite, self.data.suite_version, self.data.split, self.data.problems)
        told = config.data
        if (told.suite, told.suite_version, told.split, told.problems) != known:
            return "it names another suite, version, split or size than the dataset has"
        if digests.code != scoring_digest():
            code = digests.code[:16] or "of an older version"
            return (
                f"its replies were judged by the code {code}, not today's "
                f"{scoring_digest()[:16]}: judge them anew (benchgen eval --rescore)"
            )
        if len(record.scores) != config.problems:
            return f"{config.problems - len(record.scores)} of its problems were never asked"
        derived = self._derived_for(config)
        if digests.questions != derived.questions or record.clusters != derived.clusters:
            return "its problems, keys or slices are not those of the dataset"
        if not config.prompting.shots and digests.prompts != derived.prompts:
            return "its prompts are not those of the dataset"
        figure = unearned(record, derived.problems, derived.tables)
        return None if figure is None else f"its scores do not earn what it states of {figure}"

    def _derived_for(self, config: RunConfig) -> _Derived:
        key = (config.modality, config.problems, config.prompting)
        if key not in self._derived:
            prompting = PLAIN if config.prompting.shots else config.prompting
            read = read_questions(self.folder, config.modality, config.problems, prompting)
            self._derived[key] = _derive(read)
        return self._derived[key]


def check_records(records: Sequence[tuple[str, Record]], benchmarks: Iterable[Benchmark]) -> None:
    """Whether every record, each with the name of its place, is of one of the benchmarks.

    Raises
    ------
    InputError
        One is of none; the line says which and why.
    """
    known = {benchmark.data.digest: benchmark for benchmark in benchmarks}
    for name, record in records:
        benchmark = known.get(record.config.data.digest)
        reason: str | None = f"it is on the data {record.config.data.digest[:16]}, none of these"
        if benchmark is not None:
            reason = benchmark.refusal(record)
        if reason is not None:
            raise InputError(f"{name} is refused: {reason}")


def check_agreement(records: Sequence[tuple[str, Record]]) -> None:
    """Whether records that name one dataset can be of it, all of them.

    Raises
    ------
    InputError
        Two of them contradict each other; the line names both.
    """
    seen: dict[tuple[object, ...], tuple[str, str]] = {}
    for name, record in records:
        config, digests = record.config, record.digests
        data, same = config.data.digest, (config.data.digest, digests.problems)
        facts: dict[tuple[object, ...], str] = {
            ("suite, version, split or size", data): repr(
                (config.data.suite, config.data.suite_version, config.data.split,
                 config.data.problems, config.data.recipe)
            ),
            ("problems, keys or slices", *same): digests.questions,
            ("scoring code", data): digests.code,
            ("clusters", *same): repr(record.clusters),
        }  # fmt: skip
        if not config.prompting.shots:
            facts["prompts", *same, config.modality, config.prompting] = digests.prompts
        for fact, value in facts.items():
            other, known = seen.setdefault(fact, (name, value))
            if value != known:
                raise InputError(
                    f"{name} and {other} name the same data and differ in {fact[0]}: one of them "
                    "is refused, and --data tells which"
                )


def _derive(questions: Iterable[Question]) -> _Derived:
    asked, prompts = [], []
    for question in questions:
        asked.append(place_of(question.problem))
        prompts.append((question.problem.id, question.digest))
    asked.sort(key=lambda one: one.problem)
    clusters = numbered(one.cluster for one in asked)
    return _Derived(
        problems=tuple(asked),
        tables=tables_of(asked),
        questions=questions_digest(asked),
        prompts=prompts_digest(prompts),
        clusters=clusters,
    )
