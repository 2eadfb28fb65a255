"""``benchgen quickstart``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchgen.commands.options import Json
from benchgen.console import note, print_json, print_line, progress
from benchgen.errors import RunIncomplete


def quick_start(
    out: Annotated[Path, typer.Option(help="The folder for everything.")] = Path("quickstart"),
    model: Annotated[str, typer.Option(help="smollm2, a model folder, or a Hub id.")] = "smollm2",
    count: Annotated[int, typer.Option(help="Problems in each modality.")] = 400,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes to synthesize in (default all cores).")
    ] = None,
    json: Json = False,
) -> None:
    """Synthesize problems, ask the embedded model, build the board: all in one.

    Run it again to go on where it was stopped.
    """
    from benchgen.quickstart import MAX_TOKENS, quickstart
    from evaluators.command import evaluate as run_evaluation
    from leaderboards.command import build

    def ask(data: Path, run: Path, engine: str, name: str | None) -> dict[str, Any]:
        with progress(f"eval {name or engine}", "samples", quiet=json) as update:
            result = run_evaluation(
                data, run, model=name, engine=engine, max_tokens=MAX_TOKENS, progress=update
            )
        if result.exit_code != 0:
            raise RunIncomplete(f"{run} is not complete; run the same command to go on")
        return result.summary

    def rank(runs: Sequence[Path], page: Path, audit: Path) -> dict[str, Any]:
        return build(runs, page, audit=audit)

    done = quickstart(out, ask, rank, model=model, count=count, workers=workers, say=note)
    accuracy = done.run["overall"]["accuracy"]
    if json:
        print_json(
            {
                "page": str(done.page),
                "report": str(done.report),
                "data": {modality: str(path) for modality, path in done.data.items()},
                "accuracy": accuracy,
            }
        )
        return
    print_line(f"{model} answered {100 * accuracy:.1f} % of {count} text problems")
    print_line(f"run report: {done.report.resolve()}")
    print_line(f"board:      {done.page.resolve()}")
