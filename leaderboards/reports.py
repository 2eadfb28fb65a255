"""The reports that a dataset is published with: what ``verify --json`` and ``audit --json`` print.

Conventions
-----------
* A report counts for one dataset, by its digest, and only if it passed: what did not is not
  published.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchgen.errors import DAMAGED, InputError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a verification: so many rows were sound, of those that it applies to."""

    name: str
    sound: int
    of: int


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit found. ``items`` were drawn for each class and level and asked of blind
    predictors in ``tests`` tests, of which none was flagged. ``predictor`` is the best one, right
    in the share ``best`` where chance is ``chance``; ``bound`` is the widest upper bound of any,
    None if none was computed (a quick audit). ``shared`` is the span of the shares of test facts
    that are met in training, over classes and levels; None where nothing was drawn.
    """

    items: int
    tests: int
    twins: int
    predictor: str
    best: float
    chance: float
    bound: float | None
    shared: tuple[float, float] | None


def read_verification(path: Path, digest: str) -> tuple[Check, ...]:
    """The checks of a verification of the dataset ``digest``.

    Raises
    ------
    InputError
        It cannot be read, is of another dataset, or found faults.
    """

    def checks(report: Mapping[str, Any]) -> tuple[Check, ...]:
        found = report["checks"].items()
        return tuple(Check(str(n), int(c["sound"]), int(c["of"])) for n, c in found)

    return _read(path, digest, "verify", checks)


def read_audit(path: Path, digest: str) -> Audited:
    """What an audit of the dataset ``digest`` found.

    Raises
    ------
    InputError
        It cannot be read, is of another dataset, or did not pass.
    """

    def audited(report: Mapping[str, Any]) -> Audited:
        gates, best = report["gates"], report["best_blind"]
        widest = gates["equivalence"].get("widest")
        shares = [float(row["share_of_facts"]) for row in report["shared_facts"]]
        return Audited(
            items=max(int(part["scored"]) for part in report["items"].values()),
            tests=int(gates["detection"]["tests"]),
            twins=int(gates["twins"]["complete"]),
            predictor=str(best["name"]),
            best=float(best["accuracy"]),
            chance=float(best["chance"]),
            bound=None if widest is None else float(widest["upper_bound"]),
            shared=(min(shares), max(shares)) if shares else None,
        )

    return _read(path, digest, "audit", audited)


def _read(path: Path, digest: str, verb: str, parsed: Callable[[Mapping[str, Any]], _T]) -> _T:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        told, passed = report["digest"], report["passed"]
        found = parsed(report)
    except DAMAGED as error:
        raise InputError(
            f"{path} is not what benchgen {verb} DIR --json prints: {error!r}"
        ) from None
    if told != digest:
        raise InputError(f"{path} is of the data {str(told)[:16]}, not {digest[:16]}")
    if passed is not True:
        raise InputError(f"{path} did not pass: what it is of is not published")
    return found
