"""``benchgen board``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json, print_line


def board(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or records' files.")],
    out: Annotated[Path, typer.Option(help="The folder of the page.")],
    audit: Annotated[
        Path | None, typer.Option(help="An audit's JSON, for the best blind reader.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The page's heading.")] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="A dataset that the runs are held against.")
    ] = None,
    fresh: Annotated[
        list[str] | None, typer.Option(help="The digest of data that are a fresh draw.")
    ] = None,
    json: Json = False,
) -> None:
    """Build a leaderboard page from runs."""
    from leaderboards.command import build

    record = build(runs, out, audit=audit, title=title, data=data or (), fresh=fresh or ())
    if json:
        print_json(record)
        return
    for test in record["tests"]:
        print_line(f"{test['suite']}, {test['modality']}, data {test['data']}")
        for row in test["rows"]:
            accuracy = row["accuracy"]
            shown = "-" if accuracy is None else f"{100 * accuracy:.1f} %"
            rank = "" if row["rank"] is None else f"{row['rank']}{'=' * row['tied']}"
            print_line(f"  {rank:>4} {shown:>8}  {row['name']}")
    print_line(f"page: {record['page']}")
