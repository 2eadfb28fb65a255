"""Run by ``test_ranks.py`` in one process or under ``torchrun``: VPPO's gradient on pictures.

Arguments: where the gradient goes, the most tokens that are read at once, and ``sharded`` where
weights are to lie in parts.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import torch

import benchgen
from evaluators.questions import Question
from finetune.course import Course
from finetune.objectives import State, resolve
from finetune.optimizer import Optimization
from finetune.ranks import joined
from finetune.sharding import gathered, shard
from finetune.trainer import Practice, learn
from tests.finetune.gradients_of_ranks import Still
from tests.finetune.test_pictures import made, rolled_out


def main() -> None:
    out, most = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    policy = made("idefics3")
    questions = []
    for index in range(3):
        problem = benchgen.make("sheet_music/interval_name", split="train", index=index, level=1)
        questions.append(Question(problem, tuple(problem.messages("image")), problem.images()))
    groups = [
        [dataclasses.replace(one, reward=float(one.sample % 2)) for one in group]
        for group in rolled_out(policy, questions)
    ]
    objective = resolve("vppo", visual_patch=8, correction="truncate")
    with joined(sys.argv[3:] == ["sharded"]) as ranks:
        if ranks.sharded:
            shard(policy.model)
        parameters = [*policy.model.named_parameters()]
        learn(
            policy, groups, objective, State(1, 3),
            Still(parameters, Optimization(steps=1, learning_rate=1e-3)),
            Practice(prompts=3, samples=6, max_tokens=5), Course(micro_tokens=most), rate_step=0,
            ranks=ranks,
        )  # fmt: skip
        gradients = gathered([p.grad for _, p in parameters if p.grad is not None])
        if ranks.first:
            torch.save(torch.cat([gradient.flatten() for gradient in gradients]), out)


if __name__ == "__main__":
    main()
