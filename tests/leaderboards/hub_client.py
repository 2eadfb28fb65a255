"""Processes for which the Hub is one on this machine: one that publishes, over and over, each time
in a fork that may be killed; and any other program.

The client reads the Hub's address, the token and whether there is Xet when it is imported, so it
has a process of its own with these in its environment; a fork of it starts in no time. Commands
come as JSON lines and answers go as such: first the fork's ``pid``, which then waits for an empty
line, then its ``exit`` code (minus the signal that ended it), what it ``told`` and what it ``said``
on stderr.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FASTER = 50
"""By how much waits are shorter than they are for people."""

FOLDER = """
import sys
from pathlib import Path
from leaderboards.hub import plan, publish
from leaderboards.publication import Publication
folder = Path(sys.argv[2])
files = sorted(p for p in folder.rglob("*") if p.is_file())
named = tuple((p.relative_to(folder).as_posix(), p) for p in files)
print(publish(plan(Publication(sys.argv[1], "dataset", named, "a dataset"))).url)
"""


@dataclass
class Stranger:
    """Somebody at a machine of their own, with its environment."""

    settings: dict[str, str]
    folder: Path

    def run(self, *words: str) -> str:
        """What Python says when it is given these words."""
        done = subprocess.run(
            [sys.executable, *words], env=self.settings, cwd=self.folder, capture_output=True,
            text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def publish(self, repo: str, folder: Path) -> str:
        """Publish a folder as a dataset; the commit's address."""
        return self.run("-c", FOLDER, repo, str(folder)).strip()


class Client:
    """The other side of the process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def begin(self, **wanted: Any) -> int:
        """Let a fork begin; its process id."""
        self._write(json.dumps(wanted))
        return int(self._read()["pid"])

    def end(self) -> dict[str, Any]:
        """Let it go on to its end."""
        self._write("")
        return self._read()

    def run(self, **wanted: Any) -> dict[str, Any]:
        """The two in one."""
        self.begin(**wanted)
        return self.end()

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the publishing process is gone"
        answer: dict[str, Any] = json.loads(line)
        return answer


def environment(address: str, home: Path, token: str | None, xet: bool) -> dict[str, str]:
    """One in which the Hub is at ``address`` and nobody else is logged in."""
    mine = {n: v for n, v in os.environ.items() if not n.startswith(("HF_", "HUGGING", "XDG_"))}
    mine |= {"HF_ENDPOINT": address, "HF_HOME": str(home / "hf"), "HOME": str(home)}
    mine |= {"HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1,localhost"}
    mine |= {"PYTHONPATH": str(ROOT), "HF_XET_CLIENT_RETRY_BASE_DELAY": "20ms"}
    mine |= {} if xet else {"HF_HUB_DISABLE_XET": "1"}
    return mine | ({} if token is None else {"HF_TOKEN": token})


@contextmanager
def publishing(environment: dict[str, str]) -> Iterator[Client]:
    """A process that publishes in this environment."""
    with subprocess.Popen(
        [sys.executable, __file__],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Client(process)
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    import huggingface_hub.hf_api  # noqa: F401

    import leaderboards.hub  # noqa: F401

    wait = time.sleep
    time.sleep = lambda seconds: wait(seconds / FASTER)
    for line in sys.stdin:
        told, go, log = os.pipe(), os.pipe(), os.memfd_create("log")
        pid = os.fork()
        if pid == 0:
            os.dup2(log, 2)
            os.read(go[0], 1)
            answer = json.dumps(publish(json.loads(line)))
            os.write(told[1], answer.encode())
            os._exit(0)
        print(json.dumps({"pid": pid}), flush=True)
        sys.stdin.readline()
        os.close(told[1])
        os.write(go[1], b"!")
        answer = b""
        while part := os.read(told[0], 65536):
            answer += part
        _, status = os.waitpid(pid, 0)
        os.lseek(log, 0, os.SEEK_SET)
        said = os.read(log, 1 << 20).decode()
        for descriptor in (told[0], *go, log):
            os.close(descriptor)
        record = {"exit": os.waitstatus_to_exitcode(status), "said": said, "told": {}}
        print(json.dumps(record | ({"told": json.loads(answer)} if answer else {})), flush=True)


def publish(wanted: dict[str, Any]) -> dict[str, Any]:
    """Publish what is wanted; ``plan`` before, ``done`` after, ``url`` or ``error``."""
    from leaderboards import hub
    from leaderboards.publication import Publication

    told: dict[str, Any] = {}
    try:
        files = tuple((path, Path(source)) for path, source in wanted["files"].items())
        publication = Publication(
            wanted["repo"], wanted.get("kind", "model"), files, wanted["message"],
            wanted.get("part", "main"),
        )  # fmt: skip
        plan = hub.plan(publication, create_pr=wanted.get("create_pr", False))
        told |= {"plan": plan.as_json(), "lines": plan.lines()}
        if not wanted.get("dry_run"):
            done = hub.publish(plan)
            told |= {"done": done.plan.as_json(), "url": done.url, "nothing": done.plan.nothing}
    except Exception as error:
        import traceback

        told |= {"error": type(error).__name__, "words": getattr(error, "strerror", None)}
        told["words"] = told["words"] or str(error)
        told["traceback"] = traceback.format_exc()
    return told


if __name__ == "__main__":
    main()
