"""The environment in which vLLM's processes start: quiet, offline, on all cores.

vLLM runs the model in processes that it spawns, and those read their settings
from the environment when they start. So it is enough that the settings stand
there while the engine is being opened. A variable that the user has set is left
as it is, and everything is put back afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchgen.preload import preload_path

QUIET = {
    # No figures about this machine are sent anywhere.
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    # A fork would inherit locks held by the threads of a progress bar.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}
# For the CPU build, while the configuration is made: the model then runs in the process
# of the engine's core, which is spawned anyway. Otherwise it gets one more of its own,
# and importing vLLM once more is a third of the time that starting takes.
ONE_PROCESS = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor computes in bfloat16 itself (False where it cannot be told)."""
    if not cpuinfo.exists():
        return False
    words = set(cpuinfo.read_text(encoding="utf-8").split())
    return not words.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


def cpu_settings(cores: list[int], preloads: list[str], preloaded: str) -> dict[str, str]:
    """What the CPU build needs beside ``QUIET``.

    ``cores`` are the ones this process may use, ``preloads`` the libraries to
    load first, ``preloaded`` what is loaded first already.
    """
    settings = {"LD_PRELOAD": preload_path(preloads, preloaded)}
    if len(cores) <= 4:
        # By default one core is kept for the front end, half of a small machine, and
        # threads are bound to theirs. A bound thread that spins for another that has
        # lost its core to someone else's process stalls the model by an order of magnitude.
        settings["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        settings["OMP_NUM_THREADS"] = str(len(cores))
        settings["KMP_BLOCKTIME"] = "1"
    return settings


def own_device(environment: Mapping[str, str]) -> dict[str, str]:
    """What lets an engine of one of several ranks (``torchrun``'s) see the rank's own GPU alone."""
    place = environment.get("LOCAL_RANK")
    if place is None or int(environment.get("WORLD_SIZE", "1")) == 1:
        return {}
    seen = environment.get("CUDA_VISIBLE_DEVICES")
    return {"CUDA_VISIBLE_DEVICES": seen.split(",")[int(place)] if seen else place}


@contextmanager
def process_environment(settings: Mapping[str, str], *, force: bool = False) -> Iterator[None]:
    """Let ``settings`` stand in the environment where the user has not set them.

    With ``force`` they stand in any case. On leaving, each of them is as before.
    """
    before = {name: os.environ.get(name) for name in settings}
    for name, value in settings.items():
        if force or before[name] is None:
            os.environ[name] = value
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old
