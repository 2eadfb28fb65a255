"""vLLM in this process's charge: continuous batching on a GPU, or on the CPU build.

Conventions
-----------
* A request enters as soon as the window has room, while the others run, and its
  Response is yielded when it finishes. Its pictures are prepared before (``vllm_prompts.py``).
* A request's seed draws its tokens from its own generator. The same seed gives
  the same tokens as long as the logits are the same; batches of another
  composition may round them differently.
* Log-probabilities are those of the sampled tokens after temperature and
  truncation; for temperature 0 those of the model, at temperature 1.
* Only what is wrong with one request becomes an error Response. A dead engine
  raises.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.preload import find_preloads
from benchgen.problem import Response, Usage
from evaluators.engine import Request, Sampling
from evaluators.engines.smollm2 import NAME, model_path
from evaluators.engines.vllm_environment import (
    OFFLINE,
    ONE_PROCESS,
    QUIET,
    cpu_settings,
    has_bfloat16,
    own_device,
    process_environment,
)
from evaluators.engines.vllm_prompts import Prompt, Prompts, Refused, Workers, one_line
from evaluators.engines.vllm_weights import TAKES_WEIGHTS, written
from evaluators.thoughts import TokenMarks, thought_tokens

CPU_CACHE_BYTES = 2 * 2**30
CPU_SEQUENCES = 64
CPU_BLOCK = 32
"""Tokens that the prefix cache keeps together."""
CPU_CONTEXT_LENGTH = 8192
GPU_SEQUENCES = 256
MOST_WORKERS = 8
"""That prepare pictures. Half of the cores otherwise: the engine works on the others."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A request that the engine holds, and when it was admitted (monotonic seconds)."""

    request: Request
    since: float


class VllmEngine:
    """vLLM on ``model``: ``smollm2``, a folder, or a Hub id.

    A GPU is used if there is one. ``context_length`` is in tokens, None for as
    many as the model has and the memory holds (on the CPU at most 8,192).
    ``window`` is how many requests run at once. ``dtype`` is vLLM's name of a
    precision, ``"auto"`` for the model's own. ``thinking_marks`` begin and end a thought:
    with them thoughts are counted and may be held to a budget. ``sleeps``: on a GPU that a
    trainer shares, its memory can be lent to it (``sleep``). ``memory_share`` is how much of a
    GPU's memory it may take, from 0 to 1, None for as much as vLLM takes by itself.

    Raises
    ------
    InputError
        vLLM is not installed, or the model is none that it can load.
    """

    def __init__(
        self,
        model: str,
        *,
        context_length: int | None = None,
        window: int | None = None,
        dtype: str = "auto",
        tensor_parallel: int = 1,
        thinking_marks: tuple[str, str] | None = None,
        sleeps: bool = False,
        memory_share: float | None = None,
    ) -> None:
        if window is not None and window < 1:
            raise InputError(f"a window holds at least one request, not {window}")
        path = model_path(model)
        is_folder = Path(path).is_dir()
        self._name = Path(path).name if is_folder and model != NAME else model
        self._ids = itertools.count()
        with ExitStack() as stack:
            stack.enter_context(process_environment({**QUIET, **(OFFLINE if is_folder else {})}))
            stack.enter_context(process_environment(own_device(os.environ), force=True))
            stack.enter_context(_output_to_stderr())
            try:
                import vllm
                from vllm.platforms import current_platform
                from vllm.v1.engine.llm_engine import LLMEngine
                from vllm.v1.executor import Executor

                from evaluators.engines.orphans import Guard
            except ImportError as error:
                raise InputError(f"the vllm engine is not installed here: {error}") from error
            on_cpu = bool(current_platform.is_cpu())
            sequences = window or (CPU_SEQUENCES if on_cpu else GPU_SEQUENCES)
            arguments: dict[str, Any] = {
                "model": path,
                "dtype": dtype,
                # -1: as long as the model's own limit and the memory allow.
                "max_model_len": context_length or -1,
                "max_num_seqs": sequences,
                "tensor_parallel_size": tensor_parallel,
                "logprobs_mode": "processed_logprobs",
                "use_tqdm_on_load": False,
                "disable_log_stats": True,
                "worker_extension_cls": TAKES_WEIGHTS,
                # Pictures come prepared from workers, which this cache knows nothing of.
                "mm_processor_cache_gb": 0,
                "enable_sleep_mode": sleeps and not on_cpu,
            }
            if memory_share is not None and not on_cpu:
                arguments["gpu_memory_utilization"] = memory_share
            if thinking_marks is not None:
                from vllm.config import ReasoningConfig

                start, end = thinking_marks
                arguments["reasoning_config"] = ReasoningConfig(
                    reasoning_start_str=start, reasoning_end_str=end
                )
            if on_cpu:
                # Compiling takes a minute and gains nothing on small models.
                arguments |= {"enforce_eager": True, "kv_cache_memory_bytes": CPU_CACHE_BYTES}
                # By default 128, longer than what the questions of a class have in common.
                arguments["block_size"] = CPU_BLOCK
                if dtype == "auto" and not has_bfloat16():
                    # It would be emulated.
                    arguments["dtype"] = "float32"
                cores = sorted(os.sched_getaffinity(0))
                settings = cpu_settings(cores, find_preloads(), os.environ.get("LD_PRELOAD", ""))
                preload = {"LD_PRELOAD": settings.pop("LD_PRELOAD")}
                stack.enter_context(process_environment(settings))
                stack.enter_context(process_environment(preload | ONE_PROCESS, force=True))
            try:
                if on_cpu:
                    arguments |= _whole_prompts(vllm, arguments, context_length)
                config = vllm.EngineArgs(**arguments).create_engine_config()
            except (OSError, ValueError) as error:
                raise InputError(f"cannot load the model {model!r}: {one_line(error)}") from error
            executor = Executor.get_class(config)
            self._guard = Guard()
            unopened = stack.enter_context(ExitStack())
            unopened.callback(self._guard.close)
            self._engine = LLMEngine(config, executor, log_stats=False, multiprocess_mode=True)
            resolved = self._engine.model_config
            self._workers: Workers | None = None
            if resolved.is_multimodal_model:
                count = max(1, min(MOST_WORKERS, len(os.sched_getaffinity(0)) // 2))
                self._workers = Workers(config, count)
            self._guard.opened()
            unopened.pop_all()
        self._sleeps, self._asleep = sleeps and not on_cpu, False
        self._window = sequences
        self._marks: TokenMarks = ((), ())
        if thinking_marks is not None:
            tokenizer = self._engine.get_tokenizer()
            begin, end = (tokenizer.encode(m, add_special_tokens=False) for m in thinking_marks)
            self._marks = (tuple(begin), tuple(end))
        self._description: dict[str, Any] = {
            "engine": "vllm",
            "model": self._name,
            "vllm": vllm.__version__,
            "torch": importlib.metadata.version("torch"),
            "transformers": importlib.metadata.version("transformers"),
            "device": "cpu" if on_cpu else str(current_platform.get_device_name()),
            "dtype": str(resolved.dtype).removeprefix("torch."),
            "context_length": int(resolved.max_model_len),
            "window": sequences,
            "tensor_parallel": tensor_parallel,
            "logprobs": "processed",
            "images": bool(resolved.is_multimodal_model),
        }
        if thinking_marks is not None:
            self._description["thinking_marks"] = list(thinking_marks)

    @property
    def name(self) -> str:
        """The model's name as it was given; a folder's own name, without its path."""
        return self._name

    @property
    def window(self) -> int:
        """How many requests run at once."""
        return self._window

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answer the requests, each as it finishes; what is unfinished on leaving is dropped."""
        prompts = Prompts(requests, self._engine.renderer, self._workers, self._window)
        running: dict[str, _Running] = {}
        try:
            while True:
                while len(running) < self._window:
                    # With nothing to compute there is nothing to do but wait.
                    taken = prompts.take(wait=not running)
                    if taken is None:
                        break
                    refusal = self._admit(*taken, running)
                    if refusal is not None:
                        yield refusal
                if not running:
                    return
                for output in self._engine.step():
                    if output.finished:
                        done = running.pop(output.request_id)
                        yield _response(output, done, self._marks)
        finally:
            if running:
                self._engine.abort_request(list(running))

    def _admit(
        self, request: Request, prompt: Prompt | Refused, running: dict[str, _Running]
    ) -> Response | None:
        """Hand one request to the engine; the Response that says why not, if it is refused."""
        since = time.monotonic()
        key = str(next(self._ids))
        if not isinstance(prompt, Refused):
            try:
                self._engine.add_request(key, prompt, _sampling_params(request.sampling))
            except Exception as error:
                if type(error).__name__ == "EngineDeadError":
                    raise
                prompt = Refused(one_line(error))
        if isinstance(prompt, Refused):
            return Response(request.id, "", finish_reason="error", error=prompt.why)
        running[key] = _Running(request, since)
        return None

    def sleep(self) -> None:
        """Lend the device's memory to a trainer until ``update_weights``; nothing may be running.

        The weights are dropped: the next ones are others. An engine that was not opened to sleep
        stays awake.
        """
        if self._sleeps and not self._asleep:
            self._engine.sleep(level=2)
            self._asleep = True

    def update_weights(self, model: Any) -> None:
        """Answer with the weights of ``model``, one of Transformers, from now on.

        Nothing may be running. One that sleeps wakes for it: the weights' memory first, the
        cache's when they are there, so that what is written for the hand-over finds room.
        """
        if self._asleep:
            self._engine.wake_up(tags=["weights"])
        with written(model) as folder:
            self._engine.collective_rpc("take_weights", kwargs={"folder": str(folder)})
        if self._asleep:
            self._engine.wake_up(tags=["kv_cache"])
            self._asleep = False
        if self._description["images"]:
            self._engine.reset_mm_cache()
            self._engine.reset_encoder_cache()
        if not self._engine.reset_prefix_cache():
            raise RuntimeError("prompts that the old weights have read could not be forgotten")

    def describe(self) -> Mapping[str, Any]:
        """Versions, device and settings."""
        return dict(self._description)

    def close(self) -> None:
        """End the model's processes, and those that prepared its pictures."""
        if self._workers is not None:
            self._workers.close()
        self._engine.engine_core.shutdown()
        self._guard.close()


def _whole_prompts(
    vllm: Any, arguments: Mapping[str, Any], context_length: int | None
) -> dict[str, Any]:
    """Settings under which every prompt is taken in whole.

    One taken in chunks winds its generator back, which the CPU's cannot: the engine dies.
    """
    own = vllm.EngineArgs(**{**arguments, "max_model_len": None}).create_model_config()
    length = context_length or min(int(own.max_model_len), CPU_CONTEXT_LENGTH)
    return {
        "max_model_len": length,
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(length, arguments["max_num_seqs"]),
    }


def _sampling_params(sampling: Sampling) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    pattern = sampling.regex
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
        seed=sampling.seed,
        stop=list(sampling.stop),
        logprobs=0 if sampling.logprobs else None,
        thinking_token_budget=sampling.thinking_budget,
        structured_outputs=StructuredOutputsParams(regex=pattern) if pattern else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
        # Marks of thoughts are special tokens in some models: unseen, thoughts would be answers.
        skip_special_tokens=False,
    )


def _response(output: Any, running: _Running, marks: TokenMarks) -> Response:
    completion = output.outputs[0]
    token_ids = tuple(int(token) for token in completion.token_ids)
    logprobs = None
    if running.request.sampling.logprobs:
        logprobs = tuple(
            float(entry[token].logprob)
            for entry, token in zip(completion.logprobs, token_ids, strict=True)
        )
    prompt_token_ids = tuple(int(token) for token in output.prompt_token_ids or ())
    reason = completion.finish_reason
    finished = reason in ("stop", "length")
    return Response(
        id=running.request.id,
        text=completion.text,
        finish_reason=reason if finished else "error",
        token_ids=token_ids,
        logprobs=logprobs,
        prompt_token_ids=prompt_token_ids,
        usage=Usage(
            len(prompt_token_ids),
            len(token_ids),
            int(output.num_cached_tokens or 0),
            thought_tokens(prompt_token_ids, token_ids, marks),
        ),
        seconds=time.monotonic() - running.since,
        error=None if finished else f"the engine ended the request: {reason}",
    )


@contextmanager
def _output_to_stderr() -> Iterator[None]:
    """Let what the model's processes print go to stderr: stdout is for results.

    They inherit the file descriptor, whatever ``sys.stdout`` is.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
