"""A suite: a family of tasks that share renderings and a second engine.

A suite is a subpackage of ``benchgen`` that holds a ``tasks`` package and a
module-level ``SUITE``. Both are found by looking, so that adding a suite
touches no file outside its own folder.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import benchgen
from benchgen.errors import InputError
from benchgen.problem import Identity


@dataclass(frozen=True)
class Suite:
    """What the spine needs to know of a family of tasks.

    ``about`` says in a sentence or two what the problems are, ``reading`` when the answer to
    one could be copied from another, which is what its splits keep apart: both for the cards
    of datasets.
    ``version`` changes whenever any item's bytes would. ``render_text`` and
    ``render_images`` are pure functions of the identity. ``prove`` names the
    second engine as ``"module:function"``; it is imported only by ``verify``,
    because it needs packages that synthesis does not. It takes one dataset row
    (a mapping of the columns) and returns what is wrong with it, one line a
    fault, nothing for a sound row; the module also holds ``CHECKS``, from the name of each
    check to the column that it needs (or None). ``fingerprint`` returns the versions of
    the libraries that decide the bytes of its files.
    """

    name: str
    title: str
    version: str
    licence: str
    about: str
    reading: str
    modalities: tuple[str, ...]
    notations: tuple[str, ...]
    render_text: Callable[[Identity, str], str]
    render_images: Callable[[Identity], tuple[bytes, ...]]
    fingerprint: Callable[[], Mapping[str, str]]
    prove: str

    def load_prove(self) -> Callable[[Mapping[str, Any]], list[str]]:
        """Import the second engine."""
        module, _, name = self.prove.partition(":")
        function: Callable[[Mapping[str, Any]], list[str]] = getattr(
            importlib.import_module(module), name
        )
        return function


def suite_names() -> list[str]:
    """The suites that are there, in alphabetical order."""
    found = []
    for info in pkgutil.iter_modules(benchgen.__path__):
        # Looked at, not imported: other packages (the audit) need more than a suite does.
        inside = pkgutil.iter_modules([f"{path}/{info.name}" for path in benchgen.__path__])
        if info.ispkg and any(part.name == "tasks" and part.ispkg for part in inside):
            found.append(info.name)
    return sorted(found)


@cache
def find_suite(name: str) -> Suite:
    """The suite called ``name``.

    Raises
    ------
    InputError
        There is none of that name.
    """
    names = suite_names()
    if name not in names:
        raise InputError(f"unknown suite {name!r}; there are: {', '.join(names)}")
    suite: Suite = importlib.import_module(f"benchgen.{name}").SUITE
    return suite
