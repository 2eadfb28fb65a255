"""``benchgen export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json, print_line


def export(
    form: Annotated[
        str, typer.Argument(metavar="FORMAT", help="For example lm_eval; any other word lists all.")
    ],
    data: Annotated[Path, typer.Argument(help="The dataset folder.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    modality: Annotated[str, typer.Option(help="text or image.")] = "text",
    name: Annotated[
        str | None, typer.Option(help="What it is called there (default suite and modality).")
    ] = None,
    json: Json = False,
) -> None:
    """Put a dataset into a format that another program evaluates models with, or trains them on."""
    from benchgen.export import export_dataset

    source, files = export_dataset(form, data, out, modality=modality, name=name)
    if json:
        print_json(
            {
                "out": str(out),
                "name": source.name,
                "problems": len(source.items),
                "files": [str(file) for file in files],
            }
        )
        return
    print_line(f"{source.name}: {len(source.items)} problems for {form}")
    print_line(f"how it is run: {out / 'README.md'}")
