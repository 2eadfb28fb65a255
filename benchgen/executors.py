"""Where the shards are made: one method, ``map(function, shard_ids)``.

Conventions
-----------
* ``function`` is pickled to where it runs and takes a shard's number; what it
  returns comes back as each finishes, in no order. It may be run twice for the same
  number (a worker died, a run was killed), so it must be able to.
* An exception of ``function`` ends the map and reaches the caller as it is; shards
  under way are finished first, none are begun.
* A few shards a worker are handed out at a time, so that a million of them cost no
  memory.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar

from benchgen.errors import InputError

T = TypeVar("T")

AHEAD = 2
"""Shards handed out for each worker: one in work and one waiting."""

STARTS = 3
"""How often a local Ray is tried to be started."""


class ExecutorError(RuntimeError):
    """The machinery failed, not the function: a worker process died."""


class Executor(Protocol):
    """Runs a function over shard numbers."""

    def map(self, function: Callable[[int], T], shards: Iterable[int]) -> Iterator[T]:
        """The results, as they finish."""
        ...


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """Processes on this machine; with one worker, this process.

    ``start`` is how processes begin: "spawn" is safe anywhere; "fork" inherits the
    tables that planning has built, which take longer to build than many a dataset to
    write, but also the locks of any thread: only for a process that runs none (those of
    OpenMP, say, hang).
    """

    workers: int = 1
    start: str = "spawn"

    def map(self, function: Callable[[int], T], shards: Iterable[int]) -> Iterator[T]:
        """The results, as they finish.

        Raises
        ------
        ExecutorError
            A worker process died (the system was out of memory, say).
        """
        if self.workers == 1:
            return map(function, shards)
        return self._map_in_processes(function, shards)

    def _map_in_processes(self, function: Callable[[int], T], shards: Iterable[int]) -> Iterator[T]:
        import multiprocessing
        from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
        from concurrent.futures.process import BrokenProcessPool

        pool = ProcessPoolExecutor(
            self.workers,
            mp_context=multiprocessing.get_context(self.start),
            initializer=_end_with_parent,
        )
        waiting = iter(shards)
        running: set[Future[T]] = set()
        try:
            while True:
                with _interrupts_held():
                    for shard in islice(waiting, AHEAD * self.workers - len(running)):
                        running.add(pool.submit(function, shard))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise ExecutorError(
                "a worker process died (killed, or out of memory); what is written is whole: "
                "run the same command again to go on"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class RayExecutor:
    """Plain Ray tasks, on a cluster (``address``) or one started here for the purpose.

    ``workers`` is how many CPUs a local cluster has, and how many tasks run at a time.
    Where the cluster is another machine, both see the output folder and have the package.
    """

    workers: int = 1
    address: str | None = None
    cpus_per_task: float = 1.0

    def map(self, function: Callable[[int], T], shards: Iterable[int]) -> Iterator[T]:
        """The results, as they finish.

        Raises
        ------
        InputError
            Ray is not installed, the address cannot be reached, or the cluster has
            fewer CPUs than one task takes.
        ExecutorError
            A worker died more often than Ray tries again.
        """
        ray = _import_ray()
        if self.address is None:
            _refuse_endless_wait(self.workers, self.cpus_per_task)
        self._connect(ray)
        try:
            _refuse_endless_wait(ray.cluster_resources().get("CPU", 0.0), self.cpus_per_task)
            yield from self._results(ray, function, shards)
        finally:
            ray.shutdown()

    def _connect(self, ray: Any) -> None:
        quiet = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
        if self.address is not None:
            _refuse_silence(self.address)
            try:
                ray.init(address=self.address, **quiet)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise InputError(f"no Ray cluster at {self.address!r}: {_line(error)}") from error
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        for attempt in range(1, STARTS + 1):
            try:
                ray.init(address="local", num_cpus=self.workers, include_dashboard=False, **quiet)
                return
            except Exception as error:
                # Ray gives its own processes 30 seconds, which a busy machine may not keep,
                # and says so by a plain ``Exception``.
                ray.shutdown()
                if attempt == STARTS:
                    raise ExecutorError(f"Ray did not start: {_line(error)}") from error

    def _results(
        self, ray: Any, function: Callable[[int], T], shards: Iterable[int]
    ) -> Iterator[T]:
        task = ray.remote(num_cpus=self.cpus_per_task)(_call)
        shared = ray.put(function)
        waiting = iter(shards)
        running: list[Any] = []
        while True:
            for shard in islice(waiting, AHEAD * self.workers - len(running)):
                running.append(task.remote(shared, shard))
            if not running:
                return
            done, running = ray.wait(running, num_returns=1)
            try:
                yield from ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except ray.exceptions.RayError as error:
                raise ExecutorError(f"Ray lost a task: {_line(error)}") from error


def choose_executor(name: str, workers: int, address: str | None = None) -> Executor:
    """The executor called ``local`` or ``ray``, for a process that only synthesizes.

    Raises
    ------
    InputError
        There is none of that name, or an address is given to one that takes none.
    """
    if name == "ray":
        return RayExecutor(workers, address)
    if name != "local":
        raise InputError(f"unknown executor {name!r}; there are: local, ray")
    if address is not None:
        raise InputError("an address goes with the executor ray")
    alone = threading.active_count() == 1
    return LocalExecutor(workers, "fork" if alone and sys.platform == "linux" else "spawn")


@dataclass(frozen=True, slots=True)
class Share:
    """Job ``job`` of ``jobs`` (both from 1): every ``jobs``-th shard."""

    job: int = 1
    jobs: int = 1

    def shards(self, count: int) -> range:
        """The numbers, below ``count``, of this job's shards."""
        return range(self.job - 1, count, self.jobs)


EVERYTHING = Share()


def parse_share(text: str) -> Share:
    """``"2/5"`` is the second of five jobs.

    Raises
    ------
    InputError
        It is not of that form, or not among 1/n to n/n.
    """
    job, slash, jobs = text.partition("/")
    if not (slash and job.isdecimal() and jobs.isdecimal() and 1 <= int(job) <= int(jobs)):
        raise InputError(f"a shard of jobs is 1/n to n/n, not {text!r}")
    return Share(int(job), int(jobs))


def _call(function: Callable[[int], T], shard: int) -> T:
    return function(shard)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise InputError('Ray is not installed: pip install "benchgen[ray]"') from error
    return ray


def _refuse_endless_wait(cpus: float, needed: float) -> None:
    if cpus < needed:
        raise InputError(f"the Ray cluster has {cpus:g} CPUs and a task takes {needed:g}")


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _refuse_silence(address: str) -> None:
    # Ray itself goes on trying for many minutes where nothing listens.
    import socket

    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster at {address!r}: {error}") from error


def _end_with_parent() -> None:
    """In a worker: end at once when the parent dies, so that no orphan goes on writing."""
    import multiprocessing
    from multiprocessing import connection

    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while workers are started: they inherit the mask and never see it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
