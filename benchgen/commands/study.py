"""``benchgen study``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json
from benchgen.console import note, print_json, print_line
from benchgen.errors import InputError


def study(
    name: Annotated[
        str, typer.Argument(help="learning: imitation, then rewards; or results: of several seeds.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write; a study is resumed.")],
    seed: Annotated[int, typer.Option(help="The study's seed.")] = 0,
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
        from finetune.learning_results import write_results

        changed = {
            "--seed": seed != 0, "--model": model != "smollm2", "--engine": engine != "vllm",
            "--autocast": autocast,
        }  # fmt: skip
        if idle := ", ".join(option for option, given in changed.items() if given):
            raise InputError(f"results are of studies as they were run: {idle} would do nothing")
        write_results(of or [], out)
        page = str(out / "learning.md")
        if json:
            print_json({"results": page})
        else:
            print_line(f"results: {page}")
        return
    if name != "learning":
        raise InputError(f"unknown study {name!r}; there are: learning, results")
    if of:
        raise InputError("--of names studies for results; learning takes none")
    from finetune.learning_study import Study, run_study, study_lines

    found = run_study(
        Study(seed=seed, model=model, engine=engine, autocast=autocast), out, note
    )
    if json:
        print_json(found)
        return
    for line in study_lines(found):
        print_line(line)
