"""A board takes the directories of finished runs, and records, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchgen.errors import InputError
from leaderboards.blind import read_blind
from leaderboards.records import read_sources


def test_runs_come_in_the_order_given(write_run, tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "z", "one"), write_run(tmp_path / "a", "two")
    assert [s.record.config.model for s in read_sources([first, second])] == ["one", "two"]


def test_a_folder_that_is_no_run_is_named(write_run, tmp_path: Path) -> None:
    good = write_run(tmp_path / "good")
    empty = tmp_path / "no-run-here"
    empty.mkdir()
    with pytest.raises(InputError, match="no-run-here") as caught:
        read_sources([good, empty])
    assert "\n" not in str(caught.value)


def test_a_run_without_metrics_is_not_finished(write_run, tmp_path: Path) -> None:
    run = write_run(tmp_path / "broken-off")
    (run / "metrics.json").unlink()
    with pytest.raises(InputError, match=r"broken-off.*metrics\.json"):
        read_sources([run])


def test_torn_metrics_are_refused(write_run, tmp_path: Path) -> None:
    run = write_run(tmp_path / "torn")
    whole = (run / "metrics.json").read_text("utf-8")
    (run / "metrics.json").write_text(whole[: len(whole) // 2], "utf-8")
    with pytest.raises(InputError, match="torn"):
        read_sources([run])


@pytest.mark.parametrize("words", ["[" * 100_000, "{}", "[]", "null", '"x"', ""], ids=range(6))
def test_metrics_that_are_something_else_are_refused(
    write_run, tmp_path: Path, words: str
) -> None:
    run = write_run(tmp_path / "strange")
    (run / "metrics.json").write_text(words, "utf-8")
    with pytest.raises(InputError, match="strange") as caught:
        read_sources([run])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", [{"value": "1"}, {"session": "1"}])
def test_a_sample_of_other_types_is_refused(
    write_run, tmp_path: Path, change: dict[str, object]
) -> None:
    run = write_run(tmp_path / "strange")
    journal = run / "samples-00000.jsonl"
    first, *rest = journal.read_text("utf-8").splitlines()
    journal.write_text("\n".join([json.dumps(json.loads(first) | change), *rest, ""]), "utf-8")
    with pytest.raises(InputError, match="strange"):
        read_sources([run])


@pytest.mark.parametrize(
    "words",
    ["[" * 100_000, "{}", "[]", "\xff", f'{{"best_blind": {{"name": "x", "accuracy": {10**400}}}}}',
     '{"best_blind": {"name": "x", "accuracy": 0.5}, "cells": [1]}'],
    ids=range(6),
)  # fmt: skip
def test_what_is_no_audit_is_one_line(tmp_path: Path, words: str) -> None:
    (tmp_path / "audit.json").write_text(words, "latin-1")
    with pytest.raises(InputError, match="is not the JSON of an audit") as caught:
        read_blind(tmp_path / "audit.json")
    assert "\n" not in str(caught.value)


def test_a_run_that_only_compared_likelihoods_is_taken(write_run, tmp_path: Path) -> None:
    # As lm_eval's tasks of multiple choice are: no token was generated.
    (source,) = read_sources([write_run(tmp_path / "run", max_tokens=0)])
    assert source.record.config.max_tokens == 0


def test_a_number_that_no_float_holds_is_one_line(write_run, tmp_path: Path) -> None:
    (source,) = read_sources([write_run(tmp_path / "run")])
    record = json.loads(source.text)
    record["metrics"]["seconds"]["wall"] = 10**400
    (tmp_path / "large.json").write_text(json.dumps(record), "utf-8")
    with pytest.raises(InputError, match=r"large\.json") as caught:
        read_sources([tmp_path / "large.json"])
    assert "\n" not in str(caught.value)


def test_a_run_given_twice_under_two_names_is_refused(write_run, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (tmp_path / "link").symlink_to(run)
    with pytest.raises(InputError, match="link is the run .* given twice"):
        read_sources([run, tmp_path / "link"])


def test_no_runs_make_no_board() -> None:
    with pytest.raises(InputError, match="at least one"):
        read_sources([])
