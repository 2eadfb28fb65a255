"""``benchgen verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json, Workers
from benchgen.console import print_json, print_line, progress


def verify(
    data: Annotated[Path, typer.Argument(help="The dataset folder.")],
    workers: Workers = 1,
    json: Json = False,
) -> int:
    """Prove a dataset anew: every option, notation and picture, by the second engine."""
    from benchgen.verify import report_lines, verify_dataset

    with progress(f"verify {data}", "shards", quiet=json) as update:
        report = verify_dataset(data, workers, progress=update)
    if json:
        print_json(report)
    else:
        for line in report_lines(report):
            print_line(line)
    return 0 if report["passed"] else 1
