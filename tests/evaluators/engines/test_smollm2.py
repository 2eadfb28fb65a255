"""Model names, and the conversion of the embedded model."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from benchgen.errors import InputError
from evaluators.engines import smollm2
from evaluators.engines.smollm2 import cache_folder, model_path, smollm2_folder


def test_a_folder_without_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no config.json"):
        model_path(str(tmp_path))


def test_a_folder_is_a_model_once_it_holds_a_configuration_and_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="holds no weights"):
        model_path(str(tmp_path))
    (tmp_path / "model.safetensors").touch()
    assert model_path(str(tmp_path)) == str(tmp_path)


def test_a_file_is_no_model(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(InputError, match="a model is a folder"):
        model_path(str(file))


@pytest.mark.parametrize(
    "name",
    ["", "smolm2", "./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", "../x", "a/", "a b/c"],
)
def test_what_looks_like_a_path_or_a_slip_is_not_sent_to_a_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        model_path(name or "nothing-here")
    assert "\n" not in str(caught.value)


def test_a_hub_id_is_passed_on() -> None:
    assert model_path("some-owner/Some_model-1.5B") == "some-owner/Some_model-1.5B"


@pytest.mark.parametrize("value", ["", "relative/cache"])
def test_a_cache_variable_that_is_empty_or_relative_is_ignored(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_folder() == Path.home() / ".cache" / "benchgen" / "models"


def _slow_conversion(gguf: Path, folder: Path) -> None:
    (folder / "began").write_text(str(os.getpid()))
    time.sleep(0.5)
    (folder / "config.json").write_text("{}")


def _convert_and_tell(answers: multiprocessing.Queue[tuple[str, bool]]) -> None:
    smollm2.convert = _slow_conversion
    folder = smollm2_folder()
    answers.put(((folder / "began").read_text(), (folder / "config.json").is_file()))


def test_processes_that_start_together_convert_once_and_see_the_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    start = multiprocessing.get_context("fork")
    answers = start.Queue()
    workers = [start.Process(target=_convert_and_tell, args=(answers,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    seen = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    assert all(whole for _, whole in seen)
    assert len({converter for converter, _ in seen}) == 1


def test_a_conversion_that_failed_leaves_no_model_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fail(gguf: Path, folder: Path) -> None:
        (folder / "config.json").write_text("half")
        raise OSError("no space left")

    monkeypatch.setattr(smollm2, "convert", fail)
    with pytest.raises(OSError, match="no space left"):
        smollm2_folder()
    monkeypatch.setattr(smollm2, "convert", _slow_conversion)
    assert (smollm2_folder() / "config.json").read_text() == "{}"
    assert not list(cache_folder().glob("*.tmp"))


@pytest.mark.slow
def test_the_weights_of_the_folder_are_those_of_the_gguf_file() -> None:
    import gguf
    import numpy as np
    from safetensors import safe_open

    folder = smollm2_folder()
    config = json.loads((folder / "config.json").read_text())
    assert "quantization_config" not in config
    assert config["tie_word_embeddings"] is True
    source = smollm2.weights_file()
    packed = {tensor.name: tensor for tensor in gguf.GGUFReader(source).tensors}
    pairs = {
        "token_embd.weight": "model.embed_tokens.weight",
        "blk.7.ffn_down.weight": "model.layers.7.mlp.down_proj.weight",
        "blk.29.attn_v.weight": "model.layers.29.self_attn.v_proj.weight",
        "output_norm.weight": "model.norm.weight",
    }
    with safe_open(folder / "model.safetensors", framework="pt") as saved:
        for packed_name, name in pairs.items():
            tensor = packed[packed_name]
            want = gguf.dequantize(tensor.data, tensor.tensor_type)
            have = saved.get_tensor(name).float().numpy()
            # bfloat16 keeps eight bits of the mantissa.
            np.testing.assert_allclose(have, want, rtol=2**-8, atol=1e-6, err_msg=name)
        names = list(saved.keys())
        assert sum(saved.get_tensor(name).numel() for name in names) == 134_515_008
