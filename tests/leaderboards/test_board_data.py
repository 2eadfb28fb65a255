"""The JSON and the CSV of a board."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from leaderboards.board import make_board
from leaderboards.downloads import board_csv, board_record
from leaderboards.records import read_sources

CARRIED = ["m\r=1+1", "m\n=1+1", "m\x0b@x"]
HOSTILE = ["=HYPERLINK(1)", "+1", "-1+2", "@SUM(A1)", "\tx", "  =1+1", '"=1', "a,b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spreadsheet_runs_no_model_name(write_run, tmp_path: Path, name: str) -> None:
    board = make_board(read_sources([write_run(tmp_path / "m", name)]), "t")
    rows = list(csv.DictReader(board_csv(board).splitlines()))
    cell = next(row["name"] for row in rows if row["kind"] == "model")
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t"))
    assert cell.removeprefix("'") == name


@pytest.mark.parametrize("name", CARRIED)
def test_no_name_begins_a_row_of_its_own(write_run, tmp_path: Path, name: str) -> None:
    board = make_board(read_sources([write_run(tmp_path / "m", name)]), "t")
    lines = board_csv(board).split("\n")
    assert len(lines) == 1 + len(board.entries) + 1
    assert not [line for line in lines if "\r" in line or "\x0b" in line]


def test_a_spreadsheet_runs_no_category(write_run, tmp_path: Path) -> None:
    (source,) = read_sources([write_run(tmp_path / "m", "m", suite="=1+1")])
    heads = board_csv(make_board([source], "t")).splitlines()[0].split(",")
    cells = [cell for row in csv.reader(board_csv(make_board([source], "t")).splitlines())
             for cell in row]  # fmt: skip
    assert not [cell for cell in [*heads, *cells] if cell.startswith("=")]


def test_csv_and_json_hold_the_same_figures(write_run, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", "one", skill=0.6), write_run(tmp_path / "b", "two")]
    board = make_board(read_sources(runs), "t")
    record: dict[str, Any] = json.loads(json.dumps(board_record(board, "0"), allow_nan=False))
    rows = list(csv.DictReader(board_csv(board).splitlines()))
    entries = record["entries"]
    assert [row["name"] for row in rows] == [entry["name"] for entry in entries]
    for row, entry in zip(rows, entries, strict=True):
        assert float(row["accuracy"]) == entry["accuracy"]["value"]
        assert float(row["chord"]) == entry["categories"]["chord"]["value"]
        assert float(row["level 2"]) == entry["levels"]["2"]["value"]
        assert row["tied"] == ("true" if entry["tied"] else "false")
    chance = next(row for row in rows if row["kind"] == "chance")
    assert chance["low"] == chance["tokens per reply"] == chance["rank"] == ""
