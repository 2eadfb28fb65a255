"""``benchgen eval``: one run from dataset to report, or the rest of one."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import benchgen
from benchgen.errors import InputError
from benchgen.files import remove_leftovers
from evaluators.baselines import PREFIX, open_baseline
from evaluators.configuration import RunConfig, check_resumable, read_config
from evaluators.engine import Engine
from evaluators.engines import open_engine
from evaluators.journal import PATTERN, Journal, Sample, read_samples
from evaluators.metrics import Metrics, compute_metrics, metrics_to_json
from evaluators.questions import MODALITIES, read_data, read_questions
from evaluators.report import write_report
from evaluators.run_directory import CONFIG, METRICS, REPORT, write_config, write_metrics
from evaluators.runner import plan_asks, run_asks

Progress = Callable[[int, int], None]
"""Called with the samples on record and the samples wanted, ten times a second at most."""

PROGRESS_SECONDS = 0.1


class Evaluation(NamedTuple):
    """What a run came to. ``exit_code`` is 0 when every sample has a reply, else 1.

    ``summary`` can be written as JSON: ``out``, ``report``, ``metrics`` (paths),
    ``model``, ``engine``, ``modality``, ``stopped`` (why the engine was given up, or
    None), and the fields of ``metrics.json``.
    """

    summary: dict[str, Any]
    exit_code: int


def evaluate(
    data: Path | str,
    out: Path | str,
    *,
    model: str | None = None,
    engine: str | Engine = "vllm",
    modality: str = "text",
    samples: int = 1,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    max_tokens: int = 512,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate ``model`` through ``engine`` on the dataset ``data`` into the folder ``out``.

    A run that is there already is resumed: what is missing and what failed is asked,
    and nothing else. ``limit`` takes the first so many problems (None: all). An
    engine that is given opened is left open.

    Raises
    ------
    InputError
        Bad input, or ``out`` holds another run; nothing was written then.
    OSError
        The disk is full, say; what was journalled stays, and the run can be resumed.
    """
    source, folder = Path(data), Path(out)
    _check_numbers(samples, temperature, top_p, max_tokens, limit)
    if modality not in MODALITIES:
        raise InputError(f"modality is {' or '.join(MODALITIES)}, not {modality!r}")
    begun = _begun(folder)
    config = RunConfig(
        model="",
        model_source=model or "",
        engine=engine if isinstance(engine, str) else engine.name,
        modality=modality,
        samples=samples,
        temperature=float(temperature),
        top_p=float(top_p),
        max_tokens=max_tokens,
        seed=seed,
        limit=limit or 0,
        data=read_data(source),
        settings={},
        benchgen_version=benchgen.__version__,
    )
    next(read_questions(source, modality))  # a missing modality shows before a model is loaded
    if begun is not None:
        # What only the opened engine knows is compared once it is open.
        config = dataclasses.replace(config, model=begun.model, settings=begun.settings)
        check_resumable(begun, config)
        if not _lacks_any(folder, config, source):
            with Journal(folder):
                return _finish(folder, config, source, None)
    with _opened(engine, config, source) as reader:
        config = dataclasses.replace(config, model=reader.name, settings=dict(reader.describe()))
        if begun is not None:
            check_resumable(begun, config)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_config(folder, config)
        with Journal(folder) as journal:
            if begun is not None:
                write_config(folder, config)  # its limit may have grown
            stopped = _ask(folder, config, source, reader, journal, progress)
            return _finish(folder, config, source, stopped)


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """A run's summary for people: accuracy, what was not read, where the report is."""
    overall, twins, seconds = summary["overall"], summary["twins"], summary["seconds"]["wall"]
    lines = [f"{summary['model']} on {summary['modality']}: {_accuracy(overall)}"]
    shares = ", ".join(
        f"{name} {100 * overall['shares'][name]:.1f} %"
        for name in ("unparsed", "truncated", "error")
    )
    lines.append(f"{shares}; {overall['samples']} of {summary['wanted']} samples, {seconds:.1f} s")
    if twins is not None:
        lines.append(
            f"all twins right {100 * twins['rate']:.1f} % "
            f"({100 * twins['low']:.1f} to {100 * twins['high']:.1f} %), "
            f"chance {100 * twins['chance']:.1f} %"
        )
    if summary["stopped"] is not None:
        lines.append(f"the engine was given up: {summary['stopped']}")
    if not summary["complete"]:
        lines.append("not complete: the same command asks what is missing")
    return [*lines, f"report: {summary['report']}"]


def _accuracy(part: Mapping[str, Any]) -> str:
    if part["accuracy"] is None:
        return "no reply to score"
    return (
        f"accuracy {100 * part['accuracy']:.1f} % ({100 * part['low']:.1f} to "
        f"{100 * part['high']:.1f} %), chance {100 * part['chance']:.1f} %"
    )


def _ask(
    folder: Path,
    config: RunConfig,
    source: Path,
    engine: Engine,
    journal: Journal,
    progress: Progress | None,
) -> str | None:
    known = read_samples(folder)
    done = {key for key, sample in known.items() if not sample.failed}
    session = 1 + max((sample.session for sample in known.values()), default=-1)
    questions = read_questions(source, config.modality, config.limit)
    asks = plan_asks(config, questions, done)
    count, shown = len(done), -math.inf

    def landed(sample: Sample) -> None:
        nonlocal count, shown
        count += 1
        now = time.monotonic()
        if progress is not None and (count == config.wanted or now - shown >= PROGRESS_SECONDS):
            progress(count, config.wanted)
            shown = now

    return run_asks(asks, engine, journal, session, landed)


def _finish(folder: Path, config: RunConfig, source: Path, stopped: str | None) -> Evaluation:
    samples = list(read_samples(folder).values())
    metrics = compute_metrics(samples, config.wanted)
    write_metrics(folder, config, metrics)
    questions = read_questions(source, config.modality, config.limit)
    write_report(folder, config, metrics, samples, questions)
    for name in (CONFIG, METRICS, REPORT):
        remove_leftovers(folder, name)
    return Evaluation(_summary(folder, config, metrics, stopped), 0 if metrics.complete else 1)


def _summary(
    folder: Path, config: RunConfig, metrics: Metrics, stopped: str | None
) -> dict[str, Any]:
    return {
        "out": str(folder),
        "report": str(folder / REPORT),
        "metrics": str(folder / METRICS),
        "model": config.model,
        "engine": config.engine,
        "modality": config.modality,
        "stopped": stopped,
        **metrics_to_json(metrics),
    }


def _lacks_any(folder: Path, config: RunConfig, source: Path) -> bool:
    done = {key for key, sample in read_samples(folder).items() if not sample.failed}
    questions = read_questions(source, config.modality, config.limit)
    return next(plan_asks(config, questions, done), None) is not None


@contextmanager
def _opened(engine: str | Engine, config: RunConfig, source: Path) -> Iterator[Engine]:
    if not isinstance(engine, str):
        yield engine
        return
    reader: Engine
    if engine.startswith(PREFIX):
        questions = read_questions(source, config.modality, config.limit)
        reader = open_baseline(engine, (question.problem for question in questions))
    elif config.model_source:
        reader = open_engine(engine, config.model_source)
    else:
        raise InputError(f"the engine {engine} needs a model: give --model")
    try:
        yield reader
    finally:
        reader.close()


def _begun(folder: Path) -> RunConfig | None:
    """The configuration of the run in the folder; None where a new one may begin."""
    if (folder / CONFIG).is_file():
        if not os.access(folder, os.W_OK):
            raise InputError(f"{folder} cannot be written")
        return read_config(folder / CONFIG)
    if folder.is_dir() and any(folder.glob(PATTERN)):
        raise InputError(f"{folder} holds samples but no {CONFIG}: give another --out")
    if folder.is_dir() and any(not entry.name.endswith(".tmp") for entry in folder.iterdir()):
        raise InputError(f"{folder} is not empty and holds no run: give another --out")
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"{folder} cannot be written")
    return None


def _check_numbers(
    samples: int, temperature: float, top_p: float, max_tokens: int, limit: int | None
) -> None:
    if samples < 1:
        raise InputError(f"at least 1 sample a problem (-n), not {samples}")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise InputError(f"--temperature is 0 or more, not {temperature}")
    if not 0 < top_p <= 1:
        raise InputError(f"--top-p is above 0 and at most 1, not {top_p}")
    if max_tokens < 1:
        raise InputError(f"--max-tokens is at least 1, not {max_tokens}")
    if limit is not None and limit < 1:
        raise InputError(f"--limit is at least 1, not {limit}")
