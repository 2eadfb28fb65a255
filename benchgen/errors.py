"""Errors that the command line tells in a line, without where they were raised."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: the command line prints its message as one line and exits with 2."""


class RunIncomplete(RuntimeError):
    """An evaluation ended without a reply to every problem."""
