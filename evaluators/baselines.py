"""Readers that are no models: the marked baselines of a board.

``scripted:gold`` knows every key and must score 1; ``scripted:random`` draws one of the
options with the sample's seed; ``scripted:position`` always takes the first. What
the last two score is what a model scores that reads nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from benchgen.errors import InputError
from benchgen.problem import LETTERS, Problem
from evaluators.engine import Request
from evaluators.engines.scripted import ScriptedEngine

PREFIX = "scripted:"
NAMES = {
    "gold": "perfect reader (scripted)",
    "random": "random reader (scripted)",
    "position": "first option (scripted)",
}


def open_baseline(spec: str, problems: Iterable[Problem]) -> ScriptedEngine:
    """The reader ``spec`` (``scripted:gold``, say) over the problems of a run.

    Raises
    ------
    InputError
        There is no such reader.
    """
    kind = spec.removeprefix(PREFIX)
    if kind not in NAMES:
        known = ", ".join(PREFIX + name for name in NAMES)
        raise InputError(f"unknown engine {spec!r}; scripted readers are {known}")
    keys = {problem.id: (problem.target, len(problem.options or ())) for problem in problems}

    def reply(request: Request) -> str:
        target, options = keys[request.id.rpartition("#")[0]]
        match kind:
            case "gold":
                answer = target
            case "random":
                answer = LETTERS[random.Random(request.sampling.seed).randrange(options)]
            case _:
                answer = LETTERS[0]
        return f"\\boxed{{{answer}}}"

    return ScriptedEngine(NAMES[kind], reply)
