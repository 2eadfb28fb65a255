"""``benchgen train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from benchgen.commands.options import Json, integer, listed
from benchgen.console import print_json, print_line, progress


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
        list[str] | None, typer.Option(help="--suite: only these tasks, by comma.")
    ] = None,
    level: Annotated[
        list[str] | None, typer.Option(help="--suite: only these levels, by comma.")
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
    boxed: Annotated[str, typer.Option(help="sft: an option's letter, or its words.")] = "letter",
    worked: Annotated[
        float, typer.Option(help="sft: share of solutions; the others get the answer alone.")
    ] = 1.0,
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
        tasks=tuple(listed(task or [])),
        levels=tuple(integer("level", value) for value in listed(level or [])),
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
        boxed=boxed,
        worked=worked,
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
