"""The folder of a training run: what was asked for, a line for every step, checkpoints.

Conventions
-----------
* ``config.json`` is written before the first step; a run goes on only under the same
  configuration, but for how long it is to be.
* ``metrics.jsonl`` has one line for each step that a checkpoint or a later one has behind it:
  what was done after the last checkpoint of a run that was cut is done again, to the same end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.files import write_whole

CONFIG = "config.json"
METRICS = "metrics.jsonl"
LENGTH = (
    "steps", "max_minutes", "most_tokens", "micro_tokens", "save_every", "keep", "test",
    "test_digest", "shard_weights", "track", "plot",
)  # fmt: skip
"""What may differ when a run goes on: it changes no step.

But where the learning rate falls: there ``steps`` is part of every step.
"""


def check_folder(out: Path, config: Mapping[str, Any]) -> None:
    """Whether a run of this configuration may begin in the folder, or go on.

    Raises
    ------
    InputError
        The folder holds another run, or something else.
    """
    path = out / CONFIG
    if path.is_file():
        try:
            begun = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise InputError(f"{path} is not the configuration of a training run") from None
        record = json.loads(json.dumps(config))
        free = set(LENGTH)
        if record.get("decay", "constant") != "constant":
            # The rate of every step hangs on how many there are.
            free.discard("steps")
        names = [n for n in {**begun, **record} if n not in free]
        changed = [n for n in names if begun.get(n) != record.get(n)]
        # One that failed before its first step has nothing to go on from.
        has_steps = (out / METRICS).exists() or any(out.glob("checkpoint-*"))
        if changed and has_steps:
            said = "; ".join(f"{n} {begun.get(n)!r} -> {record.get(n)!r}" for n in changed)
            raise InputError(f"{out} was begun with another configuration ({said})")
    elif out.exists() and (not out.is_dir() or any(_lasting(out))):
        raise InputError(f"{out} is not empty and holds no training run: give another --out")


def write_config(out: Path, config: Mapping[str, Any]) -> None:
    """Write the configuration, whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / CONFIG, f"{json.dumps(config, indent=1)}\n".encode())


def _lasting(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.endswith(".tmp"))


def append_metrics(out: Path, record: Mapping[str, Any]) -> None:
    """Add a step's line."""
    with (out / METRICS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read_metrics(out: Path) -> list[dict[str, Any]]:
    """The lines there are; a torn one is passed over."""
    path = out / METRICS
    return [json.loads(line) for line in _whole_lines(path)] if path.exists() else []


def cut_metrics(out: Path, steps: int) -> None:
    """Leave the lines of the first ``steps`` steps."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / METRICS
    if path.exists():
        kept = [line for line in _whole_lines(path) if json.loads(line)["step"] <= steps]
        write_whole(path, "".join(kept).encode())


def _whole_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from (line for line in file if line.endswith("\n"))
