"""All that a training run is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from benchgen.errors import InputError
from benchgen.prompt import PROMPT_MODALITIES

SFT = "sft"
ENGINES = ("transformers", "vllm")

OF_SFT = {
    "batch": "--batch", "replies": "--replies", "boxed": "--boxed", "worked": "--worked",
}  # fmt: skip
OF_REWARDS = {
    "prompts": "--prompts", "samples": "-n", "temperature": "--temperature",
    "dynamic": "--dynamic", "updates": "--updates", "mini_batches": "--mini-batches",
    "rewards": "--reward", "least_entropy": "--least-entropy",
    "critic_learning_rate": "--critic-learning-rate",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """What ``benchgen train`` is given; the fields are its options.

    ``objective`` is ``sft`` or a preset's name, ``overrides`` change its settings. Questions come
    from a dataset, ``data``, or fresh from ``suite``, of ``tasks`` and ``levels`` (none: all).

    Raises
    ------
    InputError
        There is no source of questions, or there are two; what belongs to one objective is asked
        of another.
    """

    objective: str
    model: str
    steps: int
    learning_rate: float
    data: str | None = None
    suite: str | None = None
    tasks: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    curriculum: bool = False
    modality: str = "text"
    lora_rank: int = 0
    shard_weights: bool = False
    autocast: bool = False
    warmup: int = 0
    decay: str = "constant"
    weight_decay: float = 0.0
    critic_learning_rate: float = 1e-5
    batch: int = 8
    replies: str = "solution"
    boxed: str = "letter"
    worked: float = 1.0
    prompts: int = 8
    samples: int = 8
    max_tokens: int = 256
    temperature: float = 1.0
    dynamic: bool = False
    updates: int = 1
    mini_batches: int = 1
    overrides: tuple[str, ...] = ()
    rewards: tuple[str, ...] = ("correctness",)
    engine: str = "transformers"
    window: int = 64
    validation: str | None = None
    validate_every: int = 0
    test: str | None = None
    save_every: int = 50
    keep: int = 2
    micro_tokens: int = 4096
    seed: int = 0
    max_minutes: float = 0.0
    most_tokens: int = 0
    least_entropy: float = 0.0
    track: tuple[str, ...] = ()
    plot: bool = False

    def __post_init__(self) -> None:
        if self.modality not in PROMPT_MODALITIES:
            known = ", ".join(PROMPT_MODALITIES)
            raise InputError(f"--modality is {known}, not {self.modality!r}")
        if (self.data is None) == (self.suite is None):
            raise InputError("questions come from --data DIR, or fresh from --suite NAME")
        if self.suite is None and (self.tasks or self.levels or self.curriculum):
            raise InputError("--task, --level and --curriculum go with --suite")
        if self.objective == SFT:
            if self.suite is not None:
                raise InputError("sft imitates the worked solutions of a dataset: give --data")
            if self.overrides:
                raise InputError("sft has no objective to override")
            self._refuse(OF_REWARDS, "sft earns no rewards")
            if self.validation or self.validate_every:
                raise InputError("sft is not validated as it goes: ask its checkpoints")
        else:
            self._refuse(OF_SFT, f"{self.objective} imitates no examples")
        if bool(self.validation) != bool(self.validate_every):
            raise InputError("--validation and --validate-every go together")
        if self.validate_every < 0:
            raise InputError("--validate-every is 0 or more")
        if self.lora_rank < 0:
            raise InputError("--lora-rank is 1 or more, or 0 to train all weights")
        if self.shard_weights and self.lora_rank:
            raise InputError("--shard-weights trains all weights: it goes without --lora-rank")
        if self.engine not in ENGINES:
            raise InputError(f"rollouts are sampled by {', '.join(ENGINES)}, not {self.engine!r}")
        if self.shard_weights and self.objective != SFT and self.engine != "vllm":
            raise InputError("weights in parts cannot be sampled from: give --engine vllm")

    def is_given(self, name: str) -> bool:
        """Whether a field has another value than its default."""
        return any(f.name == name and getattr(self, name) != f.default for f in fields(self))

    def _refuse(self, options: Mapping[str, str], why: str) -> None:
        for name, option in options.items():
            if self.is_given(name):
                raise InputError(f"{why}: {option} would do nothing")


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """``name=value`` each; a value is JSON, or else a word.

    Raises
    ------
    InputError
        One has no name or no value.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"an override is name=value, not {text!r}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
