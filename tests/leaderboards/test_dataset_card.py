"""The card and the files of a dataset that is published."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchgen.cli import run as run_command
from benchgen.dataset import read_manifest
from benchgen.errors import InputError
from leaderboards.dataset_card import dataset_card, features
from leaderboards.dataset_files import Split, lean_sources, read_splits, runnable_files, shard_files
from leaderboards.markdown import block, code, table


def made(folder: Path, split: str, modality: str = "text,image") -> Path:
    words = ["synth", "sheet_music", "--split", split, "--count", "36", "--seed", "3"]
    assert run_command([*words, "--modality", modality, "--out", str(folder)]) == 0
    return folder


def report(path: Path, data: Path, **changes: Any) -> Path:
    """Reports of both kinds in one file: their fields do not meet."""
    best = {"name": "letters", "accuracy": 0.253, "chance": 0.25}
    record = {
        "passed": True,
        "digest": read_manifest(data).digest,
        "checks": {"rows": {"of": 36, "sound": 36, "percent": 100.0}},
        "items": {"train": {"scored": 2000}, "test": {"scored": 2000}},
        "gates": {
            "twins": {"complete": 1800},
            "detection": {"tests": 4867},
            "equivalence": {"run": True, "widest": {"upper_bound": 0.2675}},
        },
        "best_blind": best,
        "shared_facts": [{"share_of_facts": 0.95}, {"share_of_facts": 1.0}],
        **changes,
    }
    path.write_text(json.dumps(record), "utf-8")
    return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("data") / "bench", "test")


def splits_of(tmp_path: Path, *folders: Path) -> tuple[Split, ...]:
    reports = [report(tmp_path / f"{i}.json", folder) for i, folder in enumerate(folders)]
    return read_splits(folders, reports, reports)


def card_of(splits: tuple[Split, ...]) -> tuple[dict[str, Any], str]:
    card = dataset_card(splits, lean_sources(splits), "org/music")
    _, front, body = card.split("---\n", 2)
    return yaml.safe_load(front), body


def test_the_card_declares_the_whole_and_the_lean_configurations(
    bench: Path, tmp_path: Path
) -> None:
    splits = splits_of(tmp_path, bench, made(tmp_path / "train", "train", "text"))
    front, body = card_of(splits)
    assert {c["config_name"]: c["data_files"] for c in front["configs"]} == {
        "full": [{"split": "test", "path": "data/test/*.parquet"},
                 {"split": "train", "path": "data/train/*.parquet"}],
        "text": [{"split": "test", "path": "text/test-00000-of-00001.parquet"}],
        "image": [{"split": "test", "path": "image/test-00000-of-00001.parquet"}],
    }  # fmt: skip
    assert front["license"] == "apache-2.0" and front["size_categories"] == ["n<1K"]
    sizes = {s["name"]: s["num_examples"] for s in front["dataset_info"]["splits"]}
    assert sizes == {"test": 36, "train": 36}
    for words in (
        read_manifest(bench).digest, "36 of 36", "26.75 %", "25.30 %", "95 to 100 %",
        "benchgen synth sheet_music --split test --count 36 --seed 3 --modality text,image "
        "--out test", "inspect eval hf/org/music", "one reading",
    ):  # fmt: skip
        assert str(words) in body


def test_the_card_says_where_the_twins_are(bench: Path, tmp_path: Path) -> None:
    (split,) = splits_of(tmp_path, bench)
    assert "The twins are not here" in card_of((split,))[1]
    configuration = {**split.manifest.configuration, "twins": True}
    with_twins = dataclasses.replace(
        split, manifest=dataclasses.replace(split.manifest, configuration=configuration)
    )
    assert "The twins stand beside it in test." in card_of((with_twins,))[1]


def test_the_features_are_those_that_datasets_reads(bench: Path) -> None:
    from datasets import Features, load_dataset

    told = Features._from_yaml_list(features())
    files = str(bench / "*.parquet")
    found = load_dataset("parquet", data_files=files, split="train").features
    assert told == found


def test_the_shards_go_as_they_are_with_their_manifest(bench: Path, tmp_path: Path) -> None:
    files = shard_files(splits_of(tmp_path, bench))
    assert sorted(files) == ["data/test/manifest.json", "data/test/part-00000.parquet"]
    for path, source in files.items():
        target = tmp_path / "download" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    assert run_command(["verify", str(tmp_path / "download" / "data" / "test")]) == 0


def test_inspect_is_given_a_task_for_each_modality(bench: Path, tmp_path: Path) -> None:
    sources = lean_sources(splits_of(tmp_path, bench))
    files = runnable_files(sources, "music", "Problems.")
    assert sorted(files) == [
        "eval.yaml", "image/test-00000-of-00001.parquet", "text/test-00000-of-00001.parquet",
    ]  # fmt: skip
    tasks = yaml.safe_load(files["eval.yaml"])["tasks"]
    assert [(t["id"], t["config"]) for t in tasks] == [
        ("sheet_music_text", "text"), ("sheet_music_image", "image"),
    ]  # fmt: skip
    assert files == runnable_files(sources, "music", "Problems.")


def test_training_problems_are_no_benchmark(tmp_path: Path) -> None:
    splits = splits_of(tmp_path, made(tmp_path / "train", "train", "text"))
    assert lean_sources(splits) == ()
    front, body = card_of(splits)
    assert [c["config_name"] for c in front["configs"]] == ["full"]
    assert "inspect eval" not in body


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"passed": False}, "did not pass"),
        ({"passed": "yes"}, "did not pass"),
        ({"digest": "ab" * 32}, "is of the data abab"),
        ({"checks": {"rows": {}}}, "is not what benchgen verify"),
        ({"best_blind": None}, "is not what benchgen audit"),
    ],
)
def test_a_dataset_without_a_report_that_passed_is_not_published(
    bench: Path, tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    file = report(tmp_path / "report.json", bench, **changes)
    with pytest.raises(InputError, match=line):
        read_splits([bench], [file], [file])
    with pytest.raises(InputError, match="give --verification"):
        read_splits([bench], [], [])


def test_a_dataset_that_was_changed_since_is_not_published(
    bench: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(bench, folder)
    shard = folder / "part-00000.parquet"
    shard.write_bytes(shard.read_bytes() + b"x")
    file = report(tmp_path / "report.json", folder)
    with pytest.raises(InputError, match="it was changed"):
        read_splits([folder], [file], [file])


def test_two_folders_of_one_split_are_refused(bench: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of one split"):
        splits_of(tmp_path, bench, bench)


def test_the_reports_of_verify_and_audit_are_understood(bench: Path, tmp_path: Path) -> None:
    import contextlib
    import io

    files = []
    for words in (["verify", str(bench)], ["audit", str(bench), "--items", "0"]):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert run_command([*words, "--json"]) == 0
        files.append(tmp_path / f"{words[0]}.json")
        files[-1].write_text(out.getvalue(), "utf-8")
    if "items" not in json.loads(files[1].read_text("utf-8")):
        files[1] = report(tmp_path / "audit.json", bench)
    (split,) = read_splits([bench], files[:1], files[1:])
    assert {c.name: (c.sound, c.of) for c in split.checks}["picture"] == (36, 36)


def test_words_cannot_leave_their_fences() -> None:
    assert code("a`b``c") == "```a`b``c```"
    assert block("```\n<b>\n````") == "`````\n```\n<b>\n````\n`````"
    assert table(["a|b", "<i>"], [["x_y", "`z`"]]) == (
        "| a\\|b | &lt;i&gt; |\n| --- | ---: |\n| x\\_y | \\`z\\` |"
    )
    assert "\n" not in code("a\nb") and "\x1b" not in block("\x1b[31m")
