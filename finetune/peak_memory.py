"""How many bytes of tensors there are at the height of something, on a GPU or without one.

Conventions
-----------
* On a GPU the allocator's own figure. Elsewhere what torch is asked to make is counted as it comes
  and goes, which sees neither a library's workspace nor what a fused kernel keeps for itself.
* What was there before counts as nothing.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@contextmanager
def peak_memory(device: str) -> Iterator[Callable[[], int]]:
    """A function that tells, in bytes, the height of what is done inside."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield lambda: int(torch.cuda.max_memory_allocated()) - before
    else:
        with _Counting() as counting:
            yield lambda: counting.most


class _Counting(TorchDispatchMode):  # type: ignore[misc]
    """Counts the storages that torch makes while it stands, for as long as they are there."""

    def __init__(self) -> None:
        super().__init__()
        self.there = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        before = {id(storage) for storage in _storages((given, named))}
        made = function(*given, **(named or {}))
        for storage in _storages(made):
            # A view is not made; neither is what a function wrote into.
            if id(storage) not in before | self._known:
                self._count(storage)
        return made

    def _count(self, storage: Any) -> None:
        name, size = id(storage), int(storage.nbytes())
        self._known.add(name)
        self.there += size
        self.most = max(self.most, self.there)
        weakref.finalize(storage, self._forget, name, size)

    def _forget(self, name: int, size: int) -> None:
        self._known.discard(name)
        self.there -= size


def _storages(value: Any) -> list[Any]:
    return [leaf.untyped_storage() for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
