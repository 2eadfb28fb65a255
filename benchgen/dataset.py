"""A dataset folder: written shard by shard, resumed wherever it was killed, and read.

Conventions
-----------
* A folder holds ``manifest.json`` and ``part-00000.parquet`` onwards. The manifest
  is there before the first shard and says ``complete`` when the last is in place.
* Everything in it follows from the plan and the versions that the manifest records.
  So to resume is to run the same command again, and jobs may share a folder.
* Readers take a folder of ours or any folder of Parquet files with the columns;
  where there is a manifest they hold the files to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchgen.columns import COLUMNS, problem_from_row
from benchgen.errors import InputError
from benchgen.executors import EVERYTHING, Executor, LocalExecutor, Share
from benchgen.files import remove_leftovers
from benchgen.manifest import (
    MANIFEST,
    Manifest,
    completed_manifest,
    differences,
    plan_digest,
    planned_manifest,
    read_manifest,
    shard_name,
    write_manifest,
)
from benchgen.plan import Plan
from benchgen.shards import ShardWriter

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = [
    "Synthesis",
    "problem_from_row",
    "read_manifest",
    "read_rows",
    "read_shard",
    "shard_paths",
    "synthesize",
]

BATCH_ROWS = 256

Progress = Callable[[int, int], None]
"""Called with the shards done and the shards to do, of this job."""


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What a call of ``synthesize`` left behind.

    ``rows`` and ``shards`` count this job's; ``made`` the shards of them that were
    not there before; ``missing`` the shards that other jobs still owe. ``manifest`` is
    complete when nothing is missing.
    """

    manifest: Manifest
    rows: int
    shards: int
    made: int
    missing: int


def synthesize(
    plan: Plan,
    out: Path,
    *,
    executor: Executor | None = None,
    share: Share = EVERYTHING,
    progress: Progress | None = None,
) -> Synthesis:
    """Write the dataset of ``plan`` into ``out``, or what is missing of it.

    Shards that are there and whole are left alone. With a ``share``, only that
    job's shards are written; whichever job finds them all there completes the manifest.

    Raises
    ------
    InputError
        The folder cannot be written, or it holds another dataset.
    ExecutorError
        A worker died; what is written is whole.
    OSError
        Writing failed on the way (the disk is full, say); what is written is whole.
    """
    planned = planned_manifest(plan)
    writer = ShardWriter(plan, plan_digest(planned), out)
    mine = share.shards(plan.shards)
    finished = _open_folder(out, planned)
    if finished is not None:
        _remove_leftovers(out)
        rows = sum(finished.shards[shard].rows for shard in mine)
        return Synthesis(finished, rows=rows, shards=len(mine), made=0, missing=0)
    records = {}
    made = 0
    for record, new in (executor or LocalExecutor()).map(writer, mine):
        records[record.shard] = record
        made += new
        if progress is not None:
            progress(len(records), len(mine))
    rows = sum(record.rows for record in records.values())
    others = [shard for shard in range(plan.shards) if shard not in records]
    missing = sum(not (out / shard_name(shard)).exists() for shard in others)
    if not missing:
        found = [writer.inspect(shard) for shard in others]
        missing = found.count(None)
        if not missing:
            whole = [*records.values(), *(record for record in found if record is not None)]
            finished = completed_manifest(plan, whole)
            write_manifest(out, finished)
            _remove_leftovers(out)
    return Synthesis(finished or planned, rows, len(mine), made, missing)


def shard_paths(path: Path) -> list[Path]:
    """The files of the dataset ``path``, in order (``path`` may be one Parquet file).

    Raises
    ------
    InputError
        There are none; or the manifest says that the dataset is not complete, or
        that a file should be there that is not, or has another size.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path} is not there")
    if not (path / MANIFEST).exists():
        files = sorted(path.glob("*.parquet"))
        if not files:
            raise InputError(f"{path} holds no Parquet files: not a dataset")
        return files
    manifest = read_manifest(path)
    if not manifest.complete:
        written = len(list(path.glob("part-*.parquet")))
        raise InputError(
            f"{path} is not complete ({written} of {manifest.shard_count} shards): "
            "run the synth command that began it again"
        )
    paths = []
    for entry in manifest.shards:
        file = path / Path(entry.file).name
        if not file.exists():
            raise InputError(f"{file} is missing: run the synth command again to restore it")
        if file.stat().st_size != entry.bytes:
            raise InputError(
                f"{file} has {file.stat().st_size} bytes where the manifest says {entry.bytes}: "
                "it is truncated or was changed; run the synth command again to restore it"
            )
        paths.append(file)
    return paths


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a dataset in order, as mappings of ``columns`` (None: all of ours).

    Every file is looked at before the first row is given, and rows are read a batch
    at a time, so that memory does not grow with the dataset.

    Raises
    ------
    InputError
        As ``shard_paths``; or a file is not Parquet or lacks a column.
    """
    wanted = tuple(COLUMNS if columns is None else columns)
    paths = shard_paths(Path(path))
    for file in paths:
        with _open_parquet(file, wanted):
            pass
    return (row for file in paths for row in read_shard(file, wanted))


def read_shard(file: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of one Parquet file.

    Raises
    ------
    InputError
        The file is damaged or not Parquet, or lacks a column.
    """
    import pyarrow as pa

    wanted = tuple(COLUMNS if columns is None else columns)
    with _open_parquet(file, wanted) as parquet:
        try:
            for batch in parquet.iter_batches(BATCH_ROWS, columns=list(wanted)):
                yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{file} is damaged: {_first_line(error)}") from error


def damaged_shards(path: Path, manifest: Manifest) -> list[str]:
    """The files of a complete dataset that are missing or not what the manifest says."""
    return [
        entry.file
        for entry in manifest.shards
        if not _has_digest(path / Path(entry.file).name, entry.sha256)
    ]


def _open_folder(out: Path, planned: Manifest) -> Manifest | None:
    """Make the folder ready for ``planned``; the manifest if all of it is there already."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / MANIFEST).exists():
            return _take_over(out, planned)
        if any(out.glob("part-*.parquet")):
            raise InputError(f"{out} holds shards but no {MANIFEST}: use another folder")
        write_manifest(out, planned)
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror or error}") from error
    return None


def _take_over(out: Path, planned: Manifest) -> Manifest | None:
    begun = read_manifest(out)
    changed = differences(begun, planned)
    if changed:
        raise InputError(f"{out} holds another dataset ({'; '.join(changed)}): use another folder")
    if not begun.complete:
        return None
    damaged = damaged_shards(out, begun)
    if not damaged:
        return begun
    # A shard's own checks might pass where the manifest's digest does not.
    write_manifest(out, planned)
    for file in damaged:
        (out / Path(file).name).unlink(missing_ok=True)
    return None


def _remove_leftovers(out: Path) -> None:
    remove_leftovers(out, "part-")
    remove_leftovers(out, MANIFEST)


def _has_digest(file: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    except FileNotFoundError:
        return False


def _open_parquet(file: Path, columns: Sequence[str]) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{file} is truncated or not a Parquet file: {_first_line(error)}"
        ) from error
    missing = [name for name in columns if name not in parquet.schema_arrow.names]
    if missing:
        parquet.close()
        plural = "s" if len(missing) > 1 else ""
        raise InputError(f"{file} lacks the column{plural} {', '.join(missing)}")
    return parquet


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
