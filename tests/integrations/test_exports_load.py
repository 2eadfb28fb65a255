"""verl, OpenRLHF and verifiers load what is exported for them, and pay for right answers alone."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import io
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image

from benchgen.answers import score
from benchgen.problem import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Export = Callable[[str, str], Path]
NAMES = {"text": "sheet_music_text", "image": "sheet_music_image"}


def replies(problem: Problem) -> dict[str, float]:
    """Replies and what they are worth."""
    others = [letter for letter in "ABCD"[: len(problem.options or ())] if letter != problem.target]
    return {
        rf"So it is \boxed{{{problem.target}}}.": 1.0,
        f"Answer: {problem.target}": 1.0,
        "": 0.0,
        rf"\boxed{{{others[0]}}}": 0.0,
        rf"\boxed{{{problem.target}}} or \boxed{{{others[0]}}}": 0.0,
    }


# verl


def verl_config(folder: Path, **data: Any) -> Any:
    from omegaconf import OmegaConf

    reward = {
        "custom_reward_function": {"path": str(folder / "reward.py"), "name": "compute_score"},
        "reward_manager": {"source": "register", "name": "naive", "module": None},
    }
    return OmegaConf.create({"reward": reward, "data": {"filter_overlong_prompts": False, **data}})


def verl_rows(folder: Path, modality: str, tokenizer: Any, **data: Any) -> Any:
    from verl.trainer.ppo.utils import create_rl_dataset

    config = verl_config(folder, cache_dir=str(folder.parent / "cache"), **data).data
    file = str(folder / f"{NAMES[modality]}.parquet")
    # The loader asks whether there is a processor, and no more.
    processor = tokenizer if modality == "image" else None
    return create_rl_dataset([file], config, tokenizer, processor)


def test_verl_loads_prompts_and_its_reward_manager_calls_our_score(
    exported: Export, tokenizer: PreTrainedTokenizerFast
) -> None:
    from tensordict import TensorDict
    from verl import DataProto
    from verl.trainer.ppo.reward import load_reward_manager
    from verl.utils.dataset.rl_dataset import collate_fn

    folder = exported("verl", "text")
    rows = verl_rows(
        folder, "text", tokenizer, filter_overlong_prompts=True, max_prompt_length=4096
    )
    assert len(rows) == 8
    asyncio.set_event_loop(asyncio.new_event_loop())
    manager = load_reward_manager(verl_config(folder), tokenizer)
    for place in range(len(rows)):
        columns = collate_fn([rows[place]])
        problem = Problem.from_json(columns["reward_model"][0]["ground_truth"])
        assert list(columns["raw_prompt"][0]) == problem_messages(folder, place, "prompt")
        assert columns["data_source"][0] == problem.task
        for reply, worth in replies(problem).items():
            tokens = tokenizer(reply + "<|im_end|>")["input_ids"]
            padded = torch.tensor([tokens + [0] * 5])
            there = torch.tensor([[1] * len(tokens) + [0] * 5])
            batch = {"responses": padded, "attention_mask": there}
            plain = {key: value for key, value in columns.items() if key != "dummy_tensor"}
            item = DataProto(batch=TensorDict(batch, batch_size=1), non_tensor_batch=plain)
            found = manager.loop.run_until_complete(manager.run_single(item))
            assert found["reward_score"] == worth, reply


def problem_messages(folder: Path, place: int, column: str) -> list[dict[str, str]]:
    import pyarrow.parquet as pq

    (file,) = folder.glob("*.parquet")
    row: dict[str, Any] = pq.read_table(file).to_pylist()[place]
    words = row[column][0]["content"]
    assert words.endswith("if the first option is right.")
    return [{"role": "user", "content": words}]


def test_verl_shows_the_picture_before_the_words(
    exported: Export, tokenizer: PreTrainedTokenizerFast
) -> None:
    rows = verl_rows(exported("verl", "image"), "image", tokenizer)
    assert len(rows) == 8
    for row in rows:
        (message,) = row["raw_prompt"]
        shown, words = message["content"]
        assert shown["type"] == "image" and shown["image"].mode == "RGB"
        assert shown["image"].size[0] > 100
        assert words["type"] == "text" and "<image>" not in words["text"]


# OpenRLHF


class Strategy:
    """What OpenRLHF's dataset asks of a strategy."""

    def __init__(self, **data: Any) -> None:
        keys = {"input_key": "input", "label_key": "label", "apply_chat_template": True, **data}
        self.args = Namespace(data=Namespace(**keys), use_ms=False)

    def print(self, *words: Any) -> None: ...

    def is_rank_0(self) -> bool:
        return False


class Says:
    """An engine that has its reply by heart."""

    def __init__(self, reply: list[int], ended: str) -> None:
        self.reply, self.ended = reply, ended

    async def generate(self, tokens: list[int], sampling: Any, multi_modal_data: Any) -> Any:
        said = SimpleNamespace(token_ids=self.reply, finish_reason=self.ended, logprobs=None)
        return SimpleNamespace(outputs=[said])


def openrlhf_rows(folder: Path, modality: str, tokenizer: Any) -> Any:
    from openrlhf.datasets import PromptDataset
    from openrlhf.datasets.utils import blending_datasets

    strategy = Strategy()
    data = blending_datasets(str(folder / f"{NAMES[modality]}.jsonl"), None, strategy)
    return PromptDataset(data, tokenizer, strategy)


def openrlhf_reward(
    folder: Path, row: Any, reply: str, tokenizer: Any, *, most: int, end: str = "<|im_end|>"
) -> Any:
    """What its executor of a single turn gives back of a reply."""
    from openrlhf.utils.agent import SingleTurnAgentExecutor

    _, prompt, label, _ = row
    executor = SingleTurnAgentExecutor([str(folder / "reward.py")])
    sampling = SimpleNamespace(max_tokens=500, logprobs=None)
    engine = Says(tokenizer(reply + end)["input_ids"], "stop" if end else "length")
    return asyncio.run(executor.execute(prompt, label, sampling, most, tokenizer, engine))


def test_openrlhf_loads_prompts_and_its_executor_calls_our_score(
    exported: Export, tokenizer: PreTrainedTokenizerFast
) -> None:
    folder = exported("openrlhf", "text")
    rows = openrlhf_rows(folder, "text", tokenizer)
    assert len(rows) == 8
    for row in rows:
        source, prompt, label, pictures = row
        problem = Problem.from_json(label)
        assert source == problem.task and pictures is None
        assert prompt.endswith("is right.<|im_end|>\n<|im_start|>assistant\n")
        for reply, worth in replies(problem).items():
            found = openrlhf_reward(folder, row, reply, tokenizer, most=10_000)
            assert (float(found["reward"]), float(found["scores"])) == (worth, worth), reply
        # The prompt's front is cut off where it is too long, and the reply says its end again.
        again = prompt[prompt.index("\\boxed{A} if") :]
        for reply in replies(problem):
            found = openrlhf_reward(folder, row, again + reply, tokenizer, most=800)
            query = tokenizer.decode(found["observation_tokens"])
            assert not query.startswith(prompt[:20])
            assert float(found["reward"]) == score(problem, again + reply).value, reply


def test_openrlhf_takes_the_reward_of_a_cut_reply_away(
    exported: Export, tokenizer: PreTrainedTokenizerFast
) -> None:
    folder = exported("openrlhf", "text")
    row = openrlhf_rows(folder, "text", tokenizer)[0]
    right = rf"\boxed{{{Problem.from_json(row[2]).target}}}"
    penalized = openrlhf_module("trainer/ppo_utils/length_penalty.py")
    arguments = Namespace(reward=Namespace(stop_properly_penalty_coef=0.0))
    for end, worth in (("<|im_end|>", 1.0), ("", 0.0)):
        found = openrlhf_reward(folder, row, right, tokenizer, most=10_000, end=end)
        experience = SimpleNamespace(
            rewards=torch.tensor([float(found["reward"])]),
            truncated=torch.tensor([found["truncated"]]),
            info={},
        )
        penalized.apply_length_penalties([experience], arguments)
        assert experience.rewards.tolist() == [worth]


def openrlhf_module(path: str) -> Any:
    """A module of OpenRLHF alone: its package brings vLLM and DeepSpeed."""
    import openrlhf

    spec = importlib.util.spec_from_file_location("alone", Path(openrlhf.__path__[0]) / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_openrlhf_reads_the_pictures(exported: Export, tokenizer: PreTrainedTokenizerFast) -> None:
    from openrlhf.utils.vlm_utils import load_images

    rows = openrlhf_rows(exported("openrlhf", "image"), "image", tokenizer)
    assert len(rows) == 8
    for _, prompt, label, pictures in rows:
        assert prompt.startswith("<|im_start|>user\n<|image|>")
        assert "<image>" not in prompt
        (picture,) = load_images(pictures)
        assert picture.size[0] > 100
        assert Problem.from_json(label).options


# verifiers


@pytest.fixture
def taskset(exported: Export) -> Iterator[Callable[[str], Any]]:
    """The environment of an export as verifiers finds it, were it installed."""
    import verifiers.v1 as vf

    before = list(sys.path)

    def load(modality: str) -> Any:
        sys.path.insert(0, str(exported("verifiers", modality)))
        name = NAMES[modality].replace("_", "-")
        return vf.load_environment(vf.resolve_env_config({"taskset": {"id": name}}))

    yield load
    sys.path[:] = before


def trace(task: Any, reply: str, ended: str) -> Any:
    """What verifiers keeps of a chat of one turn."""
    import verifiers.v1 as vf
    from verifiers.v1.trace import ModelCall, TraceTask

    nodes = [
        vf.MessageNode(message=task.data.prompt[0]),
        vf.MessageNode(message=vf.AssistantMessage(content=reply), parent=0, sampled=True),
    ]
    return vf.Trace(
        task=TraceTask(type=type(task).__name__, data=task.data),
        agent=vf.AgentInfo(config=vf.AgentConfig()),
        nodes=nodes,
        calls=[ModelCall(node=1, finish_reason=ended)],
    )


def test_verifiers_loads_the_environment_and_calls_our_score(
    taskset: Callable[[str], Any],
) -> None:
    environment = taskset("text")
    assert environment._default_harness.id == "sheet-music-text"
    assert not environment._harnesses["agent"].EXECUTES_CODE
    tasks = list(environment.taskset)
    assert len(tasks) == 8
    for task in tasks:
        problem = Problem.from_json(task.data.problem)
        assert (task.data.id, task.data.name) == (problem.id, problem.task)
        assert task.data.prompt[0].content.endswith("if the first option is right.")
        for reply, worth in replies(problem).items():
            for ended in ("stop", "length"):
                seen = trace(task, reply, ended)
                asyncio.run(task.score(seen))
                assert seen.rewards["correctness"].value == (worth if ended == "stop" else 0.0)


def test_verifiers_shows_the_picture_before_the_words(taskset: Callable[[str], Any]) -> None:
    tasks = list(taskset("image").taskset)
    assert len(tasks) == 8
    for task in tasks:
        shown, words = task.data.prompt[0].content
        head, packed = shown.image_url.url.split(",")
        assert head == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(packed))).size[0] > 100
        assert words.text.endswith("if the first option is right.")
        assert json.loads(task.data.problem)["options"]
