"""What ``benchgen publish`` does: writes a card, plans what that changes on the Hub, does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchgen.console import Update
from benchgen.errors import InputError
from benchgen.files import write_whole
from leaderboards.hub import plan, publish
from leaderboards.model_card import model_card
from leaderboards.publication import Plan, Publication
from leaderboards.trained import read_trained

CARD = "README.md"
STATE = "trainer"
"""The part of a checkpoint that training goes on from; nobody else needs it."""


def publish_model(
    path: Path | str,
    repo: str,
    out: Path | str,
    *,
    dry_run: bool,
    curves: Path | None = None,
    licence: str | None = None,
    datasets: Sequence[str] = (),
    create_pr: bool = False,
    progress: Update = lambda done, total, detail="": None,
) -> dict[str, Any]:
    """Publish a trained model: the card and ``curves`` are written into ``out``, and then, unless
    it is a ``dry_run``, one commit with them and the checkpoint is made in ``repo``.

    Returns ``repo``, ``checkpoint``, ``card`` (its path) and what ``send`` gives.

    Raises
    ------
    InputError
        Bad input, or the Hub refuses. Nothing was published.
    OSError
        ``out`` cannot be written, or the Hub does not answer.
    """
    trained = read_trained(Path(path))
    picture = None if curves is None else f"curves{curves.suffix}"
    card = model_card(trained, repo, curves=picture, licence=licence, datasets=datasets)
    folder = Path(out)
    written = {CARD: card.encode("utf-8", "replace")}
    if curves is not None and picture is not None:
        try:
            written[picture] = curves.read_bytes()
        except OSError as error:
            raise InputError(f"{curves} cannot be read: {error}") from None
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in written.items():
        write_whole(folder / name, data)
    files = {name: source for name, source in _model_files(trained.checkpoint)}
    files |= {name: folder / name for name in written}
    message = f"{repo} after {trained.stages[-1].steps} steps"
    publication = Publication(repo, "model", tuple(sorted(files.items())), message, "model")
    told = {"repo": repo, "checkpoint": str(trained.checkpoint), "card": str(folder / CARD)}
    return told | send(publication, dry_run=dry_run, create_pr=create_pr, progress=progress)


def send(
    publication: Publication, *, dry_run: bool, create_pr: bool, progress: Update
) -> dict[str, Any]:
    """Plan a publication, and do it unless it is a ``dry_run``.

    Gives ``files`` (path, bytes and source of each), ``plan`` (of what happened, or would
    happen), ``lines`` (the same in words) and ``url`` (None for a dry run). A dry run without the
    Hub has no plan (None) and says so.

    Raises
    ------
    InputError
        A file cannot be read, or the Hub refuses. Nothing was published.
    ConnectionError
        The Hub does not answer. The repository is as it was, or holds all of it.
    """
    files = [
        {"path": path, "bytes": source.stat().st_size, "source": str(source)}
        for path, source in sorted(publication.files)
    ]
    planned: Plan | None = None
    url: str | None = None
    try:
        planned = plan(publication, create_pr=create_pr)
    except ConnectionError as error:
        if not dry_run:
            raise
        lines = [f"{file['bytes']:>14,}  {file['path']}" for file in files]
        lines.append(f"what {publication.repo} holds of this is not known: {error.strerror}")
    if planned is not None:
        if not dry_run:
            done = publish(planned, progress)
            planned, url = done.plan, done.url
        lines = planned.lines()
    shown = None if planned is None else planned.as_json()
    return {"files": files, "plan": shown, "lines": lines, "url": url}


def _model_files(checkpoint: Path) -> list[tuple[str, Path]]:
    """A checkpoint's files but for the trainer's state, by their paths in it."""
    found = [(p.relative_to(checkpoint), p) for p in checkpoint.rglob("*") if p.is_file()]
    return [(name.as_posix(), p) for name, p in found if name.parts[0] != STATE]
