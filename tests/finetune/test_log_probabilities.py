"""Log-probabilities of replies are those of a plain forward pass, however they are laid out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from finetune import log_probabilities
from finetune.log_probabilities import bare_head, takes_shared_prompts, token_scores
from finetune.objectives.siren import Nucleus, nucleus_entropy
from finetune.packing import micro_batches, pack, packed_tokens
from finetune.trajectory import Trajectory

MakeModel = Callable[..., Any]


def trajectories(seed: int = 0, prompts: int = 3) -> list[Trajectory]:
    """Groups of one to four replies, all of unequal lengths."""
    draw = random.Random(seed)

    def tokens(most: int) -> tuple[int, ...]:
        return tuple(draw.randrange(1, 61) for _ in range(draw.randint(1, most)))

    made = []
    for _ in range(prompts):
        prompt = tokens(12)
        made += [Trajectory(prompt, tokens(9)) for _ in range(draw.randint(1, 4))]
    return made


def plainly(model: Any, trajectory: Trajectory, temperature: float) -> tuple[Tensor, Tensor]:
    """One text, all its scores."""
    token_ids = torch.tensor([trajectory.prompt + trajectory.reply])
    logits = model(input_ids=token_ids).logits[0, len(trajectory.prompt) - 1 : -1] / temperature
    logp = torch.log_softmax(logits, -1)
    entropy = -(logp.exp() * logp).sum(-1)
    return logp[range(len(trajectory.reply)), list(trajectory.reply)], entropy


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "gemma"])
def test_every_reply_is_read_as_if_it_were_alone(
    make_model: MakeModel, kind: str, shared: bool
) -> None:
    model = make_model(kind)
    assert takes_shared_prompts(model) == ""
    drawn = trajectories()
    found = token_scores(model, drawn, temperature=0.7, shared=shared)
    assert found.mask.sum(1).tolist() == [len(t.reply) for t in drawn]
    for number, trajectory in enumerate(drawn):
        length = len(trajectory.reply)
        logp, entropy = plainly(model, trajectory, 0.7)
        torch.testing.assert_close(found.logp[number, :length], logp)
        torch.testing.assert_close(found.entropy[number, :length], entropy)
        assert bool((found.logp[number, length:] == 0).all())


@pytest.mark.parametrize("shared", [True, False])
def test_gradients_are_those_of_a_plain_forward_pass(make_model: MakeModel, shared: bool) -> None:
    model = make_model(tie_word_embeddings=True)
    drawn = trajectories(1)
    weights = torch.rand(len(drawn), max(len(t.reply) for t in drawn), dtype=torch.float64)
    plain = sum(
        (weights[i, : len(t.reply)] * plainly(model, t, 1.0)[0]).sum()
        for i, t in enumerate(drawn)
    )
    expected = torch.autograd.grad(plain, list(model.parameters()))
    found = token_scores(model, drawn, temperature=1.0, shared=shared)
    gradients = torch.autograd.grad((weights * found.logp).sum(), list(model.parameters()))
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("shared", [True, False])
def test_entropies_of_a_nucleus_are_those_of_a_plain_forward_pass(
    make_model: MakeModel, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    drawn = trajectories(3)
    monkeypatch.setattr(log_probabilities, "CHUNK", 5)
    plain = torch.zeros((), dtype=torch.float64)
    found = token_scores(model, drawn, temperature=0.5, shared=shared, nucleus=Nucleus(0.7))
    assert found.nucleus_entropy is not None
    for number, trajectory in enumerate(drawn):
        start, length = len(trajectory.prompt), len(trajectory.reply)
        token_ids = torch.tensor([[*trajectory.prompt, *trajectory.reply]])
        scores = model(token_ids).logits[0, start - 1 : -1] / 0.5
        expected = nucleus_entropy(scores, Nucleus(0.7))
        plain = plain + expected.sum()
        torch.testing.assert_close(found.nucleus_entropy[number, :length], expected)
        assert bool((found.nucleus_entropy[number, length:] == 0).all())
    assert float(found.nucleus_entropy.detach().max()) > 1
    gradients, wanted = (
        torch.autograd.grad(value, list(model.parameters()))
        for value in (found.nucleus_entropy.sum(), plain)
    )
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_scores_are_never_all_held_at_once(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    drawn = trajectories(2)
    expected = token_scores(model, drawn, temperature=1.0, shared=True)
    monkeypatch.setattr(log_probabilities, "CHUNK", 5)
    seen: list[int] = []
    model.get_output_embeddings().register_forward_hook(
        lambda module, given, made: seen.append(made.shape[0])
    )
    found = token_scores(model, drawn, temperature=1.0, shared=True)
    assert max(seen) == 5 and sum(seen) == sum(len(t.reply) for t in drawn)
    torch.testing.assert_close(found.logp, expected.logp)
    saved: list[tuple[int, ...]] = []

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        token_scores(model, drawn, temperature=1.0, shared=True)
    # Nothing as wide as the vocabulary waits for the backward pass but the head's own weights.
    assert not [shape for shape in saved if shape[-1] == 61 and shape != (32, 61)]


def test_a_prompt_is_read_once_for_all_its_replies() -> None:
    one = [Trajectory((1, 2, 3), (4,)), Trajectory((1, 2, 3), (5, 6)), Trajectory((1, 2), (7,))]
    assert tuple(pack(one, shared=True).token_ids.shape) == (2, 6)
    assert tuple(pack(one, shared=False).token_ids.shape) == (3, 5)
    assert (packed_tokens(one, shared=True), packed_tokens(one, shared=False)) == (9, 12)
    assert pack(one, shared=False).sees is None


@pytest.mark.parametrize("shared", [True, False])
def test_micro_batches_hold_every_reply_once_and_no_more_tokens_than_they_may(
    shared: bool,
) -> None:
    for seed in range(20):
        drawn = trajectories(seed, prompts=6)
        parts = micro_batches(drawn, shared=shared, most_tokens=40)
        assert sorted(number for part in parts for number in part) == list(range(len(drawn)))
        for part in parts:
            rows = pack([drawn[number] for number in part], shared=shared).token_ids
            assert rows.numel() <= 40
    long = [Trajectory((1,) * 30, (2,) * 30), Trajectory((1,), (2,))]
    assert micro_batches(long, shared=shared, most_tokens=40) == [[0], [1]]


def test_models_that_cannot_share_a_prompt_are_told(make_model: MakeModel) -> None:
    sliding = make_model("mistral", sliding_window=4)
    assert "sliding window" in takes_shared_prompts(sliding)
    mixed = make_model("gemma2", sliding_window=4)
    assert "sliding_attention" in takes_shared_prompts(mixed)


def test_a_head_that_is_bent_afterwards_is_noticed(make_model: MakeModel) -> None:
    assert bare_head(make_model())
    assert not bare_head(make_model("gemma2", final_logit_softcapping=0.05))


def test_an_empty_reply_is_refused() -> None:
    with pytest.raises(ValueError, match="a prompt and a reply"):
        pack([Trajectory((1,), ())], shared=True)
