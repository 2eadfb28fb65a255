"""The processes that train one policy together: who does what, and sums over all.

Conventions
-----------
* Every rank holds the whole policy and the same state, or a part of every weight
  (``sharded``). Work is dealt out, results are summed or gathered, so that a step is the same
  whatever the number of ranks.
* ``torchrun`` starts them, or ``accelerate launch``; without them there is one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from benchgen.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process, ``rank`` of ``size`` (from 0).

    ``sharded``: each holds a part of the weights, and all have to read the model together.
    """

    rank: int = 0
    size: int = 1
    sharded: bool = False

    @property
    def first(self) -> bool:
        """Whether this process writes what is to be written once."""
        return self.rank == 0

    def share(self, things: Sequence[T]) -> list[T]:
        """This rank's part: every ``size``-th."""
        return list(things[self.rank :: self.size])

    def rounds(self, things: Sequence[T]) -> list[tuple[T, bool]]:
        """This rank's part, as ``share`` has it, and whether each of it counts.

        Where all read together they do so equally often: who has fewer reads the last thing
        once more, which does not count.
        """
        mine = [(thing, True) for thing in self.share(things)]
        lacking = -(-len(things) // self.size) - len(mine) if self.sharded else 0
        return mine + [(last, False) for last in things[-1:]] * lacking

    def sum_(self, tensor: Tensor) -> Tensor:
        """The sum over all ranks, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Let every rank have the sum of all ranks' gradients; one that has none counts as 0.

        What no rank has a gradient of keeps none: AdamW would let it decay. What is not trained
        is passed over. Where weights lie in parts it has been done.
        """
        if self.size == 1 or self.sharded:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        if not trained:
            return
        seen = [float(parameter.grad is not None) for parameter in trained]
        anywhere = torch.tensor(seen, device=trained[0].device)
        dist.all_reduce(anywhere, dist.ReduceOp.MAX)
        for parameter, has in zip(trained, anywhere.tolist(), strict=True):
            if not has:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)

    def sum_figures(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The sum over all ranks, name by name."""
        if self.size == 1:
            return dict(figures)
        total: dict[str, float] = {}
        for one in self.gather(dict(figures)):
            for name, value in one.items():
                total[name] = total.get(name, 0.0) + value
        return total

    def gather(self, thing: T) -> list[T]:
        """What every rank has, in their order. It is pickled between our own processes."""
        if self.size == 1:
            return [thing]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, thing)
        return found

    def wait(self) -> None:
        """Until every rank is here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(sharded: bool = False) -> Iterator[Ranks]:
    """The ranks that ``torchrun`` started, or this process alone.

    Raises
    ------
    InputError
        Weights are to lie in parts on one process.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        if sharded:
            raise InputError("--shard-weights is for two processes or more: see torchrun")
        yield Ranks()
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # One may validate, or sample, for long while the others wait.
    dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(days=1))
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), sharded)
    finally:
        dist.destroy_process_group()
