"""``benchgen train``: one training run, or the rest of one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import benchgen
from benchgen.dataset import read_rows
from benchgen.errors import InputError
from evaluators.questions import read_data, read_questions

Progress = Callable[[int, int], None]
"""Called with the steps done and the steps wanted."""

SFT = "sft"
ENGINES = ("transformers", "vllm")


@dataclass(frozen=True, slots=True)
class Job:
    """All that a training run is asked for; the fields are the command's options.

    ``objective`` is ``sft`` or a preset's name, ``overrides`` change its settings.
    """

    objective: str
    model: str
    data: str
    steps: int
    learning_rate: float
    modality: str = "text"
    warmup: int = 0
    decay: str = "constant"
    weight_decay: float = 0.0
    batch: int = 8
    replies: str = "solution"
    prompts: int = 8
    samples: int = 8
    max_tokens: int = 256
    temperature: float = 1.0
    dynamic: bool = False
    updates: int = 1
    mini_batches: int = 1
    overrides: tuple[str, ...] = ()
    rewards: tuple[str, ...] = ("correctness",)
    engine: str = "transformers"
    window: int = 64
    validation: str | None = None
    validate_every: int = 0
    save_every: int = 50
    keep: int = 2
    micro_tokens: int = 4096
    seed: int = 0
    max_minutes: float = 0.0
    most_tokens: int = 0
    autocast: bool = False


def run_training(job: Job, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Train, and say where it ended: ``steps``, ``stopped``, ``checkpoint``, ``metrics``.

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
    from finetune.training_folder import METRICS, check_folder, write_config

    if job.modality != "text":
        raise InputError(f"a policy here reads text, not {job.modality!r}")
    optimization = Optimization(
        job.steps, job.learning_rate, job.warmup, job.decay, job.weight_decay
    )
    prepared = _sft(job, optimization) if job.objective == SFT else _rl(job, optimization)
    data = read_data(Path(job.data))
    if "test" in data.split.split("+"):
        raise InputError(f"{job.data} is of the split test, which is not learned from")
    validation = read_data(Path(job.validation)) if job.validation else None
    record = {
        **dataclasses.asdict(job),
        "data_digest": data.digest,
        "validation_digest": validation.digest if validation else "",
        "benchgen_version": benchgen.__version__,
    }
    from finetune.policy import load_policy
    from finetune.ranks import joined

    check_folder(out, record)
    for name in ("save_every", "keep", "validate_every", "max_minutes", "most_tokens"):
        if getattr(job, name) < 0:
            raise InputError(f"--{name.replace('_', '-')} is 0 or more")
    step = latest_step(out)
    source = job.model if step is None else str(checkpoint_path(out, step))
    with joined() as ranks:
        policy = load_policy(source, autocast=job.autocast)
        if ranks.first:
            write_config(out, record)
        ranks.wait()
        with _memory_told(job):
            told = progress if ranks.first else None
            trained = prepared(policy, source, out, ranks, told)
    return {
        "out": str(out),
        "steps": trained.steps,
        "stopped": trained.stopped,
        "checkpoint": str(trained.checkpoint),
        "metrics": str(out / METRICS),
        "rows_share_prompts": policy.shared,
        "why_not": policy.unshared,
    }


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


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """``name=value`` each; a value is JSON, or else a word.

    Raises
    ------
    InputError
        One has no name or no value.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"an override is name=value, not {text!r}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _sft(job: Job, optimization: Any) -> Callable[..., Any]:
    from finetune.examples import REPLIES, read_examples
    from finetune.sft import Pace, imitate

    if job.overrides:
        raise InputError("sft has no objective to override")
    if job.validation or job.validate_every:
        raise InputError("sft is not validated as it goes: ask its checkpoints")
    if job.replies not in REPLIES:
        raise InputError(f"--replies is {', '.join(REPLIES)}, not {job.replies!r}")
    pace = Pace(
        batch=job.batch, micro_tokens=job.micro_tokens, seed=job.seed, save_every=job.save_every,
        keep=job.keep, max_minutes=job.max_minutes, most_tokens=job.most_tokens,
    )  # fmt: skip

    def begin(
        policy: Any, source: str, out: Path, ranks: Any, progress: Progress | None
    ) -> Any:
        examples, longer = read_examples(
            Path(job.data), policy, modality=job.modality, replies=job.replies
        )
        if longer:
            print(f"{longer} examples are longer than the context: left out", file=sys.stderr)
        return imitate(policy, examples, out, optimization, pace, progress, ranks)

    return begin


def _rl(job: Job, optimization: Any) -> Callable[..., Any]:
    from finetune.objectives import resolve
    from finetune.rewards import check_rewards, parse_reward
    from finetune.trainer import Course, Practice, train

    settings = {"correction": "truncate", **parse_overrides(job.overrides)}
    if job.objective == "dr_grpo":
        settings.setdefault("max_length", job.max_tokens)
    objective = resolve(job.objective, **settings)
    if objective.value_coef or objective.advantage == "gae":
        raise InputError(f"{job.objective} needs a critic, which this trainer has none of")
    if objective.entropy_coef:
        raise InputError("entropy_coef needs an entropy with gradient, which this trainer lacks")
    if job.engine not in ENGINES:
        raise InputError(f"rollouts are sampled by {', '.join(ENGINES)}, not {job.engine!r}")
    practice = Practice(
        prompts=job.prompts, samples=job.samples, max_tokens=job.max_tokens,
        temperature=job.temperature, dynamic=job.dynamic, updates=job.updates,
        mini_batches=job.mini_batches,
    )  # fmt: skip
    course = Course(
        micro_tokens=job.micro_tokens, seed=job.seed, save_every=job.save_every, keep=job.keep,
        validate_every=job.validate_every, max_minutes=job.max_minutes,
        most_tokens=job.most_tokens,
    )  # fmt: skip
    if bool(job.validation) != bool(job.validate_every):
        raise InputError("--validation and --validate-every go together")
    if job.validation:
        _check_apart(Path(job.data), Path(job.validation))
    rewards = [parse_reward(text) for text in job.rewards]
    questions = list(read_questions(Path(job.data), job.modality))
    check_rewards(rewards, [question.problem for question in questions[:16]])

    def begin(
        policy: Any, source: str, out: Path, ranks: Any, progress: Progress | None
    ) -> Any:
        reference = None
        if objective.kl_coef or objective.reward_kl_coef:
            from finetune.policy import load_policy

            reference = load_policy(job.model, autocast=job.autocast)
            reference.model.requires_grad_(False)
        engine = _engine(job, policy, source)
        validate = None
        if job.validation is not None:
            validate = _validator(job, engine, Path(job.validation), out)

        def tell(step: int, steps: int, figures: Mapping[str, float]) -> None:
            if progress is not None:
                progress(step, steps)

        with contextlib.closing(engine):
            return train(
                policy, engine, questions, rewards, objective, out, practice=practice,
                course=course, optimization=optimization, reference=reference, validate=validate,
                progress=tell, ranks=ranks,
            )  # fmt: skip

    return begin


def _engine(job: Job, policy: Any, source: str) -> Any:
    """What samples: the very model that is trained, or a vLLM that is given its weights."""
    if job.engine == "vllm":
        from evaluators.engines.vllm import VllmEngine

        return VllmEngine(source, window=job.window, dtype="float32")
    from evaluators.engines.transformers import LoadedModel, TransformersEngine

    return TransformersEngine(
        LoadedModel(job.model, policy.model, policy.tokenizer), window=job.window
    )


@dataclass(frozen=True, slots=True)
class _Named:
    """An engine under the name of what it has become, for the board."""

    engine: Any
    name: str

    @property
    def window(self) -> int:
        return int(self.engine.window)

    def generate(self, requests: Any) -> Any:
        return self.engine.generate(requests)

    def describe(self) -> Mapping[str, Any]:
        return {**self.engine.describe(), "model": self.name}

    def close(self) -> None:
        """The engine is its owner's to close."""


def _check_apart(data: Path, validation: Path) -> None:
    """Whether what is validated on is not learned from."""
    ids = {row["id"] for row in read_rows(data, ("id",))}
    shared = next((r["id"] for r in read_rows(validation, ("id",)) if r["id"] in ids), None)
    if shared is not None:
        raise InputError(f"{shared!r} is in the training data and in the validation data")


def _validator(job: Job, engine: Any, data: Path, out: Path) -> Callable[[int], float]:
    """Greedy accuracy on ``data`` by the evaluators' runner; a run for the board each time."""
    from evaluators.command import evaluate
    from finetune.checkpoint import random_state, restore_random

    def validate(step: int) -> float:
        before = random_state()
        folder = out / "validation" / f"step-{step:08d}"
        # Of a run that was cut: what it said belongs to weights that are gone.
        shutil.rmtree(folder, ignore_errors=True)
        try:
            found = evaluate(
                data, folder, engine=_Named(engine, f"{out.name}-step-{step}"),
                modality=job.modality, max_tokens=job.max_tokens,
            )  # fmt: skip
        finally:
            # What is only looked at leaves no trace in what is trained.
            restore_random(before)
        accuracy = found.summary["overall"]["accuracy"]
        return float("nan") if accuracy is None else float(accuracy)

    return validate

