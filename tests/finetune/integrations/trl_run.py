"""Two optimizer steps of TRL's trainer with one of our objectives, on replies that are made up.

Run by ``test_trl.py``: in its process, and as a script under ``torchrun``. Arguments of the script:
a folder with the reference model, one for what was seen (a file a process), names of objectives.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from finetune.integrations.trl import ObjectiveTrainer
from finetune.objectives import Settings, resolve

WORDS = ["<pad>", "<end>", "<unk>", "A", "B", "C", "D", "E", "F", "G"]
END = 1
PROMPTS, SAMPLES, LONGEST = 2, 4, 8


@dataclass(frozen=True)
class Reply:
    """``chosen`` is 0 where a token was given to the policy (a tool's words)."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    chosen: tuple[int, ...]


def replies(generation: int, given: bool = False) -> list[Reply]:
    """Replies of unequal lengths, some cut, in groups; with some tokens ``given`` or none."""
    draw = random.Random(generation)
    found = []
    for _ in range(PROMPTS):
        prompt = tuple(draw.randrange(3, 10) for _ in range(draw.randint(2, 5)))
        for _ in range(SAMPLES):
            length = draw.randint(2, LONGEST)
            tokens = [draw.randrange(3, 10) for _ in range(length)]
            if length < LONGEST:
                tokens[-1] = END
            logprobs = tuple(-2.3 + 0.3 * draw.random() for _ in tokens)
            chosen = tuple(int(draw.random() < 0.7 or not given) for _ in tokens)
            found.append(Reply(prompt, tuple(tokens), logprobs, chosen))
    return found


def right(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float | None]:
    """A reward, None where nothing is said of a reply."""
    return [None if ids[0] == 3 else (sum(ids) % 7) / 6 for ids in completion_ids]


def brief(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float | None]:
    """Another."""
    return [None if ids[0] in (3, 4) else 1 / len(ids) for ids in completion_ids]


WEIGHTS = (1.0, 0.5)


def worth(reply: Reply) -> float:
    """The rewards as TRL sums them; NaN where none says anything."""
    parts = [(w, f([reply.tokens])[0]) for w, f in zip(WEIGHTS, (right, brief), strict=True)]
    known = [weight * part for weight, part in parts if part is not None]
    return sum(known) if known else float("nan")


def wanted(name: str, **overrides: Any) -> Settings:
    """A preset with an engine's correction, where the replies have log-probabilities.

    Selections by covariance find something in replies as alike as these.
    """
    usual = {"correction": "truncate", "max_length": LONGEST, "cov_low": 0.0, "select_share": 0.2}
    return resolve(name, **(usual | overrides))


def make_model(seed: int) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "llama", vocab_size=len(WORDS), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
        pad_token_id=0, eos_token_id=END, bos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config).float()


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", pad_token="<pad>", eos_token="<end>"
    )


@dataclass
class Seen:
    """Of each optimizer step: gradient and loss, the weights that had them, the advantages of the
    generation, and the rows of it that this process learned from.
    """

    gradients: list[torch.Tensor] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    weights: list[Mapping[str, torch.Tensor]] = field(default_factory=list)
    advantages: list[torch.Tensor] = field(default_factory=list)
    rows: list[torch.Tensor] = field(default_factory=list)


def build(
    objective: Settings,
    folder: Path,
    seen: Seen,
    *,
    trainer: type = ObjectiveTrainer,
    accumulation: int = 1,
    parts: int = 1,
    iterations: int = 1,
    processes: int = 1,
    steps: int = 2,
    correction: bool = False,
    given: bool = False,
    data: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Any:
    """The trainer; a generation is learned from in ``parts`` optimizer steps, ``iterations`` times.

    ``folder`` holds the reference model.
    """
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig

    model = make_model(0)
    # TRL looks for the reference where the policy says that it comes from.
    model.config._name_or_path = str(folder)
    batch = PROMPTS * SAMPLES // (accumulation * parts * processes)
    settings = {
        "output_dir": str(folder / "out"), "use_cpu": True, "bf16": False, "report_to": [],
        "per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation,
        "steps_per_generation": accumulation * parts, "num_iterations": iterations,
        "num_generations": SAMPLES, "max_completion_length": LONGEST, "max_steps": steps,
        "learning_rate": 2e-3, "lr_scheduler_type": "constant", "max_grad_norm": 0.0,
        "shuffle_dataset": False, "logging_steps": 1, "save_strategy": "no",
        "disable_tqdm": True, "reward_weights": list(WEIGHTS), "seed": 3,
    }  # fmt: skip
    if processes > 1:
        settings["ddp_backend"] = "gloo"

    def roll_out(prompts: list[str], trainer: Any) -> dict[str, Any]:
        first = trainer.accelerator.process_index * len(prompts)
        chosen = replies(trainer.state.global_step, given)[first : first + len(prompts)]
        found: dict[str, Any] = {
            "prompt_ids": [list(one.prompt) for one in chosen],
            "completion_ids": [list(one.tokens) for one in chosen],
            "logprobs": [list(one.logprobs) for one in chosen] if correction else None,
        }
        if given:
            found["env_mask"] = [list(one.chosen) for one in chosen]
        return found

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_pre_optimizer_step(self, *_: Any, **named: Any) -> None:
            model = made.accelerator.unwrap_model(made.model)
            gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
            seen.gradients.append(gradient.clone())
            seen.weights.append({n: p.detach().clone() for n, p in model.named_parameters()})
            seen.advantages.append(made._generations["train"].plan.advantages)
            first = (made._step - accumulation) % (accumulation * parts)
            window = made._buffered_inputs[first : first + accumulation]
            seen.rows.append(torch.cat([part["rollout"] for part in window]))

        def on_log(self, *_: Any, logs: Any, **named: Any) -> None:
            if "objective/loss" in logs:
                seen.losses.append(logs["objective/loss"])

    made: Any = trainer(
        objective=objective, args=GRPOConfig(**(settings | changes)), model=model,
        reward_funcs=[right, brief], processing_class=make_tokenizer(), rollout_func=roll_out,
        train_dataset=Dataset.from_dict({"prompt": ["A", "B"][:PROMPTS]}), callbacks=[Watch()],
        **(data or {}),
    )  # fmt: skip
    return made


def run(objective: Settings, folder: Path, **changes: Any) -> Seen:
    """Train, and say what was seen."""
    seen = Seen()
    build(objective, folder, seen, **changes).train()
    return seen


def main() -> None:
    folder, out, names = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    torch.set_num_threads(1)
    processes = int(os.environ["WORLD_SIZE"])
    found = {}
    for name in names:
        seen = run(
            wanted(name), folder, accumulation=2, parts=2, processes=processes, correction=True
        )
        found[name] = asdict(seen)
    torch.save(found, out / f"{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main()
