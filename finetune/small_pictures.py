"""Datasets whose pictures are made small squares, for models that are shown no larger ones.

Conventions
-----------
* A picture is squeezed into a square of ``side`` pixels, as a processor without tiles does; what
  is blackened of it is then in the model's own pixels.
* Rows, their order and all other columns are those of the datasets, one after the other.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from benchgen.columns import schema
from benchgen.dataset import read_rows
from benchgen.errors import InputError
from benchgen.export import parquet
from benchgen.files import write_whole
from evaluators.engines.pictures import on_white

SMALL = "small.parquet"


def write_small(datasets: Sequence[Path], out: Path, side: int) -> Path:
    """Write the rows of ``datasets`` with pictures of ``side`` pixels into one file of ``out``.

    What is there is left alone. The file appears whole or not at all.

    Raises
    ------
    InputError
        A dataset cannot be read, or a row has no picture.
    """
    import pyarrow as pa

    path = out / SMALL
    if path.exists():
        return path
    rows = []
    for data in datasets:
        for row in read_rows(data):
            if row["image"] is None:
                raise InputError(f"row {row['id']!r} of {data} has no picture")
            row["image"] = {"bytes": small(row["image"]["bytes"], side), "path": None}
            rows.append(row)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(path, parquet(pa.Table.from_pylist(rows, schema=schema())))
    return path


def small(picture: bytes, side: int) -> bytes:
    """The picture as a square PNG of ``side`` pixels, in grey."""
    out = io.BytesIO()
    on_white(picture).convert("L").resize((side, side), Image.Resampling.BOX).save(out, "PNG")
    return out.getvalue()
