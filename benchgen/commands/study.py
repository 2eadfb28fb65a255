"""``benchgen study``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from benchgen.commands.options import Json
from benchgen.console import note, print_json, print_line
from benchgen.errors import InputError


def study(
    name: Annotated[
        str, typer.Argument(help="learning, pictures; or results: of several seeds.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write; a study is resumed.")],
    seed: Annotated[int, typer.Option(help="The study's seed.")] = 0,
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
    if name == "results":
        changed = {
            "--seed": seed != 0, "--model": model != "smollm2", "--engine": engine is not None,
            "--autocast": autocast,
        }  # fmt: skip
        if idle := ", ".join(option for option, given in changed.items() if given):
            raise InputError(f"results are of studies as they were run: {idle} would do nothing")
        page = str(_write_results(of or [], out))
        if json:
            print_json({"results": page})
        else:
            print_line(f"results: {page}")
        return
    if name not in ("learning", "pictures"):
        raise InputError(f"unknown study {name!r}; there are: learning, pictures, results")
    if of:
        raise InputError(f"--of names studies for results; {name} takes none")
    if name == "pictures":
        from finetune import pictures_study

        if model != "smollm2" or autocast:
            raise InputError("pictures makes its own model: --model and --autocast do nothing")
        seen = pictures_study.run_study(
            pictures_study.Study(seed=seed, engine=engine or "transformers"), out, note
        )
        _tell(seen, pictures_study.study_lines(seen), json)
        return
    from finetune.learning_study import Study, run_study, study_lines

    found = run_study(
        Study(seed=seed, model=model, engine=engine or "vllm", autocast=autocast), out, note
    )
    _tell(found, study_lines(found), json)


def _tell(found: dict[str, Any], lines: Iterable[str], json: bool) -> None:
    if json:
        print_json(found)
        return
    for line in lines:
        print_line(line)


def _write_results(folders: list[Path], out: Path) -> Path:
    """The page of several seeds of one study, whichever the first is of."""
    if folders and (folders[0] / "pictures.json").is_file():
        from finetune import pictures_results

        return pictures_results.write_results(folders, out)
    from finetune.learning_results import write_results

    write_results(folders, out)
    return out / "learning.md"
