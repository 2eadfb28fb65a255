from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from operator import truediv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchgen.errors import InputError
from benchgen.executors import (
    AHEAD,
    STARTS,
    ExecutorError,
    LocalExecutor,
    RayExecutor,
    Share,
    choose_executor,
    parse_share,
)


@pytest.fixture(autouse=True)
def _importable_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))


def square(shard: int) -> int:
    return shard * shard


def worker_of(shard: int) -> int:
    time.sleep(0.02)
    return os.getpid()


def refuse_three(shard: int) -> int:
    if shard == 3:
        raise InputError("three is refused")
    return shard


def die_at_three(shard: int) -> int:
    if shard == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return shard


@pytest.mark.parametrize(
    ("workers", "start"), [(1, "spawn"), (2, "spawn"), (2, "fork"), (5, "fork")]
)
def test_every_shard_comes_back_once(workers: int, start: str) -> None:
    results = LocalExecutor(workers, start).map(square, range(23))
    assert sorted(results) == [n * n for n in range(23)]


def test_workers_are_kept_not_started_anew_for_every_shard() -> None:
    workers = set(LocalExecutor(2).map(worker_of, range(30)))
    assert 1 <= len(workers) <= 2
    assert os.getpid() not in workers


def test_one_worker_is_this_process() -> None:
    assert set(LocalExecutor(1).map(worker_of, range(3))) == {os.getpid()}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_arrives_as_it_is(workers: int) -> None:
    with pytest.raises(InputError, match="three is refused"):
        list(LocalExecutor(workers).map(refuse_three, range(40)))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_worker_that_dies_is_told_and_does_not_hang(start: str) -> None:
    with pytest.raises(ExecutorError, match="worker process died"):
        list(LocalExecutor(2, start).map(die_at_three, range(40)))


def test_a_process_with_threads_is_not_forked() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert choose_executor("local", 3) == LocalExecutor(3, "spawn")
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_shards_are_not_all_drawn_at_once(workers: int) -> None:
    drawn = 0

    def shards() -> object:
        nonlocal drawn
        for shard in range(10**9):
            drawn += 1
            yield shard

    results = LocalExecutor(workers).map(square, shards())  # type: ignore[arg-type]
    for _ in range(10):
        next(results)
    assert drawn <= 10 + AHEAD * workers
    if workers > 1:
        results.close()  # type: ignore[attr-defined]


ORPHAN = """
import os, sys, time
from benchgen.executors import LocalExecutor
from test_executors import slow
if __name__ == "__main__":
    for pid in LocalExecutor(2, sys.argv[1]).map(slow, range(1000)):
        print(pid, flush=True)
"""


def slow(shard: int) -> int:
    time.sleep(0.2)
    return os.getpid()


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_end_when_the_parent_is_killed(tmp_path: Path, start: str) -> None:
    script = tmp_path / "parent.py"
    script.write_text(ORPHAN)
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")]), *sys.path])
    parent = subprocess.Popen(
        [sys.executable, str(script), start],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert parent.stdout is not None
    workers = {int(parent.stdout.readline()) for _ in range(4)}
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@given(st.integers(1, 40), st.integers(0, 300))
def test_the_shares_of_all_jobs_are_the_whole_and_do_not_overlap(jobs: int, count: int) -> None:
    mine = [list(parse_share(f"{job}/{jobs}").shards(count)) for job in range(1, jobs + 1)]
    assert sorted(shard for shards in mine for shard in shards) == list(range(count))
    assert max(map(len, mine)) - min(map(len, mine)) <= 1


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "-1/4", "a/b", "1/4/2", "1.0/4"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="1/n to n/n"):
        parse_share(text)


def test_the_first_of_one_is_everything() -> None:
    assert parse_share("1/1") == Share()


def test_executors_are_chosen_by_name() -> None:
    chosen = choose_executor("local", 3)
    assert isinstance(chosen, LocalExecutor) and chosen.workers == 3
    assert choose_executor("ray", 2, "auto") == RayExecutor(2, "auto")
    with pytest.raises(InputError, match="unknown executor"):
        choose_executor("slurm", 1)
    with pytest.raises(InputError, match="address"):
        choose_executor("local", 1, "auto")


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="pip install"):
        list(RayExecutor().map(square, range(2)))


@pytest.mark.ray
def test_ray_without_a_cluster_at_the_address_is_one_line() -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="no Ray cluster") as caught:
        list(RayExecutor(1, "127.0.0.1:1").map(square, range(2)))
    assert "\n" not in str(caught.value)


@pytest.mark.ray
def test_ray_refuses_a_task_that_would_wait_for_ever() -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="has 1 CPUs and a task takes 64"):
        list(RayExecutor(1, cpus_per_task=64).map(abs, range(2)))


@pytest.mark.ray
@pytest.mark.slow
def test_ray_gives_every_result_and_errors_as_they_are() -> None:
    ray = pytest.importorskip("ray")
    results = []
    with pytest.raises(ZeroDivisionError):
        for result in RayExecutor(1).map(partial(truediv, 6), [1, 2, 3, 6, 0]):
            results.append(result)
    assert sorted(results) == [1, 2, 3, 6]
    assert not ray.is_initialized()


@pytest.mark.ray
def test_ray_is_started_again_where_a_busy_machine_was_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray = pytest.importorskip("ray")
    starts = 0

    def late(**_: object) -> None:
        nonlocal starts
        starts += 1
        raise Exception("The current node timed out\nat great length")

    monkeypatch.setattr(ray, "init", late)
    with pytest.raises(ExecutorError, match="^Ray did not start: The current node timed out$"):
        list(RayExecutor(1).map(abs, range(2)))
    assert starts == STARTS
