"""What ``benchgen publish`` does: writes a card, lists what goes to the Hub, sends it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.files import write_whole
from leaderboards.hub import Publication, listing, upload
from leaderboards.model_card import model_card
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
) -> dict[str, Any]:
    """Publish a trained model: the card and ``curves`` are written into ``out``, and then, unless
    it is a ``dry_run``, one commit with them and the checkpoint is made in ``repo``.

    Returns ``repo``, ``checkpoint``, ``card`` (its path), ``files`` (path, bytes and source of
    each) and ``url`` (None for a dry run).

    Raises
    ------
    InputError
        Bad input, or the Hub refuses. Nothing was sent.
    OSError
        ``out`` cannot be written.
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
    publication = Publication(repo, "model", tuple(sorted(files.items())), message)
    return {
        "repo": repo,
        "checkpoint": str(trained.checkpoint),
        "card": str(folder / CARD),
        "files": listing(publication),
        "url": None if dry_run else upload(publication, create_pr),
    }


def _model_files(checkpoint: Path) -> list[tuple[str, Path]]:
    """A checkpoint's files but for the trainer's state, by their paths in it."""
    found = [(p.relative_to(checkpoint), p) for p in checkpoint.rglob("*") if p.is_file()]
    return [(name.as_posix(), p) for name, p in found if name.parts[0] != STATE]
