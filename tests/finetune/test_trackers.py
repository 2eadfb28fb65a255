"""Trackers: every step once, whatever was cut, and nothing before there is something to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchgen.errors import InputError
from finetune import trackers
from finetune.trackers import check_trackers, named_figures, tracked
from finetune.training_folder import append_metrics, cut_metrics

CONFIG = {"objective": "dapo", "rewards": ["correctness"], "seed": 0}


def run(out: Path, steps: range, value: float, names: tuple[str, ...] = ("tensorboard",)) -> None:
    """Steps as a trainer takes them: a line into the file, then to the trackers."""
    out.mkdir(exist_ok=True)
    with tracked(names, out, CONFIG) as track:
        for step in steps:
            line = {"step": step, "reward": value + step, "elapsed": 3.0 * step}
            line["seconds_learn"] = 2.0
            append_metrics(out, line)
            track(line)


def reader(out: Path) -> Any:
    """TensorBoard's own."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(out / "tensorboard"), size_guidance={"scalars": 0})


def scalars(out: Path) -> dict[str, list[Any]]:
    found = reader(out).Reload()
    return {tag: found.Scalars(tag) for tag in found.Tags()["scalars"]}


def test_figures_can_be_read_back(tmp_path: Path) -> None:
    run(tmp_path / "run", range(1, 6), 100.0)
    found = scalars(tmp_path / "run")
    assert set(found) == {"train/reward", "train/elapsed", "seconds/learn"}
    rewards = [(event.step, event.value) for event in found["train/reward"]]
    assert rewards == [(n, 100.0 + n) for n in range(1, 6)]
    walls = [event.wall_time for event in found["train/reward"]]
    assert walls[-1] - walls[0] == pytest.approx(12.0, abs=0.1)


def test_a_run_that_was_cut_has_each_step_once(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(out, range(1, 6), 100.0)
    looking = reader(out).Reload()
    (events,) = (out / "tensorboard").iterdir()
    with events.open("ab") as file:
        file.write(b"\x18\x00\x00")  # killed within a record
    # Its last checkpoint was after step 3: 4 and 5 are done again.
    cut_metrics(out, 3)
    run(out, range(4, 8), 200.0)
    values = [(n, 100.0 + n) for n in range(1, 4)] + [(n, 200.0 + n) for n in range(4, 8)]
    for found in (scalars(out)["train/reward"], looking.Reload().Scalars("train/reward")):
        assert [(event.step, event.value) for event in found] == values
        walls = [event.wall_time for event in found]
        assert walls == sorted(walls)


def test_what_was_not_tracked_before_is_shown_too(tmp_path: Path) -> None:
    run(tmp_path / "run", range(1, 4), 100.0, names=())
    assert not (tmp_path / "run" / "tensorboard").exists()
    run(tmp_path / "run", range(4, 6), 100.0)
    assert [event.step for event in scalars(tmp_path / "run")["train/reward"]] == [1, 2, 3, 4, 5]


def test_nothing_is_opened_before_the_first_step(tmp_path: Path) -> None:
    with tracked(("tensorboard",), tmp_path, CONFIG):
        assert not list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_a_tracker_sees_what_has_landed_before_the_run_ends(tmp_path: Path) -> None:
    with tracked(("tensorboard",), tmp_path, CONFIG) as track:
        track({"step": 1, "reward": 0.5})
        assert [event.value for event in scalars(tmp_path)["train/reward"]] == [0.5]


def test_figures_are_numbers_in_families() -> None:
    line = {"step": 3, "validation": 0.5, "mismatch_k3": 1e-6, "clipped_high": 0, "seconds": 2.5,
            "loss": -0.5, "note": "words", "last": True}  # fmt: skip
    assert named_figures(line) == {
        "validation/accuracy": 0.5, "mismatch/k3": 1e-6, "clipped/high": 0.0, "train/seconds": 2.5,
        "train/loss": -0.5,
    }  # fmt: skip


def test_a_tracker_that_is_unknown_or_absent_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    check_trackers([])
    check_trackers(["tensorboard"])
    with pytest.raises(InputError, match="--track knows tensorboard, trackio, not 'abacus'"):
        check_trackers(["tensorboard", "abacus"])
    monkeypatch.setattr(trackers, "TRACKERS", ("abacus-of-nobody",))
    with pytest.raises(InputError, match="pip install abacus-of-nobody"):
        check_trackers(["abacus-of-nobody"])
