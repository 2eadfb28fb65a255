"""Run by ``test_ranks.py`` in one process or under ``torchrun``: gradients of every preset.

Arguments: the folder of a journal (its step 1), where the gradients go, and the most tokens that
are read at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from finetune.objectives import State, names, resolve
from finetune.optimizer import Optimization, Optimizer
from finetune.policy import Policy
from finetune.ranks import joined
from finetune.rollouts import read_rollouts
from finetune.trainer import Course, Practice, learn

PRESETS = [name for name in names() if name != "ppo"]  # which needs a critic


class Still(Optimizer):
    """Leaves the weights as they are, and the gradients."""

    def step(self, number: int) -> float:
        return 0.0


def model(dtype: torch.dtype, seed: int) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "llama", vocab_size=10, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=512,
        pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config).to(dtype)


def main() -> None:
    folder, out, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    groups = read_rollouts(folder, 1)
    practice = Practice(prompts=len(groups), samples=2, max_tokens=8)
    optimization = Optimization(steps=1, learning_rate=1e-3)
    found = {}
    with joined() as ranks:
        for dtype in (torch.float64, torch.float32):
            policy, reference = Policy(model(dtype, 0), None), Policy(model(dtype, 1), None)
            for name in PRESETS:
                objective = resolve(name, correction="truncate", max_length=8, kl_coef=0.1)
                policy.model.zero_grad()
                learn(
                    policy, groups, objective, State(1, 3),
                    Still(policy.model.named_parameters(), optimization), practice,
                    Course(micro_tokens=most), rate_step=0, reference=reference, ranks=ranks,
                )  # fmt: skip
                gradients = [p.grad.flatten() for p in policy.model.parameters()]
                found[f"{name} {str(dtype).removeprefix('torch.')}"] = torch.cat(gradients)
        if ranks.first:
            torch.save(found, out)


if __name__ == "__main__":
    main()
