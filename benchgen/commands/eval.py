"""``benchgen eval``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchgen.commands.options import Json, listed
from benchgen.console import note, print_json, print_line, progress
from benchgen.errors import InputError, RunIncomplete

if TYPE_CHECKING:
    from evaluators.command import Evaluation


def evaluate(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The run folder; an old one is resumed.")],
    data: Annotated[Path | None, typer.Option(help="The dataset folder.")] = None,
    model: Annotated[
        str | None, typer.Option(help="smollm2, a folder, a Hub id, or a server's name of it.")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="vllm, openai (a server), transformers, or "
            "scripted:gold, scripted:random, scripted:position."
        ),
    ] = "vllm",
    server: Annotated[
        list[str] | None, typer.Option(help="openai: a base URL; give several to spread the work.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="openai: at most so many requests a second.")
    ] = None,
    window: Annotated[int | None, typer.Option(min=1, help="Requests at once.")] = None,
    modality: Annotated[str, typer.Option(help="text, image, or both.")] = "text",
    samples: Annotated[int, typer.Option("-n", help="Replies to each problem.")] = 1,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.0,
    top_p: Annotated[float, typer.Option(help="Nucleus sampling.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The run's seed.")] = 0,
    max_tokens: Annotated[int, typer.Option(help="The longest reply.")] = 512,
    stop: Annotated[
        list[str] | None, typer.Option(help="A string that ends a reply; may be repeated.")
    ] = None,
    regex: Annotated[str, typer.Option(help="What a reply must match, from end to end.")] = "",
    thinking_budget: Annotated[
        int, typer.Option(help="Tokens after which a thought is ended (0: never).")
    ] = 0,
    thinking_marks: Annotated[
        str | None, typer.Option(help="What begins and ends a thought, by comma.")
    ] = None,
    system: Annotated[Path | None, typer.Option(help="A file with the system prompt.")] = None,
    prefix: Annotated[str, typer.Option(help="What every reply begins with.")] = "",
    shots: Annotated[int, typer.Option(help="Worked examples before each problem.")] = 0,
    shots_data: Annotated[
        Path | None, typer.Option(help="The dataset that they are taken from.")
    ] = None,
    no_stimulus: Annotated[
        bool, typer.Option("--no-stimulus", help="Blind control: show no score.")
    ] = False,
    other_stimulus: Annotated[
        bool, typer.Option("--other-stimulus", help="Blind control: show another item's score.")
    ] = False,
    at: Annotated[list[str] | None, typer.Option(help="avg@k, pass@k, maj@k, by comma.")] = None,
    prices: Annotated[
        str | None,
        typer.Option(help="Of a million tokens: prompt,completion or prompt,completion,cached."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many problems.")] = None,
    shard: Annotated[
        str, typer.Option(help="i/n: the i-th of n jobs on one run, an engine each.")
    ] = "1/1",
    rescored: Annotated[
        bool, typer.Option("--rescore", help="Score the replies of the run anew; ask nothing.")
    ] = False,
    harness: Annotated[
        str | None, typer.Option(help="lm-eval: it runs tasks of its own, in place of --data.")
    ] = None,
    tasks: Annotated[
        list[str] | None, typer.Option(help="Of a harness: its tasks, by comma.")
    ] = None,
    include_path: Annotated[
        Path | None, typer.Option(help="Of a harness: a folder with more tasks.")
    ] = None,
    json: Json = False,
) -> int:
    """Ask a model every problem and score its replies.

    Run it again to go on: what is missing or failed is asked, and nothing else.
    """
    from benchgen.executors import parse_share
    from evaluators.at_k import parse_measure
    from evaluators.command import Reporting, rescore
    from evaluators.command import evaluate as run_evaluation
    from evaluators.configuration import Prompting
    from evaluators.metrics import parse_prices

    if harness is not None:
        _refuse_unheeded(context)
        from evaluators.harness import HarnessFailure, evaluate_tasks

        try:
            result = evaluate_tasks(
                listed(tasks or []),
                out,
                model=model,
                engine=engine,
                servers=tuple(server or ()),
                window=window,
                include_path=include_path,
                limit=limit,
                harness=harness,
                watched=sys.stderr.isatty() and not json,
                say=None if json else note,
            )
        except HarnessFailure as failure:
            raise RunIncomplete(str(failure)) from failure
        return _print_evaluation(result, json)
    if tasks or include_path is not None:
        raise InputError("--tasks and --include-path go with --harness")
    if data is None:
        raise InputError("give --data")
    if no_stimulus and other_stimulus:
        raise InputError("--no-stimulus and --other-stimulus exclude each other")
    reporting = Reporting(
        measures=tuple(parse_measure(name) for name in listed(at or [])),
        prices=None if prices is None else parse_prices(prices),
    )
    if rescored:
        result = rescore(data, out, shots_data=shots_data, reporting=reporting)
    else:
        options: dict[str, Any] = {"servers": tuple(server or ()), "rate": rate, "window": window}
        stimulus = "none" if no_stimulus else "other" if other_stimulus else "own"
        with progress(f"eval {model or engine}", "samples", quiet=json) as update:
            result = run_evaluation(
                data,
                out,
                model=model,
                engine=engine,
                engine_options={name: value for name, value in options.items() if value},
                modality=modality,
                samples=samples,
                temperature=temperature,
                top_p=top_p,
                seed=seed,
                max_tokens=max_tokens,
                stop=tuple(stop or ()),
                regex=regex,
                thinking_budget=thinking_budget,
                thinking_marks=() if thinking_marks is None else _two_marks(thinking_marks),
                limit=limit,
                prompting=Prompting(
                    system="" if system is None else _read_text(system),
                    prefix=prefix,
                    shots=shots,
                    stimulus=stimulus,
                ),
                shots_data=shots_data,
                share=parse_share(shard),
                reporting=reporting,
                progress=update,
            )
    return _print_evaluation(result, json)


HEEDED = frozenset(
    ("harness", "tasks", "include_path", "model", "engine", "server")
    + ("window", "limit", "out", "json")
)
"""The options of ``eval`` that a harness heeds."""


def _refuse_unheeded(context: typer.Context) -> None:
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        given = source is not None and source.name == "COMMANDLINE"
        if given and parameter.name not in HEEDED:
            raise InputError(
                f"{parameter.opts[0]} does not go with --harness: "
                "its tasks say themselves how they are asked"
            )


def _print_evaluation(result: Evaluation, json: bool) -> int:
    from evaluators.command import summary_lines

    if json:
        print_json(result.summary)
    else:
        for line in summary_lines(result.summary):
            print_line(line)
    return result.exit_code


def _two_marks(text: str) -> tuple[str, str]:
    begin, comma, end = text.partition(",")
    if not (begin and comma and end):
        raise InputError(f"--thinking-marks are two, such as <think>,</think>, not {text!r}")
    return begin, end


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
