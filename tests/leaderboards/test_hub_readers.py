"""``datasets`` reads what was published, pictures too, at once and as a stream."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hub_client import Stranger, environment
from hub_server import TOKEN, HubServer, hub_server
from PIL import Image

from benchgen.dataset import synthesize
from benchgen.plan import make_plan

LOAD = """
import hashlib, io, json, sys
from datasets import load_dataset
for streaming in (False, True):
    rows = load_dataset(sys.argv[1], split="test", streaming=streaming)
    assert rows.features["image"].decode, rows.features
    print(json.dumps([[r["id"], r["target"], r["image"].size,
                       hashlib.sha256(r["image"].convert("RGB").tobytes()).hexdigest()]
                      for r in rows]))
"""
CARD = """---
license: apache-2.0
configs:
  - config_name: default
    data_files:
      - split: test
        path: data/*.parquet
---
# Sheet music
"""


@pytest.fixture(params=["xet", "lfs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[HubServer, Stranger]]:
    """A Hub, and somebody for whom it is the one there is."""
    with hub_server(tmp_path / "store") as hub:
        settings = environment(hub.address, tmp_path, TOKEN, request.param == "xet")
        yield hub, Stranger(settings, tmp_path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 problems as text and as pictures."""
    folder = tmp_path_factory.mktemp("synthesized") / "data"
    synthesize(
        make_plan("sheet_music", split="test", count=36, seed=0, modalities=["text", "image"]),
        folder,
    )
    return folder


def test_datasets_loads_pictures_from_what_was_published(
    place: tuple[HubServer, Stranger], data: Path, tmp_path: Path
) -> None:
    hub, stranger = place
    staged = tmp_path / "staged"
    (staged / "data").mkdir(parents=True)
    (parquet,) = data.rglob("*.parquet")
    shutil.copy(parquet, staged / "data")
    (staged / "README.md").write_text(CARD)
    url = stranger.publish("me/music", staged)
    assert url.endswith(hub.repo("me/music", "dataset").refs["main"])
    loaded = [json.loads(line) for line in stranger.run("-c", LOAD, "me/music").splitlines()]
    rows = pq.read_table(parquet).to_pylist()
    assert len(rows) == 36 and loaded == [[told(row) for row in rows]] * 2
    hub.arm()
    assert stranger.publish("me/music", staged) == url
    assert hub.writes() == []


def told(row: dict[str, Any]) -> list[Any]:
    """What ``LOAD`` tells of a row."""
    picture = Image.open(io.BytesIO(row["image"]["bytes"]))
    digest = hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()
    return [row["id"], row["target"], list(picture.size), digest]
