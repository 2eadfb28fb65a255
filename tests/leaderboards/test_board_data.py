"""The JSON and the CSV of a board."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from leaderboards.board import make_board
from leaderboards.downloads import board_csv, board_record
from leaderboards.records import read_sources

CARRIED = ["m\r=1+1", "m\n=1+1", "m\x0b@x", "m\t=1+1", "\t=1"]
HOSTILE = [
    "=HYPERLINK(1)", "+1", "-1+2", "@SUM(A1)", "  =1+1", '"=1', "a,b", "\u00a0=1+1",
    "\uff1d1+1", "m;=1+1;", "m; @x", 'm;"=1',
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spreadsheet_runs_no_model_name(write_run, tmp_path: Path, name: str) -> None:
    board = make_board(read_sources([write_run(tmp_path / "m", name)]), "t")
    rows = list(csv.DictReader(board_csv(board).splitlines()))
    cell = next(row["name"] for row in rows if row["kind"] == "model")
    for part in cell.split(";"):
        assert not part.strip(" \u00a0\"").startswith(("=", "+", "-", "@", "\uff1d"))
    assert cell.replace("'", "") == name


@pytest.mark.parametrize("name", CARRIED)
def test_no_name_begins_a_row_of_its_own(write_run, tmp_path: Path, name: str) -> None:
    board = make_board(read_sources([write_run(tmp_path / "m", name)]), "t")
    lines = board_csv(board).split("\n")
    assert len(lines) == 1 + len(board.entries) + 1
    assert not [line for line in lines if set("\r\x0b\t") & set(line)]


def test_a_spreadsheet_runs_no_category(write_run, tmp_path: Path) -> None:
    (source,) = read_sources([write_run(tmp_path / "m", "m", suite="=1+1")])
    heads = board_csv(make_board([source], "t")).splitlines()[0].split(",")
    cells = [cell for row in csv.reader(board_csv(make_board([source], "t")).splitlines())
             for cell in row]  # fmt: skip
    assert not [cell for cell in [*heads, *cells] if cell.startswith("=")]


def test_a_category_takes_no_other_columns_name(write_run, tmp_path: Path) -> None:
    board = make_board(read_sources([write_run(tmp_path / "m")]), "t")
    test = dataclasses.replace(board.tests[0], categories={"accuracy": 0.25, "name": 0.25})
    heads = board_csv(dataclasses.replace(board, tests=(test,))).splitlines()[0].split(",")
    assert len(set(heads)) == len(heads)


def test_csv_and_json_hold_the_same_figures(write_run, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", "one", skill=0.6), write_run(tmp_path / "b", "two")]
    board = make_board(read_sources(runs), "t")
    record: dict[str, Any] = json.loads(json.dumps(board_record(board, "0"), allow_nan=False))
    rows = list(csv.DictReader(board_csv(board).splitlines()))
    entries = record["entries"]
    assert [row["name"] for row in rows] == [entry["name"] for entry in entries]
    for row, entry in zip(rows, entries, strict=True):
        assert float(row["accuracy"]) == entry["accuracy"]["value"]
        assert float(row["category chord"]) == entry["categories"]["chord"]["value"]
        assert float(row["task sheet_music/meter"]) == entry["tasks"]["sheet_music/meter"]["value"]
        assert float(row["level 2"]) == entry["levels"]["2"]["value"]
        assert row["tied"] == ("true" if entry["tied"] else "false")
    chance = next(row for row in rows if row["kind"] == "chance")
    assert chance["low"] == chance["tokens per reply"] == chance["rank"] == ""
