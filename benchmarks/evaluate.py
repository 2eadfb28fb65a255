"""How long an evaluation takes, beside lm_eval on the same problems and model.

Conventions
-----------
* Three ways of asking the same problems with the same greedy sampling: lm_eval through
  a vLLM server, ours through the same server, and ours with vLLM in process. Each is timed
  by the clock from reading the dataset to its last file; what is started once (the
  server, the engine, imports) is not. The ways alternate, and medians are compared.
* lm_eval asks with the number of requests at once that is quickest for it, of
  ``CONCURRENCIES``, found on the first problems; ours with twice what the server runs.
* The server is as vLLM starts it, in the precision of our engine; that one has settings of its
  own besides (on a CPU a prefix cache of smaller blocks), which are part of what is measured.
* Before each run the prompts that the engine has kept are forgotten: whoever asks second
  would otherwise find them read.
* Starved: the share of the in-process run in which the engine had nothing to wait for,
  because we were reading, preparing, scoring or writing: the clock less the time spent in
  vLLM's ``step``.

Run ``python benchmarks/evaluate.py`` (``--problems``, ``--rounds``, ``--json FILE``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchgen.dataset import synthesize
from benchgen.export import export_dataset
from benchgen.plan import make_plan
from benchgen.preload import find_preloads
from evaluators.command import evaluate
from evaluators.engines.openai_server import OpenAIServerEngine
from evaluators.engines.smollm2 import NAME, smollm2_folder
from evaluators.engines.vllm import CPU_SEQUENCES, VllmEngine
from evaluators.engines.vllm_environment import OFFLINE, QUIET, cpu_settings

CONCURRENCIES = (16, 64, 128)
CONTEXT = 2048
START_SECONDS = 300


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--max-tokens", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    os.environ |= OFFLINE
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        found = measure(Path(folder), stack, options.problems, options.max_tokens, options.rounds)
    for line in table(found):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


def measure(
    folder: Path, stack: contextlib.ExitStack, problems: int, max_tokens: int, rounds: int
) -> dict[str, Any]:
    """Every figure of the page."""
    data, task = folder / "data", folder / "task"
    synthesize(make_plan("sheet_music", split="test", count=problems, seed=1), data)
    export_dataset("lm_eval", data, task, modality="text")
    engine = VllmEngine(NAME, context_length=CONTEXT)
    stack.callback(engine.close)
    url = stack.enter_context(serving(str(engine.describe()["dtype"])))
    clock = Clock()
    engine._engine.step = clock.timed(engine._engine.step)

    def peer(concurrency: int, limit: int | None = None) -> float:
        forget(url)
        return seconds(partial(ask_lm_eval, task, url, concurrency, max_tokens, limit))

    few = max(50, problems // 8)
    trial = {c: peer(c, few) for c in CONCURRENCIES}
    best = min(trial, key=lambda concurrency: trial[concurrency])
    runs: dict[str, list[float]] = {"lm_eval": [], "server": [], "in process": []}
    starved: list[float] = []
    for turn in range(rounds):
        forget(url)
        client = OpenAIServerEngine(NAME, [url], window=2 * CPU_SEQUENCES)
        with contextlib.closing(client) as server:
            out = folder / f"server-{turn}"
            asked = partial(evaluate, data, out, engine=server, max_tokens=max_tokens)
            runs["server"].append(seconds(asked))
        runs["lm_eval"].append(peer(best))
        engine._engine.reset_prefix_cache()
        clock.total = 0.0
        out = folder / f"process-{turn}"
        took = seconds(partial(evaluate, data, out, engine=engine, max_tokens=max_tokens))
        runs["in process"].append(took)
        starved.append((took - clock.total) / took)
        note(", ".join(f"{name} {times[-1]:.1f} s" for name, times in runs.items()))
    return {
        "settings": {
            "model": NAME,
            "problems": problems,
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "context": CONTEXT,
            "sequences": CPU_SEQUENCES,
            "lm_eval_concurrency": best,
            "lm_eval_trials": trial,
            "rounds": rounds,
            "engine": dict(engine.describe()),
        },
        "seconds": runs,
        "median": {name: statistics.median(times) for name, times in runs.items()},
        "starved": statistics.median(starved),
    }


class Clock:
    """Sums the time that a function takes."""

    def __init__(self) -> None:
        self.total = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, its time added to ``total``."""

        def call(*arguments: Any, **named: Any) -> Any:
            began = time.monotonic()
            try:
                return function(*arguments, **named)
            finally:
                self.total += time.monotonic() - began

        return call


def seconds(function: Callable[[], object]) -> float:
    """How long it takes, by the clock."""
    began = time.monotonic()
    function()
    return time.monotonic() - began


def ask_lm_eval(task: Path, url: str, concurrency: int, max_tokens: int, limit: int | None) -> None:
    """The whole of lm_eval's evaluation, results computed."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    lm_eval.simple_evaluate(
        model="local-chat-completions",
        model_args={
            "model": NAME,
            "base_url": f"{url}/chat/completions",
            "num_concurrent": concurrency,
            "max_retries": 3,
            "tokenized_requests": False,
        },
        tasks=["sheet_music_text"],
        task_manager=TaskManager(include_path=str(task), include_defaults=False),
        apply_chat_template=True,
        gen_kwargs=f"max_gen_toks={max_tokens},temperature=0.0",
        limit=limit,
        log_samples=True,
        bootstrap_iters=0,
    )


@contextlib.contextmanager
def serving(precision: str) -> Iterator[str]:
    """vLLM's server on the default model, with the settings of our engine; its base URL."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    # `vllm serve` does not start from the CPU build: it asks for the version of a package `vllm`.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(smollm2_folder()), "--served-model-name", NAME]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", precision]
    command += ["--enforce-eager", "--max-model-len", str(CONTEXT)]
    command += ["--max-num-seqs", str(CPU_SEQUENCES), "--kv-cache-memory-bytes", str(2**31)]
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", str(CONTEXT)]
    command += ["--generation-config", "vllm", "--disable-uvicorn-access-log"]
    cores = sorted(os.sched_getaffinity(0))
    settings = cpu_settings(cores, find_preloads(), os.environ.get("LD_PRELOAD", ""))
    # Only a server in development can be told to forget.
    environment = os.environ | QUIET | OFFLINE | settings | {"VLLM_SERVER_DEV_MODE": "1"}
    server = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + START_SECONDS
        while not answers(f"http://127.0.0.1:{port}/health"):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError("vLLM's server did not start")
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(30)
        finally:
            # Whatever it started and did not end.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def forget(url: str) -> None:
    """Let the server forget the prompts that it has read."""
    request = urllib.request.Request(f"{url.removesuffix('/v1')}/reset_prefix_cache", method="POST")
    with urllib.request.urlopen(request, timeout=60):
        pass


def answers(url: str) -> bool:
    """Whether there is a reply."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def table(found: dict[str, Any]) -> Iterator[str]:
    """The figures for people, each beside what is asked of it."""
    settings, median = found["settings"], found["median"]
    yield (
        f"{settings['problems']} text problems, {settings['model']}, greedy, at most "
        f"{settings['max_tokens']} tokens, {settings['sequences']} sequences, "
        f"{settings['engine']['dtype']} on {settings['engine']['device']}; "
        f"lm_eval asks {settings['lm_eval_concurrency']} at once"
    )
    for name, times in found["seconds"].items():
        yield f"{name:12}{median[name]:8.1f} s   ({', '.join(f'{t:.1f}' for t in times)})"
    for name, most in (("server", 1.0), ("in process", 0.9)):
        ratio = median[name] / median["lm_eval"]
        yield f"{name} over lm_eval  {ratio:.3f}  (at most {most:g}: {verdict(ratio <= most)})"
    share = found["starved"]
    yield f"starved  {100 * share:.1f} %  (at most 3: {verdict(share <= 0.03)})"


def verdict(met: bool) -> str:
    """In a word."""
    return "met" if met else "MISSED"


def note(line: str) -> None:
    """To stderr, at once."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
