"""What is to be published, and what that changes in a repository: decided before it is done.

Conventions
-----------
* Contents are compared, never dates: a file that Git keeps itself by its blob's SHA-1, one that
  is in LFS (or Xet) by its SHA-256. Digests are of what is sent, in hexadecimal.
* ``RECORD`` in the repository names the files that publications wrote there, by part. Only of
  these is one deleted that its part has no more; a file that is there already just as it would be
  published was not written by us and is not recorded. A publication of no part is none of this:
  it deletes nothing and is not recorded.
* Nothing here asks the Hub; a plan is made of what it holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import DAMAGED, InputError

KINDS = ("model", "dataset", "space")
RECORD = ".benchgen/publication.json"
_FORBIDDEN = (".git", ".cache")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Publication:
    """Files for a repository, ``kind`` being ``model``, ``dataset`` or ``space``.

    ``files`` are pairs of a path in the repository and the file that goes there. ``part`` names
    what they are of the repository: a publication takes the place of an earlier one of its part,
    and leaves the files of other parts alone; with None it only adds and changes. ``base`` is the
    commit that the files were made of, where they were made of one: on another they would undo
    what others did since.

    Raises
    ------
    InputError
        A path is none that a repository can hold, or is there twice; another kind; no owner.
    """

    repo: str
    kind: str
    files: tuple[tuple[str, Path], ...]
    message: str
    part: str | None = "main"
    base: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"a repository is one of {', '.join(KINDS)}, not {self.kind!r}")
        if "/" not in self.repo:
            raise InputError(f"a repository to publish in is owner/name, not {self.repo!r}")
        if not self.message.strip():
            raise InputError("a publication says in its message what it is")
        if not self.files:
            raise InputError(f"there is no file to publish in {self.repo}")
        taken: set[str] = set()
        for path in sorted(path for path, _ in self.files):
            check_path(path)
            # "a" is sorted before "a/b", which needs a folder of that name.
            if path in taken or any(folder in taken for folder in _folders(path)):
                raise InputError(f"two files would be at {path!r} of {self.repo}")
            taken.add(path)


@dataclass(frozen=True, slots=True)
class Digest:
    """A content: its size in bytes, the SHA-1 of its Git blob and its SHA-256."""

    bytes: int
    git: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a repository holds at a path; ``sha256`` is None where Git keeps the content itself."""

    git: str
    sha256: str | None

    def is_content(self, digest: Digest) -> bool:
        """Whether it is this content."""
        if self.sha256 is not None:
            return self.sha256 == digest.sha256
        return self.git == digest.git


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a path: ``added``, ``changed``, ``unchanged`` or ``deleted``.

    ``bytes`` is the size of what is published, 0 of what is deleted.
    """

    path: str
    action: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A publication and exactly what it changes.

    ``head`` is the commit it was compared with, None as long as there is no repository, and
    ``creates`` whether it makes one. ``pull_request`` is the address of one that is open and
    holds all of this. ``record`` is what ``RECORD`` will hold, None for a publication of no part;
    it is among ``changes``, which are sorted by path.
    """

    publication: Publication
    create_pr: bool
    head: str | None
    creates: bool
    changes: tuple[Change, ...]
    digests: Mapping[str, Digest]
    record: bytes | None
    pull_request: str | None = None

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to do."""
        same = all(change.action == "unchanged" for change in self.changes)
        return self.pull_request is not None or (same and self.head is not None)

    def paths(self, *actions: str) -> list[str]:
        """The paths with which one of these is done."""
        return [change.path for change in self.changes if change.action in actions]

    def lines(self) -> list[str]:
        """The plan in words, a line a path."""
        where = f"{self.publication.kind} {self.publication.repo}"
        if self.pull_request is not None:
            return [f"{where}: an open pull request holds all of this: {self.pull_request}"]
        if self.nothing:
            return [f"{where} holds all of this already: nothing to change"]
        how = "a pull request for " if self.create_pr else "create " if self.creates else ""
        counts = [
            f"{len(self.paths(action))} {action}"
            for action in ("added", "changed", "deleted", "unchanged")
            if self.paths(action)
        ]
        told = [f"{how}{where}: {', '.join(counts)}"]
        return told + [f"{c.action:<9}  {c.bytes:>14,}  {c.path}" for c in self.changes]

    def as_json(self) -> dict[str, Any]:
        """The plan for machines."""
        return {
            "repo": self.publication.repo,
            "kind": self.publication.kind,
            "head": self.head,
            "creates": self.creates,
            "create_pr": self.create_pr,
            "pull_request": self.pull_request,
            "changes": [
                {"path": c.path, "action": c.action, "bytes": c.bytes} for c in self.changes
            ],
        }


def check_path(path: str) -> None:
    """Whether a repository can hold a file at ``path`` that is not our record.

    Raises
    ------
    InputError
        It is absolute, empty, leads outside or into Git's own, or holds what is no character of
        a name.
    """
    parts = path.split("/")
    if not all(parts) or {".", ".."} & set(parts):
        raise InputError(f"{path!r} is no path in a repository")
    if any(part.lower() in _FORBIDDEN for part in parts):
        raise InputError(f"{path!r} is no path for our files: {', '.join(_FORBIDDEN)} are not ours")
    # Lone surrogates stand for bytes that are no UTF-8; neither are they printable.
    if "\\" in path or not path.isprintable():
        raise InputError(f"{path!r} holds what is no character of a path in a repository")
    if path == RECORD:
        raise InputError(f"{RECORD} is the record of what was published, and no file to publish")


def digest_of(source: Path | bytes) -> Digest:
    """The digests of a file, or of bytes.

    Raises
    ------
    InputError
        The file cannot be read, or grows or shrinks while it is.
    """
    if isinstance(source, bytes):
        blob = hashlib.sha1(b"blob %d\0" % len(source) + source, usedforsecurity=False)
        return Digest(len(source), blob.hexdigest(), hashlib.sha256(source).hexdigest())
    try:
        with source.open("rb") as file:
            size = source.stat().st_size
            blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
            whole, read = hashlib.sha256(), 0
            while chunk := file.read(_CHUNK):
                blob.update(chunk)
                whole.update(chunk)
                read += len(chunk)
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}") from None
    if read != size:
        raise InputError(f"{source} changes while it is read: publish what is finished")
    return Digest(size, blob.hexdigest(), whole.hexdigest())


def digests_of(publication: Publication) -> dict[str, Digest]:
    """The digests of all files, by path."""
    return {path: digest_of(source) for path, source in publication.files}


def make_plan(
    publication: Publication,
    digests: Mapping[str, Digest],
    *,
    head: str | None,
    held: Mapping[str, Held],
    record: bytes | None,
    create_pr: bool = False,
) -> Plan:
    """What ``publication`` changes in a repository whose commit ``head`` holds ``held``.

    ``record`` is what ``RECORD`` holds there, None if there is none. Without a ``head`` the
    repository is to be created.

    Raises
    ------
    InputError
        ``record`` is damaged, or the files were made of another commit than ``head``.
    """
    if publication.base not in (None, head):
        raise InputError(
            f"somebody has changed {publication.repo} since it was read: run it again"
        )
    changes = [
        Change(path, _action(held.get(path), digest), digest.bytes)
        for path, digest in digests.items()
    ]
    text: bytes | None = None
    if publication.part is not None:
        parts = _read_record(record, publication.repo)
        before = parts.pop(publication.part, frozenset())
        written = {change.path for change in changes if change.action != "unchanged"}
        others = frozenset[str]().union(*parts.values())
        gone = (before & held.keys()) - digests.keys() - others
        changes += [Change(path, "deleted", 0) for path in gone]
        parts[publication.part] = frozenset(written | (before & digests.keys()))
        text = _write_record(parts)
        if record is not None or any(parts.values()):
            digest = digest_of(text)
            changes.append(Change(RECORD, _action(held.get(RECORD), digest), digest.bytes))
    changes.sort(key=lambda change: change.path)
    return Plan(publication, create_pr, head, head is None, tuple(changes), digests, text)


def _action(held: Held | None, digest: Digest) -> str:
    if held is None:
        return "added"
    return "unchanged" if held.is_content(digest) else "changed"


def _read_record(data: bytes | None, repo: str) -> dict[str, frozenset[str]]:
    if data is None:
        return {}
    try:
        parts = json.loads(data)["parts"]
        if not all(isinstance(paths, list) for paths in parts.values()):
            raise TypeError("a part is a list of paths")
        if not all(isinstance(path, str) for paths in parts.values() for path in paths):
            raise TypeError("a path is text")
        return {part: frozenset(paths) for part, paths in parts.items()}
    except DAMAGED:
        # What it names would be deleted: better to ask than to guess.
        raise InputError(
            f"{RECORD} of {repo} is not as benchgen writes it: put it right there, or delete it"
        ) from None


def _write_record(parts: Mapping[str, frozenset[str]]) -> bytes:
    named: dict[str, Sequence[str]] = {part: sorted(paths) for part, paths in parts.items()}
    return (json.dumps({"parts": named}, indent=1, sort_keys=True) + "\n").encode()


def _folders(path: str) -> list[str]:
    return [parent.as_posix() for parent in Path(path).parents][:-1]
