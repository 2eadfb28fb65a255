"""Libraries that a process loads before all others: an allocator, and Intel's OpenMP.

On a processor a pass makes tensors of megabytes and frees them at every operation. glibc gives
such memory back to the system, which maps and clears it anew each time; tcmalloc keeps it.

Conventions
-----------
* A library comes first only where it stands in ``LD_PRELOAD`` when a process starts. One that
  began without starts again, as the same process with the same command.
* What the user preloads stands, and no library is loaded in two versions.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

TCMALLOC = ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4")
LIBRARY_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
)
ACCELERATORS = ("/dev/nvidiactl", "/dev/kfd")
"""Where there is one, tensors lie in its memory."""


def find_preloads() -> list[str]:
    """The allocator and the OpenMP library that torch is fastest with on a processor, if there."""
    found = []
    tcmalloc = [Path(folder) / name for folder in LIBRARY_FOLDERS for name in TCMALLOC]
    for candidates in (tcmalloc, [Path(sys.prefix) / "lib" / "libiomp5.so"]):
        found += [str(path) for path in candidates if path.is_file()][:1]
    return found


def preload_path(preloads: Sequence[str], preloaded: str) -> str:
    """``LD_PRELOAD`` with ``preloads`` before what is ``preloaded`` already."""
    already = [path for path in preloaded.split(":") if path]
    names = {Path(path).name.partition(".")[0] for path in already}
    wanted = [path for path in preloads if Path(path).name.partition(".")[0] not in names]
    return ":".join([*wanted, *already])


def start_with_preloads() -> None:
    """Start this process again where it lacks a library; return where it lacks none.

    Nothing happens where there is a GPU, or a system other than Linux.
    """
    preloaded = os.environ.get("LD_PRELOAD", "")
    wanted = preload_path(find_preloads(), preloaded)
    served = sys.platform == "linux" and not any(Path(name).exists() for name in ACCELERATORS)
    if served and wanted != preloaded:
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "LD_PRELOAD": wanted})
