"""One step of learning: gradients of all micro-batches, clipped, by AdamW.

Conventions
-----------
* Steps count from 0. The rate of step s rises linearly over ``warmup`` steps and then stays, or
  falls (``linear``, ``cosine``) to 0 behind the last of ``steps``.
* Whatever is not finite stops the step before a weight is touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from benchgen.errors import InputError

DECAYS = ("constant", "linear", "cosine")


class NotFiniteError(RuntimeError):
    """A loss or a gradient is not finite; no weight was changed."""


@dataclass(frozen=True, slots=True)
class Optimization:
    """How weights are changed.

    Raises
    ------
    InputError
        A number is out of range.
    """

    steps: int
    learning_rate: float
    warmup: int = 0
    decay: str = "constant"
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    max_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup < 0:
            raise InputError("training takes a step or more, and a warm-up of none or more")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise InputError(f"a learning rate is above 0, not {self.learning_rate}")
        if self.decay not in DECAYS:
            raise InputError(f"a learning rate's decay is {', '.join(DECAYS)}, not {self.decay!r}")

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        if self.decay == "constant":
            return self.learning_rate
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        left = 1 - done if self.decay == "linear" else (1 + math.cos(math.pi * done)) / 2
        return self.learning_rate * left


class Optimizer:
    """AdamW over the parameters that are trained; norms and biases are not decayed."""

    def __init__(self, parameters: Iterable[tuple[str, Any]], settings: Optimization) -> None:
        self._settings = settings
        named = [(name, p) for name, p in parameters if p.requires_grad]
        for name, parameter in named:
            if parameter.dtype in (torch.bfloat16, torch.float16):
                raise InputError(f"{name} is in 16 bits: small steps would round away")
        self._parameters = [p for _, p in named]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in self._parameters if p.dim() > 1]},
            {"params": [p for p in self._parameters if p.dim() < 2], "weight_decay": 0.0},
        ]
        self._adam = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            weight_decay=settings.weight_decay,
        )

    def step(self, number: int) -> float:
        """Change the weights by the gradients there are; the gradient's norm before clipping.

        Raises
        ------
        NotFiniteError
            The norm is not finite.
        """
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._settings.max_norm)
        if not bool(torch.isfinite(norm)):
            self._adam.zero_grad(set_to_none=True)
            raise NotFiniteError(f"the gradient of step {number} is not finite")
        for group in self._adam.param_groups:
            group["lr"] = self._settings.rate(number)
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        return float(norm)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: by parameter, in their order, what AdamW remembers of it."""
        record = self._adam.state_dict()
        count = len(self._parameters)
        return {"memory": [record["state"].get(place, {}) for place in range(count)]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as ``state`` was."""
        record = self._adam.state_dict()
        record["state"] = {place: kept for place, kept in enumerate(state["memory"]) if kept}
        self._adam.load_state_dict(record)
