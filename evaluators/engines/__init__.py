"""Engines: one file each, every one an ``evaluators.engine.Engine``.

The heavy ones are imported when they are opened, so that a scripted run needs
neither torch nor vLLM.
"""

from __future__ import annotations

from benchgen.errors import InputError
from evaluators.engine import Engine

ENGINES = ("vllm",)
"""What ``open_engine`` opens by name. A scripted engine is made from its function instead."""


def open_engine(
    spec: str,
    model: str,
    *,
    context_length: int | None = None,
    window: int | None = None,
    dtype: str = "auto",
    tensor_parallel: int = 1,
) -> Engine:
    """Start the engine called ``spec`` on ``model``.

    ``model`` is ``smollm2``, a folder, or a Hub id (owner/name).
    ``context_length`` is in tokens, None for as many as the model has and the
    memory holds; ``window`` is how many requests run at once, None for what
    suits the device.

    Raises
    ------
    InputError
        There is no such engine, its packages are not installed, or the model
        is none that it can load.
    """
    match spec:
        case "vllm":
            from evaluators.engines.vllm import VllmEngine

            return VllmEngine(
                model,
                context_length=context_length,
                window=window,
                dtype=dtype,
                tensor_parallel=tensor_parallel,
            )
        case _:
            raise InputError(f"unknown engine {spec!r}; there is: {', '.join(ENGINES)}")
