"""The one error that means "your input is at fault"."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: the command line prints its message as one line and exits with 2."""
