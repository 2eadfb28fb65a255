"""Nothing that an engine started outlives the process that opened it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchgen.dataset import synthesize
from benchgen.plan import make_plan
from evaluators.engines.orphans import Guard

OPENER = """
import json, subprocess, sys, time
from evaluators.engines.orphans import Guard
early = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
guard = Guard()
started = [subprocess.Popen([sys.executable, "-c", script]).pid for script in sys.argv[2:]]
time.sleep(2)
if sys.argv[1] == "opened":
    guard.opened()
late = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(json.dumps([started, [early.pid, late.pid]]), flush=True)
time.sleep(600)
"""
SLEEPER = "import time; time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPER!r}])"


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("when", ["opened", "opening"])
def test_a_killed_opener_leaves_no_process_computing_for_no_one(
    blow: signal.Signals, when: str
) -> None:
    command = [sys.executable, "-c", OPENER, when, SLEEPER, DEAF, PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as opener:
        assert opener.stdout is not None
        started, others = json.loads(opener.stdout.readline())
        of_the_engine = [psutil.Process(pid) for pid in started]
        of_the_engine += [child for one in of_the_engine for child in one.children()]
        assert len(of_the_engine) == 4
        others = [psutil.Process(pid) for pid in others]
        opener.send_signal(blow)
    wait_until(lambda: not any(map(runs, of_the_engine)), 30)
    spared = others if when == "opened" else others[:1]
    assert all(map(runs, spared)), "what others started is none of its business"
    for process in others:
        if runs(process):
            process.kill()


@pytest.mark.parametrize("opened", [True, False])
def test_closing_ends_the_watch_and_nothing_else(opened: bool) -> None:
    guard = Guard()
    with subprocess.Popen([sys.executable, "-c", SLEEPER]) as started:
        if opened:
            guard.opened()
        guard.close()
        assert started.poll() is None
        started.kill()


def test_a_killed_evaluation_leaves_no_engine_and_keeps_what_was_answered(tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    synthesize(make_plan("sheet_music", split="test", count=36), data)
    command = [sys.executable, "-m", "benchgen", "eval", "--data", str(data), "--out", str(run)]
    command += ["--model", "smollm2", "--max-tokens", "64"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as evaluation:
        wait_until(lambda: journalled(run) > 0 or evaluation.poll() is not None, 300)
        assert evaluation.poll() is None, "it was done before it could be killed"
        started = psutil.Process(evaluation.pid).children(recursive=True)
        assert any("EngineCore" in " ".join(process.cmdline()) for process in started)
        evaluation.kill()
    wait_until(lambda: not any(map(runs, started)), 30)
    assert 0 < journalled(run) < 36


def journalled(run: Path) -> int:
    return sum(len(file.read_bytes().splitlines()) for file in run.glob("samples-*.jsonl"))
