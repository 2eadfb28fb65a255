"""What is raised when something cannot be proved right."""

from __future__ import annotations


class Fault(ValueError):
    """An item at fault; the message is one line that says what is wrong."""
