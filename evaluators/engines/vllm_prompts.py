"""Requests as vLLM's prompts; those with pictures are prepared ahead, in processes of their own.

Conventions
-----------
* A prompt is what the chat template, the tokenizer and the image processor make of a
  request. Reading a picture takes the longer part of that, tens of milliseconds for a page:
  workers do it while the engine computes, ``AHEAD`` requests each before their turn (a
  prepared page is tens of megabytes). Words alone are prepared here, in their turn.
* Samples of one question follow each other and share what was prepared once.
* A picture is known to the engine by a digest of its bytes. Left to themselves, renderers in
  two processes may give two pictures one name.
* What is wrong with a request comes back as a line in place of its prompt.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchgen.problem import Message
from evaluators.engine import Request
from evaluators.engines.pictures import on_white, with_pictures

AHEAD = 4


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request has no prompt, in one line."""

    why: str


Prompt = Any
"""vLLM's ``EngineInput``: a dictionary of token ids and what the image processor made."""


def render(renderer: Any, request: Request, takes_pictures: bool) -> Prompt | Refused:
    """The prompt of a request, by vLLM's ``renderer``."""
    try:
        return _render(renderer, request, takes_pictures)
    except Exception as error:  # noqa: BLE001
        # A model's own template and image processor may raise anything at all.
        return Refused(one_line(error))


def one_line(error: Exception) -> str:
    """An exception's name and words."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Workers:
    """Processes that render requests with pictures for the engine of ``config``."""

    def __init__(self, config: Any, count: int) -> None:
        self.ahead = AHEAD * count
        # A fork would inherit the locks of this process's threads.
        spawning = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(count, spawning, _begin, (pickle.dumps(config),))
        self._last: tuple[Request, Future[bytes]] | None = None
        # All of them start with the first task.
        self._pool.submit(_ready)

    def submit(self, request: Request) -> Future[bytes]:
        """The pickled prompt to come, or ``Refused``."""
        if self._last is not None:
            last, future = self._last
            if (last.messages, last.images) == (request.messages, request.images):
                return future
        future = self._pool.submit(_render_in_worker, request.messages, request.images)
        self._last = (request, future)
        return future

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Prompts:
    """Requests with their prompts, in order; fewer than ``window`` are drawn before their turn."""

    def __init__(
        self,
        requests: Iterable[Request],
        renderer: Any,
        workers: Workers | None,
        window: int,
    ) -> None:
        self._requests: Iterator[Request] = iter(requests)
        self._renderer = renderer
        self._workers = workers
        self._ahead = 1 if workers is None else min(window, workers.ahead)
        self._drawn: deque[tuple[Request, Future[bytes] | None]] = deque()

    def take(self, *, wait: bool) -> tuple[Request, Prompt | Refused] | None:
        """The next request; None if there is none, or none ready and ``wait`` is False."""
        while len(self._drawn) < self._ahead:
            request = next(self._requests, None)
            if request is None:
                break
            shown = self._workers is not None and request.images
            future = self._workers.submit(request) if self._workers and shown else None
            self._drawn.append((request, future))
        if not self._drawn:
            return None
        request, future = self._drawn[0]
        if future is not None and not (wait or future.done()):
            return None
        self._drawn.popleft()
        if future is None:
            return request, render(self._renderer, request, self._workers is not None)
        # Our own worker's; a copy for each request.
        return request, pickle.loads(future.result())  # noqa: S301


def _render(renderer: Any, request: Request, takes_pictures: bool) -> Prompt:
    from vllm.renderers import ChatParams

    if bool(request.messages) == bool(request.prompt_token_ids):
        raise ValueError("a request holds either messages or token ids")
    if request.prompt_token_ids:
        if request.images:
            raise ValueError("pictures go with messages, not with token ids")
        return renderer.render_cmpl([{"prompt_token_ids": list(request.prompt_token_ids)}])[0]
    if request.images and not takes_pictures:
        raise ValueError("the model takes no pictures")
    conversation = with_pictures(request.messages, request.images, _picture)
    # The template writes the special tokens itself; the tokenizer must not add them again.
    tokens = renderer.default_chat_tok_params.with_kwargs(add_special_tokens=False)
    goes_on = request.messages[-1].get("role") == "assistant"
    ending = {"add_generation_prompt": not goes_on, "continue_final_message": goes_on}
    template = ChatParams(chat_template_kwargs=ending)
    return renderer.render_chat([conversation], template, tokens)[1][0]


def _picture(encoded: bytes) -> dict[str, Any]:
    return {
        "type": "image_pil",
        "image_pil": on_white(encoded),
        "uuid": hashlib.sha256(encoded).hexdigest(),
    }


_renderer: Any = None
"""In a worker: its own."""


def _begin(config: bytes) -> None:
    global _renderer
    import torch
    from vllm.renderers.registry import renderer_from_config

    # Workers run side by side, and beside the engine.
    torch.set_num_threads(1)
    _renderer = renderer_from_config(pickle.loads(config))  # noqa: S301


def _ready() -> None:
    """Nothing: by then the worker has begun."""


def _render_in_worker(messages: tuple[Message, ...], images: tuple[bytes, ...]) -> bytes:
    # By ``pickle`` and not by the queue's own pickler, which would pass each tensor as a file.
    return pickle.dumps(render(_renderer, Request("", messages, images=images), True))
