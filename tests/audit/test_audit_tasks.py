"""The audit of the tasks themselves: a routine sample with fixed seeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from benchgen.audit import audit_tasks, cell, report_lines
from benchgen.audit.run import _split_plan
from benchgen.errors import InputError
from benchgen.problem import Problem
from benchgen.task import list_tasks


def quick(tasks: list[str], workers: int = 1, **changed: Any) -> dict[str, Any]:
    asked = {"levels": (1,), "items": 150, "twin_items": 5, "proved_items": 0, **changed}
    return audit_tasks(tasks, workers=workers, control_items=40, with_equivalence=False, **asked)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return quick(["sheet_music/interval_name", "sheet_music/note_completion"])


def test_number_of_workers_changes_nothing(report: dict[str, Any]) -> None:
    again = quick(["sheet_music/interval_name", "sheet_music/note_completion"], workers=2)
    assert {**again, "seconds": 0} == {**report, "seconds": 0}


def test_report_is_json_and_names_the_best_blind_predictor(report: dict[str, Any]) -> None:
    best = json.loads(json.dumps(report))["best_blind"]
    assert {"name", "accuracy", "task", "level", "split"} <= set(best)
    assert best["split"] == "test"
    assert 0.2 < best["accuracy"] < 0.4


def test_lines_end_with_the_verdict(report: dict[str, Any]) -> None:
    assert list(report_lines({**report, "passed": True}))[-1] == "passed"
    assert list(report_lines({**report, "passed": False}))[-1] == "FAILED"


def test_every_cell_is_reported(report: dict[str, Any]) -> None:
    cells = {(row["task"], row["level"], row["split"]) for row in report["cells"]}
    assert len(cells) == len(report["cells"]) == 2 * 3
    assert all(row["scored"] == 150 for row in report["cells"])


def test_controls_that_see_the_score_are_reported_and_not_gated(report: dict[str, Any]) -> None:
    seen = {row["sees"] for row in report["controls"]}
    assert {"length of the text", "signature", "accidentals", "lowest note"} <= seen
    assert {row["task"] for row in report["memorisation"]} == {
        "sheet_music/interval_name",
        "sheet_music/note_completion",
    }


@pytest.mark.slow
def test_equivalence_scores_as_many_items_as_it_needs() -> None:
    found = audit_tasks(
        ["sheet_music/interval_name"], (1,), ("test",), 20, twin_items=2, proved_items=0,
        control_items=0,
    )  # fmt: skip
    assert found["items"]["test"]["scored"] > 10_000
    assert found["gates"]["equivalence"]["run"]
    assert found["gates"]["equivalence"]["passed"]


@pytest.mark.parametrize(
    ("tasks", "levels", "splits"),
    [
        (["sheet_music/no_such"], (), ("test",)),
        (["sheet_music/interval_name"], (9,), ("test",)),
        (["sheet_music/interval_name"], (), ("exam",)),
    ],
)
def test_unknown_names_are_bad_input(
    tasks: list[str], levels: tuple[int, ...], splits: tuple[str, ...]
) -> None:
    with pytest.raises(InputError):
        audit_tasks(tasks, levels, splits, 10)


@pytest.mark.slow
def test_no_predictor_beats_chance_on_any_class_and_level() -> None:
    found = audit_tasks(
        list_tasks("sheet_music"),
        items=600,
        seed=20,
        workers=2,
        twin_items=25,
        proved_items=1,
        control_items=0,
        with_equivalence=False,
    )
    assert found["gates"]["detection"]["flagged"] == []
    assert found["gates"]["twins"]["faults"] == []
    assert found["gates"]["twins"]["items"] == 9 * 4 * 3 * 25
    assert found["leaks"]["faults"] == []
    assert found["rewards"]["faults"] == []
    assert found["passed"]


def test_second_engine_that_is_not_installed_is_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def needs_a_package(suite: str) -> Callable[[Problem], list[str]]:
        def judge(problem: Problem) -> list[str]:
            raise ModuleNotFoundError("no witness")

        return judge

    monkeypatch.setattr(cell, "second_engine", needs_a_package)
    found = quick(["sheet_music/interval_name"], items=0, splits=("test",), proved_items=2)
    assert not found["second_engine"]
    assert found["gates"]["twins"]["items"] == 5
    assert found["gates"]["twins"]["proved_by_second_engine"] == 0


def test_second_engine_judges_twins_where_it_is_installed() -> None:
    found = quick(["sheet_music/interval_name"], items=0, splits=("test",), proved_items=2)
    assert found["second_engine"]
    assert found["gates"]["twins"]["proved_by_second_engine"] == 8


def test_splits_that_are_not_bounded_take_fewer_items() -> None:
    found = audit_tasks(
        ["sheet_music/interval_name"], (1,), items=0, twin_items=2, proved_items=0, control_items=0
    )
    assert all(plan == {"learned": 0, "scored": 0} for plan in found["items"].values())
    plans = [_split_plan(split, 400, ("test",), 1) for split in ("train", "validation", "test")]
    assert [(p.learned, p.scored) for p in plans[:2]] == [(400, 100), (100, 100)]
    assert plans[2].learned == 400 and plans[2].scored > 10_000
