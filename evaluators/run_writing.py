"""A whole run directory at once, of samples that are all there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchgen.errors import InputError
from benchgen.files import sync_folder
from evaluators.configuration import RunConfig
from evaluators.journal import Journal, Sample
from evaluators.metrics import Metrics, compute_metrics
from evaluators.questions import Question
from evaluators.report import write_report
from evaluators.run_directory import write_config, write_metrics


def write_run(
    folder: Path, config: RunConfig, samples: Sequence[Sample], questions: Iterable[Question]
) -> Metrics:
    """Write the run directory ``folder``, whole or not at all; return its metrics.

    Raises
    ------
    InputError
        ``folder`` is there and not empty, or cannot be written; the line tells where the run lies.
    """
    metrics = compute_metrics(samples, config.wanted)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Hidden, so that whoever reads all runs of a folder does not find one that was cut here.
    under_way = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    under_way.mkdir()
    try:
        write_config(under_way, config)
        with Journal(under_way) as journal:
            for sample in samples:
                journal.append(sample)
        write_metrics(under_way, config, metrics)
        write_report(under_way, config, metrics, samples, questions)
    except BaseException:
        shutil.rmtree(under_way)
        raise
    try:
        under_way.rename(folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be written; the run lies in {under_way}") from error
    sync_folder(folder.parent)
    return metrics
