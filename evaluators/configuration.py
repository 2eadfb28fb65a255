"""The configuration of a run, written to ``config.toml`` before the first request.

Conventions
-----------
* Everything that could change a number stands here; a run is resumed only under
  the same configuration, except that ``limit`` and ``samples`` may grow (what
  was sampled before stays valid). Where the data lie is recorded and may change:
  they are known by their digest. So may the servers that are asked: a job that moves to
  another node finds the model at another address.
* ``limit`` 0 means every problem of the data.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.prompt import PROMPT_MODALITIES

SCHEMA_VERSION = 3

STIMULI = ("own", "none", "other")
"""What is shown of a problem's stimulus: the two others are blind controls."""


@dataclass(frozen=True, slots=True)
class Data:
    """The dataset that a run asks about. ``problems`` counts all its rows.

    ``recipe`` is what it was drawn by, but for the seed (``manifest.recipe_digest``); empty
    where it was not drawn.
    """

    path: str
    digest: str
    suite: str
    suite_version: str
    split: str
    problems: int
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Prompting:
    """How a problem is put to the model.

    ``system`` is the system prompt, ``prefix`` what the reply is made to begin with
    (both empty for none). ``shots`` worked examples stand before the problem, out of
    the dataset with the digest ``shots_data``. ``stimulus`` is ``"own"``, or a blind
    control: ``"none"``, ``"other"`` (that of another item of its task and level).
    """

    system: str = ""
    prefix: str = ""
    shots: int = 0
    shots_data: str = ""
    stimulus: str = "own"


PLAIN = Prompting()
"""The problem alone, as it is."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One run. ``engine`` is what was asked for (``vllm``, ``scripted:gold``);
    ``settings`` is what the opened engine says of itself (versions, device).
    ``samples`` is the number of replies drawn for each problem; ``thinking_budget`` 0 means none.
    ``thinking_marks`` begin and end a thought, beside those that are always known (empty: none).
    ``code`` is the digest of the code that judged the replies (``benchgen.scoring_code``), or
    the name of the program that did.
    """

    model: str
    model_source: str
    engine: str
    modality: str
    samples: int
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    limit: int
    data: Data
    settings: Mapping[str, Any]
    benchgen_version: str
    stop: tuple[str, ...] = ()
    regex: str = ""
    thinking_budget: int = 0
    thinking_marks: tuple[str, ...] = ()
    prompting: Prompting = PLAIN
    code: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def problems(self) -> int:
        """How many problems the run asks about."""
        return min(self.limit, self.data.problems) if self.limit else self.data.problems

    @property
    def wanted(self) -> int:
        """How many samples the run is to have."""
        return self.problems * self.samples

    @property
    def scripted(self) -> bool:
        """The replies come from a script, not from a model: a marked baseline."""
        return self.engine.partition(":")[0] == "scripted"


def check_config(config: RunConfig) -> None:
    """Whether a run can have been made so, whatever the file says.

    Raises
    ------
    InputError
        A setting has a value that there is none of.
    """
    prompting = config.prompting
    if config.modality not in PROMPT_MODALITIES:
        raise InputError(f"modality is {', '.join(PROMPT_MODALITIES)}, not {config.modality!r}")
    if prompting.stimulus not in STIMULI:
        raise InputError(f"the stimulus is {', '.join(STIMULI)}, not {prompting.stimulus!r}")
    if not (math.isfinite(config.temperature) and config.temperature >= 0):
        raise InputError(f"--temperature is 0 or more, not {config.temperature}")
    if not 0 < config.top_p <= 1:
        raise InputError(f"--top-p is above 0 and at most 1, not {config.top_p}")
    counts = (
        ("samples a problem (-n) are", config.samples, 1),
        ("--max-tokens is", config.max_tokens, 0),  # 0 where nothing was generated
        ("--limit is", config.limit, 0),
        ("--shots is", prompting.shots, 0),
        ("--thinking-budget is", config.thinking_budget, 0),
        ("problems are", config.data.problems, 1),
    )
    for name, count, least in counts:
        if count < least:
            raise InputError(f"{name} {least} or more, not {count}")


def display_name(name: str) -> str:
    """The name without the folders of the machine on which a local model lies."""
    local = os.path.isabs(name) or name.startswith(("~", "./", "../", "file:"))
    windows = len(name) > 2 and name[1] == ":" and name[2] in "\\/"
    if not local and not windows:
        return name
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1]


def config_to_toml(config: RunConfig) -> str:
    """A TOML document from which ``config_from_toml`` makes an equal configuration."""
    record = dataclasses.asdict(config)
    tables = {name: record.pop(name) for name in ("data", "prompting", "settings")}
    lines = [f"{_key(name)} = {_value(value)}" for name, value in record.items()]
    for table, entries in tables.items():
        lines += ["", f"[{table}]"]
        lines += [f"{_key(k)} = {_value(v)}" for k, v in entries.items() if v is not None]
    return "\n".join(lines) + "\n"


def config_from_toml(text: str) -> RunConfig:
    """The configuration that ``config_to_toml`` wrote.

    Raises
    ------
    ValueError
        It is not TOML, or of another schema version, or its fields are not ours.
    """
    record = tomllib.loads(text)
    version = record.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"schema version {version}, this program reads {SCHEMA_VERSION}")
    try:
        record["data"] = Data(**record["data"])
        record["prompting"] = Prompting(**record["prompting"])
        for name in ("stop", "thinking_marks"):
            record[name] = tuple(record[name])
        return RunConfig(**record)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the fields of a run: {error}") from None


def read_config(path: Path) -> RunConfig:
    """Read ``config.toml``.

    Raises
    ------
    InputError
        It cannot be read, or is not the configuration of a run.
    """
    try:
        return config_from_toml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not the configuration of a run: {error}") from None


def check_resumable(old: RunConfig, new: RunConfig) -> None:
    """Whether a run begun as ``old`` may go on as ``new``.

    Raises
    ------
    InputError
        Something else than the data's path changed, or a limit shrank; one line
        that names each change. Or the replies so far were judged by other code.
    """
    changes = _changes(_comparable(old), _comparable(new))
    if new.samples < old.samples:
        changes.append(f"samples {old.samples} -> {new.samples}")
    if new.problems < old.problems:
        changes.append(f"problems {old.problems} -> {new.problems}")
    if changes:
        raise InputError(
            f"the run was begun with another configuration ({'; '.join(changes)}); "
            "give the same one, or another --out"
        )
    if new.code != old.code:
        raise InputError(
            "the replies so far were judged by other code than today's: judge them anew "
            "with --rescore, and go on then"
        )


def _comparable(config: RunConfig) -> dict[str, Any]:
    """What must stay the same, as it reads back from the file."""
    record = dataclasses.asdict(config_from_toml(config_to_toml(config)))
    del record["samples"], record["limit"], record["code"], record["data"]["path"]
    record["settings"].pop("servers", None)
    return record


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _changes(before, after, f"{prefix}{name}.")
        elif before != after:
            found.append(f"{prefix}{name} {_brief(before)} -> {_brief(after)}")
    return found


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain else _string(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _string(value)
        case Mapping():
            inside = (f"{_key(str(k))} = {_value(v)}" for k, v in value.items() if v is not None)
            return f"{{ {', '.join(inside)} }}"
        case list() | tuple():
            return f"[{', '.join(_value(v) for v in value)}]"
        case _:
            return _string(str(value))


def _string(text: str) -> str:
    """A basic string; JSON escapes the same, but for DEL and lone surrogates."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
