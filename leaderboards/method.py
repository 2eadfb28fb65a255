"""How a run got its replies, in words: what one must know to compare two rows.

Conventions
-----------
* The method is how a model was asked; the rung is how much a method might spend on a problem.
  Rows of one method on several rungs make a ladder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluators.configuration import display_name
from evaluators.run_directory import RunConfig
from leaderboards.record import Record

BLIND_CONTROLS = {"none": "nothing shown", "other": "another item's stimulus shown"}


def method_of(config: RunConfig) -> str:
    """Such as ``zero-shot, greedy`` or ``4 shots, system prompt, temperature 0.7``."""
    prompting = config.prompting
    shots = prompting.shots
    words = ["zero-shot" if shots == 0 else f"{shots} shot{'s' * (shots > 1)}"]
    if prompting.stimulus in BLIND_CONTROLS:
        words.append(BLIND_CONTROLS[prompting.stimulus])
    if prompting.system:
        words.append("system prompt")
    if prompting.prefix:
        words.append("prefix")
    if config.regex:
        words.append("constrained")
    if config.temperature == 0:
        words.append("greedy")
    else:
        words.append(f"temperature {config.temperature:g}")
        if config.top_p < 1:
            words.append(f"top-p {config.top_p:g}")
    harness = config.settings.get("harness")
    return ", ".join(words) if harness is None else ", ".join([str(harness), *words[1:]])


def rung_of(config: RunConfig) -> str:
    """Such as ``1 reply of 512 tokens`` or ``8 replies of 4,096 tokens, 2,048 to think``."""
    replies = "reply" if config.samples == 1 else "replies"
    words = f"{config.samples:,} {replies} of {config.max_tokens:,} tokens"
    budget = config.thinking_budget
    return f"{words}, {budget:,} to think" if budget else words


def settings_of(record: Record) -> tuple[tuple[str, str], ...]:
    """The run's settings for its details, as names and values."""
    config, metrics = record.config, record.metrics
    rows = [
        ("engine", config.engine),
        ("samples a problem", str(config.samples)),
        ("temperature, top-p", f"{config.temperature:g}, {config.top_p:g}"),
        ("token limit", f"{config.max_tokens:,}"),
        ("seed", str(config.seed)),
        ("prompt tokens", f"{metrics.tokens.prompt:,}"),
        ("reply tokens", f"{metrics.tokens.completion:,}"),
        ("time", f"{metrics.seconds.wall:,.1f} s"),
        ("benchgen", config.benchgen_version),
    ]
    if not config.scripted:
        rows += [(str(name), _brief(value)) for name, value in config.settings.items()]
    return tuple(rows)


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_brief(part)}" for name, part in value.items())
    return display_name(str(value))
