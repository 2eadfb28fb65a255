"""``benchgen import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json, listed
from benchgen.console import note, print_json, print_line


def import_(
    layout: Annotated[
        str, typer.Argument(help="For example ssmr_bench or table; any other word lists all.")
    ],
    file: Annotated[Path, typer.Argument(help="JSON lines, CSV or Parquet.")],
    out: Annotated[Path, typer.Option(help="The dataset folder to write.")],
    name: Annotated[
        str | None, typer.Option(help="The suite's name (default the layout's or the file's).")
    ] = None,
    split: Annotated[str, typer.Option(help="What the file is a split of.")] = "test",
    licence: Annotated[str, typer.Option(help="The licence of the questions.")] = "",
    question: Annotated[str, typer.Option(help="Of a table: the question's column.")] = "",
    options: Annotated[
        str, typer.Option(help="Of a table: the column of all options, or several by comma.")
    ] = "",
    answer: Annotated[str, typer.Option(help="Of a table: the answer's column.")] = "",
    answer_is: Annotated[
        str,
        typer.Option(help="label, letter, index (from 0), number (from 1) or text, if unclear."),
    ] = "",
    text: Annotated[str, typer.Option(help="Of a table: the stimulus's column.")] = "",
    notation: Annotated[str, typer.Option(help="Of a table: its notation, such as abc.")] = "",
    image: Annotated[str, typer.Option(help="Of a table: the column of pictures.")] = "",
    category: Annotated[str, typer.Option(help="Of a table: the category's column.")] = "",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out rows that cannot be used, and say which.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a dataset of questions that others published."""
    from benchgen.outside import chosen_columns
    from benchgen.outside_dataset import import_file

    columns = chosen_columns(
        question=question,
        options=listed([options]),
        answer=answer,
        answer_is=answer_is,
        text=text,
        notation=notation,
        image=image,
        category=category,
    )
    made = import_file(
        layout,
        file,
        out,
        columns=columns,
        name=name,
        split=split,
        licence=licence,
        skip_bad=skip_bad,
    )
    for line in made.left_out:
        note(f"left out: {line}")
    if json:
        print_json(
            {
                "out": str(out),
                "suite": made.manifest.suite["name"],
                "rows": made.manifest.rows,
                "left_out": len(made.left_out),
                "digest": made.manifest.digest,
            }
        )
        return
    left = f", {len(made.left_out)} rows left out" if made.left_out else ""
    print_line(f"{out}: {made.manifest.rows} problems of {made.manifest.suite['name']}{left}")
