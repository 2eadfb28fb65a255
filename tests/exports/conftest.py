"""A small dataset; and what lets the tests here import the modules beside them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchgen.dataset import synthesize
from benchgen.export import Item, read_source
from benchgen.plan import make_plan

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Problems of two categories and two levels, as text and as pictures."""
    return written(tmp_path_factory.mktemp("exported") / "data", "test", 24)


@pytest.fixture(scope="session")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The like to be trained on."""
    return written(tmp_path_factory.mktemp("lessons") / "data", "train", 8)


def written(folder: Path, split: str, count: int) -> Path:
    plan = make_plan(
        "sheet_music",
        split=split,
        count=count,
        seed=5,
        tasks=["interval_name", "meter"],
        levels=[1, 2],
        modalities=["text", "image"],
    )
    synthesize(plan, folder)
    return folder


@pytest.fixture(scope="session")
def items(data: Path) -> dict[str, tuple[Item, ...]]:
    """The items of the dataset, by modality."""
    return {modality: read_source(data, modality).items for modality in ("text", "image")}
