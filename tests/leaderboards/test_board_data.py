"""The JSON and the CSV of a board."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from leaderboards.board import make_board
from leaderboards.record import board_csv, board_record
from leaderboards.records import read_runs

HOSTILE = ["=HYPERLINK(1)", "+1", "-1+2", "@SUM(A1)", "\tx", "  =1+1", '"=1', "a,b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spreadsheet_runs_no_model_name(write_run, tmp_path: Path, name: str) -> None:
    board = make_board(read_runs([write_run(tmp_path / "m", name)]), "t", tmp_path)
    rows = list(csv.DictReader(board_csv(board).splitlines()))
    cell = next(row["name"] for row in rows if row["kind"] == "model")
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t"))
    assert cell.removeprefix("'") == name


def test_csv_and_json_hold_the_same_figures(write_run, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", "one", skill=0.6), write_run(tmp_path / "b", "two")]
    board = make_board(read_runs(runs), "t", tmp_path)
    record = json.loads(json.dumps(board_record(board, "0")))
    rows = list(csv.DictReader(board_csv(board).splitlines()))
    entries = record["groups"][0]["entries"]
    assert [row["name"] for row in rows] == [entry["name"] for entry in entries]
    for row, entry in zip(rows, entries, strict=True):
        assert float(row["accuracy"]) == entry["accuracy"]["value"]
        assert float(row["chord"]) == entry["categories"]["chord"]["value"]
    chance = next(row for row in rows if row["kind"] == "chance")
    assert chance["low"] == chance["tokens_per_reply"] == chance["rank"] == ""
