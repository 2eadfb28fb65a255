"""Write the golden items anew: ``python -m tests.golden.write``.

Only after a deliberate change of items, together with the suite's version.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchgen.seeding import hex_key
from benchgen.task import find_task, list_tasks, make

HERE = Path(__file__).parent


def golden(name: str) -> list[dict[str, Any]]:
    """Two items of each level of a task, as the golden file holds them."""
    entries = []
    for level in find_task(name).levels:
        for split, seed, index in (("train", 0, 0), ("test", 7, 3)):
            problem = make(name, split=split, seed=seed, index=index, level=level)
            entries.append(
                {
                    "id": problem.id,
                    "question": problem.question,
                    "options": list(problem.options or ()),
                    "target": problem.target,
                    "text": problem.text(),
                    "content_key": problem.content_key,
                    "fact_key": problem.fact_key,
                    "digest": hex_key(problem.to_json()),
                }
            )
    return entries


if __name__ == "__main__":
    for task in list_tasks():
        path = HERE / f"{task}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(golden(task), indent=1, ensure_ascii=False) + "\n")
