"""An outside file of questions, written as a dataset folder that ``benchgen eval`` reads.

Conventions
-----------
* The manifest is that of every dataset: ``configuration`` says which file (by its digest,
  not its place) was read and how, and ``suite.version`` begins with that digest's
  beginning, so that another file is another version.
* A row that is no question is an error that names the file and the row. With
  ``skip_bad`` such rows are left out, and the manifest counts them.
* The whole file is held in memory: an outside set is small.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchgen.columns import schema
from benchgen.errors import InputError
from benchgen.export import parquet
from benchgen.files import remove_leftovers, write_whole
from benchgen.imports import find_layout
from benchgen.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    ShardEntry,
    dataset_digest,
    differences,
    read_manifest,
    shard_name,
    write_manifest,
)
from benchgen.outside import Columns, name_of, outside_row
from benchgen.suite import suite_names
from benchgen.tabular import read_table

SHARD_ROWS = 256

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written; ``left_out`` says of each row that was skipped why, a line each."""

    manifest: Manifest
    left_out: tuple[str, ...]


def import_file(
    layout: str,
    file: Path,
    out: Path,
    *,
    columns: Columns | None = None,
    name: str | None = None,
    split: str = "test",
    licence: str = "",
    skip_bad: bool = False,
) -> Imported:
    """Write the questions of ``file`` into the dataset folder ``out``.

    ``name`` is the suite's (by default the layout's, for a table the file's).

    Raises
    ------
    InputError
        The layout, the file, a row or the name is none, or ``out`` cannot be written
        or holds another dataset.
    """
    suite = name_of(name or (file.stem if layout == "table" else layout))
    if suite in suite_names():
        raise InputError(f"{suite} is a suite that is made here: give another --name")
    reader = find_layout(layout)(columns)
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error
    version = f"file-{digest[:12]}"
    rows: list[Row] = []
    left_out: list[str] = []
    for place, (number, given) in enumerate(read_table(file)):
        try:
            item = reader(given, file.parent)
            row = outside_row(
                item, suite=suite, layout=layout, version=version, split=split, number=place
            )
            _check_characters(row)
        except (InputError, UnicodeEncodeError) as error:
            left_out.append(f"{file}, row {number}: {error}")
            if not skip_bad:
                raise InputError(left_out[-1]) from error
        else:
            rows.append(row)
    if not rows:
        why = f" that can be used ({left_out[0]})" if left_out else ""
        raise InputError(f"{file} holds no questions{why}")
    shards = [rows[at : at + SHARD_ROWS] for at in range(0, len(rows), SHARD_ROWS)]
    contents = [_shard(part) for part in shards]
    manifest = _manifest(
        suite={"name": suite, "title": suite, "version": version, "licence": licence},
        configuration={
            "layout": layout,
            "file_sha256": digest,
            "split": split,
            "columns": columns and {**asdict(columns), "options": list(columns.options)},
            "left_out": len(left_out),
        },
        shards=shards,
        contents=contents,
    )
    _write(out, manifest, contents)
    return Imported(manifest, tuple(left_out))


def _check_characters(row: Row) -> None:
    """JSON may hold half a character (``\\ud83d``), which no file of text can."""
    words = (row["question"], *row["options"], row["text"] or "", row["solution"] or "")
    "".join(words).encode()


def _shard(rows: Sequence[Row]) -> bytes:
    import pyarrow as pa

    return parquet(pa.Table.from_pylist(list(rows), schema=schema()))


def _manifest(
    *,
    suite: dict[str, str],
    configuration: dict[str, Any],
    shards: Sequence[Sequence[Row]],
    contents: Sequence[bytes],
) -> Manifest:
    import pyarrow as pa

    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    rows = Counter(row["task"] for part in shards for row in part)
    return Manifest(
        format=FORMAT,
        suite=suite,
        versions={"dataset": str(FORMAT), "pyarrow": pa.__version__},
        configuration=configuration,
        complete=True,
        shard_count=len(shards),
        rows=rows.total(),
        digest=dataset_digest(digests),
        counts={task: {"1": rows[task]} for task in sorted(rows)},
        shards=tuple(
            ShardEntry(shard_name(at), len(part), len(content), digest)
            for at, (part, content, digest) in enumerate(
                zip(shards, contents, digests, strict=True)
            )
        ),
    )


def _write(out: Path, manifest: Manifest, contents: Sequence[bytes]) -> None:
    """As every dataset: a manifest that says "not complete", the shards, the manifest."""
    begun = replace(manifest, complete=False, rows=0, digest=None, counts={}, shards=())
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / MANIFEST).exists():
            changed = differences(read_manifest(out), manifest)
            if changed:
                raise InputError(
                    f"{out} holds another dataset ({'; '.join(changed)}): use another folder"
                )
        expected = {MANIFEST, *(entry.file for entry in manifest.shards)}
        others = {path.name for path in out.iterdir() if path.suffix != ".tmp"} - expected
        if others:
            raise InputError(f"{out} holds other files ({min(others)} ...): use another folder")
        write_manifest(out, begun)
        for entry, content in zip(manifest.shards, contents, strict=True):
            write_whole(out / entry.file, content)
        write_manifest(out, manifest)
        remove_leftovers(out, "part-")
        remove_leftovers(out, MANIFEST)
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror or error}") from error
