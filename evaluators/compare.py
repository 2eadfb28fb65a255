"""``benchgen compare``: runs on the same problems, each against the first.

Conventions
-----------
* Runs are paired by problem. They may differ in anything but the data: in the model,
  the modality, the prompt, the number of samples; what differs is said.
* p-values are corrected by Holm's method when there are several runs against the first.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from evaluators.paired import ALPHA, Difference, Pair, difference, holm
from evaluators.run_directory import ProblemScore, RunConfig, RunRecord, read_run


def compare_runs(folders: Sequence[Path | str]) -> dict[str, Any]:
    """The comparison as JSON: ``first``, and for every other run a member of ``against``.

    Each has the fields of ``paired.Difference``, the p-value ``corrected``, what
    ``differs`` in the configurations, ``unpaired`` (the problems that only one run has
    replies to), ``by_category`` and ``by_level`` (fields of ``Difference``), and ``needed``,
    the problems that the effect seen would take, or None.

    Raises
    ------
    InputError
        Fewer than two runs; one is not the directory of a finished run, or on other data
        than the first, or shares no problem with it; statsmodels is not installed.
    """
    if len(folders) < 2:
        raise InputError("a comparison needs two runs or more")
    check_comparison()
    runs = [read_run(folder) for folder in folders]
    first, others = runs[0], runs[1:]
    compared = [_against(first, other) for other in others]
    corrected = holm({str(place): one["p_value"] for place, one in enumerate(compared)})
    for place, one in enumerate(compared):
        one["corrected"] = corrected[str(place)]
    return {"first": _named(first), "against": compared}


def check_comparison() -> None:
    """Whether runs can be compared here.

    Raises
    ------
    InputError
        statsmodels is not installed.
    """
    if importlib.util.find_spec("statsmodels") is None:
        raise InputError('a comparison needs statsmodels: pip install "benchgen[compare]"')


def comparison_lines(record: Mapping[str, Any]) -> list[str]:
    """The comparison for people."""
    several = len(record["against"]) > 1
    first = record["first"]
    lines = [f"first: {first['model']}, {first['modality']} ({first['run']})"]
    for one in record["against"]:
        lines.append(f"{one['model']}, {one['modality']} ({one['run']})")
        if one["differs"]:
            lines.append(f"  differs in {', '.join(one['differs'])}")
        lines.append(
            f"  {_points(one['second'], False)} % against {_points(one['first'], False)} %: "
            f"{_points(one['effect'])} points ({_points(one['low'])} to {_points(one['high'])}), "
            f"{one['problems']} problems, {one['better']} better, {one['worse']} worse"
        )
        corrected = f", {_p(one['corrected'])} corrected for several (Holm)" if several else ""
        lines.append(f"  {one['test']}: {_p(one['p_value'])}{corrected}")
        if one["unpaired"]:
            lines.append(f"  {one['unpaired']} problems lack a reply in one of the two")
        lines += _too_few(one)
        for title in ("by_category", "by_level"):
            for name, part in one[title].items():
                lines.append(
                    f"    {title[3:]} {name}: {_points(part['effect'])} points "
                    f"({_points(part['low'])} to {_points(part['high'])}), "
                    f"{part['problems']} problems"
                )
    return lines


def _against(first: RunRecord, other: RunRecord) -> dict[str, Any]:
    if first.config.data.digest != other.config.data.digest:
        raise InputError(
            f"{other.path} is on other data than {first.path}: "
            f"{other.config.data.digest[:16]}, not {first.config.data.digest[:16]}"
        )
    mine = {score.problem: score for score in first.problems if score.score is not None}
    theirs = {score.problem: score for score in other.problems if score.score is not None}
    shared = [(mine[name], theirs[name]) for name in mine if name in theirs]
    if not shared:
        raise InputError(f"{first.path} and {other.path} share no problem with a reply")
    overall = _difference(shared)
    return {
        **_named(other),
        **dataclasses.asdict(overall),
        "differs": _differs(first.config, other.config),
        "unpaired": len(set(mine) ^ set(theirs)),
        "needed": _needed(overall),
        "by_category": _parts(shared, lambda score: score.category),
        "by_level": _parts(shared, lambda score: score.level),
    }


Shared = Sequence[tuple[ProblemScore, ProblemScore]]


def _difference(shared: Shared) -> Difference:
    return difference([Pair(a.cluster, a.score or 0.0, b.score or 0.0) for a, b in shared])


def _parts(shared: Shared, name: Callable[[ProblemScore], Any]) -> dict[str, Any]:
    parts: dict[Any, list[tuple[ProblemScore, ProblemScore]]] = {}
    for pair in shared:
        parts.setdefault(name(pair[0]), []).append(pair)
    return {str(key): dataclasses.asdict(_difference(parts[key])) for key in sorted(parts)}


def _needed(seen: Difference) -> int | None:
    """How many problems the effect seen would take, by the detectable one's square."""
    if seen.detectable is None or seen.effect == 0:
        return None
    return math.ceil(seen.problems * (seen.detectable / abs(seen.effect)) ** 2)


def _too_few(one: Mapping[str, Any]) -> list[str]:
    if one["better"] == one["worse"] == 0:
        return ["  the two were right on the same problems: nothing tells them apart"]
    if one["p_value"] < ALPHA:
        return []
    if one["detectable"] is None:
        return ["  too few problems to tell"]
    line = (
        f"  too few problems to tell: {one['problems']} show a difference of "
        f"{_points(one['detectable'], False)} points in four cases out of five"
    )
    needed = f"; one of {_points(abs(one['effect']), False)} takes about {one['needed']:,}"
    return [line + (needed if one["needed"] is not None else "")]


def _named(run: RunRecord) -> dict[str, Any]:
    return {
        "run": str(run.path),
        "model": run.config.model,
        "modality": run.config.modality,
        "complete": run.metrics.complete,
    }


def _differs(first: RunConfig, other: RunConfig) -> list[str]:
    """The settings that differ, but for where the data and the model lie."""
    before, after = (
        dataclasses.asdict(dataclasses.replace(config, settings={}, model_source=""))
        for config in (first, other)
    )
    found = []
    for name, value in before.items():
        if name == "data":
            continue
        if isinstance(value, dict):
            found += [part for part in value if value[part] != after[name][part]]
        elif value != after[name]:
            found.append(name)
    return found


def _points(share: float, signed: bool = True) -> str:
    return f"{100 * share:+.1f}" if signed else f"{100 * share:.1f}"


def _p(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.4f}"
