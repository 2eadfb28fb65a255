"""Gate 1 must fail on every way in which a twin can be none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchgen.audit.twin_proof import prove_twins, telling_ids, twin_faults
from benchgen.problem import AnswerType, Problem
from benchgen.seeding import hex_key, split_of

OPTIONS = ("minor third", "major third", "minor sixth", "major sixth")


def content(place: int, split: str = "test") -> str:
    """A content key of a split."""
    return next(
        key
        for attempt in range(1000)
        if split_of(key := hex_key("content", place, attempt)) == split
    )


def problem(place: int) -> Problem:
    return Problem(
        id=f"item-{place}", task="t/x", category="x", level=1, split="test", seed=0, index=0,
        suite_version="1", question="Which?", options=OPTIONS, answer=OPTIONS[place],
        answer_type=AnswerType.CHOICE, identity={"place": place}, content_key=content(place),
        fact_key=hex_key(place), twin_group="g",
    )  # fmt: skip


GROUP = tuple(problem(place) for place in range(4))


def changed(place: int, **fields: object) -> tuple[Problem, ...]:
    return tuple(
        replace(p, **fields) if i == place else p  # type: ignore[arg-type]
        for i, p in enumerate(GROUP)
    )


BROKEN: dict[str, Sequence[Problem]] = {
    "3 twins": GROUP[:3],
    "5 twins": (*GROUP, problem(0)),
    "another question": changed(1, question="Which ?"),
    "another order of options": changed(2, options=OPTIONS[::-1]),
    "another answer": changed(3, answer=OPTIONS[0]),
    "one content twice": changed(1, content_key=GROUP[2].content_key),
    "content of another split": changed(1, content_key=content(1, "train")),
    "another split": changed(1, split="train"),
    "another level": changed(1, level=2),
    "another group": changed(3, twin_group="h"),
    "one id twice": changed(1, id="item-2"),
    "without itself": changed(0, content_key=content(9)),
}


def test_sound_twins_have_no_fault() -> None:
    assert twin_faults(GROUP[0], GROUP) == []


@pytest.mark.parametrize("name", BROKEN)
def test_broken_twins_are_found(name: str) -> None:
    assert twin_faults(GROUP[0], BROKEN[name])


def test_options_that_are_the_same_are_found() -> None:
    twice = ("minor third", "minor third", *OPTIONS[2:])
    group = tuple(replace(p, options=twice, answer=twice[i]) for i, p in enumerate(GROUP))
    assert any("same" in fault for fault in twin_faults(group[0], group))


def test_problem_without_options_has_no_proof() -> None:
    assert twin_faults(replace(GROUP[0], options=None), GROUP)


def test_second_engine_judges_every_twin() -> None:
    def prover(twin: Problem) -> list[str]:
        return ["two options are right"] if twin.answer == "major sixth" else []

    proof = prove_twins(GROUP[:1], lambda _: GROUP, prover, proved_items=1)
    assert (proof.items, proof.complete, proof.twins, proof.proved) == (1, 0, 4, 3)
    assert proof.faults == ("item-3: two options are right",)


def test_only_the_first_items_go_to_the_second_engine() -> None:
    proof = prove_twins(GROUP, lambda _: GROUP, lambda _: [], proved_items=2)
    assert proof.complete == 4
    assert proof.proved == 8


def test_twin_ids_that_end_in_the_letter_of_the_key_are_told() -> None:
    group = tuple(replace(p, id="item" if i == 0 else f"item-{p.target}")
                  for i, p in enumerate(GROUP))  # fmt: skip
    proof = prove_twins(group[:1] * 30, lambda _: group)
    assert proof.complete == 30
    assert len(telling_ids(proof.letters)) == 3


def test_twin_ids_that_say_nothing_pass() -> None:
    letters = {"a": {"A": 9, "B": 8, "C": 11, "D": 7}, "b": {"C": 3}}
    assert telling_ids(letters) == []
