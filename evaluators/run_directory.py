"""A run directory and how to read one: the record that leaderboards build on.

::

    RUN/
      config.toml          what was asked for (``configuration.RunConfig``), first
      samples-00000.jsonl  one line a sample (``journal.Sample``), as it lands
      metrics.json         what it came to (``metrics.Metrics``), at the end
      report.html          the same for people, with every sample

``metrics.json`` is one object: ``schema_version`` (2), ``model``, ``engine``,
``modality``, ``data`` (digest, suite, suite version, split, problems) and the
fields of ``Metrics``. It is written anew whenever a run ends, complete or not;
``complete`` tells. All but the journal are written whole or not at all.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchgen.errors import DAMAGED, InputError
from benchgen.files import write_whole
from evaluators.configuration import SCHEMA_VERSION, Data, RunConfig, config_to_toml, read_config
from evaluators.journal import Sample, read_samples
from evaluators.metrics import (
    Metrics,
    Seconds,
    Slice,
    Tokens,
    Twins,
    metrics_from_json,
    metrics_to_json,
)

__all__ = [
    "CONFIG",
    "METRICS",
    "REPORT",
    "SCHEMA_VERSION",
    "Data",
    "Metrics",
    "ProblemScore",
    "RunConfig",
    "RunRecord",
    "Seconds",
    "Slice",
    "Tokens",
    "Twins",
    "problem_scores",
    "read_run",
    "write_config",
    "write_metrics",
]

CONFIG = "config.toml"
METRICS = "metrics.json"
REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class ProblemScore:
    """One problem over its samples: ``score`` is the mean over the ``scored`` ones
    (those with a reply), None where there is none. ``options`` 0: open question.
    ``prompt_digests`` is one, of the prompt that all samples answer.
    """

    problem: str
    task: str
    category: str
    level: int
    twin_group: str
    cluster: str
    options: int
    target: str
    prompt_digests: tuple[str, ...]
    samples: int
    scored: int
    score: float | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run that ended. ``report`` is None where no report was written; ``began`` is when its
    first session did (Unix time in milliseconds; 0 without samples).

    The model's display name is ``config.model``, the dataset's digest is
    ``config.data.digest``, and ``config.scripted`` marks a baseline.
    """

    path: Path
    config: RunConfig
    metrics: Metrics
    problems: tuple[ProblemScore, ...]
    report: Path | None
    began: int


def read_run(path: Path | str) -> RunRecord:
    """Read a run directory.

    Raises
    ------
    InputError
        The folder is not a run directory, has no metrics yet, is of another
        schema version, or is damaged; the message names the folder.
    """
    folder = Path(path)
    for name in (CONFIG, METRICS):
        if not (folder / name).is_file():
            raise InputError(f"{folder} is not the directory of a finished run: no {name}")
    config = read_config(folder / CONFIG)
    try:
        record = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        version = record["schema_version"]
        if version != SCHEMA_VERSION:
            raise ValueError(f"schema version {version}, this program reads {SCHEMA_VERSION}")
        metrics = metrics_from_json(record)
    except DAMAGED as error:
        raise InputError(f"{folder / METRICS} cannot be read: {error!r}") from None
    report = folder / REPORT
    samples = read_samples(folder).values()
    return RunRecord(
        path=folder,
        config=config,
        metrics=metrics,
        problems=problem_scores(samples),
        report=report if report.is_file() else None,
        began=min((sample.session for sample in samples), default=0),
    )


def problem_scores(samples: Iterable[Sample]) -> tuple[ProblemScore, ...]:
    """The samples summed up by problem, in the order of the problems' ids."""
    parts: dict[str, list[Sample]] = {}
    for sample in samples:
        parts.setdefault(sample.problem, []).append(sample)
    scores = []
    for problem in sorted(parts):
        first = parts[problem][0]
        values = [sample.value for sample in parts[problem] if not sample.failed]
        scores.append(
            ProblemScore(
                problem=problem,
                task=first.task,
                category=first.category,
                level=first.level,
                twin_group=first.twin_group,
                cluster=first.cluster,
                options=first.options,
                target=first.target,
                prompt_digests=tuple(sorted({s.prompt_digest for s in parts[problem]})),
                samples=len(parts[problem]),
                scored=len(values),
                score=math.fsum(values) / len(values) if values else None,
            )
        )
    return tuple(scores)


def write_config(folder: Path, config: RunConfig) -> None:
    """Write ``config.toml``, whole or not at all."""
    write_whole(folder / CONFIG, config_to_toml(config).encode())


def write_metrics(folder: Path, config: RunConfig, metrics: Metrics) -> None:
    """Write ``metrics.json``, whole or not at all."""
    data = dataclasses.asdict(config.data)
    del data["path"]
    record = {
        "schema_version": SCHEMA_VERSION,
        "model": config.model,
        "engine": config.engine,
        "modality": config.modality,
        "data": data,
        **metrics_to_json(metrics),
    }
    write_whole(folder / METRICS, f"{json.dumps(record, indent=1)}\n".encode())
