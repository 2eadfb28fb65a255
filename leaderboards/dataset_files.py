"""A dataset as the files of a repository that strangers' tools load and run.

::

    README.md                      the card
    eval.yaml                      what Inspect runs (exports.inspect_ai)
    text/, image/                  a lean Parquet file for it, of the split test, one a modality
    data/test/part-00000.parquet   the dataset as it was synthesized, a folder a split
    data/test/manifest.json

Conventions
-----------
* The shards go as they are, with their manifest: ``benchgen verify data/test`` proves a download.
* A folder is published only whole, with digests that are those of its manifest, and with the
  reports of its verification and its audit (``reports``).
* Everything follows from the datasets, the reports and our version: the same again is the same to
  the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchgen.dataset import damaged_shards, read_manifest, shard_paths
from benchgen.errors import InputError
from benchgen.export import Source, read_source
from benchgen.exports.inspect_ai import lean_files
from benchgen.manifest import MANIFEST, Manifest
from leaderboards.reports import Audited, Check, read_audit, read_verification

TEST = "test"


@dataclass(frozen=True, slots=True)
class Split:
    """One dataset folder to be published, with what proves it. ``bytes`` are its shards'."""

    folder: Path
    name: str
    manifest: Manifest
    digest: str
    bytes: int
    checks: tuple[Check, ...]
    audited: Audited


def read_splits(
    folders: Sequence[Path], verifications: Sequence[Path], audits: Sequence[Path]
) -> tuple[Split, ...]:
    """The dataset folders, of one suite and each of another split, with their reports.

    The reports are given in the order of the folders.

    Raises
    ------
    InputError
        A folder is no finished dataset or was changed since; a report is missing, of other
        data, or tells of a fault; or the folders do not go together.
    """
    if not len(folders) == len(verifications) == len(audits):
        raise InputError(
            "a dataset is published with its verification and its audit: give --verification "
            "(what benchgen verify DIR --json prints) and --audit (benchgen audit DIR --json) "
            "once for each folder, in the same order"
        )
    found = [
        _read_split(folder, verification, audit)
        for folder, verification, audit in zip(folders, verifications, audits, strict=True)
    ]
    suites = {(s.manifest.suite["name"], s.manifest.suite["version"]) for s in found}
    if len(suites) > 1:
        raise InputError("the folders are of several suites, or versions of one")
    names = [split.name for split in found]
    if len(set(names)) < len(names):
        raise InputError("two folders are of one split: a repository has each split once")
    return tuple(found)


def lean_sources(splits: Sequence[Split]) -> tuple[Source, ...]:
    """The split test as Inspect is to ask it, one source a modality; none without that split."""
    return tuple(
        read_source(split.folder, modality)
        for split in splits
        if split.name == TEST
        for modality in split.manifest.configuration["modalities"]
    )


def shard_files(splits: Sequence[Split]) -> dict[str, Path]:
    """The shards and manifests, by their paths in the repository."""
    files = {}
    for split in splits:
        for path in (*shard_paths(split.folder), split.folder / MANIFEST):
            files[f"data/{split.name}/{path.name}"] = path
    return files


def runnable_files(sources: Sequence[Source], name: str, description: str) -> dict[str, bytes]:
    """What Inspect needs, by its paths in the repository; nothing without sources.

    Raises
    ------
    InputError
        A picture is neither PNG nor JPEG.
    """
    return lean_files(sources, name, description) if sources else {}


def _read_split(folder: Path, verification: Path, audit: Path) -> Split:
    manifest = read_manifest(folder)
    if not manifest.complete or manifest.digest is None:
        raise InputError(f"{folder} is not complete: the same benchgen synth completes it")
    damaged = damaged_shards(folder, manifest)
    if damaged:
        raise InputError(f"{folder / damaged[0]} is not as its manifest says: it was changed")
    return Split(
        folder=folder,
        name=str(manifest.configuration["split"]),
        manifest=manifest,
        digest=manifest.digest,
        bytes=sum(entry.bytes for entry in manifest.shards),
        checks=read_verification(verification, manifest.digest),
        audited=read_audit(audit, manifest.digest),
    )
