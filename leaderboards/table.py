"""One group of a board as a table, with its facts and legend.

Conventions
-----------
* Each row has a ``tbody`` of its own, which also holds the row of its details, so
  that the two stay together when rows move. ``data-entry`` is ``group.entry``, its place
  in the board's JSON; ``data-place`` its place in the order by accuracy.
* The roles are written out because the narrow layout makes blocks of the cells,
  which would take a table's meaning away.
"""

from __future__ import annotations

from dataclasses import dataclass

from leaderboards.board import Entry, Group
from leaderboards.cells import (
    accuracy_cell,
    category_cell,
    heading,
    levels_cell,
    name_cell,
    number_cell,
    percent,
    rank_cell,
    share_cell,
    text,
)

UP, DOWN = "ascending", "descending"
AXIS = "".join(f'<span style="--c:{tick}">{tick}</span>' for tick in (0, 25, 50, 75, 100))


@dataclass(frozen=True, slots=True)
class Column:
    """A column; one without a key cannot be sorted by. ``first`` is where a click begins."""

    key: str
    heading: str
    kind: str
    first: str = DOWN


def group_html(group: Group, place: int) -> str:
    """The section of one group."""
    name = f"{heading(group.suite)}, {group.modality}"
    columns = _columns(group)
    rows = "\n".join(_row(e, group, f"{place}.{i}", i) for i, e in enumerate(group.entries))
    return f"""<section class="group" aria-labelledby="group-{place}">
  <div class="group-head">
    <h2 id="group-{place}">{text(name)}</h2>
    <p class="facts">{_facts(group)}</p>
  </div>
  {_legend(group)}
  {_sort_choice(columns)}
  <div class="frame" role="region" tabindex="0" aria-labelledby="group-{place}">
  <table class="board" role="table" aria-labelledby="group-{place}">
  {_head(columns)}
{rows}
  </table>
  <p class="nothing" hidden>Nothing of that name here.</p>
  </div>
</section>"""


def has_twins(group: Group) -> bool:
    """Whether the group's data hold whole groups of twins."""
    return any(entry.twins is not None for entry in group.entries)


def _columns(group: Group) -> list[Column]:
    columns = [
        Column("", "Rank", "rank"),
        Column("model", "Model", "who", UP),
        Column("accuracy", "Accuracy, %", "score"),
    ]
    for index, category in enumerate(group.chance_by_category):
        columns.append(Column(f"cat-{index}", heading(category), "cat"))
    columns.append(Column("", "By level", "levels"))
    if has_twins(group):
        columns.append(Column("twins", "All twins", "num"))
    columns.append(Column("unparsed", "Unparsed", "num", UP))
    columns.append(Column("truncated", "Truncated", "num", UP))
    columns.append(Column("tokens", "Tokens", "num", UP))
    return columns


def _row(entry: Entry, group: Group, address: str, place: int) -> str:
    outcomes = entry.outcomes or {}
    cells = [rank_cell(entry), name_cell(entry, group), accuracy_cell(entry, group)]
    for index, (category, chance) in enumerate(group.chance_by_category.items()):
        figure = entry.categories.get(category)
        cells.append(category_cell(f"cat-{index}", category, figure, chance))
    cells.append(levels_cell(entry, group))
    if has_twins(group):
        share = None if entry.twins is None else entry.twins.value
        cells.append(share_cell("twins", "All twins", share))
    cells.append(share_cell("unparsed", "Unparsed", outcomes.get("unparsed")))
    cells.append(share_cell("truncated", "Truncated", outcomes.get("truncated")))
    cells.append(number_cell("tokens", "Tokens", entry.tokens, f"{entry.tokens or 0:,.0f}"))
    detail = ""
    if entry.run:
        inside = f'<td role="cell" colspan="{len(cells)}"></td>'
        detail = f'<tr role="row" class="detail" hidden>{inside}</tr>'
    kinds = ["entry", *["baseline"] * entry.baseline, *["bare"] * (not entry.run)]
    return (
        f'  <tbody role="rowgroup" class="{" ".join(kinds)}" data-entry="{address}" '
        f'data-place="{place}"><tr role="row">{"".join(cells)}</tr>{detail}</tbody>'
    )


def _head(columns: list[Column]) -> str:
    cells = []
    for column in columns:
        open_tag = f'<th role="columnheader" scope="col" class="{column.kind}"'
        if not column.key:
            cells.append(f'{open_tag}><span class="plain">{text(column.heading)}</span></th>')
            continue
        chosen = column.key == "accuracy"
        axis = f'<span class="axis" aria-hidden="true">{AXIS}</span>' if chosen else ""
        cells.append(
            f'{open_tag} data-sort="{column.key}" data-first="{column.first}" '
            f'aria-sort="{DOWN if chosen else "none"}">'
            f'<button type="button">{text(column.heading)}</button>{axis}</th>'
        )
    return f'<thead role="rowgroup"><tr role="row">{"".join(cells)}</tr></thead>'


def _sort_choice(columns: list[Column]) -> str:
    """What takes the place of the headings on a narrow screen."""
    options = "".join(
        f'<option value="{column.key}"{" selected" if column.key == "accuracy" else ""}>'
        f"{text(column.heading)}</option>"
        for column in columns
        if column.key
    )
    return (
        f'<div class="sort-phone"><label>Sort by <select>{options}</select></label>'
        f'<button type="button" aria-label="Order: {DOWN}">↓</button></div>'
    )


def _facts(group: Group) -> str:
    count = f"{group.problems:,}"
    if group.problems < group.data_problems:
        count += f" of {group.data_problems:,}"
    brief = group.digest.rpartition(":")[2][:12]
    return " · ".join(
        (
            f"{count} problems, {text(group.split)} split",
            f"{len(group.chance_by_task)} tasks",
            f"{len(group.chance_by_level)} levels",
            f'data <code title="{text(group.digest)}">{text(brief)}</code>',
        )
    )


def _legend(group: Group) -> str:
    items = [
        '<li><i class="k-bar"></i>share of right replies</li>',
        '<li><i class="k-whisker"></i>95&nbsp;% interval</li>',
        f'<li><i class="k-chance"></i>chance {percent(group.chance)}&nbsp;%</li>',
    ]
    if group.blind is not None:
        share = percent(group.blind)
        items.append(f'<li><i class="k-blind"></i>best blind predictor {share}&nbsp;%</li>')
    return f'<ul class="legend" aria-hidden="true">{"".join(items)}</ul>'
