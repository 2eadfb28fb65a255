"""Problems whose answers are known by construction.

>>> import benchgen
>>> p = benchgen.make("sheet_music/interval_name", split="test", seed=0, index=7, level=2)
>>> benchgen.score(p, rf"So it is \\boxed{{{p.target}}}").value
1.0
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "InputError", "Outcome", "Problem", "Response", "Score", "capacity", "list_tasks",
    "make", "score", "twins",
]  # fmt: skip
__version__ = "0.1.0"

_HOMES = {
    "InputError": "errors", "Outcome": "problem", "Problem": "problem", "Response": "problem",
    "Score": "problem", "capacity": "task", "list_tasks": "task", "make": "task",
    "score": "answers", "twins": "task",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # Lazy, so that the command line starts without the generators.
    if name not in _HOMES:
        raise AttributeError(f"module 'benchgen' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"benchgen.{_HOMES[name]}"), name)
