"""A running vLLM answers with the weights that it was given last, the tied head included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from evaluators.engine import Request, Sampling
from evaluators.engines.smollm2 import smollm2_folder
from evaluators.engines.vllm import VllmEngine

pytestmark = pytest.mark.slow

WORDS = "Name the notes between C and G, and say which of them lies in the middle of the two."


@pytest.fixture(scope="module")
def engine() -> Iterator[VllmEngine]:
    opened = VllmEngine("smollm2", window=4, context_length=512, dtype="float32")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def model() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(smollm2_folder(), dtype=torch.float32)


def sampled(engine: VllmEngine) -> Any:
    sampling = Sampling(temperature=1.0, max_tokens=12, seed=4, logprobs=True)
    request = Request("a", ({"role": "user", "content": WORDS},), sampling=sampling)
    (response,) = engine.generate([request])
    assert response.error is None and response.logprobs is not None
    return response


def furthest(model: Any, response: Any) -> float:
    """The largest difference of a token's log-probability from the model's own."""
    token_ids = torch.tensor([response.prompt_token_ids + response.token_ids])
    with torch.no_grad():
        logits = model(token_ids).logits[0, len(response.prompt_token_ids) - 1 : -1]
    logp = torch.log_softmax(logits, -1)[range(len(response.token_ids)), list(response.token_ids)]
    return float((logp - torch.tensor(response.logprobs)).abs().max())


def test_new_weights_are_what_answers(engine: VllmEngine, model: Any) -> None:
    # The same prompt each time: what was kept of it belongs to the old weights.
    assert furthest(model, sampled(engine)) < 1e-2
    torch.manual_seed(0)
    for _ in range(2):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1 + 0.05 * torch.randn_like(parameter))
        assert furthest(model, sampled(engine)) > 0.1
        engine.update_weights(model)
        assert furthest(model, sampled(engine)) < 1e-2
