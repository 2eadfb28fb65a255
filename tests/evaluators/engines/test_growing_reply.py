"""A reply token by token: where it ends, and what its text is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from benchgen.problem import Response
from evaluators.engine import Request, Sampling
from evaluators.engines.growing_reply import GrowingReply, check_sampling

END = 0


def decode(tokens: Sequence[int]) -> str:
    """As sentence-piece tokenizers do: a word's space is dropped at the beginning."""
    return "".join({1: " one", 2: " two", 3: ", ", 4: "thr", 5: "ee"}[t] for t in tokens).lstrip()


def grow(
    *tokens: int, prompt: tuple[int, ...] = (), room: int = 100, **sampling: Any
) -> Response | None:
    request = Request("a", prompt_token_ids=(1,), sampling=Sampling(**sampling))
    reply = GrowingReply(request, prompt, room, {END}, decode)
    for token in tokens:
        assert not reply.reason, "it went on after its end"
        reply.add(token, -0.5)
    return reply.response() if reply.reason else None


def test_the_end_of_the_turn_is_a_token_and_no_text() -> None:
    response = grow(1, 2, END)
    assert response is not None
    assert (response.text, response.finish_reason) == ("one two", "stop")
    assert response.token_ids == (1, 2, END)
    assert response.usage.completion_tokens == 3


def test_the_text_keeps_the_space_that_follows_the_prompt() -> None:
    response = grow(2, END, prompt=(1,))
    assert response is not None and response.text == " two"
    assert response.usage.prompt_tokens == 1


@pytest.mark.parametrize(
    ("stop", "text"), [((", ",), "one"), (("three",), "one, "), (("ee", ", "), "one")]
)
def test_a_stop_string_ends_the_text_before_it_wherever_its_tokens_break(
    stop: tuple[str, ...], text: str
) -> None:
    tokens = (1, 3) if ", " in stop else (1, 3, 4, 5)
    response = grow(*tokens, stop=stop)
    assert response is not None
    assert (response.text, response.finish_reason) == (text, "stop")
    assert response.token_ids == tokens


@pytest.mark.parametrize(("room", "most"), [(2, 9), (9, 2)])
def test_a_reply_is_as_long_as_asked_or_as_the_context_has_room(room: int, most: int) -> None:
    response = grow(1, 2, room=room, max_tokens=most)
    assert response is not None and response.finish_reason == "length"


def test_an_end_at_the_last_place_is_an_end() -> None:
    response = grow(1, END, max_tokens=2)
    assert response is not None and response.finish_reason == "stop"


def test_log_probabilities_are_given_where_they_were_asked_for() -> None:
    asked, not_asked = grow(1, END, logprobs=True), grow(1, END)
    assert asked is not None and asked.logprobs == (-0.5, -0.5)
    assert not_asked is not None and not_asked.logprobs is None


def test_seeds_that_differ_in_their_upper_half_alone_draw_unlike_replies() -> None:
    def chances(seed: int) -> list[float]:
        request = Request("a", prompt_token_ids=(1,), sampling=Sampling(seed=seed))
        reply = GrowingReply(request, (1,), 5, {END}, decode)
        return [reply.chance() for _ in range(3)]

    assert chances(5) == chances(5)
    assert chances(5) != chances(5 + 2**32)


def test_scores_that_are_no_numbers_are_an_error_and_not_a_reply() -> None:
    reply = GrowingReply(Request("a", prompt_token_ids=(1,)), (1,), 5, {END}, decode)
    reply.add(1, float("nan"))
    response = reply.response()
    assert (response.finish_reason, response.error) == (
        "error",
        "the model's scores are not numbers",
    )


def test_a_letter_begun_in_the_prompt_does_not_eat_the_reply() -> None:
    def in_bytes(tokens: Sequence[int]) -> str:
        return bytes(tokens).decode("utf-8", "replace")

    begun, rest = tuple("ü".encode()[:1]), "ü!".encode()[1:]
    reply = GrowingReply(Request("a", prompt_token_ids=begun), begun, 9, {END}, in_bytes)
    for token in (*rest, END):
        reply.add(token, 0.0)
    assert reply.response().text.endswith("!")


@pytest.mark.parametrize(
    "sampling",
    [
        {"regex": "[A-D]"},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"max_tokens": 0},
        {"stop": ("x", "")},
    ],
)
def test_what_cannot_be_drawn_is_refused(sampling: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        check_sampling(Sampling(**sampling))
