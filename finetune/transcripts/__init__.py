"""``rollouts.html``: what a policy said while it was trained, for people, in one file.

Conventions
-----------
* A step's rollouts are a block of JSON of their own, read when the step is looked at: a run of
  many steps opens as quickly as one of few.
* Where all steps would be more than ``MOST_BYTES``, every second is shown, or every fourth ..., the
  last one always; the page says so. The journal holds all of them.
* The journal knows a prompt by its tokens, kept from sampling to loss; its words come of
  decoding them, marks of turns included.
* ``above`` is a reply's reward less the mean of its group: the advantage of a plain group
  baseline, and what other objectives begin with.
* Prompts, replies and names are untrusted: escaped, or JSON in which no ``<`` stands, written as
  text by the page's one script, which alone the page's policy admits.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import benchgen
from benchgen.errors import InputError
from benchgen.files import write_whole
from evaluators.report import json_in_html
from finetune.rollouts import journal_path
from finetune.training_folder import CONFIG

PAGE = "rollouts.html"
MOST_BYTES = 40_000_000

Decode = Callable[[Sequence[int]], str]

Reply = Mapping[str, Any]
"""A line of the journal."""


def write_transcripts(
    out: Path, decode: Decode | None = None, keys: Mapping[str, str] = MappingProxyType({})
) -> Path:
    """Write the page of the run in ``out`` beside its journal; the page's path.

    ``decode`` turns tokens into words (None: the tokenizer of the last checkpoint does; without
    one, prompts are counted and not shown). ``keys`` are right answers by problem id.

    Raises
    ------
    InputError
        There are no rollouts, or they are damaged.
    """
    steps = journalled_steps(out)
    if not steps:
        raise InputError(f"{out} holds no rollouts of a training run")
    page = _page(out, steps, decode or _last_decoder(out), keys)
    write_whole(out / PAGE, page.encode("utf-8", "replace"))
    return out / PAGE


def journalled_steps(out: Path) -> list[int]:
    """The steps whose rollouts were written down, in order."""
    named = (re.fullmatch(r"rollouts-(\d{8})\.jsonl", p.name) for p in (out / "rollouts").glob("*"))
    return sorted(int(match[1]) for match in named if match)


def _page(out: Path, steps: Sequence[int], decode: Decode | None, keys: Mapping[str, str]) -> str:
    index, blocks, stride = _blocks(out, steps, decode, keys)
    if stride == 1:
        shown = f"All {len(steps)} steps."
    else:
        shown = (
            f"{len(index)} of {len(steps)} steps, one in {stride}: more would be too much for a "
            "page. All of them are in rollouts/, one JSON line a reply."
        )
    script = _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    style = (files("evaluators.report") / "style.css").read_text(encoding="utf-8")
    parts = {
        "policy": f"sha256-{digest}",
        "style": style + _asset("style.css"),
        "script": script,
        "name": escape(out.resolve().name),
        "facts": _facts(out),
        "shown": escape(shown),
        "index": json_in_html(index),
        "blocks": "\n".join(blocks),
        "version": escape(benchgen.__version__),
    }
    # What is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _asset("page.html"))


def _blocks(
    out: Path, steps: Sequence[int], decode: Decode | None, keys: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[str], int]:
    """Summaries and blocks of the steps that are shown, in order; of how many each is one."""
    kept: dict[int, tuple[dict[str, Any], str]] = {}
    stride, size = 1, 0
    # From the last one back, so that it is shown whatever is left out.
    for place, step in enumerate(reversed(steps)):
        if place % stride:
            continue
        summary, groups = _step(out, step, decode, keys)
        packed = json_in_html(groups)
        block = f'<script type="application/json" id="step-{step}">{packed}</script>'
        kept[place] = (summary, block)
        size += len(block)
        while size > MOST_BYTES and len(kept) > 1:
            stride *= 2
            kept = {n: held for n, held in kept.items() if n % stride == 0}
            size = sum(len(block) for _, block in kept.values())
    in_order = list(reversed(kept.values()))
    return [summary for summary, _ in in_order], [block for _, block in in_order], stride


def _step(
    out: Path, step: int, decode: Decode | None, keys: Mapping[str, str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What is known of a step before it is looked at, and its groups as the page has them."""
    path = journal_path(out, step)
    groups: dict[int, list[Reply]] = {}
    try:
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        replies = [line for line in lines if not line.get("aside")]
        for one in replies:
            groups.setdefault(one["draw"], []).append(one)
        summary = {
            "step": step,
            "replies": len(replies),
            "reward": _mean([one["reward"] for one in replies]),
            "verdicts": dict(Counter(one["verdict"] for one in replies)),
            "tasks": sorted({one["task"] for one in replies}),
            "levels": sorted({one["level"] for one in replies}),
        }
        return summary, [_group(group, decode, keys) for group in groups.values()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {type(error).__name__}: {error}") from None


def _group(
    group: Sequence[Reply], decode: Decode | None, keys: Mapping[str, str]
) -> dict[str, Any]:
    first = group[0]
    mean = _mean([one["reward"] for one in group])
    return {
        "draw": first["draw"],
        "problem": first["problem"],
        "task": first["task"],
        "level": first["level"],
        "key": keys.get(first["problem"]),
        "prompt": None if decode is None else decode(first["prompt"]),
        "prompt_tokens": len(first["prompt"]),
        "pictures": len(first.get("pictures", ())),
        "replies": [_reply(one, mean) for one in group],
    }


def _reply(one: Reply, mean: float | None) -> dict[str, Any]:
    known = None not in (one["reward"], mean)
    return {
        **{name: one[name] for name in ("sample", "text", "verdict", "reward", "parts")},
        "above": one["reward"] - mean if known else None,
        "tokens": len(one["tokens"]),
        "logprob": _mean(one["logprobs"]),
        "truncated": one["truncated"],
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _last_decoder(out: Path) -> Decode | None:
    from finetune.checkpoint import checkpoint_path, latest_step

    step = latest_step(out)
    if step is None:
        return None
    from transformers import AutoTokenizer

    decode: Decode = AutoTokenizer.from_pretrained(checkpoint_path(out, step)).decode
    return decode


def _facts(out: Path) -> str:
    """What the run was asked for, in a line; nothing where that is not known."""
    try:
        config = json.loads((out / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    names = ("objective", "model", "data", "suite", "samples", "max_tokens", "temperature")
    said = [f"{name.replace('_', ' ')} {config[name]}" for name in names if config.get(name)]
    return escape(", ".join(said))


def _asset(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")
