"""Run by ``test_sharding.py``, by itself and under ``torchrun``: short runs of both kinds, and a
gradient of pictures.

Arguments: the folder of a model, that of new runs of 2 steps, that of runs to go on with to 4.
Under ``torchrun`` weights lie in parts.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import benchgen
from benchgen.problem import Problem, Response
from evaluators.engines.transformers import LoadedModel, TransformersEngine
from evaluators.engines.vllm_weights import written
from evaluators.questions import Question
from finetune.checkpoint import latest_step
from finetune.course import Course
from finetune.critic import load_critic
from finetune.objectives import resolve
from finetune.optimizer import Optimization
from finetune.policy import Policy
from finetune.questions import Listed
from finetune.ranks import Ranks, joined
from finetune.rewards import Reward, correctness
from finetune.sft import accumulate, imitate
from finetune.sharding import gathered, shard
from finetune.trainer import Practice, train
from finetune.trajectory import Trajectory
from tests.finetune.test_pictures import made, shown

Run = Callable[[Path, Path, int, Ranks], None]


def spread(problem: Problem, response: Response) -> float:
    """Something to learn from in every group."""
    return sum(response.token_ids) % 7 / 7


class Copied(TransformersEngine):
    """Samples from a model of its own, which is given the weights as a vLLM is."""

    def update_weights(self, model: Any) -> None:
        with written(model) as folder:
            self._model.load_state_dict(loaded(folder).state_dict())


def loaded(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    # What is rounding in a gradient is not small to AdamW: in double precision it is nothing.
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()


def policy(folder: Path, ranks: Ranks) -> Policy:
    from transformers import AutoTokenizer

    model = loaded(folder)
    if ranks.sharded:
        shard(model)
    return Policy(model, AutoTokenizer.from_pretrained(folder))


def source(model: Path, out: Path) -> Path:
    step = latest_step(out)
    return model if step is None else out / f"checkpoint-{step:08d}"


def course(micro_tokens: int) -> Course:
    return Course(micro_tokens=micro_tokens, seed=5, save_every=2, keep=0)


def imitated(model: Path, out: Path, steps: int, ranks: Ranks) -> None:
    """Steps of 5 examples in 3 micro-batches: one rank has fewer than the other."""
    draw = random.Random(3)

    def tokens(most: int) -> tuple[int, ...]:
        return tuple(draw.randrange(1, 10) for _ in range(draw.randint(1, most)))

    examples = [Trajectory(tokens(9), tokens(7)) for _ in range(8)]
    settings = Optimization(steps, 1e-3, weight_decay=0.1)
    imitate(
        policy(source(model, out), ranks), examples, out, settings, course(30), batch=5, ranks=ranks
    )


def rewarded(model: Path, out: Path, steps: int, ranks: Ranks) -> None:
    """PPO, with all there is beside a policy: a critic and a reference."""
    problems = [
        benchgen.make("sheet_music/interval_name", split="train", index=index, level=1)
        for index in range(6)
    ]
    questions = [Question(problem, tuple(problem.messages("text")), ()) for problem in problems]
    trained = policy(source(model, out), ranks)
    reference = policy(model, ranks)
    reference.model.requires_grad_(False)
    own = LoadedModel("tiny", loaded(source(model, out)), trained.tokenizer)
    train(
        trained, Copied(own, window=64), Listed(questions, 5),
        [Reward("correctness", 1.0, correctness), Reward("spread", 1.0, spread)],
        resolve("ppo", kl_coef=0.1), out,
        practice=Practice(prompts=3, samples=4, max_tokens=3, mini_batches=3),
        course=course(300), optimization=Optimization(steps, 1e-3, critic_learning_rate=3e-3),
        reference=reference, critic=load_critic(str(model), trained), ranks=ranks,
    )  # fmt: skip


RUNS: dict[str, Run] = {"imitated": imitated, "rewarded": rewarded}


def pictured(ranks: Ranks) -> torch.Tensor:
    """The gradient of rows of which some show pictures: one rank reads none."""
    own = made("idefics3")
    rows = [*shown(own), Trajectory((3, 9, 4), (5, 1)), Trajectory((3, 9, 4), (6, 7, 1))]
    if ranks.sharded:
        shard(own.model)
    accumulate(own, rows, 40, ranks)
    gradients = gathered([parameter.grad for parameter in own.model.parameters()])
    return torch.cat([gradient.flatten() for gradient in gradients])


def main() -> None:
    model, begun, going_on = (Path(word) for word in sys.argv[1:])
    torch.set_num_threads(1)
    with joined(sharded=True) as ranks:
        for name, run in RUNS.items():
            run(model, begun / name, 2, ranks)
            run(model, going_on / name, 4, ranks)
        gradient = pictured(ranks)
        if ranks.first:
            torch.save(gradient, begun / "pictured")


if __name__ == "__main__":
    main()
