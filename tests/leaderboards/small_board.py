"""A small board's JSON by hand: two versions of a suite, two modalities and a fresh draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
LONG = "x" * 200
CHANCE = 0.25
CATEGORIES = ("interval", "chord", "scale", "rhythm")
TASKS = {
    "sheet_music/interval_name": "interval",
    "sheet_music/note_completion": "interval",
    "sheet_music/chord_name": "chord",
    "sheet_music/chord_completion": "chord",
    "sheet_music/key_from_tones": "scale",
    "sheet_music/scale_selection": "scale",
    "sheet_music/meter": "rhythm",
    "sheet_music/bar_lines": "rhythm",
}
LEVELS = ("1", "2", "3", "4")
PROBLEMS = 800
# name, method, rung, skill, tokens per reply, cost per problem
MODELS = (
    ("Other/Large", "zero-shot", "1 x 4096 tokens", 0.81, 1840.0, 0.0121),
    ("Other/Large", "4 shots", "1 x 512 tokens", 0.74, 301.0, 0.0033),
    ("Qwen/Middle", "zero-shot", "1 x 512 tokens", 0.62, 340.0, 0.0009),
    ("Qwen/Middle", "4 shots", "1 x 512 tokens", 0.615, 212.0, 0.0008),
    ("Qwen/Small", "zero-shot", "1 x 512 tokens", 0.41, 405.0, 0.0002),
    ("Qwen/Small", "4 shots", "1 x 512 tokens", 0.36, 96.0, 0.00007),
    (HOSTILE, "zero-shot", "1 x 512 tokens", 0.29, 510.0, 0.0004),
)
TESTS = (("1", "text", None), ("2", "text", None), ("2", "image", None), ("2", "text", 1))


def figure(value: float, problems: int = PROBLEMS) -> dict[str, Any]:
    """A figure with Wilson's interval."""
    spread = 1.96 / math.sqrt(problems)
    middle = (value + spread**2 / 2) / (1 + spread**2)
    half = spread / (1 + spread**2) * math.sqrt(value * (1 - value) + spread**2 / 4)
    return {"value": value, "low": middle - half, "high": middle + half, "problems": problems}


def exact(value: float, problems: int = PROBLEMS) -> dict[str, Any]:
    """A figure without an interval."""
    return {"value": value, "low": None, "high": None, "problems": problems}


def entry(key: str, test: int, name: str, kind: str, **fields: Any) -> dict[str, Any]:
    """One row; what is not given is what a baseline without a run has."""
    return {
        "key": key, "test": test, "name": name, "kind": kind, "method": "", "rung": "",
        "seed": None,
        "rank": None, "tied": False, "above": None, "partial": False, "problems": PROBLEMS,
        "accuracy": exact(CHANCE), "categories": {}, "tasks": {}, "levels": {}, "twins": None,
        "outcomes": None, "errors": 0, "missing": 0, "quantities": {}, "settings": [],
        "samples": None, "record": None, **fields,
    }  # fmt: skip


def run(key: str, test: int, name: str, kind: str, skill: float, **fields: Any) -> dict[str, Any]:
    """The row of a run that is right with probability ``skill``, more so in some parts."""

    def slices(names: Any) -> dict[str, Any]:
        middle = (len(names) - 1) / 2
        tilt = 0.0 if skill == 1 else 0.09
        return {
            part: figure(min(1.0, max(0.02, skill + tilt * (middle - place) / (middle or 1))),
                         PROBLEMS // len(names))
            for place, part in enumerate(names)
        }  # fmt: skip

    unread = 0.0 if skill == 1 else 0.04
    return entry(
        key, test, name, kind,
        **{
            "seed": 0, "accuracy": figure(skill), "categories": slices(CATEGORIES),
            "tasks": slices(TASKS), "levels": slices(LEVELS),
            "twins": figure(skill**3, PROBLEMS // 4),
            "outcomes": {"correct": skill, "wrong": 1 - skill - unread, "unparsed": unread / 4,
                         "truncated": unread * 3 / 4, "error": 0.0},
            "settings": [["engine", "vllm"], ["temperature, top-p", "0, 1"], ["seed", "0"]],
            "samples": f"runs/{key}/report.html", "record": f"runs/{key}/metrics.json",
            **fields,
        },
    )  # fmt: skip


def small_board() -> dict[str, Any]:
    """The record; test 1 (version 2, text) is the fullest, test 3 a fresh draw of it."""
    entries: list[dict[str, Any]] = []
    for test, (version, modality, fresh) in enumerate(TESTS):
        entries += _entries(test, version, modality, fresh is not None)
    at = {one["key"]: place for place, one in enumerate(entries)}
    gaps = []
    for model in range(len(MODELS)):
        public, fresh_ = at[f"model-{model}-1"], at[f"model-{model}-3"]
        gap = entries[public]["accuracy"]["value"] - entries[fresh_]["accuracy"]["value"]
        gaps.append({"public": public, "fresh": fresh_, "gap": gap, "low": gap - 0.045,
                     "high": gap + 0.045, "flagged": gap > 0.09})  # fmt: skip
    keys = ("gold", *(f"model-{model}" for model in range(len(MODELS))), "blind", "chance")
    overall = [_overall(entries, [at.get(f"{key}-{test}") for test in range(3)]) for key in keys]
    overall.sort(key=lambda row: -row["mean"]["value"] if row["mean"] else 1)
    _rank([row for row in overall if row["kind"] == "model" and row["mean"]])
    return {
        "schema_version": 3, "title": "Sheet music board", "benchgen_version": "0.1.0",
        "tests": [_test(*one) for one in TESTS], "entries": entries, "overall": overall,
        "overall_tests": [0, 1, 2], "gaps": gaps,
    }  # fmt: skip


def _overall(entries: list[dict[str, Any]], places: list[int | None]) -> dict[str, Any]:
    """The row of what stands at ``places``, with the mean where it stands in all tests."""
    found = [entries[place] for place in places if place is not None]
    same = {name: found[0][name] for name in ("name", "kind", "method", "rung", "seed")}
    figures = [one["accuracy"] for one in found]
    value, problems = sum(one["value"] for one in figures) / 3, PROBLEMS * 3
    mean = exact(value, problems) if figures[0]["low"] is None else figure(value, problems)
    return {**same, "entries": places, "mean": mean if len(found) == 3 else None,
            "rank": None, "tied": False, "above": None}  # fmt: skip


def key_of(test: int) -> str:
    """The key of a test by its place."""
    version, modality, fresh = TESTS[test]
    return f"sheet_music-{version}-{'test' if fresh is None else 'fresh'}-{modality}-1f0c9be2"


def _test(version: str, modality: str, fresh: int | None) -> dict[str, Any]:
    place = TESTS.index((version, modality, fresh))
    return {
        "key": key_of(place), "suite": "sheet_music", "suite_version": version, "split": "test",
        "modality": modality, "data": f"sha256:{place}f0c9be2a4d75b1e", "problems": PROBLEMS,
        "data_problems": 1000, "chance": CHANCE, "categories": dict.fromkeys(CATEGORIES, CHANCE),
        "tasks": dict.fromkeys(TASKS, CHANCE), "levels": dict.fromkeys(LEVELS, CHANCE),
        "blind": 0.28, "blind_name": "pairwise logistic", "fresh_of": fresh,
    }  # fmt: skip


def _entries(test: int, version: str, modality: str, fresh: bool) -> list[dict[str, Any]]:
    shift = {"1": 0.05, "2": 0.0}[version] - 0.12 * (modality == "image")
    rows = [
        run(f"gold-{test}", test, "perfect reader", "perfect", 1.0),
        entry(f"chance-{test}", test, "chance", "chance", twins=exact(0.004),
              categories={name: exact(CHANCE) for name in CATEGORIES},
              levels={name: exact(CHANCE) for name in LEVELS}),
        entry(f"blind-{test}", test, "best blind predictor", "blind", method="pairwise logistic",
              accuracy=exact(0.28)),
        run(f"partial-{test}", test, LONG, "model", 0.5, partial=True, problems=320, errors=3,
            missing=480, method="zero-shot", rung="1 x 512 tokens"),
    ]  # fmt: skip
    for place, (name, method, rung, skill, tokens, cost) in enumerate(MODELS):
        if version == "1" and place == 3:
            continue
        met = 0.02 + 0.13 * (place == 2) if fresh else 0.0
        rows.append(
            run(f"model-{place}-{test}", test, name, "model", round(skill + shift - met, 3),
                method=method, rung=rung,
                quantities={"tokens per reply": tokens, "cost per problem": cost})
        )  # fmt: skip
    rows.sort(key=lambda row: -row["accuracy"]["value"])
    ranked = [row for row in rows if row["kind"] == "model" and not row["partial"]]
    _rank(ranked)
    return rows


def _value(row: Mapping[str, Any]) -> float:
    value: float = row["mean" if "mean" in row else "accuracy"]["value"]
    return value


def _rank(rows: list[Mapping[str, Any]]) -> None:
    previous: Any = None
    for place, row in enumerate(rows):
        assert isinstance(row, dict)
        row["rank"] = place + 1
        if previous is not None:
            effect = _value(previous) - _value(row)
            row["above"] = {"effect": effect, "p_value": 0.4 if effect < 0.02 else 0.0004,
                            "test": "McNemar"}  # fmt: skip
            if effect < 0.02:
                row["rank"], row["tied"], previous["tied"] = previous["rank"], True, True
        previous = row
