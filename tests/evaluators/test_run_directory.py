from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchgen.errors import InputError
from benchgen.problem import Outcome
from evaluators.command import evaluate
from evaluators.journal import Sample
from evaluators.run_directory import problem_scores, read_run

WriteDataset = Callable[..., Path]


def test_a_run_reads_back(tmp_path: Path, write_dataset: WriteDataset) -> None:
    data = write_dataset()
    evaluation = evaluate(data, tmp_path / "run", engine="scripted:position", samples=2)
    record = read_run(str(tmp_path / "run"))
    assert record.config.engine == "scripted:position"
    assert record.config.data.problems == 12
    assert record.metrics.overall.accuracy == 0.25
    assert record.metrics.overall.outcomes == evaluation.summary["overall"]["outcomes"]
    assert [score.score for score in record.problems] == [1.0, 0.0, 0.0, 0.0] * 3
    first = record.problems[0]
    assert (first.problem, first.task, first.category) == (
        "item-0000", "sheet_music/interval_name", "interval",
    )  # fmt: skip
    assert (first.level, first.options, first.samples, first.scored) == (1, 4, 2, 2)


def test_errors_do_not_count_in_a_problems_score(make_sample: Callable[..., Sample]) -> None:
    samples = [
        make_sample("b", epoch=0),
        make_sample("b", epoch=1, outcome=Outcome.WRONG),
        make_sample("b", epoch=2, outcome=Outcome.ERROR),
        make_sample("a", outcome=Outcome.ERROR),
    ]
    none, half = problem_scores(samples)
    assert (none.problem, none.samples, none.scored, none.score) == ("a", 1, 0, None)
    assert (half.problem, half.samples, half.scored, half.score) == ("b", 3, 2, 0.5)


@pytest.mark.parametrize("name", ["config.toml", "metrics.json"])
def test_what_is_no_run_is_named(tmp_path: Path, write_dataset: WriteDataset, name: str) -> None:
    run = tmp_path / "run"
    evaluate(write_dataset(), run, engine="scripted:gold")
    (run / name).unlink()
    with pytest.raises(InputError, match=f"run is not the directory of a finished run: no {name}"):
        read_run(run)


@pytest.mark.parametrize("folder", ["absent", ""])
def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(InputError, match="not the directory of a finished run"):
        read_run(tmp_path / folder)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "nonsense", '{"schema_version": 2}', '{"schema_version": null}']
)
def test_damaged_metrics_are_refused(
    tmp_path: Path, write_dataset: WriteDataset, text: str
) -> None:
    run = tmp_path / "run"
    evaluate(write_dataset(), run, engine="scripted:gold")
    (run / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=r"metrics.json cannot be read"):
        read_run(run)


def test_another_schema_version_is_refused(tmp_path: Path, write_dataset: WriteDataset) -> None:
    run = tmp_path / "run"
    evaluate(write_dataset(), run, engine="scripted:gold")
    record = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(record | {"schema_version": 99}))
    with pytest.raises(InputError, match="schema version 99, this program reads 3"):
        read_run(run)


def test_a_run_without_a_report_says_so(tmp_path: Path, write_dataset: WriteDataset) -> None:
    run = tmp_path / "run"
    evaluate(write_dataset(), run, engine="scripted:gold")
    (run / "report.html").unlink()
    assert read_run(run).report is None


def test_the_journal_alone_makes_the_problem_scores(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    data = write_dataset()
    evaluate(data, tmp_path / "run", engine="scripted:gold")
    for file in data.iterdir():
        file.unlink()
    assert {score.score for score in read_run(tmp_path / "run").problems} == {1.0}
