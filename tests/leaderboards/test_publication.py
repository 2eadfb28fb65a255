"""A publication's plan, worked out from what a repository holds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchgen.errors import InputError
from leaderboards.publication import (
    RECORD,
    Digest,
    Held,
    Plan,
    Publication,
    digest_of,
    digests_of,
    make_plan,
)


def publication(
    folder: Path, files: Mapping[str, bytes], part: str | None = "main"
) -> Publication:
    listed = []
    for number, (path, data) in enumerate(files.items()):
        source = folder / f"{part}-{number}"
        source.write_bytes(data)
        listed.append((path, source))
    return Publication("me/x", "dataset", tuple(listed), "a message", part)


def planned(
    what: Publication, held: dict[str, Held], record: bytes | None = None, **more: Any
) -> Plan:
    return make_plan(what, digests_of(what), head="1" * 40, held=held, record=record, **more)


def actions(plan: Plan) -> dict[str, str]:
    return {change.path: change.action for change in plan.changes}


def git(data: bytes) -> Held:
    return Held(digest_of(data).git, None)


def lfs(data: bytes) -> Held:
    return Held("0" * 40, hashlib.sha256(data).hexdigest())


def after(plan: Plan, held: dict[str, Held]) -> dict[str, Held]:
    """What the repository holds when the plan was carried out."""
    found = {path: kept for path, kept in held.items() if path not in plan.paths("deleted")}
    for path in plan.paths("added", "changed"):
        digest = plan.digests.get(path) or digest_of(plan.record or b"")
        found[path] = Held(digest.git, None)
    return found


def test_a_blob_has_the_name_that_git_gives_it(tmp_path: Path) -> None:
    for data in (b"", b"a\n", bytes(range(256)) * 9000):
        (tmp_path / "f").write_bytes(data)
        said = subprocess.run(
            ["git", "hash-object", "--no-filters", str(tmp_path / "f")],
            capture_output=True, check=True, text=True,
        ).stdout.strip()  # fmt: skip
        expected = Digest(len(data), said, hashlib.sha256(data).hexdigest())
        assert digest_of(tmp_path / "f") == digest_of(data) == expected


def test_contents_are_compared_where_they_lie_and_not_by_the_pointer(tmp_path: Path) -> None:
    what = publication(tmp_path, {"a": b"1", "b": b"2", "c": b"3", "d": b"4", "e": b"5"})
    held = {"a": git(b"1"), "b": git(b"other"), "c": lfs(b"3"), "d": lfs(b"other")}
    plan = planned(what, held)
    assert actions(plan) == {
        RECORD: "added", "a": "unchanged", "b": "changed", "c": "unchanged", "d": "changed",
        "e": "added",
    }  # fmt: skip
    assert not plan.nothing and [x.path for x in plan.changes] == sorted(actions(plan))


def test_what_is_there_already_and_not_ours_changes_nothing_and_is_not_claimed(
    tmp_path: Path,
) -> None:
    held = {"a": git(b"1")}
    plan = planned(publication(tmp_path, {"a": b"1"}), held)
    assert plan.nothing and actions(plan) == {"a": "unchanged"}
    plan = planned(publication(tmp_path, {"a": b"1", "b": b"2"}), held)
    assert json.loads(plan.record or b"") == {"parts": {"main": ["b"]}}
    plan = planned(publication(tmp_path, {"c": b"3"}), after(plan, held), plan.record)
    assert actions(plan) == {RECORD: "changed", "b": "deleted", "c": "added"}


def test_the_same_again_is_nothing_and_what_it_no_longer_has_is_deleted(tmp_path: Path) -> None:
    held = {"theirs": git(b"x"), "b/theirs": git(b"x")}
    what = publication(tmp_path, {"a": b"1", "b/c": b"2"})
    plan = planned(what, held)
    held = after(plan, held)
    assert planned(what, held, plan.record).nothing
    less = planned(publication(tmp_path, {"a": b"1"}), held, plan.record)
    assert actions(less) == {RECORD: "changed", "a": "unchanged", "b/c": "deleted"}
    assert less.lines()[0] == "dataset me/x: 1 changed, 1 deleted, 1 unchanged"
    del held["b/c"]
    gone = planned(publication(tmp_path, {"a": b"1"}), held, plan.record)
    assert actions(gone) == {RECORD: "changed", "a": "unchanged"}


def test_a_part_leaves_the_files_of_others_alone(tmp_path: Path) -> None:
    model = planned(publication(tmp_path, {"a": b"1", "README.md": b"m"}, "model"), {})
    held = after(model, {})
    results = planned(publication(tmp_path, {"r": b"1"}, "results"), held, model.record)
    assert actions(results) == {RECORD: "changed", "r": "added"}
    held = after(results, held)
    again = planned(publication(tmp_path, {"README.md": b"m"}, "model"), held, results.record)
    assert again.paths("deleted") == ["a"]
    # What two parts wrote stays as long as one of them has it.
    both = planned(publication(tmp_path, {"a": b"2"}, "results"), held, results.record)
    held = after(both, held)
    left = planned(publication(tmp_path, {"README.md": b"m"}, "model"), held, both.record)
    assert left.paths("deleted") == [] and left.nothing is False


def test_what_is_of_no_part_deletes_nothing_and_leaves_no_record(tmp_path: Path) -> None:
    held = after(planned(publication(tmp_path, {"r.yaml": b"1"}, "results"), {}), {})
    what = publication(tmp_path, {"s.yaml": b"2"}, None)
    plan = planned(what, held, b"[damaged")
    assert actions(plan) == {"s.yaml": "added"} and plan.record is None
    assert planned(what, after(plan, held)).nothing


def test_files_that_were_made_of_another_commit_undo_nothing(tmp_path: Path) -> None:
    what = dataclasses.replace(publication(tmp_path, {"a": b"1"}), base="2" * 40)
    with pytest.raises(InputError, match="somebody has changed me/x since it was read"):
        planned(what, {})
    assert planned(dataclasses.replace(what, base="1" * 40), {}).paths("added")


def test_a_new_repository_is_said_to_be_made(tmp_path: Path) -> None:
    what = publication(tmp_path, {"a": b"1"})
    plan = make_plan(what, digests_of(what), head=None, held={}, record=None)
    assert plan.creates and not plan.nothing
    assert plan.lines()[0] == "create dataset me/x: 2 added"
    assert plan.lines()[2].split() == ["added", "1", "a"]


@pytest.mark.parametrize(
    "record",
    [b"", b"{", b"[]", b'{"parts": []}', b'{"parts": {"main": 1}}', b'{"parts": {"main": [1]}}',
     b'{"parts": {"main": "ab"}}', b'{"parts": ' + b"[" * 100_000, b'{"other": {}}',
     b"\xff\xfe"],
)  # fmt: skip
def test_a_damaged_record_deletes_nothing(tmp_path: Path, record: bytes) -> None:
    what = publication(tmp_path, {"a": b"1"})
    with pytest.raises(InputError, match="put it right there, or delete it"):
        planned(what, {RECORD: git(record), "b": git(b"")}, record)


def test_a_record_deletes_nothing_but_what_the_repository_holds(tmp_path: Path) -> None:
    record = json.dumps({"parts": {"main": ["../../x", ".git/config", "b"]}}).encode()
    plan = planned(publication(tmp_path, {"a": b"1"}), {"b": git(b""), RECORD: git(record)}, record)
    assert plan.paths("deleted") == ["b"]


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "a//b", "a/", "./a", "a/.", "..", "a/../../b", ".git/config", "a/.GIT/x",
     ".cache/x", "a\\b", "a\nb", "a\x00b", "a\x7f", "a\u202eb", "a\udc80b", RECORD],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError):
        publication(tmp_path, {path: b""})


def test_names_of_people_are_paths(tmp_path: Path) -> None:
    paths = ["a b/ü.json", ".eval_results/x.yaml", ".gitattributes", "...", "a/-"]
    assert publication(tmp_path, dict.fromkeys(paths, b"")).files


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b"), ("a/b/c", "a-b", "a/b")])
def test_two_files_in_one_place_are_refused(tmp_path: Path, paths: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="two files"):
        Publication("me/x", "model", tuple((path, tmp_path / "f") for path in paths), "m")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "models"}, "one of model, dataset, space"),
        ({"repo": "x"}, "owner/name"),
        ({"message": " "}, "message"),
        ({"files": ()}, "no file"),
    ],
)
def test_what_is_no_publication_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    right = {"repo": "me/x", "kind": "model", "files": (("a", tmp_path),), "message": "m"}
    with pytest.raises(InputError, match=said):
        Publication(**(right | changes))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for source in (tmp_path / "nothing", tmp_path):
        with pytest.raises(InputError, match=f"{source} cannot be read"):
            digest_of(source)
