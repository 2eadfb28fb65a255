"""One call of the Hub: how often it is tried, and what its errors say.

Conventions
-----------
* ``huggingface_hub`` tries again by itself what it asks when files are sent. What it asks but
  once (is there such a repository, make one, commit) is tried again here, ``WAITS`` apart, or
  when the Hub says that there will be room again.
* A refusal is an ``InputError`` of one line. Silence (a broken connection, an overloaded or
  failing Hub) is a ``NoAnswer``: what was asked may have been done or not.
* No error tells a token, whatever the Hub's own words are, and none has such words behind it in
  a traceback.
"""

from __future__ import annotations

import errno
import json
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from benchgen.errors import InputError

WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds between two tries of the same."""

LONGEST_WAIT = 330.0
"""Seconds that a Hub may ask for: its limits are of five minutes."""

_MOST_WORDS = 300

T = TypeVar("T")


class NoAnswer(ConnectionError):
    """The Hub did not say whether it did what it was asked; ``wait`` is what it asks for, in s."""

    def __init__(self, text: str, wait: float = 0.0) -> None:
        super().__init__(errno.ECONNABORTED, text)
        self.wait = min(wait, LONGEST_WAIT)


class Moved(RuntimeError):
    """The repository has another head than the commit was made for."""


class Absent(InputError):
    """There is no such repository, or none that this login may see."""


class Taken(InputError):
    """There is a repository of this name already."""


def ask(repo: str, call: Callable[[], T]) -> T:
    """What ``call`` gives, asked once by us.

    Raises
    ------
    InputError
        The Hub refuses, for good; ``Absent`` and ``Taken`` are such refusals.
    Moved
        A commit has another parent than the head.
    NoAnswer
        Anything else may yet succeed.
    OSError
        A file of ours cannot be read, or the client is told to stay offline.
    """
    try:
        return call()
    except tuple(_client_errors()) as error:
        raise _told(error, repo) from None


def ask_again(repo: str, call: Callable[[], T]) -> T:
    """The same of a call that may be repeated, tried ``WAITS`` apart."""
    for wait in WAITS:
        try:
            return ask(repo, call)
        except NoAnswer as silence:
            pause(wait, silence)
    return ask(repo, call)


def pause(wait: float, error: Exception) -> None:
    """Wait so many seconds, or as many as the Hub asked for."""
    time.sleep(max(wait, error.wait if isinstance(error, NoAnswer) else 0.0))


def _client_errors() -> list[type[Exception]]:
    """What comes out of ``huggingface_hub`` and ``hf_xet``."""
    from huggingface_hub import errors

    # HTTPError is that of the HTTP library, httpx or httpx2, as the client's generation has it.
    # ConnectionError and PermissionError are Xet's; ValueError and RuntimeError are what the
    # client makes of bad metadata, of answers that are no JSON, and of errors in its threads.
    found = [errors.HTTPError, errors.OIDCError, errors.DeviceCodeError]
    return [*found, errors.LocalTokenNotFoundError, ConnectionError, PermissionError, ValueError,
            RuntimeError]  # fmt: skip


def _told(error: Exception, repo: str) -> BaseException:
    """The error as ours, with nothing secret in it."""
    from huggingface_hub import errors

    cause = _first_cause(error)
    if isinstance(cause, OSError) and cause.filename is not None:
        return cause
    if isinstance(cause, errors.OfflineModeIsEnabled):
        return ConnectionError(errno.ENETDOWN, "the Hub is not asked: HF_HUB_OFFLINE is set")
    response = getattr(cause, "response", None)
    status = _status(cause, response)
    words = _words(cause)
    if isinstance(cause, errors.RepositoryNotFoundError) and status == 404:
        return Absent(f"there is no {repo} on the Hub, or it is not yours to see")
    if status == 401 or isinstance(cause, errors.LocalTokenNotFoundError | PermissionError):
        return InputError(
            f"the Hub does not know you at {repo}: log in with `hf auth login`, or set HF_TOKEN"
        )
    if isinstance(cause, errors.OIDCError | errors.DeviceCodeError):
        return InputError(f"logging in to the Hub failed: {words}")
    if status == 412:
        return Moved(f"{repo} has another head")
    if status == 409:
        return Taken(f"the Hub refuses {repo}: {words}")
    if status in (408, 429) or status >= 500:
        return NoAnswer(f"the Hub cannot now: {words}", _asked_wait(response))
    if status >= 400:
        right = ": this login may not write there" if status == 403 else ""
        return InputError(f"the Hub refuses {repo}{right}: {words}")
    if isinstance(cause, ValueError) and not isinstance(cause, json.JSONDecodeError):
        return InputError(f"the Hub refuses {repo}: {words}")
    return NoAnswer(f"the Hub does not answer: {words}")


def _status(cause: BaseException, response: Any) -> int:
    """The answer's status, 0 if there was no answer. Xet tells it in words alone."""
    if response is not None:
        return int(response.status_code)
    told = re.search(r"HTTP status (?:client|server) error \((\d{3})", str(cause))
    return int(told[1]) if told else 0


def _first_cause(error: BaseException) -> BaseException:
    """What a thread of the client's died of, where it only says that one did."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _words(error: BaseException) -> str:
    """The error in one line of bounded length, without tokens."""
    told = str(error)
    request = error.__dict__.get("request") or error.__dict__.get("_request")
    sent = getattr(request, "headers", {}).get("authorization", "")
    for secret in (sent, sent.rpartition(" ")[2]):
        told = told.replace(secret, "(token)") if secret else told
    told = re.sub(r"\bhf_(?!api\b|hub\b|xet\b)\w{8,}", "(token)", told)
    line = " ".join(told.split()) or type(error).__name__
    return line if len(line) <= _MOST_WORDS else f"{line[:_MOST_WORDS]} …"


def _asked_wait(response: Any) -> float:
    """Seconds that an answer asks to wait, 0 if it does not, or if there is none."""
    if response is None:
        return 0.0
    asked = response.headers.get("Retry-After", "").strip()
    limit = re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", response.headers.get("RateLimit", ""))
    return float(asked) if asked.isdigit() else float(limit[1]) + 1 if limit else 0.0
