"""TRL's trainer loads the exported data and calls the exported reward."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import datasets
import pytest

from benchgen.export import export_dataset, read_source
from benchgen.problem import Problem
from benchgen.prompt import worked_answer


@pytest.fixture
def load(lessons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The rows and the reward of an export, as its README has them loaded."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    def load(modality: str) -> tuple[datasets.Dataset, Any]:
        out = tmp_path / modality
        source, files = export_dataset("trl", lessons, out, modality=modality)
        data = datasets.load_dataset("parquet", data_files=str(files[-1]), split="train")
        assert len(data) == len(source.items)
        spec = importlib.util.spec_from_file_location("reward", out / "reward.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return data, module.correctness

    return load


def called_as_trl_calls(reward: Any, data: datasets.Dataset, replies: list[str]) -> Any:
    """With every column but the prompt's by name, and what TRL adds."""
    rows = list(data)
    columns = {key: [row[key] for row in rows] for key in rows[0] if key != "prompt"}
    return reward(
        prompts=[row["prompt"] for row in rows],
        completions=[[{"role": "assistant", "content": reply}] for reply in replies],
        completion_ids=[[1, 2, 3]] * len(rows),
        trainer_state=None,
        log_extra=lambda name, values: None,
        log_metric=lambda name, value: None,
        **columns,
    )


def test_right_replies_are_paid_and_no_others(load: Any, lessons: Path) -> None:
    data, reward = load("text")
    problems = [Problem.from_json(row["problem"]) for row in data]
    for row, item in zip(data, read_source(lessons, "text").items, strict=True):
        assert row["prompt"] == item.problem.messages("text")
    gold = [worked_answer(problem.solution, problem.target) for problem in problems]
    wrong = [rf"\boxed{{{'B' if problem.target == 'A' else 'A'}}}" for problem in problems]
    assert called_as_trl_calls(reward, data, gold) == [1.0] * len(data)
    assert called_as_trl_calls(reward, data, [""] * len(data)) == [0.0] * len(data)
    assert called_as_trl_calls(reward, data, wrong) == [0.0] * len(data)
    # Of prompts that are no conversations TRL gives the replies as text.
    assert reward(completions=gold, problem=data["problem"]) == [1.0] * len(data)


def test_pictures_are_read_as_pictures(load: Any) -> None:
    data, reward = load("image")
    assert isinstance(data.features["image"], datasets.Image)
    assert all(row["image"].size[0] > 100 for row in data)
    assert called_as_trl_calls(reward, data, [""] * len(data)) == [0.0] * len(data)


@pytest.mark.slow
def test_trl_s_trainer_takes_a_step_on_it(load: Any, tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    from evaluators.engines.smollm2 import smollm2_folder

    data, reward = load("text")
    paid = []

    def correctness(**given: Any) -> list[float]:
        paid.append(reward(**given))
        assert len(paid[-1]) == len(given["completions"])
        return paid[-1]

    tokenizer = AutoTokenizer.from_pretrained(smollm2_folder())
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    settings = GRPOConfig(
        output_dir=str(tmp_path / "run"),
        use_cpu=True,
        bf16=False,
        max_steps=1,
        per_device_train_batch_size=4,
        num_generations=2,
        max_completion_length=4,
        report_to=[],
        save_strategy="no",
    )
    GRPOTrainer(
        model,
        reward_funcs=correctness,
        train_dataset=data,
        args=settings,
        processing_class=tokenizer,
    ).train()
    assert paid and set(paid[0]) <= {0.0, 1.0}
