"""Publishing results: scores beside a model, as a pull request on its repository.

Conventions
-----------
* The benchmark is a dataset that was published by ``publish dataset``. A run has to be of just the
  data that it holds now: that is asked of the Hub, and the entry names that revision.
* Nobody's model is written to unasked: it is a pull request that was asked for, or a dry run.
* The files may hold results of others, too: nothing is ever deleted, and no record is left there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchgen.console import Update
from benchgen.errors import DAMAGED, InputError
from benchgen.files import write_whole
from leaderboards.benchmark import check_agreement
from leaderboards.eval_results import FOLDER, changed_files, entry_of
from leaderboards.hub import read_files
from leaderboards.publication import Publication
from leaderboards.publish import send
from leaderboards.records import Source, read_sources


def publish_results(
    runs: Sequence[Path],
    repo: str,
    out: Path,
    benchmark: str,
    *,
    dry_run: bool,
    create_pr: bool = False,
    source: str | None = None,
    progress: Update = lambda done, total, detail="": None,
) -> dict[str, Any]:
    """Publish the scores of ``runs`` of the model ``repo`` on the dataset ``benchmark``, both of
    the Hub: the files are written into ``out``, and then, unless it is a ``dry_run``, proposed.
    ``source`` is the address of a board or of samples.

    Returns ``repo`` and what ``publish.send`` gives.

    Raises
    ------
    InputError
        A run is not whole, is of another model, or is on other data than the benchmark's;
        neither a dry run nor a pull request was asked for; or the Hub refuses.
    OSError
        ``out`` cannot be written, or the Hub does not answer.
    """
    if not (dry_run or create_pr):
        raise InputError(
            "results go to a model's repository as a pull request: see it with --dry-run, ask for "
            "it with --create-pr"
        )
    sources = read_sources(runs)
    check_agreement([(s.place, s.record) for s in sources])
    _check_models(sources, repo)
    revision, manifests = read_files(benchmark, "dataset", "data/*/manifest.json")
    held_data = {_digest(benchmark, path, data) for path, data in manifests.items()}
    for one in sources:
        digest = one.record.config.data.digest
        if digest not in held_data:
            raise InputError(f"{one.place} is on the data {digest[:16]}, which {benchmark} has not")
    entries = [entry_of(one.record, benchmark, revision, source) for one in sources]
    head, held = read_files(repo, "model", f"{FOLDER}/*.yaml")
    changed = changed_files(held, entries)
    for name, data in changed.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(out / name, data)
    files = tuple((name, out / name) for name in sorted(changed))
    message = f"Results on {benchmark}"
    # The files hold what others have written into them as well, as it was at this commit.
    publication = Publication(repo, "model", files, message, part=None, base=head)
    return {"repo": repo} | send(publication, dry_run=dry_run, create_pr=True, progress=progress)


def _check_models(sources: Sequence[Source], repo: str) -> None:
    """Whether the runs can be of the model: one with a name of the Hub's says which it is of."""
    for one in sources:
        model = one.record.config.model
        if "/" in model and model != repo:
            raise InputError(f"{one.place} is a run of {model!r}, not of {repo!r}")


def _digest(repo: str, path: str, data: bytes) -> str:
    try:
        return str(json.loads(data)["digest"])
    except DAMAGED:
        raise InputError(f"{path} of {repo} is not the manifest of a dataset") from None
