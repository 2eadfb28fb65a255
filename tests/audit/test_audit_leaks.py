"""What splits share, and what an audit keeps of its items."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchgen.audit import sample as sampling
from benchgen.audit.leaks import shared_facts, split_leaks
from benchgen.audit.sample import Sample, collect, item_keys
from benchgen.audit.view import text_hashes
from benchgen.errors import InputError
from benchgen.problem import AnswerType, Problem


def kept(split: str, contents: Sequence[str], facts: Sequence[str], level: int = 1) -> Sample:
    return Sample("t/x", level, split, None, text_hashes(contents), text_hashes(facts), seeds=1)


def made(index: int, content: str, *, seed: int = 0, level: int = 1) -> Problem:
    return Problem(
        id=f"item-{index}", task="t/x", category="x", level=level, split="test", seed=seed,
        index=index, suite_version="1", question="Which?", options=("one", "two"), answer="two",
        answer_type=AnswerType.CHOICE, identity={}, content_key=content, fact_key="f",
        twin_group="g",
    )  # fmt: skip


def test_content_that_two_splits_share_is_found_across_levels() -> None:
    samples = [kept("train", ["a", "b"], ["f"] * 2), kept("test", ["c", "b"], ["f"] * 2, level=3)]
    assert split_leaks(samples) == ["t/x: test and train share 1 contents"]


def test_disjoint_splits_have_no_leak() -> None:
    samples = [kept("train", ["a"], ["f"]), kept("test", ["b"], ["f"])]
    assert split_leaks(samples) == []


def test_content_twice_in_one_seed_is_found_and_in_two_seeds_is_not() -> None:
    once = collect("t/x", 1, "test", [made(0, "a"), made(0, "a", seed=1)])
    assert split_leaks([once]) == []
    twice = collect("t/x", 1, "test", [made(0, "a"), made(1, "a")])
    assert len(split_leaks([twice])) == 1


def test_item_of_another_level_is_found() -> None:
    sample = collect("t/x", 1, "test", [made(0, "a", level=2)])
    assert sample.misplaced == ("item-0",)
    assert split_leaks([sample])
    assert collect("t/x", 0, "test", [made(0, "a", level=2)], pooled=True).misplaced == ()


def test_share_of_facts_counts_facts_once_and_items_each() -> None:
    samples = [kept("train", "ab", ["f", "g"]), kept("test", "cdef", ["f", "f", "f", "h"])]
    (row,) = shared_facts(samples)
    assert row["share_of_facts"] == 0.5
    assert row["share_of_items"] == 0.75
    assert row["test_facts"] == 2


def test_small_class_is_drawn_from_more_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "capacity", lambda *_: 3)
    keys = item_keys("t/x", 1, "test", seed=0, count=7)
    assert len(set(keys)) == 7
    assert len({seed for seed, _ in keys}) == 3
    assert {index for _, index in keys} == {0, 1, 2}


def test_splits_and_seeds_of_an_audit_never_share_an_item_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampling, "capacity", lambda *_: 5)
    seeds = [
        {seed for seed, _ in item_keys("t/x", 1, split, audit, 50)}
        for split in ("train", "validation", "test")
        for audit in (0, 1)
    ]
    assert len(set.union(*seeds)) == sum(len(s) for s in seeds)


@pytest.mark.parametrize("each", [0, 2])
def test_class_that_is_too_small_is_refused(monkeypatch: pytest.MonkeyPatch, each: int) -> None:
    monkeypatch.setattr(sampling, "capacity", lambda *_: each)
    with pytest.raises(InputError, match="too few"):
        item_keys("t/x", 1, "test", seed=0, count=2 * sampling.MOST_SEEDS + 1)
