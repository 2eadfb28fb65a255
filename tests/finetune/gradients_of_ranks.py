"""Run by ``test_ranks.py`` in one process or under ``torchrun``: gradients of every preset.

Arguments: the folder of a journal (its step 1), where the gradients go, the most tokens that are
read at once, and ``sharded`` where weights are to lie in parts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from finetune.course import Course
from finetune.critic import Critic
from finetune.objectives import State, names, resolve
from finetune.optimizer import Optimization, Optimizer
from finetune.policy import Policy
from finetune.ranks import joined
from finetune.rollouts import read_rollouts
from finetune.sharding import gathered, shard
from finetune.trainer import Practice, learn


class Still(Optimizer):
    """Leaves the weights as they are, and the gradients."""

    def step(self, number: int) -> float:
        return 0.0


def model(dtype: torch.dtype, seed: int, kind: str = "AutoModelForCausalLM") -> Any:
    import transformers
    from transformers import AutoConfig

    config = AutoConfig.for_model(
        "llama", vocab_size=10, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=512,
        pad_token_id=0, num_labels=1,
    )  # fmt: skip
    torch.manual_seed(seed)
    return getattr(transformers, kind).from_config(config).to(dtype).eval()


def main() -> None:
    folder, out, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    sharded = sys.argv[4:] == ["sharded"]
    torch.set_num_threads(1)
    groups = read_rollouts(folder, 1)
    practice = Practice(prompts=len(groups), samples=2, max_tokens=8)
    optimization = Optimization(steps=1, learning_rate=1e-3)
    found = {}
    with joined(sharded) as ranks:
        for dtype in (torch.float64, torch.float32):
            policy, reference = Policy(model(dtype, 0), None), Policy(model(dtype, 1), None)
            critic = Critic(model(dtype, 2, "AutoModelForTokenClassification"), policy)
            if sharded:
                for one in (policy, reference, critic):
                    shard(one.model)
            for name in names():
                valued = critic if name == "ppo" else None
                trained = [*policy.model.named_parameters()]
                judging = [*critic.model.named_parameters()] if valued else []
                for _, parameter in (*trained, *judging):
                    parameter.grad = None
                # An expert that no token was sent to, say: AdamW is not to let it decay.
                unread = torch.nn.Parameter(torch.ones(2, 2, dtype=dtype))
                objective = resolve(name, correction="truncate", max_length=8, kl_coef=0.1)
                learn(
                    policy, groups, objective, State(1, 3, anchor=0.1),
                    Still([*trained, ("unread", unread)], optimization, judging),
                    practice, Course(micro_tokens=most), rate_step=0, reference=reference,
                    critic=valued, ranks=ranks,
                )  # fmt: skip
                assert unread.grad is None
                gradients = gathered([p.grad for _, p in (*trained, *judging)])
                name = f"{name} {str(dtype).removeprefix('torch.')}"
                found[name] = torch.cat([gradient.flatten() for gradient in gradients])
        if ranks.first:
            torch.save(found, out)


if __name__ == "__main__":
    main()
