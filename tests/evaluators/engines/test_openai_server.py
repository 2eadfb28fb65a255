"""The engine against a real HTTP server that misbehaves in every way the tests know.

Waits are short; where a test needs a time-out, it is long enough for a busy machine to
answer within it.
"""

from __future__ import annotations

import base64
import io
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchgen.errors import InputError
from benchgen.problem import Response, Usage
from evaluators.engine import Engine, Request, Sampling
from evaluators.engines import open_engine, openai_server
from evaluators.engines.openai_server import OpenAIServerEngine
from evaluators.engines.retries import Retries
from evaluators.journal import Journal, Sample, read_samples
from evaluators.questions import read_questions
from evaluators.runner import Ask, run_asks, sample_seed, sampling_digest

sys.path.insert(0, str(Path(__file__).parent))
try:
    from faulty_server import Answer, Behave, Call, FaultyServer, body, chat, refusal
finally:
    sys.path.pop(0)

QUICK = Retries(most=3, first=0.01, longest=0.05)
NEVER = 3600.0
MakeServer = Callable[[Behave], FaultyServer]
MakeEngine = Callable[..., OpenAIServerEngine]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_server() -> Iterator[MakeServer]:
    made: list[FaultyServer] = []

    def make(behave: Behave) -> FaultyServer:
        made.append(FaultyServer(behave))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    made: list[OpenAIServerEngine] = []

    def make(*servers: FaultyServer | str, **settings: Any) -> OpenAIServerEngine:
        urls = [one if isinstance(one, str) else one.url for one in servers]
        settings = {"timeout": 30.0, "retries": QUICK, **settings}
        made.append(OpenAIServerEngine("some-model", urls, **settings))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def ask(name: str, words: str = "", **sampling: Any) -> Request:
    message = {"role": "user", "content": words or f"words of {name}"}
    return Request(name, (message,), sampling=Sampling(**sampling))


def answer(engine: Engine, *requests: Request) -> dict[str, Response]:
    answers = list(engine.generate(requests))
    assert sorted(a.id for a in answers) == sorted(r.id for r in requests)
    return {a.id: a for a in answers}


def dead_url() -> str:
    """Nobody listens there."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}/v1"


def at_first(*faults: Answer, then: Answer | None = None) -> Behave:
    """Each prompt meets the faults in turn, then a good reply."""

    def behave(call: Call) -> Answer:
        return faults[call.nth] if call.nth < len(faults) else then or chat(call.words)

    return behave


# What is sent


def test_what_decides_a_reply_is_sent_in_full_and_nothing_is_left_to_the_server(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(at_first())
    settings = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 33, "seed": 2**63 - 1}
    answer(make_engine(server), ask("plain", "Hi"), ask("all", "Ho", **settings, stop=("a", "b")))
    plain, full = sorted((call.record for call in server.calls), key=lambda r: "stop" in r)
    assert plain == {
        "model": "some-model",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.0,
        "top_p": 1.0,
        "max_tokens": 512,
        "seed": 0,
    }
    assert full == plain | settings | {
        "stop": ["a", "b"],
        "messages": [{"role": "user", "content": "Ho"}],
    }
    assert {call.path for call in server.calls} == {"/v1/chat/completions"}


def picture(shade: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), shade).save(buffer, kind)
    return buffer.getvalue()


def test_pictures_go_as_data_of_their_own_type_in_the_order_of_their_parts(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(at_first())
    pictures = (picture(0), picture(255, "JPEG"))
    parts = [{"type": "image"}, {"type": "text", "text": "or"}, {"type": "image"}]
    request = Request("a", ({"role": "user", "content": parts},), images=pictures)
    assert answer(make_engine(server), request)["a"].error is None
    sent = server.calls[0].record["messages"][0]["content"]
    assert [part["type"] for part in sent] == ["image_url", "text", "image_url"]
    for part, mime, encoded in zip(sent[::2], ("png", "jpeg"), pictures, strict=True):
        head, _, data = part["image_url"]["url"].partition(",")
        assert head == f"data:image/{mime};base64"
        assert base64.b64decode(data) == encoded


def test_a_pattern_and_a_begun_reply_are_put_as_the_server_takes_them(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(at_first(then=chat("B")))
    begun = (
        {"role": "user", "content": "Which?"},
        {"role": "assistant", "content": "The answer is "},
    )
    request = Request("a", begun, sampling=Sampling(regex="[A-D]", thinking_budget=64))
    assert answer(make_engine(server), request)["a"].text == "B"
    record = server.calls[0].record
    assert record["thinking_token_budget"] == 64
    assert record["structured_outputs"] == {"regex": "[A-D]"}
    assert (record["continue_final_message"], record["add_generation_prompt"]) == (True, False)
    assert record["messages"][-1] == begun[-1]


def test_a_server_that_does_not_know_patterns_is_found_out(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    engine = make_engine(make_server(at_first()))
    answers = answer(
        engine,
        ask("loose", "The answer is B", regex="[A-D]"),
        ask("held", "B", regex="[A-D]"),
        ask("dialect", "whatever", regex=r"\p{L}+"),
    )
    assert "did not hold the model to the pattern" in (answers["loose"].error or "")
    assert answers["loose"].finish_reason == "error"
    assert answers["held"].error is None
    assert answers["dialect"].error is None, "a pattern that Python cannot read proves nothing"


def test_token_ids_go_to_completions_and_come_back_with_their_log_probabilities(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    choice = {
        "text": " three",
        "finish_reason": "length",
        "token_ids": [7, 8],
        "prompt_token_ids": [1, 2],
        "logprobs": {"token_logprobs": [-0.5, -1.5]},
    }
    server = make_server(lambda call: body({"choices": [choice]}))
    request = Request("a", prompt_token_ids=(1, 2), sampling=Sampling(logprobs=True))
    response = answer(make_engine(server), request)["a"]
    assert (response.text, response.finish_reason) == (" three", "length")
    assert (response.token_ids, response.logprobs) == ((7, 8), (-0.5, -1.5))
    assert response.prompt_token_ids == (1, 2)
    assert response.usage == Usage(), "a server that counts nothing does not break the reply"
    assert server.calls[0].path == "/v1/completions"
    record = server.calls[0].record
    assert (record["prompt"], record["logprobs"], record["return_token_ids"]) == ([1, 2], 0, True)


def test_log_probabilities_of_a_chat(make_server: MakeServer, make_engine: MakeEngine) -> None:
    def behave(call: Call) -> Answer:
        content = [{"token": "a", "logprob": -0.25}, {"token": "b", "logprob": -2}]
        given = {"token_ids": [3, 4]} if "with" in call.words else {}
        choice = {"message": {"content": "ab"}, "finish_reason": "stop", **given}
        choice["logprobs"] = None if "none" in call.words else {"content": content}
        return body({"choices": [choice], "prompt_token_ids": [9]})

    server = make_server(behave)
    names = ("with ids", "bare", "none")
    requests = [ask(name, name, logprobs=True) for name in names]
    answers = answer(make_engine(server), *requests, ask("not asked", "with ids"))
    assert answers["with ids"].token_ids == (3, 4)
    assert answers["with ids"].logprobs == answers["bare"].logprobs == (-0.25, -2.0)
    assert answers["bare"].token_ids == ()
    assert answers["none"].logprobs is answers["not asked"].logprobs is None


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_are_kept_and_never_taken_for_the_answer(
    name: str, make_server: MakeServer, make_engine: MakeEngine
) -> None:
    usage = {
        "prompt_tokens": 50,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 48},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    server = make_server(
        lambda call: chat(
            None if call.words == "cut" else "B",
            "length" if call.words == "cut" else "stop",
            usage=usage,
            **{name: "Is it A? No."},
        )
    )
    answers = answer(make_engine(server), ask("whole", "whole"), ask("cut", "cut"))
    assert (answers["whole"].text, answers["whole"].thinking) == ("B", "Is it A? No.")
    assert answers["whole"].usage == Usage(50, 20, 48, 12)
    cut = answers["cut"]
    assert (cut.text, cut.thinking, cut.finish_reason) == ("", "Is it A? No.", "length")


def test_a_field_that_a_strict_server_refuses_is_not_sent_again(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    def behave(call: Call) -> Answer:
        if "return_token_ids" in call.record:
            return refusal(400, "Unrecognized request argument supplied: return_token_ids")
        if "max_tokens" in call.record:
            error = {"message": "no", "code": "unsupported_parameter", "param": "max_tokens"}
            return body({"error": error}, status=400)
        return chat("fine")

    server = make_server(behave)
    engine = make_engine(server)
    for name in ("a", "b"):
        response = answer(engine, ask(name, logprobs=True, max_tokens=7))[name]
        assert (response.text, response.error) == ("fine", None)
    assert len(server.calls) == 4
    assert server.calls[-1].record["max_completion_tokens"] == 7


def test_requests_that_are_out_while_a_refusal_is_learnt_are_asked_again_too(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    def behave(call: Call) -> Answer:
        if "return_token_ids" in call.record:
            words = "Unrecognized request argument supplied: return_token_ids"
            return Answer(refusal(400, words).body, 400, delay=0.3)
        return chat("fine")

    engine = make_engine(make_server(behave), window=10)
    answers = answer(engine, *(ask(str(n), logprobs=True) for n in range(10)))
    assert {response.error for response in answers.values()} == {None}


# What goes wrong and passes

PASSING = {
    "time-out": Answer(delay=NEVER),
    "a drip too slow": Answer(chat().body, drip=1.0),
    "408": refusal(408),
    "409": refusal(409),
    "429": refusal(429),
    "500": refusal(500),
    "503": refusal(503),
    "a page of HTML for an error": Answer(b"<html>bad gateway</html>", status=502),
    "hung up at once": Answer(cut=0),
    "cut in the middle": Answer(chat("half of this").body, cut=20),
    "not JSON": Answer(b"<html>fine</html>"),
    "nothing at all": Answer(b""),
    "half of the JSON": Answer(chat().body[:-5]),
    "nested without end": Answer(b"[" * 100_000),
    "no object": body([1, 2]),
    "no choices": body({"choices": []}),
    "a choice without a message": body({"choices": [{"finish_reason": "stop"}]}),
    "a message without content": body({"choices": [{"message": {}, "finish_reason": "stop"}]}),
    "a number for a text": chat(5),  # type: ignore[arg-type]
    "usage of another form": chat(usage=[1]),
    "an error under 200": body({"error": {"message": "upstream"}}),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_asked_again(
    name: str, make_server: MakeServer, make_engine: MakeEngine
) -> None:
    slow = name in ("time-out", "a drip too slow")
    server = make_server(at_first(PASSING[name]))
    engine = make_engine(server, timeout=3.0 if slow else 30.0)
    response = answer(engine, ask("a"))["a"]
    assert (response.text, response.error) == ("words of a", None)
    assert len(server.calls) == 2
    assert not slow or response.seconds > 3.0, "what was waited counts"


def test_a_slow_reply_within_the_time_is_no_fault(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(lambda call: Answer(chat("slow").body, drip=0.05))
    response = answer(make_engine(server), ask("a"))["a"]
    assert response.text == "slow" and response.seconds > 0.4
    assert len(server.calls) == 1


def test_what_does_not_pass_is_given_up_after_the_retries(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(lambda call: refusal(500, "out of\nsorts"))
    response = answer(make_engine(server), ask("a"))["a"]
    assert (response.finish_reason, response.text) == ("error", "")
    assert response.error == "HTTP 500: out of sorts (given up at attempt 4)"
    assert len(server.calls) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_will_not_pass_is_asked_once_and_spoils_nothing_else(
    status: int, make_server: MakeServer, make_engine: MakeEngine
) -> None:
    words = "This model's maximum context length is 8192 tokens (parameter=max_tokens)"

    def behave(call: Call) -> Answer:
        return refusal(status, words) if call.words == "too long" else chat("fine")

    server = make_server(behave)
    answers = answer(make_engine(server), ask("a"), ask("bad", "too long"), ask("b"))
    assert answers["bad"].error == f"HTTP {status}: {words}"
    assert answers["a"].text == answers["b"].text == "fine"
    assert len(server.calls) == 3


def test_a_reply_that_the_server_broke_off_is_an_error(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(lambda call: chat("I must", "content_filter"))
    response = answer(make_engine(server), ask("a"))["a"]
    assert (response.finish_reason, response.error) == (
        "error",
        "the server ended the reply: content_filter",
    )
    assert len(server.calls) == 1


def test_what_cannot_be_asked_is_an_error_and_the_others_finish(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(at_first())
    hello = ({"role": "user", "content": "Hello"},)
    shown = ({"role": "user", "content": [{"type": "image"}]},)
    bad = {
        "neither": Request("neither"),
        "both": Request("both", hello, prompt_token_ids=(1,)),
        "spare": Request("spare", hello, images=(picture(0),)),
        "missing": Request("missing", shown),
        "no picture": Request("no picture", shown, images=(b"<svg/>",)),
        "picture and ids": Request("picture and ids", (), (1,), (picture(0),)),
        "surrogate": ask("surrogate", "\ud800"),
        "no part": Request("no part", ({"role": "user", "content": [{}]},)),
        "no JSON": ask("no JSON", temperature=float("nan")),
    }
    answers = answer(make_engine(server), ask("a"), *bad.values(), ask("b"))
    assert answers["a"].error is answers["b"].error is None
    for name in bad:
        assert answers[name].finish_reason == "error", name
        assert answers[name].error and "\n" not in answers[name].error, name
    assert {call.words for call in server.calls} <= {"words of a", "words of b", "words of no JSON"}


# Retry-After


def test_retry_after_in_seconds_is_waited_in_full(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(at_first(refusal(429, retry_after="1")))
    assert answer(make_engine(server), ask("a"))["a"].error is None
    assert server.calls[1].at - server.calls[0].at >= 1.0


def test_retry_after_as_a_date_is_waited_for(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    # A date holds whole seconds.
    date = int(time.time()) + 3
    server = make_server(at_first(refusal(503, retry_after=formatdate(date, usegmt=True))))
    assert answer(make_engine(server), ask("a"))["a"].error is None
    assert time.time() >= date


def test_a_server_that_asks_for_rest_is_left_alone_by_every_request(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    def behave(call: Call) -> Answer:
        if call.words == "first" and not call.nth:
            return refusal(429, retry_after="1")
        return chat("fine")

    server = make_server(behave)

    def requests() -> Iterator[Request]:
        yield ask("first", "first")
        while not server.calls or server.busy:
            time.sleep(0.01)
        time.sleep(0.3)
        for place in range(5):
            yield ask(str(place))

    answers = list(make_engine(server).generate(requests()))
    assert [a.error for a in answers] == [None] * 6
    assert min(call.at for call in server.calls[1:]) - server.calls[0].at >= 1.0


def test_a_server_at_rest_is_passed_over_where_there_is_another(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    tired = make_server(lambda call: refusal(429, retry_after="3600"))
    fresh = make_server(at_first())
    answers = answer(make_engine(tired, fresh, window=1), *(ask(str(n)) for n in range(20)))
    assert {response.error for response in answers.values()} == {None}
    assert (len(tired.calls), len(fresh.calls)) == (1, 20)


def test_a_server_that_asks_for_an_hour_is_not_waited_for(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(lambda call: refusal(429, "slow down", retry_after="3600"))
    response = answer(make_engine(server), ask("a"))["a"]
    assert response.error == "HTTP 429: slow down (given up at attempt 1, told to wait 3600 s)"
    assert len(server.calls) == 1


def test_what_comes_after_a_server_asked_for_an_hour_neither_waits_nor_asks_it(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(lambda call: refusal(429, retry_after="3600"))
    engine = make_engine(server, window=1, retries=Retries(3, first=0.01, patience=1.0))
    answers = answer(engine, *(ask(str(n)) for n in range(5)))
    assert len(server.calls) == 1
    assert all("longer than is waited for" in (answers[name].error or "") for name in "1234")
    assert all(answers[name].seconds < 0.9 for name in "1234")


@pytest.mark.parametrize("order", [1, -1])
def test_an_hour_that_one_server_asks_for_ends_no_request_that_another_will_soon_take(
    order: int, make_server: MakeServer, make_engine: MakeEngine
) -> None:
    # In one of the two orders the tired one is asked last, while the other has its rest.
    tired = make_server(lambda call: refusal(429, retry_after="3600"))
    soon = make_server(at_first(refusal(429, retry_after="1")))
    assert answer(make_engine(*(tired, soon)[::order]), ask("a"))["a"].error is None
    assert len(soon.calls) == 2


def test_a_server_just_found_down_is_tried_before_all_is_given_up_for_one_that_rests_an_hour(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    engine = make_engine(*(make_server(at_first()) for _ in range(2)))
    engine._servers[0].down_until = time.monotonic() + 60
    engine._servers[1].resting_until = time.monotonic() + 3600
    assert answer(engine, ask("a"))["a"].error is None


def test_what_waits_for_the_rate_heeds_a_rest_that_is_asked_for_meanwhile(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    def behave(call: Call) -> Answer:
        return refusal(429, retry_after="2") if len(server.calls) == 1 else chat("fine")

    server = make_server(behave)
    engine = make_engine(server, rate=2.0, retries=1)
    assert {r.error for r in answer(engine, *(ask(str(n)) for n in range(3))).values()} == {None}
    assert min(call.at for call in server.calls[1:]) - server.calls[0].at >= 2.0


# Servers


def test_requests_are_spread_over_the_servers_and_each_has_its_own(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    servers = [make_server(at_first()) for _ in range(3)]
    engine = make_engine(*servers)
    requests = [ask(str(place)) for place in range(60)]
    answer(engine, *requests)
    first = [{call.words for call in server.calls} for server in servers]
    assert min(map(len, first)) >= 8
    answer(engine, *reversed(requests))
    assert [{call.words for call in server.calls} for server in servers] == first


def test_a_server_dead_from_the_start_is_an_error_of_every_request(
    make_engine: MakeEngine,
) -> None:
    answers = answer(make_engine(dead_url(), dead_url()), *(ask(str(n)) for n in range(5)))
    for response in answers.values():
        assert response.finish_reason == "error"
        assert "no connection to the server" in (response.error or "")


def test_a_dead_server_costs_no_retry_where_another_is_up(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    alive = make_server(at_first())
    engine = make_engine(dead_url(), alive, retries=0)
    answers = answer(engine, *(ask(str(n)) for n in range(40)))
    assert {response.error for response in answers.values()} == {None}
    assert len(alive.calls) == 40


@pytest.fixture
def make_deaf() -> Iterator[Callable[[], str]]:
    """URLs of servers that neither take a connection nor refuse it, like a node without power."""
    made: list[socket.socket] = []

    def make() -> str:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        made.append(listening)
        # The queue of those that wait to be accepted is soon full: the rest get no word.
        for _ in range(4):
            made.append(socket.socket())
            made[-1].setblocking(False)
            made[-1].connect_ex(listening.getsockname())
        return f"http://127.0.0.1:{listening.getsockname()[1]}/v1"

    yield make
    for one in made:
        one.close()


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of which server; a time-out on connecting is short, and as long as a rest."""
    seen: list[str] = []
    post = openai_server._post

    async def counted(client: Any, call: Any) -> str:
        seen.append(str(client.base_url))
        if len(seen) > 60:
            raise RuntimeError("asked without end")
        return await post(client, call)

    monkeypatch.setattr(openai_server, "_post", counted)
    monkeypatch.setattr(openai_server, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(openai_server, "DOWN_SECONDS", 0.2)
    return seen


@pytest.mark.parametrize("count", [1, 2, 3])
def test_servers_that_never_accept_are_not_tried_in_turn_for_ever(
    count: int, make_deaf: Callable[[], str], make_engine: MakeEngine, connects: list[str]
) -> None:
    urls = [make_deaf() for _ in range(count)]
    # One at a time: requests that are out together find all the servers down at once.
    engine = make_engine(*urls, retries=Retries(2, first=0.01), window=1)
    answers = answer(engine, ask("0"), ask("1"))
    for response in answers.values():
        assert response.finish_reason == "error"
        assert "ConnectTimeout" in (response.error or "")
        assert "given up at attempt 3" in (response.error or "")
    # Three counted attempts of each request, and before each at most one of every other server.
    assert 2 * 3 <= len(connects) <= 2 * 3 * count


@pytest.mark.parametrize("place", range(3))
def test_servers_that_never_accept_do_not_hide_one_that_does(
    place: int, make_deaf: Callable[[], str], make_server: MakeServer, make_engine: MakeEngine,
    connects: list[str],
) -> None:  # fmt: skip
    servers: list[FaultyServer | str] = [make_deaf(), make_deaf()]
    servers.insert(place, make_server(at_first()))
    engine = make_engine(*servers, retries=0)
    # Of two that time out, the first seems up again when the second has.
    assert answer(engine, ask("a"))["a"].error is None
    assert len(connects) <= 3


def test_when_one_server_dies_half_way_the_other_takes_its_requests(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    def behave(call: Call) -> Answer:
        if len(dying.calls) == 20:
            threading.Thread(target=dying.close).start()
        return Answer(chat(call.words).body, delay=0.02 if len(dying.calls) < 20 else NEVER)

    dying = make_server(behave)
    alive = make_server(at_first())
    engine = make_engine(dying, alive, window=8)
    answers = answer(engine, *(ask(str(n)) for n in range(100)))
    assert {response.error for response in answers.values()} == {None}
    assert all(response.text == f"words of {name}" for name, response in answers.items())
    assert len(dying.calls) < 30 and len(alive.calls) > 70


# Pace


def test_no_more_than_the_window_is_out_and_a_short_request_need_not_wait(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(
        lambda call: Answer(chat().body, delay=1.0 if call.words == "long" else 0.02)
    )
    pulled: list[int] = []
    returned: list[str] = []

    def requests() -> Iterator[Request]:
        for place in range(30):
            pulled.append(len(returned))
            yield ask(str(place), "long" if place == 0 else f"short {place}")

    for response in make_engine(server, window=4).generate(requests()):
        returned.append(response.id)
    assert server.most_busy == 4
    assert all(place - before <= 4 for place, before in enumerate(pulled))
    assert len(returned) == 30
    assert returned.index("0") > 4


def test_a_rate_is_kept_over_all_servers_and_retries_count(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    servers = [make_server(at_first(refusal(500))) for _ in range(2)]
    engine = make_engine(*servers, rate=20.0, retries=Retries(most=9, first=0.001))
    began = time.monotonic()
    answers = answer(engine, *(ask(str(n)) for n in range(10)))
    assert {response.error for response in answers.values()} == {None}
    attempts = sum(len(server.calls) for server in servers)
    assert attempts >= 20
    assert time.monotonic() - began >= (attempts - 1) / 20


def test_leaving_early_hangs_up_on_what_is_out(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(
        lambda call: chat() if call.words in ("0", "after") else Answer(delay=NEVER)
    )
    engine = make_engine(server, window=8)
    stream = engine.generate(ask(str(n), str(n)) for n in range(100))
    assert next(stream).id == "0"
    stream.close()  # type: ignore[attr-defined]
    end = time.monotonic() + 20
    while server.busy:
        assert time.monotonic() < end, "a request was left running"
        time.sleep(0.01)
    assert len(server.calls) <= 9
    assert answer(engine, ask("after", "after"))["after"].text == "fine"


def test_a_fault_in_the_requests_is_the_callers_and_the_engine_lives_on(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    engine = make_engine(make_server(at_first()))

    def requests() -> Iterator[Request]:
        yield ask("a")
        raise InputError("part-00001.parquet is damaged")

    with pytest.raises(InputError, match="is damaged"):
        list(engine.generate(requests()))
    assert answer(engine, ask("after"))["after"].error is None


def test_one_id_may_come_twice(make_server: MakeServer, make_engine: MakeEngine) -> None:
    twice = [ask("a", "one"), ask("a", "two")]
    answers = list(make_engine(make_server(at_first())).generate(twice))
    assert sorted((a.id, a.text) for a in answers) == [("a", "one"), ("a", "two")]


def test_closing_twice_leaves_no_thread(make_server: MakeServer, make_engine: MakeEngine) -> None:
    before = set(threading.enumerate())
    engine = make_engine(dead_url())
    assert set(threading.enumerate()) - before
    engine.close()
    engine.close()
    assert not set(threading.enumerate()) - before


# What is told


def test_no_key_and_no_password_is_ever_shown(
    make_server: MakeServer, make_engine: MakeEngine
) -> None:
    server = make_server(
        lambda call: refusal(401, f"refused: {call.headers['authorization']}, {call.words}")
    )
    keyed = make_engine(server, api_key="sk-very-secret")
    with_password = make_engine(server.url.replace("://", "://someone:pass%2Fword@"))
    basic = base64.b64encode(b"someone:pass/word").decode()
    for engine in (keyed, with_password):
        words = "sk-very-secret" if engine is keyed else "pass/word"
        shown = f"{engine.describe()} {answer(engine, ask('a', words))['a'].error}"
        assert "HTTP 401: refused" in shown
        for secret in ("sk-very-secret", "pass/word", "pass%2Fword", "someone", basic):
            assert secret not in shown
    sent = [call.headers["authorization"] for call in server.calls]
    assert sent == ["Bearer sk-very-secret", f"Basic {basic}"]
    assert with_password.describe()["servers"] == [server.url]


@pytest.mark.parametrize("start", [60, 70, 79, 450, 460, 466])
def test_a_key_that_an_error_would_cut_in_two_is_not_shown_in_part(
    start: int, make_server: MakeServer, make_engine: MakeEngine
) -> None:
    key = "sk-very-secret-and-long"
    server = make_server(lambda call: Answer(b"." * start + key.encode() + b"." * 500))
    error = answer(make_engine(server, api_key=key, retries=0), ask("a"))["a"].error
    assert error and "not JSON" in error and "sk-" not in error


def test_the_environments_key_is_sent_and_none_is_needed(
    make_server: MakeServer, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(at_first())
    answer(make_engine(server), ask("a"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment\n")
    answer(make_engine(server), ask("b"))
    answer(make_engine(server, api_key="sk-given"), ask("c"))
    assert [call.headers["authorization"] for call in server.calls] == [
        "Bearer none",
        "Bearer sk-of-the-environment",
        "Bearer sk-given",
    ]


def test_it_says_what_it_is(make_engine: MakeEngine) -> None:
    engine = make_engine("http://one:8000", "https://two/models/v1/", window=7)
    described = engine.describe()
    assert described["servers"] == ["http://one:8000/v1", "https://two/models/v1"]
    assert (described["engine"], described["model"], described["window"]) == (
        "openai",
        "some-model",
        7,
    )
    assert described["openai"]
    assert (engine.name, engine.window) == ("some-model", 7)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://host/v1",
        "http://",
        "http://:8000/v1",
        "http://host:port/v1",
        "http://host:99999/v1",
        "http://[half/v1",
        "http://host/v1?key=hidden",
        "http://host/v1#hidden",
        "http://ho st/v1",
    ],
)
def test_a_bad_url_is_bad_input_and_is_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="base URL") as caught:
        OpenAIServerEngine("m", ["http://good/v1", url])
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"servers": []},
        {"model": ""},
        {"window": 0},
        {"window": 1001},
        {"timeout": 0.0},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
        {"retries": -1},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"api_key": "sk-\u00fc"},
        {"api_key": "sk-one\nsk-two"},
    ],
)
def test_a_number_out_of_range_is_bad_input(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        OpenAIServerEngine(**({"model": "m", "servers": "http://host"} | settings))


def test_a_missing_package_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(InputError, match="not installed") as caught:
        OpenAIServerEngine("m", "http://host")
    assert "\n" not in str(caught.value)


# A whole run


def a_mixture(seed: int, share: float) -> Behave:
    """Faults at random, but the same ones for the same prompt and attempt."""
    faults = [
        refusal(429),
        refusal(429, retry_after="0.05"),
        refusal(500),
        refusal(503, retry_after="nonsense"),
        Answer(cut=0),
        Answer(chat("half of this").body, cut=30),
        Answer(b"<html>"),
        body({"choices": []}),
        Answer(b"", status=502),
    ]

    def behave(call: Call) -> Answer:
        chance = random.Random(f"{seed} {call.words} {call.nth}")
        if "item 77 |]" in call.words:
            return refusal(400, "the prompt is too long")
        if chance.random() < share:
            fault = chance.randrange(len(faults) + 1)
            # A time-out now and then: each takes its whole time.
            late = fault == len(faults) and chance.random() < 0.3
            return Answer(delay=NEVER) if late else faults[fault % len(faults)]
        return Answer(chat(f"\\boxed{{A}} {call.words}").body, drip=0.002 * chance.random())

    return behave


@pytest.mark.slow
def test_a_run_through_faults_loses_nothing_doubles_nothing_and_resumes(
    tmp_path: Path, write_dataset: Callable[..., Path], make_server: MakeServer,
    make_engine: MakeEngine,
) -> None:  # fmt: skip
    count = 300
    servers = [make_server(a_mixture(seed, 0.5)) for seed in (1, 2)]
    asks = []
    for question in read_questions(write_dataset(count), "text"):
        name = question.problem.id
        sampling = Sampling(max_tokens=8, seed=sample_seed(name, 0, 0))
        key = (name, 0, question.digest, sampling_digest(sampling))
        asks.append(Ask(question, sampling, key))

    def session(number: int, window: int) -> list[Sample]:
        known = {key for key, sample in read_samples(tmp_path).items() if not sample.failed}
        landed: list[Sample] = []
        engine = make_engine(
            *servers, window=window, timeout=4.0, retries=Retries(2, first=0.01, longest=0.05)
        )
        with Journal(tmp_path) as journal:
            left = [ask for ask in asks if ask.key not in known]
            assert run_asks(left, engine, journal, number, landed.append) is None
        assert sorted(s.key for s in landed) == sorted(a.key for a in left)
        return landed

    first = session(0, 32)
    failed = {sample.key for sample in first if sample.failed}
    assert 10 < len(failed) < 150, "the mixture is too mild or too harsh to show anything"
    number = 1
    again = session(number, 7)
    assert {sample.key for sample in again} == failed
    while len(failed) > 1:
        number += 1
        assert number < 12
        failed = {sample.key for sample in session(number, 16) if sample.failed}

    samples = read_samples(tmp_path)
    assert len(samples) == count
    by_key = {ask.key: ask for ask in asks}
    for key, sample in samples.items():
        if sample.failed:
            assert sample.error == "HTTP 400: the prompt is too long"
        else:
            words = by_key[key].question.messages[-1]["content"]
            words = words if isinstance(words, str) else words[0]["text"]
            assert sample.reply == f"\\boxed{{A}} {words}", "a reply went to another's request"
    assert sum(sample.failed for sample in samples.values()) == 1


def test_it_is_opened_by_name_and_what_is_not_its_own_is_refused() -> None:
    engine = open_engine("openai", "m", servers=["http://one", "http://two"], rate=2.0)
    engine.close()
    assert engine.describe()["servers"] == ["http://one/v1", "http://two/v1"]
    with pytest.raises(InputError, match="base URL"):
        open_engine("openai", "m")
    with pytest.raises(InputError, match="the servers' affair"):
        open_engine("openai", "m", servers=["http://one"], dtype="float32")
    with pytest.raises(InputError, match="asks no servers"):
        open_engine("vllm", "m", servers=["http://one"])
