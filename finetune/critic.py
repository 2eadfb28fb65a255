"""The value model of PPO: how much reward is still to come, at every token.

Conventions
-----------
* The value at a reply's token is read where the token is predicted: it is that of what was
  said before it.
* It begins as the policy's own network under a head of zeros, so that its first values are 0.
* It is trained by the policy's optimizer step, at a rate of its own.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchgen.errors import InputError
from evaluators.engines.smollm2 import model_path
from finetune.log_probabilities import reply_states, spread
from finetune.policy import Policy
from finetune.sharding import is_sharded, reading, shard
from finetune.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Critic:
    """A value model; rows are laid out as those of ``policy``."""

    model: Any
    policy: Policy

    def values(self, trajectories: Sequence[Trajectory]) -> Tensor:
        """The value at each of the replies' tokens, ``[B, T]``, 0 behind a reply."""
        def read() -> Tensor:
            packed, states = reply_states(self.model, trajectories, self.policy)
            values = self.model.score(states)[:, 0]
            return spread(packed, trajectories, values.to(self.policy.precision))

        with self.policy.computing():
            return reading(self.model, read)


def load_critic(name: str, policy: Policy) -> Critic:
    """A critic over the network of the model ``name``, its head all zeros; in parts as the policy.

    Raises
    ------
    InputError
        Transformers has no token classifier of this architecture.
    """
    path = model_path(name)
    from transformers import AutoModelForTokenClassification
    from transformers.utils import logging

    told = logging.get_verbosity()
    # It would report that there is no such head to load.
    logging.set_verbosity_error()
    try:
        # The loader draws its bars on stderr, whatever it is told; its errors are raised.
        with redirect_stderr(io.StringIO()):
            model = AutoModelForTokenClassification.from_pretrained(
                path, num_labels=1, dtype=policy.model.dtype,
                local_files_only=Path(path).is_dir(),
            )  # fmt: skip
    except Exception as error:
        # A model's configuration and code may fail in any way.
        line = " ".join(str(error).split())
        raise InputError(f"there is no critic over the model {name!r}: {line}") from error
    finally:
        logging.set_verbosity(told)
    if not isinstance(getattr(model, "score", None), torch.nn.Linear):
        raise InputError(f"the token classifier over {name!r} has no linear head named score")
    with torch.no_grad():
        model.score.weight.zero_()
        if model.score.bias is not None:
            model.score.bias.zero_()
    if is_sharded(policy.model):
        shard(model)
    return Critic(model.to(policy.model.device).eval(), policy)
