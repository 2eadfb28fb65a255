"""Any table of questions whose columns the caller names.

Conventions
-----------
* The options are one column that holds a list, a mapping or either of these as JSON (in
  CSV), or one column each. A mapping is in its own order, or by number if all keys are numbers.
* What is empty in a mapping or a column of its own offers nothing, but keeps its label: a
  mapping's keys, and what tells the columns apart where that is a letter or a number each.
* An answer that is one of the options' columns holds the right option itself. It would stand
  in one place throughout, so the options are put in an order of their own.
* A row needs no stimulus beside its question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.imports import Reader
from benchgen.outside import (
    Columns,
    Outside,
    Slot,
    filled,
    in_order_of_content,
    name_of,
    picture_of,
    right_option,
    short_labels,
    words_of,
)
from benchgen.tabular import each_once


def reader(columns: Columns | None) -> Reader:
    """Reads rows by the columns that were named.

    Raises
    ------
    InputError
        None were.
    """
    if columns is None:
        raise InputError("a table takes --question, --options and --answer: its columns' names")
    if len(set(columns.options)) < len(columns.options):
        raise InputError("a column of options is named twice")
    key_is_option = columns.answer in columns.options
    answer_is = columns.answer_is or ("text" if key_is_option else "")

    def item(row: Mapping[str, Any], beside: Path) -> Outside:
        shown = _value(row, columns.image) if columns.image else None
        picture = None if shown in (None, "") else picture_of(shown, beside)
        written = _value(row, columns.text) if columns.text else None
        alone = None if picture is not None and written is None else ""
        slots = _slots(row, columns.options)
        answer = _value(row, columns.answer)
        category = name_of(words_of(row, columns.category)) if columns.category else "all"
        asked = Outside(
            question=words_of(row, columns.question),
            options=filled(slots),
            right=right_option(answer, slots, answer_is),
            kind=category,
            category=category,
            text=alone if written is None else words_of(row, columns.text),
            notation=columns.notation,
            picture=picture,
        )
        return in_order_of_content(asked) if key_is_option else asked

    return item


def _slots(row: Mapping[str, Any], columns: tuple[str, ...]) -> list[Slot]:
    if len(columns) == 1:
        return _unpacked(_value(row, columns[0]), columns[0])
    texts = [_text(row, column) for column in columns]
    labels = short_labels(columns)
    if not labels:
        return [Slot(text) for text in texts]
    return [Slot(text, (label,)) for text, label in zip(texts, labels, strict=True)]


def _text(values: Mapping[str, Any], name: str) -> str | None:
    return None if _value(values, name) in (None, "") else words_of(values, name)


def _value(row: Mapping[str, Any], column: str) -> object:
    if column not in row:
        raise InputError(f"it lacks the column {column}")
    return row[column]


def _unpacked(value: object, column: str) -> list[Slot]:
    if isinstance(value, str):
        try:
            value = json.loads(value, object_pairs_hook=each_once)
        except InputError:
            raise
        except (ValueError, RecursionError):
            raise InputError(f"its {column} are no list") from None
    if isinstance(value, Mapping):
        names = _in_order(value)
        short = short_labels(names) or names
        return [
            Slot(_text(value, name), (name, part)) for name, part in zip(names, short, strict=True)
        ]
    if isinstance(value, list):
        told = {f"option {at}": option for at, option in enumerate(value, 1)}
        return [Slot(words_of(told, place)) for place in told]
    raise InputError(f"its {column} are no list")


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    numbers = all(name.isascii() and name.isdigit() for name in names)
    return tuple(sorted(names, key=int) if numbers else names)
