"""``benchgen publish``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchgen.commands.options import Json
from benchgen.console import print_json, print_line, progress
from benchgen.errors import InputError

KINDS = ("dataset", "results", "board", "model")
OPTIONS = {
    "verification": "dataset",
    "audit": "dataset",
    "benchmark": "results",
    "source": "results",
    "licence": "model",
    "dataset": "model",
}
"""What each option is of."""


def publish(
    kind: Annotated[str, typer.Argument(help="dataset, results, board or model.")],
    path: Annotated[
        list[Path],
        typer.Argument(
            help="dataset: its folders, one a split; results: runs or records; board: the folder "
            "of the page; model: a training folder or one of its checkpoints."
        ),
    ],
    repo: Annotated[str, typer.Option(help="Where on the Hub: owner/name.")],
    out: Annotated[Path, typer.Option(help="The folder for what is written for it: a card, say.")],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Write the card and tell what would change; send nothing."),
    ] = False,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Ask the repository's owner instead.")
    ] = False,
    verification: Annotated[
        list[Path] | None,
        typer.Option(help="dataset: what verify DIR --json printed; once a folder."),
    ] = None,
    audit: Annotated[
        list[Path] | None,
        typer.Option(help="dataset: what audit DIR --json printed; once a folder."),
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="results: the dataset of the Hub that was asked.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="results: the address of a board or of samples.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="model: such as apache-2.0.")] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="model: a dataset of the Hub it learned from.")
    ] = None,
    json: Json = False,
) -> None:
    """Publish a dataset, results, a board or a model on the Hub: one commit, or a pull request."""
    if kind not in KINDS:
        raise InputError(f"what is published is {', '.join(KINDS)}, not {kind!r}")
    given = {
        "verification": verification, "audit": audit, "benchmark": benchmark, "source": source,
        "licence": licence, "dataset": dataset,
    }  # fmt: skip
    for name, value in given.items():
        if value and OPTIONS[name] != kind:
            raise InputError(f"--{name} goes with publish {OPTIONS[name]}")
    with progress(f"publish {repo}", "bytes", quiet=json) as update:
        shared: dict[str, Any] = {"dry_run": dry_run, "create_pr": create_pr, "progress": update}
        if kind == "dataset":
            from leaderboards.publish_dataset import publish_dataset

            result = publish_dataset(path, repo, out, verification or (), audit or (), **shared)
        elif kind == "results":
            from leaderboards.publish_results import publish_results

            if benchmark is None:
                raise InputError("results are on a dataset of the Hub: give --benchmark owner/name")
            result = publish_results(path, repo, out, benchmark, source=source, **shared)
        elif kind == "board":
            from leaderboards.publish_board import publish_board

            result = publish_board(_only(path), repo, out, **shared)
        else:
            result = _model(_only(path), repo, out, licence, dataset or [], shared)
    lines = result.pop("lines")
    if json:
        print_json(result)
        return
    for line in lines:
        print_line(line)
    if "card" in result:
        print_line(f"card: {result['card']}")
    print_line(result["url"] or f"nothing was sent to {repo}: --dry-run")


def _only(paths: list[Path]) -> Path:
    if len(paths) > 1:
        raise InputError(f"one folder is published at a time, not {len(paths)}")
    return paths[0]


def _model(
    path: Path, repo: str, out: Path, licence: str | None, datasets: list[str],
    shared: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """A model goes with the curves of its training, which ``finetune`` draws."""
    from finetune.curves import draw_curves
    from leaderboards.publish import publish_model
    from leaderboards.trained import read_trained

    curves = out / "curves.svg"
    folder = read_trained(path).stages[-1].folder
    out.mkdir(parents=True, exist_ok=True)
    draw_curves([folder], curves)
    return publish_model(
        path, repo, out, curves=curves, licence=licence, datasets=datasets, **shared
    )
