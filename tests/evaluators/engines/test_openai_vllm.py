"""The openai engine against vLLM's own server on the default model.

What vLLM calls its fields is not in the protocol; here they are seen to be understood.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from benchgen.preload import find_preloads
from benchgen.problem import Response
from evaluators.engine import Request, Sampling
from evaluators.engines.openai_server import OpenAIServerEngine
from evaluators.engines.smollm2 import smollm2_folder
from evaluators.engines.vllm_environment import OFFLINE, QUIET, cpu_settings

pytestmark = pytest.mark.slow

START_SECONDS = 300


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    # `vllm serve` does not start from the CPU build: it asks for the version of a package `vllm`.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(smollm2_folder())]
    command += ["--served-model-name", "smollm2", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--enforce-eager", "--max-model-len", "512", "--max-num-seqs", "8"]
    command += ["--kv-cache-memory-bytes", str(2**28), "--no-enable-chunked-prefill"]
    command += ["--max-num-batched-tokens", "512", "--logprobs-mode", "processed_logprobs"]
    command += ["--generation-config", "vllm", "--enable-prompt-tokens-details"]
    cores = sorted(os.sched_getaffinity(0))
    settings = cpu_settings(cores, find_preloads(), os.environ.get("LD_PRELOAD", ""))
    environment = os.environ | QUIET | OFFLINE | settings
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as sink:
        server = subprocess.Popen(
            command, env=environment, stdout=sink, stderr=sink, start_new_session=True
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not answers(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(30)
        finally:
            # Whatever it started and did not end.
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def engine(url: str) -> Iterator[OpenAIServerEngine]:
    opened = OpenAIServerEngine("smollm2", url, window=8, timeout=120)
    yield opened
    opened.close()


def ask(name: str, words: str, *more: dict[str, Any], **sampling: Any) -> Request:
    sampling = {"max_tokens": 12, **sampling}
    messages = ({"role": "user", "content": words}, *more)
    return Request(name, messages, sampling=Sampling(**sampling))


def answer(engine: OpenAIServerEngine, *requests: Request) -> dict[str, Response]:
    return {response.id: response for response in engine.generate(requests)}


def test_chats_tokens_patterns_and_begun_replies_are_understood(
    engine: OpenAIServerEngine,
) -> None:
    begun = {"role": "assistant", "content": "One, two, three, four,"}
    got = answer(
        engine,
        ask("plain", "What is the capital of France?", logprobs=True),
        ask("begun", "Count from one to ten in words.", begun),
        ask("held", "Which letter comes first?", regex="[A-D]"),
        ask("short", "Tell me a story.", max_tokens=3),
        ask("long", "la " * 600),
        Request(
            "ids",
            prompt_token_ids=(504, 3575, 282),
            sampling=Sampling(max_tokens=3, logprobs=True, temperature=1.0, seed=5),
        ),
    )
    plain = got["plain"]
    assert plain.error is None and plain.finish_reason in ("stop", "length")
    assert plain.logprobs is not None
    assert len(plain.logprobs) == len(plain.token_ids) == plain.usage.completion_tokens
    assert len(plain.prompt_token_ids) == plain.usage.prompt_tokens > 0
    assert plain.seconds > 0
    assert "five" in got["begun"].text.lower() and "four," not in got["begun"].text
    assert re.fullmatch("[A-D]", got["held"].text) and got["held"].error is None
    assert (got["short"].finish_reason, got["short"].usage.completion_tokens) == ("length", 3)
    assert (got["long"].error or "").startswith("HTTP 400") and "512" in (got["long"].error or "")
    ids = got["ids"]
    assert ids.error is None and ids.logprobs is not None
    assert ids.prompt_token_ids == (504, 3575, 282)
    assert len(ids.logprobs) == len(ids.token_ids) == 3


def test_a_seed_decides_and_cached_tokens_are_told(engine: OpenAIServerEngine) -> None:
    words = "Make up a name for a dog. " * 20

    def tokens(seed: int) -> Response:
        request = ask("a", words, temperature=1.0, seed=seed, logprobs=True)
        return answer(engine, request)["a"]

    first, again, other = tokens(11), tokens(11), tokens(12)
    assert first.token_ids == again.token_ids != other.token_ids
    assert again.usage.cached_tokens > 0


def test_log_probabilities_are_of_what_was_sampled(engine: OpenAIServerEngine) -> None:
    request = ask("a", "Tell me a story.", temperature=1.0, top_p=1e-6, logprobs=True, seed=3)
    logprobs = answer(engine, request)["a"].logprobs
    assert logprobs == pytest.approx([0.0] * 12, abs=1e-5)
