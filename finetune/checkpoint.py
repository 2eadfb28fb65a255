"""Checkpoints: a Transformers folder each, and the trainer's state beside it.

Conventions
-----------
* ``checkpoint-00000012`` is what there was after 12 steps: weights, tokenizer and chat
  template, opened by Transformers, vLLM and ``benchgen eval --model``; ``trainer/`` holds the
  optimizer's and the random generators' states. Equal states are equal bytes.
* A checkpoint appears whole or not at all. What was left under way is removed by the next.
"""

from __future__ import annotations

import json
import os
import random
import re
import secrets
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from benchgen.errors import InputError
from benchgen.files import sync_folder

PREFIX = "checkpoint-"
STATE = "trainer/state.json"
TENSORS = "trainer/tensors.safetensors"
"""In a folder of their own: whoever loads a model reads every such file beside its weights."""


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint after ``step`` steps lies."""
    return folder / f"{PREFIX}{step:08d}"


def latest_step(folder: Path) -> int | None:
    """The steps that the last whole checkpoint has behind it."""
    return max(whole_checkpoints(folder), default=None)


def whole_checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoints there are, by the steps behind them; what is named otherwise is none."""
    named = ((re.fullmatch(rf"{PREFIX}(\d{{8}})", p.name), p) for p in folder.glob(f"{PREFIX}*"))
    return {int(match[1]): path for match, path in named if match}


class Savable(Protocol):
    """What a checkpoint keeps of a policy, beside the trainer's state."""

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and chat template into a folder that is there."""


def save_checkpoint(
    folder: Path,
    step: int,
    policy: Savable,
    state: Mapping[str, Any],
    *,
    keep: int = 0,
    spared: Collection[int] = (),
) -> Path:
    """Write a checkpoint, and remove all but the last ``keep`` beside those of steps ``spared``.

    With ``keep`` 0 none is removed.

    Raises
    ------
    OSError
        The disk is full, say; earlier checkpoints are as they were.
    """
    place = checkpoint_path(folder, step)
    if place.exists():
        return place
    for leftover in folder.glob(f"{PREFIX}*.tmp"):
        shutil.rmtree(leftover)
    under_way = folder / f"{place.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    under_way.mkdir(parents=True)
    try:
        policy.save(under_way)
        tensors: dict[str, torch.Tensor] = {}
        record = _without_tensors({**state, "step": step, "random": random_state()}, "", tensors)
        (under_way / STATE).parent.mkdir()
        (under_way / STATE).write_text(json.dumps(record), encoding="utf-8")
        save_file(tensors, under_way / TENSORS)
        for file in under_way.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
        sync_folder(under_way)
        under_way.rename(place)
    except BaseException:
        shutil.rmtree(under_way, ignore_errors=True)
        raise
    sync_folder(folder)
    if keep:
        others = [(n, old) for n, old in whole_checkpoints(folder).items() if n not in spared]
        for _, old in sorted(others)[:-keep]:
            shutil.rmtree(old)
    return place


def load_state(folder: Path, step: int) -> dict[str, Any]:
    """The trainer's state of a checkpoint; the random generators are put back.

    Raises
    ------
    InputError
        It cannot be read.
    """
    place = checkpoint_path(folder, step)
    try:
        record = json.loads((place / STATE).read_text(encoding="utf-8"))
        state: dict[str, Any] = _with_tensors(record, load_file(place / TENSORS))
        restore_random(state["random"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputError(f"{place} cannot be read: {type(error).__name__}: {error}") from error
    return state


def _without_tensors(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """The value as JSON has it; tensors go into ``tensors`` by the name of their place."""
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().cpu().contiguous()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {key: _without_tensors(v, f"{name}/{key}", tensors) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(v, f"{name}/{place}", tensors) for place, v in enumerate(value)]
    return value


def _with_tensors(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"tensor"}:
            return tensors[value["tensor"]]
        return {key: _with_tensors(v, tensors) for key, v in value.items()}
    if isinstance(value, list):
        return [_with_tensors(v, tensors) for v in value]
    return value


def random_state() -> dict[str, Any]:
    """The states of the generators of Python, numpy and torch, as plain values and tensors."""
    kind, keys, place, has_gauss, gauss = np.random.get_state()
    words = torch.from_numpy(np.asarray(keys, dtype=np.int64))
    version, state, gaussian = random.getstate()
    return {
        "python": [version, list(state), gaussian],
        "numpy": [kind, words, place, has_gauss, gauss],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def seed_random(seed: int) -> None:
    """Begin all generators anew."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def restore_random(state: Mapping[str, Any]) -> None:
    """Put the generators back."""
    version, words, gaussian = state["python"]
    random.setstate((version, tuple(words), gaussian))
    kind, keys, place, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), place, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    # A run may go on with fewer devices than it had, or without.
    torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
