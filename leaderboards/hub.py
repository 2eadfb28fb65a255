"""Putting a publication on the Hub: planned first, then one commit, whole or not at all.

Conventions
-----------
* ``plan`` only reads. ``publish`` does what the plan says, or, where the repository has moved
  since, what it says after being made anew; the plan that it gives back is what happened.
* Large files are sent before the commit that names them: until then the repository is as it was.
* The commit names its parent, so that nothing is committed twice or on top of what was not seen.
* Who publishes is who is logged in to the Hub (``hf auth login``, or ``HF_TOKEN``).
* ``huggingface_hub`` is an extra; it is imported when something is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchgen import __version__
from benchgen.console import Update
from benchgen.errors import InputError
from leaderboards.hub_calls import WAITS, Absent, Moved, NoAnswer, Taken, ask, ask_again, pause
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

TOGETHER = 16 << 20
"""Bytes of files that are announced to the Hub in one request; a larger file has its own."""

OF_THE_HUB = {".gitattributes", "README.md"}
"""What the Hub itself puts into a repository that it makes (a Space's stub of a card)."""


@dataclass(frozen=True, slots=True)
class Published:
    """``plan`` is what was done; ``url`` the commit's or the pull request's address, or that of
    what held it all already.
    """

    plan: Plan
    url: str


def check_repos(names: Sequence[str]) -> None:
    """Whether these can be the names of repositories, ``name`` or ``owner/name``.

    Raises
    ------
    InputError
        One cannot, or ``huggingface_hub`` is not installed.
    """
    try:
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id
    except ImportError:
        raise InputError("publishing needs huggingface_hub: pip install huggingface_hub") from None
    for name in names:
        try:
            validate_repo_id(name)
        except HFValidationError as error:
            raise InputError(f"{name!r} is no name of a repository: {error}") from None


def plan(publication: Publication, *, create_pr: bool = False) -> Plan:
    """What publishing would change now; nothing is written.

    Raises
    ------
    InputError
        A file cannot be read, or the Hub refuses to be read; with ``create_pr``, there is no
        such repository.
    ConnectionError
        The Hub cannot be reached.
    """
    check_repos([publication.repo])
    return _compared(_api(), publication, digests_of(publication), create_pr)


def read_files(repo: str, kind: str, pattern: str) -> tuple[str, dict[str, bytes]]:
    """The head of a repository, and its small files whose paths match ``pattern``, by path.

    ``pattern`` is that of a shell; its ``*`` matches slashes, too.

    Raises
    ------
    InputError
        There is no such repository, or the Hub refuses.
    ConnectionError
        The Hub cannot be reached.
    """
    check_repos([repo])
    api = _api()
    head = str(ask_again(repo, partial(api.repo_info, repo, repo_type=kind)).sha)
    paths = [path for path in _held(api, repo, kind, head) if fnmatchcase(path, pattern)]
    return head, {path: _content(api, repo, kind, head, path) for path in sorted(paths)}


def publish(plan: Plan, progress: Update = lambda done, total, detail="": None) -> Published:
    """Do what ``plan`` says: create the repository if it does, send the large files, and make one
    commit (or one pull request); nothing where there is nothing to change.

    Where somebody committed in between, the plan is made anew and tried again (unless the files
    were made of what was there, ``Publication.base``); so it is where the Hub did not answer, and
    the repository does not turn out to hold everything. ``progress`` is told of bytes.

    Raises
    ------
    InputError
        The Hub refuses, or a file is not what was planned. Nothing was committed.
    ConnectionError
        The Hub did not answer for too long. The repository is as it was, or holds all of it.
    """
    api = _api()
    repo = plan.publication.repo
    unsure: Plan | None = None
    with _no_bars():
        for wait in (*WAITS, None):
            if plan.head is None:
                plan = _created(api, plan)
            if plan.nothing:
                return Published(unsure or plan, _address(api, plan))
            operations = _sent(api, plan, progress)
            try:
                commit = ask(repo, partial(_commit, api, plan, operations))
                return Published(plan, str(commit.pr_url or commit.commit_url))
            except Moved as error:
                if wait is None:
                    raise NoAnswer(f"{error} at every try: run it again") from None
            except NoAnswer as error:
                if wait is None:
                    raise
                unsure = plan
                pause(wait, error)
            fresh = _compared(api, plan.publication, plan.digests, plan.create_pr)
            plan = replace(fresh, creates=fresh.creates or plan.creates)
    raise AssertionError("the last try returns or raises")


def _compared(
    api: Any, publication: Publication, digests: Mapping[str, Digest], create_pr: bool
) -> Plan:
    """The plan against what the repository holds now."""
    repo, kind = publication.repo, publication.kind
    made = partial(make_plan, publication, digests, create_pr=create_pr)
    try:
        head = ask_again(repo, partial(api.repo_info, repo, repo_type=kind)).sha
    except Absent:
        if create_pr:
            raise
        return made(head=None, held={}, record=None)
    held = _held(api, repo, kind, head)
    plan = made(head=head, held=held, record=_record(api, publication, head, held))
    if not create_pr or plan.nothing:
        return plan
    return replace(plan, pull_request=_proposal(api, plan))


def _held(api: Any, repo: str, kind: str, revision: str) -> dict[str, Held]:
    """What a revision holds, by path."""

    def tree() -> list[Any]:
        return list(api.list_repo_tree(repo, repo_type=kind, revision=revision, recursive=True))

    # Clients before 2.0 ask for the first page but once.
    files = [entry for entry in ask_again(repo, tree) if hasattr(entry, "blob_id")]
    return {
        file.path: Held(file.blob_id, None if file.lfs is None else file.lfs.sha256)
        for file in files
    }


def _record(
    api: Any, publication: Publication, revision: str, held: Mapping[str, Held]
) -> bytes | None:
    """What a revision holds at ``RECORD``."""
    if RECORD not in held:
        return None
    return _content(api, publication.repo, publication.kind, revision, RECORD)


def _content(api: Any, repo: str, kind: str, revision: str, path: str) -> bytes:
    """What a small file of a revision holds."""
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff

    url = f"{_page(api, repo, kind)}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def content() -> bytes:
        response = http_backoff("GET", url, headers=build_hf_headers())
        hf_raise_for_status(response)
        return bytes(response.content)

    return ask(repo, content)


def _proposal(api: Any, plan: Plan) -> str | None:
    """The address of an open pull request that holds all of this."""
    publication = plan.publication

    def requests() -> list[Any]:
        return list(
            api.get_repo_discussions(
                publication.repo,
                repo_type=publication.kind,
                discussion_type="pull_request",
                discussion_status="open",
            )
        )

    for request in ask_again(publication.repo, requests):
        # The Hub gives a pull request its commit's title.
        if request.title != publication.message:
            continue
        there = request.git_reference
        held = _held(api, publication.repo, publication.kind, there)
        record = _record(api, publication, there, held)
        asked = replace(publication, base=None)
        try:
            proposed = make_plan(asked, plan.digests, head=there, held=held, record=record)
        except InputError:
            continue  # Anybody may propose anything: such a record is not ours.
        if proposed.nothing:
            return str(request.url)
    return None


def _created(api: Any, plan: Plan) -> Plan:
    """Make the repository; the plan with its first commit as head.

    Where it may be somebody else's, since no answer came, the plan is made anew of what it holds.
    """
    publication = plan.publication
    repo, kind = publication.repo, publication.kind
    sdk = {"space_sdk": "static"} if kind == "space" else {}
    creates = answered = False
    for wait in (*WAITS, None):
        try:
            ask(repo, partial(api.create_repo, repo, repo_type=kind, **sdk))
            creates = answered = True
            break
        except Taken:
            break
        except NoAnswer as error:
            if wait is None:
                raise
            creates = True
            pause(wait, error)
    fresh = _compared(api, publication, plan.digests, plan.create_pr)
    if answered and set(fresh.paths("changed", "unchanged", "deleted")) <= OF_THE_HUB:
        return replace(plan, head=fresh.head)
    return replace(fresh, creates=creates)


def _sent(api: Any, plan: Plan, progress: Update) -> list[Any]:
    """A commit's operations, whose large files the Hub has."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    publication = plan.publication
    sources: dict[str, Path | bytes] = dict(publication.files)
    if plan.record is not None:
        sources[RECORD] = plan.record
    added = []
    for path in plan.paths("added", "changed"):
        source = sources[path]
        if isinstance(source, Path) and not source.is_file():
            raise InputError(f"{source} is gone since the plan was made")
        # Resolved: the client would take a "~" for somebody's home, and "..", past a link, away.
        content = source if isinstance(source, bytes) else str(source.resolve())
        added.append(CommitOperationAdd(path, content))
    total = sum(operation.upload_info.size for operation in added)
    done = 0
    for batch in _batches(added):
        progress(done, total, batch[-1].path_in_repo)
        send = partial(
            api.preupload_lfs_files, publication.repo, batch, repo_type=publication.kind,
            create_pr=plan.create_pr, free_memory=False,
        )  # fmt: skip
        # The client itself tries again.
        ask(publication.repo, send)
        done += sum(operation.upload_info.size for operation in batch)
    progress(done, total)
    _check_sent(plan, added)
    gone = [CommitOperationDelete(path, is_folder=False) for path in plan.paths("deleted")]
    return [*added, *gone]


def _batches(operations: Sequence[Any]) -> Iterator[list[Any]]:
    """Files that go together: small ones up to ``TOGETHER`` bytes, each larger one alone."""
    batch: list[Any] = []
    size = 0
    for operation in operations:
        if batch and size + operation.upload_info.size > TOGETHER:
            yield batch
            batch, size = [], 0
        batch.append(operation)
        size += operation.upload_info.size
    if batch:
        yield batch


def _check_sent(plan: Plan, added: Sequence[Any]) -> None:
    """Whether the commit will hold what was planned, and all of it.

    Small files go with the commit itself: these are held from here on, so that it is what was
    checked that goes.
    """
    for operation in added:
        path = operation.path_in_repo
        # What the repository's .gitignore names the client leaves out without a word.
        if operation._should_ignore:
            raise InputError(f"the .gitignore of {plan.publication.repo} leaves out {path}")
        planned = plan.digests[path] if path in plan.digests else digest_of(plan.record or b"")
        sent = operation.upload_info.sha256.hex()
        if operation._upload_mode == "regular":
            with operation.as_file() as file:
                operation.path_or_fileobj = file.read()
            sent = digest_of(operation.path_or_fileobj).sha256
        if sent != planned.sha256:
            raise InputError(f"{path} has changed since the plan was made")


def _commit(api: Any, plan: Plan, operations: Sequence[Any]) -> Any:
    publication = plan.publication
    return api.create_commit(
        publication.repo,
        operations,
        commit_message=publication.message,
        repo_type=publication.kind,
        parent_commit=plan.head,
        create_pr=plan.create_pr,
    )


def _address(api: Any, plan: Plan) -> str:
    """Where what was published already lies."""
    if plan.pull_request is not None:
        return plan.pull_request
    publication = plan.publication
    return f"{_page(api, publication.repo, publication.kind)}/commit/{plan.head}"


def _page(api: Any, repo: str, kind: str) -> str:
    """The repository's own page."""
    from huggingface_hub import constants

    prefix = constants.REPO_TYPES_URL_PREFIXES.get(kind, "")
    return f"{api.endpoint}/{prefix}{repo}"


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(library_name="benchgen", library_version=__version__)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without the client's own progress bars: ours tells it."""
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
