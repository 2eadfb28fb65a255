"""MusicTheoryBench, as it was published: questions of a music college, some with ABC.

Conventions
-----------
* The question is ``stem``; ``instruction`` is another prompt's and is left out.
* ``options`` maps letters to options; a letter without a text offers nothing.
* ``analysis`` is the worked solution, where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.imports import Reader
from benchgen.outside import Columns, Outside, Slot, filled, name_of, right_option, words_of


def reader(columns: Columns | None) -> Reader:
    """Reads rows of MusicTheoryBench.

    Raises
    ------
    InputError
        Columns were named: this layout has its own.
    """
    if columns is not None:
        raise InputError("the columns of MusicTheoryBench are known: name none")
    return _item


def _item(row: Mapping[str, Any], beside: Path) -> Outside:
    offered = row.get("options")
    if not isinstance(offered, Mapping) or not all(len(letter) == 1 for letter in offered):
        raise InputError("its options are no mapping from letters")
    letters = sorted(offered)
    if len({letter.upper() for letter in letters}) < len(letters):
        raise InputError("two of its options have the same letter")
    slots = [Slot(_text(offered, letter), (letter,)) for letter in letters]
    subject = name_of(words_of(row, "subject"))
    return Outside(
        question=words_of(row, "stem"),
        options=filled(slots),
        right=right_option(words_of(row, "answer"), slots, "label"),
        kind=subject,
        category=subject,
        text=_text(row, "abc_score") or "",
        notation="abc",
        solution=_text(row, "analysis") or None,
    )


def _text(values: Mapping[str, Any], name: str) -> str | None:
    return None if values.get(name) in (None, "") else words_of(values, name).strip()
