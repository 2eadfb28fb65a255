"""A dataset as another program is to run it: read, put into the format's files, written.

Conventions
-----------
* One modality is exported at a time: a row has a prompt, and a picture where the
  modality is ``image``. The prompt is the user's turn of ``benchgen eval``, word for
  word, kept in the files, so that what was exported is what is asked.
* What is exported to be evaluated has a split called ``test`` whatever split the items are
  of; their own stands in the column ``split``. What is exported to be trained on
  (``lessons``) holds none of the split test.
* A trainer is handed each problem as one JSON text, from which its reward file reads
  it back: the score is ours to the bit.
* All of it is held in memory: a set is small beside a model.
* The files follow from the dataset, the name and our version. They are written one by
  one, each whole, the one that the other program begins with last; so a folder
  that was not finished cannot be run, and exporting again completes it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchgen.columns import COLUMNS, MODALITIES, problem_from_row
from benchgen.dataset import read_manifest, read_rows, shard_paths
from benchgen.errors import InputError
from benchgen.exports import find_format
from benchgen.files import remove_leftovers, write_whole
from benchgen.manifest import MANIFEST, dataset_digest
from benchgen.outside import notation_of
from benchgen.problem import Problem
from benchgen.prompt import prompt_text

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS = 256
"""The Hub's viewer reads a whole group at once, and no more than 300 MB."""

PLACEHOLDER = "<image>"
"""Where a picture goes, in programs that are told so by a word."""

_SIGNATURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Item:
    """One row: the problem, the words of its prompt and, if it is shown, its picture.

    ``row`` holds the dataset's columns, less those of other modalities.
    """

    problem: Problem
    prompt: str
    picture: bytes | None
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What a format is made of. ``licence`` is None where the dataset states none."""

    name: str
    modality: str
    items: tuple[Item, ...]
    version: str
    digest: str
    licence: str | None


def export_dataset(
    format_name: str, data: Path, out: Path, *, modality: str = "text", name: str | None = None
) -> tuple[Source, list[Path]]:
    """Write ``data`` into the folder ``out`` in a format; what was exported, and the files.

    ``name`` is what the other program calls it (by default suite and modality).

    Raises
    ------
    InputError
        There is no such format or modality, the name is none, the dataset cannot be
        read or cannot be put into the format, or ``out`` cannot be written or holds
        other files.
    """
    files_of = find_format(format_name)
    source = read_source(data, modality, name)
    files = files_of(source)
    *_, entry = files
    try:
        others = _other_files(out, set(files))
        if others:
            raise InputError(f"{out} holds other files ({others[0]} ...): use another folder")
        # Of an earlier export, which would run with files of both.
        (out / entry).unlink(missing_ok=True)
        for path, content in files.items():
            place = out / path
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, content)
            remove_leftovers(place.parent, place.name)
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror or error}") from error
    return source, [out / path for path in files]


def read_source(data: Path, modality: str, name: str | None = None) -> Source:
    """The dataset as a format takes it.

    Raises
    ------
    InputError
        As ``export_dataset``, but for the format and the folder.
    """
    if modality not in MODALITIES:
        raise InputError(f"modality is {' or '.join(MODALITIES)}, not {modality!r}")
    hidden = set(MODALITIES) - {modality}
    columns = [column for column in COLUMNS if column not in hidden]
    items = tuple(_item(row, modality) for row in read_rows(data, columns))
    if not items:
        raise InputError(f"{data} holds no problems")
    suites = sorted({item.problem.suite for item in items})
    chosen = name or "_".join([*suites, modality])
    if not _NAME.fullmatch(chosen):
        raise InputError(f"a name is letters, digits, _ and -, not {chosen!r}")
    versions = sorted({item.problem.suite_version for item in items})
    digest, licence = _provenance(data)
    return Source(chosen, modality, items, "+".join(versions), digest, licence)


def parquet(table: pa.Table) -> bytes:
    """A Parquet file of the table; the same table gives the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=_GROUP_ROWS, compression="ZSTD")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def lessons(source: Source) -> tuple[Item, ...]:
    """The items of what is to be trained on.

    Raises
    ------
    InputError
        One of them is of the split test.
    """
    for item in source.items:
        if item.problem.split == "test":
            raise InputError(
                f"{source.name} is to be trained on, and row {item.problem.id!r} is of the split "
                "test, which is not learned from"
            )
    return source.items


def placed(item: Item) -> str:
    """The prompt, behind the place of its picture where it has one.

    Raises
    ------
    InputError
        The prompt's own words hold such a place.
    """
    if item.picture is None:
        return item.prompt
    if PLACEHOLDER in item.prompt:
        raise InputError(f"row {item.problem.id!r}: the prompt holds {PLACEHOLDER}")
    return PLACEHOLDER + item.prompt


def data_uri(item: Item) -> str:
    """The picture as a data URI.

    Raises
    ------
    InputError
        It is neither PNG nor JPEG.
    """
    picture = item.picture or b""
    for signature, kind in _SIGNATURES.items():
        if picture.startswith(signature):
            return f"data:{kind};base64,{base64.b64encode(picture).decode('ascii')}"
    raise InputError(f"row {item.problem.id!r}: the picture is neither PNG nor JPEG")


def quoted(words: str) -> str:
    """Words as YAML takes them for words, whatever they are."""
    return json.dumps(words, ensure_ascii=False)


def _item(row: dict[str, Any], modality: str) -> Item:
    problem = problem_from_row(row)
    if row[modality] is None:
        raise InputError(f"row {problem.id!r} holds no {modality}: choose another --modality")
    text = row["text"] if modality == "text" else None
    words = prompt_text(problem.question, problem.options, text, notation_of(problem))
    picture = row["image"]["bytes"] if modality == "image" else None
    if modality == "image" and picture is None:
        raise InputError(f"row {problem.id!r} names a picture that is not in the dataset")
    return Item(problem, words, picture, row)


def _provenance(data: Path) -> tuple[str, str | None]:
    """The dataset's digest, and its licence if a manifest states it."""
    licence = None
    if (data / MANIFEST).is_file():
        manifest = read_manifest(data)
        licence = manifest.suite.get("licence") or None
        if manifest.digest is not None:
            return manifest.digest, licence
    digests = (hashlib.sha256(path.read_bytes()).hexdigest() for path in shard_paths(data))
    return dataset_digest(digests), licence


def _other_files(out: Path, ours: set[str]) -> list[str]:
    """The files in ``out`` that exporting would neither write nor sweep away."""
    found = (path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    return sorted(name for name in found if name not in ours and not _is_leftover(name, ours))


def _is_leftover(name: str, ours: set[str]) -> bool:
    return name.endswith(".tmp") and any(name.startswith(f"{own}.") for own in ours)
