"""An engine whose replies are computed: for tests, and for marked baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from benchgen.problem import Response
from evaluators.engine import Request


class ScriptedEngine:
    """Answers every request with ``reply(request)``, one at a time, in order.

    A string becomes the text of a finished Response. A Response is passed on
    as it is, under the request's id. If ``reply`` raises, the error propagates:
    it is a fault of the script, not of the request.
    """

    def __init__(
        self, name: str, reply: Callable[[Request], str | Response], window: int = 64
    ) -> None:
        if window < 1:
            raise ValueError(f"a window holds at least one request, not {window}")
        self._name = name
        self._reply = reply
        self._window = window

    @property
    def name(self) -> str:
        """What the run directory calls the model."""
        return self._name

    @property
    def window(self) -> int:
        """How many requests the runner may hand over at a time."""
        return self._window

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answer the requests in the order in which they come."""
        for request in requests:
            answer = self._reply(request)
            if isinstance(answer, str):
                yield Response(id=request.id, text=answer)
            elif answer.id == request.id:
                yield answer
            else:
                raise ValueError(f"the reply to {request.id!r} is marked {answer.id!r}")

    def describe(self) -> Mapping[str, Any]:
        """The engine's kind and name."""
        return {"engine": "scripted", "name": self._name}

    def close(self) -> None:
        """Nothing to free."""
