"""Thoughts between a run's own marks are neither scored nor lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchgen.problem import Outcome
from evaluators.command import evaluate, rescore
from evaluators.configuration import config_from_toml, config_to_toml, read_config
from evaluators.engines.scripted import ScriptedEngine
from evaluators.journal import read_samples
from evaluators.thoughts import split_thoughts, thought_tokens

MARKS = ("<<muse>>", "<</muse>>")
WriteDataset = Callable[..., Path]


@pytest.mark.parametrize(
    ("reply", "thought", "said"),
    [
        ("\\boxed{A}", "", "\\boxed{A}"),
        ("<<muse>>B?<</muse>>\n\nA", "<<muse>>B?<</muse>>", "A"),
        # The template began it.
        ("B?<</muse>>A", "B?<</muse>>", "A"),
        ("<<muse>>B<</muse>>C<<muse>>D<</muse>> A", "<<muse>>B<</muse>>C<<muse>>D<</muse>>", "A"),
        ("A <<muse>>or \\boxed{B}", "A <<muse>>or \\boxed{B}", ""),
        ("<<muse>>A<</muse>>B<<muse>>", "<<muse>>A<</muse>>B<<muse>>", ""),
    ],
)
def test_only_what_stands_after_the_last_thought_is_said(
    reply: str, thought: str, said: str
) -> None:
    assert split_thoughts(reply, MARKS) == (thought, said)


@given(st.lists(st.sampled_from([*MARKS, "\\boxed{A}", "B", " ", "<", ">", "muse"])))
def test_no_mark_is_left_in_what_is_said(parts: list[str]) -> None:
    reply = "".join(parts)
    thought, said = split_thoughts(reply, MARKS)
    assert not any(mark in said for mark in MARKS)
    assert reply.startswith(thought) and reply.endswith(said)
    assert split_thoughts(reply, ()) == ("", reply)


@pytest.mark.parametrize(
    ("prompt", "reply", "count"),
    [
        ((), (7, 7), 0),
        ((), (1, 7, 2, 3, 7), 4),
        ((1,), (7, 2, 3, 7), 3),
        ((1,), (7, 7), 2),
        ((1, 7, 2, 3), (7, 7), 0),
        ((), (1, 7, 2, 3, 7, 1, 7), 7),
        # Half of an end is none.
        ((), (1, 7, 2, 7), 4),
    ],
)
def test_thought_that_never_ends_counts_to_the_end_of_the_reply(
    prompt: tuple[int, ...], reply: tuple[int, ...], count: int
) -> None:
    assert thought_tokens(prompt, reply, ((1,), (2, 3))) == count


def test_no_tokens_are_thought_without_marks() -> None:
    assert thought_tokens((), (1, 2, 3), ((), ())) == 0


def test_an_answer_in_a_thought_of_unusual_marks_is_not_scored(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    data, out = write_dataset(), tmp_path / "run"
    # All is right in the thought, and nothing is said after it.
    engine = ScriptedEngine("m", lambda r: "<<muse>>\\boxed{A} \\boxed{B}<</muse>>I pass.")
    evaluate(data, out, engine=engine, thinking_marks=MARKS)
    for sample in read_samples(out).values():
        assert (sample.thinking, sample.reply) == (
            "<<muse>>\\boxed{A} \\boxed{B}<</muse>>",
            "I pass.",
        )
        assert sample.outcome is Outcome.UNPARSED
    before = read_samples(out)
    rescore(data, out)
    assert read_samples(out) == before


def test_marks_are_part_of_a_run_and_read_back(tmp_path: Path, write_dataset: WriteDataset) -> None:
    engine = ScriptedEngine("m", lambda r: "A")
    evaluate(write_dataset(), tmp_path / "run", engine=engine, thinking_marks=MARKS)
    config = read_config(tmp_path / "run" / "config.toml")
    assert config.thinking_marks == MARKS
    plain = dataclasses.replace(config, thinking_marks=())
    assert config_from_toml(config_to_toml(plain)) == plain
