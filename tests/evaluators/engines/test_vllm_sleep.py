"""An engine that lends its memory takes it back in the order in which there is room."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from evaluators.engines.vllm import VllmEngine


class Recorder:
    """Stands where vLLM's engine stands, which sleeps on GPUs alone."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> bool:
            self.calls.append((name, named.get("tags") or named.get("level") or arguments))
            return True

        return call


class Model:
    """As much of one as is written for a hand-over."""

    def parameters(self) -> list[torch.Tensor]:
        return [torch.zeros(2)]

    def save_pretrained(self, folder: str) -> None:
        pass


def engine(sleeps: bool) -> tuple[VllmEngine, Recorder]:
    made, recorder = object.__new__(VllmEngine), Recorder()
    vars(made).update(
        _engine=recorder, _sleeps=sleeps, _asleep=False, _description={"images": True}
    )
    return made, recorder


def test_weights_wake_before_they_are_read_and_caches_are_forgotten_last() -> None:
    made, recorder = engine(True)
    for _ in range(2):
        made.sleep()
        made.sleep()
        made.update_weights(Model())
    expected = [
        ("sleep", 2), ("wake_up", ["weights"]), ("collective_rpc", ("take_weights",)),
        ("wake_up", ["kv_cache"]), ("reset_mm_cache", ()), ("reset_encoder_cache", ()),
        ("reset_prefix_cache", ()),
    ]  # fmt: skip
    assert recorder.calls == expected * 2


@pytest.mark.parametrize("sleeps", [True, False])
def test_one_that_is_awake_is_not_woken(sleeps: bool) -> None:
    made, recorder = engine(sleeps)
    if not sleeps:
        made.sleep()
    made.update_weights(Model())
    assert [name for name, _ in recorder.calls] == [
        "collective_rpc", "reset_mm_cache", "reset_encoder_cache", "reset_prefix_cache"
    ]  # fmt: skip
