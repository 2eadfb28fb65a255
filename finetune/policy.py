"""The model that is trained, with its tokenizer, or the processor of one that takes pictures.

Conventions
-----------
* Weights are in single precision; ``autocast`` computes in bfloat16 over them. Weights that are
  themselves in 16 bits are refused: a step of learning rounds to nothing in them.
* A policy says whether several replies to one prompt may share a row (``shared``), and why
  not (``unshared``).
* All of a vision-language model is trained, what reads the pictures too.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from evaluators.engines.smollm2 import model_path
from finetune.log_probabilities import (
    TokenScores,
    bare_head,
    takes_shared_prompts,
    token_divergence,
    token_scores,
    why_not_shown,
)
from finetune.objectives.siren import Nucleus
from finetune.pictures import PictureReader
from finetune.sharding import put_together, reading, shard
from finetune.trajectory import Trajectory

ADAPTER = "adapter"
"""The adapter's folder in a checkpoint."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A causal language model in training. ``autocast``: compute in bfloat16.

    ``adapter`` is PEFT's model around ``model``, where an adapter alone is trained. ``reader``
    makes tensors of pictures; it is None where the model takes none.
    """

    model: Any
    tokenizer: Any
    unshared: str = ""
    autocast: bool = False
    adapter: Any = None
    reader: PictureReader | None = None

    @property
    def processor(self) -> Any:
        """Transformers' processor of a model that takes pictures, None for any other."""
        return None if self.reader is None else self.reader.processor

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

    @property
    def whole(self) -> Any:
        """The model as it leaves this process: with what an adapter adds to it."""
        if self.adapter is None:
            return self.model
        from finetune.adapter import Merged

        return Merged(self.model)

    def save(self, folder: Path) -> None:
        """Write a Transformers folder; an adapter lies in one of its own in there, too."""
        # The savers draw their bars on stderr, whatever they are told; their errors are raised.
        with redirect_stderr(io.StringIO()):
            self.whole.save_pretrained(folder)
            if self.adapter is not None:
                # Left to itself PEFT asks a hub whether the vocabulary has grown.
                self.adapter.save_pretrained(folder / ADAPTER, save_embedding_layers=False)
                _settle(folder / ADAPTER / "adapter_config.json")
        (self.processor or self.tokenizer).save_pretrained(folder)

    def gathered(self) -> Policy:
        """The same to be written, where it lies in parts: all ranks call this, the first has it."""
        return replace(self, model=put_together(self.model))

    def computing(self) -> contextlib.AbstractContextManager[Any]:
        """The precision in which the model is run."""
        import torch

        if not self.autocast:
            return contextlib.nullcontext()
        found: contextlib.AbstractContextManager[Any] = torch.autocast(
            self.model.device.type, torch.bfloat16
        )
        return found

    def scores(
        self,
        trajectories: Sequence[Trajectory],
        temperature: float,
        entropy_gradient: bool = False,
        nucleus: Nucleus | None = None,
    ) -> TokenScores:
        """Log-probabilities and entropies of the replies' tokens, ``[B, T]``, also of a nucleus.

        Entropies over the whole vocabulary carry a gradient only if asked to.

        Raises
        ------
        InputError
            A prompt has other image tokens than its pictures need.
        """
        with self.computing():
            return reading(
                self.model,
                lambda: token_scores(
                    self.model,
                    trajectories,
                    temperature=temperature,
                    shared=self.shared,
                    reader=self.reader,
                    entropy_gradient=entropy_gradient,
                    nucleus=nucleus,
                ),
            )


    def divergence(
        self,
        trajectories: Sequence[Trajectory],
        others: Sequence[Trajectory],
        temperature: float,
    ) -> Any:
        """KL of what is said at each token from the same after other pictures, ``[B, T]``.

        Raises
        ------
        InputError
            A prompt has other image tokens than its pictures need.
        """
        with self.computing():
            return reading(
                self.model,
                lambda: token_divergence(
                    self.model, trajectories, others, temperature=temperature, reader=self.reader
                ),
            )


def _settle(settings: Path) -> None:
    """Make PEFT's file the same in every process and on every machine.

    It lists a set in any order, and names the folder that the model was read from.
    """
    record = json.loads(settings.read_text(encoding="utf-8"))
    record |= {
        "target_modules": sorted(record["target_modules"]),
        "base_model_name_or_path": None,
    }
    settings.write_text(json.dumps(record, indent=2, sort_keys=True), encoding="utf-8")


def load_policy(name: str, *, autocast: bool = False, sharded: bool = False) -> Policy:
    """Load ``smollm2``, a folder or a Hub id for training; ``sharded``: in parts on all ranks.

    Raises
    ------
    InputError
        It is no model that Transformers loads, has no chat template, its scores are not its
        head's alone, or how it takes pictures is not known here.
    """
    path = model_path(name)
    is_folder = Path(path).is_dir()
    try:
        import torch
        import transformers
    except ImportError as error:
        raise InputError(f"training needs torch and transformers: {error}") from error
    try:
        # The loader draws its bars on stderr, whatever it is told; its errors are raised.
        with redirect_stderr(io.StringIO()):
            model, tokenizer, processor = _parts(transformers, path, local_files_only=is_folder)
    except Exception as error:
        # A model's configuration and code may fail in any way.
        line = " ".join(str(error).split())
        raise InputError(f"cannot load the model {name!r}: {line}") from error
    if getattr(processor or tokenizer, "chat_template", None) is None:
        raise InputError(f"the model {name!r} has no chat template")
    if torch.cuda.is_available() and not sharded:
        model.to("cuda")
    # Gradients flow all the same, and replies are judged by the policy that drew them: an engine
    # draws without dropout.
    model.eval()
    if not bare_head(model):
        raise InputError(f"the scores of {name!r} are not its head's alone; it cannot be trained")
    reader = None
    if processor is not None:
        image_token = getattr(model.config, "image_token_id", None)
        if image_token is None:
            raise InputError(f"{name!r} cannot be trained on pictures: no token stands for them")
        reader = PictureReader(processor, image_token)
        why_not = why_not_shown(model, reader)
        if why_not:
            raise InputError(f"{name!r} cannot be trained on pictures: {why_not}")
    unshared = takes_shared_prompts(model, reader)
    if sharded:
        shard(model)
    return Policy(model, tokenizer, unshared, autocast, reader=reader)


def _parts(transformers: Any, path: str, **source: Any) -> tuple[Any, Any, Any]:
    """The model in single precision, its tokenizer, and its processor if it takes pictures."""
    config = transformers.AutoConfig.from_pretrained(path, **source)
    if type(config) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        kind = transformers.AutoModelForImageTextToText
        processor = transformers.AutoProcessor.from_pretrained(path, **source)
        tokenizer = processor.tokenizer
    else:
        kind = transformers.AutoModelForCausalLM
        processor = None
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, **source)
    return kind.from_pretrained(path, dtype="float32", **source), tokenizer, processor
