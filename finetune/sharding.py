"""One model in parts on several ranks (FSDP2): taken apart, read, and put together again.

Conventions
-----------
* Each rank holds a part of every weight, of its gradient and of what AdamW remembers of it: a
  slice along the first axis. A layer of the decoder is gathered when it is read, and left.
* All that is no such layer (embeddings, head, last norm, what reads pictures) is one group,
  gathered for a whole pass (``reading``) and its way back: the head is read in chunks, of which
  ranks have unlike numbers, and may be the embeddings; not every pass has pictures.
* Outside of a pass a model holds its parts alone.
* Gradients are added up over the ranks, never averaged: their losses are parts of one.
* All ranks make as many passes, in one order, and together call ``gathered`` and
  ``put_together``, whose result the first rank has.

Zhao et al., arXiv:2304.11277, in the form of ``torch.distributed.fsdp.fully_shard``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from benchgen.errors import InputError
from finetune.ranks import Ranks

T = TypeVar("T")
READ = "read_gathered"
"""The method of a sharded model inside which its weights are there."""


def shard(model: Any) -> None:
    """Leave this rank its part of the model, in place; every rank has the whole of it before.

    It goes to the rank's GPU, if there is one, layer by layer.

    Raises
    ------
    InputError
        Transformers does not say what its layers are.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

    device = "cuda" if torch.cuda.is_available() else "cpu"
    mesh = init_device_mesh(device, (dist.get_world_size(),))
    for group in [*layers(model), model]:
        fully_shard(group, mesh=mesh, reshard_after_forward=True)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            # A sum that is scaled in passing is NCCL's alone.
            module.set_force_sum_reduction_for_comms(True)
    # A pass without pictures gives what reads them a gradient of zeros, as another rank's may not.
    model.set_reduce_scatter_unused_params(True)
    setattr(model, READ, _call)
    register_fsdp_forward_method(model, READ)


def layers(model: Any) -> list[Any]:
    """The decoder's layers, the innermost first.

    Raises
    ------
    InputError
        Transformers does not say what they are.
    """
    names = set(getattr(model, "_no_split_modules", None) or ())
    found = [m for m in model.get_decoder().modules() if type(m).__name__ in names]
    if not found:
        raise InputError(f"the layers of a {type(model).__name__} are not known: it stays whole")
    return found[::-1]


def is_sharded(model: Any) -> bool:
    """Whether this rank holds a part of the model alone."""
    return hasattr(model, READ)


def reading(model: Any, read: Callable[[], T]) -> T:
    """``read()``, a pass through the model, with the weights that it needs where it needs them."""
    found: T = getattr(model, READ, _call)(read)
    return found


def _call(read: Callable[[], T]) -> T:
    return read()


def gathered(value: Any) -> Any:
    """The same with every tensor whole and on the CPU, on the first rank; empty on the others.

    Mappings, lists and tuples are gone into. What does not lie in parts is as it was.
    """
    from torch.distributed.tensor import DTensor

    if isinstance(value, DTensor):
        # One at a time: for a moment each is whole on every rank.
        whole = value.detach().full_tensor()
        return whole.cpu() if dist.get_rank() == 0 else whole.new_empty(0)
    if isinstance(value, Mapping):
        return {name: gathered(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [gathered(one) for one in value]
    return value


def placed(whole: Tensor, like: Tensor) -> Tensor:
    """This rank's part of a tensor that every rank has, if ``like`` lies in parts."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(like, DTensor):
        return whole
    parted = distribute_tensor(
        whole.to(like.device), like.device_mesh, like.placements, src_data_rank=None
    )
    # A slice would keep the whole alive.
    return parted.clone()


def restore_weights(model: Any, weights: Mapping[str, Tensor]) -> None:
    """Give a model, whole or in parts, the weights that ``gathered`` had of it."""
    own = model.state_dict()
    model.load_state_dict({name: placed(whole, own[name]) for name, whole in weights.items()})


def put_together(model: Any) -> Any:
    """The model as it can be written: itself, or its weights as they are together."""
    if not is_sharded(model):
        return model
    found: dict[int, Any] = {}
    weights = {}
    for name, part in model.state_dict(keep_vars=True).items():
        # A tied one stays one.
        if id(part) not in found:
            found[id(part)] = gathered(part)
        weights[name] = found[id(part)]
    return Whole(model, weights)


@dataclass(frozen=True, slots=True)
class Whole:
    """What is written of a model in parts; the first rank has the weights."""

    model: Any
    weights: Mapping[str, Tensor]

    def parameters(self) -> Iterator[Tensor]:
        """The weights, by their whole sizes."""
        yield from self.model.parameters()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as Transformers writes a model, on the first rank alone."""
        self.model.save_pretrained(folder, state_dict=dict(self.weights))


@dataclass(frozen=True, slots=True)
class Handed:
    """A model on its way to the engines of all ranks of one machine.

    Transformers writes on the first rank alone; the others get its files, as links where
    the file system has them. All ranks write at the same time.
    """

    model: Any
    ranks: Ranks

    def parameters(self) -> Iterator[Tensor]:
        """The weights."""
        yield from self.model.parameters()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it, on every rank into a folder of its own."""
        source = Path(self.ranks.gather(str(folder))[0])
        if self.ranks.first:
            self.model.save_pretrained(folder)
        self.ranks.wait()
        if not self.ranks.first:
            for file in source.iterdir():
                _link(file, Path(folder) / file.name)
        # The first rank's are removed when its own engine has read them.
        self.ranks.wait()


def _link(file: Path, name: Path) -> None:
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)
