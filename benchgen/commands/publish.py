"""``benchgen publish``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json, print_line, progress
from benchgen.errors import InputError


def publish(
    kind: Annotated[str, typer.Argument(help="model.")],
    path: Annotated[Path, typer.Argument(help="A training folder, or one of its checkpoints.")],
    repo: Annotated[str, typer.Option(help="Where on the Hub: owner/name.")],
    out: Annotated[Path, typer.Option(help="The folder for the card and its picture.")],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Write the card and tell what would change; send nothing."),
    ] = False,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Ask the repository's owner instead.")
    ] = False,
    licence: Annotated[str | None, typer.Option(help="Such as apache-2.0.")] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="A dataset of the Hub it learned from.")
    ] = None,
    json: Json = False,
) -> None:
    """Publish a trained model on the Hub, with a card and its curves."""
    from finetune.curves import draw_curves
    from leaderboards.publish import publish_model
    from leaderboards.trained import read_trained

    if kind != "model":
        raise InputError(f"what is published is model, not {kind!r}")
    curves = out / "curves.svg"
    folder = read_trained(path).stages[-1].folder
    out.mkdir(parents=True, exist_ok=True)
    draw_curves([folder], curves)
    with progress(f"publish {repo}", "bytes", quiet=json) as update:
        result = publish_model(
            path,
            repo,
            out,
            dry_run=dry_run,
            curves=curves,
            licence=licence,
            datasets=dataset or (),
            create_pr=create_pr,
            progress=update,
        )
    lines = result.pop("lines")
    if json:
        print_json(result)
        return
    for line in lines:
        print_line(line)
    print_line(f"card: {result['card']}")
    print_line(result["url"] or f"nothing was sent to {repo}: --dry-run")
