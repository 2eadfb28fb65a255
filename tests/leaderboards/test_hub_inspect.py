"""Inspect runs what was published by its name on the Hub, as a stranger would."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hub_client import Stranger, environment
from hub_server import TOKEN, hub_server
from scripted_server import serving, shown_by

from benchgen.dataset import synthesize
from benchgen.export import export_dataset, read_source
from benchgen.plan import make_plan


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "store"), [("image", "xet"), ("text", "lfs")])
def test_inspect_runs_what_was_published_by_its_name(
    tmp_path: Path, modality: str, store: str
) -> None:
    data, exported = tmp_path / "data", tmp_path / "exported"
    synthesize(
        make_plan("sheet_music", split="test", count=18, seed=0, modalities=["text", "image"]), data
    )
    export_dataset("inspect_ai", data, exported, modality=modality)
    items = read_source(data, modality).items
    with hub_server(tmp_path / "store") as hub, serving(items) as model:
        settings = environment(hub.address, tmp_path, TOKEN, store == "xet")
        settings |= {"LOCAL_API_KEY": "none", "LOCAL_BASE_URL": model.address}
        stranger = Stranger(settings, tmp_path)
        stranger.publish("me/bench", exported)
        stranger.run(
            "-m", "inspect_ai", "eval", "hf/me/bench", "--model", "openai-api/local/m",
            "--log-dir", "logs", "--log-format", "json", "--display", "plain",
        )  # fmt: skip
    (file,) = (tmp_path / "logs").glob("*.json")
    log = json.loads(file.read_text())
    assert log["status"] == "success", log.get("error")
    # Each was shown as it is: its words, and its picture to the byte.
    assert Counter(model.asked) == Counter(shown_by(item) for item in items)
    assert {sample["metadata"]["id"] for sample in log["samples"]} == {x.problem.id for x in items}
    scores = [sample["scores"]["pattern"]["value"] for sample in log["samples"]]
    assert set(scores) == {"C", "I"}
