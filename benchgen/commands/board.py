"""``benchgen board``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json, print_line


def board(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[Path, typer.Option(help="The folder of the page.")],
    audit: Annotated[
        Path | None, typer.Option(help="An audit's JSON, for the best blind reader.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The page's heading.")] = None,
    json: Json = False,
) -> None:
    """Build a leaderboard page from runs."""
    from leaderboards.command import build

    record = build(runs, out, audit=audit, title=title)
    if json:
        print_json(record)
        return
    for group in record["groups"]:
        print_line(f"{group['suite']}, {group['modality']}, data {group['data']}")
        for row in group["rows"]:
            accuracy = row["accuracy"]
            shown = "-" if accuracy is None else f"{100 * accuracy:.1f} %"
            print_line(f"  {shown:>8}  {row['name']}")
    print_line(f"page: {record['page']}")
