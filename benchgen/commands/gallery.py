"""``benchgen gallery``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json, Seed
from benchgen.console import print_json, print_line


def gallery(
    suite: Annotated[str, typer.Argument(help="The suite.")],
    out: Annotated[Path, typer.Option(help="The page to write (HTML).")],
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Write a page with one item of each task and level, text and picture."""
    from benchgen.gallery import write_gallery

    write_gallery(suite, out, seed)
    if json:
        print_json({"page": str(out)})
    else:
        print_line(str(out))
