r"""A dataset folder that ``inspect eval hf/ORGANISATION/NAME`` runs once it is on the Hub.

Conventions
-----------
* The folder holds ``eval.yaml``, a lean Parquet file (what Inspect reads, and no more) in
  a configuration named after the modality, and a README that declares it. It may be
  published by itself or laid into a richer dataset.
* A picture is a data URI in a column of its own: Inspect reads no other. It shows the
  picture after the words.
* The prompt is that of ``benchgen eval``, which asks for the letter in a box. Inspect runs
  no scorer of ours, so its ``pattern`` scorer reads the box: after the last thought, all
  boxes have to hold one and the same letter. It is plainer than ``benchgen.score``: an
  option's text in the box, or an answer without a box, is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Template
from typing import TYPE_CHECKING

from benchgen import __version__
from benchgen.export import Source, data_uri, parquet, quoted

if TYPE_CHECKING:
    import pyarrow as pa

ENTRY = "eval.yaml"
METADATA = ("id", "task", "category", "level")

_OPEN, _CLOSE = r"\\boxed\{\s{0,4}(?:\\text\{)?\(?", r"\)?\s{0,4}\}{1,2}"
_OTHER = r"(?!\\boxed\{|</?think>)."
BOXED_LETTER = (
    rf"(?s)\A(?:.*</think>)?(?:{_OTHER})*{_OPEN}([A-Z]){_CLOSE}(?! if the first option)"
    rf"(?:{_OTHER}|{_OPEN}\1{_CLOSE})*\Z"
)
"""What the reply has to match; the group is the letter. The prompt's own example is none."""

_EVAL = Template("""\
name: $name
description: $description
evaluation_framework: inspect-ai
tasks:
""")

_TASK = Template("""\
  - id: $name
    config: $modality
    split: test
    field_spec:
      input: prompt
      target: target
${image}      metadata: [$metadata]
    solvers:
      - name: generate
    scorers:
      - name: pattern
        args:
          pattern: '$pattern'
""")

_README = Template("""\
---
${licence}configs:
  - config_name: $modality
    data_files:
      - split: test
        path: $path
---
# $name

$description

Once this folder is a dataset on the Hub, Inspect runs it by its name there:

    inspect eval hf/ORGANISATION/NAME --model MODEL

A reply is right if all boxes (`\\boxed{B}`) that stand in it after its thoughts hold the letter of
the right option and nothing else. `benchgen eval` reads other kinds of answers, too.

Made by benchgen $benchgen. Data: SHA-256 $digest, suite version $version.
""")


def files(source: Source) -> Mapping[str, bytes]:
    """The dataset folder.

    Raises
    ------
    InputError
        A picture is neither PNG nor JPEG.
    """
    lean = lean_files([source], source.name, describe(source))
    values = {
        "name": source.name,
        "description": describe(source),
        "modality": source.modality,
        "path": lean_path(source),
        "licence": f"license: {quoted(source.licence.lower())}\n" if source.licence else "",
        "benchgen": __version__,
        "digest": source.digest,
        "version": source.version,
    }
    evaluation = lean.pop(ENTRY)
    return {**lean, "README.md": _README.substitute(values).encode(), ENTRY: evaluation}


def lean_files(sources: Sequence[Source], name: str, description: str) -> dict[str, bytes]:
    """What Inspect needs of a repository: a Parquet file for each source, one a modality, and
    ``eval.yaml``, in which each is a task of its own. A README has to declare the files as
    configurations (``lean_path``).

    Raises
    ------
    InputError
        A picture is neither PNG nor JPEG.
    """
    words = {"name": quoted(name), "description": quoted(description)}
    tasks = [
        _TASK.substitute(
            name=quoted(source.name),
            modality=source.modality,
            metadata=", ".join(METADATA),
            image="      input_image: image\n" if source.modality == "image" else "",
            pattern=BOXED_LETTER,
        )
        for source in sources
    ]
    tables = {lean_path(source): parquet(_table(source)) for source in sources}
    return {**tables, ENTRY: (_EVAL.substitute(words) + "".join(tasks)).encode()}


def lean_path(source: Source) -> str:
    """Where a source's Parquet file lies in the repository."""
    return f"{source.modality}/test-00000-of-00001.parquet"


def describe(source: Source) -> str:
    """The problems in a sentence."""
    seen = "pictures" if source.modality == "image" else "text"
    suites = ", ".join(sorted({item.problem.suite for item in source.items}))
    return f"{len(source.items)} multiple-choice problems of {suites} as {seen}."


def _table(source: Source) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, list[str | int]] = {
        "id": [item.problem.id for item in source.items],
        "task": [item.problem.task for item in source.items],
        "category": [item.problem.category for item in source.items],
        "level": [item.problem.level for item in source.items],
        "prompt": [item.prompt for item in source.items],
        "target": [item.problem.target for item in source.items],
    }
    if source.modality == "image":
        columns["image"] = [data_uri(item) for item in source.items]
    return pa.table(columns)
