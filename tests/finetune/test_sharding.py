"""Weights in parts on two processes are trained as they are whole on one, and fit together again.

Two processes of gloo stand for two GPUs; FSDP2 is the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from benchgen.errors import InputError
from finetune.job import Job
from finetune.ranks import Ranks, joined
from finetune.sharding import Handed, gathered, placed, put_together, reading
from tests.finetune.training_of_ranks import RUNS, pictured

MakeModel = Callable[..., Any]
HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """A model whose head is its embeddings, as smollm2's is."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "llama", vocab_size=10, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=512,
        pad_token_id=0, eos_token_id=1, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("model")
    AutoModelForCausalLM.from_config(config).to(torch.float64).save_pretrained(made)
    tokenizer.save_pretrained(made)
    return made


def under_torchrun(script: str, *words: object) -> None:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*start, str(HERE / script), *(str(word) for word in words)], cwd=ROOT, timeout=300,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]


def assert_alike(found: Path, expected: Path) -> None:
    """The same files, of the same tensors and shapes; weights and averages alike."""
    assert sorted(p.name for p in found.iterdir()) == sorted(p.name for p in expected.iterdir())
    for name in ("model.safetensors", "trainer/tensors.safetensors"):
        one, other = load_file(found / name), load_file(expected / name)
        assert one.keys() == other.keys()
        for tensor, value in other.items():
            assert one[tensor].shape == value.shape and one[tensor].dtype == value.dtype, tensor
            if not tensor.startswith("/random"):
                assert torch.allclose(one[tensor], value, rtol=0, atol=1e-6), tensor
    states = [json.loads((p / "trainer" / "state.json").read_text()) for p in (found, expected)]
    assert states[0].keys() == states[1].keys()
    assert states[0]["optimizer"] == states[1]["optimizer"]


@pytest.mark.slow
def test_weights_in_parts_are_trained_saved_and_gone_on_with_as_whole_ones(
    tmp_path: Path, folder: Path
) -> None:
    from transformers import AutoModelForCausalLM

    alone = Ranks()
    for name, run in RUNS.items():
        run(folder, tmp_path / "whole" / name, 4, alone)
        # What was begun whole is gone on with in parts.
        going_on = tmp_path / "going_on" / name
        half = "checkpoint-00000002"
        shutil.copytree(tmp_path / "whole" / name / half, going_on / half)
    under_torchrun("training_of_ranks.py", folder, tmp_path / "begun", tmp_path / "going_on")
    for name, run in RUNS.items():
        two, four = (f"{name}/checkpoint-0000000{steps}" for steps in (2, 4))
        assert_alike(tmp_path / "begun" / two, tmp_path / "whole" / two)
        assert_alike(tmp_path / "going_on" / four, tmp_path / "whole" / four)
        # What was begun in parts is gone on with whole.
        run(folder, tmp_path / "begun" / name, 4, alone)
        assert_alike(tmp_path / "begun" / four, tmp_path / "whole" / four)
        opened = AutoModelForCausalLM.from_pretrained(tmp_path / "begun" / two)
        begun = load_file(folder / "model.safetensors")
        moved = [float((p.detach() - begun[n]).norm()) for n, p in opened.named_parameters()]
        assert type(opened).__name__ == "LlamaForCausalLM" and min(moved) > 1e-4
    one, other = pictured(alone), torch.load(tmp_path / "begun" / "pictured", weights_only=True)
    assert float((other - one).norm() / one.norm()) < 1e-6


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 8])
def test_ranks_that_read_together_do_so_equally_often(size: int, count: int) -> None:
    things = list(range(count))
    everyone = [Ranks(rank, size, sharded=True).rounds(things) for rank in range(size)]
    assert len({len(rounds) for rounds in everyone}) == 1
    counted = [thing for rounds in everyone for thing, counts in rounds if counts]
    assert sorted(counted) == things
    apart = [Ranks(rank, size).rounds(things) for rank in range(size)]
    assert all(counts for rounds in apart for _, counts in rounds)


def test_what_lies_whole_is_left_as_it_is(make_model: MakeModel) -> None:
    model, tensor = make_model(), torch.ones(2)
    assert put_together(model) is model
    assert placed(tensor, torch.zeros(2)) is tensor
    assert gathered({"a": [tensor, 1]})["a"][0] is tensor
    assert reading(model, lambda: 7) == 7


def test_every_rank_gets_the_files_that_the_first_wrote(tmp_path: Path) -> None:
    """Transformers writes on the first rank alone: the second's engine would find nothing."""

    class Written:
        def save_pretrained(self, folder: Path) -> None:
            (Path(folder) / "model.safetensors").write_bytes(b"weights")

    class Second(Ranks):
        __slots__ = ()

        def gather(self, thing: Any) -> list[Any]:
            return [str(tmp_path / "first"), thing]

        def wait(self) -> None:
            pass

    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    Handed(Written(), Ranks()).save_pretrained(tmp_path / "first")
    Handed(Written(), Second(1, 2)).save_pretrained(tmp_path / "second")
    assert (tmp_path / "second" / "model.safetensors").read_bytes() == b"weights"


def test_what_cannot_lie_in_parts_is_refused_in_a_line() -> None:
    def job(**changes: Any) -> Job:
        wanted = {"objective": "grpo", "model": "m", "steps": 1, "learning_rate": 1e-6, "data": "d"}
        return Job(**{**wanted, "shard_weights": True, **changes})

    with pytest.raises(InputError, match="give --engine vllm"):
        job()
    with pytest.raises(InputError, match="without --lora-rank"):
        job(objective="sft", lora_rank=4)
    assert job(objective="sft").shard_weights and job(engine="vllm").shard_weights
    with pytest.raises(InputError, match="two processes or more"), joined(sharded=True):
        pass
