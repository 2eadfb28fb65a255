"""The audit of a dataset: what was done to its rows is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchgen.audit import audit_dataset, report_lines
from benchgen.columns import schema
from benchgen.dataset import read_rows, synthesize
from benchgen.errors import InputError
from benchgen.plan import make_plan

Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("audit") / "d"
    plan = make_plan(
        "sheet_music", split="train", count=300, seed=3, tasks=["interval_name"], levels=[1]
    )
    synthesize(plan, folder)
    return list(read_rows(folder))


def written(rows: list[Row], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), folder / "part-00000.parquet")
    return folder


def audited(rows: list[Row], folder: Path) -> dict[str, Any]:
    return audit_dataset(written(rows, folder), items=0, twin_items=20)


def key_first(row: Row) -> Row:
    others = [option for option in row["options"] if option != row["answer"]]
    return {**row, "options": [row["answer"], *others], "target": "A"}


def another_question(row: Row) -> Row:
    return {**row, "question": row["question"] + " "}


def another_content(row: Row) -> Row:
    return {**row, "content_key": "0" * 32}


def test_dataset_as_it_was_made_passes(rows: list[Row], tmp_path: Path) -> None:
    found = audited(rows, tmp_path / "d")
    assert found["passed"]
    assert found["count"] == 300
    assert found["gates"]["twins"]["complete"] == 20
    assert found["gates"]["detection"]["tests"] > 50
    assert {"length of the text", "signature"} <= {row["sees"] for row in found["controls"]}


def test_rows_whose_key_was_put_first_are_flagged(rows: list[Row], tmp_path: Path) -> None:
    found = audited([key_first(row) for row in rows], tmp_path / "d")
    assert not found["gates"]["detection"]["passed"]
    assert any(v["predictor"] == "always A" for v in found["gates"]["detection"]["flagged"])
    assert not found["gates"]["twins"]["passed"]


@pytest.mark.parametrize("change", [another_question, another_content])
def test_rows_that_their_twins_do_not_match_are_found(
    rows: list[Row], tmp_path: Path, change: Callable[[Row], Row]
) -> None:
    found = audited([change(row) for row in rows[:20]], tmp_path / "d")
    assert not found["gates"]["twins"]["passed"]
    assert not found["passed"]


def test_content_that_comes_twice_is_found(rows: list[Row], tmp_path: Path) -> None:
    again = {**rows[0], "twin_group": "another"}
    found = audited([*rows[:30], again], tmp_path / "d")
    assert not found["leaks"]["passed"]


def test_twins_of_a_dataset_are_not_taken_for_items(tmp_path: Path) -> None:
    plan = make_plan(
        "sheet_music", split="train", count=60, seed=3, tasks=["interval_name"], levels=[1],
        with_twins=True,
    )  # fmt: skip
    synthesize(plan, tmp_path / "d")
    found = audit_dataset(tmp_path / "d", items=0, twin_items=60)
    assert found["count"] == 240
    assert found["gates"]["twins"]["items"] == 60
    assert all(row["items"] == 60 for row in found["cells"] if row["level"] == 1)
    assert found["gates"]["detection"]["passed"]


def test_ids_of_twins_do_not_tell_the_key(tmp_path: Path) -> None:
    plan = make_plan(
        "sheet_music", split="train", count=200, seed=3, tasks=["interval_name"], levels=[1],
        with_twins=True,
    )  # fmt: skip
    synthesize(plan, tmp_path / "d")
    found = audit_dataset(tmp_path / "d", items=0, twin_items=0)
    assert found["gates"]["twins"]["faults"] == []


def test_dataset_of_another_version_is_bad_input(rows: list[Row], tmp_path: Path) -> None:
    old = [{**row, "suite_version": "0"} for row in rows[:5]]
    with pytest.raises(InputError, match="cannot rebuild"):
        audited(old, tmp_path / "d")


def test_dataset_without_rows_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no rows"):
        audited([], tmp_path / "d")


def test_dataset_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        audit_dataset(tmp_path / "nowhere", items=0)


def test_missing_column_is_bad_input_that_names_it(rows: list[Row], tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows[:5], schema=schema()).drop_columns(["fact_key"])
    pq.write_table(table, tmp_path / "part-00000.parquet")
    with pytest.raises(InputError, match="fact_key"):
        audit_dataset(tmp_path, items=0)


def test_drawn_items_are_audited_beside_the_rows(rows: list[Row], tmp_path: Path) -> None:
    folder = written(rows[:60], tmp_path / "d")
    found = audit_dataset(folder, items=120, twin_items=5, with_equivalence=False)
    assert found["rows"]["count"] == 60
    assert [(row["level"], row["split"]) for row in found["cells"]] == [(1, "train")]
    assert "60 rows:" in list(report_lines(found))
    assert found["passed"] == (
        found["rows"]["passed"] and found["gates"]["detection"]["passed"]
        and found["gates"]["twins"]["passed"]
    )  # fmt: skip
