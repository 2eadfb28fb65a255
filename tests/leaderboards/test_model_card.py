"""``publish model``: a card that the Hub can read, in which names and settings stay words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard, constants
from markdown_it import MarkdownIt

from benchgen.errors import InputError
from leaderboards.markdown import code
from leaderboards.publish import publish_model

WriteRun = Callable[..., Path]
HOSTILE = (
    "x`</td></code><img src=x onerror=alert(1)>``\n---\nlicense: mit\n# h\n```\n| a | "
    "[b](javascript:c)"
)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hub is not asked."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def training(folder: Path, step: int, **config: Any) -> Path:
    """A training folder with a checkpoint; the checkpoint's path."""
    checkpoint = folder / f"checkpoint-{step:08d}"
    (checkpoint / "trainer").mkdir(parents=True)
    for name in ("model.safetensors", "config.json", "tokenizer.json", "README.md"):
        (checkpoint / name).write_bytes(b"{}" * 3)
    (checkpoint / "trainer" / "state.json").write_text("{}")
    record = {"objective": "sft", "model": "smollm2", "data": "/home/me/train", "seed": 0,
              "data_digest": "4eccfafe144bfb1f2f7450810f6c36df", "modality": "text"}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(record | config))
    (folder / "metrics.jsonl").write_text(json.dumps({"step": step, "loss": 1.0}) + "\n")
    return checkpoint


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """SFT, then reinforcement; the folder of the second."""
    cold = training(tmp_path / "sft", 200)
    training(tmp_path / "rl", 50, objective="dapo", model=str(cold), overrides=["clip_high=0.3"])
    return tmp_path / "rl"


def published(path: Path, **changes: Any) -> tuple[dict[str, Any], ModelCard]:
    out = path / "card"
    told = publish_model(path, "me/reader", out, **({"dry_run": True} | changes))
    return told, ModelCard((out / "README.md").read_text("utf-8"))


def test_the_front_matter_says_what_is_known(trained: Path) -> None:
    _, card = published(trained, datasets=["me/music"])
    assert card.data.to_dict() == {
        "license": "apache-2.0",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "datasets": ["me/music"],
        "tags": ["benchgen", "sft", "dapo", "rlvr"],
    }
    assert "1. `sft`, 200 steps on the data `train` (`4eccfafe144bfb1f`)" in card.text
    assert "2. `dapo`, 50 steps" in card.text
    assert "- `overrides`: `clip_high=0.3`" in card.text
    fresh = {"objective": "dapo", "data": None, "suite": "sheet_music"}
    training(trained, 55, **fresh)
    assert "1. `dapo`, 55 steps on fresh items of `sheet_music`" in published(trained)[1].text
    assert "/home/me" not in card.content and str(trained.parent) not in card.content


def test_a_model_that_reads_pictures_is_shown_one(tmp_path: Path) -> None:
    training(tmp_path / "run", 3, modality="image")
    _, card = published(tmp_path / "run")
    assert card.data.pipeline_tag == "image-text-to-text"
    python = card.text.partition("```python")[2].partition("```")[0]
    compile(python, "card", "exec")
    assert 'pipeline("image-text-to-text"' in python and '"type": "image"' in python


def test_a_model_in_a_folder_has_no_name_on_the_hub(tmp_path: Path) -> None:
    training(tmp_path / "run", 3, model=str(tmp_path))
    _, card = published(tmp_path / "run")
    assert card.data.base_model is None and card.data.license is None
    training(tmp_path / "other", 3, model="Qwen/Qwen3-0.6B")
    _, card = published(tmp_path / "other", licence="apache-2.0")
    assert card.data.base_model == "Qwen/Qwen3-0.6B" and card.data.license == "apache-2.0"


def test_accuracy_is_that_of_this_checkpoint_or_none(trained: Path, write_run: WriteRun) -> None:
    write_run(trained / "validation" / "step-00000040", "rl-step-40", skill=0.9)
    _, card = published(trained)
    assert card.data.eval_results is None and "was not measured" in card.text
    write_run(trained / "validation" / "step-00000050", "rl-step-50", skill=0.7)
    asked = write_run(trained / "test" / "step-00000050", "rl-step-50", skill=0.6)
    overall = json.loads((asked / "metrics.json").read_text())["overall"]
    _, card = published(trained)
    results = card.data.eval_results
    assert [result.metric_type for result in results] == ["accuracy", "accuracy"]
    assert results[0].metric_value == round(100 * overall["accuracy"], 2)
    assert results[0].dataset_type == "sheet_music" and "sheet_music" in card.data.tags
    assert card.data.model_name == "reader"
    assert f"**{100 * overall['accuracy']:.1f} %** (95 % interval" in card.text


def test_the_best_checkpoint_is_published_and_the_last_where_none_was_validated(
    trained: Path,
) -> None:
    training(trained, 60, objective="dapo")
    assert published(trained)[0]["checkpoint"].endswith("checkpoint-00000060")
    # There is no checkpoint of the best of all any more, and the last line is torn.
    values = {40: 0.9, 50: 0.8, 60: 0.8}
    lines = [json.dumps({"step": step, "validation": value}) for step, value in values.items()]
    metrics = trained / "metrics.jsonl"
    metrics.write_text("\n".join([*lines, '{"step": 61, "va']))
    assert published(trained)[0]["checkpoint"].endswith("checkpoint-00000050")
    told, _ = published(trained / "checkpoint-00000060")
    assert told["checkpoint"].endswith("checkpoint-00000060")
    metrics.write_text("no line of it\n")
    with pytest.raises(InputError, match="metrics.jsonl cannot be read"):
        published(trained)


def test_nothing_from_outside_is_markup_or_metadata(trained: Path) -> None:
    training(trained, 70, objective=HOSTILE, model=HOSTILE, data=HOSTILE, data_digest=HOSTILE,
             overrides=[HOSTILE], **{HOSTILE: HOSTILE})  # fmt: skip
    (trained / "curves.svg").write_text("<svg/>")
    _, card = published(trained, curves=trained / "curves.svg")
    assert set(card.data.to_dict()) == {"library_name", "pipeline_tag", "tags"}
    assert HOSTILE in card.data.tags
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(card.text)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in [*tokens, *inline]}
    assert not kinds & {"html_block", "html_inline", "link_open", "table_open", "hr"}
    assert [token.content for token in tokens if token.type == "fence"][0].startswith("from trans")
    assert sum(token.type == "heading_open" for token in tokens) == 4
    assert [token.attrs["src"] for token in inline if token.type == "image"] == ["curves.svg"]


@pytest.mark.parametrize("text", ["`", "``a`", "a`", "<b>", "a\nb", "", "|", "\\", "*a*", "\u202e"])
def test_a_code_span_is_one_whatever_is_in_it(text: str) -> None:
    (_, inline, _) = MarkdownIt("commonmark").parse(f"words {code(text)} words")
    assert [child.type for child in inline.children or ()] == ["text", "code_inline", "text"]


def test_a_dry_run_without_the_hub_lists_the_files_and_says_so(trained: Path) -> None:
    (trained / "drawn.svg").write_text("<svg>curves</svg>")
    told, card = published(trained, curves=trained / "drawn.svg")
    assert told["url"] is None and told["checkpoint"].endswith("rl/checkpoint-00000050")
    assert {f["path"]: f["bytes"] for f in told["files"]} == {
        "README.md": len(card.content.encode()), "config.json": 6, "curves.svg": 17,
        "model.safetensors": 6, "tokenizer.json": 6,
    }  # fmt: skip
    assert told["plan"] is None and told["lines"][-1] == (
        "what me/reader holds of this is not known: the Hub is not asked: HF_HUB_OFFLINE is set"
    )
    assert (trained / "card" / "curves.svg").read_text() == "<svg>curves</svg>"
    assert "![Training curves](<curves.svg>)" in card.text


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        (".", {}, "neither a training folder"),
        ("rl/checkpoint-00000099", {}, "neither a training folder"),
        ("rl", {"repo": "a/b/c"}, "no name of a repository"),
        ("rl", {"datasets": ["../etc"]}, "no name of a repository"),
        ("rl", {"licence": "mit\ntags: x"}, "a licence is an identifier"),
        ("rl", {"curves": Path("/nowhere.svg")}, "cannot be read"),
    ],
)
def test_bad_input_writes_nothing(
    tmp_path: Path, trained: Path, path: str, changes: dict[str, Any], said: str
) -> None:
    wanted = {"repo": "me/reader", "out": tmp_path / "card", "dry_run": True}
    with pytest.raises(InputError, match=said):
        publish_model(tmp_path / path, **(wanted | changes))
    assert not (tmp_path / "card").exists()
