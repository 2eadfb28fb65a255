"""Every option right or wrong, from what is written and what is asked alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchgen.sheet_music.proof.abc_reader import read_abc
from benchgen.sheet_music.proof.fault import Fault
from benchgen.sheet_music.proof.judges.chords import (
    judge_chord_completion,
    judge_chord_name,
    judge_chord_root,
)
from benchgen.sheet_music.proof.judges.intervals import (
    judge_interval_name,
    judge_note_completion,
)
from benchgen.sheet_music.proof.judges.rhythm import judge_bar_lines, judge_meter
from benchgen.sheet_music.proof.judges.scales import (
    judge_key_from_tones,
    judge_scale_selection,
)
from benchgen.sheet_music.proof.written import Written

Judge = Callable[[str, Sequence[str], Written], list[bool]]

JUDGES: Mapping[str, Judge] = {
    "interval_name": judge_interval_name,
    "note_completion": judge_note_completion,
    "chord_name": judge_chord_name,
    "chord_completion": judge_chord_completion,
    "chord_root": judge_chord_root,
    "key_from_tones": judge_key_from_tones,
    "scale_selection": judge_scale_selection,
    "meter": judge_meter,
    "bar_lines": judge_bar_lines,
}


def judge(task: str, question: str, options: Sequence[str], abc_text: str) -> list[bool]:
    """Which options are right of an item shown as ABC; ``task`` may carry the suite's name.

    Raises
    ------
    Fault
        The text, the question or an option is not in the printed form, or the
        score breaks a condition of its class.
    """
    return judge_written(task, question, options, read_abc(abc_text))


def judge_written(task: str, question: str, options: Sequence[str], written: Written) -> list[bool]:
    """``judge`` for a score that has been read already."""
    name = task.rpartition("/")[2]
    if name not in JUDGES:
        raise Fault(f"no printed definition of the class {name!r}")
    return JUDGES[name](question, options, written)
