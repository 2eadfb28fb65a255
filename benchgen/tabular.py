"""The rows of a table in a file: JSON lines, CSV or Parquet, by the file's ending.

Rows are counted from 1; in JSON lines the count is the line's, in CSV the header does
not count. A name that stands twice in a header or an object is an error: one of the two
values would be lost.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchgen.errors import InputError

Numbered = tuple[int, dict[str, Any]]


def read_table(file: Path) -> Iterator[Numbered]:
    """The rows of ``file`` in order, each with its number.

    Raises
    ------
    InputError
        The file is not there, is of no kind that is read, or is damaged.
    """
    readers = {
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".csv": _csv,
        ".parquet": _parquet,
    }
    read = readers.get(file.suffix.lower())
    if read is None:
        raise InputError(f"{file} ends in none of {', '.join(readers)}")
    try:
        yield from read(file)
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8: {error.reason}") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error


def each_once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of names to values, none of them named twice.

    Raises
    ------
    InputError
        One is.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InputError(f"it has {name!r} twice")
        found[name] = value
    return found


def _json_lines(file: Path) -> Iterator[Numbered]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, object_pairs_hook=each_once)
            except InputError as error:
                raise InputError(f"{file}, row {number}: {error}") from error
            except (ValueError, RecursionError) as error:
                raise InputError(f"{file}, row {number}: not JSON: {error}") from error
            if not isinstance(row, dict):
                raise InputError(f"{file}, row {number}: not a JSON object")
            yield number, row


def _check_header(file: Path, names: Sequence[str]) -> None:
    try:
        each_once((name, None) for name in names if name)
    except InputError as error:
        raise InputError(f"{file}, header: {error}") from error


def _csv(file: Path) -> Iterator[Numbered]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        try:
            table = csv.DictReader(lines, strict=True)
            _check_header(file, table.fieldnames or ())
            for number, row in enumerate(table, 1):
                if None in row or None in row.values():
                    raise InputError(f"{file}, row {number}: not as many cells as the header")
                yield number, row
        except csv.Error as error:
            raise InputError(f"{file} is not CSV: {error}") from error


def _parquet(file: Path) -> Iterator[Numbered]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(file) as table:
            _check_header(file, table.schema_arrow.names)
            for batch in table.iter_batches(256):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pa.ArrowException as error:
        first = (str(error).splitlines() or ["damaged"])[0]
        raise InputError(f"{file} is not Parquet: {first}") from error
