"""What seven billion parameters need is known without a byte of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist

from benchgen.errors import InputError
from finetune.log_probabilities import takes_shared_prompts, token_scores
from finetune.memory import engine_share, needs, share_beside, skeleton
from finetune.sharding import layers, shard
from finetune.trajectory import Trajectory

MakeModel = Callable[..., Any]


def seven_billion(**changes: Any) -> Any:
    """A configuration of the size of Qwen2.5-7B's."""
    from transformers import AutoConfig

    sizes = {
        "vocab_size": 152_064, "hidden_size": 3584, "intermediate_size": 18_944,
        "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
        "max_position_embeddings": 32_768, "tie_word_embeddings": False,
    }  # fmt: skip
    return AutoConfig.for_model("qwen2", **(sizes | changes))


@pytest.fixture
def eight_ranks() -> Any:
    """The first of eight ranks; what it sends arrives nowhere."""
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=8)
    yield
    dist.destroy_process_group()


def test_seven_billion_parameters_are_told_from_their_configuration() -> None:
    model = skeleton(seven_billion())
    assert {p.device.type for p in model.parameters()} == {"meta"}
    one, eight = needs(model), needs(model, 8)
    assert one.parameters == eight.parameters == 7_615_616_512
    assert one.held == 16 * one.parameters and one.whole == 0
    assert eight.held == one.held // 8
    # Embeddings, head and last norm, and two layers: weights and gradients.
    beside, layer = 2 * 152_064 * 3584 + 3584, 233_057_792
    assert 28 * layer + beside == one.parameters
    assert eight.whole == 2 * 4 * (beside + 2 * layer)
    assert str(one) == "7.62 billion parameters: 121.8 GB for weights, gradients and AdamW"
    assert str(eight) == (
        "7.62 billion parameters: 15.2 GB for weights, gradients and AdamW on each of 8, and "
        "12.4 GB in a pass"
    )


def test_seven_billion_parameters_are_divided_as_it_was_told(eight_ranks: Any) -> None:
    model = skeleton(seven_billion())
    expected = needs(model, 8)
    assert len(layers(model)) == 28
    shard(model)
    own = sum(p.to_local().numel() * p.element_size() for p in model.parameters())
    assert 4 * own == expected.held


def test_an_odd_number_of_rows_is_divided_as_it_was_told(
    eight_ranks: Any, make_model: MakeModel
) -> None:
    model = make_model(vocab_size=61, intermediate_size=47).to("meta")
    expected = needs(model, 8)
    shard(model)
    own = sum(p.to_local().numel() * p.element_size() for p in model.parameters())
    assert 4 * own == expected.held > needs(model, 1).held / 8


def test_seven_billion_parameters_may_share_prompts_and_are_read_in_chunks() -> None:
    model = skeleton(seven_billion())
    # All that its configuration says is passed; the trial fails, for there is nothing to try.
    assert takes_shared_prompts(model) == "it reads such a row otherwise than its parts"
    windowed = skeleton(seven_billion(use_sliding_window=True, max_window_layers=0))
    assert "sliding" in takes_shared_prompts(windowed)
    rows = [Trajectory((1, 2, 3), (4, 5)), Trajectory((1, 2, 3), (6,) * 700)]
    found = token_scores(model, rows, temperature=1.0, shared=True)
    assert found.logp.shape == (2, 700) and found.logp.requires_grad


def test_layers_that_are_not_known_are_refused(make_model: MakeModel) -> None:
    model = make_model()
    model._no_split_modules = None
    with pytest.raises(InputError, match="layers of a LlamaForCausalLM are not known"):
        layers(model)


def test_an_engine_is_given_what_the_trainer_leaves() -> None:
    weights = [torch.zeros(10, 100, requires_grad=True)]
    # 10,000 bytes are free; AdamW will take 8,000 of them.
    assert share_beside(weights, free=10_000, total=20_000) == pytest.approx(0.9 * 2000 / 20_000)
    with pytest.raises(InputError, match="no memory"):
        share_beside(weights, free=8_000, total=20_000)
    if not torch.cuda.is_available():
        assert engine_share(weights) is None
