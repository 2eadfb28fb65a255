"""``benchgen show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json, Seed, Split
from benchgen.console import print_json


def show(
    task: Annotated[str, typer.Argument(help="The task, for example sheet_music/interval_name.")],
    level: Annotated[int, typer.Option(help="1 to 4.")] = 1,
    seed: Seed = 0,
    index: Annotated[int, typer.Option(help="Which item of this task, level and split.")] = 0,
    split: Split = "test",
    out: Annotated[Path | None, typer.Option(help="Write the picture here (PNG).")] = None,
    json: Json = False,
) -> None:
    """Show one item: question, notation, options, key and worked solution."""
    from benchgen.show import item_record, save_picture, show_item
    from benchgen.task import make

    problem = make(task, split=split, seed=seed, index=index, level=level)
    if out is not None:
        save_picture(problem, out)
    if json:
        print_json(item_record(problem, out))
    else:
        show_item(problem, out)
