from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchgen.dataset import read_manifest, read_rows
from benchgen.errors import InputError
from benchgen.quickstart import quickstart
from evaluators.command import evaluate
from leaderboards.command import build


def scripted(data: Path, run: Path, engine: str, model: str | None) -> dict[str, Any]:
    """The real evaluator, with a scripted reader where vLLM would run a model."""
    return evaluate(data, run, engine="scripted:position" if engine == "vllm" else engine).summary


@pytest.mark.slow
def test_everything_is_made_and_a_second_run_makes_nothing_again(tmp_path: Path) -> None:
    said: list[str] = []
    done = quickstart(
        tmp_path / "q", scripted, build_board, count=72, workers=2, audit_items=60,
        say=said.append,
    )  # fmt: skip
    for modality, folder in done.data.items():
        manifest = read_manifest(folder)
        assert manifest.complete and manifest.rows == 72
        assert manifest.configuration["split"] == "test"
        assert manifest.configuration["modalities"] == [modality]
        assert all(row[modality] is not None for row in read_rows(folder, [modality]))
    assert done.report.exists() and done.page.exists()
    assert done.run["overall"]["samples"] == 72
    page = done.page.read_text(encoding="utf-8")
    assert "perfect reader" in page and "random reader" in page
    assert "best blind" in page

    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "q").rglob("*.parquet")}
    asked: list[Path] = []

    def counted(data: Path, run: Path, engine: str, model: str | None) -> dict[str, Any]:
        before = (run / "config.toml").stat().st_mtime_ns
        summary = scripted(data, run, engine, model)
        if (run / "config.toml").stat().st_mtime_ns != before:
            asked.append(run)
        return summary

    again = quickstart(tmp_path / "q", counted, build_board, count=72, workers=2, say=said.append)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert asked == []
    assert again.data == done.data
    assert sum("already there" in line for line in said) == 2


def build_board(runs: Sequence[Path], out: Path, audit: Path) -> dict[str, Any]:
    return build(runs, out, audit=audit)


def test_a_folder_of_other_problems_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "q" / "data" / "text"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"format": 0}')

    def never(*_: object) -> dict[str, Any]:
        raise AssertionError("asked")

    with pytest.raises(InputError, match="format"):
        quickstart(tmp_path / "q", never, never, count=1, workers=1, say=lambda line: None)
