"""New weights for a vLLM that runs: what its worker does, and where they are handed over.

Conventions
-----------
* Weights go through a folder, in memory where the system has one with room (``/dev/shm``): a
  worker is a process of its own, and takes a path where it would not take tensors.
* What was computed with the old weights (the cache of prefixes, of pictures) is forgotten.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

IN_MEMORY = Path("/dev/shm")


class TakesWeights:
    """Mixed into vLLM's worker (its ``worker_extension_cls``)."""

    def take_weights(self, folder: str) -> None:
        """Read the weights of a Transformers folder, in the place of those there are."""
        worker: Any = self
        worker.reload_weights(weights_path=folder)
        model = worker.model_runner.get_model()
        head = getattr(model, "lm_head", None)
        if head is not None and hasattr(head, "cpu_linear"):
            # The CPU build packs the head for its kernel, and reloading leaves one that is tied
            # to the embeddings as it was packed: the old weights would go on speaking.
            from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

            dispatch_cpu_unquantized_gemm(head, remove_weight=False)


TAKES_WEIGHTS = f"{TakesWeights.__module__}.{TakesWeights.__qualname__}"


@contextmanager
def written(model: Any) -> Iterator[Path]:
    """A folder with the model's weights, for as long as they are being read."""
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    roomy = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > 1.2 * size
    place = IN_MEMORY if roomy else None
    with tempfile.TemporaryDirectory(prefix="benchgen-weights-", dir=place) as folder:
        # It draws its bars on stderr, whatever it is told; its errors are raised.
        with redirect_stderr(io.StringIO()):
            model.save_pretrained(folder)
        yield Path(folder)
