"""``make gpu-proof``: what only GPUs can show, tried on the GPUs there are, in one JSON.

Conventions
-----------
* A proof is tried on the real thing (a vLLM that sleeps, an allocator that is full) and says what
  it measured: bytes, natural logarithms, shares. ``passed`` is null where it could not be tried.
* The model is ``smollm2``, unless another is named.
* What needs no GPU (rows that share a prompt, scores in chunks, weights in parts) is the same
  function on a machine without one, where the tests call it.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchgen.dataset import synthesize
from benchgen.errors import InputError
from benchgen.files import write_whole
from benchgen.plan import make_plan
from evaluators.engine import Request, Sampling
from finetune.command import run_training
from finetune.job import Job
from finetune.log_probabilities import scores_at
from finetune.memory import engine_share
from finetune.objectives import RolloutBatch, mismatch_seen
from finetune.peak_memory import peak_memory
from finetune.policy import Policy, load_policy
from finetune.trajectory import Trajectory

MODEL = "smollm2"
QUESTIONS = (
    "Name the notes between C and G.", "Which note is in the middle of C and E?",
    "How many sharps are there in D major?", "What is a fifth above A?",
)  # fmt: skip
SAME = 1e-2
"""Two programs in single precision differ by less in a token's log-probability."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was tried, whether it holds (None: it was not tried, for a ``reason``), its figures."""

    name: str
    passed: bool | None
    figures: dict[str, float] = field(default_factory=dict)
    reason: str = ""


def shared_rows(model: str = MODEL) -> Proof:
    """Replies that share a row with their prompt are read as in rows of their own.

    Figures: the largest difference of a log-probability, the relative L2 of the gradients'.
    """
    policy = load_policy(model)
    if not policy.shared:
        return Proof("shared_rows", None, reason=policy.unshared)
    shown = _made_up(policy)
    together, apart = (
        _read(dataclasses.replace(policy, unshared=why), shown) for why in ("", "to compare")
    )
    far = float((together[0] - apart[0]).abs().max())
    gradient = float((together[1] - apart[1]).norm() / apart[1].norm())
    return Proof(
        "shared_rows", far < 1e-3 and gradient < 1e-3,
        {"largest_difference": far, "gradient_difference": gradient},
    )  # fmt: skip


def scores_in_chunks(
    device: str, *, places: int = 8192, width: int = 256, vocabulary: int = 50_000
) -> Proof:
    """The memory of scores does not grow with the places whose scores are made, as it would.

    Figures: bytes at the height of a forward and backward pass, in chunks and at once, for
    ``places`` and for half of them, without what lies there before and after.
    """
    figures = {}
    for name, read in (("chunks", scores_at), ("at_once", _scores_at_once)):
        for part in (places // 2, places):
            figures[f"{name}_{part}"] = float(_peak_of(read, device, part, width, vocabulary))
    grown = figures[f"chunks_{places}"] - figures[f"chunks_{places // 2}"]
    would = figures[f"at_once_{places}"] - figures[f"at_once_{places // 2}"]
    return Proof("scores_in_chunks", grown < would / 10, figures)


def weights_in_parts(
    folder: Path, *, model: str = MODEL, processes: int = 2, micro_tokens: int = 512
) -> Proof:
    """Three steps with the weights in parts on ``processes`` end where they do on one.

    Figures: the relative L2 of the difference between the two changes of the weights (AdamW
    makes much of gradients that are all rounding), and bytes at the height of each process.
    """
    if torch.cuda.is_available() and torch.cuda.device_count() < processes:
        found = torch.cuda.device_count()
        return Proof("weights_in_parts", None, reason=f"needs {processes} GPUs, there is {found}")
    data = _data(folder / "data")
    job = Job(
        objective="sft", model=model, data=str(data), steps=3, learning_rate=1e-4, batch=5,
        micro_tokens=micro_tokens,
    )  # fmt: skip
    ends, figures = [], {}
    torch.cuda.empty_cache()
    for count in (1, processes):
        out = folder / f"on-{count}"
        asked = dataclasses.replace(job, shard_weights=count > 1)
        if count == 1:
            _trained(0, asked, out)
        else:
            torch.multiprocessing.spawn(_one_of, (count, _free_port(), asked, out), nprocs=count)
        ends.append(_weights(out / "checkpoint-00000003"))
        for rank in range(count):
            if _peak_file(out, rank).exists():
                figures[f"peak_{rank}_of_{count}"] = float(_peak_file(out, rank).read_text())
    begun = torch.cat([p.detach().cpu().flatten() for p in load_policy(model).model.parameters()])
    one, several = ends
    figures["difference"] = float((several - one).norm() / (one - begun).norm())
    return Proof("weights_in_parts", figures["difference"] < 1e-2, figures)


def sleep_and_wake(model: str = MODEL) -> Proof:
    """A vLLM lends its memory while the trainer learns, and answers with the new weights after.

    Figures: bytes that the device has free before, asleep (and while a trainer uses nine tenths
    of them), and awake again; the largest difference of a log-probability then.
    """
    policy = load_policy(model)
    figures = {}
    with closing(_vllm(model, "float32")) as engine:
        _sampled(engine)
        figures["free_awake"] = _free()
        engine.sleep()
        figures["free_asleep"] = _free()
        lent = figures["free_asleep"] - figures["free_awake"]
        used = torch.ones(int(0.9 * max(0.0, lent)), dtype=torch.uint8, device="cuda")
        figures["free_in_use"] = _free()
        del used
        torch.cuda.empty_cache()
        engine.update_weights(policy.model)
        figures["free_woken"] = _free()
        seen = _mismatch(policy, _sampled(engine))
    figures |= seen
    weights = sum(p.numel() * p.element_size() for p in policy.model.parameters())
    back = abs(figures["free_woken"] - figures["free_awake"]) < 0.1 * lent
    held = lent > weights and back and seen["mismatch_largest"] < SAME
    return Proof("sleep_and_wake", held, figures)


def weights_handed_over(model: str = MODEL) -> Proof:
    """A vLLM that is given other weights has the trainer's log-probabilities of what it says.

    Figures: the mismatch before the hand-over, which has to be seen, and after it.
    """
    policy = load_policy(model)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.mul_(1 + 0.05 * torch.randn_like(parameter))
    with closing(_vllm(model, "float32")) as engine:
        before = _mismatch(policy, _sampled(engine))
        engine.update_weights(policy.model)
        after = _mismatch(policy, _sampled(engine))
    figures = {f"{name}_before": value for name, value in before.items()} | after
    apart = before["mismatch_largest"] > 10 * SAME
    return Proof("weights_handed_over", apart and after["mismatch_largest"] < SAME, figures)


def mismatch_in_bfloat16(model: str = MODEL) -> Proof:
    """Engine and trainer in bfloat16 stay so near each other that corrections have little to do.

    Figures: the mean of k3, the largest difference, the effective share of the tokens, the share
    whose weight is above 2.
    """
    policy = load_policy(model, autocast=True)
    with closing(_vllm(model, "bfloat16")) as engine:
        seen = _mismatch(policy, _sampled(engine, samples=16))
    held = seen["mismatch_k3"] < 1e-2 and seen["mismatch_over_2"] < 1e-2
    return Proof("mismatch_in_bfloat16", held, seen)


def out_of_memory(folder: Path, *, model: str = MODEL) -> Proof:
    """A first step that does not fit ends in one line that says what to do, and writes nothing."""
    job = Job(
        objective="sft", model=model, data=str(_data(folder / "data")), steps=1,
        learning_rate=1e-5, micro_tokens=10**6,
    )  # fmt: skip
    size = sum(p.numel() * p.element_size() for p in load_policy(model).model.parameters())
    torch.cuda.empty_cache()
    # Room for the weights, and not for their gradients.
    torch.cuda.set_per_process_memory_fraction(1.5 * size / torch.cuda.mem_get_info()[1])
    try:
        run_training(job, folder / "out")
    except InputError as error:
        told = str(error)
        held = told.startswith("out of memory: lower --micro-tokens")
        left = not list((folder / "out").glob("checkpoint-*"))
        return Proof("out_of_memory", held and left, reason=told)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return Proof("out_of_memory", False, reason="the step fitted")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all of them; 0 where none failed, 1 where one did, 2 where there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m finetune.gpu_proof", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu-proof.json"))
    parser.add_argument("--model", default=MODEL)
    asked = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("there is no GPU here: nothing was proved", file=sys.stderr)
        return 2
    proofs = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for prove in (
            functools.partial(shared_rows, asked.model),
            functools.partial(scores_in_chunks, "cuda"),
            functools.partial(weights_in_parts, folder / "parts", model=asked.model),
            functools.partial(weights_handed_over, asked.model),
            functools.partial(sleep_and_wake, asked.model),
            functools.partial(mismatch_in_bfloat16, asked.model),
            functools.partial(out_of_memory, folder / "full", model=asked.model),
        ):
            proofs.append(_tried(prove))
            print(_line(proofs[-1]), file=sys.stderr)
            torch.cuda.empty_cache()
    record = {**_machine(asked.model), "proofs": [dataclasses.asdict(proof) for proof in proofs]}
    write_whole(asked.out, f"{json.dumps(record, indent=1)}\n".encode())
    return int(any(proof.passed is False for proof in proofs))


def _tried(prove: functools.partial[Proof]) -> Proof:
    try:
        return prove()
    except Exception as error:  # noqa: BLE001
        # One that breaks is one that fails; the others are still to be tried.
        words = " ".join(str(error).split())
        return Proof(prove.func.__name__, False, reason=f"{type(error).__name__}: {words}")


def _line(proof: Proof) -> str:
    verdict = {True: "holds", False: "FAILS", None: "not tried"}[proof.passed]
    figures = ", ".join(f"{name} {value:.6g}" for name, value in proof.figures.items())
    return f"{proof.name}: {verdict}. {' '.join(word for word in (proof.reason, figures) if word)}"


def _machine(model: str) -> dict[str, Any]:
    import transformers
    import vllm

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "model": model,
        "devices": devices,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "transformers": transformers.__version__,
        "vllm": vllm.__version__,
    }


def _made_up(policy: Policy) -> list[Trajectory]:
    """Replies of unequal lengths to prompts of unequal lengths, token by token by chance."""
    draw = torch.Generator().manual_seed(0)
    most = int(policy.model.get_input_embeddings().weight.shape[0])

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(most, (count,), generator=draw).tolist())

    return [
        Trajectory(prompt, tokens(length))
        for prompt in (tokens(40), tokens(7))
        for length in (30, 1, 12, 21)
    ]


def _read(policy: Policy, shown: Sequence[Trajectory]) -> tuple[Tensor, Tensor]:
    """Log-probabilities ``[B, T]``, and the gradient of their mean over all weights."""
    policy.model.zero_grad()
    scores = policy.scores(shown, 1.0)
    (scores.logp.sum() / scores.mask.sum()).backward()
    gradient = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
    return scores.logp.detach(), gradient


def _scores_at_once(
    head: Callable[[Tensor], Tensor], hidden: Tensor, target: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """As ``scores_at``, all of them at the same time."""
    logp = torch.log_softmax(head(hidden).float() / temperature, -1)
    entropy = -(logp.detach().exp() * logp.detach()).sum(-1)
    return logp.gather(-1, target[:, None])[:, 0], entropy


def _peak_of(
    read: Callable[..., tuple[Tensor, ...]], device: str, places: int, width: int, words: int
) -> int:
    """Bytes that a pass and its way back take at their height, over what lies there before."""
    torch.manual_seed(0)
    head = torch.nn.Linear(width, words, bias=False, device=device)
    head.weight.grad = torch.zeros_like(head.weight)
    hidden = torch.randn(places, width, device=device, requires_grad=True)
    hidden.grad = torch.zeros_like(hidden)
    target = torch.randint(words, (places,), device=device)
    with peak_memory(device) as height:
        logp, *_ = read(head, hidden, target, 1.0)
        logp.mean().backward()
    return height()


def _data(folder: Path) -> Path:
    plan = make_plan(
        "sheet_music", split="train", count=12, seed=1, tasks=["interval_name"], levels=[1]
    )
    synthesize(plan, folder)
    return folder


def _one_of(rank: int, size: int, port: int, job: Job, out: Path) -> None:
    """One of the processes of a run, as ``torchrun`` would start it."""
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    _trained(rank, job, out)


def _trained(rank: int, job: Job, out: Path) -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    run_training(job, out)
    if torch.cuda.is_available():
        _peak_file(out, rank).write_text(str(torch.cuda.max_memory_allocated()))


def _peak_file(out: Path, rank: int) -> Path:
    return out / f"peak-{rank}"


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _weights(checkpoint: Path) -> Tensor:
    model = load_policy(str(checkpoint)).model
    return torch.cat([p.detach().cpu().flatten() for p in model.parameters()])


def _vllm(model: str, precision: str) -> Any:
    from evaluators.engines.vllm import VllmEngine

    return VllmEngine(
        model, window=16, context_length=512, dtype=precision, sleeps=True,
        memory_share=engine_share(()),
    )  # fmt: skip


def _sampled(engine: Any, samples: int = 4) -> list[Trajectory]:
    """Replies of up to 32 tokens, at the temperature 1.

    Raises
    ------
    RuntimeError
        One failed.
    """
    requests = [
        Request(
            f"{question}#{sample}", ({"role": "user", "content": question},),
            sampling=Sampling(temperature=1.0, max_tokens=32, seed=sample, logprobs=True),
        )
        for question in QUESTIONS
        for sample in range(samples)
    ]  # fmt: skip
    found = []
    for response in engine.generate(requests):
        if response.error is not None or response.logprobs is None:
            raise RuntimeError(f"a reply failed: {response.error}")
        found.append(Trajectory(response.prompt_token_ids, response.token_ids, response.logprobs))
    return found


def _mismatch(policy: Policy, replies: Sequence[Trajectory]) -> dict[str, float]:
    """How far the engine's log-probabilities of its replies are from the policy's."""
    with torch.no_grad():
        scores = policy.scores(replies, 1.0)
    engine = torch.zeros_like(scores.logp)
    for row, reply in enumerate(replies):
        engine[row, : len(reply.logprobs)] = torch.tensor(reply.logprobs)
    nothing = torch.zeros(len(replies), device=engine.device)
    return mismatch_seen(
        RolloutBatch(
            logp_new=scores.logp, logp_old=scores.logp, mask=scores.mask, rewards=nothing,
            group=nothing.long(), logp_rollout=engine,
        )
    )  # fmt: skip


def _free() -> float:
    torch.cuda.synchronize()
    return float(torch.cuda.mem_get_info()[0])


if __name__ == "__main__":
    sys.exit(main())
