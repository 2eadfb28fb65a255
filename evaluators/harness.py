"""``benchgen eval --harness lm-eval``: tasks that others defined, run by lm_eval.

Conventions
-----------
* lm_eval asks and scores; what it logged becomes a run directory like any other, of the
  suite ``lm_eval``. The data's digest is over all documents of the tasks, so that models meet on
  one board whatever their chat templates, and a limited run counts there as a part.
* A task is asked as it says itself (worked examples, length, sampling), through the model's
  chat template where it has one.
* lm_eval cannot take up what it was killed in: the folder appears when the run is complete.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import io
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

import benchgen
from benchgen.errors import InputError
from evaluators.command import Evaluation, summarize
from evaluators.configuration import Data, RunConfig
from evaluators.engines.openai_server import split_credentials
from evaluators.engines.smollm2 import model_path
from evaluators.harness_samples import (
    SUITE,
    Logged,
    Task,
    first_metric,
    read_logged,
    task_digest,
)
from evaluators.run_writing import write_run

HARNESSES = ("lm-eval",)
INSTALL = "pip install 'lm_eval[hf,api]==0.4.13'"
SEED = 1234
"""lm_eval's own, for the worked examples, numpy and torch."""
RANDOM_SEED = 0
"""lm_eval's own, for Python's generator."""
LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""What tasks call the longest reply."""
LENGTH = 256
"""lm_eval's longest reply in tokens, where a task names none."""
REQUESTS = 16
"""At once, to a server."""
TIMEOUT = 600
RETRIES = 5
STDERR = 2
PACKAGES = ("lm_eval", "transformers", "torch", "vllm")


class HarnessFailure(RuntimeError):
    """lm_eval did not come to the end; nothing was written."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked: lm_eval's class of models, its arguments, and our name of the model."""

    kind: str
    arguments: Mapping[str, Any]
    name: str
    packages: tuple[str, ...]


def evaluate_tasks(
    tasks: Sequence[str],
    out: Path | str,
    *,
    model: str | None,
    engine: str = "vllm",
    servers: Sequence[str] = (),
    window: int | None = None,
    include_path: Path | str | None = None,
    limit: int | None = None,
    harness: str = "lm-eval",
    watched: bool = False,
    say: Callable[[str], None] | None = None,
) -> Evaluation:
    """Run ``tasks`` of lm_eval on ``model`` into the folder ``out``, one run for all of them.

    ``tasks`` are names of tasks, groups or tags that lm_eval knows or finds under
    ``include_path``; ``limit`` takes the first so many documents of each. ``window`` is how many
    requests a server is asked at once, or the size of a batch. ``watched`` shows lm_eval's own
    bars; ``say`` is told when the asking begins.

    Raises
    ------
    InputError
        Bad input; a package is missing; ``out`` is not empty; a task is unknown, cannot be
        loaded, or is not scored by document. Nothing was written.
    HarnessFailure
        The model or its server failed on the way. Nothing was written.
    """
    folder = Path(out).resolve()
    if harness not in HARNESSES:
        raise InputError(f"unknown harness {harness!r}; there is: {', '.join(HARNESSES)}")
    if not tasks:
        raise InputError("give --tasks, by comma")
    if limit is not None and limit < 1:
        raise InputError(f"--limit is at least 1, not {limit}")
    if include_path is not None and not Path(include_path).is_dir():
        raise InputError(f"{include_path} is no folder of tasks")
    _check_empty(folder)
    asked = asked_model(engine, model, servers, window)
    with _quiet(watched):
        _need_lm_eval()
        loaded = _load_tasks(tasks, include_path)
        for task in loaded.values():
            _check_task(task, asked.kind)
        counts = {name: len(task.eval_docs) for name, task in loaded.items()}
        digest = task_digest(loaded)
        reader = _open_model(asked)
    wanted = sum(min(limit or count, count) for count in counts.values())
    if say is not None:
        say(f"lm_eval asks {asked.name} {wanted} questions of {', '.join(loaded)}")
    templated = asked.kind == "local-chat-completions" or _has_template(reader)
    began = time.monotonic()
    with _quiet(watched):
        results = _run(reader, loaded, templated, limit)
    seconds = time.monotonic() - began
    logged: list[Logged] = []
    for name, task in loaded.items():
        samples = results["samples"][name]
        logged += read_logged(task, samples, split=_split(task), seed=SEED, seconds=seconds)
    sampling = [_sampling(task) for task in loaded.values()]
    config = RunConfig(
        model=asked.name,
        model_source=model or "",
        engine=engine,
        modality="text",
        samples=1,
        temperature=max(each["temperature"] for each in sampling),
        top_p=min(each["top_p"] for each in sampling),
        max_tokens=max(each["max_tokens"] for each in sampling),
        seed=SEED,
        limit=wanted if limit else 0,
        data=Data(
            path=",".join(tasks),
            digest=digest,
            suite=SUITE,
            suite_version="+".join(sorted({str(task.VERSION) for task in loaded.values()})),
            split="+".join(sorted({_split(task) for task in loaded.values()})),
            problems=sum(counts.values()),
        ),
        settings={
            "harness": harness,
            **{name: importlib.metadata.version(name) for name in asked.packages},
            "chat_template": templated,
            **{k: v for k, v in asked.arguments.items() if k not in ("pretrained", "model")},
            "tasks": {
                name: _said(task, results, each)
                for (name, task), each in zip(loaded.items(), sampling, strict=True)
            },
        },
        benchgen_version=benchgen.__version__,
        code=f"lm_eval {importlib.metadata.version('lm_eval')}",
    )
    questions = (one.question for one in logged)
    metrics = write_run(folder, config, [one.sample for one in logged], questions)
    return Evaluation(summarize(Path(out), config, metrics, None), 0 if metrics.complete else 1)


def asked_model(
    engine: str, model: str | None, servers: Sequence[str], window: int | None
) -> Asked:
    """Who an engine and a model are to lm_eval.

    Raises
    ------
    InputError
        lm_eval has no such engine, cannot load it here, or the model or server is none.
    """
    if not model:
        raise InputError(f"the engine {engine} needs a model: give --model")
    if engine == "openai":
        if len(servers) != 1:
            raise InputError("lm_eval asks one server: give --server, once")
        url, credentials = split_credentials(servers[0])
        if any(credentials):
            raise InputError("lm_eval sends servers no password; it sends OPENAI_API_KEY")
        arguments = {
            "model": model,
            "base_url": f"{url}/chat/completions",
            "num_concurrent": window or REQUESTS,
            "max_retries": RETRIES,
            "timeout": TIMEOUT,
        }
        return Asked("local-chat-completions", arguments, model, PACKAGES[:1])
    if servers:
        raise InputError(f"the {engine} engine asks no servers; the openai engine does")
    if engine == "transformers":
        path = model_path(model)
        arguments = {"pretrained": path, "batch_size": window or 1, **_placing()}
        return Asked("hf", arguments, _name(model), PACKAGES[:3])
    if engine == "vllm":
        try:
            importlib.metadata.version("vllm")
        except importlib.metadata.PackageNotFoundError:
            raise InputError(
                "lm_eval runs the ordinary vLLM alone, not its CPU build: give --engine openai "
                "with a server, or --engine transformers"
            ) from None
        arguments = {"pretrained": model_path(model), "batch_size": window or "auto"}
        return Asked("vllm", arguments, _name(model), PACKAGES)
    raise InputError(f"lm_eval has no engine {engine!r}; it has: vllm, openai, transformers")


def _name(model: str) -> str:
    """As the other engines call it: a folder's own name, without its path."""
    path = Path(model).expanduser()
    return path.resolve().name if path.is_dir() else model


def _placing() -> dict[str, str]:
    """Where a model runs, and in which precision: none that the processor would emulate."""
    try:
        import torch
    except ImportError as error:
        raise InputError(f"the transformers engine is not installed here: {error}") from error
    from evaluators.engines.vllm_environment import has_bfloat16

    if torch.cuda.is_available():
        return {"device": "cuda", "dtype": "auto"}
    return {"device": "cpu", "dtype": "auto" if has_bfloat16() else "float32"}


def _check_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty, and lm_eval cannot resume: give another --out")
    place = folder.parent
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"{folder} cannot be written")


def _need_lm_eval() -> None:
    try:
        import lm_eval  # noqa: F401
    except ImportError as error:
        raise InputError(f"lm_eval is not installed here ({error}): {INSTALL}") from error


def _load_tasks(names: Sequence[str], include_path: Path | str | None) -> dict[str, Task]:
    from lm_eval.tasks import TaskManager

    extra = None if include_path is None else str(include_path)
    # Reading lm_eval's own thousands of tasks takes half a minute.
    manager = TaskManager(include_path=extra, include_defaults=False)
    if not set(names) <= set(manager.all_subtasks):
        manager = TaskManager(include_path=extra)
    for name in names:
        if name not in manager.task_index:
            where = "" if extra is None else f", nor is it under {include_path}"
            raise InputError(f"lm_eval has no task {name!r}{where}")
    loaded: dict[str, Task] = {}
    # Some tasks shuffle their choices as they load, so lm_eval seeds before it loads any.
    random.seed(RANDOM_SEED)
    np.random.seed(SEED)
    for name in names:
        try:
            loaded |= manager.load([name])["tasks"]
        except Exception as error:  # noqa: BLE001
            # What a task loads, its own code among it, may fail in any way.
            raise InputError(f"lm_eval cannot load {name!r}: {_one_line(error)}") from error
    return loaded


def _check_task(task: Task, kind: str) -> None:
    name = task.task_name
    if getattr(task, "UNSAFE_CODE", False):
        raise InputError(f"the task {name} runs what a model wrote: use lm_eval itself for it")
    if getattr(task, "MULTIMODAL", False):
        raise InputError(f"the task {name} shows pictures or sounds, which is not done here")
    first_metric(task)
    if kind == "local-chat-completions" and task.OUTPUT_TYPE != "generate_until":
        raise InputError(
            f"the task {name} compares likelihoods, which no chat server tells: give "
            "--engine transformers or vllm"
        )


def _open_model(asked: Asked) -> Any:
    from lm_eval.api.registry import get_model

    try:
        return get_model(asked.kind).create_from_arg_obj(dict(asked.arguments))
    except Exception as error:  # noqa: BLE001
        # A model's configuration and code may fail in any way.
        raise InputError(f"lm_eval cannot load {asked.name!r}: {_one_line(error)}") from error


def _has_template(reader: Any) -> bool:
    return bool(getattr(getattr(reader, "tokenizer", None), "chat_template", None))


def _run(
    reader: Any, loaded: Mapping[str, Task], templated: bool, limit: int | None
) -> Mapping[str, Any]:
    import lm_eval
    from lm_eval.tasks import TaskManager

    results: Mapping[str, Any] | None = None
    failure = HarnessFailure("lm_eval gives its results to another process than this one")
    try:
        results = lm_eval.simple_evaluate(
            model=reader,
            tasks=list(loaded.values()),
            task_manager=TaskManager(include_defaults=False),
            apply_chat_template=templated,
            limit=limit,
            log_samples=True,
            bootstrap_iters=0,
            random_seed=RANDOM_SEED,
            numpy_random_seed=SEED,
            torch_random_seed=SEED,
            fewshot_random_seed=SEED,
        )
    except Exception as error:
        failure = HarnessFailure(f"lm_eval gave up: {_one_line(error)}")
        failure.add_note(traceback.format_exc())
    if results is None:
        # Requests that failed beside the first complain when they are forgotten. With the
        # traceback kept as words alone that is now, and nobody hears it.
        gc.collect()
        raise failure
    return results


def _split(task: Task) -> str:
    """The split whose documents are asked."""
    part = "test_split" if task.has_test_docs() else "validation_split"
    return str(task.get_config(part) or part.removesuffix("_split"))


def _sampling(task: Task) -> dict[str, Any]:
    """How a task has replies drawn; greedy and of no length where it only compares."""
    asked = task.get_config("generation_kwargs") or {}
    if task.OUTPUT_TYPE != "generate_until":
        return {"temperature": 0.0, "top_p": 1.0, "max_tokens": 0}
    drawn = asked.get("do_sample") is not False
    length = next((asked[n] for n in ("max_gen_toks", "max_tokens") if n in asked), LENGTH)
    return {
        "temperature": float(asked.get("temperature") or 0.0) if drawn else 0.0,
        "top_p": float(asked.get("top_p") or 1.0),
        "max_tokens": int(length),
    }


def _said(task: Task, results: Mapping[str, Any], sampling: Mapping[str, Any]) -> dict[str, Any]:
    """What there is to know of one task, lm_eval's own figure among it."""
    name, metric = task.task_name, first_metric(task)
    kept = results["samples"][name][0]["filter"]
    return {
        "version": str(task.VERSION),
        "metric": metric,
        "filter": kept,
        "lm_eval": float(results["results"][name][f"{metric},{kept}"]),
        "shots": int(results["n-shot"].get(name) or 0),
        **sampling,
    }


@contextlib.contextmanager
def _quiet(watched: bool) -> Iterator[None]:
    """lm_eval and its loaders talk and draw bars whatever they are told; errors are raised."""
    # Never closed: a logger that was made here may keep it.
    talk: TextIO = sys.stderr if watched else io.StringIO()
    with contextlib.redirect_stderr(talk), contextlib.redirect_stdout(talk):
        if watched:
            yield
            return
        sink, kept = os.open(os.devnull, os.O_WRONLY), os.dup(STDERR)
        try:
            os.dup2(sink, STDERR)  # for the programs that it starts, such as git
            yield
        finally:
            os.dup2(kept, STDERR)
            os.close(sink)
            os.close(kept)


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return f"{name}: {lines[0]}"[:300] if lines else name
