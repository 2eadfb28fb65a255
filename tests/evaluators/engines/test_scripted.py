"""The scripted engine keeps the protocol, so that tests with it mean something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchgen.errors import InputError
from benchgen.problem import Response, Usage
from evaluators.engine import Engine, Request
from evaluators.engines import open_engine
from evaluators.engines.scripted import ScriptedEngine


def ask(*ids: str) -> list[Request]:
    return [Request(id=name, messages=({"role": "user", "content": name},)) for name in ids]


def test_text_becomes_a_finished_response_under_the_requests_id() -> None:
    engine: Engine = ScriptedEngine("echo", lambda request: f"said {request.id}")
    assert list(engine.generate(ask("a", "b"))) == [
        Response(id="a", text="said a"),
        Response(id="b", text="said b"),
    ]


def test_a_response_is_passed_on_untouched() -> None:
    reply = Response("a", "half", "length", (1, 2), usage=Usage(3, 2), seconds=0.5)
    assert list(ScriptedEngine("one", lambda request: reply).generate(ask("a"))) == [reply]


def test_a_reply_marked_for_another_request_is_not_let_through() -> None:
    engine = ScriptedEngine("wrong", lambda request: Response("b", "text"))
    with pytest.raises(ValueError, match="'a'.*'b'"):
        list(engine.generate(ask("a")))


def test_requests_are_taken_one_by_one_as_replies_are() -> None:
    taken: list[str] = []

    def requests() -> Iterator[Request]:
        for request in ask("a", "b", "c"):
            taken.append(request.id)
            yield request

    replies = ScriptedEngine("slow", lambda request: "x").generate(requests())
    assert taken == []
    next(replies)
    assert taken == ["a"]


def test_a_fault_of_the_script_is_not_hidden() -> None:
    def reply(request: Request) -> str:
        raise KeyError(request.id)

    with pytest.raises(KeyError):
        list(ScriptedEngine("broken", reply).generate(ask("a")))


def test_an_unknown_engine_is_bad_input_and_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown engine 'vlm'; there is: vllm"):
        open_engine("vlm", "smollm2")
