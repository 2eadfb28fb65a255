"""One dataset row, proved again from what is written in it.

A fault is one line that begins with the name of its check:

* ``identity``: the stored identity is a score of the row's class, and none of its
  notes is one on which readers of signs would part;
* ``text``: the ABC reads back as that score;
* ``options``: exactly one option is right, it is the answer, and the target is its
  letter;
* ``picture``: the SVG engraved from the identity shows that score, glyph by glyph;
* ``raster``: the stored picture is that SVG, for our rasteriser and for another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchgen.sheet_music.proof.abc_reader import read_abc
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.judge import judge_written
from benchgen.sheet_music.proof.pitches import unsure_signs
from benchgen.sheet_music.proof.raster import raster_faults
from benchgen.sheet_music.proof.scan import picture_differences, read_picture
from benchgen.sheet_music.proof.written import Written, differences, written_from_json

CHECKS: Mapping[str, str | None] = {
    "identity": None,
    "text": "text",
    "options": None,
    "picture": "image",
    "raster": "image",
}
"""Every check, and the column that must hold something for it to apply."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Engraving:
    """How pictures are made: a stored score to SVG, and SVG to PNG."""

    draw: Callable[[Mapping[str, Any]], str]
    rasterise: Callable[[str], bytes]


def prove(row: Mapping[str, Any]) -> list[str]:
    """What is wrong with a row, one line a fault; nothing for a sound one."""
    return prove_row(row, _engraving())


def prove_row(row: Mapping[str, Any], engraving: Engraving) -> list[str]:
    """``prove`` with a given way of making pictures."""
    try:
        score = _stored_score(row)
        stored = written_from_json(score)
    except Fault as fault:
        return [f"identity: {fault}"]
    faults = [f"identity: {line}" for line in unsure_signs(stored)]
    shown = []
    if row["text"] is not None:
        shown += _prove_text(row["text"], stored, faults)
    if row["image"] is not None:
        shown += _prove_picture(row["image"], score, engraving, faults)
    if row["text"] is None and row["image"] is None:
        faults.append("identity: the row shows neither text nor picture")
    for written in dict.fromkeys(shown):
        faults += [f"options: {line}" for line in option_faults(row, written)]
    return faults


def option_faults(row: Mapping[str, Any], written: Written) -> list[str]:
    """What is wrong with the options and the key of a row that shows ``written``."""
    options = row["options"]
    if not options or len(options) > len(_LETTERS):
        return ["there are no options, or too many"]
    if len(set(options)) != len(options):
        return ["an option stands there twice"]
    try:
        verdicts = judge_written(row["task"], row["question"], options, written)
    except Fault as fault:
        return [str(fault)]
    right = [place for place, verdict in enumerate(verdicts) if verdict]
    if len(right) != 1:
        names = ", ".join(options[place] for place in right) or "none"
        return [f"{len(right)} options are right: {names}"]
    (place,) = right
    lines = []
    if row["answer"] != options[place]:
        lines.append(f"the answer is {row['answer']!r}, but {options[place]!r} is right")
    if row["target"] != _LETTERS[place]:
        lines.append(f"the target is {row['target']!r}, but {_LETTERS[place]} is right")
    return lines


def _stored_score(row: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        identity = json.loads(row["identity"])
    except (TypeError, ValueError) as error:
        raise Fault(f"not JSON: {error}") from error
    if not isinstance(identity, dict) or not isinstance(identity.get("score"), dict):
        raise Fault("it holds no score")
    if identity.get("task") != row["task"].rpartition("/")[2]:
        raise Fault(f"it is of the class {identity.get('task')!r}, the row of {row['task']!r}")
    per_system = identity["score"].get("bars_per_system")
    if not isinstance(per_system, int) or per_system < 1:
        raise Fault(f"{per_system!r} bars make a system")
    score: Mapping[str, Any] = identity["score"]
    return score


def _prove_text(text: str, stored: Written, faults: list[str]) -> list[Written]:
    """What the ABC says (in a list; none if it cannot be read), its faults added."""
    try:
        written = read_abc(text)
    except Fault as fault:
        faults.append(f"text: {fault}")
        return []
    faults += [f"text: {line}" for line in differences(written, stored)]
    return [written]


def _prove_picture(
    image: Mapping[str, Any],
    score: Mapping[str, Any],
    engraving: Engraving,
    faults: list[str],
) -> list[Written]:
    """What the picture shows (in a list; none if it cannot be read), its faults added."""
    try:
        svg = engraving.draw(score)
    except (ValueError, RuntimeError) as error:  # what the engraver refuses cannot be shown
        faults.append(f"picture: the stored score cannot be engraved: {error}")
        return []
    redrawn = engraving.rasterise(svg)
    faults += [f"raster: {line}" for line in raster_faults(image["bytes"] or b"", redrawn, svg)]
    try:
        picture = read_picture(svg)
    except Fault as fault:
        faults.append(f"picture: {fault}")
        return []
    faults += [f"picture: {line}" for line in picture_differences(picture, score)]
    return [picture.written]


def _engraving() -> Engraving:
    from benchgen.sheet_music.engrave import engrave_svg, rasterise
    from benchgen.sheet_music.score import score_from_json

    return Engraving(draw=lambda score: engrave_svg(score_from_json(score)), rasterise=rasterise)
