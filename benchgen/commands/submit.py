"""``benchgen submit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json, print_line


def submit(
    run: Annotated[Path, typer.Argument(help="A run folder, or a submission (.zip).")],
    data: Annotated[Path, typer.Option(help="The dataset that the run is about.")],
    out: Annotated[
        Path, typer.Option(help="The submission to write (.zip), or a folder of runs.")
    ],
    shots_data: Annotated[
        Path | None, typer.Option(help="The dataset of the run's worked examples.")
    ] = None,
    json: Json = False,
) -> None:
    """Check a run for a board, judge its replies anew, and pack it or take it in."""
    from leaderboards.submission import submit as submit_run

    written = submit_run(run, data, out, shots_data)
    if json:
        print_json({"written": str(written)})
        return
    print_line(f"every sample is there and earns its score: {written}")
