"""Publishing while the Hub fails, loses answers, gets other commits, or the publisher is killed.

Each fault hits each request of a publication in turn, from the first look at the repository to
the commit; with large files sent to Xet and to LFS, into a new repository and into one that holds
an earlier publication and somebody else's file. Whatever happens, the repository is old or new.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hub_client import Client, environment, publishing
from hub_server import TOKEN, Fault, HubServer, Repo, hub_server

from leaderboards.publication import RECORD

pytestmark = pytest.mark.slow

MESSAGE = "the second"
SOMEBODYS = b"somebody's notes"


@dataclass
class Stage:
    """A Hub, a publisher, and the files of a publication and of the one before it."""

    hub: HubServer
    client: Client
    folder: Path
    first: dict[str, Path] = field(default_factory=dict)
    cases: int = 0

    def file(self, name: str, data: bytes) -> Path:
        path = self.folder / f"{self.cases:04d}-{name}"
        path.write_bytes(data)
        return path


@pytest.fixture(scope="module", params=["xet", "lfs"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp(request.param)
    with hub_server(folder / "store") as hub:
        settings = environment(hub.address, folder, TOKEN, xet=request.param == "xet")
        with publishing(settings) as client:
            stage = Stage(hub, client, folder)
            stage.first = {
                "README.md": stage.file("r", b"# The first\n"),
                "model.safetensors": stage.file("m", noise(0)),
                "kept/same.safetensors": stage.file("s", noise(1)),
                "old.json": stage.file("o", b"{}"),
            }
            hub.add("me/first", **{"notes.txt": SOMEBODYS})
            done = client.run(repo="me/first", files=names(stage.first), message="the first")
            assert done["told"]["url"], done
            yield stage


def noise(seed: int) -> bytes:
    """Bytes that no earlier file shares, so that they have to be sent."""
    return random.Random(seed).randbytes(100_000)


def names(files: dict[str, Path]) -> dict[str, str]:
    return {path: str(source) for path, source in files.items()}


@dataclass
class Case:
    """One publication: the repository's name, what it held, and what it is to hold."""

    repo: str
    files: dict[str, Path]
    old: dict[str, str]
    new: dict[str, str]


def case(stage: Stage, before: str) -> Case:
    """A publication of its own into a repository of its own."""
    stage.cases += 1
    repo, hub = f"me/case-{stage.cases}", stage.hub
    files = {
        "README.md": stage.file("r", b"---\nlicense: mit\n---\n# The second\n"),
        "model.safetensors": stage.file("m", noise(1000 + stage.cases)),
        "kept/same.safetensors": stage.first["kept/same.safetensors"],
        "new.json": stage.file("n", b'{"new": true}'),
    }
    new = {path: hashlib.sha256(f.read_bytes()).hexdigest() for path, f in files.items()}
    old: dict[str, str] = {}
    if before == "earlier":
        first = hub.repo("me/first")
        hub.repos["model", repo] = Repo("model", repo, dict(first.commits), dict(first.refs))
        old = first.holds()
        new["notes.txt"] = hashlib.sha256(SOMEBODYS).hexdigest()
    record = {"parts": {"main": sorted(files)}}
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    new[RECORD] = hashlib.sha256(text.encode()).hexdigest()
    return Case(repo, files, old, new)


def held(stage: Stage, case: Case) -> dict[str, str]:
    """What the repository holds, without what was committed in between."""
    repo = stage.hub.repos.get(("model", case.repo))
    found = {} if repo is None else repo.holds()
    return {path: digest for path, digest in found.items() if not path.startswith("theirs-")}


def proposals(stage: Stage, case: Case) -> list[str]:
    """The open pull requests."""
    return [ref for ref in stage.hub.repo(case.repo).refs if ref.startswith("refs/pr/")]


def check_done(stage: Stage, case: Case, answer: dict[str, Any]) -> None:
    """One commit was made, of what was told, and nothing of others' was lost."""
    told = answer["told"]
    assert answer["exit"] == 0 and "error" not in told, answer
    assert held(stage, case) == case.new
    repo = stage.hub.repo(case.repo)
    (mine,) = [commit for commit in repo.commits.values() if commit.title == MESSAGE]
    assert mine.parent is not None
    before, after = repo.commits[mine.parent].files, mine.files
    happened = {path: "added" for path in after.keys() - before.keys()}
    happened |= {path: "deleted" for path in before.keys() - after.keys()}
    happened |= {p: "changed" for p in before.keys() & after.keys() if before[p] != after[p]}
    said = {x["path"]: x["action"] for x in told["done"]["changes"] if x["action"] != "unchanged"}
    assert said == happened
    theirs = [title for title in repo.history() if "theirs-" in title]
    assert len(theirs) == sum(path.startswith("theirs-") for path in repo.holds())


def requests(stage: Stage, before: str) -> int:
    """How many requests a publication is that nothing befalls."""
    one = case(stage, before)
    stage.hub.arm()
    check_done(stage, one, stage.client.run(repo=one.repo, files=names(one.files), message=MESSAGE))
    return len(stage.hub.asked)


@pytest.mark.parametrize("before", ["nothing", "earlier"])
@pytest.mark.parametrize("kind", ["500", "429", "drop", "lost", "race"])
def test_a_fault_at_any_request_neither_tears_nor_doubles_a_commit(
    stage: Stage, before: str, kind: str
) -> None:
    for at in range(1, requests(stage, before) + 1):
        one = case(stage, before)
        stage.hub.arm(Fault(kind, at))
        answer = stage.client.run(repo=one.repo, files=names(one.files), message=MESSAGE)
        assert len(stage.hub.asked) >= at, "the fault hit nothing"
        check_done(stage, one, answer)


@pytest.mark.parametrize("before", ["nothing", "earlier"])
@pytest.mark.parametrize("kind", ["kill", "killed"])
def test_killed_at_any_request_it_leaves_old_or_new_and_a_second_run_completes_it(
    stage: Stage, before: str, kind: str
) -> None:
    found = set()
    for at in range(1, requests(stage, before) + 1):
        one = case(stage, before)
        wanted = {"repo": one.repo, "files": names(one.files), "message": MESSAGE}
        stage.hub.victim = stage.client.begin(**wanted)
        stage.hub.arm(Fault(kind, at))
        assert stage.client.end()["exit"] == -9
        there = held(stage, one)
        assert there in (one.old, one.new), f"torn at request {at}: {stage.hub.asked}"
        found.add(there == one.new)
        stage.hub.arm()
        again = stage.client.run(**wanted)
        if there == one.new:
            assert again["told"]["nothing"] and not stage.hub.writes()
        else:
            check_done(stage, one, again)
        assert held(stage, one) == one.new
    assert found == ({False, True} if kind == "killed" else {False})


@pytest.mark.parametrize("kind", ["500", "drop", "lost", "kill", "killed"])
def test_a_fault_at_any_request_doubles_no_pull_request(stage: Stage, kind: str) -> None:
    one = case(stage, "earlier")
    stage.hub.arm()
    stage.client.run(repo=one.repo, files=names(one.files), message=MESSAGE, create_pr=True)
    assert proposals(stage, one) == ["refs/pr/1"]
    for at in range(1, len(stage.hub.asked) + 1):
        one = case(stage, "earlier")
        wanted = {"repo": one.repo, "files": names(one.files), "message": MESSAGE}
        stage.hub.victim = stage.client.begin(**wanted, create_pr=True)
        stage.hub.arm(Fault(kind, at))
        answer = stage.client.end()
        if kind.startswith("kill"):
            assert answer["exit"] == -9 and len(proposals(stage, one)) <= 1
            stage.hub.arm()
            answer = stage.client.run(**wanted, create_pr=True)
        assert answer["told"]["url"].endswith(f"{one.repo}/discussions/1"), answer
        assert proposals(stage, one) == ["refs/pr/1"] and held(stage, one) == one.old
        assert stage.hub.repo(one.repo).holds("refs/pr/1") == one.new


@pytest.mark.parametrize("before", ["nothing", "earlier"])
@pytest.mark.parametrize("status", ["400", "401", "403", "404"])
def test_a_refusal_is_one_line_at_once_and_tells_no_token(
    stage: Stage, before: str, status: str
) -> None:
    stage.hub.echo = True
    for at in range(1, requests(stage, before) + 1):
        one = case(stage, before)
        stage.hub.arm(Fault(status, at))
        answer = stage.client.run(repo=one.repo, files=names(one.files), message=MESSAGE)
        told = answer["told"]
        assert told["error"] in ("InputError", "Absent"), told
        assert one.repo in told["words"] and "\n" not in told["words"] and len(told["words"]) < 450
        assert TOKEN not in json.dumps(answer) and held(stage, one) == one.old
        assert len(stage.hub.asked) == at, "what is refused is not asked again"
    stage.hub.echo = False


@pytest.mark.parametrize("kind", ["500", "429", "drop"])
def test_a_hub_that_stays_down_is_given_up_in_one_line(stage: Stage, kind: str) -> None:
    for at in range(1, requests(stage, "nothing") + 1):
        one = case(stage, "nothing")
        stage.hub.arm(Fault(kind, at, times=1000))
        told = stage.client.run(repo=one.repo, files=names(one.files), message=MESSAGE)["told"]
        assert told["error"] == "NoAnswer" and "the Hub" in told["words"], told
        assert "\n" not in told["words"] and held(stage, one) == one.old
        assert len(stage.hub.asked) <= at + 60


def test_a_repository_that_never_rests_is_given_up_with_their_commits_whole(stage: Stage) -> None:
    one = case(stage, "earlier")
    stage.hub.arm(Fault("race", 1, times=1000))
    told = stage.client.run(repo=one.repo, files=names(one.files), message=MESSAGE)["told"]
    assert told["error"] == "NoAnswer" and "another head" in told["words"]
    theirs = hashlib.sha256(b"somebody's").hexdigest()
    assert held(stage, one) == one.old | {"new.json": theirs}
