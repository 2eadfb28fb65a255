"""The cells of a board's table.

Conventions
-----------
* Every text goes through ``text``, which escapes it for content and attributes alike.
* A cell that can be sorted by bears ``data-key``, and ``data-value`` where it has a
  figure; ``data-label`` is its heading on a narrow screen.
* A track spans 0 to 100 %; ``--v`` (bar), ``--lo`` and ``--hi`` (whisker) and ``--c`` (mark)
  are percentages of it.
"""

from __future__ import annotations

import math
import re
from html import escape
from urllib.parse import quote

from leaderboards.board import Entry, Figure, Group

NO_FIGURE = '<span class="faint">–</span>'
KIND_WORDS = {
    "perfect": "knows the key",
    "random": "picks at random",
    "scripted": "follows a script",
    "chance": "one over the options",
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")


def text(words: str) -> str:
    """Untrusted words as HTML, control characters made visible."""
    return escape(_CONTROLS.sub("\ufffd", words), quote=True)


def heading(name: str) -> str:
    """A name of ours as a heading: ``sheet_music`` as ``Sheet music``."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def percent(share: float) -> str:
    """A share as a percentage with one decimal place, halves up as the script rounds them."""
    return f"{math.floor(1000 * share + 0.5) / 10:.1f}"


def rank_cell(entry: Entry) -> str:
    """The rank; empty for baselines and partial runs."""
    if entry.rank is None:
        return '<td role="cell" class="rank none"><span class="hidden-text">unranked</span></td>'
    return f'<td role="cell" class="rank">{entry.rank}</td>'


def name_cell(entry: Entry, group: Group) -> str:
    """The name, which opens the details of a run, and what must be known beside it."""
    name = f"<b><bdi>{_name(entry)}</bdi></b>"
    if entry.run:
        head = f'<button type="button" class="name" aria-expanded="false" disabled>{name}</button>'
    else:
        head = f'<span class="name fixed">{name}</span>'
    notes = _tags(entry, group)
    words = KIND_WORDS.get(entry.kind, entry.sampling)
    if words:
        notes.append(text(words))
    if entry.report is not None:
        label = text(f"Report of {entry.name}")
        notes.append(f'<a href="{text(quote(entry.report))}" aria-label="{label}">report</a>')
    below = f'<p class="sub">{" ".join(notes)}</p>' if notes else ""
    return (
        f'<th role="rowheader" scope="row" class="who" data-key="model" data-kind="text" '
        f'data-value="{text(entry.name)}">{head}{below}</th>'
    )


def accuracy_cell(entry: Entry, group: Group) -> str:
    """The accuracy with its interval, in figures and drawn."""
    figure = entry.accuracy
    head = '<td role="cell" class="score" data-key="accuracy"'
    if figure is None:
        return f"{head}>{NO_FIGURE}</td>"
    marks = _mark(group.chance) + ("" if group.blind is None else _mark(group.blind, " blind"))
    span = ""
    if figure.low is not None and figure.high is not None:
        span = f"<span>{percent(figure.low)} to {percent(figure.high)}</span>"
    return (
        f'{head} data-value="{figure.value!r}"><div class="fig"><b>{percent(figure.value)}</b>'
        f"{span}</div>{_track(figure, marks)}</td>"
    )


def category_cell(key: str, category: str, figure: Figure | None, chance: float) -> str:
    """The accuracy on one category."""
    label = text(heading(category))
    head = f'<td role="cell" class="cat" data-key="{key}" data-label="{label}"'
    if figure is None:
        return f"{head}>{NO_FIGURE}</td>"
    hint = f"{figure.problems:,} problems"
    if figure.low is not None and figure.high is not None:
        hint = f"95 % interval {percent(figure.low)} to {percent(figure.high)}, {hint}"
    return (
        f'{head} data-value="{figure.value!r}" title="{hint}"><div class="fig">'
        f"<b>{percent(figure.value)}</b></div>{_track(figure, _mark(chance))}</td>"
    )


def levels_cell(entry: Entry, group: Group) -> str:
    """A bar for each level's accuracy."""
    head = '<td role="cell" class="levels" data-label="By level"'
    if not entry.levels:
        return f"{head}>{NO_FIGURE}</td>"
    said = ", ".join(f"level {name} {percent(f.value)} %" for name, f in entry.levels.items())
    bars = "".join(f'<i style="--v:{_width(f.value)}"></i>' for f in entry.levels.values())
    # One line can stand for chance only where all levels have the same.
    plain = "" if len(set(group.chance_by_level.values())) == 1 else " plain"
    return (
        f'{head} title="{text(said)}"><div class="steps{plain}" aria-hidden="true" '
        f'style="--c:{_width(group.chance)}">{bars}</div>'
        f'<span class="hidden-text">{text(said)}</span></td>'
    )


def share_cell(key: str, label: str, share: float | None) -> str:
    """A share as a percentage."""
    return number_cell(key, label, share, "" if share is None else f"{percent(share)}\u00a0%")


def number_cell(key: str, label: str, value: float | None, shown: str) -> str:
    """A number that is ``shown`` in some words; a dash where there is none."""
    head = f'<td role="cell" class="num" data-key="{key}" data-label="{text(label)}"'
    if value is None:
        return f"{head}>{NO_FIGURE}</td>"
    return f'{head} data-value="{value!r}">{text(shown)}</td>'


def _name(entry: Entry) -> str:
    organisation, slash, model = entry.name.rpartition("/")
    if entry.baseline or not slash:
        return text(entry.name)
    return f'<span class="org">{text(organisation + slash)}</span>{text(model)}'


def _tags(entry: Entry, group: Group) -> list[str]:
    tags = []
    if entry.baseline:
        tags.append('<span class="tag">baseline</span>')
    elif entry.partial:
        count = f"{entry.problems:,} of {group.problems:,} problems"
        if entry.problems >= group.problems:
            count = "unfinished"
        tags.append(f'<span class="tag warn">{count}</span>')
    if entry.errors:
        word = "error" if entry.errors == 1 else "errors"
        tags.append(f'<span class="tag warn">{entry.errors:,} {word}</span>')
    return tags


def _track(figure: Figure, marks: str) -> str:
    whisker = ""
    if figure.low is not None and figure.high is not None:
        ends = f"--lo:{_width(figure.low)};--hi:{_width(figure.high)}"
        whisker = f'<span class="whisker" style="{ends}"></span>'
    bar = f'<span class="bar" style="--v:{_width(figure.value)}"></span>'
    return f'<div class="track" aria-hidden="true">{bar}{marks}{whisker}</div>'


def _mark(share: float, kind: str = "") -> str:
    return f'<span class="mark{kind}" style="--c:{_width(share)}"></span>'


def _width(share: float) -> str:
    return f"{100 * share:.3f}"
