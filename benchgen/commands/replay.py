"""``benchgen replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json, print_line
from benchgen.errors import InputError


def replay(
    what: Annotated[str, typer.Argument(help="show: what a run keeps to learn from again.")],
    run: Annotated[Path, typer.Argument(help="The folder of a training run.")],
    json: Json = False,
) -> None:
    """Show the replies that a run's last checkpoint keeps (--objective exgrpo)."""
    if what != "show":
        raise InputError(f"replay takes show, not {what!r}")
    from finetune.replay_report import replay_lines, replay_record

    record = replay_record(run)
    if json:
        print_json(record)
        return
    for line in replay_lines(record):
        print_line(line)
