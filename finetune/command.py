"""``benchgen train``: one training run, or the rest of one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchgen
from benchgen.errors import InputError
from evaluators.questions import read_data, read_questions
from finetune.job import SFT, Job, parse_overrides

if TYPE_CHECKING:
    from finetune.course import Course, Progress, Trained
    from finetune.optimizer import Optimization
    from finetune.passes import Scorer
    from finetune.policy import Policy
    from finetune.ranks import Ranks

Begin = Callable[["Policy", str, Path, "Ranks", "Progress | None"], "Trained"]
"""Trains a policy that was loaded from a name or folder, into a folder."""


def run_training(job: Job, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Train, and say where it ended: ``steps``, ``stopped``, ``checkpoint``, ``metrics``, ...

    Raises
    ------
    InputError
        Bad input, or ``out`` holds another run; nothing was trained then.
    OSError
        The disk is full, say; the last checkpoint stays, and the run can be resumed.
    """
    try:
        from finetune.optimizer import Optimization
    except ImportError as error:
        raise InputError(f"training is not installed here: {error}") from error
    from finetune.checkpoint import checkpoint_path, latest_step
    from finetune.course import Course
    from finetune.held_out import check_held_out
    from finetune.ranks import joined
    from finetune.trackers import check_trackers, tracked
    from finetune.training_folder import METRICS, check_folder, write_config

    check_trackers(job.track)
    if job.plot:
        from finetune.drawing import check_drawing

        check_drawing()
    optimization = Optimization(
        job.steps, job.learning_rate, job.warmup, job.decay, job.weight_decay,
        critic_learning_rate=job.critic_learning_rate,
    )  # fmt: skip
    course = Course(
        job.micro_tokens, job.seed, job.save_every, job.keep, job.max_minutes, job.most_tokens
    )
    begin = (_sft if job.objective == SFT else _rl)(job, optimization, course)
    record = {
        **dataclasses.asdict(job),
        # Whoever reads it later may stand elsewhere.
        "model": str(Path(job.model).resolve()) if Path(job.model).is_dir() else job.model,
        **_digests(job),
        "benchgen_version": benchgen.__version__,
    }
    check_folder(out, record)
    check_held_out(job)
    step = latest_step(out)
    if any((out / "test").glob("step-*")) and (step or 0) < job.steps:
        raise InputError(
            f"the test set was asked at the end of {out}: it goes on without --test, or elsewhere"
        )
    checkpoint = None if step is None else checkpoint_path(out, step)
    with joined(job.shard_weights) as ranks:
        if ranks.sharded and ranks.first:
            print(_needs(job, ranks), file=sys.stderr)
        with _memory_told(job):
            policy = _load(job, checkpoint)
        if ranks.first:
            write_config(out, record)
        ranks.wait()
        with _memory_told(job), tracked(job.track, out, record) as track:

            def told(done: int, wanted: int, line: Mapping[str, Any]) -> None:
                track(line)
                if progress is not None:
                    progress(done, wanted, line)

            trained = begin(
                policy, str(checkpoint or job.model), out, ranks, told if ranks.first else None
            )
        found: dict[str, Any] = {
            "out": str(out),
            "steps": trained.steps,
            "stopped": trained.stopped,
            "checkpoint": str(trained.checkpoint),
            "best": None if trained.best is None else str(trained.best),
            "metrics": str(out / METRICS),
            "rows_share_prompts": policy.shared,
            "why_not": policy.unshared,
        }
        if ranks.first:
            found |= _drawn(job, policy, out)
        if job.test is not None and ranks.first:
            from finetune.held_out import score_test

            chosen = trained.best or trained.checkpoint
            found["test"] = score_test(
                job, lambda path: _engine_of(job, path), Path(job.test), out, chosen
            )
        ranks.wait()
    return found


def _drawn(job: Job, policy: Policy, out: Path) -> dict[str, str]:
    """What people look at, by its name: the curves if they were asked for, the transcripts."""
    from finetune.transcripts import journalled_steps, write_transcripts

    found = {}
    if job.plot:
        from finetune.curves import draw_curves

        draw_curves([out], out / "curves.svg")
        found["curves"] = str(out / "curves.svg")
    if journalled_steps(out):
        found["transcripts"] = str(write_transcripts(out, policy.tokenizer.decode))
    return found


def _digests(job: Job) -> dict[str, str]:
    """Of the datasets that a job names.

    Raises
    ------
    InputError
        One cannot be read, or what is learned from is of the test split.
    """
    found = {}
    for name in ("data", "validation", "test"):
        path = getattr(job, name)
        if path is not None:
            data = read_data(Path(path))
            if name != "test" and "test" in data.split.split("+"):
                raise InputError(f"{path} is of the split test, which is not learned from")
            found[f"{name}_digest"] = data.digest
    return found


def _load(job: Job, checkpoint: Path | None) -> Policy:
    """The policy as it begins, or as the checkpoint has it."""
    from finetune.policy import ADAPTER, load_policy

    if not job.lora_rank:
        return load_policy(
            str(checkpoint or job.model), autocast=job.autocast, sharded=job.shard_weights
        )
    from finetune.adapter import add_adapter, load_adapter
    from finetune.checkpoint import seed_random

    policy = load_policy(job.model, autocast=job.autocast)
    # Half of an adapter is drawn: every process draws the same.
    seed_random(job.seed)
    if checkpoint is None:
        adapter = add_adapter(policy.model, job.lora_rank)
    else:
        adapter = load_adapter(policy.model, checkpoint / ADAPTER)
    return dataclasses.replace(policy, adapter=adapter)


def _needs(job: Job, ranks: Ranks) -> str:
    """What the model will need of memory, before it is loaded."""
    from finetune.memory import needs, read_config, skeleton

    return str(needs(skeleton(read_config(job.model)), ranks.size))


@contextmanager
def _memory_told(job: Job) -> Iterator[None]:
    """Say in a line that the memory was not enough, and what to do."""
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        words = str(error)
        full = isinstance(error, MemoryError | torch.OutOfMemoryError) or "alloc" in words
        if not full:
            raise
        raise InputError(
            f"out of memory: lower --micro-tokens ({job.micro_tokens}); what was saved stays"
        ) from error


def _sft(job: Job, optimization: Optimization, course: Course) -> Begin:
    from finetune.examples import BOXES, REPLIES, read_examples
    from finetune.sft import imitate

    if job.replies not in REPLIES:
        raise InputError(f"--replies is {', '.join(REPLIES)}, not {job.replies!r}")
    if job.boxed not in BOXES:
        raise InputError(f"--boxed is {' or '.join(BOXES)}, not {job.boxed!r}")
    if not 0 < job.worked <= 1:
        raise InputError(f"--worked is a share above 0 and up to 1, not {job.worked}")
    if job.replies != "solution" and job.is_given("worked"):
        raise InputError(f"--replies {job.replies} shows no solutions: --worked would do nothing")
    if job.batch < 1:
        raise InputError(f"a step takes an example or more, not {job.batch}")

    def begin(
        policy: Policy, source: str, out: Path, ranks: Ranks, progress: Progress | None
    ) -> Trained:
        assert job.data is not None
        examples, longer = read_examples(
            Path(job.data), policy, modality=job.modality, replies=job.replies, boxed=job.boxed,
            worked=job.worked,
        )  # fmt: skip
        if longer:
            print(f"{longer} examples are longer than the context: left out", file=sys.stderr)
        return imitate(policy, examples, out, optimization, course, job.batch, progress, ranks)

    return begin


def _rl(job: Job, optimization: Optimization, course: Course) -> Begin:
    from finetune.held_out import validator
    from finetune.objectives import resolve
    from finetune.objectives.vppo import needs_masked_image
    from finetune.rewards import check_rewards, parse_reward
    from finetune.trainer import Practice, Validation, needs_critic, train

    settings = {"correction": "truncate", **parse_overrides(job.overrides)}
    objective = resolve(job.objective, **{"max_length": job.max_tokens, **settings})
    if not objective.by_length:
        objective = resolve(job.objective, **settings)
    if objective.replay_beta is not None and job.dynamic:
        raise InputError(f"{job.objective} replays groups as they are: it goes without --dynamic")
    if needs_masked_image(objective) and job.modality == "text":
        raise InputError(f"{job.objective} learns from pictures: give --modality image")
    if objective.advantage == "canon" and objective.canon_metric not in ("entropy", "length"):
        raise InputError(
            f"replies are sorted by entropy or length here, not by {objective.canon_metric!r}"
        )
    if job.is_given("critic_learning_rate") and not needs_critic(objective):
        raise InputError(f"{job.objective} has no critic: --critic-learning-rate would do nothing")
    practice = Practice(
        prompts=job.prompts, samples=job.samples, max_tokens=job.max_tokens,
        temperature=job.temperature, dynamic=job.dynamic, updates=job.updates,
        mini_batches=job.mini_batches, least_entropy=job.least_entropy,
    )  # fmt: skip
    rewards = [parse_reward(text, job.max_tokens) for text in job.rewards]
    questions = _questions(job)
    check_rewards(rewards, questions.samples())

    def begin(
        policy: Policy, source: str, out: Path, ranks: Ranks, progress: Progress | None
    ) -> Trained:
        if job.modality != "text" and policy.reader is None:
            raise InputError(f"the policy takes no pictures: its modality is not {job.modality!r}")
        reference = critic = validation = None
        if objective.kl_coef or objective.reward_kl_coef:
            reference = _reference(job, policy)
        if needs_critic(objective):
            from finetune.critic import load_critic

            critic = load_critic(job.model, policy)
        trained = [p for one in (policy, critic) if one is not None for p in one.model.parameters()]
        engine = _engine(job, policy, source, trained, ranks)
        if job.validation is not None:
            ask = validator(job, engine, Path(job.validation), out)
            validation = Validation(job.validate_every, ask)
        with contextlib.closing(engine):
            return train(
                policy, engine, questions, rewards, objective, out, practice=practice,
                course=course, optimization=optimization, reference=reference, critic=critic,
                validation=validation, progress=progress, ranks=ranks,
            )  # fmt: skip

    return begin


def _questions(job: Job) -> Any:
    """Where the questions come from: a dataset, or a suite's generators."""
    if job.suite is not None:
        from finetune.curriculum import curriculum

        return curriculum(
            job.suite, job.tasks, job.levels, modality=job.modality, seed=job.seed,
            adaptive=job.curriculum,
        )  # fmt: skip
    from finetune.questions import Listed

    assert job.data is not None
    return Listed(list(read_questions(Path(job.data), job.modality)), job.seed)


def _reference(job: Job, policy: Policy) -> Scorer:
    """What the policy began as."""
    if policy.adapter is not None:
        from finetune.adapter import WithoutAdapter

        return WithoutAdapter(policy)
    from finetune.policy import load_policy

    reference = load_policy(job.model, autocast=job.autocast, sharded=job.shard_weights)
    reference.model.requires_grad_(False)
    return reference


def _engine(job: Job, policy: Policy, source: str, trained: Sequence[Any], ranks: Ranks) -> Any:
    """What samples: the very model that is trained, or a vLLM that is given its weights.

    Raises
    ------
    InputError
        The ranks are on several machines, or their GPUs have no room for engines.
    """
    if job.engine == "vllm":
        if int(os.environ.get("LOCAL_WORLD_SIZE", ranks.size)) != ranks.size:
            raise InputError("vLLM is given weights on one machine: for several see docs/scale.md")
        return _engine_of(job, source, trained)
    from evaluators.engines.transformers import LoadedModel, TransformersEngine

    return TransformersEngine(
        LoadedModel(job.model, policy.model, policy.tokenizer, policy.processor),
        window=job.window,
    )


def _engine_of(job: Job, path: str, trained: Sequence[Any] = ()) -> Any:
    """An engine on a model of its own, beside what is ``trained`` where there is a GPU."""
    if job.engine == "vllm":
        from evaluators.engines.vllm import VllmEngine
        from finetune.memory import engine_share

        precision = "bfloat16" if job.autocast else "float32"
        return VllmEngine(
            path, window=job.window, dtype=precision, sleeps=True,
            memory_share=engine_share(trained),
        )  # fmt: skip
    from evaluators.engines.transformers import TransformersEngine

    return TransformersEngine(path, window=job.window, dtype="float32")


def step_line(figures: Mapping[str, float]) -> str:
    """A step's figures in a few words, for whoever watches."""
    found = []
    for name, words in (
        ("loss", "loss {:.4f}"),
        ("accuracy", "right {:.1%}"),
        ("reward", "reward {:.3f}"),
        ("length", "{:.0f} tokens"),
        ("entropy", "entropy {:.3f}"),
        ("clipped_high", "clipped {:.2%} high"),
        ("clipped_low", "{:.2%} low"),
        ("zero_variance_groups", "alike {:.0%}"),
        ("mismatch_k3", "mismatch {:.1e}"),
        ("validation", "held out {:.1%}"),
        ("seconds_sample", "sample {:.0f} s"),
        ("seconds_learn", "learn {:.0f} s"),
        ("seconds", "{:.1f} s"),
    ):
        if name in figures:
            found.append(words.format(figures[name]))
    return ", ".join(found)
