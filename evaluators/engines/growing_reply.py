"""One request's reply while it is being generated, token by token.

Conventions
-----------
* A token that ends the turn is one of the reply's tokens, and no part of its text. So is
  the token that completes a stop string; the text ends before the string.
* The text is what the new tokens add to the text of the prompt: some tokenizers write a
  word's space only where something stands before it.
* The chances that draw the tokens come from the request's seed alone.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Collection, Sequence

from benchgen.problem import Response, Usage
from evaluators.engine import Request, Sampling

Decode = Callable[[Sequence[int]], str]

TAIL = 8
"""How many of the prompt's tokens are read with the reply's."""


def check_sampling(sampling: Sampling) -> None:
    """Whether a reply can be drawn so.

    Raises
    ------
    ValueError
        A number is out of range, a stop string is empty, or there is a pattern or a
        thinking budget.
    """
    if sampling.regex:
        raise ValueError("this engine cannot hold a model to a pattern")
    if sampling.thinking_budget is not None:
        raise ValueError("this engine cannot hold a model to a thinking budget")
    if not 0 <= sampling.temperature < math.inf:
        raise ValueError(f"a temperature is 0 or more, not {sampling.temperature}")
    if not 0 < sampling.top_p <= 1:
        raise ValueError(f"top_p is above 0 and at most 1, not {sampling.top_p}")
    if sampling.max_tokens < 1:
        raise ValueError(f"a reply has one token or more, not {sampling.max_tokens}")
    if "" in sampling.stop:
        raise ValueError("a stop string is not empty")


class GrowingReply:
    """What has been drawn for ``request`` so far.

    ``room`` is how many tokens the context leaves, ``ends`` the tokens that end a turn,
    ``decode`` makes text of tokens. ``reason`` says why it is
    finished, and is empty until it is.
    """

    def __init__(
        self,
        request: Request,
        prompt_token_ids: Sequence[int],
        room: int,
        ends: Collection[int],
        decode: Decode,
    ) -> None:
        self.request = request
        self.reason = ""
        self.room = min(room, request.sampling.max_tokens)
        self._prompt = tuple(prompt_token_ids)
        self._ends = ends
        self._decode = decode
        self._since = time.monotonic()
        # Torch's own generator would take no more of the seed than its lower 32 bits.
        self._stream = random.Random(request.sampling.seed)
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._cut: int | None = None

    def chance(self) -> float:
        """The next number of the request's own stream, from 0 to below 1."""
        return self._stream.random()

    def add(self, token: int, logprob: float) -> None:
        """Take the next token."""
        self._tokens.append(token)
        self._logprobs.append(logprob)
        if math.isnan(logprob):
            self.reason = "error"
        elif token in self._ends or self._stopped():
            self.reason = "stop"
        elif len(self._tokens) == self.room:
            self.reason = "length"

    def response(self) -> Response:
        """The finished reply."""
        text = self._text()
        return Response(
            id=self.request.id,
            text=text if self._cut is None else text[: self._cut],
            finish_reason=self.reason,
            token_ids=tuple(self._tokens),
            logprobs=tuple(self._logprobs) if self.request.sampling.logprobs else None,
            prompt_token_ids=self._prompt,
            usage=Usage(len(self._prompt), len(self._tokens)),
            seconds=time.monotonic() - self._since,
            error="the model's scores are not numbers" if self.reason == "error" else None,
        )

    def _stopped(self) -> bool:
        """Whether a stop string has come; the text is cut before the first."""
        if not self.request.sampling.stop:
            return False
        text = self._text()
        places = [text.find(stop) for stop in self.request.sampling.stop]
        self._cut = min((place for place in places if place >= 0), default=None)
        return self._cut is not None

    def _text(self) -> str:
        tokens = self._tokens
        if tokens and tokens[-1] in self._ends:
            tokens = tokens[:-1]
        tail = self._prompt[-TAIL:]
        before, whole = self._decode(tail), self._decode([*tail, *tokens])
        # A tail that ends inside a letter reads otherwise when the letter is finished.
        return whole[len(before) :] if whole.startswith(before) else self._decode(tokens)
