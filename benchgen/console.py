"""How commands speak: results to stdout, progress to stderr.

Conventions
-----------
* On a terminal progress is a bar that goes away; elsewhere it is plain lines, at
  most one in a few seconds, so that a log stays short.
* With ``--json`` stdout holds one JSON object and nothing else.
* Text that comes from data is printed as it is, never read as markup; control
  characters are shown, not sent to the terminal.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

SECONDS_BETWEEN_LINES = 5.0


class Update(Protocol):
    """Called with how much is done, how much there is to do, and what there is to say of it."""

    def __call__(self, done: int, total: int, detail: str = "") -> None: ...


def print_json(record: Mapping[str, Any]) -> None:
    """One JSON object to stdout."""
    print(json.dumps(record, ensure_ascii=False, indent=2))


def print_line(text: str) -> None:
    """One line to stdout, with control characters made visible."""
    print(visible(text))


def note(text: str) -> None:
    """One line to stderr: progress or an error."""
    print(visible(text), file=sys.stderr, flush=True)


def visible(text: str) -> str:
    """``text`` with control characters (but tabs and line ends) escaped."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text
    )


@contextmanager
def progress(title: str, unit: str, quiet: bool = False) -> Iterator[Update]:
    """Yield a function to call with how much is done and how much there is to do."""
    if quiet:
        yield lambda done, total, detail="": None
    elif sys.stderr.isatty():
        with _bar(title, unit) as update:
            yield update
    else:
        yield _lines(title, unit)


def _lines(title: str, unit: str) -> Update:
    last = time.monotonic()

    def update(done: int, total: int, detail: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if done == total or now - last >= SECONDS_BETWEEN_LINES:
            last = now
            note(f"{title}: {done} of {total} {unit}{': ' if detail else ''}{detail}")

    return update


@contextmanager
def _bar(title: str, unit: str) -> Iterator[Update]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit, markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    # No thread to refresh it: a process with threads cannot be forked safely.
    bar = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
    with bar:
        task = bar.add_task(title, total=None, detail="")
        bar.refresh()

        def update(done: int, total: int, detail: str = "") -> None:
            bar.update(task, completed=done, total=total, detail=detail, refresh=True)

        yield update
