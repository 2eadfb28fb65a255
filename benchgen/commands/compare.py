"""``benchgen compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json, print_line


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; the others against the first.")],
    json: Json = False,
) -> None:
    """Compare runs on the same problems: effect, interval, paired test."""
    from evaluators.compare import compare_runs, comparison_lines

    record = compare_runs(runs)
    if json:
        print_json(record)
    else:
        for line in comparison_lines(record):
            print_line(line)
