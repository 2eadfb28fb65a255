from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchgen.files import remove_leftovers, write_whole


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "manifest.json"
    write_whole(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["manifest.json"]


def test_nothing_is_renamed_before_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        order.append("fsync")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        order.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_whole(tmp_path / "x", b"data")
    assert order == ["fsync", "rename", "fsync"]


def test_a_writer_swept_away_by_a_twin_that_finished_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "part-00000.parquet"
    replace = Path.replace

    def swept(self: Path, target: Path) -> Path:
        target.write_bytes(b"same")
        remove_leftovers(tmp_path, "part-")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", swept)
    write_whole(path, b"same")
    assert path.read_bytes() == b"same"
    with pytest.raises(FileNotFoundError):
        write_whole(path, b"other")


def test_only_leftovers_are_swept(tmp_path: Path) -> None:
    for name in ("part-00000.parquet", "part-00001.parquet.12-ab.tmp", "notes.tmp"):
        (tmp_path / name).write_bytes(b"")
    remove_leftovers(tmp_path, "part-")
    assert sorted(os.listdir(tmp_path)) == ["notes.tmp", "part-00000.parquet"]
