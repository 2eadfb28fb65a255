"""A process that computes loads its allocator first, as itself, and only where that helps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchgen import cli, preload
from benchgen.preload import find_preloads, preload_path, start_with_preloads

MALLOC, OPENMP = "/lib/libtcmalloc_minimal.so.4", "/venv/lib/libiomp5.so"
TOLD = """
import json, os, sys
from pathlib import Path
from benchgen.preload import start_with_preloads
before = os.environ.get("LD_PRELOAD")
start_with_preloads()
print(json.dumps([os.getpid(), sys.argv[1:], before, Path("/proc/self/maps").read_text()]))
"""


def test_preloads_are_added_before_the_users_own_and_never_twice() -> None:
    mine = "/mine/libtcmalloc_minimal.so.4.5:/a.so"
    assert preload_path([MALLOC, OPENMP], mine) == f"{OPENMP}:{mine}"
    assert preload_path([], "") == ""


@pytest.mark.skipif(
    not find_preloads() or any(Path(name).exists() for name in preload.ACCELERATORS),
    reason="no library to preload, or a GPU",
)
def test_a_process_starts_again_as_itself_once_with_its_arguments() -> None:
    environment = {n: v for n, v in os.environ.items() if n != "LD_PRELOAD"}
    command = [sys.executable, "-c", TOLD, "--out", "a b", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate(timeout=60)
    number, arguments, preloaded, loaded = json.loads(said)
    assert process.returncode == 0
    assert (number, arguments) == (process.pid, ["--out", "a b", "--json"])
    assert preloaded == ":".join(find_preloads())
    assert all(Path(name).name in loaded for name in find_preloads())


def test_only_training_without_a_gpu_starts_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(preload, "find_preloads", lambda: [MALLOC])
    monkeypatch.setattr(os, "execve", lambda *given: begun.append(given))
    monkeypatch.setattr(preload, "ACCELERATORS", ())
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    monkeypatch.setattr(cli, "run", lambda words: 0)
    for words, times in (
        (["eval", "--out", "train"], 0),
        ([], 0),
        (["--debug", "study"], 1),
        (["train", "--help"], 1),
    ):
        begun.clear()
        monkeypatch.setattr(sys, "argv", ["benchgen", *words])
        with pytest.raises(SystemExit):
            cli.main()
        assert len(begun) == times, words
    path, command, environment = begun[0]
    assert (path, command[0], command[1:]) == (sys.executable, sys.executable, sys.orig_argv[1:])
    assert environment == {**os.environ, "LD_PRELOAD": MALLOC}
    begun.clear()
    for changes in (
        lambda: monkeypatch.setenv("LD_PRELOAD", MALLOC),
        lambda: (monkeypatch.delenv("LD_PRELOAD"), monkeypatch.setattr(sys, "platform", "darwin")),
        lambda: (
            monkeypatch.setattr(sys, "platform", "linux"),
            monkeypatch.setattr(preload, "ACCELERATORS", (str(tmp_path),)),
        ),
    ):
        changes()
        start_with_preloads()
    assert begun == []
