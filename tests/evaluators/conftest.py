"""Small datasets, written with pyarrow alone, and samples made up for tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchgen.columns import schema
from benchgen.problem import Outcome
from evaluators.journal import Sample

LETTERS = "ABCD"
WORDS = ("minor third", "major third", "minor sixth", "major sixth")
TASKS = (
    ("sheet_music/interval_name", "interval"),
    ("sheet_music/chord_name", "chord"),
    ("sheet_music/meter", "rhythm"),
)

WriteDataset = Callable[..., Path]
MakeSample = Callable[..., Sample]


def dataset_rows(count: int, *, twins: bool, image: bool) -> list[dict[str, Any]]:
    rows = []
    for place in range(count):
        item, option = divmod(place, 4) if twins else (place, place % 4)
        task, category = TASKS[item % 3]
        rows.append(
            {
                "id": f"item-{place:04d}",
                "task": task,
                "category": category,
                "level": 1 + item // 3 % 2,
                "split": "test",
                "question": f"What is the interval of item {item}?",
                "options": list(WORDS),
                "answer": WORDS[option],
                "target": LETTERS[option],
                "answer_type": "choice",
                "solution": f"Count the steps of item {place}.",
                "text": None if image else f"X:1\nK:C\nitem {place} |]",
                "image": {"bytes": b"\x89PNG picture %d" % place, "path": None} if image else None,
                "video": None,
                "identity": json.dumps({"task": task, "place": place}),
                "content_key": f"c{place}",
                "fact_key": f"f{place}",
                "twin_group": f"group-{item}",
                "suite_version": "1",
                "seed": 0,
                "index": item,
            }
        )
    return rows


@pytest.fixture
def write_dataset(tmp_path: Path) -> WriteDataset:
    """Writes a dataset of two shards; ``drop`` leaves columns out."""

    def write(
        count: int = 12,
        *,
        name: str = "data",
        twins: bool = False,
        image: bool = False,
        drop: tuple[str, ...] = (),
        repeat: bool = False,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rows = dataset_rows(count, twins=twins, image=image)
        if repeat:
            rows.append(rows[0])
        half = len(rows) // 2
        for shard, part in enumerate((rows[:half], rows[half:])):
            table = pa.Table.from_pylist(part, schema=schema())
            for column in drop:
                table = table.drop_columns([column])
            pq.write_table(table, folder / f"part-{shard:05d}.parquet")
        return folder

    return write


@pytest.fixture
def make_sample() -> MakeSample:
    """Makes up a sample; by default a right reply to a question of four options."""

    def make(problem: str = "p", **changes: Any) -> Sample:
        outcome = changes.pop("outcome", Outcome.CORRECT)
        fields: dict[str, Any] = {
            "problem": problem,
            "epoch": 0,
            "prompt_digest": "pd",
            "sampling_digest": "sd",
            "task": "sheet_music/interval_name",
            "category": "interval",
            "level": 1,
            "twin_group": f"group of {problem}",
            "cluster": changes.get("twin_group", f"group of {problem}"),
            "options": 4,
            "target": "A",
            "seed": 5,
            "reply": "\\boxed{A}",
            "finish_reason": "error" if outcome is Outcome.ERROR else "stop",
            "error": "it broke" if outcome is Outcome.ERROR else None,
            "outcome": outcome,
            "value": float(outcome is Outcome.CORRECT),
            "extracted": "A" if outcome is Outcome.CORRECT else None,
            "prompt_tokens": 7,
            "completion_tokens": 5,
            "cached_tokens": 2,
            "thinking_tokens": 1,
            "seconds": 0.5,
            "session": 0,
            "elapsed": 1.0,
            "thinking": "",
        }
        return Sample(**(fields | changes))

    return make
