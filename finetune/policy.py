"""The model that is trained, with its tokenizer.

Conventions
-----------
* Weights are in single precision; ``autocast`` computes in bfloat16 over them. Weights that are
  themselves in 16 bits are refused: a step of learning rounds to nothing in them.
* A policy says whether several replies to one prompt may share a row (``shared``), and why
  not (``unshared``).
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from evaluators.engines.smollm2 import model_path
from finetune.log_probabilities import (
    TokenScores,
    bare_head,
    takes_shared_prompts,
    token_scores,
)
from finetune.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Policy:
    """A causal language model in training. ``autocast``: compute in bfloat16."""

    model: Any
    tokenizer: Any
    unshared: str = ""
    autocast: bool = False

    @property
    def shared(self) -> bool:
        """Whether replies to one prompt may share a row."""
        return not self.unshared

    @property
    def precision(self) -> Any:
        """Of log-probabilities: single, or double where the weights are."""
        import torch

        return torch.float64 if self.model.dtype == torch.float64 else torch.float32

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a turn, after the tokenizer and after the model's authors."""
        given = self.model.generation_config.eos_token_id
        listed = given if isinstance(given, list | tuple) else [given]
        return frozenset(t for t in (*listed, self.tokenizer.eos_token_id) if t is not None)

    def scores(self, trajectories: Sequence[Trajectory], temperature: float) -> TokenScores:
        """Log-probabilities and entropies of the replies' tokens, ``[B, T]``."""
        import torch

        device = self.model.device.type
        with torch.autocast(device, torch.bfloat16) if self.autocast else contextlib.nullcontext():
            return token_scores(
                self.model, trajectories, temperature=temperature, shared=self.shared
            )


def load_policy(name: str, *, autocast: bool = False) -> Policy:
    """Load ``smollm2``, a folder or a Hub id for training.

    Raises
    ------
    InputError
        It is no model that Transformers loads, has no chat template, or its scores are not its
        head's alone.
    """
    path = model_path(name)
    is_folder = Path(path).is_dir()
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise InputError(f"training needs torch and transformers: {error}") from error
    try:
        # The loader draws its bars on stderr, whatever it is told; its errors are raised.
        with redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=is_folder)
            model = AutoModelForCausalLM.from_pretrained(
                path, dtype=torch.float32, local_files_only=is_folder
            )
    except Exception as error:
        # A model's configuration and code may fail in any way.
        line = " ".join(str(error).split())
        raise InputError(f"cannot load the model {name!r}: {line}") from error
    if getattr(tokenizer, "chat_template", None) is None:
        raise InputError(f"the model {name!r} has no chat template")
    if torch.cuda.is_available():
        model.to("cuda")
    # Gradients flow all the same, and replies are judged by the policy that drew them: an engine
    # draws without dropout.
    model.eval()
    if not bare_head(model):
        raise InputError(f"the scores of {name!r} are not its head's alone; it cannot be trained")
    return Policy(model, tokenizer, takes_shared_prompts(model), autocast)
