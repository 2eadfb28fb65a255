"""``benchgen tasks``."""

from __future__ import annotations

from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json


def tasks(
    suite: Annotated[str | None, typer.Argument(help="One suite (default all).")] = None,
    json: Json = False,
) -> None:
    """List the tasks, with the capacity of each level by split."""
    from benchgen.show import capacities, show_capacities

    records = capacities(suite)
    if json:
        print_json({"tasks": records})
    else:
        show_capacities(records)
