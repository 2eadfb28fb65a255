"""Pictures with some of their patches blackened, to see what a reply hangs on.

Conventions
-----------
* Patches are squares of ``patch`` pixels from the upper left corner on, row by row; those at the
  right and lower edges may be cut. Each is black with probability ``chance``, drawn on its own.
* The draws follow from a seed and from the picture's place among those of its reply alone, wherever
  and in whatever order replies are read.
* Pictures are PNG's bytes in and out, of the same size, in RGB.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from evaluators.engines.pictures import on_white
from finetune.trajectory import Trajectory

Pixels = np.ndarray[Any, Any]


def blackened(
    trajectory: Trajectory, seed: int, step: int, *, patch: int, chance: float
) -> tuple[bytes, ...]:
    """The pictures of a reply, each with patches of its own blackened.

    ``seed`` is the reply's own (of the run, the draw and its number among the samples).
    """
    found = []
    for number, picture in enumerate(trajectory.pictures):
        key = f"blacken:{seed}:{step}:{number}".encode("ascii")
        draws = np.random.default_rng(
            int.from_bytes(hashlib.blake2b(key, digest_size=8).digest())
        )
        # As the model is shown it.
        pixels = np.array(on_white(picture))
        rows, columns = (-(-side // patch) for side in pixels.shape[:2])
        black = blacken(pixels, draws.random(rows * columns), patch, chance)
        out = io.BytesIO()
        Image.fromarray(black).save(out, "PNG")
        found.append(out.getvalue())
    return tuple(found)


def blacken(
    pixels: Pixels, draws: Sequence[float] | Pixels, patch: int, chance: float
) -> Pixels:
    """Pixels ``[H, W, ...]`` with the patches black whose draw is below ``chance``.

    ``draws`` are from 0 to 1, one a patch, row by row.
    """
    rows, columns = (-(-side // patch) for side in pixels.shape[:2])
    black = (np.asarray(draws) < chance).reshape(rows, columns)
    spread = black.repeat(patch, 0).repeat(patch, 1)[: pixels.shape[0], : pixels.shape[1]]
    out = pixels.copy()
    out[spread] = 0
    return out
