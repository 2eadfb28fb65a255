"""``benchgen audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json, Seed, Workers, integer, listed
from benchgen.console import print_json, print_line, progress
from benchgen.errors import InputError


def audit(
    target: Annotated[
        str | None, typer.Argument(help="A dataset folder, or a suite (default every suite).")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Of a suite: only these tasks, by comma.")
    ] = None,
    level: Annotated[
        list[str] | None, typer.Option(help="Of a suite: only these levels, by comma.")
    ] = None,
    items: Annotated[
        int | None, typer.Option(min=0, help="Items drawn for each task and level.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer items, and no equivalence gate.")
    ] = False,
    seed: Seed = 0,
    workers: Workers = 1,
    json: Json = False,
) -> int:
    """Ask whether items can be answered without their score: three gates."""
    from benchgen.audit import audit_dataset, audit_tasks, report_lines
    from benchgen.plan import chosen_tasks
    from benchgen.task import list_tasks

    drawn = items if items is not None else (2_000 if quick else 20_000)
    names, levels = listed(task or []), listed(level or [])
    of_dataset = target is not None and Path(target).exists()
    if (names or levels) and (of_dataset or target is None):
        raise InputError("--task and --level go with a suite")
    twins = 25 if quick else 1_000
    with progress(f"audit {target or 'of every suite'}", "cells", quiet=json) as update:
        if target is not None and of_dataset:
            report = audit_dataset(
                target,
                drawn,
                seed=seed,
                workers=workers,
                twin_items=twins,
                with_equivalence=not quick,
                progress=update,
            )
        else:
            report = audit_tasks(
                list_tasks() if target is None else chosen_tasks(target, names),
                [integer("level", value) for value in levels],
                items=drawn,
                seed=seed,
                workers=workers,
                twin_items=twins,
                with_equivalence=not quick,
                progress=update,
            )
    if json:
        print_json(report)
    else:
        for line in report_lines(report):
            print_line(line)
    return 0 if report["passed"] else 1
