from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchgen.columns import schema
from benchgen.dataset import synthesize
from benchgen.errors import InputError
from benchgen.manifest import read_manifest, write_manifest
from benchgen.plan import make_plan
from benchgen.verify import ShardProver, report_lines, verify_dataset

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    synthesize(make_plan("sheet_music", split="test", count=18, seed=3), out)
    return out


@pytest.fixture(scope="module")
def twinned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("twinned")
    plan = make_plan("sheet_music", split="validation", count=9, seed=3, with_twins=True)
    synthesize(plan, out)
    return out


def _altered(source: Path, out: Path, alter: Callable[[Rows], Rows]) -> Path:
    """A copy whose rows are altered, its manifest made to fit."""
    manifest = read_manifest(source)
    rows = alter(pq.read_table(source / "part-00000.parquet").to_pylist())
    out.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), out / "part-00000.parquet")
    data = (out / "part-00000.parquet").read_bytes()
    entry = dataclasses.replace(
        manifest.shards[0], rows=len(rows), bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
    )
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        levels = counts.setdefault(row["task"], {})
        levels[str(row["level"])] = levels.get(str(row["level"]), 0) + 1
    write_manifest(out, dataclasses.replace(manifest, shards=(entry,), counts=counts))
    return out


def _failing(path: Path) -> dict[str, int]:
    """How many failed each check that anything failed."""
    report = verify_dataset(path)
    found = {name: c["of"] - c["sound"] for name, c in report["checks"].items()}
    failing = {name: failed for name, failed in found.items() if failed}
    assert report["passed"] == (not failing)
    assert report["fault_count"] == sum(failing.values())
    assert bool(report["faults"]) == bool(failing)
    assert all(report["checks"][name]["percent"] < 100 for name in failing)
    return failing


def test_a_sound_dataset_fails(plain: Path) -> None:
    assert _failing(plain) == {}
    report = verify_dataset(plain)
    assert report["rows"] == 18
    assert {"files", "rows", "ids", "contents", "twins", "identity", "text", "options"} == set(
        report["checks"]
    )
    assert all(check["percent"] == 100 for check in report["checks"].values())
    assert json.loads(json.dumps(report)) == report


def test_twins_of_a_sound_dataset_fail(twinned: Path) -> None:
    report = verify_dataset(twinned)
    assert report["passed"], report["faults"]
    assert report["rows"] == 36
    assert report["checks"]["twins"]["of"] == 9


def test_workers_change_the_report(plain: Path) -> None:
    assert verify_dataset(plain, workers=2) == verify_dataset(plain, workers=1)


def test_progress_is_not_told(plain: Path) -> None:
    told: list[tuple[int, int]] = []
    verify_dataset(plain, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]


def test_an_unchanged_copy_fails(plain: Path, tmp_path: Path) -> None:
    assert _failing(_altered(plain, tmp_path / "copy", lambda rows: rows)) == {}


def _set(row: int, **columns: Any) -> Callable[[Rows], Rows]:
    def alter(rows: Rows) -> Rows:
        rows[row] |= columns
        return rows

    return alter


def test_a_wrong_target_passes(plain: Path, tmp_path: Path) -> None:
    def alter(rows: Rows) -> Rows:
        rows[4]["target"] = "ABCD"["BCDA".index(rows[4]["target"])]
        return rows

    assert _failing(_altered(plain, tmp_path / "copy", alter)) == {"options": 1}


def test_an_altered_text_passes(plain: Path, tmp_path: Path) -> None:
    def alter(rows: Rows) -> Rows:
        rows[2]["text"] = rows[2]["text"].replace("clef=", "clef=x")
        return rows

    assert _failing(_altered(plain, tmp_path / "copy", alter))["text"] == 1


def test_an_answer_that_is_no_option_passes(plain: Path, tmp_path: Path) -> None:
    altered = _altered(plain, tmp_path / "copy", _set(0, answer="none of these"))
    assert _failing(altered) == {"rows": 1}


def test_an_identity_that_is_no_json_passes(plain: Path, tmp_path: Path) -> None:
    assert _failing(_altered(plain, tmp_path / "copy", _set(0, identity="{"))) == {"rows": 1}


def test_a_repeated_row_passes(plain: Path, tmp_path: Path) -> None:
    altered = _altered(plain, tmp_path / "copy", lambda rows: [*rows, rows[0]])
    assert _failing(altered) == {"ids": 1, "contents": 1, "twins": 1}


def test_a_repeated_content_passes(plain: Path, tmp_path: Path) -> None:
    def alter(rows: Rows) -> Rows:
        return [*rows, rows[0] | {"id": "another", "twin_group": "another"}]

    assert _failing(_altered(plain, tmp_path / "copy", alter)) == {"contents": 1}


def test_a_missing_twin_passes(twinned: Path, tmp_path: Path) -> None:
    assert _failing(_altered(twinned, tmp_path / "copy", lambda rows: rows[:-1])) == {"twins": 1}


def test_a_twin_with_other_options_passes(twinned: Path, tmp_path: Path) -> None:
    def alter(rows: Rows) -> Rows:
        row = rows[1]
        order = [*row["options"][1:], row["options"][0]]
        letter = "ABCD"[order.index(row["answer"])]
        rows[1] = row | {"options": order, "target": letter}
        return rows

    assert _failing(_altered(twinned, tmp_path / "copy", alter)) == {"twins": 1}


def test_a_twin_that_is_its_item_passes(twinned: Path, tmp_path: Path) -> None:
    def alter(rows: Rows) -> Rows:
        rows[1] = rows[0] | {"id": rows[1]["id"]}
        return rows

    report = verify_dataset(_altered(twinned, tmp_path / "copy", alter))
    assert [fault["fault"] for fault in report["faults"]] == [
        "contents: its content is that of sheet_music/bar_lines-l1-validation-s3-000000",
        "twins: two rows of its group have one answer",
        "twins: two rows of its group have one content",
    ]


def test_counts_of_the_manifest_are_taken_on_trust(plain: Path, tmp_path: Path) -> None:
    altered = _altered(plain, tmp_path / "copy", lambda rows: rows)
    write_manifest(altered, dataclasses.replace(read_manifest(altered), counts={}))
    assert _failing(altered) == {"files": 1}


def test_digests_of_the_manifest_are_taken_on_trust(plain: Path, tmp_path: Path) -> None:
    altered = _altered(plain, tmp_path / "copy", lambda rows: rows)
    manifest = read_manifest(altered)
    entry = dataclasses.replace(manifest.shards[0], sha256="0" * 64)
    write_manifest(altered, dataclasses.replace(manifest, shards=(entry,)))
    assert _failing(altered) == {"files": 1}


def test_another_version_of_the_suite_is_verified(plain: Path, tmp_path: Path) -> None:
    altered = _altered(plain, tmp_path / "copy", lambda rows: rows)
    manifest = read_manifest(altered)
    suite = {**manifest.suite, "version": "0"}
    write_manifest(altered, dataclasses.replace(manifest, suite=suite))
    with pytest.raises(InputError, match="version 0 of sheet_music"):
        verify_dataset(altered)


def test_a_truncated_shard_is_verified(plain: Path, tmp_path: Path) -> None:
    altered = _altered(plain, tmp_path / "copy", lambda rows: rows)
    file = altered / "part-00000.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match="part-00000.parquet"):
        verify_dataset(altered)


def test_a_folder_without_a_manifest_is_verified(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="manifest"):
        verify_dataset(tmp_path)


def test_many_faults_swell_the_report(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchgen.verify.FAULTS_SHOWN", 5)

    def alter(rows: Rows) -> Rows:
        return [row | {"target": "E"} for row in rows]

    report = verify_dataset(_altered(plain, tmp_path / "copy", alter))
    assert report["fault_count"] == 18
    assert len(report["faults"]) == 5
    lines = report_lines(report)
    assert lines[-2:] == ["and 13 more", "18 faults"]


def test_a_share_of_nearly_all_is_rounded_to_all(plain: Path) -> None:
    from benchgen.verify import _share

    assert _share(10**6, 1)["percent"] < 100
    assert _share(10**6, 0)["percent"] == 100


def test_the_prover_cannot_be_sent_to_a_worker(plain: Path) -> None:
    import pickle

    prover = ShardProver((plain / "part-00000.parquet",), ("",), "sheet_music")
    assert pickle.loads(pickle.dumps(prover)) == prover
