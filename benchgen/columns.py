"""The columns of a dataset: how problems become an Arrow table, and a row a problem.

Conventions
-----------
* The columns are the same in every suite; one that a suite or a run does not
  use is there and null. ``text`` and ``image`` are null unless their modality
  was asked for.
* ``image`` is ``struct{bytes, path}`` and the schema carries the ``huggingface``
  features, so that ``datasets`` reads pictures and lists as such by itself. Its
  bytes are those of the suite's renderer, never encoded again.
* ``identity`` is one JSON object in a string, in the order of the identity.
* Everything imports ``pyarrow`` late: a command that writes no file does without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from benchgen.errors import InputError
from benchgen.problem import AnswerType, Problem, identity_text
from benchgen.suite import find_suite

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = (
    "id",
    "task",
    "category",
    "level",
    "split",
    "question",
    "options",
    "answer",
    "target",
    "answer_type",
    "solution",
    "text",
    "image",
    "video",
    "identity",
    "content_key",
    "fact_key",
    "twin_group",
    "suite_version",
    "seed",
    "index",
)

PROBLEM_COLUMNS = tuple(c for c in COLUMNS if c not in ("target", "text", "image", "video"))
"""What ``problem_from_row`` reads."""

MODALITIES = ("text", "image")

_INTEGERS = {"level": "int32", "seed": "int64", "index": "int64"}


@cache
def schema() -> pa.Schema:
    """The Arrow schema, with the features that the Hub's readers look for."""
    import pyarrow as pa

    fields = []
    features: dict[str, Any] = {}
    for name in COLUMNS:
        if name == "options":
            fields.append(pa.field(name, pa.list_(pa.string())))
            features[name] = {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
        elif name == "image":
            picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
            fields.append(pa.field(name, picture))
            features[name] = {"_type": "Image"}
        else:
            dtype = _INTEGERS.get(name, "string")
            fields.append(pa.field(name, pa.type_for_alias(dtype)))
            features[name] = {"dtype": dtype, "_type": "Value"}
    described = json.dumps({"info": {"features": features}}, separators=(",", ":"))
    return pa.schema(fields, metadata={"huggingface": described})


def table_of(problems: Sequence[Problem], modalities: Sequence[str]) -> pa.Table:
    """One table of the problems, rendered in each of ``modalities``; a row a problem."""
    import pyarrow as pa

    suites = [find_suite(problem.suite) for problem in problems]
    lists: dict[str, list[Any]] = {
        "target": [p.target for p in problems],
        "answer_type": [str(p.answer_type) for p in problems],
        "identity": [identity_text(p.identity) for p in problems],
        "text": [None] * len(problems),
        "image": [None] * len(problems),
        "video": [None] * len(problems),
    }
    if "text" in modalities:
        lists["text"] = [
            s.render_text(p.identity, s.notations[0]) for s, p in zip(suites, problems, strict=True)
        ]
    if "image" in modalities:
        lists["image"] = [
            {"bytes": _only(s.render_images(p.identity)), "path": None}
            for s, p in zip(suites, problems, strict=True)
        ]
    arrays = []
    for field in schema():
        values = lists.get(field.name)
        if values is None:
            values = [getattr(p, field.name) for p in problems]
        arrays.append(pa.array(values, type=field.type))
    return pa.Table.from_arrays(arrays, schema=schema())


def problem_from_row(row: Mapping[str, Any]) -> Problem:
    """The problem that a row (a mapping of at least ``PROBLEM_COLUMNS``) was made from.

    Raises
    ------
    InputError
        A column is missing, or its value is none that a problem can have.
    """
    missing = [name for name in PROBLEM_COLUMNS if name not in row]
    if missing:
        raise InputError(
            f"the dataset lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}"
        )
    fields = {name: row[name] for name in PROBLEM_COLUMNS}
    try:
        fields["answer_type"] = AnswerType(row["answer_type"])
        fields["identity"] = json.loads(row["identity"])
        fields["options"] = None if row["options"] is None else tuple(row["options"])
    except (TypeError, ValueError) as error:
        raise InputError(f"row {row['id']!r} is not a problem: {error}") from error
    if fields["options"] is not None and fields["answer"] not in fields["options"]:
        raise InputError(f"row {row['id']!r} is not a problem: its answer is not an option")
    return Problem(**fields)


def _only(images: Sequence[bytes]) -> bytes:
    if len(images) != 1:
        raise ValueError(f"a problem has one picture, not {len(images)}")
    return images[0]
