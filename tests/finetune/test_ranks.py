"""A step is the same on one process and on two, in one part and in many."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from finetune.objectives import names
from finetune.rollouts import Rollout, write_rollouts

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BOUNDS = {"float64": 1e-6, "float32": 1e-5}


def made_up(groups: int = 4, size: int = 4) -> list[list[Rollout]]:
    """Replies of unequal lengths to prompts of unequal lengths, one group all alike."""
    draw = random.Random(2)

    def tokens(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw.randrange(1, 10) for _ in range(draw.randint(least, most)))

    made = []
    for group in range(groups):
        prompt, members = tokens(2, 12), []
        for sample in range(size):
            said = tokens(1, 8)
            reward = 1.0 if group == 1 else float(draw.random() < 0.5) + 0.1 * draw.random()
            members.append(
                Rollout(
                    draw=group, problem=f"p{group}", task="s/t", level=1, sample=sample,
                    seed=draw.getrandbits(40), prompt=prompt, tokens=said,
                    logprobs=tuple(-2.3 + 0.2 * draw.random() for _ in said),
                    text=" ".join(f"word{token}" for token in said),
                    truncated=False, reward=reward, parts={}, outcome=reward, verdict="wrong",
                )
            )  # fmt: skip
        made.append(members)
    return made


def gradients(folder: Path, processes: int, most: int, *how: str) -> dict[str, torch.Tensor]:
    out = folder / "-".join([str(processes), str(most), *how])
    run("gradients_of_ranks.py", processes, str(folder), str(out), str(most), *how)
    found: dict[str, torch.Tensor] = torch.load(out, weights_only=True)
    return found


def run(script: str, processes: int, *words: str) -> None:
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run(
        [*start, str(HERE / script), *words],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]


def test_processes_and_micro_batches_do_not_change_a_gradient(tmp_path: Path) -> None:
    write_rollouts(tmp_path, 1, made_up())
    whole = gradients(tmp_path, 1, 10_000)
    assert len(whole) == 2 * len(names())
    for processes, most, *how in ((1, 90), (1, 45), (2, 45), (2, 10_000), (2, 45, "sharded")):
        found = gradients(tmp_path, processes, most, *how)
        for name, expected in whole.items():
            far = float((found[name] - expected).norm() / expected.norm())
            assert far < BOUNDS[name.split()[1]], (name, processes, most, far)
            assert float(expected.norm()) > 0


def test_processes_do_not_change_what_hangs_on_pictures(tmp_path: Path) -> None:
    found = {}
    for processes, most, *how in ((1, 10_000), (1, 200), (2, 200), (2, 200, "sharded")):
        out = tmp_path / "-".join([str(processes), str(most), *how])
        run("pictures_of_ranks.py", processes, str(out), str(most), *how)
        found[out.name] = torch.load(out, weights_only=True)
    whole = found.pop("1-10000")
    assert float(whole.norm()) > 0
    for name, gradient in found.items():
        assert float((gradient - whole).norm() / whole.norm()) < 1e-6, name
