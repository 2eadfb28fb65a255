"""Prove a dataset anew: its files, its rows, and every answer by the suite's second engine.

Conventions
-----------
* A fault is one line that begins with the name of its check and a colon. The
  checks of a suite are named in the ``CHECKS`` of its prover's module: a mapping
  from each name to the column without which it does not apply to a row (None:
  it always applies).
* Checks of our own: ``files`` (digests and counts as the manifest states them),
  ``rows`` (each is a problem), ``ids`` (none twice), ``contents`` (no content twice, twins
  included), ``twins`` (rows of one twin group share task, level, split, question and
  options; answers and contents all differ; where there are twins, there is one for each
  option).
* A share of 100 % is stated only where every single one is sound.
"""

from __future__ import annotations

import hashlib
import importlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchgen.columns import problem_from_row
from benchgen.dataset import read_shard, shard_paths
from benchgen.errors import InputError
from benchgen.executors import LocalExecutor
from benchgen.manifest import Manifest, read_manifest
from benchgen.suite import find_suite

Progress = Callable[[int, int], None]

FAULTS_SHOWN = 100
_OWN_CHECKS = ("files", "rows", "ids", "contents", "twins")


@dataclass(frozen=True, slots=True)
class Trace:
    """What of a row is compared with other rows; digests keep it small."""

    id: str
    group: str
    content: bytes
    public: bytes
    answer: str
    options: int


@dataclass(slots=True)
class ShardVerdict:
    """What was found in one shard."""

    shard: int
    rows: int = 0
    applied: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, str]] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add(self, where: str, lines: Iterable[str]) -> None:
        """Record the faults of one row or file: each check fails once for it."""
        lines = list(lines)
        self.failed.update({line.partition(":")[0] for line in lines})
        room = FAULTS_SHOWN - len(self.faults)
        self.faults += [(where, line) for line in lines[: max(0, room)]]


@dataclass(frozen=True, slots=True)
class ShardProver:
    """Proves one shard; what the executor maps over the shards' numbers."""

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    suite: str

    def __call__(self, shard: int) -> ShardVerdict:
        """Read the shard and prove every row of it.

        Raises
        ------
        InputError
            It cannot be read, or the second engine's packages are not installed.
        """
        verdict = ShardVerdict(shard)
        file = self.files[shard]
        if hashlib.sha256(file.read_bytes()).hexdigest() != self.digests[shard]:
            verdict.add(file.name, ["files: its digest is not the manifest's"])
        prove = find_suite(self.suite).load_prove()
        needs = suite_checks(self.suite)
        for row in read_shard(file):
            verdict.rows += 1
            verdict.counts[row["task"], row["level"]] += 1
            verdict.applied.update(
                name for name, column in needs.items() if column is None or row[column] is not None
            )
            try:
                problem_from_row(row)
            except InputError as error:
                verdict.add(str(row["id"]), [f"rows: {error}"])
                continue
            verdict.add(row["id"], prove(row))
            verdict.traces.append(_trace(row))
        return verdict


def verify_dataset(
    path: Path, workers: int = 1, progress: Progress | None = None
) -> dict[str, Any]:
    """Prove every row of a dataset folder of ``benchgen synth``.

    Returns
    -------
    dict
        ``passed``; ``suite``, ``version``, ``digest`` (the dataset's, as the manifest states
        it), ``rows``, ``shards``; ``checks``, for each check
        ``{"of": n, "sound": n, "percent": p}``; ``fault_count``, and the first faults
        as ``{"where": id or file, "fault": line}``.

    Raises
    ------
    InputError
        No dataset is there, it is not complete, a shard is missing, truncated or
        unreadable, or another version of the suite made it.
    """
    path = Path(path)
    manifest = read_manifest(path)
    files = tuple(shard_paths(path))
    name = manifest.suite["name"]
    suite = find_suite(name)
    if manifest.suite["version"] != suite.version:
        raise InputError(
            f"{path} was made by version {manifest.suite['version']} of {name}; "
            f"this is version {suite.version}"
        )
    prover = ShardProver(files, tuple(entry.sha256 for entry in manifest.shards), name)
    verdicts: list[ShardVerdict] = []
    for verdict in LocalExecutor(min(workers, len(files))).map(prover, range(len(files))):
        verdicts.append(verdict)
        if progress is not None:
            progress(len(verdicts), len(files))
    verdicts.sort(key=lambda verdict: verdict.shard)
    return _report(manifest, verdicts, across_rows(manifest, verdicts))


def across_rows(manifest: Manifest, verdicts: Iterable[ShardVerdict]) -> ShardVerdict:
    """What only all rows together can tell: counts, ids, contents, twin groups."""
    verdict = ShardVerdict(-1)
    verdicts = list(verdicts)
    counts = sum((v.counts for v in verdicts), Counter[tuple[str, int]]())
    stated = {
        (task, int(level)): rows
        for task, levels in manifest.counts.items()
        for level, rows in levels.items()
    }
    if dict(counts) != stated:
        verdict.add("manifest.json", ["files: its rows by task and level are not those there"])
    traces = [trace for v in verdicts for trace in v.traces]
    groups: dict[str, list[Trace]] = defaultdict(list)
    for trace in traces:
        groups[trace.group].append(trace)
    for id, times in Counter(trace.id for trace in traces).items():
        if times > 1:
            verdict.add(id, [f"ids: {times} rows have it"])
    first: dict[bytes, str] = {}
    for trace in traces:
        if trace.content in first:
            verdict.add(trace.id, [f"contents: its content is that of {first[trace.content]}"])
        first.setdefault(trace.content, trace.id)
    for group in groups.values():
        verdict.add(group[0].id, _twin_faults(group, bool(manifest.configuration.get("twins"))))
    return verdict


def _twin_faults(group: list[Trace], with_twins: bool) -> list[str]:
    expected = group[0].options if with_twins else 1
    faults = []
    if len(group) != expected:
        faults.append(f"twins: {len(group)} rows in its group, not {expected}")
    if len({trace.public for trace in group}) > 1:
        faults.append("twins: its group differs in task, level, split, question or options")
    if len({trace.answer for trace in group}) < len(group):
        faults.append("twins: two rows of its group have one answer")
    if len({trace.content for trace in group}) < len(group):
        faults.append("twins: two rows of its group have one content")
    return faults


def suite_checks(name: str) -> Mapping[str, str | None]:
    """The checks of a suite's prover, each with the column that it needs (or None)."""
    module = importlib.import_module(find_suite(name).prove.partition(":")[0])
    checks: Mapping[str, str | None] = module.CHECKS
    return checks


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """The report for people: a line a check, then the first faults."""
    lines = [f"{report['rows']} rows in {report['shards']} shards of {report['suite']}"]
    lines += [
        f"{name:10} {check['percent']:7.3f} %   {check['sound']} of {check['of']}"
        for name, check in report["checks"].items()
    ]
    lines += [f"{fault['where']}: {fault['fault']}" for fault in report["faults"]]
    left = report["fault_count"] - len(report["faults"])
    if left > 0:
        lines.append(f"and {left} more")
    lines.append("sound" if report["passed"] else f"{report['fault_count']} faults")
    return lines


def _report(
    manifest: Manifest, verdicts: list[ShardVerdict], across: ShardVerdict
) -> dict[str, Any]:
    rows = sum(verdict.rows for verdict in verdicts)
    every = [*verdicts, across]
    failed = sum((v.failed for v in every), Counter[str]())
    applied = sum((v.applied for v in verdicts), Counter[str]())
    groups = len({trace.group for v in verdicts for trace in v.traces})
    applied.update(files=len(verdicts) + 1, rows=rows, ids=rows, contents=rows, twins=groups)
    names = [*_OWN_CHECKS, *suite_checks(manifest.suite["name"])]
    names += sorted(set(failed) - set(names))
    faults = [fault for verdict in every for fault in verdict.faults]
    return {
        "passed": not failed,
        "suite": manifest.suite["name"],
        "version": manifest.suite["version"],
        "digest": manifest.digest,
        "rows": rows,
        "shards": len(verdicts),
        "checks": {name: _share(applied[name] or rows, failed[name]) for name in names
                   if applied[name] or failed[name]},
        "fault_count": sum(failed.values()),
        "faults": [{"where": where, "fault": line} for where, line in faults[:FAULTS_SHOWN]],
    }  # fmt: skip


def _share(of: int, failed: int) -> dict[str, float | int]:
    sound = of - failed
    percent = int(100_000 * sound / of) / 1000 if of else 100.0
    return {"of": of, "sound": sound, "percent": percent}


def _trace(row: Mapping[str, Any]) -> Trace:
    public = (row["task"], row["level"], row["split"], row["question"], row["options"])
    return Trace(
        id=row["id"],
        group=row["twin_group"],
        content=_digest(row["task"], row["content_key"]),
        public=_digest(*public),
        answer=row["answer"],
        options=len(row["options"] or ()),
    )


def _digest(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()
