"""No process of a model outlives the process that opened it, however that one ends.

A model's processes are told to stop by the one that opened them. Killed outright
(``kill``, the out-of-memory killer, a batch system's time limit) it tells nobody, and
they would go on computing for no one.

Conventions
-----------
* A guard, a process with a session of its own, holds the reading end of a pipe. The
  pipe ends with the process that opened the engine, and the guard then ends the
  model's processes: first it asks (``SIGTERM``), then it kills.
* The model's processes are those that are started while the engine is being opened,
  by the process that opens it or by one of them. They cannot be told by their
  environment: a process that gives itself a title writes over it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import psutil

LOOK_SECONDS = 0.2
GRACE_SECONDS = 5.0
"""How long a process that was asked to end may take."""

OPENED = b"o"
CLOSED = b"c"


class Guard:
    """Made before an engine is opened; it knows what is started until ``opened``."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            # Not this file's folder, whose vllm.py is another than the package's.
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        # It has looked at what was there before.
        self._said()

    def opened(self) -> None:
        """Everything is started. Waits until the guard has seen it."""
        assert self._process.stdin is not None
        self._process.stdin.write(OPENED)
        self._process.stdin.flush()
        self._said()

    def close(self) -> None:
        """End the watch: the engine has been shut down by its owner."""
        self._process.communicate(CLOSED)

    def _said(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.read(1):
            raise RuntimeError("the guard of the model's processes did not start")


def watch(parent: psutil.Process, source: int, say: Callable[[], object]) -> None:
    """Note what ``parent`` starts until it says ``OPENED``; end it if it ends without ``CLOSED``.

    ``source`` is the file descriptor it says so through.
    """
    before = set(parent.children(recursive=True))
    started: set[psutil.Process] = set()
    say()

    def look() -> None:
        with suppress(psutil.NoSuchProcess):
            started.update(parent.children(recursive=True))

    while not select.select([source], [], [], LOOK_SECONDS)[0]:
        look()
    order = os.read(source, 1)
    if order == OPENED:
        look()
        say()
        order = os.read(source, 1)
    if order != CLOSED:
        end(started - before)


def end(processes: set[psutil.Process]) -> None:
    """End those that are still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(processes, GRACE_SECONDS)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, GRACE_SECONDS)


def _say() -> None:
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), OPENED)


if __name__ == "__main__":
    watch(psutil.Process(os.getppid()), sys.stdin.fileno(), _say)
