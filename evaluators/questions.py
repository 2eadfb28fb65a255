"""The questions of a run: a dataset's rows as prompts, with the pictures as they lie there.

Conventions
-----------
* The stimulus is what the dataset holds (its text, its picture's bytes), never
  rendered anew, so that a run asks what was published.
* Under the blind control ``none`` no stimulus is shown, under ``other`` that of the item
  before in the same task and level, never one of its own twins; the first item takes
  the last one's. The question, the options and the key stay.
* Worked examples are a user's turn and the assistant's: the solution where there is
  one, and the boxed key. A question is shown those of its own task, in the order of their
  dataset, one of a set of twins, and never itself or a twin of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchgen.columns import PROBLEM_COLUMNS
from benchgen.dataset import problem_from_row, read_manifest, read_rows, shard_paths
from benchgen.errors import InputError
from benchgen.manifest import MANIFEST, dataset_digest, recipe_digest
from benchgen.outside import notation_of
from benchgen.problem import Message, Problem
from benchgen.prompt import chat_messages, worked_answer
from evaluators.configuration import PLAIN, Data, Prompting


@dataclass(frozen=True, slots=True)
class Question:
    """One problem as it is put to a model in one modality."""

    problem: Problem
    messages: tuple[Message, ...]
    images: tuple[bytes, ...]

    @property
    def prompt(self) -> str:
        """The words of the prompt."""
        return "\n\n".join(message_words(message) for message in self.messages)

    @property
    def prefix(self) -> str:
        """What the reply is made to begin with; empty where it begins freely."""
        last = self.messages[-1]
        return str(last["content"]) if last["role"] == "assistant" else ""

    @property
    def digest(self) -> str:
        """A digest of the messages and the pictures."""
        lengths = [len(image) for image in self.images]
        state = hashlib.blake2b(_canonical([self.messages, lengths]), digest_size=16)
        for image in self.images:
            state.update(image)
        return state.hexdigest()


def message_words(message: Message) -> str:
    """The words of one message, without its pictures."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n\n".join(part["text"] for part in content if part["type"] == "text")


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: its turns, its pictures, and the twins that it is one of."""

    twin_group: str
    messages: tuple[Message, Message]
    images: tuple[bytes, ...]


Examples = Mapping[str, Sequence[Example]]
"""By task."""


def read_questions(
    path: Path,
    modality: str,
    limit: int = 0,
    prompting: Prompting = PLAIN,
    examples: Examples = MappingProxyType({}),
) -> Iterator[Question]:
    """The first ``limit`` questions of a dataset (0: all), in its order.

    Raises
    ------
    InputError
        The dataset lacks a column or the modality, or is damaged; under ``other``, an item
        is the only one of its task and level; there are too few examples of a task.
    """
    rows = read_rows(path, (*PROBLEM_COLUMNS, *_columns(modality)))
    if prompting.stimulus == "other":
        rows = _with_others(rows, _last_rows(path, modality), modality)
    for row in islice(rows, limit or None):
        yield _question(row, modality, prompting, examples)


def read_examples(path: Path, modality: str, count: int) -> Examples:
    """The first worked examples of each task, ``count`` + 1 and of as many items: one more
    than are shown, in case one is the question or a twin of it.

    Raises
    ------
    InputError
        The dataset lacks a column or the modality, or is damaged.
    """
    found: dict[str, list[Example]] = {}
    for row in read_rows(path, (*PROBLEM_COLUMNS, *_columns(modality))):
        known = found.setdefault(row["task"], [])
        # Twins have one question and one set of options, so that their keys tell each other.
        if len(known) > count or any(row["twin_group"] == e.twin_group for e in known):
            continue
        question = _question(row, modality, PLAIN, {})
        problem = question.problem
        worked = worked_answer(problem.solution, problem.target)
        turns = (question.messages[-1], {"role": "assistant", "content": worked})
        known.append(Example(problem.twin_group, turns, question.images))
    return found


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
        recipe=_recipe(path),
    )


def _columns(modality: str) -> tuple[str, ...]:
    return ("text", "image") if modality == "both" else (modality,)


def _question(
    row: Mapping[str, Any], modality: str, prompting: Prompting, examples: Examples
) -> Question:
    columns = _columns(modality)
    for column in columns:
        if row[column] is None:
            raise InputError(
                f"row {row['id']!r} holds no {column}: the dataset was made without --modality "
                f"{column}"
            )
    problem = problem_from_row(row)
    shown = prompting.stimulus != "none"
    text = row["text"] if shown and "text" in columns else None
    images = (row["image"]["bytes"],) if shown and "image" in columns else ()
    notation = notation_of(problem)
    messages: list[Message] = []
    if prompting.system:
        messages.append({"role": "system", "content": prompting.system})
    worked = _worked(problem, prompting.shots, examples)
    for example in worked:
        messages += example.messages
    messages += chat_messages(problem.question, problem.options, text, notation, len(images))
    if prompting.prefix:
        messages.append({"role": "assistant", "content": prompting.prefix})
    before = tuple(image for example in worked for image in example.images)
    return Question(problem, tuple(messages), (*before, *images))


def _worked(problem: Problem, count: int, examples: Examples) -> Sequence[Example]:
    known = [e for e in examples.get(problem.task, ()) if e.twin_group != problem.twin_group]
    if len(known) < count:
        raise InputError(f"there are {len(known)} worked examples of {problem.task}, not {count}")
    return known[:count]


Row = dict[str, Any]


def _last_rows(path: Path, modality: str) -> dict[tuple[str, int], Row]:
    """The last row of every task and level."""
    columns = ("id", "task", "level", "twin_group", *_columns(modality))
    return {(row["task"], row["level"]): row for row in read_rows(path, columns)}


def _with_others(
    rows: Iterable[Row], last: Mapping[tuple[str, int], Row], modality: str
) -> Iterator[Row]:
    """The rows, each with the stimulus of the one before it that is no twin of it."""
    columns = _columns(modality)

    def shown(row: Row) -> list[Any]:
        return [row[column] for column in columns]

    before = dict(last)
    strangers: dict[tuple[str, int], Row] = {}
    for row in rows:
        cell = (row["task"], row["level"])
        earlier = before[cell]
        # Outside questions may share a stimulus without being twins.
        if earlier["twin_group"] != row["twin_group"] and shown(earlier) != shown(row):
            strangers[cell] = earlier
        if cell not in strangers or shown(strangers[cell]) == shown(row):
            raise InputError(
                f"row {row['id']!r} has no other item with another stimulus before it in "
                f"{cell[0]}, level {cell[1]}"
            )
        before[cell] = row
        yield {**row, **dict(zip(columns, shown(strangers[cell]), strict=True))}


def _recipe(path: Path) -> str:
    return recipe_digest(read_manifest(path)) if (path / MANIFEST).is_file() else ""


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
