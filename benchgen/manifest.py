"""The manifest of a dataset folder: ``manifest.json``.

Conventions
-----------
* It is written twice, each time whole: first as a plan (``complete`` false, no
  digests), before any shard; and again, ``complete`` true, when every shard is in
  its place. Both are pure functions of the plan, the versions and the shards, so
  that it does not matter which of several jobs writes it, or how often.
* ``versions`` holds what decides the bytes: our own, pyarrow's, and what the suite
  says of its renderers. A folder begun under others is refused, never mixed.
* ``digest`` names the dataset: the SHA-256 of the shards' digests, a line each.
* ``counts`` holds rows by task and level (``{"suite/task": {"1": 45, ...}}``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.files import write_whole
from benchgen.plan import Plan, plan_record
from benchgen.suite import find_suite

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """One shard as it lies on the disk; ``counts`` is rows by (task, level)."""

    shard: int
    rows: int
    bytes: int
    sha256: str
    counts: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One shard as the manifest states it."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` says."""

    format: int
    suite: Mapping[str, str]
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]
    complete: bool
    shard_count: int
    rows: int
    digest: str | None
    counts: Mapping[str, Mapping[str, int]]
    shards: tuple[ShardEntry, ...]


def shard_name(shard: int) -> str:
    """The file name of a shard."""
    return f"part-{shard:05d}.parquet"


def planned_manifest(plan: Plan) -> Manifest:
    """The manifest before any shard is written."""
    suite = find_suite(plan.suite)
    return Manifest(
        format=FORMAT,
        suite={
            "name": suite.name,
            "title": suite.title,
            "version": suite.version,
            "licence": suite.licence,
        },
        versions={**_own_versions(), **dict(sorted(suite.fingerprint().items()))},
        configuration={**plan_record(plan), "shard_items": plan.shard_items},
        complete=False,
        shard_count=plan.shards,
        rows=0,
        digest=None,
        counts={},
        shards=(),
    )


def completed_manifest(plan: Plan, records: Iterable[ShardRecord]) -> Manifest:
    """The manifest when every shard is in its place."""
    ordered = sorted(records, key=lambda record: record.shard)
    entries = tuple(ShardEntry(shard_name(r.shard), r.rows, r.bytes, r.sha256) for r in ordered)
    counts: dict[str, dict[str, int]] = {}
    for record in ordered:
        for task, level, rows in record.counts:
            by_level = counts.setdefault(task, {})
            by_level[str(level)] = by_level.get(str(level), 0) + rows
    planned = planned_manifest(plan)
    return Manifest(
        format=planned.format,
        suite=planned.suite,
        versions=planned.versions,
        configuration=planned.configuration,
        complete=True,
        shard_count=planned.shard_count,
        rows=sum(entry.rows for entry in entries),
        digest=dataset_digest(entry.sha256 for entry in entries),
        counts={task: dict(sorted(counts[task].items())) for task in sorted(counts)},
        shards=entries,
    )


def dataset_digest(digests: Iterable[str]) -> str:
    """The name of a dataset, from its shards' digests in order."""
    return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def plan_digest(manifest: Manifest) -> str:
    """A digest of all that decides a shard's bytes; every shard carries it."""
    return hashlib.sha256(json.dumps(_identity(manifest), sort_keys=True).encode()).hexdigest()


def recipe_digest(manifest: Manifest) -> str:
    """A digest of all that decides which problems there can be, but for the seed.

    Datasets that share it and differ in their seeds are fresh draws of one another.
    """
    recipe = {**manifest.configuration}
    for name in ("seed", "modalities", "shard_items"):
        recipe.pop(name, None)
    record = [manifest.suite["name"], manifest.suite["version"], recipe]
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``, whole or not at all."""
    write_whole(folder / MANIFEST, (json.dumps(asdict(manifest), indent=2) + "\n").encode())


def read_manifest(path: Path) -> Manifest:
    """The manifest of the dataset folder ``path``.

    Raises
    ------
    InputError
        There is none, or it is not one that this version reads.
    """
    file = path / MANIFEST
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} holds no {MANIFEST}: not a dataset of benchgen synth") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    version = record.get("format") if isinstance(record, dict) else None
    if version != FORMAT:
        raise InputError(f"{file} has format {version!r}; this version reads format {FORMAT}")
    try:
        record["shards"] = tuple(ShardEntry(**entry) for entry in record["shards"])
        return Manifest(**record)
    except (KeyError, TypeError) as error:
        raise InputError(f"{file} is not a manifest: {error}") from error


def differences(old: Manifest, new: Manifest) -> list[str]:
    """What differs between two plans, a short phrase each; nothing if they are the same."""
    before, now = _flat(old), _flat(new)
    return [
        f"{name} {_shown(before.get(name))}, now {_shown(now.get(name))}"
        for name in [*before, *(name for name in now if name not in before)]
        if before.get(name) != now.get(name)
    ]


def _own_versions() -> dict[str, str]:
    import pyarrow as pa

    return {"dataset": str(FORMAT), "pyarrow": pa.__version__}


def _identity(manifest: Manifest) -> dict[str, Any]:
    return {
        "suite": dict(manifest.suite),
        "versions": dict(manifest.versions),
        "configuration": dict(manifest.configuration),
    }


def _flat(manifest: Manifest) -> dict[str, object]:
    suite = {f"suite {name}": value for name, value in manifest.suite.items()}
    return {**suite, **manifest.versions, **manifest.configuration}


def _shown(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(item) for item in value)
    return str(value)
