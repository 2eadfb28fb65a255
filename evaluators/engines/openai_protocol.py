"""What goes over the wire to an OpenAI-compatible server, and what comes back.

Conventions
-----------
* Every number that a request holds is sent, so that a server's default takes the place of
  none; what the protocol has no name for goes as vLLM's server calls it.
* A body that lacks what was asked for is ``Malformed``: another attempt may bring a whole
  one. A field that a server may well leave out (usage, token ids) is empty instead.
* Log-probabilities are as the server reports them. Where it gives no token ids, ``token_ids``
  is empty beside them.
* vLLM's server keeps the conventions of ``evaluators.engine`` if it is started with
  ``--logprobs-mode processed_logprobs --generation-config vllm``, and counts cached tokens
  with ``--enable-prompt-tokens-details``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchgen.problem import Response, Usage
from evaluators.engine import Request
from evaluators.engines.pictures import data_uri, with_pictures

REPLACED: Mapping[str, str | None] = {
    "return_token_ids": None,
    "max_tokens": "max_completion_tokens",
}
"""What a server may refuse to be told, and what it is told instead (None: nothing)."""


class Malformed(ValueError):
    """The body of a reply is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the server is asked it: a chat, or tokens to go on from."""

    chat: bool
    fields: Mapping[str, Any]
    extra: Mapping[str, Any]
    """Fields beyond the protocol."""

    def without(self, refused: frozenset[str]) -> Call:
        """The same, with what the server refuses replaced."""
        if not refused:
            return self
        return Call(self.chat, _replaced(self.fields, refused), _replaced(self.extra, refused))


def make_call(request: Request, model: str) -> Call:
    """The call that asks for one request's reply.

    Raises
    ------
    ValueError
        It holds messages and token ids, or neither, or its pictures do not fit its messages.
    """
    if bool(request.messages) == bool(request.prompt_token_ids):
        raise ValueError("a request holds either messages or token ids")
    sampling = request.sampling
    fields: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }
    extra: dict[str, Any] = {}
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    if sampling.regex:
        extra["structured_outputs"] = {"regex": sampling.regex}
    if sampling.thinking_budget is not None:
        extra["thinking_token_budget"] = sampling.thinking_budget
    if sampling.logprobs:
        extra["return_token_ids"] = True
    if request.prompt_token_ids:
        if request.images:
            raise ValueError("pictures go with messages, not with token ids")
        fields["prompt"] = list(request.prompt_token_ids)
        if sampling.logprobs:
            fields["logprobs"] = 0
        return Call(False, fields, extra)
    fields["messages"] = with_pictures(request.messages, request.images, _picture)
    if sampling.logprobs:
        fields["logprobs"] = True
    if request.messages[-1].get("role") == "assistant":
        extra |= {"continue_final_message": True, "add_generation_prompt": False}
    return Call(True, fields, extra)


def refused_field(status: int, error: Any) -> str | None:
    """The field of ours that a refusal is about, if it is one that can be replaced."""
    if status not in (400, 422):
        return None
    told = error if isinstance(error, Mapping) else {}
    if told.get("code") == "unsupported_parameter" and told.get("param") in REPLACED:
        return str(told["param"])
    # Strict servers name an unknown field in words alone. No other refusal names this one.
    return "return_token_ids" if "return_token_ids" in str(error) else None


def read_reply(request: Request, body: str) -> Response:
    """The Response that a body of the server holds; its ``seconds`` are left at 0.

    Raises
    ------
    Malformed
        It is not JSON, or not the JSON that was asked for.
    """
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed(f"the server's reply is not JSON: {body!r}") from None
    if isinstance(record, dict) and record.get("error"):
        raise Malformed(f"the server's reply is an error: {json.dumps(record['error'])}")
    try:
        return _response(request, record)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        kind = type(error).__name__
        raise Malformed(f"the server's reply is not of the form asked for ({kind})") from error


def _replaced(fields: Mapping[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    told = {name: REPLACED[name] if name in refused else name for name in fields}
    return {new: fields[name] for name, new in told.items() if new is not None}


def _response(request: Request, record: Any) -> Response:
    choice = record["choices"][0]
    if request.messages:
        message = choice["message"]
        thinking = _text(message.get("reasoning_content") or message.get("reasoning") or "")
        # A reply that ran out of tokens while it was thinking has no content, or none to name.
        text = _text((message.get("content") or "") if thinking else (message["content"] or ""))
    else:
        text, thinking = _text(choice["text"]), ""
    reason = choice["finish_reason"]
    fault = _fault(request, text, reason)
    prompt_ids = record.get("prompt_token_ids") or choice.get("prompt_token_ids")
    return Response(
        id=request.id,
        text=text,
        finish_reason="error" if fault else reason,
        token_ids=_ids(choice.get("token_ids")),
        logprobs=_logprobs(request, choice) if request.sampling.logprobs else None,
        prompt_token_ids=_ids(prompt_ids),
        usage=_usage(record.get("usage")),
        error=fault,
        thinking=thinking,
    )


def _fault(request: Request, text: str, reason: Any) -> str | None:
    """What is wrong with a whole reply, if anything is."""
    if reason not in ("stop", "length"):
        return f"the server ended the reply: {reason}"
    pattern = request.sampling.regex
    if not pattern or reason == "length" or request.sampling.stop:
        return None
    try:
        held = re.fullmatch(pattern, text)
    except re.error:
        # A pattern of the server's dialect. That it was kept cannot be told from here.
        return None
    return None if held else "the server did not hold the model to the pattern"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError("a text is a string")


def _ids(value: Any) -> tuple[int, ...]:
    return tuple(int(token) for token in value or ())


def _logprobs(request: Request, choice: Any) -> tuple[float, ...] | None:
    """One a token, or None where the server gives none."""
    given = choice.get("logprobs")
    if given is None:
        return None
    if request.messages:
        return tuple(float(entry["logprob"]) for entry in given["content"] or ())
    return tuple(float(value) for value in given["token_logprobs"])


def _usage(given: Any) -> Usage:
    if given is None:
        return Usage()
    of_prompt = given.get("prompt_tokens_details") or {}
    of_completion = given.get("completion_tokens_details") or {}
    return Usage(
        prompt_tokens=int(given.get("prompt_tokens") or 0),
        completion_tokens=int(given.get("completion_tokens") or 0),
        cached_tokens=int(of_prompt.get("cached_tokens") or 0),
        thinking_tokens=int(of_completion.get("reasoning_tokens") or 0),
    )


def _picture(encoded: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_uri(encoded)}}
