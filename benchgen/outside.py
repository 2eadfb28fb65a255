"""A question that was not made here, and the dataset row that it becomes.

Conventions
-----------
* Nothing of ours can render it anew or prove it: the row holds its stimulus, and its identity
  only says where it came from and in which notation its text is.
* A question that stands alone has an empty text, which the prompt leaves out. One
  that only a picture belongs to has no text.
* A wrong key is worse than none: whatever an answer may mean is looked at, and where two meanings
  name two options the caller has to say which one it is. Two words are the same here if they
  differ by blanks, by how a number is written (2, 2.0), or by the case of a single letter.
* Where the source always has the right option in one place, the options are put in an
  order that follows from the question's content, so that it is the same in every
  run and tells nothing of the key.
* An option that is a letter (a note, say) would be taken for a label of another one: where
  that is so, the options of one letter say "just B".
* ``level`` is 1 throughout: the sources state none.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from os.path import commonprefix
from pathlib import Path
from typing import Any

from benchgen.answers import read_choice
from benchgen.errors import InputError
from benchgen.problem import LETTERS, AnswerType, Problem
from benchgen.suite import find_suite

_ORIGIN = "outside"
# No option: an empty one, or a place counted where some are empty, missing or out of order.
_UNSURE = -1


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a caller names. ``options`` is one that holds all of them, or several.

    ``answer_is`` is ``label``, ``letter``, ``index`` (from 0), ``number`` (from 1) or ``text``;
    empty if it is to be seen from the answer. The optional columns are empty where there is none.
    """

    question: str
    options: tuple[str, ...]
    answer: str
    answer_is: str = ""
    text: str = ""
    notation: str = ""
    image: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for an option: ``text`` is None where it is empty, ``labels`` what it is called."""

    text: str | None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outside:
    """One question of an outside set; ``right`` counts from 0.

    ``kind`` becomes the task's name.
    """

    question: str
    options: tuple[str, ...]
    right: int
    kind: str
    category: str
    text: str | None
    notation: str = ""
    picture: bytes | None = None
    solution: str | None = None


def chosen_columns(
    *, question: str = "", options: Sequence[str] = (), answer: str = "", **others: str
) -> Columns | None:
    """The columns that a caller named, by their names; None if none was.

    Raises
    ------
    InputError
        Some were, but not those of the question, the options and the answer.
    """
    if not (question or options or answer or any(others.values())):
        return None
    if not (question and options and answer):
        raise InputError("a table takes --question, --options and --answer: its columns' names")
    return Columns(question, tuple(options), answer, **others)


def notation_of(problem: Problem) -> str:
    """The notation that a problem's text is in: its own, or its suite's first.

    Raises
    ------
    InputError
        It is neither from outside nor of a suite that is there.
    """
    if _ORIGIN in problem.identity:
        return str(problem.identity["notation"])
    return find_suite(problem.suite).notations[0]


def cluster_of(problem: Problem) -> str:
    """A name for what is not independent: twins, and outside questions on one stimulus."""
    return problem.identity.get("stimulus") or problem.twin_group


def outside_row(
    item: Outside, *, suite: str, layout: str, version: str, split: str, number: int
) -> dict[str, Any]:
    """The dataset row of the ``number``-th question (from 0) of a file.

    Raises
    ------
    InputError
        It has fewer than two options or more than there are letters, two of them are
        the same or could be taken for another's label, or the question is empty.
    """
    if not item.question.strip():
        raise InputError("the question is empty")
    if not 2 <= len(item.options) <= len(LETTERS):
        raise InputError(f"it has {len(item.options)} options")
    if len({" ".join(option.split()) for option in item.options}) < len(item.options):
        raise InputError("two of its options are the same")
    if not all(option.strip() for option in item.options):
        raise InputError("an option is empty")
    if _lettered_otherwise(item.options):
        raise InputError("its options carry letters of their own, in another order")
    options = _apart_from_labels(item.options)
    content = content_key(item)
    name = f"{suite}/{item.kind}"
    identity = {
        _ORIGIN: layout,
        "row": number,
        "notation": item.notation,
        "stimulus": _stimulus_key(item),
    }
    return {
        "id": f"{name}-{split}-{number:06d}",
        "task": name,
        "category": item.category,
        "level": 1,
        "split": split,
        "question": item.question,
        "options": list(options),
        "answer": options[item.right],
        "target": LETTERS[item.right],
        "answer_type": str(AnswerType.CHOICE),
        "solution": item.solution,
        "text": item.text,
        "image": None if item.picture is None else {"bytes": item.picture, "path": None},
        "video": None,
        "identity": json.dumps(identity),
        "content_key": content,
        "fact_key": content,
        "twin_group": f"{name}-{split}-{number:06d}",
        "suite_version": version,
        "seed": 0,
        "index": number,
    }


def content_key(item: Outside) -> str:
    """A digest of all that is shown, whatever the order of the options."""
    picture = hashlib.sha256(item.picture or b"").hexdigest()
    shown = [item.question, item.text, picture, sorted(item.options)]
    return _digest(json.dumps(shown))


def _stimulus_key(item: Outside) -> str:
    """A digest of the text and the picture; empty where the question stands alone."""
    if not item.text and item.picture is None:
        return ""
    return _digest(json.dumps([item.text, hashlib.sha256(item.picture or b"").hexdigest()]))


def in_order_of_content(item: Outside) -> Outside:
    """The question with its options in an order that does not tell which one is right."""
    content = content_key(item)
    options = sorted(item.options, key=lambda option: _digest(content + option))
    right = options.index(item.options[item.right])
    return replace(item, options=tuple(options), right=right)


def right_option(answer: object, slots: Sequence[Slot], answer_is: str = "") -> int:
    """Which of the filled slots (from 0) an answer names.

    It may name it by its label, its letter, its index from 0, its number from 1, or its text.
    The letter is the label where all labels are letters. Numbers as labels do not rule out an
    index: sets with the columns choice1 and choice2 have answers from 0.

    Raises
    ------
    InputError
        It names none, or an empty one; or ``answer_is`` does not say what it is, and two
        readings name two options or it is but a number.
    """
    readings = _readings(answer, slots)
    if answer_is:
        if answer_is not in readings:
            raise InputError(f"an answer is {', '.join(readings)}, not {answer_is!r}")
        readings = {answer_is: readings[answer_is]}
    possible = [name for name, places in readings.items() if places]
    found = {at for places in readings.values() for at in places}
    none = f"the answer {answer!r} names none of its {len(filled(slots))} options"
    if not found:
        raise InputError(none)
    if len(found) > 1:
        said = ", ".join(possible)
        raise InputError(f"the answer {answer!r} may name two options: say what it is ({said})")
    if found == {_UNSURE}:
        raise InputError(
            f"the answer {answer!r} names an empty option, or counts where some are empty, "
            "missing or out of order"
        )
    if not answer_is and {"index", "number"}.issuperset(possible):
        raise InputError(f"{none}, or counts them: say if it is an index (from 0) or a number")
    return found.pop()


def filled(slots: Sequence[Slot]) -> tuple[str, ...]:
    """The options that there are."""
    return tuple(slot.text for slot in slots if slot.text is not None)


def short_labels(names: Sequence[str]) -> tuple[str, ...]:
    """What tells names apart, if that is a letter or a number in each: ``a`` of ``option_a``.

    Nothing otherwise.
    """
    before = len(commonprefix(names).rstrip("0123456789"))
    ends = [name[before:] for name in names]
    after = len(commonprefix([end[::-1] for end in ends]).rstrip("0123456789"))
    parts = tuple(end[: len(end) - after] for end in ends)
    told = all(re.fullmatch(r"[A-Za-z]|[0-9]+", part) for part in parts)
    return parts if told else ()


def picture_of(value: object, beside: Path) -> bytes:
    """The bytes of a PNG or JPEG: given as such, in a mapping, or by a path in ``beside``.

    Raises
    ------
    InputError
        There is no such picture, it is of another kind, or the path leads elsewhere.
    """
    if isinstance(value, Mapping):
        value = value["bytes"] if value.get("bytes") is not None else value.get("path")
    if isinstance(value, str):
        if "\0" in value:
            raise InputError(f"the picture {value!r}: no file has such a name")
        place = (beside / value).resolve()
        if not place.is_relative_to(beside.resolve()):
            raise InputError(f"the picture {value!r} does not lie beside the file")
        try:
            value = place.read_bytes()
        except OSError as error:
            raise InputError(f"the picture {value!r}: {error.strerror or error}") from None
    if not isinstance(value, bytes) or not value.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        raise InputError("its picture is neither PNG nor JPEG")
    return value


def words_of(row: Mapping[str, Any], column: str) -> str:
    """The text in a column of a row; a number is taken as it is written.

    Raises
    ------
    InputError
        There is no such column, or it holds no text (NaN is none either).
    """
    if column not in row:
        raise InputError(f"it lacks the column {column}")
    value = row[column]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"its {column} is no text")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"its {column} is no text but {value}")
    return str(value)


def name_of(words: str) -> str:
    """Words, or one word in camel case, as a name: lower case, joined by underscores."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", words)
    return re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_") or "all"


def _lettered_otherwise(options: Sequence[str]) -> bool:
    """Whether the words of the options begin with the first letters, but not in their order."""
    own = [re.match(r"\s*\(?([A-Za-z])[.):]\s", option) for option in options]
    letters = [found[1].upper() if found else "" for found in own]
    return sorted(letters) == list(LETTERS[: len(options)]) != letters


def _apart_from_labels(options: tuple[str, ...]) -> tuple[str, ...]:
    if _labels_hold(options):
        return options
    told = tuple(f"just {option}" if len(option) == 1 else option for option in options)
    if not _labels_hold(told):
        raise InputError("an option could be taken for the label of another")
    return told


def _labels_hold(options: tuple[str, ...]) -> bool:
    return all(read_choice(LETTERS[at], options) == at for at in range(len(options)))


def _readings(answer: object, slots: Sequence[Slot]) -> dict[str, set[int]]:
    """What an answer names by each reading; nothing where it cannot be read so."""
    words = _words(answer)
    label = _by_label(words, slots)
    lettered = all(any(_is_letter(label) for label in slot.labels) for slot in slots)
    whole = _whole(words)
    return {
        "label": label,
        "letter": label if lettered else _by_place(_letter_place(words), slots),
        "index": _by_place(whole, slots),
        "number": _by_place(None if whole is None else whole - 1, slots),
        "text": _same(words, dict(enumerate(filled(slots)))),
    }


def _by_label(words: str, slots: Sequence[Slot]) -> set[int]:
    found: set[int] = set()
    for layer in range(max((len(slot.labels) for slot in slots), default=0)):
        labels = {at: slot.labels[layer] for at, slot in enumerate(slots) if slot.labels[layer:]}
        found |= {_among_filled(at, slots) for at in _same(words, labels)}
    return found


def _by_place(place: int | None, slots: Sequence[Slot]) -> set[int]:
    """What stands at a place; whether the source counted what is missing cannot be told."""
    if place is None or not 0 <= place < len(slots):
        return set()
    there = [slot.text is not None for slot in slots]
    # Empty ones may only come last.
    in_a_row = there == sorted(there, reverse=True) and _labels_in_a_row(slots)
    return {_among_filled(place, slots)} if in_a_row else {_UNSURE}


def _labels_in_a_row(slots: Sequence[Slot]) -> bool:
    """Whether each label, where all are letters or numbers, is the next one."""
    short = [slot.labels[-1].upper() if slot.labels else "" for slot in slots]
    if not all(re.fullmatch("[A-Z]|[0-9]{1,9}", label) for label in short):
        return True
    counts = [int(label) if label.isdigit() else LETTERS.index(label) for label in short]
    return all(after == before + 1 for before, after in pairwise(counts))


def _among_filled(at: int, slots: Sequence[Slot]) -> int:
    return _UNSURE if slots[at].text is None else len(filled(slots[:at]))


def _same(words: str, offered: Mapping[int, str]) -> set[int]:
    """Where the same words stand: to the letter if anywhere, else as one would read them."""
    if not words.strip():
        return set()
    exact = {at for at, other in offered.items() if other == words}
    return exact or {at for at, other in offered.items() if _plain(other) == _plain(words)}


def _plain(words: str) -> str | Decimal:
    number = _number(words)
    if number is not None:
        return number
    words = " ".join(words.split())
    return words.upper() if len(words) == 1 else words


def _words(answer: object) -> str:
    told = isinstance(answer, str | int | float) and not isinstance(answer, bool)
    lost = isinstance(answer, float) and not math.isfinite(answer)
    return str(answer) if told and not lost else ""


def _number(words: str) -> Decimal | None:
    told = re.fullmatch(r"\s*([+-]?\d{1,30}(?:\.\d{0,30})?)\s*", words, re.ASCII)
    return Decimal(told[1]) if told else None


def _whole(words: str) -> int | None:
    number = _number(words)
    return int(number) if number is not None and number == int(number) else None


def _letter_place(words: str) -> int | None:
    return LETTERS.index(words.strip().upper()) if _is_letter(words.strip()) else None


def _is_letter(words: str) -> bool:
    return len(words) == 1 and words.upper() in LETTERS


def _digest(words: str) -> str:
    return hashlib.blake2b(words.encode(), digest_size=16).hexdigest()
