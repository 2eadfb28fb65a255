"""A vision-language model small enough to be trained on a few cores, with random weights.

Conventions
-----------
* It is an Idefics3: patches of ``patch`` pixels are read by a vision transformer, ``merge`` by
  ``merge`` of them become one token among those of the text. A vision token is thus a square of
  ``patch * merge`` pixels.
* Its processor makes every picture a square of ``side`` pixels, whatever shape it has: what is
  not square is squeezed, what is smaller is enlarged. There are no tiles.
* Tokens are the first ``words`` of ``smollm2``, which are its most frequent, and the marks of
  pictures: as it merges pairs in the order of its tokens, what is left is a tokenizer, that
  cuts rarer words into more pieces. A head on all 49,152 would cost six times the rest of the
  model. A turn ends in ``<|im_end|>``.
* Weights are drawn with a deviation of one by the root of the width: the usual 0.02 is that of
  wider models, and learns slowly here.
* Heads of the text have 64 dimensions, which vLLM's CPU build needs.
"""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from evaluators.engines.smollm2 import smollm2_folder

MARKS = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
HEAD = 64
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, slots=True)
class ReaderShape:
    """How large a small reader is.

    ``side`` and ``patch`` are pixels; ``eyes`` and ``layers`` count the layers of the vision and
    of the text part, which are ``vision_width`` and ``width`` wide; ``context`` is in tokens, of
    which there are ``words`` beside the marks.

    Raises
    ------
    InputError
        A picture is not a whole number of vision tokens, or a width not one of heads.
    """

    side: int = 128
    patch: int = 8
    merge: int = 2
    vision_width: int = 128
    eyes: int = 3
    width: int = 128
    layers: int = 3
    context: int = 512
    words: int = 8192

    def __post_init__(self) -> None:
        if self.side % self.token:
            raise InputError(f"{self.side} pixels are no whole number of tokens of {self.token}")
        if self.vision_width % HEAD or self.width % HEAD:
            raise InputError(f"a width is a multiple of {HEAD}, the size of a head")

    @property
    def token(self) -> int:
        """The side of a vision token's square in pixels."""
        return self.patch * self.merge

    @property
    def tokens(self) -> int:
        """How many vision tokens a picture has."""
        return (self.side // self.token) ** 2


def write_small_reader(folder: Path, shape: ReaderShape, seed: int) -> None:
    """Write the model, its tokenizer and processor into ``folder``; weights drawn from ``seed``.

    Raises
    ------
    InputError
        The tokenizer's package or Transformers is not installed.
    """
    try:
        import torch
        from transformers import (
            AutoTokenizer,
            Idefics3Config,
            Idefics3ForConditionalGeneration,
            Idefics3Processor,
        )
        from transformers.models.idefics3.image_processing_pil_idefics3 import (
            Idefics3ImageProcessorPil,
        )
    except ImportError as error:
        raise InputError(f"a small reader needs torch and transformers: {error}") from error
    tokenizer = _first_tokens(
        AutoTokenizer.from_pretrained(smollm2_folder(), local_files_only=True), shape.words
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(MARKS)})
    tokenizer.chat_template = TEMPLATE
    side = {"longest_edge": shape.side}
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(
            size=side, max_image_size=side, do_image_splitting=False,
            # Paper is 0, so that a picture is its ink.
            image_mean=[1.0] * 3, image_std=[0.5] * 3,
        ),
        tokenizer=tokenizer,
        image_seq_len=shape.tokens,
        chat_template=TEMPLATE,
    )
    config = Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=shape.merge,
        tie_word_embeddings=True,
        vision_config={
            "hidden_size": shape.vision_width,
            "intermediate_size": 2 * shape.vision_width,
            "num_hidden_layers": shape.eyes,
            "num_attention_heads": shape.vision_width // HEAD,
            "image_size": shape.side,
            "patch_size": shape.patch,
            "initializer_range": shape.vision_width**-0.5,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": shape.width,
            "intermediate_size": 2 * shape.width,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.width // HEAD,
            "num_key_value_heads": shape.width // HEAD,
            "head_dim": HEAD,
            "max_position_embeddings": shape.context,
            "tie_word_embeddings": True,
            "initializer_range": shape.width**-0.5,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Idefics3ForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    # The savers draw their bars on stderr, whatever they are told; their errors are raised.
    with redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)
        processor.save_pretrained(folder)


def _first_tokens(tokenizer: Any, count: int) -> Any:
    """A tokenizer of the first ``count`` tokens of a byte-level BPE's, in whose order it merges."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    record = json.loads(tokenizer.backend_tokenizer.to_str())
    model = record["model"]
    known = {token: number for token, number in model["vocab"].items() if number < count}
    merges = [pair for pair in model["merges"] if "".join(pair) in known]
    model |= {"vocab": known, "merges": merges}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(record)),
        bos_token=tokenizer.bos_token,
        eos_token=tokenizer.eos_token,
        pad_token=tokenizer.pad_token,
        unk_token=tokenizer.unk_token,
        model_input_names=["input_ids", "attention_mask"],
    )
