"""Numbers in double precision, and whether some equal those of a reference to its six decimals."""

from __future__ import annotations

import torch
from torch import Tensor


def numbers(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def close(found: Tensor, expected: object, within: float = 1e-6) -> None:
    # Booleans count as 0 and 1; a number in single precision is none of these.
    exact = found if found.is_floating_point() else found.double()
    torch.testing.assert_close(exact, numbers(expected), atol=within, rtol=0)
