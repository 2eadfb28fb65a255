"""Figures that a record states and its scores do not earn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from benchgen.cli import run as run_command
from benchgen.errors import InputError
from benchgen.problem import Response
from evaluators.command import evaluate
from evaluators.engine import Request
from evaluators.engines.scripted import ScriptedEngine
from evaluators.run_directory import Metrics, Slice, Twins
from leaderboards.benchmark import Benchmark
from leaderboards.record import Record, check_record
from leaderboards.records import read_source


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "music"
    words = ["synth", "sheet_music", "--split", "test", "--count", "80", "--twins", "--seed", "3"]
    assert run_command([*words, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def record(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("runs") / "run"
    evaluate(data, folder, engine="scripted:random", seed=5)
    return read_source(folder).record


def refusal(data: Path, record: Record, **changes: object) -> str | None:
    metrics = replace(record.metrics, **changes)
    return Benchmark(data).refusal(replace(record, metrics=metrics))


def test_an_honest_record_is_taken(data: Path, record: Record) -> None:
    assert Benchmark(data).refusal(record) is None


@pytest.mark.parametrize("kind", ["category", "task", "level", "task_level"])
def test_figures_of_two_slices_cannot_be_swapped(data: Path, record: Record, kind: str) -> None:
    table: Mapping[str, Slice] = getattr(record.metrics, f"by_{kind}")
    best = max(table, key=lambda name: table[name].accuracy or 0)
    worst = min(table, key=lambda name: table[name].accuracy or 0)
    assert table[best].accuracy != table[worst].accuracy
    swapped = {**table, best: table[worst], worst: table[best]}
    reason = refusal(data, record, **{f"by_{kind}": swapped})
    assert reason is not None and "do not earn" in reason


def test_a_slice_that_there_is_not_is_refused(data: Path, record: Record) -> None:
    table = dict(record.metrics.by_task)
    table["sheet_music/sight_reading"] = table.pop(next(iter(table)))
    reason = refusal(data, record, by_task=table)
    assert reason is not None and "each task that there is" in reason


Forged = Callable[[Metrics], dict[str, object]]
FORGED: list[Forged] = [
    lambda m: {"overall": replace(m.overall, chance=0.01)},
    lambda m: {"overall": replace(m.overall, low=0.9, high=1.0)},
    lambda m: {"overall": replace(m.overall, accuracy=0.99, low=0.9, high=1.0)},
    lambda m: {"twins": replace(twins_of(m), all_right=twins_of(m).groups, rate=1.0)},
    lambda m: {"twins": replace(twins_of(m), groups=999)},
    lambda m: {"twins": replace(twins_of(m), low=0.0, high=1.0)},
    lambda m: {"twins": None},
    lambda m: {"overall": replace(m.overall, scored=m.overall.scored - 1)},
]


def twins_of(metrics: Metrics) -> Twins:
    assert metrics.twins is not None
    return metrics.twins


@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
def test_a_forged_figure_is_refused(data: Path, record: Record, forged: Forged) -> None:
    reason = refusal(data, record, **forged(record.metrics))
    assert reason is not None and "do not earn" in reason


FORGED_SEVERAL: list[Forged] = [
    lambda m: {"overall": replace(m.overall, low=m.overall.accuracy, high=m.overall.accuracy)},
    lambda m: {"overall": replace(m.overall, chance=0.1)},
    lambda m: {"twins": replace(twins_of(m), rate=1.0)},
    lambda m: {"twins": replace(twins_of(m), groups=3, all_right=3, rate=1.0)},
    lambda m: {"twins": replace(twins_of(m), chance=-1.0)},
]


@pytest.mark.parametrize("forged", FORGED_SEVERAL, ids=range(len(FORGED_SEVERAL)))
def test_a_forged_figure_of_several_samples_is_refused(
    data: Path, several: Record, forged: Forged
) -> None:
    reason = refusal(data, several, **forged(several.metrics))
    assert reason is not None and "do not earn" in reason


@pytest.fixture(scope="module")
def several(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("runs") / "several"
    evaluate(data, folder, engine="scripted:random", samples=3, temperature=0.5, seed=5)
    return read_source(folder).record


def test_one_failed_problem_lets_no_forged_figure_through(data: Path, tmp_path: Path) -> None:
    evaluate(data, tmp_path / "run", engine=ScriptedEngine("reader", reader))
    record = read_source(tmp_path / "run").record
    assert None in record.scores and Benchmark(data).refusal(record) is None
    forged: list[dict[str, object]] = [
        {"twins": replace(twins_of(record.metrics), groups=9)},
        {"overall": replace(record.metrics.overall, high=1.0)},
    ]
    for changes in forged:
        reason = refusal(data, record, **changes)
        assert reason is not None and "do not earn" in reason


def test_outcomes_are_held_against_the_scores(record: Record) -> None:
    whole = record.metrics.overall
    outcomes = {**dict.fromkeys(whole.outcomes, 0), "correct": whole.samples}
    for metrics, line in (
        (replace(record.metrics, overall=replace(whole, outcomes=outcomes)),
         "right replies are not as many"),
        (replace(record.metrics, by_level={
            name: replace(part, outcomes={**outcomes, "correct": part.samples})
            for name, part in record.metrics.by_level.items()}), "do not add up"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=line):
            check_record(replace(record, metrics=metrics), "it")
    hidden = {**whole.outcomes, "error": 1, "wrong": whole.outcomes["wrong"] - 1}
    with pytest.raises(InputError, match="errors are not its samples without a score"):
        metrics = replace(record.metrics, overall=replace(whole, outcomes=hidden))
        check_record(replace(record, metrics=metrics), "it")


def reader(request: Request) -> str | Response:
    """No reply to some, no answer to some, and else the first option."""
    problem = request.id.partition("#")[0]
    if problem.endswith("0"):
        return Response(id=request.id, text="", finish_reason="error", error="engine died")
    return "" if problem.endswith("1") else "Answer: A"


@pytest.mark.parametrize("asked", [{"samples": 3}, {"limit": 13}, {}], ids=str)
@pytest.mark.parametrize("engine", ["scripted:random", ScriptedEngine("reader", reader)])
def test_honest_runs_of_every_kind_are_taken(
    data: Path, tmp_path: Path, engine: str | ScriptedEngine, asked: dict[str, int]
) -> None:
    evaluate(data, tmp_path / "run", engine=engine, temperature=0.5, **asked)  # type: ignore[arg-type]
    assert Benchmark(data).refusal(read_source(tmp_path / "run").record) is None
