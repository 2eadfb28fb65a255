"""Errors that the command line tells in a line, without where they were raised."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: the command line prints its message as one line and exits with 2."""


DAMAGED = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip
"""What reading a file that anybody may have written can raise, whatever it holds."""


class RunIncomplete(RuntimeError):
    """An evaluation ended without a reply to every problem."""
