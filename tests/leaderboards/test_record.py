"""Records: what a run leaves for a board, and what is refused as one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchgen.errors import InputError
from evaluators.run_directory import read_run
from leaderboards.every_eval_ever import every_eval_ever
from leaderboards.record import (
    parse_record,
    read_record,
    record_json,
    record_key,
    record_of,
    write_record,
)


@pytest.fixture
def text(write_run, tmp_path: Path) -> str:
    run = write_run(tmp_path / "run", "Qwen/Small", twins=True, unparsed=0.1)
    return record_json(record_of(read_run(run)))


def test_a_record_reads_back_to_the_byte(text: str, tmp_path: Path) -> None:
    record = parse_record(text, "it")
    assert record_json(record) == text
    write_record(tmp_path / "record.json", record)
    assert read_record(tmp_path / "record.json") == record
    assert record_key(record, text).startswith("qwen-small-")
    assert len(record.scores) == len(record.clusters) == 144
    assert len(set(record.clusters)) == 36


def test_a_record_holds_no_reply(text: str) -> None:
    assert "item-00000" not in text and '"reply"' not in text


Change = Callable[[dict[str, Any]], None]


def put(path: str, value: Any) -> Change:
    def change(record: dict[str, Any]) -> None:
        *places, last = path.split(".")
        for place in places:
            record = record[place]
        assert record[last] != value
        record[last] = value

    return change


def better(record: dict[str, Any]) -> None:
    """One wrong problem made right, and nothing else."""
    record["scores"][record["scores"].index(0.0)] = 1.0


def unscored(record: dict[str, Any]) -> None:
    """All but one problem without a score, so that the mean cannot be held against them."""
    record["scores"] = [1.0] + [None] * 143
    record["metrics"]["overall"]["accuracy"] = 0.9


def flattered(record: dict[str, Any]) -> None:
    """Every category as if all had been right."""
    for part in record["metrics"]["by_category"].values():
        part.update(accuracy=1.0, high=1.0)


DAMAGES: list[tuple[Change, str]] = [
    (put("schema_version", 2), "schema version 2, this program reads 1"),
    (put("config.model", 5), "config.model"),
    (put("config.model", "Other/Large"), "its configuration is not that of its digest"),
    (put("config.temperature", 0.7), "its configuration is not that of its digest"),
    (put("config.data.path", "/home/me/data"), "its configuration names a place"),
    (put("digests.code", "ff"), "names other code than its digests"),
    (put("digests", {}), "digests"),
    (put("metrics.overall.accuracy", 0.99), "contradicts itself"),
    (put("metrics.overall.accuracy", 7), "outside 0 to 1"),
    (put("metrics.overall.accuracy", "high"), "metrics.overall.accuracy"),
    (put("metrics.overall.low", 1.0), "outside its interval"),
    (put("metrics.overall.samples", -1), "contradicts itself"),
    (put("metrics.by_level.1.problems", 1000), "slices are not made of its problems"),
    (put("metrics.complete", False), "not as complete as it says"),
    (put("metrics.wanted", 7), "not as many as its configuration asks for"),
    (put("scores", [1.0]), "not as many as its problems"),
    (put("scores", []), "not as many as its problems"),
    (put("clusters", ["a"] * 144), "clusters.0"),
    (put("clusters", [-1] * 144), "impossible number"),
    (better, "right replies are not as many as its scores of 1"),
    (unscored, "not of its scored samples|lacks scores"),
    (flattered, "do not add up to its whole"),
    (put("clusters", list(range(144))), "interval is not that of its scores"),
    (put("metrics.twins.rate", 5.0), "twins are impossible"),
    (put("metrics.overall.outcomes", {"correct": 144}), "others than there are"),
    (put("metrics.tokens.completion", 10**400), "is not the record|impossible"),
    (put("metrics.cost", float("inf")), "is not the record"),
    (put("began", 10**18), "time are impossible"),
]


@pytest.mark.parametrize(("damage", "line"), DAMAGES, ids=range(len(DAMAGES)))
def test_a_record_that_was_changed_is_refused(text: str, damage: Change, line: str) -> None:
    record = json.loads(text)
    damage(record)
    with pytest.raises(InputError, match=line) as caught:
        parse_record(json.dumps(record), "it")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    ["", "[]", "null", "{", '{"schema_version": 1}', '{"schema_version": 1, "scores": [NaN]}',
     "[" * 100_000, '"schema_version"'],
)  # fmt: skip
def test_what_is_no_record_is_refused(words: str) -> None:
    with pytest.raises(InputError, match="is not the record of a run"):
        parse_record(words, "it")


def test_a_score_that_is_no_number_is_refused(text: str) -> None:
    for value in ("NaN", "Infinity", "true", '"1"'):
        changed = text.replace('"scores":[', f'"scores":[{value},', 1)
        with pytest.raises(InputError):
            parse_record(changed, "it")


def test_every_eval_ever_holds_the_accuracy_its_interval_and_the_digests(text: str) -> None:
    record = parse_record(text, "it")
    found = every_eval_ever(record, record_key(record, text))
    json.dumps(found, allow_nan=False)
    assert set(found) == {
        "schema_version", "evaluation_id", "evaluation_timestamp", "retrieved_timestamp",
        "source_metadata", "eval_library", "model_info", "evaluation_results",
    }  # fmt: skip
    overall, *parts = found["evaluation_results"]
    assert overall["score_details"]["score"] == record.metrics.overall.accuracy
    interval = overall["score_details"]["uncertainty"]["confidence_interval"]
    assert interval["lower"] == record.metrics.overall.low
    assert len(parts) == len(record.metrics.by_category) + len(record.metrics.by_level)
    assert found["model_info"]["developer"] == "Qwen"
    assert found["eval_library"]["additional_details"]["code_digest"] == "c0de"
    for details in (found["eval_library"], found["model_info"], *found["evaluation_results"]):
        for value in details.get("additional_details", {}).values():
            assert isinstance(value, str)
