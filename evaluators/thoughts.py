"""Telling a model's thoughts from what it says, by the marks that begin and end them.

The usual marks (``<think>``, ``[THINK]``, channels) are known to whoever reads answers
(``benchgen.answers``) and need no naming; a model with others would have its thoughts read.
"""

from __future__ import annotations

from collections.abc import Sequence

TokenMarks = tuple[tuple[int, ...], tuple[int, ...]]
"""The tokens that begin a thought and those that end it; both empty if none are known."""


def split_thoughts(reply: str, marks: Sequence[str]) -> tuple[str, str]:
    """What was thought, and what was said after the last thought; without marks all is said.

    A thought may have begun in the prompt, so that its end is the first that is seen. One that
    begins and does not end leaves nothing said.
    """
    if not marks:
        return "", reply
    begin, end = marks
    thought, ended, said = reply.rpartition(end)
    if begin in said:
        return reply, ""
    return thought + ended, said.lstrip() if ended else said


def thought_tokens(prompt: tuple[int, ...], reply: tuple[int, ...], marks: TokenMarks) -> int:
    """How many of a reply's tokens are thought, marks included.

    All of them, if a thought begins in it or in the prompt and does not end.
    """
    begin, end = marks
    ended = _after_last(reply, end)
    goes_on = _after_last(reply, begin) > ended
    if not ended:
        goes_on = goes_on or _after_last(prompt, begin) > _after_last(prompt, end)
    return len(reply) if goes_on else ended


def _after_last(tokens: tuple[int, ...], mark: tuple[int, ...]) -> int:
    """The place after the last mark, 0 without one."""
    for place in range(len(tokens), len(mark) - 1, -1):
        if mark and tokens[place - len(mark) : place] == mark:
            return place
    return 0
