"""Publishing to a Hub on this machine, through the real client: what is said is what happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import LARGE, TOKEN, Fault, HubServer, hub_server, regular
from huggingface_hub import constants

from benchgen.errors import InputError
from leaderboards import hub_calls
from leaderboards.hub import Published, _commit, check_repos, plan, publish
from leaderboards.publication import RECORD, Publication

CARD = b"---\nlicense: mit\n---\n# A name\n"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub that this process's client takes for the one there is, with large files in LFS."""
    with hub_server(tmp_path / "store") as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield server


def publication(folder: Path, kind: str = "model", **files: bytes) -> Publication:
    listed = []
    for name, data in files.items():
        source = folder / f"source-{name}"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(data)
        listed.append((name, source))
    return Publication("me/x", kind, tuple(listed), "a message")


def put(what: Publication, **options: Any) -> Published:
    return publish(plan(what, **options))


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_a_repository_is_made_filled_by_one_commit_and_left_alone_after(
    tmp_path: Path, hub: HubServer, kind: str
) -> None:
    files = {"README.md": CARD, "data.parquet": b"PAR1", "empty": b"", "a.json": b"{}"}
    what = publication(tmp_path, kind, **files)
    done = put(what)
    repo = hub.repo("me/x", kind)
    assert repo.history() == ["initial commit", "a message"]
    assert repo.holds().keys() == files.keys() | {RECORD}
    assert done.plan.creates and done.plan.paths("added") == sorted(repo.holds())
    prefix = "" if kind == "model" else f"{kind}s/"
    assert done.url == f"{hub.address}/{prefix}me/x/commit/{repo.refs['main']}"
    large = repo.commits[repo.refs["main"]].files["data.parquet"]
    assert large.data is None and hub.lfs[large.sha256] == b"PAR1"
    hub.arm()
    again = put(what)
    assert again.plan.nothing and again.url == done.url
    assert hub.writes() == [] and all(request.startswith("GET ") for request in hub.asked)
    assert repo.history() == ["initial commit", "a message"]


def test_a_dry_run_writes_nothing_and_tells_what_then_happens(
    tmp_path: Path, hub: HubServer
) -> None:
    put(publication(tmp_path, one=b"1", two=b"2", three=b"3"))
    hub.somebody_commits(hub.repo("me/x"), "theirs", "two")
    held = hub.repo("me/x").holds()
    hub.arm()
    what = publication(tmp_path, two=b"2", three=b"3", four=b"4", README=b"")
    planned = plan(what)
    assert [request for request in hub.asked if not request.startswith("GET ")] == []
    assert hub.repo("me/x").holds() == held
    assert {c.path: c.action for c in planned.changes} == {
        RECORD: "changed", "README": "added", "four": "added", "one": "deleted",
        "three": "unchanged", "two": "changed",
    }  # fmt: skip
    assert publish(planned).plan == planned
    assert hub.repo("me/x").holds().keys() == {"README", "four", "three", "two", "theirs", RECORD}


def test_what_is_small_is_announced_together_and_what_is_large_alone(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboards.hub.TOGETHER", 1000)
    files = {f"{name}.bin": name.encode() * 100 for name in "abcdef"}
    heard: list[tuple[int, int, str]] = []
    what = publication(tmp_path, **files, **{"g.bin": b"g" * 5000, "h": b"h"})
    publish(plan(what), lambda done, total, detail="": heard.append((done, total, detail)))
    assert sum("/preupload/" in request for request in hub.asked) == 3
    assert [done for done, _, _ in heard] == sorted(done for done, _, _ in heard)
    assert heard[-1][0] == heard[-1][1] > 5600 and "g.bin" in [detail for _, _, detail in heard]
    assert sum("/commit/" in request for request in hub.asked) == 1


def test_a_long_listing_is_read_to_its_end(tmp_path: Path, hub: HubServer) -> None:
    hub.page = 3
    what = publication(tmp_path, **{f"{number:02d}.json": b"{}" for number in range(10)})
    put(what)
    hub.arm()
    assert put(what).plan.nothing
    assert sum("/tree/" in request for request in hub.asked) == 5


def test_a_file_that_changes_after_the_plan_is_not_published(
    tmp_path: Path, hub: HubServer
) -> None:
    what = publication(tmp_path, **{"a.bin": b"old", "b": b"same"})
    put(what)
    held = hub.repo("me/x").holds()
    what = publication(tmp_path, **{"a.bin": b"new", "b": b"other"})
    for path, source in what.files:
        planned = plan(what)
        whole = source.read_bytes()
        source.write_bytes(b"newer")
        with pytest.raises(InputError, match=f"{path} has changed since"):
            publish(planned)
        source.unlink()
        with pytest.raises(InputError, match="gone since"):
            publish(planned)
        source.write_bytes(whole)
    assert hub.repo("me/x").holds() == held


def test_a_small_file_that_changes_as_the_commit_is_sent_goes_as_it_was_planned(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = publication(tmp_path, **{"README.md": CARD, "b": b"planned"})
    planned = plan(what)

    def commit(*sent: Any) -> Any:
        for _, source in what.files:
            source.write_bytes(b"changed")
        return _commit(*sent)

    monkeypatch.setattr("leaderboards.hub._commit", commit)
    publish(planned)
    held = hub.repo("me/x").holds()
    assert {path: held[path] for path, _ in what.files} == {
        path: planned.digests[path].sha256 for path, _ in what.files
    }


@pytest.mark.parametrize("folder", ["~", "link/.."])
def test_a_folder_with_a_name_that_clients_expand_is_published(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "other" / "inside").mkdir(parents=True)
    (tmp_path / "~").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other" / "inside")
    monkeypatch.chdir(tmp_path)
    Path(folder, "a.json").write_bytes(b"{}")
    put(Publication("me/x", "model", (("a.json", Path(folder, "a.json")),), "a message"))
    assert "a.json" in hub.repo("me/x").holds()


def test_a_file_that_the_repository_ignores_is_told_and_nothing_is_published(
    tmp_path: Path, hub: HubServer
) -> None:
    hub.add("me/x", **{".gitignore": b"secret.bin\n"})
    with pytest.raises(InputError, match=r"the \.gitignore of me/x leaves out secret\.bin"):
        put(publication(tmp_path, **{"secret.bin": b"1", "a": b"1"}))
    assert hub.repo("me/x").holds().keys() == {".gitignore"}


def test_a_damaged_record_is_told_and_nothing_is_published(tmp_path: Path, hub: HubServer) -> None:
    hub.add("me/x", **{RECORD: b'{"parts": "all"}', "theirs": b"1"})
    with pytest.raises(InputError, match="put it right there, or delete it"):
        plan(publication(tmp_path, a=b"1"))
    assert hub.writes() == []


def test_bad_metadata_is_a_line_and_leaves_the_repository_as_it_was(
    tmp_path: Path, hub: HubServer
) -> None:
    hub.add("me/x", theirs=b"1")
    bad = publication(tmp_path, **{"README.md": b"---\nlicense: [unclosed\n---\n"})
    with pytest.raises(InputError, match=r"refuses me/x: Invalid metadata in README\.md") as told:
        put(bad)
    assert "\n" not in str(told.value)
    assert hub.repo("me/x").holds().keys() == {"theirs"}


def test_a_pull_request_changes_no_branch_and_is_made_once(tmp_path: Path, hub: HubServer) -> None:
    put(publication(tmp_path, a=b"1", b=b"1"))
    repo = hub.repo("me/x")
    held = repo.holds()
    what = publication(tmp_path, **{"a": b"2", "c.bin": b"3"})
    done = put(what, create_pr=True)
    assert done.url == f"{hub.address}/me/x/discussions/1" and repo.holds() == held
    assert repo.holds("refs/pr/1").keys() == {"a", "c.bin", RECORD}
    hub.arm()
    again = put(what, create_pr=True)
    assert again.plan.nothing and again.url == done.url and hub.writes() == []
    assert "an open pull request holds all of this" in again.plan.lines()[0]
    # One that was closed is no reason not to ask again, nor is another's of the same name.
    repo.closed.add(1)
    assert put(what, create_pr=True).url.endswith("/2")
    assert put(publication(tmp_path, a=b"3"), create_pr=True).url.endswith("/3")


def test_a_proposal_of_somebody_elses_stops_nobody(tmp_path: Path, hub: HubServer) -> None:
    put(publication(tmp_path, a=b"1"))
    repo = hub.repo("me/x")
    files = {**repo.commits[repo.refs["main"]].files, RECORD: regular(b"[damaged")}
    repo.commit("refs/pr/1", files, "a message", repo.refs["main"])
    assert put(publication(tmp_path, a=b"2"), create_pr=True).url.endswith("/2")


def test_a_pull_request_makes_no_repository(tmp_path: Path, hub: HubServer) -> None:
    with pytest.raises(InputError, match="there is no me/x on the Hub"):
        plan(publication(tmp_path, a=b"1"), create_pr=True)
    assert hub.repos == {} and hub.writes() == []


def test_somebody_who_makes_the_repository_in_between_keeps_their_files(
    tmp_path: Path, hub: HubServer
) -> None:
    planned = plan(publication(tmp_path, a=b"1", b=b"2"))
    assert planned.creates
    hub.add("me/x", a=b"theirs", c=b"theirs")
    done = publish(planned)
    assert not done.plan.creates
    assert done.plan.paths("changed") == ["a"] and done.plan.paths("added") == [RECORD, "b"]
    assert hub.repo("me/x").holds().keys() == {"a", "b", "c", RECORD}


@pytest.mark.parametrize("kind", ["model", "space"])
def test_a_card_that_somebody_else_wrote_is_not_called_new(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    # Making the repository was not answered and not done; somebody else makes it meanwhile.
    monkeypatch.setattr(
        "leaderboards.hub.pause", lambda *_: hub.add("me/x", kind, **{"README.md": b"theirs"})
    )
    planned = plan(publication(tmp_path, kind, **{"README.md": CARD, "a": b"1"}))
    hub.arm(Fault("500", 1))
    done = publish(planned)
    assert done.plan.paths("changed") == ["README.md"]
    assert "initial commit" in hub.repo("me/x", kind).history()


def test_a_repository_that_is_deleted_in_between_is_told(tmp_path: Path, hub: HubServer) -> None:
    put(publication(tmp_path, a=b"1"))
    planned = plan(publication(tmp_path, a=b"2"))
    del hub.repos["model", "me/x"]
    with pytest.raises(InputError, match="there is no me/x"):
        publish(planned)
    assert hub.repos == {}


@pytest.mark.parametrize("token", [None, "hf_notthetokenthatisknown"])
def test_who_is_not_logged_in_is_told_to(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    hub.echo = True
    if token is None:
        monkeypatch.delenv("HF_TOKEN")
    else:
        monkeypatch.setenv("HF_TOKEN", token)
    hub.add("me/y")
    what = publication(tmp_path, a=b"1")
    open_one = Publication("me/y", "model", what.files, "a message")
    for wanted, act in ((what, plan), (open_one, put)):
        with pytest.raises(InputError, match=r"log in with `hf auth login`") as told:
            act(wanted)
        assert str(token) not in str(told.value) and told.value.__suppress_context__
    assert ("model", "me/x") not in hub.repos and hub.repo("me/y").holds() == {}


def test_a_place_that_is_not_ours_is_told(tmp_path: Path, hub: HubServer) -> None:
    what = publication(tmp_path, a=b"1")
    with pytest.raises(InputError, match="may not write there.*don't have the rights"):
        put(Publication("others/x", "model", what.files, "a message"))
    assert hub.repos == {}


def test_a_wait_that_the_hub_asks_for_is_waited(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(hub_calls, "WAITS", (0.0, 0.0))
    monkeypatch.setattr(hub_calls.time, "sleep", waited.append)
    hub.arm(Fault("429", 1))
    plan(publication(tmp_path, a=b"1"))
    assert waited == [1.0]
    waited.clear()
    hub.arm(Fault("500", 1, times=9))
    with pytest.raises(ConnectionError, match="the Hub cannot now"):
        plan(publication(tmp_path, a=b"1"))
    assert waited == [0.0, 0.0] and len(hub.asked) == 3


def test_offline_is_offline_at_once(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE is set"):
        plan(publication(tmp_path, a=b"1"))
    assert hub.asked == []


@pytest.mark.parametrize("name", ["a/b/c", "../x", "a b", "x--y", ".git", "a" * 200])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="no name of a repository"):
        check_repos(["me/x", name])


def test_the_record_names_our_files_and_nothing_more(tmp_path: Path, hub: HubServer) -> None:
    put(publication(tmp_path, **{f"f{suffix}": suffix.encode() for suffix in LARGE}))
    files = hub.repo("me/x").commits[hub.repo("me/x").refs["main"]].files
    data = files[RECORD].data
    assert data is not None
    assert json.loads(data) == {"parts": {"main": sorted(f"f{suffix}" for suffix in LARGE)}}
