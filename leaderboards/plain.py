"""A board for readers without its script: per test rank, name, accuracy and interval.

Conventions
-----------
* ``record`` is the board's JSON. Every text in it goes through ``cells.text``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leaderboards.cells import heading, percent, text

_HEAD = "".join(
    f'<th scope="col">{name}</th>' for name in ("Rank", "Model", "Accuracy, %", "95 % interval")
)


def plain_html(record: Mapping[str, Any]) -> str:
    """The tables, one for each test."""
    rows: dict[int, list[str]] = {}
    for entry in record["entries"]:
        rows.setdefault(entry["test"], []).append(_row(entry))
    return "\n".join(
        f'<table class="simple">\n<caption>{_caption(test)}</caption>\n'
        f"<thead><tr>{_HEAD}</tr></thead>\n<tbody>\n{chr(10).join(rows.get(place, ()))}\n"
        f"</tbody>\n</table>"
        for place, test in enumerate(record["tests"])
    )


def _caption(test: Mapping[str, Any]) -> str:
    fresh = "" if test["fresh_of"] is None else ", fresh draw"
    name = f"{heading(test['suite'])} {test['suite_version']}, {test['modality']}{fresh}"
    return text(f"{name} ({test['split']} split)")


def _row(entry: Mapping[str, Any]) -> str:
    words = (entry["name"], entry["method"], entry["rung"])
    name = ", ".join(f"<bdi>{text(word)}</bdi>" for word in words if word)
    rank = "" if entry["rank"] is None else f"{entry['rank']}{'=' * entry['tied']}"
    figure = entry["accuracy"]
    value = "–" if figure is None else percent(figure["value"])
    interval = ""
    if figure is not None and figure["low"] is not None and figure["high"] is not None:
        interval = f"{percent(figure['low'])} to {percent(figure['high'])}"
    return f'<tr><td>{rank}</td><th scope="row">{name}</th><td>{value}</td><td>{interval}</td></tr>'
