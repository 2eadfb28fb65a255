"""The journal of a run: one JSON line a sample, appended as it lands.

Conventions
-----------
* A writer owns one file, ``samples-00000.jsonl`` for writer 0, and holds a lock
  on it while it writes. Several writers of one run have several files.
* A sample is known by problem id, epoch, prompt digest and sampling digest. Of
  several lines for one sample a reply beats an error, then a later line beats
  an earlier one (files in the order of their names).
* Every line is handed to the operating system as it lands, so that a killed
  process loses nothing; it is forced to the disk every ``SYNC_SECONDS`` and on
  closing, so that a power cut loses at most that.
* Only the last line of a file can be torn (no newline at its end). Readers pass
  over it; the next writer cuts it off before it appends.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchgen.errors import InputError
from benchgen.problem import Outcome

PATTERN = "samples-*.jsonl"
SYNC_SECONDS = 2.0
MOST_LINE = 64 << 20
"""Bytes of a line that can be a sample."""
LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999; no count is as high."""
LONGEST = 1e9
"""Seconds: no reply takes thirty years."""

SampleKey = tuple[str, int, str, str]
"""Problem id, epoch, prompt digest, sampling digest."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply to one problem, with its verdict and what a table needs to place it.

    ``options`` is how many there were (0: an open question). ``seconds`` is what
    the engine says the reply took; ``session`` is when the job that asked began to ask (Unix
    time in milliseconds), and ``elapsed`` the seconds from then to the reply.
    ``reply`` begins with the prefix that it was made to go on from, if any; ``thinking``
    is what the engine gave apart from it, or what stood between the run's thinking marks.
    ``cluster`` is what samples share that are not independent: the twin group, or the
    stimulus of an outside question.
    """

    problem: str
    epoch: int
    prompt_digest: str
    sampling_digest: str
    task: str
    category: str
    level: int
    twin_group: str
    cluster: str
    options: int
    target: str
    seed: int
    reply: str
    finish_reason: str
    error: str | None
    outcome: Outcome
    value: float
    extracted: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    thinking_tokens: int
    seconds: float
    session: int
    elapsed: float
    thinking: str

    @property
    def key(self) -> SampleKey:
        """What the sample is known by."""
        return (self.problem, self.epoch, self.prompt_digest, self.sampling_digest)

    @property
    def failed(self) -> bool:
        """No reply came: a resumed run asks again."""
        return self.outcome is Outcome.ERROR

    def to_json(self) -> str:
        """One line of JSON, without the newline."""
        record = {name: getattr(self, name) for name in _FIELDS}
        return json.dumps(record, ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str | bytes) -> Sample:
        """The sample that ``to_json`` wrote.

        Raises
        ------
        ValueError
            The line is not JSON, or its fields are not those of a sample.
        """
        record: Any = json.loads(line)
        if not isinstance(record, dict) or set(record) != set(_FIELDS):
            raise ValueError("not the fields of a sample")
        known = (record["problem"], record["prompt_digest"], record["sampling_digest"])
        if not all(isinstance(part, str) for part in known) or type(record["epoch"]) is not int:
            raise ValueError("a sample is known by words and a number")
        record["outcome"] = Outcome(record["outcome"])
        return cls(**record)


_FIELDS = tuple(field.name for field in dataclasses.fields(Sample))


def journal_name(writer: int) -> str:
    """The name of a writer's file."""
    return f"samples-{writer:05d}.jsonl"


def next_writer(folder: Path) -> int:
    """The number after that of the last writer whose file is there."""
    found = sorted(path.name for path in folder.glob(PATTERN))
    return int(found[-1].removeprefix("samples-").removesuffix(".jsonl")) + 1 if found else 0


class Journal:
    """One writer's file, open for appending; a context manager.

    Raises
    ------
    InputError
        Another process is writing the file.
    OSError
        The folder cannot be written; from ``append``, a full disk.
    """

    def __init__(self, folder: Path, writer: int = 0) -> None:
        self._path = folder / journal_name(writer)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise InputError(f"another process is writing {self._path}") from None
        _cut_torn_line(self._descriptor)
        self._synced = time.monotonic()

    def append(self, sample: Sample) -> None:
        """Add one sample, whole."""
        rest = memoryview(f"{sample.to_json()}\n".encode("ascii"))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self._sync()

    def close(self) -> None:
        """Force what was written to the disk and let go of the file."""
        try:
            self._sync()
        finally:
            os.close(self._descriptor)

    def _sync(self) -> None:
        os.fsync(self._descriptor)
        self._synced = time.monotonic()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_samples(folder: Path) -> dict[SampleKey, Sample]:
    """Every sample of a run once, in the order in which they first landed.

    Raises
    ------
    InputError
        A file cannot be read, or a line that is not the last one of its file is not a sample.
    """
    samples: dict[SampleKey, Sample] = {}
    for path in sorted(folder.glob(PATTERN)):
        for sample in _read_file(path):
            known = samples.get(sample.key)
            if known is None or known.failed or not sample.failed:
                samples[sample.key] = sample
    return samples


def _read_file(path: Path) -> Iterator[Sample]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        for number, line in enumerate(iter(lambda: file.readline(MOST_LINE), b""), start=1):
            if len(line) == MOST_LINE:
                raise InputError(f"{path}, line {number}, is not a sample: it is too long")
            if not line.endswith(b"\n"):
                return
            try:
                yield Sample.from_json(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}, line {number}, is not a sample: {error}") from None


def _cut_torn_line(descriptor: int) -> None:
    """Leave the file empty or ending in a newline."""
    end = os.fstat(descriptor).st_size
    position = end
    while position > 0:
        start = max(0, position - 65536)
        newline = os.pread(descriptor, position - start, start).rfind(b"\n")
        if newline >= 0:
            position = start + newline + 1
            break
        position = start
    if position < end:
        os.ftruncate(descriptor, position)
