"""The environment that vLLM's processes start in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evaluators.engines.vllm_environment import (
    cpu_settings,
    has_bfloat16,
    own_device,
    process_environment,
)


def test_what_the_user_has_set_stands_and_all_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SET_BY_USER", "theirs")
    monkeypatch.delenv("UNSET", raising=False)
    with (
        pytest.raises(RuntimeError),
        process_environment({"SET_BY_USER": "ours", "UNSET": "ours"}),
    ):
        assert (os.environ["SET_BY_USER"], os.environ["UNSET"]) == ("theirs", "ours")
        os.environ["SET_BY_USER"] = os.environ["UNSET"] = "changed by the library"
        raise RuntimeError
    assert os.environ["SET_BY_USER"] == "theirs"
    assert "UNSET" not in os.environ


def test_each_of_several_ranks_opens_its_engine_on_its_own_gpu() -> None:
    second = {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}
    assert own_device(second) == {"CUDA_VISIBLE_DEVICES": "1"}
    assert own_device({**second, "CUDA_VISIBLE_DEVICES": "4,6"}) == {"CUDA_VISIBLE_DEVICES": "6"}
    for alone in ({}, {"WORLD_SIZE": "1", "LOCAL_RANK": "0"}):
        assert own_device(alone) == {}


def test_preloads_come_before_the_users_own_and_without_any_nothing_does() -> None:
    assert cpu_settings([0, 1], ["/lib/b.so"], "/a.so")["LD_PRELOAD"] == "/lib/b.so:/a.so"
    assert cpu_settings([0, 1], [], "")["LD_PRELOAD"] == ""


def test_a_small_machine_uses_all_its_cores_and_binds_none() -> None:
    small = cpu_settings([3, 5], [], "")
    assert small["OMP_NUM_THREADS"] == "2"
    assert small["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert "VLLM_CPU_OMP_THREADS_BIND" not in cpu_settings(list(range(32)), [], "")


def test_a_processor_s_flags_tell_whether_it_has_bfloat16(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    assert not has_bfloat16(cpuinfo)
    cpuinfo.write_text("flags : fpu avx512f avx512_vnni\n")
    assert not has_bfloat16(cpuinfo)
    cpuinfo.write_text("flags : fpu avx512f avx512_bf16\n")
    assert has_bfloat16(cpuinfo)
