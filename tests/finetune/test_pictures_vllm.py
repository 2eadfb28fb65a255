"""vLLM sees the pictures that the policy learns from, before an update and after it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import benchgen
from evaluators.engine import Request, Sampling
from evaluators.engines.transformers import TransformersEngine
from evaluators.engines.vllm import VllmEngine
from evaluators.questions import Question
from finetune.policy import Policy, load_policy
from finetune.rewards import Reward, correctness
from finetune.rollouts import draw_groups
from finetune.small_pictures import small
from finetune.small_reader import ReaderShape, write_small_reader

pytestmark = pytest.mark.slow


def drawn(turned: int) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").rotate(90 * turned).resize((96, 96)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    sys.path.insert(0, str(Path(__file__).parents[1] / "evaluators" / "engines"))
    try:
        from tiny_reader import write_tiny_reader
    finally:
        sys.path.pop(0)
    folder = tmp_path_factory.mktemp("models") / "tiny-reader"
    write_tiny_reader(folder)
    policy = load_policy(str(folder))
    with torch.no_grad():
        # As it begins, so small a model hardly looks at what it is shown.
        for parameter in policy.model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3)
    return policy


@pytest.fixture(scope="module")
def engine(policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    folder = tmp_path_factory.mktemp("models") / "policy"
    folder.mkdir()
    policy.save(folder)
    opened = VllmEngine(str(folder), window=8, dtype="float32")
    yield opened
    opened.close()


def agreement(policy: Policy, engine: VllmEngine, seed: int) -> tuple[float, float]:
    """The largest difference of log-probabilities, and the least where pictures are exchanged."""
    problem = benchgen.make("sheet_music/interval_name", split="train", index=0, level=1)
    messages = tuple(problem.messages("image"))
    pictures = drawn(0), drawn(1)
    asked = [Question(problem, messages, (picture,)) for picture in pictures]
    groups = draw_groups(
        engine, list(enumerate(asked)), [Reward("correctness", 1.0, correctness)], samples=2,
        temperature=1.0, max_tokens=4, seed=seed,
    ).groups  # fmt: skip
    assert [len(group) for group in groups] == [2, 2]
    assert policy.reader is not None
    for group, question in zip(groups, asked, strict=True):
        words = policy.reader.words(messages, asks=True)
        assert group[0].prompt == policy.reader.token_ids(words, question.images)
    trajectories = [one.trajectory for group in groups for one in group]
    swapped = [replace(t, pictures=(pictures[t.pictures == (pictures[0],)],)) for t in trajectories]
    far = []
    for shown in (trajectories, swapped):
        logp = policy.scores(shown, 1.0).logp.detach()
        far.append(
            [
                float((logp[n, : len(t.reply)] - torch.tensor(t.logprobs)).abs().max())
                for n, t in enumerate(trajectories)
            ]
        )
    return max(far[0]), min(far[1])


def test_rollouts_saw_the_picture_and_the_newest_weights(
    policy: Policy, engine: VllmEngine
) -> None:
    with torch.no_grad():
        same, swapped = agreement(policy, engine, seed=1)
        assert same < 1e-3 and swapped > 5e-2
        torch.manual_seed(1)
        for parameter in policy.model.parameters():
            if parameter.dim() > 1:
                parameter.add_(0.3 * parameter.std() * torch.randn_like(parameter))
        before, _ = agreement(policy, engine, seed=2)
        assert before > 5e-2
        engine.update_weights(policy.whole)
        same, swapped = agreement(policy, engine, seed=2)
        assert same < 1e-3 and swapped > 5e-2


def test_the_small_reader_reads_alike_in_both_engines(tmp_path: Path) -> None:
    shape = ReaderShape(side=64, patch=16, merge=1, words=1024, eyes=1, layers=1)
    write_small_reader(tmp_path / "reader", shape, seed=0)
    problem = benchgen.make("sheet_music/chord_root", split="train", index=0, level=1)
    pictures = [small(drawn(turned), 64) for turned in range(4)]
    asked = [
        Request(
            str(number), tuple(problem.messages("image")), (), (picture,),
            Sampling(max_tokens=6, logprobs=True),
        )
        for number, picture in enumerate(pictures)
    ]  # fmt: skip
    folder = str(tmp_path / "reader")
    replies = []
    for engine in (
        TransformersEngine(folder, dtype="float32"), VllmEngine(folder, window=4, dtype="float32"),
    ):  # fmt: skip
        replies.append({one.id: one for one in engine.generate(asked)})
        engine.close()
    ours, others = replies
    for name, one in ours.items():
        other = others[name]
        assert one.prompt_token_ids == other.prompt_token_ids and one.error is other.error is None
        assert one.token_ids == other.token_ids
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
    assert len({one.logprobs for one in ours.values()}) == 4, "the pictures are not looked at"
