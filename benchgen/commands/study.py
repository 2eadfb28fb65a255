"""``benchgen study``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchgen.commands.options import Json
from benchgen.console import note, print_json, print_line
from benchgen.errors import InputError

STUDIES = ("learning", "objectives")
SEEDS = (0, 1, 2)
"""Of the study of objectives, where none is named."""


def study(
    name: Annotated[
        str,
        typer.Argument(
            help="learning: imitation, then rewards; objectives: their variants side by side; "
            "or results: of several seeds."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write; a study is resumed.")],
    seed: Annotated[
        int | None, typer.Option(help="One seed (default 0; objectives: three, a folder each).")
    ] = None,
    model: Annotated[str, typer.Option(help="smollm2, a folder, or a Hub id.")] = "smollm2",
    engine: Annotated[str, typer.Option(help="vllm, or transformers.")] = "vllm",
    autocast: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = False,
    of: Annotated[
        list[Path] | None, typer.Option(help="results: a study's folder (may be repeated).")
    ] = None,
    json: Json = False,
) -> None:
    """Run an experiment of the docs from its data to its table; cut anywhere, it goes on."""
    if name == "results":
        changed = {
            "--seed": seed is not None, "--model": model != "smollm2", "--engine": engine != "vllm",
            "--autocast": autocast,
        }  # fmt: skip
        if idle := ", ".join(option for option, given in changed.items() if given):
            raise InputError(f"results are of studies as they were run: {idle} would do nothing")
        page = str(_results(of or [], out))
        if json:
            print_json({"results": page})
        else:
            print_line(f"results: {page}")
        return
    if name not in STUDIES:
        raise InputError(f"unknown study {name!r}; there are: {', '.join((*STUDIES, 'results'))}")
    if of:
        raise InputError(f"--of names studies for results; {name} takes none")
    settings: dict[str, Any] = {"model": model, "engine": engine, "autocast": autocast}
    if name == "learning":
        from finetune import learning_study

        learned = learning_study.Study(seed=seed or 0, **settings)
        found = [learning_study.run_study(learned, out, note)]
        lines = [learning_study.study_lines(one) for one in found]
    else:
        from finetune import objectives_study

        found = [
            objectives_study.run_study(
                objectives_study.Study(seed=number, **settings), out / f"seed-{number}", note
            )
            for number in (SEEDS if seed is None else (seed,))
        ]
        lines = [objectives_study.study_lines(one) for one in found]
    if json:
        print_json(found[0] if name == "learning" else {"seeds": found})
        return
    for told in lines:
        for line in told:
            print_line(line)


def _results(folders: list[Path], out: Path) -> Path:
    """Write the page of the study that the first folder is of; its path."""
    from finetune import learning_results, objectives_results
    from finetune.objectives_study import RECORD

    if any((folder / RECORD).exists() for folder in folders):
        return objectives_results.write_results(folders, out)
    learning_results.write_results(folders, out)
    return out / "learning.md"
