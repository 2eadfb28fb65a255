from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from benchgen.problem import Outcome
from evaluators.intervals import wilson
from evaluators.journal import Sample
from evaluators.metrics import compute_metrics, metrics_from_json, metrics_to_json

MakeSample = Callable[..., Sample]


def test_accuracy_counts_unparsed_and_truncated_and_leaves_errors_out(
    make_sample: MakeSample,
) -> None:
    outcomes = [
        Outcome.CORRECT, Outcome.CORRECT, Outcome.WRONG, Outcome.UNPARSED, Outcome.TRUNCATED,
        Outcome.ERROR,
    ]  # fmt: skip
    samples = [make_sample(f"p{i}", outcome=outcome) for i, outcome in enumerate(outcomes)]
    metrics = compute_metrics(samples, wanted=8)
    overall = metrics.overall
    assert (overall.problems, overall.samples, overall.scored) == (6, 6, 5)
    assert overall.accuracy == 2 / 5
    assert (overall.low, overall.high) == pytest.approx(wilson(0.4, 5))
    assert overall.chance == 0.25
    assert overall.outcomes == {
        "correct": 2, "wrong": 1, "unparsed": 1, "truncated": 1, "error": 1,
    }  # fmt: skip
    assert overall.share(Outcome.UNPARSED) == 1 / 6
    assert (metrics.wanted, metrics.missing, metrics.complete) == (8, 2, False)


def test_a_run_with_an_error_is_not_complete(make_sample: MakeSample) -> None:
    good, bad = make_sample("p"), make_sample("q", outcome=Outcome.ERROR)
    assert compute_metrics([good], 1).complete
    assert not compute_metrics([good, bad], 2).complete
    assert not compute_metrics([good], 2).complete


def test_nothing_answered_has_no_accuracy(make_sample: MakeSample) -> None:
    assert compute_metrics([], 3).overall.accuracy is None
    overall = compute_metrics([make_sample(outcome=Outcome.ERROR)], 1).overall
    assert (overall.accuracy, overall.low, overall.high, overall.scored) == (None, None, None, 0)
    assert overall.share(Outcome.ERROR) == 1.0


def test_slices_by_category_task_and_level(make_sample: MakeSample) -> None:
    places = [("s/a", "x", 1), ("s/a", "x", 2), ("s/b", "x", 1), ("s/c", "y", 10)]
    samples = [
        make_sample(f"p{i}", task=task, category=category, level=level,
                    outcome=Outcome.CORRECT if i % 2 else Outcome.WRONG)
        for i, (task, category, level) in enumerate(places)
    ]  # fmt: skip
    metrics = compute_metrics(samples, 4)
    accuracy = {name: part.accuracy for name, part in metrics.by_category.items()}
    assert accuracy == {"x": 1 / 3, "y": 1.0}
    assert {k: v.accuracy for k, v in metrics.by_task.items()} == {
        "s/a": 0.5, "s/b": 0.0, "s/c": 1.0,
    }  # fmt: skip
    assert list(metrics.by_level) == ["1", "2", "10"]
    assert {k: v.accuracy for k, v in metrics.by_level.items()} == {"1": 0.0, "2": 1.0, "10": 1.0}
    assert list(metrics.by_task_level) == ["s/a:1", "s/a:2", "s/b:1", "s/c:10"]


def test_intervals_are_clustered_by_problem(make_sample: MakeSample) -> None:
    samples = [
        make_sample(f"p{i}", epoch=epoch, outcome=Outcome.CORRECT if i < 3 else Outcome.WRONG)
        for i in range(10)
        for epoch in range(50)
    ]
    overall = compute_metrics(samples, 500).overall
    assert (overall.problems, overall.samples) == (10, 500)
    # Nine degrees of freedom of ten problems: Student's quantile is 2.262157.
    expected = wilson(0.3, 9 * (1.959964 / 2.262157) ** 2)
    assert (overall.low, overall.high) == pytest.approx(expected, abs=1e-6)


def test_outside_questions_on_one_score_are_not_independent(make_sample: MakeSample) -> None:
    def low(cluster: str) -> float:
        samples = [
            make_sample(
                f"p{i}", cluster=cluster.format(i // 10),
                outcome=Outcome.CORRECT if i < 50 else Outcome.WRONG,
            )
            for i in range(100)
        ]  # fmt: skip
        return compute_metrics(samples, 100).overall.low or 0.0

    assert low("score {0}") < 0.3
    # As wide as ten single questions would have it, Student's nine degrees of freedom counted.
    assert low("score {0}") == pytest.approx(wilson(0.5, 9 * (1.959964 / 2.262157) ** 2)[0])


def _twins(make_sample: MakeSample, group: str, right: str, epoch: int = 0) -> list[Sample]:
    return [
        make_sample(
            f"{group}{letter}", twin_group=group, target=letter, epoch=epoch,
            outcome=Outcome.CORRECT if letter in right else Outcome.WRONG,
        )
        for letter in "ABCD"
    ]  # fmt: skip


def test_all_twins_right_by_hand(make_sample: MakeSample) -> None:
    samples = [
        *_twins(make_sample, "g0", "ABCD"),
        *_twins(make_sample, "g1", "ABC"),
        *_twins(make_sample, "g2", "A"),
        *_twins(make_sample, "g3", "ABCD")[:3],  # a limit cut the group: not counted
        make_sample("alone"),
    ]
    twins = compute_metrics(samples, len(samples)).twins
    assert twins is not None
    assert (twins.groups, twins.all_right, twins.rate) == (3, 1, 1 / 3)
    assert (twins.low, twins.high) == pytest.approx(wilson(1 / 3, 3))
    assert twins.chance == 1 / 256


def test_twins_are_counted_epoch_by_epoch(make_sample: MakeSample) -> None:
    samples = [
        *_twins(make_sample, "g0", "AB", epoch=0),
        *_twins(make_sample, "g0", "CD", epoch=1),
        *_twins(make_sample, "g0", "ABCD", epoch=2),
    ]
    twins = compute_metrics(samples, len(samples)).twins
    assert twins is not None
    assert (twins.groups, twins.all_right) == (3, 1)


def test_twins_with_an_error_are_not_called_wrong(make_sample: MakeSample) -> None:
    samples = _twins(make_sample, "g0", "ABC")
    samples[3] = make_sample("g0D", twin_group="g0", outcome=Outcome.ERROR)
    assert compute_metrics(samples, 4).twins is None


def test_no_twins_no_rate(make_sample: MakeSample) -> None:
    assert compute_metrics([make_sample("p"), make_sample("q")], 2).twins is None


def test_open_questions_have_no_chance(make_sample: MakeSample) -> None:
    metrics = compute_metrics([make_sample("p", options=0), make_sample("q", options=2)], 2)
    assert metrics.overall.chance == 0.25


def test_tokens_and_seconds_over_sessions(make_sample: MakeSample) -> None:
    samples = [
        make_sample("p", session=0, elapsed=2.0, seconds=0.5),
        make_sample("q", session=0, elapsed=3.0, seconds=0.25),
        make_sample("r", session=60_000, elapsed=1.5, seconds=1.0),
    ]
    metrics = compute_metrics(samples, 3)
    assert metrics.seconds.wall == 4.5
    assert metrics.seconds.replies == 1.75
    tokens = metrics.tokens
    assert (tokens.prompt, tokens.completion, tokens.cached) == (21, 15, 6)


def test_jobs_side_by_side_take_the_time_of_one(make_sample: MakeSample) -> None:
    began = 1_700_000_000_000
    samples = [
        make_sample("p", session=began, elapsed=10.0),
        make_sample("q", session=began + 4_000, elapsed=9.0),  # three seconds longer
        make_sample("r", session=began + 5_000, elapsed=1.0),  # within
        make_sample("s", session=began + 100_000, elapsed=2.0),  # resumed later
    ]
    assert compute_metrics(samples, 4).seconds.wall == pytest.approx(15.0)


def test_metrics_survive_json(make_sample: MakeSample) -> None:
    samples = [*_twins(make_sample, "g0", "AB"), make_sample("p", outcome=Outcome.ERROR)]
    for metrics in (compute_metrics(samples, 9), compute_metrics([], 1)):
        record = json.loads(json.dumps(metrics_to_json(metrics), allow_nan=False))
        assert metrics_from_json(record) == metrics
    assert record["overall"]["shares"]["error"] == 0.0
