from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchgen.errors import InputError
from benchgen.plan import Plan, make_plan, most_items, suite_items
from benchgen.task import capacity, list_tasks, make, twins

SUITE = "sheet_music"


def plan_of(tasks: int, levels: int, count: int, with_twins: bool = False) -> Plan:
    return Plan(
        suite="any",
        split="test",
        count=count,
        seed=0,
        tasks=tuple(f"any/t{n}" for n in range(tasks)),
        levels=tuple(range(1, levels + 1)),
        modalities=("text",),
        twins=with_twins,
    )


def test_the_class_turns_first_then_the_level_then_the_index() -> None:
    plan = plan_of(tasks=9, levels=4, count=100)
    assert [plan.place(item) for item in (0, 8, 9, 35, 36, 99)] == [
        ("any/t0", 1, 0),
        ("any/t8", 1, 0),
        ("any/t0", 2, 0),
        ("any/t8", 4, 0),
        ("any/t0", 1, 1),
        ("any/t0", 4, 2),
    ]


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 3000), st.booleans())
def test_shards_hold_every_place_once_and_indices_leave_no_gap(
    tasks: int, levels: int, count: int, with_twins: bool
) -> None:
    plan = plan_of(tasks, levels, count, with_twins)
    items = [i for shard in range(plan.shards) for i in range(*plan.bounds(shard))]
    assert items == list(range(count))
    places = [plan.place(item) for item in items]
    assert len(set(places)) == count
    used = Counter((task, level) for task, level, _ in places)
    assert max(used.values()) - min(used.values()) <= 1
    assert all(index < used[task, level] for task, level, index in places)


def test_1620_items_are_45_a_class_and_level() -> None:
    used = Counter(plan_of(9, 4, 1620).place(item)[:2] for item in range(1620))
    assert len(used) == 36
    assert set(used.values()) == {45}


def test_an_item_of_the_plan_is_the_item_of_its_key() -> None:
    plan = make_plan(SUITE, split="test", count=70, seed=3, levels=[1, 2])
    for item, problem in enumerate(suite_items(plan, 0, 70)):
        task, level, index = plan.place(item)
        assert problem == make(task, split="test", seed=3, index=index, level=level)


def test_a_choice_of_tasks_and_levels_keeps_the_rule_over_the_chosen() -> None:
    first, second = list_tasks(SUITE)[:2]
    short = second.partition("/")[2]
    plan = make_plan(SUITE, split="train", count=6, tasks=[short, first], levels=[3, 1])
    assert plan.tasks == (first, second)
    assert [plan.place(item) for item in range(6)] == [
        (first, 1, 0),
        (second, 1, 0),
        (first, 3, 0),
        (second, 3, 0),
        (first, 1, 1),
        (second, 1, 1),
    ]


def test_each_item_is_followed_by_the_rest_of_its_twins() -> None:
    plain = list(suite_items(make_plan(SUITE, split="test", count=8), 0, 8))
    plan = make_plan(SUITE, split="test", count=8, with_twins=True)
    rows = list(suite_items(plan, 0, 8))
    assert len(rows) == sum(len(problem.options or ()) for problem in plain)
    for problem in plain:
        at = rows.index(problem)
        group = rows[at : at + len(problem.options or ())]
        others = [twin for twin in twins(problem) if twin != problem]
        assert sorted(group[1:], key=lambda twin: twin.id) == sorted(others, key=lambda t: t.id)
        assert {twin.twin_group for twin in group} == {problem.twin_group}
        assert {twin.question for twin in group} == {problem.question}
        assert {twin.options for twin in group} == {problem.options}
        assert {twin.answer for twin in group} == set(problem.options or ())
    assert len({problem.twin_group for problem in rows}) == 8


def test_the_order_of_twins_does_not_tell_their_keys() -> None:
    plan = make_plan(SUITE, split="test", count=24, levels=[1], with_twins=True)
    rows = list(suite_items(plan, 0, 24))
    orders = set()
    for at in range(0, len(rows), 4):
        keys = [(row.options or ()).index(row.answer) for row in rows[at + 1 : at + 4]]
        orders.add(keys == sorted(keys))
    assert orders == {True, False}


def test_the_count_may_reach_the_capacity_and_not_one_more() -> None:
    tasks = list_tasks(SUITE)
    one = min(tasks, key=lambda name: capacity(name, 1, "validation"))
    limit = capacity(one, 1, "validation")
    narrow = {"split": "validation", "tasks": [one], "levels": [1]}
    make_plan(SUITE, count=limit, **narrow)  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        make_plan(SUITE, count=limit + 1, **narrow)  # type: ignore[arg-type]
    message = str(caught.value)
    assert one in message and "level 1" in message and "validation" in message
    assert f"at most {limit} " in message


def test_the_largest_count_named_is_the_largest_that_passes() -> None:
    with pytest.raises(InputError) as caught:
        make_plan(SUITE, split="validation", count=2**62)
    most = int(str(caught.value).partition("at most ")[2].split()[0])
    assert most_items(make_plan(SUITE, split="validation", count=most)) == most
    with pytest.raises(InputError):
        make_plan(SUITE, split="validation", count=most + 1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"suite": "no_such_suite"}, "unknown suite"),
        ({"split": "dev"}, "unknown split"),
        ({"count": 0}, "at least 1"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**63}, "seed must be"),
        ({"tasks": ["no_such_task"]}, "unknown task"),
        ({"levels": [9]}, "no level 9"),
        ({"modalities": ["video"]}, "no modality"),
        ({"modalities": []}, "at least one modality"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(changed: dict[str, object], said: str) -> None:
    asked: dict[str, object] = {"suite": SUITE, "split": "test", "count": 10} | changed
    with pytest.raises(InputError, match=said):
        make_plan(**asked)  # type: ignore[arg-type]
