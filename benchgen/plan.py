"""What a run of ``synth`` will write, decided before anything is written.

Conventions
-----------
* Index i of a suite has class i mod K, K the number of classes; then the level
  in turn, ``levels[(i // K) mod L]``; and index ``i // (K * L)`` within its
  task, level and split. With a choice of tasks or levels the same rule runs over
  the chosen ones, in the suite's order.
* A shard holds 256 problems. With twins, which number one to an option, a shard
  holds 64 items and their twins: 256 problems where there are four options.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchgen.columns import MODALITIES
from benchgen.errors import InputError
from benchgen.problem import Problem
from benchgen.seeding import SPLITS
from benchgen.suite import find_suite
from benchgen.task import capacity, find_task, list_tasks, make, twins

SHARD_ITEMS = 256
SHARD_ITEMS_WITH_TWINS = 64
MAX_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Plan:
    """The configuration of one dataset; every byte of it follows from this."""

    suite: str
    split: str
    count: int
    seed: int
    tasks: tuple[str, ...]
    levels: tuple[int, ...]
    modalities: tuple[str, ...]
    twins: bool

    @property
    def shard_items(self) -> int:
        """Items (twins not counted) in every shard but the last."""
        return SHARD_ITEMS_WITH_TWINS if self.twins else SHARD_ITEMS

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return -(-self.count // self.shard_items)

    def bounds(self, shard: int) -> tuple[int, int]:
        """The items of a shard: from the first up to, not including, the second."""
        start = shard * self.shard_items
        return start, min(start + self.shard_items, self.count)

    def place(self, item: int) -> tuple[str, int, int]:
        """Task, level, and index within task, level and split, of item ``item``."""
        turn, task = divmod(item, len(self.tasks))
        index, level = divmod(turn, len(self.levels))
        return self.tasks[task], self.levels[level], index

    def problems(self, shard: int) -> Iterator[Problem]:
        """The problems of a shard in the order of its rows: each item, then its twins."""
        return suite_items(self, *self.bounds(shard))


def make_plan(
    suite: str,
    *,
    split: str,
    count: int,
    seed: int = 0,
    tasks: Sequence[str] = (),
    levels: Sequence[int] = (),
    modalities: Sequence[str] = ("text",),
    with_twins: bool = False,
) -> Plan:
    """The plan for ``count`` items of a suite; no tasks or levels means all of them.

    Raises
    ------
    InputError
        Suite, task, level, split or modality is not one that exists; count or
        seed is out of range; or a task, level and split holds fewer contents
        than the count needs.
    """
    known = find_suite(suite)
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; there are: {', '.join(SPLITS)}")
    if count < 1:
        raise InputError(f"count must be at least 1, not {count}")
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"seed must be from 0 to {MAX_SEED}, not {seed}")
    offered = [m for m in MODALITIES if m in known.modalities]
    for modality in modalities:
        if modality not in offered:
            raise InputError(f"{suite} has no modality {modality!r}; it has: {', '.join(offered)}")
    if not modalities:
        raise InputError(f"name at least one modality of: {', '.join(offered)}")
    names = chosen_tasks(suite, tasks)
    plan = Plan(
        suite=suite,
        split=split,
        count=count,
        seed=seed,
        tasks=names,
        levels=_chosen_levels(names, levels),
        modalities=tuple(m for m in offered if m in modalities),
        twins=with_twins,
    )
    _refuse_beyond_capacity(plan)
    return plan


def most_items(plan: Plan) -> int:
    """The largest count that a plan like this one could have."""
    return min(_ends(plan))


def suite_items(plan: Plan, start: int, stop: int) -> Iterator[Problem]:
    """Items ``start`` up to ``stop`` of a plan; with twins, each followed by its twins."""
    for item in range(start, stop):
        task, level, index = plan.place(item)
        problem = make(task, split=plan.split, seed=plan.seed, index=index, level=level)
        yield problem
        if plan.twins:
            # By id, not by option: the gap in that order would tell the item's key.
            for twin in sorted(twins(problem), key=lambda twin: twin.id):
                if twin.content_key != problem.content_key:
                    yield twin


def chosen_tasks(suite: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """The tasks ``wanted`` of a suite, in the suite's order; all of them if none are named.

    A task may be named with or without its suite.

    Raises
    ------
    InputError
        There is no such suite or task.
    """
    there = list_tasks(suite)
    full = {name if "/" in name else f"{suite}/{name}" for name in wanted}
    unknown = sorted(full.difference(there))
    if unknown:
        short = [name.partition("/")[2] for name in there]
        raise InputError(f"unknown task {unknown[0]!r}; {suite} has: {', '.join(short)}")
    return tuple(name for name in there if not full or name in full)


def plan_record(plan: Plan) -> dict[str, object]:
    """The plan as JSON: what a manifest keeps and compares."""
    return {
        field.name: list(value) if isinstance(value, tuple) else value
        for field in dataclasses.fields(plan)
        for value in [getattr(plan, field.name)]
    }


def _chosen_levels(tasks: Sequence[str], wanted: Sequence[int]) -> tuple[int, ...]:
    shared: tuple[int, ...] | None = None
    for name in tasks:
        levels = tuple(find_task(name).levels)
        for level in wanted:
            if level not in levels:
                raise InputError(
                    f"{name} has no level {level}; it has: {', '.join(map(str, levels))}"
                )
        if not wanted and shared is not None and levels != shared:
            raise InputError(f"the tasks differ in their levels: choose levels ({name} has others)")
        shared = levels
    if shared is None:
        raise InputError("the suite has no tasks")
    return tuple(level for level in shared if not wanted or level in wanted)


def _refuse_beyond_capacity(plan: Plan) -> None:
    ends = _ends(plan)
    most = min(ends)
    if plan.count > most:
        task, level, _ = plan.place(ends.index(most))
        raise InputError(
            f"{task} level {level} split {plan.split} holds "
            f"{capacity(task, level, plan.split)} problems a seed, "
            f"so count is at most {most} here, not {plan.count}"
        )


def _ends(plan: Plan) -> list[int]:
    """For each class and level, the first item that it cannot give."""
    classes = len(plan.tasks) * len(plan.levels)
    return [
        capacity(task, level, plan.split) * classes + position
        for position in range(classes)
        for task, level, _ in [plan.place(position)]
    ]
