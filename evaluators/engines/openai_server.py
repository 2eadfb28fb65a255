"""Models behind OpenAI-compatible servers: vLLM's, or any other.

Conventions
-----------
* One thread holds the event loop and the connections; ``generate`` is a plain iterator.
* A request belongs to one of the servers by a hash of its id, so that prompts which share a
  beginning in one run go to the same cache in the next. Each failure sends it on to the
  following server. One that refuses connections, or lets them time out, is passed over for
  ``DOWN_SECONDS``, at once and without counting as a failure, as long as another is up;
  but a request makes at most one such attempt for each other server before one counts.
* There is one policy of retries, ``Retries``; the client's own is off: it cuts short what
  ``Retry-After`` asks for, and takes a body that is not JSON for a reply. ``Retry-After``
  holds for the server that sent it, so for every request that would go there: where no
  other is free, each waits for it, or is given up at once if it is more than ``patience``.
* ``timeout`` is for one attempt, from first byte to last. ``seconds`` of a Response counts
  from when the request was taken, waits and retries included.
* Keys, and a user and password in a URL, are sent and never shown: not in a description
  and not in an error.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import dataclasses
import hashlib
import json
import math
import os
import queue
import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from benchgen.errors import InputError
from benchgen.problem import Response
from evaluators.engine import Request
from evaluators.engines.openai_protocol import (
    Call,
    Malformed,
    make_call,
    read_reply,
    refused_field,
)
from evaluators.engines.retries import Retries, is_passing, retry_after

WINDOW = 64
MOST_WINDOW = 1000
"""As many connections as the client keeps to one server."""
CONNECT_SECONDS = 10.0
DOWN_SECONDS = 10.0
ERROR_LENGTH = 500
NO_KEY = "none"
"""What is sent where there is no key: servers that want none take any."""


@dataclass(slots=True)
class _Server:
    """One server, and what was learnt of it (times are monotonic seconds)."""

    url: str
    client: Any
    down_until: float = 0.0
    resting_until: float = 0.0
    refused: set[str] = field(default_factory=set)

    def rest(self, now: float) -> float:
        """How long it asked to be left alone from now on."""
        return max(0.0, self.resting_until - now)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why one attempt brought no reply. ``passing``: another one may."""

    why: str
    passing: bool = False
    dead: bool = False
    asked: float = 0.0


class OpenAIServerEngine:
    """``model`` (the name that the servers know it by) at one or more base URLs.

    A URL without a path means its ``/v1``. ``window`` is how many requests are out at
    once, ``rate`` how many attempts are begun a second at most, ``timeout`` in seconds.
    Without ``api_key`` the environment's ``OPENAI_API_KEY`` is sent, if there is one.

    Raises
    ------
    InputError
        The packages ``openai`` and ``aiohttp`` are not installed, a URL is none, or a number is
        out of range.
    """

    def __init__(
        self,
        model: str,
        servers: str | Sequence[str],
        *,
        window: int | None = None,
        timeout: float = 600.0,
        retries: int | Retries = 5,
        rate: float | None = None,
        api_key: str | None = None,
    ) -> None:
        urls = [servers] if isinstance(servers, str) else list(servers)
        self._window = WINDOW if window is None else window
        self._retries = Retries(retries) if isinstance(retries, int) else retries
        _check(model, urls, self._window, timeout, self._retries, rate)
        places = [split_credentials(url) for url in urls]
        key = _key(api_key or os.environ.get("OPENAI_API_KEY", ""))
        try:
            import aiohttp  # noqa: F401
            import openai
        except ImportError as error:
            raise InputError(f"the openai engine is not installed here: {error}") from error
        self._model = model
        self._openai: Any = openai
        self._timeout = timeout
        self._gap = 0.0 if rate is None else 1.0 / rate
        self._free_at = 0.0
        self._chance = random.Random()
        self._servers = [
            _Server(
                url,
                openai.AsyncOpenAI(
                    base_url=url,
                    # The client reads the environment's key itself, but fails without one.
                    api_key=key or NO_KEY,
                    max_retries=0,
                    timeout=openai.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
                    default_headers=_authorization(_basic(credentials)),
                    # Half the work of the one over httpx: with a server on the same machine what
                    # a client works is taken from the model.
                    http_client=openai.DefaultAioHttpClient(),
                ),
            )
            for url, credentials in places
        ]
        secrets = {key}
        for _, credentials in places:
            secrets |= {credentials[1], _basic(credentials)}
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self._loop = asyncio.new_event_loop()
        # A daemon, so that an engine that nobody closed does not keep the process alive.
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="openai-server-engine", daemon=True
        )
        self._thread.start()

    @property
    def name(self) -> str:
        """The model's name as the servers know it."""
        return self._model

    @property
    def window(self) -> int:
        """How many requests are out at once."""
        return self._window

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answer the requests, each as it finishes; what is out on leaving is cancelled."""
        waiting = iter(requests)
        more = True
        out: set[concurrent.futures.Future[Response]] = set()
        done: queue.SimpleQueue[concurrent.futures.Future[Response]] = queue.SimpleQueue()
        try:
            while True:
                while more and len(out) < self._window:
                    request = next(waiting, None)
                    if request is None:
                        more = False
                        break
                    one = asyncio.run_coroutine_threadsafe(self._answer(request), self._loop)
                    out.add(one)
                    one.add_done_callback(done.put)
                    if not done.empty():
                        break
                if not out:
                    return
                finished = done.get()
                out.remove(finished)
                yield finished.result()
        finally:
            for one in out:
                one.cancel()

    def describe(self) -> Mapping[str, Any]:
        """Versions and settings, without credentials.

        How patiently the servers are asked (time-out, retries, rate) changes no reply and is
        left out: a run that failed for want of it is resumed with more.
        """
        return {
            "engine": "openai",
            "model": self._model,
            "openai": str(self._openai.__version__),
            "servers": [server.url for server in self._servers],
            "window": self._window,
            "logprobs": "the server's",
        }

    def close(self) -> None:
        """Cancel what is out, close the connections and end the thread."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self._servers:
            await server.client.close()

    async def _answer(self, request: Request) -> Response:
        """The reply to one request, or the Response that says why there is none."""
        since = time.monotonic()
        try:
            result = await self._ask(request)
        except Exception as error:  # noqa: BLE001
            # The client may choke on a message in any way: that is the message's fault alone.
            result = f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - since
        if isinstance(result, Response):
            return dataclasses.replace(
                result, seconds=seconds, error=result.error and self._line(result.error)
            )
        return Response(
            request.id, "", finish_reason="error", seconds=seconds, error=self._line(result)
        )

    async def _ask(self, request: Request) -> Response | str:
        try:
            call = make_call(request, self._model)
        except ValueError as error:
            return str(error)
        turn = int.from_bytes(hashlib.blake2b(request.id.encode(), digest_size=8).digest())
        failures = hops = 0
        while True:
            server = await self._turn(turn)
            if server is None:
                return "the server asked to be left alone for longer than is waited for"
            result = await self._attempt(server, call, request)
            if isinstance(result, Response):
                return result
            if not result.passing:
                return result.why
            now = time.monotonic()
            turn += 1
            if result.dead:
                server.down_until = now + DOWN_SECONDS
                # By the time that one has timed out, others seem up again: they might hand
                # the request round for ever.
                others = hops < len(self._servers) - 1
                if others and any(other.down_until <= now for other in self._servers):
                    hops += 1
                    continue
            server.resting_until = max(server.resting_until, now + result.asked)
            failures += 1
            hops = 0
            # Another server that is free sooner need not wait for what this one asks.
            asked = self._choose(turn).rest(now)
            wait = self._retries.wait(failures, self._chance.random(), asked)
            if wait is None:
                return f"{result.why} ({_given_up(failures, asked)})"
            await asyncio.sleep(wait)

    def _choose(self, first: int) -> _Server:
        """The first server from ``first`` on that is up and not resting; else the next best."""
        now = time.monotonic()
        start = first % len(self._servers)
        order = self._servers[start:] + self._servers[:start]
        most = self._retries.patience
        # One that is down may be back before one that rests for longer than is waited for.
        up = [one for one in order if one.down_until <= now and one.rest(now) <= most]
        return min(up or order, key=lambda server: server.rest(now))

    async def _turn(self, first: int) -> _Server | None:
        """The server to ask, as soon as it has rested and the rate allows one more attempt.

        None: what it asks for is more than is waited for.
        """
        while True:
            rest = self._choose(first).rest(time.monotonic())
            if rest > self._retries.patience:
                return None
            if rest:
                # All that wait for it would otherwise come back in one moment.
                await asyncio.sleep(rest + self._chance.random() * self._retries.first)
                continue
            if self._gap:
                at = max(self._free_at, time.monotonic())
                self._free_at = at + self._gap
                await asyncio.sleep(at - time.monotonic())
            # Anything may have been learnt of the servers while the rate was waited for.
            server = self._choose(first)
            if not server.rest(time.monotonic()):
                return server

    async def _attempt(self, server: _Server, call: Call, request: Request) -> Response | _Failure:
        while True:
            # As known now: others may learn more of the server before this attempt is over.
            refused = frozenset(server.refused)
            try:
                async with asyncio.timeout(self._timeout):
                    body = await _post(server.client, call.without(refused))
                return read_reply(request, body)
            except TimeoutError:
                return _Failure(f"no reply within {self._timeout:g} s", passing=True)
            except Malformed as error:
                return _Failure(str(error), passing=True)
            except self._openai.APIStatusError as error:
                name = refused_field(error.status_code, error.body)
                if name is not None and name not in refused:
                    server.refused.add(name)
                    continue
                return _refusal(error)
            except self._openai.APIConnectionError as error:
                return _broken(error)

    def _line(self, text: str) -> str:
        """One line of an error, not too long, without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:ERROR_LENGTH]


def _given_up(failures: int, asked: float) -> str:
    wish = f", told to wait {asked:.0f} s" if asked else ""
    return f"given up at attempt {failures}{wish}"


async def _post(client: Any, call: Call) -> str:
    """The body of the reply, as it came."""
    resource = client.chat.completions if call.chat else client.completions
    reply = await resource.with_raw_response.create(**call.fields, extra_body=dict(call.extra))
    return str(reply.http_response.text)


def _refusal(error: Any) -> _Failure:
    """What a server says with an HTTP status."""
    status = int(error.status_code)
    told = error.body
    words = told.get("message", told) if isinstance(told, Mapping) else told
    if not isinstance(words, str):
        words = "" if words is None else json.dumps(words, default=str)
    header = error.response.headers.get("retry-after")
    return _Failure(
        f"HTTP {status}: {words or 'no word of explanation'}",
        passing=is_passing(status),
        asked=retry_after(header, time.time()),
    )


def _broken(error: Any) -> _Failure:
    """A connection that was not made, or was cut."""
    cause = error.__cause__ or error
    kind = type(cause).__name__
    # By name: the client's HTTP library has had more than one.
    dead = kind in ("ConnectError", "ConnectTimeout")
    what = "no connection to the server" if dead else "the connection to the server broke"
    return _Failure(f"{what} ({kind}: {cause})", passing=True, dead=dead)


def _check(
    model: str,
    urls: Sequence[str],
    window: int,
    timeout: float,
    retries: Retries,
    rate: float | None,
) -> None:
    if not model:
        raise InputError("the openai engine needs the name of a model")
    if not urls:
        raise InputError("the openai engine needs the base URL of a server")
    if not 1 <= window <= MOST_WINDOW:
        raise InputError(f"a window holds 1 to {MOST_WINDOW} requests, not {window}")
    if not 0 < timeout < math.inf:
        raise InputError(f"a time-out is more than 0 seconds, not {timeout:g}")
    if retries.most < 0:
        raise InputError(f"there are no retries or some, not {retries.most}")
    if rate is not None and not rate > 0:
        raise InputError(f"a rate is more than 0 requests a second, not {rate:g}")


def split_credentials(url: str) -> tuple[str, tuple[str, str]]:
    """A base URL without its credentials, and those: user and password, empty for none.

    A URL without a path means its ``/v1``.

    Raises
    ------
    InputError
        It is no base URL.
    """
    try:
        parts = urlsplit(url.strip())
        # Reading the port is what checks it.
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.query or parts.fragment or any(map(str.isspace, url.strip())):
        # Not repeated: a password may stand in it.
        raise InputError("a server is a base URL such as http://host:8000/v1, without a query")
    host = parts.netloc.rpartition("@")[2]
    path = parts.path.rstrip("/") or "/v1"
    credentials = (unquote(parts.username or ""), unquote(parts.password or ""))
    return urlunsplit((parts.scheme, host, path, "", "")), credentials


def _basic(credentials: tuple[str, str]) -> str:
    """User and password as they are sent; empty where there are none."""
    if not any(credentials):
        return ""
    return base64.b64encode(":".join(credentials).encode()).decode("ascii")


def _authorization(basic: str) -> dict[str, str]:
    return {"Authorization": f"Basic {basic}"} if basic else {}


def _key(given: str) -> str:
    """The key without the newline that files end in.

    Raises
    ------
    InputError
        It cannot stand in a header.
    """
    key = given.strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError("the key holds characters that no key has")
    return key
