"""What is put on the Hub, and putting it there: one commit, whole or not at all.

Conventions
-----------
* A publication is listed first (``listing``), so that a dry run shows what an upload would send.
* ``huggingface_hub`` is an extra; it is imported when something is published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import InputError


@dataclass(frozen=True, slots=True)
class Publication:
    """Files for a repository, ``kind`` being ``model``, ``dataset`` or ``space``.

    ``files`` are pairs of a path in the repository and the file that goes there.
    """

    repo: str
    kind: str
    files: tuple[tuple[str, Path], ...]
    message: str


def check_repos(names: Sequence[str]) -> None:
    """Whether these can be the names of repositories, ``name`` or ``owner/name``.

    Raises
    ------
    InputError
        One cannot, or ``huggingface_hub`` is not installed.
    """
    try:
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id
    except ImportError:
        raise InputError(
            "publishing needs huggingface_hub: pip install huggingface_hub"
        ) from None
    for name in names:
        try:
            validate_repo_id(name)
        except HFValidationError as error:
            raise InputError(f"{name!r} is no name of a repository: {error}") from None


def listing(publication: Publication) -> list[dict[str, Any]]:
    """The files with their sizes in bytes, by path."""
    return [
        {"path": path, "bytes": source.stat().st_size, "source": str(source)}
        for path, source in sorted(publication.files)
    ]


def upload(publication: Publication, create_pr: bool = False) -> str:
    """Make the repository, if there is none, and one commit of all files; the commit's address.

    Files that the repository holds already are not sent again.

    Raises
    ------
    InputError
        The Hub refuses: no right to write there, say, or bad metadata.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    added = [CommitOperationAdd(path, str(source)) for path, source in sorted(publication.files)]
    try:
        if not create_pr:
            api.create_repo(publication.repo, repo_type=publication.kind, exist_ok=True)
        commit = api.create_commit(
            publication.repo, added, commit_message=publication.message,
            repo_type=publication.kind, create_pr=create_pr,
        )  # fmt: skip
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", 0)
        if not 400 <= status < 500:
            raise
        raise InputError(f"the Hub refuses {publication.repo}: {error}") from error
    return str(commit.pr_url or commit.commit_url)
