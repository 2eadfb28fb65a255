"""The command line, ``benchgen``.

Conventions
-----------
* Results go to stdout, progress and errors to stderr; ``--json`` makes stdout one
  JSON object.
* Exit code 0: done. 1: a check failed, or the machine did (one line says which). 2:
  the input was at fault (one line says how). A traceback is shown under ``--debug``
  alone, which may stand anywhere on the line.
* Every command imports what it needs when it runs: importing this module is quick,
  and this is the one module of ``benchgen`` that knows the other packages.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import Abort, Exit, TyperException

from benchgen.console import note, print_json, print_line, progress
from benchgen.errors import InputError

if TYPE_CHECKING:
    from evaluators.command import Evaluation

app = typer.Typer(
    name="benchgen",
    help="Synthesize problems whose answers are known, ask models, rank them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes to work in.")]
Split = Annotated[str, typer.Option(help="train, validation or test.")]
Seed = Annotated[int, typer.Option(help="Another seed, other items.")]


@app.callback()
def benchgen(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (any place will do).")
    ] = False,
) -> None:
    """Synthesize problems whose answers are known, ask models, rank them."""


@app.command()
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
        tasks=_listed(task or []),
        levels=[_integer("level", value) for value in _listed(level or [])],
        modalities=_listed([modality]),
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


@app.command()
def show(
    task: Annotated[str, typer.Argument(help="The task, for example sheet_music/interval_name.")],
    level: Annotated[int, typer.Option(help="1 to 4.")] = 1,
    seed: Seed = 0,
    index: Annotated[int, typer.Option(help="Which item of this task, level and split.")] = 0,
    split: Split = "test",
    out: Annotated[Path | None, typer.Option(help="Write the picture here (PNG).")] = None,
    json: Json = False,
) -> None:
    """Show one item: question, notation, options, key and worked solution."""
    from benchgen.show import item_record, save_picture, show_item
    from benchgen.task import make

    problem = make(task, split=split, seed=seed, index=index, level=level)
    if out is not None:
        save_picture(problem, out)
    if json:
        print_json(item_record(problem, out))
    else:
        show_item(problem, out)


@app.command()
def tasks(
    suite: Annotated[str | None, typer.Argument(help="One suite (default all).")] = None,
    json: Json = False,
) -> None:
    """List the tasks, with the capacity of each level by split."""
    from benchgen.show import capacities, show_capacities

    records = capacities(suite)
    if json:
        print_json({"tasks": records})
    else:
        show_capacities(records)


@app.command()
def gallery(
    suite: Annotated[str, typer.Argument(help="The suite.")],
    out: Annotated[Path, typer.Option(help="The page to write (HTML).")],
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Write a page with one item of each task and level, text and picture."""
    from benchgen.gallery import write_gallery

    write_gallery(suite, out, seed)
    if json:
        print_json({"page": str(out)})
    else:
        print_line(str(out))


@app.command()
def verify(
    data: Annotated[Path, typer.Argument(help="The dataset folder.")],
    workers: Workers = 1,
    json: Json = False,
) -> int:
    """Prove a dataset anew: every option, notation and picture, by the second engine."""
    from benchgen.verify import report_lines, verify_dataset

    with progress(f"verify {data}", "shards", quiet=json) as update:
        report = verify_dataset(data, workers, progress=update)
    if json:
        print_json(report)
    else:
        for line in report_lines(report):
            print_line(line)
    return 0 if report["passed"] else 1


@app.command()
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
    names, levels = _listed(task or []), _listed(level or [])
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
                [_integer("level", value) for value in levels],
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


@app.command(name="eval")
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
                _listed(tasks or []),
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
        measures=tuple(parse_measure(name) for name in _listed(at or [])),
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


@app.command()
def train(
    objective: Annotated[
        str, typer.Option(help="sft, or a preset (docs/objectives.md): grpo, dapo, gspo, ...")
    ],
    out: Annotated[Path, typer.Option(help="The run folder; an old one is resumed.")],
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps (sft), or rollouts.")],
    data: Annotated[Path | None, typer.Option(help="The dataset folder to learn from.")] = None,
    suite: Annotated[
        str | None, typer.Option(help="Instead of a dataset: fresh items of this suite.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="--suite: only this task (may be repeated).")
    ] = None,
    level: Annotated[
        list[int] | None, typer.Option(help="--suite: only this level (may be repeated).")
    ] = None,
    curriculum: Annotated[
        bool, typer.Option(help="--suite: ask most where about half of the replies are right.")
    ] = False,
    model: Annotated[str, typer.Option(help="smollm2, a folder, or a Hub id.")] = "smollm2",
    lora_rank: Annotated[int, typer.Option(help="Train an adapter of this rank (0: all.)")] = 0,
    learning_rate: Annotated[float, typer.Option(help="AdamW's.")] = 1e-5,
    critic_learning_rate: Annotated[float, typer.Option(help="ppo: that of the critic.")] = 1e-5,
    warmup: Annotated[int, typer.Option(help="Steps until it is reached.")] = 0,
    decay: Annotated[str, typer.Option(help="constant, linear or cosine.")] = "constant",
    weight_decay: Annotated[float, typer.Option(help="AdamW's.")] = 0.0,
    modality: Annotated[str, typer.Option(help="text, image, or both.")] = "text",
    batch: Annotated[int, typer.Option(help="sft: examples a step.")] = 8,
    replies: Annotated[str, typer.Option(help="sft: solution, answer, or format.")] = "solution",
    prompts: Annotated[int, typer.Option(help="Groups a step.")] = 8,
    samples: Annotated[int, typer.Option("-n", help="Replies a group.")] = 8,
    max_tokens: Annotated[int, typer.Option(help="The longest reply.")] = 256,
    temperature: Annotated[float, typer.Option(help="Of sampling.")] = 1.0,
    dynamic: Annotated[
        bool, typer.Option(help="Draw others for groups whose verdicts are all alike.")
    ] = False,
    updates: Annotated[int, typer.Option(help="Times that a batch is gone through.")] = 1,
    mini_batches: Annotated[int, typer.Option(help="Optimizer steps each time.")] = 1,
    override: Annotated[
        list[str] | None, typer.Option(help="A setting of the objective, name=value.")
    ] = None,
    reward: Annotated[
        list[str] | None,
        typer.Option(
            help="correctness, form, overlong:TOKENS, or module:function, each perhaps =weight."
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="transformers (the model itself), or vllm.")] = (
        "transformers"
    ),
    window: Annotated[int, typer.Option(min=1, help="Replies sampled at once.")] = 64,
    validation: Annotated[Path | None, typer.Option(help="A dataset to be asked now and then.")] = (
        None
    ),
    validate_every: Annotated[int, typer.Option(help="Steps between (0: never).")] = 0,
    test: Annotated[
        Path | None, typer.Option(help="A dataset to be asked once, of the best checkpoint.")
    ] = None,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 50,
    keep: Annotated[int, typer.Option(help="Checkpoints to keep beside the best (0: all).")] = 2,
    micro_tokens: Annotated[int, typer.Option(help="Tokens that the model reads at once.")] = 4096,
    seed: Annotated[int, typer.Option(help="The run's seed.")] = 0,
    max_minutes: Annotated[float, typer.Option(help="End after so long (0: never).")] = 0.0,
    most_tokens: Annotated[int, typer.Option(help="End after so many tokens (0: never).")] = 0,
    least_entropy: Annotated[
        float, typer.Option(help="End where the entropy is below, in nats.")
    ] = 0.0,
    autocast: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = False,
    shard_weights: Annotated[
        bool, typer.Option(help="Under torchrun: each process holds a part of every weight.")
    ] = False,
    track: Annotated[str, typer.Option(help="tensorboard, trackio, or both with a comma.")] = "",
    plot: Annotated[bool, typer.Option(help="Draw curves.svg at the end.")] = False,
    json: Json = False,
) -> None:
    """Train a model: sft on worked solutions, or rewards for right answers."""
    from finetune.command import run_training, step_line
    from finetune.job import Job

    job = Job(
        objective=objective,
        model=model,
        steps=steps,
        learning_rate=learning_rate,
        data=None if data is None else str(data),
        suite=suite,
        tasks=tuple(task or ()),
        levels=tuple(level or ()),
        curriculum=curriculum,
        modality=modality,
        lora_rank=lora_rank,
        autocast=autocast,
        warmup=warmup,
        decay=decay,
        weight_decay=weight_decay,
        critic_learning_rate=critic_learning_rate,
        batch=batch,
        replies=replies,
        prompts=prompts,
        samples=samples,
        max_tokens=max_tokens,
        temperature=temperature,
        dynamic=dynamic,
        updates=updates,
        mini_batches=mini_batches,
        overrides=tuple(override or ()),
        rewards=tuple(reward or ("correctness",)),
        engine=engine,
        window=window,
        validation=None if validation is None else str(validation),
        validate_every=validate_every,
        test=None if test is None else str(test),
        save_every=save_every,
        keep=keep,
        micro_tokens=micro_tokens,
        seed=seed,
        max_minutes=max_minutes,
        most_tokens=most_tokens,
        least_entropy=least_entropy,
        shard_weights=shard_weights,
        track=tuple(filter(None, track.split(","))),
        plot=plot,
    )
    # Of the processes of one training the first speaks.
    first = os.environ.get("RANK", "0") == "0"
    with progress(f"train {objective}", "steps", quiet=json or not first) as update:
        result = run_training(
            job, out, lambda done, wanted, figures: update(done, wanted, step_line(figures))
        )
    if not first:
        return
    if json:
        print_json(result)
        return
    print_line(f"{result['steps']} steps; checkpoint: {result['checkpoint']}")
    if result["stopped"]:
        print_line(f"ended: {result['stopped']}")
    if result["best"] is not None:
        print_line(f"best: {result['best']}")
    if "test" in result:
        whole = result["test"] is not None
        print_line(f"test: {100 * result['test']:.1f} % right" if whole else "test: not complete")
    for name in ("transcripts", "curves"):
        if name in result:
            print_line(f"{name}: {result[name]}")


@app.command()
def study(
    name: Annotated[str, typer.Argument(help="learning: imitation, then reinforcement.")],
    out: Annotated[Path, typer.Option(help="The study's folder; an old one is resumed.")],
    seed: Annotated[int, typer.Option(help="The study's seed.")] = 0,
    model: Annotated[str, typer.Option(help="smollm2, a folder, or a Hub id.")] = "smollm2",
    engine: Annotated[str, typer.Option(help="vllm, or transformers.")] = "vllm",
    json: Json = False,
) -> None:
    """Run an experiment of the docs from its data to its table; cut anywhere, it goes on."""
    from finetune.learning_study import Study, run_study, study_lines

    if name != "learning":
        raise InputError(f"unknown study {name!r}; there is: learning")
    found = run_study(Study(seed=seed, model=model, engine=engine), out, note)
    if json:
        print_json(found)
        return
    for line in study_lines(found):
        print_line(line)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; the others against the first.")],
    json: Json = False,
) -> None:
    """Compare runs on the same problems: effect, interval, paired test."""
    from evaluators.compare import compare_runs, comparison_lines

    record = compare_runs(runs)
    if json:
        print_json(record)
    else:
        for line in comparison_lines(record):
            print_line(line)


@app.command()
def power(
    effect: Annotated[float, typer.Option(help="The rise in accuracy to be seen, as a share.")],
    accuracy: Annotated[float, typer.Option(help="The accuracy that it rises from.")] = 0.5,
    samples: Annotated[int, typer.Option("-n", help="Replies to each problem.")] = 1,
    spread: Annotated[
        float, typer.Option(help="1: a problem is always or never solved; 0: all are alike.")
    ] = 1.0,
    together: Annotated[
        float, typer.Option(help="Correlation between the models of what they solve.")
    ] = 0.0,
    alpha: Annotated[float, typer.Option(help="The rate of false alarms, two-sided.")] = 0.05,
    sure: Annotated[float, typer.Option("--power", help="How often it is to be seen.")] = 0.8,
    json: Json = False,
) -> None:
    """Tell how many problems a paired comparison needs to see a difference."""
    from evaluators.power import problems_needed

    needed = problems_needed(
        effect,
        accuracy,
        samples=samples,
        spread=spread,
        together=together,
        power=sure,
        alpha=alpha,
    )
    if json:
        print_json({"problems": needed})
    else:
        print_line(
            f"{needed} problems show a rise from {100 * accuracy:g} % by {100 * effect:g} points "
            f"in {100 * sure:g} of 100 comparisons"
        )


@app.command()
def board(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[Path, typer.Option(help="The folder of the page.")],
    audit: Annotated[
        Path | None, typer.Option(help="An audit's JSON, for the best blind reader.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The page's heading.")] = None,
    json: Json = False,
) -> None:
    """Build a leaderboard page from runs."""
    from leaderboards.command import build

    record = build(runs, out, audit=audit, title=title)
    if json:
        print_json(record)
        return
    for group in record["groups"]:
        print_line(f"{group['suite']}, {group['modality']}, data {group['data']}")
        for row in group["rows"]:
            accuracy = row["accuracy"]
            shown = "-" if accuracy is None else f"{100 * accuracy:.1f} %"
            print_line(f"  {shown:>8}  {row['name']}")
    print_line(f"page: {record['page']}")


@app.command()
def publish(
    kind: Annotated[str, typer.Argument(help="model.")],
    path: Annotated[Path, typer.Argument(help="A training folder, or one of its checkpoints.")],
    repo: Annotated[str, typer.Option(help="Where on the Hub: owner/name.")],
    out: Annotated[Path, typer.Option(help="The folder for the card and its picture.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the card and list the files; send nothing.")
    ] = False,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Ask the repository's owner instead.")
    ] = False,
    licence: Annotated[str | None, typer.Option(help="Such as apache-2.0.")] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="A dataset of the Hub it learned from.")
    ] = None,
    json: Json = False,
) -> None:
    """Publish a trained model on the Hub, with a card and its curves."""
    from finetune.curves import draw_curves
    from leaderboards.publish import publish_model
    from leaderboards.trained import read_trained

    if kind != "model":
        raise InputError(f"what is published is model, not {kind!r}")
    curves = out / "curves.svg"
    folder = read_trained(path).stages[-1].folder
    out.mkdir(parents=True, exist_ok=True)
    draw_curves([folder], curves)
    result = publish_model(
        path,
        repo,
        out,
        dry_run=dry_run,
        curves=curves,
        licence=licence,
        datasets=dataset or (),
        create_pr=create_pr,
    )
    if json:
        print_json(result)
        return
    for file in result["files"]:
        print_line(f"{file['bytes']:>12,}  {file['path']}")
    print_line(f"card: {result['card']}")
    print_line(result["url"] or f"nothing was sent to {repo}: --dry-run")


@app.command()
def export(
    form: Annotated[
        str, typer.Argument(metavar="FORMAT", help="For example lm_eval; any other word lists all.")
    ],
    data: Annotated[Path, typer.Argument(help="The dataset folder.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    modality: Annotated[str, typer.Option(help="text or image.")] = "text",
    name: Annotated[
        str | None, typer.Option(help="What it is called there (default suite and modality).")
    ] = None,
    json: Json = False,
) -> None:
    """Put a dataset into a format that another program evaluates models with, or trains them on."""
    from benchgen.export import export_dataset

    source, files = export_dataset(form, data, out, modality=modality, name=name)
    if json:
        print_json(
            {
                "out": str(out),
                "name": source.name,
                "problems": len(source.items),
                "files": [str(file) for file in files],
            }
        )
        return
    print_line(f"{source.name}: {len(source.items)} problems for {form}")
    print_line(f"how it is run: {out / 'README.md'}")


@app.command(name="import")
def import_(
    layout: Annotated[
        str, typer.Argument(help="For example ssmr_bench or table; any other word lists all.")
    ],
    file: Annotated[Path, typer.Argument(help="JSON lines, CSV or Parquet.")],
    out: Annotated[Path, typer.Option(help="The dataset folder to write.")],
    name: Annotated[
        str | None, typer.Option(help="The suite's name (default the layout's or the file's).")
    ] = None,
    split: Annotated[str, typer.Option(help="What the file is a split of.")] = "test",
    licence: Annotated[str, typer.Option(help="The licence of the questions.")] = "",
    question: Annotated[str, typer.Option(help="Of a table: the question's column.")] = "",
    options: Annotated[
        str, typer.Option(help="Of a table: the column of all options, or several by comma.")
    ] = "",
    answer: Annotated[str, typer.Option(help="Of a table: the answer's column.")] = "",
    answer_is: Annotated[
        str,
        typer.Option(help="label, letter, index (from 0), number (from 1) or text, if unclear."),
    ] = "",
    text: Annotated[str, typer.Option(help="Of a table: the stimulus's column.")] = "",
    notation: Annotated[str, typer.Option(help="Of a table: its notation, such as abc.")] = "",
    image: Annotated[str, typer.Option(help="Of a table: the column of pictures.")] = "",
    category: Annotated[str, typer.Option(help="Of a table: the category's column.")] = "",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out rows that cannot be used, and say which.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a dataset of questions that others published."""
    from benchgen.outside import chosen_columns
    from benchgen.outside_dataset import import_file

    columns = chosen_columns(
        question=question,
        options=_listed([options]),
        answer=answer,
        answer_is=answer_is,
        text=text,
        notation=notation,
        image=image,
        category=category,
    )
    made = import_file(
        layout,
        file,
        out,
        columns=columns,
        name=name,
        split=split,
        licence=licence,
        skip_bad=skip_bad,
    )
    for line in made.left_out:
        note(f"left out: {line}")
    if json:
        print_json(
            {
                "out": str(out),
                "suite": made.manifest.suite["name"],
                "rows": made.manifest.rows,
                "left_out": len(made.left_out),
                "digest": made.manifest.digest,
            }
        )
        return
    left = f", {len(made.left_out)} rows left out" if made.left_out else ""
    print_line(f"{out}: {made.manifest.rows} problems of {made.manifest.suite['name']}{left}")


@app.command(name="quickstart")
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


class RunIncomplete(RuntimeError):
    """An evaluation ended without a reply to every problem."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process with its code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    debug = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    try:
        command = typer.main.get_command(app)
        # Not ``app(words)``, which turns Ctrl-C and a closed pipe into exits of its own.
        with command.make_context("benchgen", words) as context:
            code = command.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except Exit as leave:
        return leave.exit_code
    except BrokenPipeError:
        # The reader of our output (head, say) has had enough; nothing is left to tell it.
        _silence_stdout()
        return 0
    except (KeyboardInterrupt, Abort):
        note("benchgen: interrupted; run the same command to go on")
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        note(f"benchgen: {_explained(error, debug)}")
        return 2 if isinstance(error, InputError | TyperException) else 1


def _explained(error: Exception, debug: bool) -> str:
    from benchgen.executors import ExecutorError

    if isinstance(error, TyperException):
        return _one_line(error.format_message())
    if isinstance(error, InputError | ExecutorError | RunIncomplete):
        return _one_line(str(error))
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return _one_line(f"{error.strerror}{where}")
    hint = "" if debug else "; --debug shows where"
    return _one_line(f"internal error: {type(error).__name__}: {error}{hint}")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _silence_stdout() -> None:
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


def _listed(values: Sequence[str]) -> list[str]:
    """The parts of options that may be repeated and may hold several, by comma."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


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


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{name} is a whole number, not {text!r}") from None


if __name__ == "__main__":
    main()
