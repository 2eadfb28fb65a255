"""One shard: made from the plan, written whole, and known again when it is met.

Conventions
-----------
* A shard is one Parquet file with one row group, written with fixed settings and
  no time stamp, so that its bytes follow from the plan and the versions alone.
* Its schema carries the plan's digest and the shard's number under ``benchgen``,
  and every page a checksum. So a shard that is truncated, damaged or another
  plan's is found out without a manifest, and made again.
* Pictures are compressed already and are stored as they are; text takes Zstandard.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchgen.columns import COLUMNS, table_of
from benchgen.files import write_whole
from benchgen.garbage import no_collection
from benchgen.manifest import ShardRecord, shard_name
from benchgen.plan import Plan

if TYPE_CHECKING:
    import pyarrow as pa

_DICTIONARY = ["task", "category", "split", "question", "answer", "target", "answer_type",
               "suite_version", "options.list.element"]  # fmt: skip
_LEAVES = [
    *(name for name in COLUMNS if name not in ("options", "image")),
    "options.list.element",
    "image.bytes",
    "image.path",
]
_COMPRESSION = {name: "NONE" if name == "image.bytes" else "ZSTD" for name in _LEAVES}


@dataclass(frozen=True, slots=True)
class ShardWriter:
    """Writes the shards of a plan into a folder; what an executor maps over shard numbers.

    ``plan_digest`` is that of the folder's manifest.
    """

    plan: Plan
    plan_digest: str
    folder: Path

    def __call__(self, shard: int) -> tuple[ShardRecord, bool]:
        """Write the shard unless it is there and whole.

        Returns what lies there now, and whether it was made by this call.
        """
        found = self.inspect(shard)
        if found is not None:
            return found, False
        with no_collection():
            data, rows, counts = self.encode(shard)
        write_whole(self.folder / shard_name(shard), data)
        return _record(shard, data, rows, counts), True

    def encode(self, shard: int) -> tuple[bytes, int, Counter[tuple[str, int]]]:
        """The bytes of the shard's file, its rows, and rows by (task, level)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        problems = list(self.plan.problems(shard))
        table = table_of(problems, self.plan.modalities)
        mark = json.dumps({"plan": self.plan_digest, "shard": shard, "rows": len(problems)})
        table = table.replace_schema_metadata({**table.schema.metadata, b"benchgen": mark})
        sink = pa.BufferOutputStream()
        pq.write_table(
            table,
            sink,
            row_group_size=max(1, len(problems)),
            compression=_COMPRESSION,
            compression_level={name: 1 for name, c in _COMPRESSION.items() if c == "ZSTD"},
            use_dictionary=_DICTIONARY,
            write_statistics=False,
            write_page_checksum=True,
            store_schema=True,
        )
        counts = Counter((problem.task, problem.level) for problem in problems)
        return sink.getvalue().to_pybytes(), len(problems), counts

    def inspect(self, shard: int) -> ShardRecord | None:
        """The shard that lies in the folder, or None if there is none that is whole and ours."""
        try:
            data = (self.folder / shard_name(shard)).read_bytes()
        except FileNotFoundError:
            return None
        table = _whole_table(data)
        if table is None:
            return None
        mark = _mark(table)
        if mark != {"plan": self.plan_digest, "shard": shard, "rows": table.num_rows}:
            return None
        pairs = zip(table["task"].to_pylist(), table["level"].to_pylist(), strict=True)
        return _record(shard, data, table.num_rows, Counter(pairs))


def _whole_table(data: bytes) -> pa.Table | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table: pa.Table = pq.read_table(
            pa.BufferReader(data), page_checksum_verification=True, use_threads=False
        )
    except (pa.ArrowException, OSError):
        return None
    return table


def _mark(table: pa.Table) -> Any:
    written = (table.schema.metadata or {}).get(b"benchgen")
    if written is None:
        return None
    try:
        return json.loads(written)
    except ValueError:
        return None


def _record(shard: int, data: bytes, rows: int, counts: Counter[tuple[str, int]]) -> ShardRecord:
    return ShardRecord(
        shard=shard,
        rows=rows,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        counts=tuple((task, level, n) for (task, level), n in sorted(counts.items())),
    )
