"""What runs where verl, OpenRLHF and verifiers are: in ``.venv-verl``, by ``make test-verl``.

Elsewhere nothing here is collected. They want other versions than we do, so the exports come from
our own environment by the command line, as files.
"""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

collect_ignore_glob = [] if importlib.util.find_spec("verl") else ["test_*.py"]

ROOT = Path(__file__).resolve().parents[2]

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}"
    "{{ part.text if part.type == 'text' else '<|image|>' }}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def benchgen(*words: str) -> None:
    """The command, as a user of our environment has it."""
    command = [str(ROOT / ".venv" / "bin" / "benchgen"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The folder of an export, by format and modality."""
    folder = tmp_path_factory.mktemp("exports")
    data = folder / "data"
    asked = ["--split", "train", "--count", "8", "--task", "interval_name", "--task", "meter"]
    asked += ["--level", "1", "--seed", "3", "--modality", "text,image"]
    benchgen("synth", "sheet_music", *asked, "--out", str(data))

    @cache
    def export(form: str, modality: str) -> Path:
        out = folder / f"{form}-{modality}"
        benchgen("export", form, str(data), "--modality", modality, "--out", str(out))
        return out

    return export


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """A byte a token, and the marks of a chat."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(BPE({letter: place for place, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|image|>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        chat_template=CHAT_TEMPLATE,
    )
