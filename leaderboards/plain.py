"""A board for readers without its script: per test rank, name, accuracy and interval.

Conventions
-----------
* ``record`` is the board's JSON. Every text in it goes through ``cells.text``, and is isolated
  (``bdi``), so that one written from right to left does not reorder what stands beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from leaderboards.cells import heading, named, percent, text

_HEAD = "".join(
    f'<th scope="col">{name}</th>' for name in ("Rank", "Model", "Accuracy, %", "95 % interval")
)


def plain_html(record: Mapping[str, Any]) -> str:
    """The tables, one for each test."""
    entries: dict[int, list[Mapping[str, Any]]] = {}
    for entry in record["entries"]:
        entries.setdefault(entry["test"], []).append(entry)
    return "\n".join(
        f'<table class="simple">\n<caption>{caption}</caption>\n'
        f"<thead><tr>{_HEAD}</tr></thead>\n<tbody>\n{_rows(entries.get(place, ()))}\n"
        f"</tbody>\n</table>"
        for place, caption in enumerate(_captions(record["tests"]))
    )


def _captions(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """The tests' names and splits, with the digest where only that tells one from another."""
    found = [_caption(test) for test in tests]
    count = Counter(found)
    return [
        caption if count[caption] == 1 else f"{caption}, data {_isolated(_digest(test))}"
        for caption, test in zip(found, tests, strict=True)
    ]


def _caption(test: Mapping[str, Any]) -> str:
    fresh = "" if test["fresh_of"] is None else ", fresh draw"
    name = f"{heading(test['suite'])} {test['suite_version']}, {test['modality']}{fresh}"
    return f"{_isolated(name)} ({_isolated(test['split'])} split)"


def _digest(test: Mapping[str, Any]) -> str:
    return str(test["data"]).rpartition(":")[2][:12]


def _isolated(words: str) -> str:
    return f"<bdi>{text(words)}</bdi>"


def _rows(entries: Sequence[Mapping[str, Any]]) -> str:
    seeds: dict[tuple[str, ...], set[int | None]] = {}
    for entry in entries:
        seeds.setdefault(_alike(entry), set()).add(entry["seed"])
    return "\n".join(_row(entry, len(seeds[_alike(entry)]) > 1) for entry in entries)


def _alike(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return entry["name"], entry["method"], entry["rung"]


def _row(entry: Mapping[str, Any], several: bool) -> str:
    """A line; ``several`` tells that only the seed tells it from another."""
    seed = f"seed {entry['seed']}" if several and entry["seed"] is not None else ""
    words = (named(entry["name"]), entry["method"], entry["rung"], seed)
    name = ", ".join(_isolated(word) for word in words if word)
    rank = "" if entry["rank"] is None else f"{entry['rank']}{'=' * entry['tied']}"
    figure = entry["accuracy"]
    value = "–" if figure is None else percent(figure["value"])
    interval = ""
    if figure is not None and figure["low"] is not None and figure["high"] is not None:
        interval = f"{percent(figure['low'])} to {percent(figure['high'])}"
    return f'<tr><td>{rank}</td><th scope="row">{name}</th><td>{value}</td><td>{interval}</td></tr>'
