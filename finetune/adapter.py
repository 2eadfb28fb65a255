"""Low-rank adapters: small matrices that are trained beside the weights, which stay.

LoRA (Hu et al., arXiv:2106.09685) through PEFT, on every linear layer but the head.

Conventions
-----------
* PEFT changes a model in place: it is one and the same for whoever samples from it or scores
  with it. Only the adapter's matrices have gradients.
* Wherever the model leaves this process (a checkpoint, another engine) it goes merged: its
  weights with the adapter's product added, under the names that it has without one. The weights
  themselves are never changed and changed back, which would round them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from benchgen.errors import InputError
from finetune.log_probabilities import TokenScores
from finetune.objectives.siren import Nucleus
from finetune.policy import Policy
from finetune.trajectory import Trajectory


def add_adapter(model: Any, rank: int) -> Any:
    """An adapter of ``rank`` on ``model``, its product 0; scaled by twice its rank.

    Raises
    ------
    InputError
        PEFT is not installed, or the rank is below 1.
    """
    if rank < 1:
        raise InputError(f"an adapter's rank is 1 or more, not {rank}")
    peft = _peft()
    settings = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return peft.get_peft_model(model, settings)


def load_adapter(model: Any, folder: Path) -> Any:
    """The adapter that was saved in ``folder``, on ``model``, to be trained on.

    Raises
    ------
    InputError
        PEFT is not installed, or there is no such adapter.
    """
    try:
        return _peft().PeftModel.from_pretrained(model, folder, is_trainable=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no adapter: {error}") from error


def merged_weights(model: Any) -> dict[str, Tensor]:
    """The weights of a model that has an adapter, with the adapter's product added."""
    from peft.tuners.lora import LoraLayer

    weights = {
        name.replace(".base_layer", ""): tensor
        for name, tensor in model.state_dict().items()
        if ".lora_" not in name
    }
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            (adapter,) = layer.active_adapters
            product = layer.get_delta_weight(adapter)
            weights[f"{name}.weight"] = layer.get_base_layer().weight.detach() + product.detach()
    return weights


@dataclass(frozen=True, slots=True)
class Merged:
    """A model with an adapter, as one without: what is written of it and how large that is."""

    model: Any

    def parameters(self) -> Iterator[Tensor]:
        """The weights."""
        yield from self.model.parameters()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as Transformers writes a model."""
        self.model.save_pretrained(folder, state_dict=merged_weights(self.model))


@dataclass(frozen=True, slots=True)
class WithoutAdapter:
    """What a policy with an adapter began as: the reference, at no memory of its own."""

    policy: Policy

    @property
    def shared(self) -> bool:
        """Whether replies to one prompt may share a row."""
        return self.policy.shared

    @property
    def precision(self) -> Any:
        """Of log-probabilities."""
        return self.policy.precision

    def scores(
        self,
        trajectories: Sequence[Trajectory],
        temperature: float,
        *,
        nucleus: Nucleus | None = None,
    ) -> TokenScores:
        """Log-probabilities and entropies of the replies' tokens, ``[B, T]``."""
        with self.policy.adapter.disable_adapter():
            return self.policy.scores(trajectories, temperature, nucleus=nucleus)


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise InputError(f"an adapter needs peft: {error}") from error
    return peft
