"""What a table needs to place a problem: the fields that a journal, a record and a check share."""

from __future__ import annotations

from dataclasses import dataclass

from benchgen.outside import cluster_of
from benchgen.problem import Problem


@dataclass(frozen=True, slots=True)
class Place:
    """Which problem, what its key is, and where it counts; ``journal.Sample`` has these fields."""

    problem: str
    task: str
    category: str
    level: int
    twin_group: str
    cluster: str
    options: int
    target: str


def place_of(problem: Problem) -> Place:
    """The place of a problem of a dataset."""
    return Place(
        problem=problem.id,
        task=problem.task,
        category=problem.category,
        level=problem.level,
        twin_group=problem.twin_group,
        cluster=cluster_of(problem),
        options=len(problem.options or ()),
        target=problem.target,
    )
