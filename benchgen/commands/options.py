"""Options that several verbs have, and how their words are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from benchgen.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes to work in.")]
Split = Annotated[str, typer.Option(help="train, validation or test.")]
Seed = Annotated[int, typer.Option(help="Another seed, other items.")]


def listed(values: Sequence[str]) -> list[str]:
    """The parts of options that may be repeated and may hold several, by comma."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def integer(name: str, text: str) -> int:
    """The whole number that an option holds; InputError names the option if it holds none."""
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{name} is a whole number, not {text!r}") from None
