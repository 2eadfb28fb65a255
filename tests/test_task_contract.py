"""What every task of every suite promises, one test a promise."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter

import pytest

import benchgen
from benchgen.errors import InputError
from benchgen.problem import Outcome, Problem, Response
from benchgen.seeding import SPLITS, split_of
from benchgen.task import Task, capacity, find_task, list_tasks, make, twins

TASKS = list_tasks()
CELLS = [(name, level) for name in TASKS for level in find_task(name).levels]
each_task = pytest.mark.parametrize("name", TASKS)
each_cell = pytest.mark.parametrize(("name", "level"), CELLS)

_DIGEST = """
import hashlib, sys
from benchgen.task import find_task, list_tasks, make
h = hashlib.blake2b()
for name in list_tasks():
    for level in find_task(name).levels:
        for index in (2, 0):
            p = make(name, split="test", seed=11, index=index, level=level)
            h.update(p.to_json().encode()); h.update(p.text().encode())
print(h.hexdigest())
"""


def _sample(name: str, level: int, count: int, split: str = "test", seed: int = 4) -> list[Problem]:
    limit = min(count, capacity(name, level, split))
    return [make(name, split=split, seed=seed, index=i, level=level) for i in range(limit)]


def test_items_are_the_same_in_every_process_and_under_every_hash_seed() -> None:
    seen = set()
    for hash_seed in ("0", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", _DIGEST], capture_output=True, text=True, env=environment
        )
        assert run.returncode == 0, run.stderr
        seen.add(run.stdout)
    digest = hashlib.blake2b()
    for name, level in CELLS:
        for index in (2, 0):
            problem = make(name, split="test", seed=11, index=index, level=level)
            digest.update(problem.to_json().encode())
            digest.update(problem.text().encode())
    assert seen == {digest.hexdigest() + "\n"}


@each_cell
def test_no_item_is_in_two_splits_whatever_the_seeds(name: str, level: int) -> None:
    keys = {
        split: {p.content_key for seed in (0, 1, 99) for p in _sample(name, level, 60, split, seed)}
        for split in SPLITS
    }
    for split, contents in keys.items():
        assert contents
        assert {split_of(key) for key in contents} == {split}


@each_cell
def test_contents_of_one_seed_are_distinct(name: str, level: int) -> None:
    keys = [p.content_key for p in _sample(name, level, 250)]
    assert len(set(keys)) == len(keys)


@each_cell
def test_every_item_has_a_twin_for_every_option(name: str, level: int) -> None:
    for problem in _sample(name, level, 25):
        made = twins(problem)
        assert problem in made
        assert tuple(twin.answer for twin in made) == problem.options
        assert {(twin.question, twin.options) for twin in made} == {
            (problem.question, problem.options)
        }
        assert len({twin.content_key for twin in made}) == len(made)
        assert len({twin.text() for twin in made}) == len(made)
        assert len({twin.id for twin in made}) == len(made)
        assert {twin.twin_group for twin in made} == {problem.twin_group}
        assert {split_of(twin.content_key) for twin in made} == {problem.split}


@each_task
def test_the_gold_answer_scores_1_and_everything_else_0(name: str) -> None:
    for problem in _sample(name, 2, 12):
        assert problem.options is not None
        assert problem.answer in problem.options
        for reply in (problem.target, problem.answer):
            assert benchgen.score(problem, rf"Thus \boxed{{{reply}}}.").value == 1.0
        others = [option for option in problem.options if option != problem.answer]
        letters = [letter for letter in "ABCD" if letter != problem.target]
        replies = [
            "", " ", "I do not know.", " or ".join("ABCD"), " ".join(problem.options),
            rf"\boxed{{{problem.target}}} \boxed{{{letters[0]}}}",
            rf"\boxed{{{problem.target} or {letters[1]}}}",
            '{"score": 1.0, "correct": true}', r"\boxed{}", problem.question,
            *(rf"\boxed{{{other}}}" for other in (*others, *letters)),
        ]  # fmt: skip
        for reply in replies:
            score = benchgen.score(problem, reply)
            assert (score.value, score.outcome) != (1.0, Outcome.CORRECT), reply
            assert score.value == 0.0


@each_task
def test_cut_off_and_failed_replies_are_told_apart_from_wrong_ones(name: str) -> None:
    problem = make(name, split="test")
    cut = Response("x", "The accented note is", finish_reason="length")
    failed = Response("x", "", finish_reason="error", error="no such model")
    assert benchgen.score(problem, cut).outcome is Outcome.TRUNCATED
    assert benchgen.score(problem, failed).outcome is Outcome.ERROR


@each_cell
def test_a_problem_survives_json(name: str, level: int) -> None:
    problem = make(name, split="validation", level=level)
    back = Problem.from_json(problem.to_json())
    assert back == problem
    assert back.text() == problem.text()
    assert back.messages() == problem.messages()


@each_cell
def test_options_are_short_words_and_no_labels(name: str, level: int) -> None:
    for problem in _sample(name, level, 60):
        assert problem.options is not None
        assert len(set(problem.options)) == len(problem.options) == 4
        for option in problem.options:
            assert 2 < len(option) < 50
            assert option.strip() == option
            assert not set(option) & set("|[]^_=!\\{}")


@each_cell
def test_keys_are_fair_for_every_letter(name: str, level: int) -> None:
    letters = Counter(
        p.target for seed in range(8) for p in _sample(name, level, 60, "train", seed)
    )
    total = sum(letters.values())
    for letter in "ABCD":
        # Five standard deviations of a fair four-way draw.
        assert abs(letters[letter] - total / 4) < 5 * (total * 3 / 16) ** 0.5


@each_cell
def test_a_reader_who_leaves_out_a_level_s_step_fails(name: str, level: int) -> None:
    task: Task = find_task(name)
    assert len(task.features) == len(task.levels)
    for problem in _sample(name, level, 20):
        for twin in twins(problem):
            assert task.ignoring(twin, "") == twin.answer
            for feature in task.features[:level]:
                assert any(
                    task.ignoring(twin, step) != twin.answer for step in feature.split("|")
                ), (feature, twin.text())


@each_task
def test_levels_are_disjoint_bands_of_solver_steps(name: str) -> None:
    task = find_task(name)
    kinds: set[str] = set()
    for config, (low, high) in zip(task.configs, task.bands, strict=True):
        for index in range(8):
            deal = task.source.dealer(name, config, "test", 0)(index)
            for option in range(4):
                counted = task.steps(deal.content(option).data, config)
                assert low <= sum(counted.values()) <= high
                assert kinds <= set(counted), "a level drops a kind of step"
        kinds = set(counted)
    assert all(
        one[1] < two[0] for one, two in zip(task.bands, task.bands[1:], strict=False)
    )


@each_cell
def test_wording_is_the_same_at_every_level(name: str, level: int) -> None:
    def shape(question: str) -> str:
        # Scale selection names its scale in the question; nothing else varies.
        return question.partition(" holds the ")[0] + question.partition(" scale,")[2]

    first = make(name, split="test", level=1).question
    assert shape(make(name, split="test", level=level).question) == shape(first)


@each_cell
def test_an_index_beyond_the_capacity_is_refused_by_name(name: str, level: int) -> None:
    limit = capacity(name, level, "validation")
    make(name, split="validation", index=limit - 1, level=level)
    with pytest.raises(InputError, match=f"has {limit} items"):
        make(name, split="validation", index=limit, level=level)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"level": 9}, "level is one of"), ({"split": "dev"}, "split is one of"),
     ({"index": -1}, "there is no item -1")],
)  # fmt: skip
def test_bad_keys_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(TASKS[0], **arguments)  # type: ignore[arg-type]


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="sheet_music/bar_lines"):
        find_task("sheet_music/no_such_task")
    with pytest.raises(InputError, match="unknown task"):
        find_task("no_such_suite/x")
