from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchgen.errors import InputError
from evaluators.configuration import (
    Data,
    RunConfig,
    check_resumable,
    config_from_toml,
    config_to_toml,
    read_config,
)

CONFIG = RunConfig(
    model="m",
    model_source="models/m",
    engine="vllm",
    modality="text",
    samples=2,
    temperature=0.7,
    top_p=0.95,
    max_tokens=512,
    seed=7,
    limit=10,
    data=Data("data", "abc", "sheet_music", "1", "test", 40),
    settings={"vllm": "1.0", "device": "cpu"},
    benchgen_version="0.1.0",
)
# TOML is UTF-8: a lone surrogate cannot stand in it.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXT)
SETTINGS = st.dictionaries(
    TEXT, st.one_of(PLAIN, st.lists(PLAIN), st.dictionaries(TEXT, PLAIN, max_size=3)), max_size=5
)


@settings(deadline=None)
@given(TEXT, SETTINGS, st.floats(0, 2))
def test_toml_reads_back_equal(model: str, settings: dict[str, Any], temperature: float) -> None:
    config = dataclasses.replace(CONFIG, model=model, settings=settings, temperature=temperature)
    assert config_from_toml(config_to_toml(config)) == config
    check_resumable(config, config)


def test_model_name_cannot_write_into_the_configuration() -> None:
    name = '"\nseed = 99\n[data]\nx = "\x7f\x00\U0001f3b5'
    config = dataclasses.replace(CONFIG, model=name)
    read = config_from_toml(config_to_toml(config))
    assert (read.model, read.seed) == (name, 7)


def test_lone_surrogate_in_a_name_does_not_stop_the_run() -> None:
    config = dataclasses.replace(CONFIG, model="\ud800")
    assert config_from_toml(config_to_toml(config)).model == "?"


def test_settings_that_are_none_do_not_forbid_resuming() -> None:
    config = dataclasses.replace(CONFIG, settings={"a": None, "b": {"c": None, "d": (1, 2)}})
    begun = config_from_toml(config_to_toml(config))
    check_resumable(begun, config)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "other"}, 'model "m" -> "other"'),
        ({"model_source": "x"}, 'model_source "models/m" -> "x"'),
        ({"engine": "scripted:gold"}, 'engine "vllm" -> "scripted:gold"'),
        ({"modality": "image"}, 'modality "text" -> "image"'),
        ({"temperature": 0.0}, "temperature 0.7 -> 0.0"),
        ({"top_p": 1.0}, "top_p 0.95 -> 1.0"),
        ({"max_tokens": 8}, "max_tokens 512 -> 8"),
        ({"seed": 8}, "seed 7 -> 8"),
        ({"samples": 1}, "samples 2 -> 1"),
        ({"limit": 9}, "problems 10 -> 9"),
        ({"benchgen_version": "0.2.0"}, 'benchgen_version "0.1.0" -> "0.2.0"'),
        ({"settings": {"vllm": "2.0", "device": "cpu"}}, 'settings.vllm "1.0" -> "2.0"'),
        ({"settings": {"vllm": "1.0"}}, 'settings.device "cpu" -> null'),
        ({"data": dataclasses.replace(CONFIG.data, digest="abd")}, 'data.digest "abc" -> "abd"'),
        ({"data": dataclasses.replace(CONFIG.data, split="train")}, 'data.split "test"'),
    ],
)
def test_a_changed_configuration_is_refused_and_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        check_resumable(CONFIG, dataclasses.replace(CONFIG, **change))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_change_is_named_at_once() -> None:
    with pytest.raises(InputError, match=r"seed 7 -> 8; .*samples 2 -> 1"):
        check_resumable(CONFIG, dataclasses.replace(CONFIG, seed=8, samples=1))


@pytest.mark.parametrize(
    "change",
    [
        {"samples": 3},
        {"limit": 11},
        {"limit": 0},
        {"data": dataclasses.replace(CONFIG.data, path="elsewhere")},
    ],
)
def test_growing_and_moving_are_allowed(change: dict[str, Any]) -> None:
    check_resumable(CONFIG, dataclasses.replace(CONFIG, **change))


def test_run_may_go_on_at_another_server() -> None:
    here = dataclasses.replace(CONFIG, settings={"servers": ["http://a/v1"], "window": 8})
    check_resumable(here, dataclasses.replace(here, settings={"servers": [], "window": 8}))
    with pytest.raises(InputError, match="settings.window 8 -> 9"):
        check_resumable(here, dataclasses.replace(here, settings={"servers": [], "window": 9}))


def test_limit_beyond_the_data_asks_for_all_of_them() -> None:
    config = dataclasses.replace(CONFIG, limit=1000)
    assert (config.problems, config.wanted) == (40, 80)
    check_resumable(config, dataclasses.replace(config, limit=0))


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "schema_version = 1", "schema_version = 2", "schema_version = 3\ndata = 3"],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"config.toml is not the configuration of a run"):
        read_config(path)


def test_binary_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not the configuration"):
        read_config(path)
