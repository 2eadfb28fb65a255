"""A page with one item of each task and level, to be checked by eye against its key.

Conventions
-----------
* The items are those of index 0 of the split, at the seed asked for, so that another
  seed shows others.
* The page is one file that needs nothing else: pictures stand in it as they are, byte
  for byte, and no script runs in it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from string import Template

from benchgen.errors import InputError
from benchgen.files import write_whole
from benchgen.problem import LETTERS, Problem
from benchgen.suite import Suite, find_suite
from benchgen.task import find_task, list_tasks, make

_SIGNATURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def write_gallery(suite: str, out: Path, seed: int = 0, split: str = "test") -> int:
    """Write the gallery of ``suite`` to the file ``out``; return how many items it shows.

    Raises
    ------
    InputError
        There is no such suite or split, or the file cannot be written.
    """
    problems = list(gallery_problems(suite, seed, split))
    page = gallery_html(find_suite(suite), problems, seed, split)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, page.encode("utf-8"))
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from None
    return len(problems)


def gallery_problems(suite: str, seed: int, split: str) -> Iterator[Problem]:
    """The items, task by task and level by level."""
    for task in list_tasks(suite):
        for level in find_task(task).levels:
            yield make(task, split=split, seed=seed, index=0, level=level)


def gallery_html(suite: Suite, problems: Sequence[Problem], seed: int, split: str) -> str:
    """The page; the problems of one task stand side by side."""
    by_task = [(task, list(items)) for task, items in groupby(problems, key=lambda p: p.task)]
    return Template(_template()).substitute(
        title=escape(suite.title),
        facts=escape(
            f"{len(problems)} items: one of each of {len(by_task)} tasks and each level, "
            f"{split} split, seed {seed}, suite version {suite.version}."
        ),
        contents="".join(
            f'<li><a href="#{_anchor(task)}">{_words(task)}</a></li>' for task, _ in by_task
        ),
        tasks="\n".join(_task(task, items, suite) for task, items in by_task),
    )


def _template() -> str:
    return files("benchgen").joinpath("gallery.html").read_text(encoding="utf-8")


def _words(task: str) -> str:
    name = task.rpartition("/")[2].replace("_", " ")
    return escape(name[:1].upper() + name[1:])


def _anchor(task: str) -> str:
    # A digest, so that no name of a task can be a fault in an address or an attribute.
    return f"t{hashlib.blake2b(task.encode(), digest_size=6).hexdigest()}"


def _task(task: str, problems: Sequence[Problem], suite: Suite) -> str:
    items = "\n".join(_item(problem, suite) for problem in problems)
    return f"""<section id="{_anchor(task)}">
  <header><h2>{_words(task)}</h2><p><code>{escape(task)}</code>, {escape(problems[0].category)}</p>
  </header>
{items}
</section>"""


def _item(problem: Problem, suite: Suite) -> str:
    pictures = problem.images() if "image" in suite.modalities else ()
    drawn = "".join(_picture(data, n, problem) for n, data in enumerate(pictures, start=1))
    stimulus = f'<div class="pictures">{drawn}</div>' if drawn else ""
    if "text" in suite.modalities:
        stimulus += f"<pre>{escape(problem.text().rstrip())}</pre>"
    key = f"<h4>Key: {escape(problem.target)}{_spelled(problem)}</h4>"
    solution = "" if problem.solution is None else f"<p>{escape(problem.solution)}</p>"
    return f"""  <article>
    <h3>Level {problem.level}</h3>
    <p class="question">{escape(problem.question)}</p>
    <div class="stimulus">{stimulus}</div>
    <div class="answer">
      {_options(problem)}
      <div class="solution">{key}{solution}</div>
    </div>
    <p class="identity"><code>{escape(problem.id)}</code> content <code>\
{escape(problem.content_key)}</code></p>
  </article>"""


def _spelled(problem: Problem) -> str:
    return "" if problem.options is None else f", {escape(problem.answer)}"


def _options(problem: Problem) -> str:
    if problem.options is None:
        return ""
    lines = []
    for letter, option in zip(LETTERS, problem.options, strict=False):
        right = option == problem.answer
        mark = ' class="key"' if right else ""
        said = '<span class="said"> (key)</span>' if right else ""
        lines.append(f"<li{mark}><b>{letter}</b> {escape(option)}{said}</li>")
    return f'<ul class="options">{"".join(lines)}</ul>'


def _picture(data: bytes, number: int, problem: Problem) -> str:
    packed = base64.b64encode(data).decode("ascii")
    label = escape(f"{problem.id}, picture {number}")
    return f'<img src="data:{_media_type(data)};base64,{packed}" alt="{label}">'


def _media_type(data: bytes) -> str:
    for signature, name in _SIGNATURES.items():
        if data.startswith(signature):
            return name
    raise ValueError(f"a picture of an unknown kind, beginning with {data[:4]!r}")
