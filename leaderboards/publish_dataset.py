"""Publishing a dataset: its shards as they are, a card, and what Inspect runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchgen.console import Update
from benchgen.files import write_whole
from benchgen.suite import find_suite
from leaderboards.dataset_card import dataset_card
from leaderboards.dataset_files import lean_sources, read_splits, runnable_files, shard_files
from leaderboards.publication import Publication
from leaderboards.publish import CARD, send


def publish_dataset(
    folders: Sequence[Path],
    repo: str,
    out: Path,
    verifications: Sequence[Path],
    audits: Sequence[Path],
    *,
    dry_run: bool,
    create_pr: bool = False,
    progress: Update = lambda done, total, detail="": None,
) -> dict[str, Any]:
    """Publish dataset folders, each a split: what is made for them is written into ``out``, and
    then, unless it is a ``dry_run``, one commit with all of it is made in ``repo``.

    Returns ``repo``, ``card`` (its path) and what ``publish.send`` gives.

    Raises
    ------
    InputError
        A folder or a report is at fault, or the Hub refuses. Nothing was published.
    OSError
        ``out`` cannot be written, or the Hub does not answer.
    """
    splits = read_splits(folders, verifications, audits)
    sources = lean_sources(splits)
    about = find_suite(splits[0].manifest.suite["name"]).about
    made = {
        CARD: dataset_card(splits, sources, repo).encode("utf-8", "replace"),
        **runnable_files(sources, repo.rpartition("/")[2], about),
    }
    for name, data in made.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(out / name, data)
    files = {**shard_files(splits), **{name: out / name for name in made}}
    rows = sum(split.manifest.rows for split in splits)
    names = " and ".join(split.name for split in splits)
    message = f"{rows:,} problems of {splits[0].manifest.suite['name']}, {names}"
    publication = Publication(repo, "dataset", tuple(sorted(files.items())), message, "dataset")
    told = {"repo": repo, "card": str(out / CARD)}
    return told | send(publication, dry_run=dry_run, create_pr=create_pr, progress=progress)
