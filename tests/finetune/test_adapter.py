"""An adapter learns while the weights stay, and leaves the process merged, without rounding."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchgen.errors import InputError
from finetune.adapter import WithoutAdapter, add_adapter, load_adapter, merged_weights
from finetune.course import Course
from finetune.optimizer import Optimization
from finetune.policy import ADAPTER, Policy
from finetune.sft import imitate
from finetune.trajectory import Trajectory

MakeModel = Callable[..., Any]
SHOWN = [
    Trajectory((1, 2, 3), (4, 5, 6)), Trajectory((1, 2, 3), (6, 4)), Trajectory((7, 8), (9, 1)),
]  # fmt: skip


def adapted(make_model: MakeModel, tokenizer: Any, **changes: Any) -> Policy:
    model = make_model(dtype=torch.float32, vocab_size=10, **changes)
    torch.manual_seed(1)
    return Policy(model, tokenizer, adapter=add_adapter(model, 4))


def trained(policy: Policy, out: Path, steps: int = 5) -> Any:
    optimization = Optimization(steps=steps, learning_rate=1e-2)
    return imitate(policy, SHOWN, out, optimization, Course(save_every=2, keep=0), 2)


def logp(model: Any, one: Policy) -> torch.Tensor:
    return dataclasses.replace(one, model=model, adapter=None).scores(SHOWN, 1.0).logp.detach()


@pytest.mark.parametrize("tied", [False, True])
def test_a_checkpoint_holds_the_model_with_what_the_adapter_adds(
    tmp_path: Path, make_model: MakeModel, tokenizer: Any, tied: bool
) -> None:
    from transformers import AutoModelForCausalLM

    policy = adapted(make_model, tokenizer, tie_word_embeddings=tied)
    before = policy.scores(SHOWN, 1.0).logp.detach()
    weights = {n: p.clone() for n, p in policy.model.named_parameters() if ".lora_" not in n}
    found = trained(policy, tmp_path)
    after = policy.scores(SHOWN, 1.0).logp.detach()
    assert float((after - before).abs().max()) > 0.1
    now = dict(policy.model.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in weights.items())
    read = AutoModelForCausalLM.from_pretrained(found.checkpoint)
    assert torch.allclose(logp(read, policy), after, atol=1e-5)
    assert not any("lora" in name or "base_layer" in name for name in read.state_dict())
    # And as PEFT has it, over the model that it began as.
    plain = make_model(dtype=torch.float32, vocab_size=10, tie_word_embeddings=tied)
    again = load_adapter(plain, found.checkpoint / ADAPTER)
    assert torch.equal(logp(again.get_base_model(), policy), after)


def test_a_run_with_an_adapter_goes_on_to_the_same_bytes(
    tmp_path: Path, make_model: MakeModel, tokenizer: Any
) -> None:
    whole = trained(adapted(make_model, tokenizer), tmp_path / "whole")
    trained(adapted(make_model, tokenizer), tmp_path / "other", steps=3)
    model = make_model(dtype=torch.float32, vocab_size=10)
    adapter = load_adapter(model, tmp_path / "other" / "checkpoint-00000003" / ADAPTER)
    other = trained(Policy(model, tokenizer, adapter=adapter), tmp_path / "other")
    names = (
        "model.safetensors", "trainer/state.json", "trainer/tensors.safetensors",
        f"{ADAPTER}/adapter_model.safetensors",
    )  # fmt: skip
    for name in names:
        assert (other.checkpoint / name).read_bytes() == (whole.checkpoint / name).read_bytes()


def test_the_reference_is_the_model_without_the_adapter(
    tmp_path: Path, make_model: MakeModel, tokenizer: Any
) -> None:
    policy = adapted(make_model, tokenizer)
    before = policy.scores(SHOWN, 1.0).logp.detach()
    trained(policy, tmp_path)
    reference = WithoutAdapter(policy)
    assert torch.equal(reference.scores(SHOWN, 1.0).logp.detach(), before)
    assert not torch.allclose(policy.scores(SHOWN, 1.0).logp.detach(), before, atol=0.1)


def test_merging_changes_nothing_of_the_model(make_model: MakeModel, tokenizer: Any) -> None:
    policy = adapted(make_model, tokenizer)
    for name, parameter in policy.model.named_parameters():
        if ".lora_B" in name:
            torch.nn.init.normal_(parameter)
    before = policy.scores(SHOWN, 1.0).logp.detach()
    merged = merged_weights(policy.model)
    plain = make_model(dtype=torch.float32, vocab_size=10)
    assert merged.keys() == plain.state_dict().keys()
    plain.load_state_dict(merged)
    assert torch.allclose(logp(plain, policy), before, atol=1e-5)
    assert torch.equal(policy.scores(SHOWN, 1.0).logp.detach(), before)


def test_what_is_no_adapter_is_said_in_a_line(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model(dtype=torch.float32)
    with pytest.raises(InputError, match="rank is 1 or more"):
        add_adapter(model, 0)
    with pytest.raises(InputError, match="holds no adapter"):
        load_adapter(model, tmp_path)
