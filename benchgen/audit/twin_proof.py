"""Gate 1: every item has as many twins as options, and they prove it unguessable.

Where the twins of an item are alike in question and options and each has another right
answer, no function of question and options can tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchgen.problem import LETTERS, Problem
from benchgen.seeding import split_of

MOST_FAULTS = 20

Prover = Callable[[Problem], list[str]]


@dataclass(frozen=True)
class TwinProof:
    """The twins of some items: how many were complete, what was wrong with the others.

    ``letters`` counts, for every last character of a twin's id, the letters of the
    keys that go with it; ``proved`` counts the twins that a second engine confirmed.
    """

    items: int
    complete: int
    twins: int
    proved: int
    faults: tuple[str, ...]
    letters: dict[str, dict[str, int]]


def prove_twins(
    problems: Sequence[Problem],
    twins: Callable[[Problem], Sequence[Problem]],
    prover: Prover | None = None,
    proved_items: int = 0,
) -> TwinProof:
    """Rebuild and judge the twins of every problem.

    ``prover`` is the suite's second engine (what it finds wrong with a problem); it
    judges the twins of the first ``proved_items`` problems.
    """
    faults: list[str] = []
    letters: dict[str, dict[str, int]] = {}
    complete = made = proved = 0
    for place, problem in enumerate(problems):
        group = tuple(twins(problem))
        made += len(group)
        found = twin_faults(problem, group)
        if prover is not None and place < proved_items:
            for twin in group:
                complaints = prover(twin)
                found += [f"{twin.id}: {complaint}" for complaint in complaints]
                proved += not complaints
        count_letters(letters, [twin for twin in group if twin.id != problem.id])
        complete += not found
        faults += found
    return TwinProof(len(problems), complete, made, proved, tuple(faults[:MOST_FAULTS]), letters)


def count_letters(letters: dict[str, dict[str, int]], twins: Sequence[Problem]) -> None:
    """Add to ``letters``, by the last character of each twin's id, the letter of its key."""
    for twin in twins:
        if twin.options is not None and twin.id:
            counts = letters.setdefault(twin.id[-1], {})
            counts[twin.target] = counts.get(twin.target, 0) + 1


def twin_faults(problem: Problem, group: Sequence[Problem]) -> list[str]:
    """What is wrong with the twins of a problem, one line a fault."""
    if problem.options is None:
        return [f"{problem.id}: it has no options, so it can have no twins"]
    faults = []
    if len(set(problem.options)) != len(problem.options):
        faults.append("two of its options are the same")
    if len(group) != len(problem.options):
        faults.append(f"{len(problem.options)} options but {len(group)} twins")
    for place, (twin, option) in enumerate(zip(group, problem.options, strict=False)):
        name = f"twin {LETTERS[place]}"
        if twin.question.encode() != problem.question.encode():
            faults.append(f"{name} has another question")
        if twin.options != problem.options:
            faults.append(f"{name} has other options")
        if twin.answer != option:
            faults.append(f"{name} is answered by {twin.answer!r}, not {option!r}")
        if (twin.task, twin.level, twin.split) != (problem.task, problem.level, problem.split):
            faults.append(f"{name} belongs to another task, level or split")
        elif split_of(twin.content_key) != problem.split:
            faults.append(f"{name} has a content of the {split_of(twin.content_key)} split")
        if twin.twin_group != problem.twin_group:
            faults.append(f"{name} has another twin group")
    if len({twin.content_key for twin in group}) != len(group):
        faults.append("two twins have one content")
    if len({twin.id for twin in group}) != len(group):
        faults.append("two twins have one id")
    if not any(_same(problem, twin) for twin in group):
        faults.append("it is not among its own twins")
    return [f"{problem.id}: {fault}" for fault in faults]


def _same(one: Problem, other: Problem) -> bool:
    return (one.id, one.content_key, one.answer) == (other.id, other.content_key, other.answer)


def telling_ids(letters: dict[str, dict[str, int]], least: int = 20) -> list[str]:
    """The last characters of twins' ids that give the key away, one line each.

    A character is telling when it goes with one letter alone, over ``least`` twins or
    more: with fair ids and four options that happens once in 10^11.
    """
    return [
        f"twins whose id ends in {end!r} are all answered by {next(iter(counts))}"
        for end, counts in sorted(letters.items())
        if len(counts) == 1 and sum(counts.values()) >= least
    ]
