"""``benchgen eval``: one run from dataset to report, or the rest of one."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import benchgen
from benchgen.errors import InputError
from benchgen.executors import EVERYTHING, Share
from benchgen.files import remove_leftovers
from benchgen.scoring_code import scoring_digest
from evaluators.at_k import Measure
from evaluators.baselines import PREFIX, open_baseline
from evaluators.configuration import (
    PLAIN,
    Prompting,
    RunConfig,
    check_config,
    check_resumable,
    read_config,
)
from evaluators.engine import Engine
from evaluators.engines import open_engine
from evaluators.journal import PATTERN, Journal, Sample, next_writer, read_samples
from evaluators.metrics import Metrics, Prices, compute_metrics, metrics_to_json
from evaluators.questions import (
    Examples,
    Question,
    read_data,
    read_examples,
    read_questions,
)
from evaluators.report import write_report
from evaluators.rescoring import changed_verdicts
from evaluators.run_directory import CONFIG, METRICS, REPORT, write_config, write_metrics
from evaluators.run_lock import run_lock
from evaluators.runner import plan_asks, run_asks

Progress = Callable[[int, int], None]
"""Called with the samples on record and the samples wanted, ten times a second at most."""

PROGRESS_SECONDS = 0.1
USUAL_MARKS = ("<think>", "</think>")
"""Of thoughts that are held to a budget, unless a run names others."""


class Evaluation(NamedTuple):
    """What a run came to. ``exit_code`` is 0 when every sample (of the job's share) has a
    reply, else 1.

    ``summary`` can be written as JSON: ``out``, ``report``, ``metrics`` (paths),
    ``model``, ``engine``, ``modality``, ``stopped`` (why the engine was given up, or
    None), and the fields of ``metrics.json``.
    """

    summary: dict[str, Any]
    exit_code: int


@dataclass(frozen=True, slots=True)
class Reporting:
    """What is computed of the samples beside what always is; it changes none of them."""

    measures: tuple[Measure, ...] = ()
    prices: Prices | None = None


def evaluate(
    data: Path | str,
    out: Path | str,
    *,
    model: str | None = None,
    engine: str | Engine = "vllm",
    engine_options: Mapping[str, Any] = MappingProxyType({}),
    modality: str = "text",
    samples: int = 1,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    max_tokens: int = 512,
    stop: Sequence[str] = (),
    regex: str = "",
    thinking_budget: int = 0,
    thinking_marks: tuple[str, str] | tuple[()] = (),
    limit: int | None = None,
    prompting: Prompting = PLAIN,
    shots_data: Path | str | None = None,
    share: Share = EVERYTHING,
    reporting: Reporting = Reporting(),  # noqa: B008
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate ``model`` through ``engine`` on the dataset ``data`` into the folder ``out``.

    A run that is there already is resumed: what is missing and what failed is asked,
    and nothing else. ``limit`` takes the first so many problems (None: all). The
    worked examples of ``prompting`` are read from ``shots_data``; its digest is filled in
    here. ``thinking_marks`` begin and end a thought, beside those that are always known.
    ``engine_options`` go to ``open_engine``. An engine that is given opened is left
    open. Of several jobs with a ``share`` each, every one writes a journal of its own into
    the one folder, and metrics and report of all that is there when it ends.

    Raises
    ------
    InputError
        Bad input, or ``out`` holds another run; nothing was written then.
    OSError
        The disk is full, say; what was journalled stays, and the run can be resumed.
    """
    source, folder = Path(data), Path(out)
    if limit is not None and limit < 1:
        raise InputError(f"--limit is at least 1, not {limit}")
    if max_tokens < 1:
        raise InputError(f"--max-tokens is at least 1, not {max_tokens}")
    if bool(prompting.shots) != (shots_data is not None):
        raise InputError("--shots and --shots-data go together")
    for measure in reporting.measures:
        if measure.k > samples:
            raise InputError(f"{measure.name} needs -n {measure.k} samples a problem or more")
    begun = _begun(folder)
    if shots_data is not None:
        digest = read_data(Path(shots_data)).digest
        prompting = dataclasses.replace(prompting, shots_data=digest)
    config = RunConfig(
        model="",
        model_source=model or "",
        engine=engine if isinstance(engine, str) else engine.name,
        modality=modality,
        samples=samples,
        temperature=float(temperature),
        top_p=float(top_p),
        max_tokens=max_tokens,
        stop=tuple(stop),
        regex=regex,
        thinking_budget=thinking_budget,
        thinking_marks=thinking_marks,
        seed=seed,
        limit=limit or 0,
        data=read_data(source),
        prompting=prompting,
        settings={},
        benchgen_version=benchgen.__version__,
        code=scoring_digest(),
    )
    check_config(config)
    asked = _Questions(source, _examples(shots_data, modality, prompting))
    next(asked.read(config))  # a missing modality shows before a model is loaded
    if begun is not None:
        # What only the opened engine knows is compared once it is open.
        config = dataclasses.replace(config, model=begun.model, settings=begun.settings)
        check_resumable(begun, config)
        if not _lacks_any(folder, config, asked, share):
            with Journal(folder, share.job - 1):
                return _finish(folder, config, asked, share, None, reporting)
    with _opened(engine, config, asked, engine_options) as reader:
        config = dataclasses.replace(config, model=reader.name, settings=dict(reader.describe()))
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            with run_lock(folder):
                # Another job may have begun a run here while the engine was opened.
                begun = _begun(folder)
                if begun is not None:
                    check_resumable(begun, config)
                journal = stack.enter_context(Journal(folder, share.job - 1))
                write_config(folder, config)  # its limit may have grown
            stopped = _ask(folder, config, asked, share, reader, journal, progress)
            return _finish(folder, config, asked, share, stopped, reporting)


def rescore(
    data: Path | str,
    out: Path | str,
    *,
    shots_data: Path | str | None = None,
    reporting: Reporting = Reporting(),  # noqa: B008
) -> Evaluation:
    """Score the replies of the run ``out`` anew, and ask nothing.

    Verdicts that changed are added to the journal; what was there stays in it.

    Raises
    ------
    InputError
        ``out`` holds no run, or one on other data.
    """
    source, folder = Path(data), Path(out)
    begun = _begun(folder)
    if begun is None:
        raise InputError(f"{folder} holds no run to score anew")
    digest = read_data(source).digest
    if digest != begun.data.digest:
        raise InputError(
            f"{folder} is a run on the data {begun.data.digest[:16]}, not {digest[:16]}"
        )
    for measure in reporting.measures:
        if measure.k > begun.samples:
            raise InputError(f"{measure.name} needs {measure.k} samples a problem or more")
    if begun.prompting.shots and shots_data is None:
        raise InputError("the run showed worked examples: give --shots-data")
    asked = _Questions(source, _examples(shots_data, begun.modality, begun.prompting))
    problems = (question.problem for question in asked.read(begun))
    changed = list(changed_verdicts(read_samples(folder).values(), problems))
    if changed:
        # In a file of its own that is read last: what it says of a sample stands.
        with Journal(folder, next_writer(folder)) as journal:
            for sample in changed:
                journal.append(sample)
    rescored = dataclasses.replace(begun, code=scoring_digest())
    write_config(folder, rescored)
    return _finish(folder, rescored, asked, EVERYTHING, None, reporting)


@dataclass(frozen=True, slots=True)
class _Questions:
    """Where a run's questions are read, and the worked examples that go with them."""

    source: Path
    examples: Examples

    def read(self, config: RunConfig) -> Iterator[Question]:
        return read_questions(
            self.source, config.modality, config.limit, config.prompting, self.examples
        )


def _examples(data: Path | str | None, modality: str, prompting: Prompting) -> Examples:
    return {} if data is None else read_examples(Path(data), modality, prompting.shots)


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
    for name, measured in summary["at_k"].items():
        lines.append(f"{name}: {_estimate(measured['overall'])}")
    if summary["cost"] is not None:
        lines.append(f"cost {summary['cost']:.4f}")
    if summary["stopped"] is not None:
        lines.append(f"the engine was given up: {summary['stopped']}")
    if not summary["complete"]:
        lines.append("not complete: the same command asks what is missing")
    return [*lines, f"report: {summary['report']}"]


def _estimate(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "no problem has samples enough"
    left_out = estimate["left_out"]
    return (
        f"{100 * estimate['value']:.1f} % ({100 * estimate['low']:.1f} to "
        f"{100 * estimate['high']:.1f} %)"
        + (f", {left_out} problems with too few replies left out" if left_out else "")
    )


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
    asked: _Questions,
    share: Share,
    engine: Engine,
    journal: Journal,
    progress: Progress | None,
) -> str | None:
    known = read_samples(folder)
    done = {key for key, sample in known.items() if not sample.failed}
    session = time.time_ns() // 1_000_000
    asks = plan_asks(config, asked.read(config), done, share)
    count, shown = len(done), -math.inf

    def landed(sample: Sample) -> None:
        nonlocal count, shown
        count += 1
        now = time.monotonic()
        if progress is not None and (count == config.wanted or now - shown >= PROGRESS_SECONDS):
            progress(count, config.wanted)
            shown = now

    return run_asks(asks, engine, journal, session, landed, config.thinking_marks)


def _finish(
    folder: Path,
    config: RunConfig,
    asked: _Questions,
    share: Share,
    stopped: str | None,
    reporting: Reporting,
) -> Evaluation:
    # Jobs that share a run end nearly together: the last one writes what all of them did.
    with run_lock(folder):
        samples = list(read_samples(folder).values())
        metrics = compute_metrics(samples, config.wanted, reporting.measures, reporting.prices)
        write_metrics(folder, config, metrics)
        write_report(folder, config, metrics, samples, asked.read(config))
        for name in (CONFIG, METRICS, REPORT):
            remove_leftovers(folder, name)
    done = metrics.complete or not (share.jobs == 1 or _lacks_any(folder, config, asked, share))
    return Evaluation(summarize(folder, config, metrics, stopped), 0 if done else 1)


def summarize(
    folder: Path, config: RunConfig, metrics: Metrics, stopped: str | None
) -> dict[str, Any]:
    """What ``Evaluation.summary`` holds."""
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


def _lacks_any(folder: Path, config: RunConfig, asked: _Questions, share: Share) -> bool:
    done = {key for key, sample in read_samples(folder).items() if not sample.failed}
    return next(plan_asks(config, asked.read(config), done, share), None) is not None


@contextmanager
def _opened(
    engine: str | Engine, config: RunConfig, asked: _Questions, options: Mapping[str, Any]
) -> Iterator[Engine]:
    if not isinstance(engine, str):
        yield engine
        return
    reader: Engine
    if engine.startswith(PREFIX):
        reader = open_baseline(engine, (question.problem for question in asked.read(config)))
    elif config.model_source:
        marks = config.thinking_marks or (USUAL_MARKS if config.thinking_budget else ())
        if marks and engine == "vllm":
            options = {**options, "thinking_marks": marks}
        reader = open_engine(engine, config.model_source, **options)
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
