"""Digests of what a run asked, of whom and how: equal digests, comparable runs.

Conventions
-----------
* A digest is a SHA-256 in hexadecimal digits, of lines of JSON in the order of the problems' ids.
* They follow from a run's journal, and as well from the dataset that it asked about.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import Any, Protocol

from evaluators.run_directory import RunConfig


class Placed(Protocol):
    """What decides a problem's score and the slices that it counts in."""

    @property
    def problem(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def level(self) -> int: ...
    @property
    def twin_group(self) -> str: ...
    @property
    def cluster(self) -> str: ...
    @property
    def options(self) -> int: ...
    @property
    def target(self) -> str: ...


def problems_digest(ids: Iterable[str]) -> str:
    """Which problems there are."""
    return _digest([id_] for id_ in ids)


def questions_digest(problems: Iterable[Placed]) -> str:
    """Which problems there are, what their keys are, and where they count."""
    return _digest(
        [p.problem, p.task, p.category, p.level, p.twin_group, p.cluster, p.options, p.target]
        for p in problems
    )


def prompts_digest(prompts: Iterable[Iterable[str]]) -> str:
    """What was shown for each problem: its id, and the digests of its prompts."""
    return _digest(list(prompt) for prompt in prompts)


def configuration_digest(config: RunConfig) -> str:
    """All that could change a number, but for the code that judged."""
    record = dataclasses.asdict(config)
    del record["code"]
    return _digest([record])


def _digest(rows: Iterable[Any]) -> str:
    lines = sorted(json.dumps(row, sort_keys=True, separators=(",", ":")) for row in rows)
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
