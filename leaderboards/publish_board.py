"""Publishing a board: its folder as a static Space, which costs nothing and never sleeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchgen.console import Update
from benchgen.errors import DAMAGED, InputError
from benchgen.files import write_whole
from leaderboards.build import FOLDERS, PAGE
from leaderboards.downloads import SCHEMA_VERSION
from leaderboards.publication import Publication
from leaderboards.publish import CARD, send

DATA = ("board.json", "board.csv")


def publish_board(
    site: Path,
    repo: str,
    out: Path,
    *,
    dry_run: bool,
    create_pr: bool = False,
    progress: Update = lambda done, total, detail="": None,
) -> dict[str, Any]:
    """Publish the folder of ``benchgen board``: the Space's card is written into ``out``, and
    then, unless it is a ``dry_run``, one commit with all of it is made in ``repo``.

    Returns ``repo``, ``card`` (its path) and what ``publish.send`` gives.

    Raises
    ------
    InputError
        ``site`` is no board, or the Hub refuses. Nothing was published.
    OSError
        ``out`` cannot be written, or the Hub does not answer.
    """
    files = board_files(site)
    title = _title(site)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / CARD, space_card(title).encode("utf-8", "replace"))
    files[CARD] = out / CARD
    message = f"{title}: {len(list((site / 'records').glob('*.json'))):,} runs"
    publication = Publication(repo, "space", tuple(sorted(files.items())), message, "board")
    told = {"repo": repo, "card": str(out / CARD)}
    return told | send(publication, dry_run=dry_run, create_pr=create_pr, progress=progress)


def board_files(site: Path) -> dict[str, Path]:
    """The files of a board, by their paths; what else lies in its folder is not the board's."""
    names = [PAGE, *DATA]
    for folder, ending in FOLDERS.items():
        names += [f"{folder}/{path.name}" for path in (site / folder).glob(f"*{ending}")]
    missing = [name for name in (PAGE, *DATA) if not (site / name).is_file()]
    if missing:
        raise InputError(f"{site} is no board: no {missing[0]} (benchgen board RUNS --out {site})")
    return {name: site / name for name in sorted(names)}


def space_card(title: str) -> str:
    """The card that makes a Space of the page; it is shown nowhere but in the repository."""
    from huggingface_hub import SpaceCardData

    front = SpaceCardData(title=title, sdk="static", app_file=PAGE, pinned=False, tags=["benchgen"])
    return f"---\n{front.to_yaml()}\n---\n"


def _title(site: Path) -> str:
    path = site / "board.json"
    try:
        board = json.loads(path.read_text(encoding="utf-8"))
        version, title = board["schema_version"], board["title"]
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error!r}") from None
    if version != SCHEMA_VERSION or not isinstance(title, str):
        raise InputError(f"{path} has schema version {version!r}: make the board anew")
    return title
