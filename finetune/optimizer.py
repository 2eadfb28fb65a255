"""One step of learning: gradients of all micro-batches, clipped, by AdamW.

Conventions
-----------
* Steps count from 0. The rate of step s rises linearly over ``warmup`` steps and then stays, or
  falls (``linear``, ``cosine``) to 0 behind the last of ``steps``.
* Whatever is not finite stops the step before a weight is touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchgen.errors import InputError
from finetune.sharding import placed

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
    critic_learning_rate: float = 1e-5

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup < 0:
            raise InputError("training takes a step or more, and a warm-up of none or more")
        for rate in (self.learning_rate, self.critic_learning_rate):
            if not (rate > 0 and math.isfinite(rate)):
                raise InputError(f"a learning rate is above 0, not {rate}")
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
    """AdamW over the parameters that are trained; norms and biases are not decayed.

    Those of a ``critic`` have a rate of their own, and are clipped apart.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, Any]],
        settings: Optimization,
        critic: Iterable[tuple[str, Any]] = (),
    ) -> None:
        self._settings = settings
        self._policy, self._critic = _trained(parameters), _trained(critic)
        self._parameters = [*self._policy, *self._critic]
        times = settings.critic_learning_rate / settings.learning_rate
        groups: list[dict[str, Any]] = [
            {"params": chosen, "weight_decay": decay, "times": factor}
            for whole, factor in ((self._policy, 1.0), (self._critic, times))
            for chosen, decay in (
                ([p for p in whole if p.dim() > 1], settings.weight_decay),
                ([p for p in whole if p.dim() < 2], 0.0),
            )
        ]
        self._adam = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
        )

    @property
    def parameters(self) -> list[Any]:
        """All that is trained."""
        return self._parameters

    def step(self, number: int) -> float:
        """Change the weights by the gradients there are; the policy's norm before clipping.

        Raises
        ------
        NotFiniteError
            A norm is not finite.
        """
        norms = [
            _clipped(parameters, self._settings.max_norm)
            for parameters in (self._policy, self._critic)
        ]
        norm = norms[0]
        if not all(bool(torch.isfinite(one)) for one in norms):
            self._adam.zero_grad(set_to_none=True)
            raise NotFiniteError(f"the gradient of step {number} is not finite")
        for group in self._adam.param_groups:
            group["lr"] = self._settings.rate(number) * group["times"]
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
        owners = [p for group in self._adam.param_groups for p in group["params"]]
        record["state"] = {
            place: {
                name: placed(value, owners[place]) if value.dim() else value
                for name, value in kept.items()
            }
            for place, kept in enumerate(state["memory"])
            if kept
        }
        self._adam.load_state_dict(record)


def _clipped(parameters: Sequence[Any], most: float) -> Any:
    """The norm of the gradients, whole on every rank, before they are held to ``most``."""
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if hasattr(norm, "full_tensor"):
        norm = norm.full_tensor()
    torch.nn.utils.clip_grads_with_norm_(parameters, most, norm)
    return norm


def _trained(named: Iterable[tuple[str, Any]]) -> list[Any]:
    """The parameters that have a gradient.

    Raises
    ------
    InputError
        One is in 16 bits.
    """
    found = [(name, p) for name, p in named if p.requires_grad]
    for name, parameter in found:
        if parameter.dtype in (torch.bfloat16, torch.float16):
            raise InputError(f"{name} is in 16 bits: small steps would round away")
    return [p for _, p in found]
