"""Items and capacities, for a person at a terminal or a machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchgen.console import print_line, visible
from benchgen.errors import InputError
from benchgen.files import write_whole
from benchgen.problem import LETTERS, Problem
from benchgen.seeding import SPLITS
from benchgen.task import capacity, find_task, list_tasks


def item_record(problem: Problem, picture: Path | None) -> dict[str, Any]:
    """The item as a JSON object, with the stimulus as text and the picture's path."""
    return {
        "id": problem.id,
        "task": problem.task,
        "level": problem.level,
        "split": problem.split,
        "seed": problem.seed,
        "index": problem.index,
        "question": problem.question,
        "text": problem.text(),
        "options": None if problem.options is None else list(problem.options),
        "answer": problem.answer,
        "target": problem.target,
        "solution": problem.solution,
        "identity": dict(problem.identity),
        "content_key": problem.content_key,
        "picture": None if picture is None else str(picture),
    }


def save_picture(problem: Problem, path: Path) -> None:
    """Write the item's picture.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    (picture,) = problem.images()
    try:
        write_whole(path, picture)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def show_item(problem: Problem, picture: Path | None) -> None:
    """Print the item: with colour on a terminal, as plain lines elsewhere."""
    heading = f"{problem.task} · level {problem.level} · {problem.split} · {problem.id}"
    options = [
        (LETTERS[place], option, option == problem.answer)
        for place, option in enumerate(problem.options or ())
    ]
    if sys.stdout.isatty():
        _show_in_colour(problem, heading, options)
    else:
        print_line(heading)
        print_line(f"\n{problem.question}\n\n{problem.text().rstrip()}\n")
        for letter, option, _ in options:
            print_line(f"{letter}. {option}")
        print_line(f"\nkey: {problem.target} ({problem.answer})")
        if problem.solution is not None:
            print_line(f"\n{problem.solution}")
    if picture is not None:
        print_line(f"\npicture: {picture}")


def capacities(suite: str | None) -> list[dict[str, Any]]:
    """For each task: name, category, and the capacity of each level by split."""
    records = []
    for name in list_tasks(suite):
        task = find_task(name)
        levels = [
            {"level": level, "capacity": {split: capacity(name, level, split) for split in SPLITS}}
            for level in task.levels
        ]
        records.append({"task": name, "category": task.category, "levels": levels})
    return records


def show_capacities(records: Sequence[dict[str, Any]]) -> None:
    """Print a table, one line a task and level."""
    width = max((len(record["task"]) for record in records), default=4)
    print_line(f"{'task':<{width}}  level {''.join(f'{split:>16}' for split in SPLITS)}")
    for record in records:
        for level in record["levels"]:
            numbers = "".join(f"{_number(level['capacity'][split]):>16}" for split in SPLITS)
            print_line(f"{record['task']:<{width}}  {level['level']:>5} {numbers}")


def _number(value: int) -> str:
    return f"{value:,}" if value < 10**9 else f"about 2^{value.bit_length() - 1}"


def _show_in_colour(
    problem: Problem, heading: str, options: Sequence[tuple[str, str, bool]]
) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    console = Console()
    console.print(Text(visible(heading), style="dim"))
    console.print(Text(visible(problem.question), style="bold"))
    console.print(Panel(Text(visible(problem.text().rstrip())), expand=False))
    for letter, option, right in options:
        console.print(Text(visible(f"{letter}. {option}"), style="green" if right else ""))
    console.print(Text(visible(f"key: {problem.target} ({problem.answer})"), style="bold green"))
    if problem.solution is not None:
        console.print(Text(visible(problem.solution)))
