"""``benchgen study``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from benchgen.commands.options import Json
from benchgen.console import note, print_json, print_line
from benchgen.errors import InputError

STUDIES = ("learning", "objectives", "pictures")
SEEDS = (0, 1, 2)
"""Of the study of objectives, where none is named."""


def study(
    name: Annotated[
        str,
        typer.Argument(
            help="learning: imitation, then rewards; objectives: their variants side by side; "
            "pictures: VPPO beside DAPO; or results: of several seeds."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write; a study is resumed.")],
    seed: Annotated[
        int | None, typer.Option(help="One seed (default 0; objectives: three, a folder each).")
    ] = None,
    model: Annotated[str, typer.Option(help="smollm2, a folder, or a Hub id.")] = "smollm2",
    engine: Annotated[
        str | None, typer.Option(help="vllm, or transformers (pictures: that by default).")
    ] = None,
    autocast: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = False,
    of: Annotated[
        list[Path] | None, typer.Option(help="results: a study's folder (may be repeated).")
    ] = None,
    json: Json = False,
) -> None:
    """Run an experiment of the docs from its data to its table; cut anywhere, it goes on."""
    changed = {
        "--seed": seed is not None, "--model": model != "smollm2", "--engine": engine is not None,
        "--autocast": autocast,
    }  # fmt: skip
    if name == "results":
        if idle := ", ".join(option for option, given in changed.items() if given):
            raise InputError(f"results are of studies as they were run: {idle} would do nothing")
        page = str(_write_results(of or [], out))
        if json:
            print_json({"results": page})
        else:
            print_line(f"results: {page}")
        return
    if name not in STUDIES:
        raise InputError(f"unknown study {name!r}; there are: {', '.join((*STUDIES, 'results'))}")
    from finetune.job import ENGINES

    if engine not in (None, *ENGINES):
        # A study's folder remembers its engine: a wrong one is not to take the folder.
        raise InputError(f"--engine is {' or '.join(ENGINES)}, not {engine!r}")
    if of:
        raise InputError(f"--of names studies for results; {name} takes none")
    if name == "pictures" and (changed["--model"] or autocast):
        raise InputError("pictures makes its own model: --model and --autocast do nothing")
    found, lines = _run(name, out, seed, model, engine, autocast)
    if json:
        print_json(found)
        return
    for line in lines:
        print_line(line)


def _run(
    name: str, out: Path, seed: int | None, model: str, engine: str | None, autocast: bool
) -> tuple[dict[str, Any], Iterable[str]]:
    """What a study found, as JSON has it and for people."""
    settings: dict[str, Any] = {"model": model, "engine": engine or "vllm", "autocast": autocast}
    if name == "learning":
        from finetune import learning_study

        found = learning_study.run_study(
            learning_study.Study(seed=seed or 0, **settings), out, note
        )
        return found, learning_study.study_lines(found)
    if name == "pictures":
        from finetune import pictures_study

        found = pictures_study.run_study(
            pictures_study.Study(seed=seed or 0, engine=engine or "transformers"), out, note
        )
        return found, pictures_study.study_lines(found)
    from finetune import objectives_study

    seeds = [
        objectives_study.run_study(
            objectives_study.Study(seed=number, **settings), out, note
        )
        for number in (SEEDS if seed is None else (seed,))
    ]
    lines = [line for one in seeds for line in objectives_study.study_lines(one)]
    return {"seeds": seeds}, lines


def _write_results(folders: list[Path], out: Path) -> Path:
    """Write the page of several seeds of one study, whichever the first is of; its path."""
    from finetune import learning_results, objectives_results, pictures_results
    from finetune.objectives_study import RECORD
    from finetune.pictures_study import RESULTS

    for folder in folders:
        if inside := sorted(folder.glob(f"seed-*/{RECORD}")):
            first = inside[0].parent
            raise InputError(f"{folder} holds several seeds: name each, --of {first} ...")
    if folders and (folders[0] / RECORD).is_file():
        return objectives_results.write_results(folders, out)
    if folders and (folders[0] / RESULTS).is_file():
        return pictures_results.write_results(folders, out)
    learning_results.write_results(folders, out)
    return out / "learning.md"
