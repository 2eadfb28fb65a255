"""The questions of a run: a dataset's rows as prompts, with the pictures as they lie there.

The stimulus is what the dataset holds (its text, its picture's bytes), never
rendered anew, so that a run asks what was published.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchgen.columns import PROBLEM_COLUMNS
from benchgen.dataset import problem_from_row, read_manifest, read_rows, shard_paths
from benchgen.errors import InputError
from benchgen.manifest import MANIFEST, dataset_digest
from benchgen.problem import Message, Problem
from benchgen.prompt import chat_messages
from benchgen.suite import find_suite
from evaluators.configuration import Data

MODALITIES = ("text", "image")


@dataclass(frozen=True, slots=True)
class Question:
    """One problem as it is put to a model in one modality."""

    problem: Problem
    messages: tuple[Message, ...]
    images: tuple[bytes, ...]

    @property
    def prompt(self) -> str:
        """The words of the prompt."""
        parts: list[str] = []
        for message in self.messages:
            content = message["content"]
            if isinstance(content, str):
                parts.append(content)
            else:
                parts += [part["text"] for part in content if part["type"] == "text"]
        return "\n\n".join(parts)

    @property
    def digest(self) -> str:
        """A digest of the messages and the pictures."""
        lengths = [len(image) for image in self.images]
        state = hashlib.blake2b(_canonical([self.messages, lengths]), digest_size=16)
        for image in self.images:
            state.update(image)
        return state.hexdigest()


def read_questions(path: Path, modality: str, limit: int = 0) -> Iterator[Question]:
    """The first ``limit`` questions of a dataset (0: all), in its order.

    Raises
    ------
    InputError
        The dataset lacks a column or the modality, or is damaged.
    """
    rows = read_rows(path, (*PROBLEM_COLUMNS, modality))
    for row in islice(rows, limit or None):
        yield _question(row, modality)


def read_data(path: Path) -> Data:
    """What a run records of its dataset.

    Raises
    ------
    InputError
        It cannot be read, is empty, or two of its rows have one id.
    """
    ids: set[str] = set()
    suites: set[str] = set()
    versions: set[str] = set()
    splits: set[str] = set()
    for row in read_rows(path, ("id", "task", "split", "suite_version")):
        if row["id"] in ids:
            raise InputError(f"{path} holds the id {row['id']!r} twice")
        ids.add(row["id"])
        suites.add(row["task"].partition("/")[0])
        versions.add(row["suite_version"])
        splits.add(row["split"])
    if not ids:
        raise InputError(f"{path} holds no problems")
    return Data(
        path=str(path),
        digest=_dataset_digest(path),
        suite="+".join(sorted(suites)),
        suite_version="+".join(sorted(versions)),
        split="+".join(sorted(splits)),
        problems=len(ids),
    )


def _question(row: dict[str, Any], modality: str) -> Question:
    if row[modality] is None:
        raise InputError(
            f"row {row['id']!r} holds no {modality}: the dataset was made without --modality "
            f"{modality}"
        )
    problem = problem_from_row(row)
    text: str | None = None
    images: Sequence[bytes] = ()
    if modality == "text":
        text = row["text"]
    else:
        images = (row["image"]["bytes"],)
    notation = find_suite(problem.suite).notations[0]
    messages = chat_messages(problem.question, problem.options, modality, text, notation)
    return Question(problem, tuple(messages), tuple(images))


def _dataset_digest(path: Path) -> str:
    if (path / MANIFEST).is_file():
        digest = read_manifest(path).digest
        if digest is not None:
            return digest
    return dataset_digest(_file_digest(file) for file in shard_paths(path))


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
