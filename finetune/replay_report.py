"""What a run keeps to learn from again, told to people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from finetune.checkpoint import STATE, checkpoint_path, latest_step


def replay_record(out: Path) -> dict[str, Any]:
    """Of the last checkpoint: how many questions of each count, and each with its replies.

    Raises
    ------
    InputError
        There is no checkpoint, or its objective replays nothing.
    """
    step = latest_step(out)
    if step is None:
        raise InputError(f"{out} has no checkpoint")
    place = checkpoint_path(out, step) / STATE
    try:
        state = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{place} cannot be read: {error}") from None
    if "replay" not in state:
        raise InputError(f"{out} replays nothing: its objective learns from fresh replies alone")
    kept = state["replay"]["kept"]
    return {
        "step": step,
        "mixed": state["replay"]["mixed"],
        "retired": len(state["replay"]["retired"]),
        "buckets": dict(sorted(Counter(one["count"] for one in kept).items())),
        "questions": [
            {
                "problem": one["problem"]["id"],
                "count": one["count"],
                "step": one["step"],
                "replies": [
                    {"tokens": len(reply["tokens"]), "text": reply["text"]}
                    for reply in one["replies"]
                ],
            }
            for one in kept
        ],
    }


def replay_lines(record: Mapping[str, Any]) -> Iterator[str]:
    """The record as lines."""
    began = "earlier replies have joined" if record["mixed"] else "no earlier reply has joined yet"
    replies = sum(len(one["replies"]) for one in record["questions"])
    yield (
        f"after step {record['step']}: {began}; {len(record['questions'])} questions with "
        f"{replies} replies, {record['retired']} retired"
    )
    for count, number in record["buckets"].items():
        yield f"{count} right in the latest group: {number} questions"
    for one in record["questions"]:
        yield f"{one['problem']}  {one['count']} right at step {one['step']}"
        for reply in one["replies"]:
            words = " ".join(reply["text"].split())
            shown = words if len(words) <= 90 else f"{words[:89]}\u2026"
            yield f"    {reply['tokens']:>5} tokens  {shown}"
