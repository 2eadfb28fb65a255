"""``benchgen synth``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json, Seed, Split, Workers, integer, listed
from benchgen.console import print_json, print_line, progress


def synth(
    suite: Annotated[str, typer.Argument(help="The suite, for example sheet_music.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    count: Annotated[int, typer.Option(help="How many items.")],
    split: Split = "train",
    seed: Seed = 0,
    level: Annotated[
        list[str] | None, typer.Option(help="Only these levels, such as 1,2 (default all).")
    ] = None,
    modality: Annotated[str, typer.Option(help="text, image, or text,image.")] = "text",
    task: Annotated[
        list[str] | None, typer.Option(help="Only these tasks, by comma (default all).")
    ] = None,
    twins: Annotated[bool, typer.Option("--twins", help="Follow every item by its twins.")] = False,
    workers: Workers = 1,
    executor: Annotated[str, typer.Option(help="local (processes) or ray.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster (default: one on this machine).")
    ] = None,
    shard: Annotated[
        str, typer.Option(help="i/n: do the work of job i of n, for job arrays.")
    ] = "1/1",
    json: Json = False,
) -> None:
    """Write a dataset: Parquet shards and a manifest.

    Run it again to go on where it was stopped; the bytes come out the same.
    """
    import time

    from benchgen.dataset import synthesize
    from benchgen.executors import choose_executor, parse_share
    from benchgen.plan import make_plan

    share = parse_share(shard)
    chosen = choose_executor(executor, workers, address)
    plan = make_plan(
        suite,
        split=split,
        count=count,
        seed=seed,
        tasks=listed(task or []),
        levels=[integer("level", value) for value in listed(level or [])],
        modalities=listed([modality]),
        with_twins=twins,
    )
    began = time.monotonic()
    with progress(f"synth {suite}", "shards", quiet=json) as update:
        result = synthesize(plan, out, executor=chosen, share=share, progress=update)
    seconds = time.monotonic() - began
    if json:
        print_json(
            {
                "out": str(out),
                "complete": result.manifest.complete,
                "digest": result.manifest.digest,
                "rows": result.rows,
                "shards": result.shards,
                "made": result.made,
                "missing": result.missing,
                "seconds": round(seconds, 3),
            }
        )
        return
    print_line(
        f"{out}: {result.rows} problems in {result.shards} shards "
        f"({result.made} made, {result.shards - result.made} already there), {seconds:.1f} s"
    )
    if result.missing:
        print_line(f"{result.missing} shards of other jobs are still to come")
    else:
        print_line(f"complete: {result.manifest.rows} problems, digest {result.manifest.digest}")
