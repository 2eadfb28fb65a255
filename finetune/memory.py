"""What a model needs of memory in training, told before any of it is loaded.

Conventions
-----------
* Bytes. Weights in single precision have a gradient and AdamW's two averages beside them, as
  large as they are: 16 bytes a parameter. Activations are another matter: ``--micro-tokens``.
* Of the ranks the one with the most counts: parts are slices along the first axis, rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchgen.errors import InputError
from evaluators.engines.smollm2 import model_path
from finetune.sharding import layers

COPIES = 4
"""A weight, its gradient, AdamW's averages of the gradient and of its square."""


@dataclass(frozen=True, slots=True)
class Needs:
    """``held`` lies on a rank throughout; ``whole`` besides where weights lie in parts.

    ``whole`` is what a pass and its way back gather at once, weights and gradients: all that is no
    layer, and two layers (the one that is read, and the next).
    """

    parameters: int
    ranks: int
    held: int
    whole: int

    def __str__(self) -> str:
        count = f"{self.parameters / 1e9:.2f} billion parameters"
        held = f"{self.held / 1e9:.1f} GB for weights, gradients and AdamW"
        if self.ranks == 1:
            return f"{count}: {held}"
        return f"{count}: {held} on each of {self.ranks}, and {self.whole / 1e9:.1f} GB in a pass"


def read_config(name: str) -> Any:
    """The configuration of ``smollm2``, of a folder or of a Hub id.

    Raises
    ------
    InputError
        There is none that Transformers reads.
    """
    from transformers import AutoConfig

    path = model_path(name)
    try:
        return AutoConfig.from_pretrained(path, local_files_only=Path(path).is_dir())
    except (OSError, ValueError) as error:
        line = " ".join(str(error).split())
        raise InputError(f"cannot load the model {name!r}: {line}") from error


def skeleton(config: Any) -> Any:
    """A model of this configuration without any weights (on torch's ``meta`` device)."""
    import transformers

    kind = transformers.AutoModelForCausalLM
    if type(config) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        kind = transformers.AutoModelForImageTextToText
    with torch.device("meta"):
        return kind.from_config(config, dtype=torch.float32)


def needs(model: Any, ranks: int = 1) -> Needs:
    """What training all of ``model`` needs on each of ``ranks`` that share it.

    Raises
    ------
    InputError
        It is to be shared, and Transformers does not say what its layers are.
    """
    parameters = dict.fromkeys(model.parameters())
    count = sum(p.numel() for p in parameters)
    held = COPIES * sum(_part(p, ranks) for p in parameters)
    if ranks == 1:
        return Needs(count, 1, held, 0)
    sizes = [sum(_bytes(p) for p in layer.parameters()) for layer in layers(model)]
    beside = sum(_bytes(p) for p in parameters) - sum(sizes)
    return Needs(count, ranks, held, 2 * (beside + 2 * max(sizes)))


def _bytes(parameter: Any) -> int:
    return int(parameter.numel() * parameter.element_size())


def _part(parameter: Any, ranks: int) -> int:
    first = int(parameter.shape[0])
    return _bytes(parameter) // first * math.ceil(first / ranks)


def engine_share(trained: Iterable[Tensor]) -> float | None:
    """The share of this GPU that an engine may take beside a trainer; None without a GPU."""
    if not torch.cuda.is_available():
        return None
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    return share_beside(trained, free=free, total=total)


def share_beside(trained: Iterable[Tensor], *, free: int, total: int) -> float:
    """The share of a GPU that an engine may take beside a trainer that has its weights there.

    Nine tenths of what is ``free`` without what AdamW will remember of ``trained``. Gradients and
    activations are there while the engine sleeps.

    Raises
    ------
    InputError
        There is nothing left.
    """
    coming = sum(2 * _bytes(getattr(p, "_local_tensor", p)) for p in trained if p.requires_grad)
    if free <= coming:
        raise InputError(
            "the GPU has no memory for an engine beside the trainer: take more GPUs "
            "(--shard-weights), or --lora-rank"
        )
    return 0.9 * (free - coming) / total
