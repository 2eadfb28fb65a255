"""Models small enough to be made on the spot: random weights, real architectures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

MakeModel = Callable[..., Any]
WORDS = ["<pad>", "<end>", "<unk>", "<user>", "<assistant>", "A", "B", "C", "D", "perhaps"]
TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }} "
    "{% if message['role'] == 'assistant' %}<end> {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Any:
    """One thread, for what a module makes once, too: with more, sums are rounded otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """A causal language model of two layers, of ``kind``; ``changes`` go to its configuration."""

    def make(kind: str = "llama", dtype: torch.dtype = torch.float64, **changes: Any) -> Any:
        from transformers import AutoConfig, AutoModelForCausalLM

        sizes = {
            "vocab_size": 61,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "max_position_embeddings": 128,
            "pad_token_id": 0,
        }
        config = AutoConfig.for_model(kind, **(sizes | changes))
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).to(dtype)

    return make


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Ten words and a chat template; what it does not know is ``<unk>``."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", pad_token="<pad>", eos_token="<end>"
    )
    made.chat_template = TEMPLATE
    return made
