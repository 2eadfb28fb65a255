"""A Hub on this machine that takes what is written to it: repositories, commits, large files.

Conventions
-----------
* It speaks as much of the Hub's protocol as ``huggingface_hub`` and ``datasets`` use for
  creating, committing, proposing, listing and reading, and it is as strict: a write needs a
  token that it knows, a commit names a head that is the head, a large file has to be there.
* Large files lie in LFS (``PUT``), or, for a client with Xet, in Xet's own store in a folder,
  which ``hf_xet`` writes and reads itself.
* What a repository holds is told as SHA-256 by path, be it a large file or not.
* Every request is recorded. Faults hit the requests of given numbers, counted from arming.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

TOKEN = "hf_RecognisableTokenOfATest"
USER = "me"
LARGE = (".parquet", ".safetensors", ".bin", ".png")
ATTRIBUTES = b"".join(b"*%s filter=lfs diff=lfs merge=lfs -text\n" % s.encode() for s in LARGE)
REGULAR_BYTES = 10_000_000
_BRIDGE = """
import sys, hf_xet
with hf_xet.XetSession().new_file_download_group(endpoint=sys.argv[2]) as group:
    group.start_download_file(hf_xet.XetFileInfo(sys.argv[1], None), sys.argv[3])
"""
KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}


@dataclass(frozen=True)
class Blob:
    """A file in a commit: its content where Git keeps it, else None."""

    sha256: str
    size: int
    data: bytes | None = None

    @property
    def oid(self) -> str:
        """The SHA-1 of the blob, or of the pointer that stands for a large file."""
        data = self.data
        if data is None:
            data = (
                "version https://git-lfs.github.com/spec/v1\n"
                f"oid sha256:{self.sha256}\nsize {self.size}\n"
            ).encode()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass(frozen=True)
class Commit:
    parent: str | None
    title: str
    files: Mapping[str, Blob]


@dataclass
class Repo:
    kind: str
    name: str
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)

    def commit(self, ref: str, files: Mapping[str, Blob], title: str, base: str | None) -> str:
        """Put a commit on ``base`` and ``ref`` on the commit."""
        told = f"{base} {title} {sorted((p, b.sha256) for p, b in files.items())}"
        oid = hashlib.sha1(f"{len(self.commits)} {told}".encode()).hexdigest()
        self.commits[oid] = Commit(base, title, dict(files))
        self.refs[ref] = oid
        return oid

    def find(self, revision: str) -> str | None:
        """The commit that a branch, a pull request's ref or a commit's name means."""
        return self.refs.get(revision) or (revision if revision in self.commits else None)

    def holds(self, ref: str = "main") -> dict[str, str]:
        """SHA-256 by path, without what the Hub itself put there."""
        files = self.commits[self.refs[ref]].files
        return {path: blob.sha256 for path, blob in files.items() if path != ".gitattributes"}

    def history(self, ref: str = "main") -> list[str]:
        """The titles of the commits, the oldest first."""
        titles, at = [], self.refs.get(ref)
        while at is not None:
            titles.append(self.commits[at].title)
            at = self.commits[at].parent
        return titles[::-1]


@dataclass(frozen=True)
class Fault:
    """What happens to requests number ``at`` (from 1) and the ``times - 1`` after it.

    ``kind`` is a status as text (``"500"``; ``"429"`` asks to wait a second), ``drop`` (the
    connection breaks and nothing was done), ``lost`` (it was done, and then the connection
    breaks), ``race`` (somebody else commits a file of their own and a ``new.json`` just before),
    ``kill`` (the process ``victim`` dies before anything is done) or ``killed`` (it dies when it
    was done).
    """

    kind: str
    at: int
    times: int = 1


@dataclass
class HubServer:
    """``repos`` by kind and name; ``asked`` the requests since the last arming, as method and
    path; ``xet`` the folder of Xet's store.
    """

    xet: Path
    address: str = ""
    large_files: str = ""
    page: int = 1000
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    lfs: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fault: Fault | None = None
    victim: int = 0
    echo: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    def arm(self, fault: Fault | None = None) -> None:
        """Begin to count requests anew, and let this fault hit them."""
        with self.lock:
            self.asked = []
            self.fault = fault

    def repo(self, name: str, kind: str = "model") -> Repo:
        """The repository of this name."""
        return self.repos[kind, name]

    def add(self, name: str, kind: str = "model", **files: bytes) -> Repo:
        """A repository that is there already, with what somebody put there."""
        repo = self.repos[kind, name] = Repo(kind, name)
        held = {".gitattributes": regular(ATTRIBUTES)}
        held |= {path: regular(data) for path, data in files.items()}
        repo.commit("main", held, "initial commit", None)
        return repo

    def somebody_commits(self, repo: Repo, *paths: str) -> None:
        """A commit of another person's to the main branch."""
        head = repo.refs["main"]
        theirs = {path: regular(b"somebody's") for path in paths}
        repo.commit("main", {**repo.commits[head].files, **theirs}, f"somebody's {paths[0]}", head)

    def writes(self) -> list[str]:
        """The requests that write."""
        reading = ("/validate-yaml", "/paths-info/", "/preupload/")
        asked = [request for request in self.asked if not request.startswith(("GET", "HEAD"))]
        return [request for request in asked if not any(part in request for part in reading)]

    def xet_hash(self, sha256: str) -> str | None:
        """Xet's name for a content that lies in its store."""
        for shard in (self.xet / "xet" / "xorbs" / "shards").glob("*.mdb"):
            for name, content in shard_files(shard.read_bytes()):
                if content == sha256:
                    return name
        return None

    def bridge(self, sha256: str) -> None:
        """Bring a content out of Xet's store, for clients that ask for parts of it by HTTP.

        The store has one user at a time, so it is done by a process that ends.
        """
        stored = self.xet_hash(sha256)
        if sha256 in self.lfs or stored is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            words = [stored, f"local://{self.xet}", f"{folder}/whole"]
            subprocess.run([sys.executable, "-c", _BRIDGE, *words], check=True)
            self.lfs[sha256] = Path(folder, "whole").read_bytes()

    def has_large(self, sha256: str) -> bool:
        """Whether the content of a large file has been sent."""
        return sha256 in self.lfs or self.xet_hash(sha256) is not None


def regular(data: bytes) -> Blob:
    """A file that Git keeps itself."""
    return Blob(hashlib.sha256(data).hexdigest(), len(data), data)


def shard_files(shard: bytes) -> Iterator[tuple[str, str]]:
    """Xet's name and the SHA-256 of each file that a shard of Xet's tells of.

    After a header of 48 bytes stand the files: each has a header, its segments, as many checks if
    flag 31 is set, and its SHA-256 if flag 30 is; all in pieces of 48 bytes.
    """
    at = 48
    while (name := shard[at : at + 32]) != b"\xff" * 32:
        flags, segments = struct.unpack_from("<II", shard, at + 32)
        at += 48 * (1 + segments * (2 if flags >> 31 & 1 else 1))
        if flags >> 30 & 1:
            yield _hex(name), _hex(shard[at : at + 32])
            at += 48


def _hex(words: bytes) -> str:
    """Four little-endian words of 64 bits, as Xet writes them out."""
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", words))


@contextmanager
def hub_server(folder: Path) -> Iterator[HubServer]:
    """A Hub at an address of its own, its Xet store in ``folder``."""
    hub = HubServer(folder)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with _Listening(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        # Another host, as it is on the Hub: clients follow redirects on one host by themselves
        # and then miss the commit's header.
        hub.large_files = f"http://localhost:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hub
        server.shutdown()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error of the server's."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Refusal(Exception):
    def __init__(self, status: int, code: str = "", message: str = "", **body: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.body = status, code, message, body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    # Faults.

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub, url = self.hub, urlsplit(self.path)
        if self.command == "GET" and url.path.startswith("/large/"):
            hub.bridge(url.path.removeprefix("/large/"))
        with hub.lock:
            hub.asked.append(f"{self.command} {url.path}")
            number, fault = len(hub.asked), hub.fault
        kind = ""
        if fault is not None and fault.at <= number < fault.at + fault.times:
            kind = fault.kind
        if kind in ("drop", "kill"):
            self._vanish(kill=kind == "kill")
        elif kind.isdigit():
            headers = {"Retry-After": "1"} if kind == "429" else {}
            self._give_json({"error": f"not now{self._echoed()}"}, int(kind), headers)
        elif kind in ("lost", "killed"):
            self._handle(url.path, silent=True)
            self._vanish(kill=kind == "killed")
        else:
            with hub.lock:
                if kind == "race":
                    for repo in hub.repos.values():
                        if f"{repo.name}/" in url.path:
                            hub.somebody_commits(repo, f"theirs-{number}.txt", "new.json")
                self._handle(url.path)

    def _vanish(self, kill: bool) -> None:
        if kill:
            os.kill(self.hub.victim, signal.SIGKILL)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _handle(self, path: str, silent: bool = False) -> None:
        self.silent = silent
        try:
            with self.hub.lock:
                self._route(unquote(path) if "/commit/" not in path else path)
        except Refusal as no:
            headers = {"X-Error-Code": no.code, "X-Error-Message": no.message + self._echoed()}
            told = {name: value for name, value in headers.items() if value}
            self._give_json({"error": no.message + self._echoed(), **no.body}, no.status, told)

    def _echoed(self) -> str:
        """What a careless server says: the caller's own token."""
        return f" ({self.headers.get('Authorization')})" if self.hub.echo else ""

    # Requests.

    def _route(self, path: str) -> None:
        if match := re.fullmatch(r"/api/(models|datasets|spaces)/([^/]+/[^/]+)(?:/(.*))?", path):
            self._api(KINDS[match[1]], match[2], match[3] or "")
        elif path == "/api/whoami-v2":
            self._needs_token()
            self._give_json({"name": USER, "type": "user", "orgs": []})
        elif path == "/api/repos/create":
            self._create(json.loads(self.body))
        elif path == "/api/validate-yaml":
            self._validate(json.loads(self.body)["content"])
        elif match := re.fullmatch(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/(.+)", path):
            self._resolve(KINDS[match[1] or "models"], match[2], match[3])
        elif match := re.fullmatch(
            r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path
        ):
            self._repo(KINDS[match[1] or "models"], match[2])
            self._batch(json.loads(self.body))
        elif match := re.fullmatch(r"/large/([0-9a-f]{64})", path):
            self._large(match[1])
        else:
            raise Refusal(404, "EntryNotFound", "Not found")

    def _needs_token(self) -> None:
        told = self.headers.get("Authorization")
        if told is None:
            raise Refusal(401, "", "Invalid username or password.")
        if told != f"Bearer {TOKEN}":
            raise Refusal(401, "", "Invalid credentials in Authorization header")

    def _repo(self, kind: str, name: str) -> Repo:
        found = self.hub.repos.get((kind, name))
        if found is None:
            # Who is not known is not told what there is.
            self._needs_token()
            raise Refusal(404, "RepoNotFound", "Repository not found")
        return found

    def _create(self, asked: dict[str, Any]) -> None:
        self._needs_token()
        kind = asked.get("type") or "model"
        owner = asked.get("organization") or USER
        name = f"{owner}/{asked['name']}"
        if owner != USER:
            raise Refusal(403, "", f"You don't have the rights to create a {kind} under {owner}")
        if kind == "space" and not asked.get("sdk"):
            raise Refusal(400, "", "sdk is required")
        if (kind, name) in self.hub.repos:
            told = {"url": self._url(kind, name)}
            raise Refusal(409, "", f"You already created this {kind} repo", **told)
        repo = self.hub.add(name, kind)
        if kind == "space":
            repo.refs.clear()
            files = {".gitattributes": regular(ATTRIBUTES)}
            files["README.md"] = regular(b"---\ntitle: A Space\nsdk: static\n---\n")
            repo.commit("main", files, "initial commit", None)
        self._give_json({"url": self._url(kind, name), "name": name, "id": "1"})

    def _url(self, kind: str, name: str) -> str:
        return f"{self.hub.address}/{'' if kind == 'model' else kind + 's/'}{name}"

    def _validate(self, content: str) -> None:
        match = re.match(r"---\r?\n(.*?)\r?\n---", content, re.DOTALL)
        try:
            front = yaml.safe_load(match[1]) if match else {}
        except yaml.YAMLError:
            front = None
        if not isinstance(front, dict) or not isinstance(front.get("license", ""), str | list):
            errors = [{"message": "the front matter is no metadata"}]
            raise Refusal(400, "", "Invalid metadata", errors=errors, warnings=[])
        self._give_json({"errors": [], "warnings": []})

    def _api(self, kind: str, name: str, rest: str) -> None:
        repo = self._repo(kind, name)
        verb, _, more = rest.partition("/")
        if verb in ("", "revision"):
            self._about(repo, more or "main")
        elif verb == "tree":
            self._tree(repo, more)
        elif verb == "paths-info":
            files = self._files(repo, more)
            wanted = json.loads(self.body)["paths"]
            self._give_json([_entry(p, b) for p, b in files.items() if p in wanted])
        elif verb == "discussions":
            self._discussions(repo)
        elif verb == "preupload":
            self._needs_token()
            self._preupload(self._files(repo, more), json.loads(self.body)["files"])
        elif verb in ("xet-write-token", "xet-read-token"):
            if verb == "xet-write-token":
                self._needs_token()
            self._xet_token()
        elif verb == "commit":
            self._needs_token()
            self._commit(repo, unquote(more))
        else:
            raise Refusal(404, "EntryNotFound", "Not found")

    def _oid(self, repo: Repo, revision: str) -> str:
        found = repo.find(revision)
        if found is None:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def _files(self, repo: Repo, revision: str) -> Mapping[str, Blob]:
        return repo.commits[self._oid(repo, revision)].files

    def _about(self, repo: Repo, revision: str) -> None:
        oid = self._oid(repo, revision)
        siblings = [{"rfilename": path} for path in repo.commits[oid].files]
        record = {"_id": "1", "id": repo.name, "sha": oid, "private": False, "siblings": siblings}
        self._give_json({**record, "tags": [], "downloads": 0, "likes": 0})

    def _tree(self, repo: Repo, rest: str) -> None:
        revision = rest
        while repo.find(revision) is None and "/" in revision:
            revision = revision.rpartition("/")[0]
        under = rest[len(revision) :].strip("/")
        files = self._files(repo, revision)
        query = parse_qs(urlsplit(self.path).query)
        deep = query.get("recursive", ["false"])[0].lower() in ("1", "true")
        found: dict[str, dict[str, Any]] = {}
        for path, blob in sorted(files.items()):
            if under and not path.startswith(f"{under}/"):
                continue
            inside = path[len(under) :].lstrip("/").split("/")
            for depth in range(1, len(inside)):
                folder = "/".join([*([under] if under else []), *inside[:depth]])
                if deep or depth == 1:
                    told = {"type": "directory", "path": folder, "size": 0}
                    found[folder] = {**told, "oid": hashlib.sha1(folder.encode()).hexdigest()}
            if deep or len(inside) == 1:
                found[path] = _entry(path, blob)
        if under and not found:
            raise Refusal(404, "EntryNotFound", f"{under} does not exist")
        entries = list(found.values())
        start = int(query.get("cursor", ["0"])[0])
        headers = {}
        if start + self.hub.page < len(entries):
            url = f"{self.hub.address}{urlsplit(self.path).path}?recursive={deep}"
            headers["Link"] = f'<{url}&cursor={start + self.hub.page}>; rel="next"'
        self._give_json(entries[start : start + self.hub.page], headers=headers)

    def _discussions(self, repo: Repo) -> None:
        requests = [int(ref.rpartition("/")[2]) for ref in repo.refs if ref.startswith("refs/pr/")]
        told = [
            {
                "num": number,
                "title": repo.history(f"refs/pr/{number}")[-1],
                "author": {"name": USER},
                "createdAt": "2026-01-01T00:00:00.000Z",
                "status": "closed" if number in repo.closed else "open",
                "repo": {"name": repo.name, "type": repo.kind},
                "isPullRequest": True,
            }
            for number in sorted(requests)
            if number not in repo.closed
        ]
        self._give_json({"count": len(told), "start": 0, "discussions": told})

    def _preupload(self, held: Mapping[str, Blob], files: list[dict[str, Any]]) -> None:
        ignored = held[".gitignore"].data or b"" if ".gitignore" in held else b""
        told = []
        for file in files:
            path = file["path"]
            blob = held.get(path)
            large = path.endswith(LARGE) or file["size"] > REGULAR_BYTES
            entry: dict[str, Any] = {
                "path": path,
                "uploadMode": "lfs" if large else "regular",
                "shouldIgnore": path in ignored.decode().split(),
            }
            if blob is not None:
                entry["oid"] = blob.oid if blob.data is not None else blob.sha256
            told.append(entry)
        self._give_json({"files": told})

    def _xet_token(self) -> None:
        expires = int(time.time()) + 3600
        url = f"local://{self.hub.xet}"
        headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": "of the store"}
        headers["X-Xet-Token-Expiration"] = str(expires)
        body = {"casUrl": url, "accessToken": "of the store", "exp": expires}
        self._give_json(body, headers=headers)

    def _batch(self, asked: dict[str, Any]) -> None:
        self._needs_token()
        told = []
        for entry in asked["objects"]:
            upload = {"href": f"{self.hub.large_files}/large/{entry['oid']}"}
            actions = {} if entry["oid"] in self.hub.lfs else {"actions": {"upload": upload}}
            told.append({"oid": entry["oid"], "size": entry["size"], **actions})
        self._give_json({"transfer": "basic", "objects": told})

    def _commit(self, repo: Repo, revision: str) -> None:
        lines = [json.loads(line) for line in self.body.splitlines()]
        header = lines[0]["value"]
        proposes = "create_pr" in parse_qs(urlsplit(self.path).query)
        head = self._oid(repo, revision)
        parent = header.get("parentCommit")
        if parent is not None and parent != head and not proposes:
            raise Refusal(412, "", "A commit has happened since. Please refresh and try again.")
        base = parent if proposes and parent is not None else head
        files = dict(repo.commits[base].files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = regular(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                if not self.hub.has_large(value["oid"]):
                    raise Refusal(400, "", f"{value['path']} was not sent before the commit")
                files[value["path"]] = Blob(value["oid"], value["size"])
            elif line["key"] == "deletedFile":
                if files.pop(value["path"], None) is None:
                    raise Refusal(404, "EntryNotFound", "A file with this name doesn't exist")
            else:
                raise Refusal(400, "", f"no operation {line['key']}")
        number = 1 + sum(ref.startswith("refs/pr/") for ref in repo.refs)
        ref = f"refs/pr/{number}" if proposes else revision
        oid = repo.commit(ref, files, header["summary"], base)
        url = self._url(repo.kind, repo.name)
        told = {"success": True, "commitOid": oid, "commitUrl": f"{url}/commit/{oid}"}
        if proposes:
            told["pullRequestUrl"] = f"{url}/discussions/{number}"
        self._give_json(told)

    def _resolve(self, kind: str, name: str, rest: str) -> None:
        repo = self._repo(kind, name)
        revision = rest
        while repo.find(revision) is None and "/" in revision:
            revision = revision.rpartition("/")[0]
        oid, path = self._oid(repo, revision), rest[len(revision) + 1 :]
        blob = repo.commits[oid].files.get(path)
        if blob is None:
            self._give(b"", 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid})
            return
        headers = {"X-Repo-Commit": oid, "ETag": f'"{blob.oid}"'}
        if blob.data is not None:
            self._give_part(blob.data, headers)
            return
        headers |= {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(blob.size)}
        headers["Location"] = f"{self.hub.large_files}/large/{blob.sha256}"
        if (stored := self.hub.xet_hash(blob.sha256)) is not None:
            headers["X-Xet-Hash"] = stored
            token = f"{self.hub.address}/api/{kind}s/{name}/xet-read-token/{oid}"
            headers["Link"] = f'<{token}>; rel="xet-auth"'
        self._give(b"", 302, headers)

    def _large(self, sha256: str) -> None:
        if self.command == "PUT":
            if hashlib.sha256(self.body).hexdigest() != sha256:
                raise Refusal(400, "", "another content than was announced")
            self.hub.lfs[sha256] = self.body
            self._give(b"", 200, {})
        elif sha256 in self.hub.lfs:
            self._give_part(self.hub.lfs[sha256], {"ETag": f'"{sha256}"'})
        else:
            raise Refusal(404, "EntryNotFound", "Not found")

    # Answers.

    def _give_json(
        self, record: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        told = {"Content-Type": "application/json", **(headers or {})}
        self._give(json.dumps(record).encode(), status, told)

    def _give_part(self, data: bytes, headers: dict[str, str]) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        headers["Accept-Ranges"] = "bytes"
        if asked is None:
            self._give(data, 200, headers)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        self._give(data[first : last + 1], 206, headers)

    def _give(self, data: bytes, status: int, headers: Mapping[str, str]) -> None:
        if self.silent:
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    silent = False


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": blob.size, "oid": blob.oid}
    if blob.data is None:
        entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": 134}
    return entry
