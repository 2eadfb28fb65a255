"""``benchgen publish`` on the command line: what it says it does, it does; it tells no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_client import environment
from hub_server import TOKEN, Fault, HubServer, hub_server
from test_model_card import training

from leaderboards.publication import RECORD


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with hub_server(tmp_path / "store") as server:
        yield server


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A training folder with a checkpoint, whose weights differ by folder."""
    checkpoint = training(tmp_path / "rl", 50)
    (checkpoint / "model.safetensors").write_bytes(str(tmp_path).encode() * 1000)
    return tmp_path / "rl"


def command(hub: HubServer, trained: Path, *more: str) -> subprocess.CompletedProcess[str]:
    home = trained.parent / "home"
    home.mkdir(exist_ok=True)
    words = ["publish", "model", str(trained), "--repo", "me/reader", "--out", "card", *more]
    return subprocess.run(
        [sys.executable, "-m", "benchgen", *words], env=environment(hub.address, home, TOKEN, True),
        cwd=home, capture_output=True, text=True, timeout=170,
    )  # fmt: skip


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_dry_run_says_what_then_happens_and_the_same_again_is_nothing(
    hub: HubServer, trained: Path
) -> None:
    hub.add("me/reader", theirs=b"1")
    wanted = told(command(hub, trained, "--dry-run", "--json"))
    assert wanted["url"] is None and hub.repo("me/reader").history() == ["initial commit"]
    assert all(request.startswith("GET ") for request in hub.asked)
    happened = told(command(hub, trained, "--json"))
    repo = hub.repo("me/reader")
    assert happened["plan"] == wanted["plan"] and happened["url"].endswith(repo.refs["main"])
    added = [x["path"] for x in wanted["plan"]["changes"] if x["action"] == "added"]
    assert {*added, "theirs"} == set(repo.holds())
    assert {RECORD, "README.md", "curves.svg", "model.safetensors"} < set(added)
    hub.arm()
    again = command(hub, trained)
    assert again.returncode == 0 and hub.writes() == []
    assert "model me/reader holds all of this already: nothing to change" in again.stdout
    assert repo.history() == ["initial commit", "me/reader after 50 steps"]


def test_the_plan_and_the_upload_are_lines(hub: HubServer, trained: Path) -> None:
    done = command(hub, trained)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "create model me/reader: 6 added"
    weights = (trained / "checkpoint-00000050" / "model.safetensors").stat().st_size
    assert f"added      {weights:>14,}  model.safetensors" in lines
    assert lines[-1].startswith(f"{hub.address}/me/reader/commit/")
    assert "publish me/reader: " in done.stderr and " bytes" in done.stderr


@pytest.mark.parametrize("debug", [False, True])
def test_no_token_is_told_or_written_whatever_the_hub_says(
    hub: HubServer, trained: Path, debug: bool
) -> None:
    hub.echo = True
    more = ["--debug"] if debug else []
    # Looking, making, listing, sending, checking the card; what is not debugged says less.
    faults = ((1, "401"), (2, "403"), (4, "404"), (6, "400"), (7, "403"))
    for at, status in faults if debug else faults[1:2]:
        hub.repos.clear()
        hub.arm(Fault(status, at))
        done = command(hub, trained, *more)
        assert done.returncode == 2, done.stderr
        said = done.stdout + done.stderr
        assert TOKEN not in said and "me/reader" in done.stderr.splitlines()[-1]
        assert ("Traceback" in said) == debug
    written = [path for path in trained.parent.rglob("*") if path.is_file()]
    assert len(written) > 8
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
