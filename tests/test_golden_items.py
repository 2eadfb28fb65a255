"""Items never change under one suite version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchgen.task import list_tasks
from tests.golden.write import golden

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", list_tasks())
def test_items_are_those_of_the_golden_file(name: str) -> None:
    assert golden(name) == json.loads((GOLDEN / f"{name}.json").read_text())


def test_every_golden_file_has_its_task() -> None:
    files = {f"{p.parent.name}/{p.stem}" for p in GOLDEN.glob("*/*.json")}
    assert files == set(list_tasks())
