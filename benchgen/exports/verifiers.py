r"""An environment for verifiers: a package with a taskset, which prime-rl and ``vf-eval`` load.

Conventions
-----------
* verifiers 0.4 finds an environment by the name of an installed package that exports one
  ``Taskset`` (and one ``Harness``, here the plain chat: its own default gives the model a shell).
  What ``load_environment`` gives of that name is verifiers' own affair.
* The package holds the data as JSON lines, the fields of a task's data: ``prompt`` as messages
  (a picture as a data URI before the words) and ``problem``, the whole problem as JSON.
* verifiers tells why a reply ended: one that was cut off is worth nothing, as everywhere here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template
from typing import Any

from benchgen import __version__
from benchgen.export import Item, Source, data_uri, lessons

_PACKAGE = Template('''\
"""$count problems as verifiers 0.4 loads them; the reward is what benchgen.score gives a reply."""

import json
from pathlib import Path

import verifiers.v1 as vf
from verifiers.v1.harnesses.null import NullHarness

import benchgen

__all__ = ["NullHarness", "Problems"]


class ProblemData(vf.TaskData):
    """``problem`` is the problem as JSON."""

    problem: str


class ProblemTask(vf.Task[ProblemData]):
    """One problem, answered in one reply."""

    @vf.reward
    async def correctness(self, trace: vf.Trace) -> float:
        """1.0 for a right reply, 0.0 for any other; one that was cut off is none."""
        ended = "length" if trace.is_truncated else "stop"
        reply = benchgen.Response(self.data.id, trace.last_reply, ended)
        return benchgen.score(benchgen.Problem.from_json(self.data.problem), reply).value


class Problems(vf.Taskset[ProblemTask, vf.TasksetConfig]):
    """The problems beside this file."""

    def load(self):
        with Path(__file__).with_name("data.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                yield ProblemTask(ProblemData(**json.loads(line)), self.config.task)
''')

_PYPROJECT = Template("""\
[project]
name = $quoted_name
version = "0.1.0"
description = $description
requires-python = ">=3.11"
dependencies = ["benchgen", "verifiers>=0.4"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["$package"]
""")

_README = Template("""\
# $name

$count problems ($modality) from benchgen $benchgen as an environment for verifiers 0.4. It depends
on benchgen, which scores the replies.

    pip install FOLDER
    vf-eval $name --model MODEL --client.base-url ADDRESS/v1 --num-rollouts 8 \\
        --env.agent.runtime.type subprocess --no-push

verifiers, prime-rl and what else trains on its environments know it as the taskset `$name`.

- The reward `correctness` is `benchgen.score`, as in `benchgen train`; a reply that was cut off is
  worth nothing.
- The model is asked in a plain chat (the harness `null`), without tools.
$note- Data: SHA-256 $digest, suite version $version, licence: $licence.
""")

_IMAGE_NOTE = """\
- Each problem has a picture: the model has to be one that reads pictures.
"""


def files(source: Source) -> Mapping[str, bytes]:
    """The package, what installs it, and the README.

    Raises
    ------
    InputError
        An item is of the split test, or its picture is neither PNG nor JPEG.
    """
    package = source.name.replace("-", "_").lower()
    count = str(len(source.items))
    values = {
        "name": source.name,
        "quoted_name": json.dumps(source.name),
        "package": package,
        "description": json.dumps(f"{count} problems ({source.modality}) made by benchgen"),
        "modality": source.modality,
        "count": count,
        "benchgen": __version__,
        "version": source.version,
        "digest": source.digest,
        "licence": source.licence or "not stated",
        "note": _IMAGE_NOTE if source.modality == "image" else "",
    }
    lines = [json.dumps(_row(item), ensure_ascii=False) + "\n" for item in lessons(source)]
    return {
        f"{package}/data.jsonl": "".join(lines).encode(),
        "README.md": _README.substitute(values).encode(),
        "pyproject.toml": _PYPROJECT.substitute(values).encode(),
        f"{package}/__init__.py": _PACKAGE.substitute(values).encode(),
    }


def _row(item: Item) -> dict[str, Any]:
    content: str | list[dict[str, Any]] = item.prompt
    if item.picture is not None:
        picture = {"type": "image_url", "image_url": {"url": data_uri(item)}}
        content = [picture, {"type": "text", "text": item.prompt}]
    return {
        "id": item.problem.id,
        "name": item.problem.task,
        "prompt": [{"role": "user", "content": content}],
        "problem": item.problem.to_json(),
    }
