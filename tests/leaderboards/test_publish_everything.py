"""From zero to a published benchmark, by the commands alone, on a Hub of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_client import Stranger, environment
from hub_server import TOKEN, HubServer, hub_server
from scripted_server import serving

from benchgen.cli import run as run_command
from benchgen.dataset import read_manifest
from benchgen.export import read_source
from evaluators.configuration import read_config
from evaluators.run_directory import write_config

LOAD = """
import json, sys
from datasets import load_dataset
full = load_dataset("me/music", "full")
lean = load_dataset("me/music", "image", split="test")
print(json.dumps({
    "splits": {name: len(rows) for name, rows in full.items()},
    "size": full["test"][0]["image"].size,
    "lean": [len(lean), lean.column_names, lean[0]["image"][:22]],
}))
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset of 36 problems, its reports, a run of it and a board."""
    root = tmp_path_factory.mktemp("bench")
    words = ["synth", "sheet_music", "--split", "test", "--count", "36", "--seed", "3"]
    assert run_command([*words, "--modality", "text,image", "--out", str(root / "data")]) == 0
    digest = read_manifest(root / "data").digest
    best = {"name": "letters", "accuracy": 0.253, "chance": 0.25}
    report = {
        "passed": True, "digest": digest, "best_blind": best, "shared_facts": [],
        "checks": {"rows": {"of": 36, "sound": 36}}, "items": {"test": {"scored": 2000}},
        "gates": {"twins": {"complete": 9}, "detection": {"tests": 9}, "equivalence": {}},
    }  # fmt: skip
    (root / "report.json").write_text(json.dumps(report), "utf-8")
    words = ["eval", "--data", str(root / "data"), "--engine", "scripted:random"]
    assert run_command([*words, "--out", str(root / "run")]) == 0
    assert run_command(["board", str(root / "run"), "--out", str(root / "site")]) == 0
    return root


@pytest.fixture(params=["xet", "lfs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[HubServer, Stranger]]:
    with hub_server(tmp_path / "store") as hub:
        settings = environment(hub.address, tmp_path, TOKEN, request.param == "xet")
        yield hub, Stranger(settings, tmp_path)


def benchgen(stranger: Stranger, *words: str) -> Any:
    return json.loads(stranger.run("-m", "benchgen", *words, "--json"))


def refused(stranger: Stranger, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "benchgen", *words], env=stranger.settings, cwd=stranger.folder,
        capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    return done.stderr.splitlines()[-1]


def dataset_words(bench: Path, *more: str) -> list[str]:
    report = str(bench / "report.json")
    words = ["publish", "dataset", str(bench / "data"), "--verification", report, "--audit", report]
    return [*words, "--repo", "me/music", "--out", "card", *more]


def changes(told: Any, *actions: str) -> set[str]:
    return {c["path"] for c in told["plan"]["changes"] if c["action"] in actions}


def test_a_dataset_goes_up_and_comes_back_as_it_was(
    place: tuple[HubServer, Stranger], bench: Path, tmp_path: Path
) -> None:
    hub, stranger = place
    planned = benchgen(stranger, *dataset_words(bench, "--dry-run"))
    assert hub.writes() == [] and planned["url"] is None
    done = benchgen(stranger, *dataset_words(bench))
    assert done["plan"]["changes"] == planned["plan"]["changes"]
    assert changes(done, "added") == {
        ".benchgen/publication.json", "README.md", "eval.yaml", "data/test/manifest.json",
        "data/test/part-00000.parquet", "text/test-00000-of-00001.parquet",
        "image/test-00000-of-00001.parquet",
    }  # fmt: skip
    loaded = json.loads(stranger.run("-c", LOAD))
    assert loaded["splits"] == {"test": 36} and min(loaded["size"]) > 40
    count, columns, image = loaded["lean"]
    assert count == 36 and image == "data:image/png;base64," and "prompt" in columns
    stranger.run(
        "-c", "from huggingface_hub import snapshot_download as get\n"
        "get('me/music', repo_type='dataset', local_dir='back')",
    )  # fmt: skip
    assert run_command(["verify", str(tmp_path / "back" / "data" / "test")]) == 0
    hub.arm()
    again = benchgen(stranger, *dataset_words(bench))
    assert hub.writes() == [] and again["url"] == done["url"]


@pytest.mark.slow
def test_inspect_runs_each_modality_of_a_published_dataset(
    bench: Path, tmp_path: Path
) -> None:
    items = {m: read_source(bench / "data", m).items for m in ("text", "image")}
    with hub_server(tmp_path / "store") as hub, serving([*items["text"], *items["image"]]) as model:
        settings = environment(hub.address, tmp_path, TOKEN, True)
        settings |= {"LOCAL_API_KEY": "none", "LOCAL_BASE_URL": model.address}
        stranger = Stranger(settings, tmp_path)
        benchgen(stranger, *dataset_words(bench))
        stranger.run(
            "-m", "inspect_ai", "eval", "hf/me/music", "--model", "openai-api/local/m",
            "--log-dir", "logs", "--log-format", "json", "--display", "plain",
        )  # fmt: skip
    logs = [json.loads(file.read_text()) for file in (tmp_path / "logs").glob("*.json")]
    assert [log["status"] for log in logs] == ["success"] * 2
    assert {len(log["samples"]) for log in logs} == {36}
    told = {log["eval"]["task"].rpartition("/")[2] for log in logs}
    assert len(told) == 2


def test_a_board_becomes_a_static_space_and_what_left_it_is_deleted(
    place: tuple[HubServer, Stranger], bench: Path, write_run: Any, tmp_path: Path
) -> None:
    hub, stranger = place
    words = ["publish", "board", "--repo", "me/board", "--out", "card"]
    done = benchgen(stranger, *words, str(bench / "site"))
    held = hub.repo("me/board", "space").holds()
    files = {
        p.relative_to(bench / "site").as_posix(): p
        for p in (bench / "site").rglob("*") if p.is_file()
    }  # fmt: skip
    assert set(held) == {*files, "README.md", ".benchgen/publication.json"}
    _, front, _ = (tmp_path / "card" / "README.md").read_text("utf-8").split("---\n", 2)
    assert yaml.safe_load(front) == {
        "title": "Sheet music leaderboard", "sdk": "static", "app_file": "index.html",
        "pinned": False, "tags": ["benchgen"],
    }  # fmt: skip
    page = stranger.run(
        "-c", "from huggingface_hub import hf_hub_download as get\n"
        "print(open(get('me/board', 'index.html', repo_type='space')).read())",
    )  # fmt: skip
    assert page.rstrip("\n") == files["index.html"].read_text("utf-8").rstrip("\n")
    other = write_run(tmp_path / "other", "other")
    assert run_command(["board", str(other), "--out", str(tmp_path / "site")]) == 0
    second = benchgen(stranger, *words, str(tmp_path / "site"))
    gone = changes(second, "deleted")
    assert {path.partition("/")[0] for path in gone} == {"records", "every_eval_ever", "runs"}
    assert gone <= changes(done, "added")
    assert not gone & set(hub.repo("me/board", "space").holds())


@pytest.fixture
def model_run(bench: Path, tmp_path: Path) -> Path:
    """The run as if a model of the Hub had made it: what is published is its score alone."""
    import dataclasses
    import shutil

    folder = tmp_path / "model-run"
    shutil.copytree(bench / "run", folder)
    config = dataclasses.replace(
        read_config(folder / "config.toml"), model="org/model", engine="vllm"
    )
    write_config(folder, config)
    return folder


def results_words(run: Path, *more: str) -> list[str]:
    words = ["publish", "results", str(run), "--repo", "org/model", "--benchmark", "me/music"]
    return [*words, "--out", "card", *more]


def test_results_are_a_pull_request_that_was_asked_for(
    place: tuple[HubServer, Stranger], bench: Path, model_run: Path
) -> None:
    hub, stranger = place
    hub.add("org/model", **{"README.md": b"# model"})
    benchgen(stranger, *dataset_words(bench))
    assert "ask for it with --create-pr" in refused(stranger, *results_words(model_run))
    hub.arm()
    planned = benchgen(stranger, *results_words(model_run, "--dry-run"))
    assert hub.writes() == []
    done = benchgen(stranger, *results_words(model_run, "--create-pr"))
    assert done["plan"]["changes"] == planned["plan"]["changes"]
    repo = hub.repo("org/model")
    assert repo.history() == ["initial commit"], "nobody's model is written to unasked"
    assert ".eval_results/me--music.yaml" in repo.holds("refs/pr/1")
    text = (stranger.folder / "card" / ".eval_results" / "me--music.yaml").read_text("utf-8")
    (entry,) = yaml.safe_load(text)
    metrics = json.loads((model_run / "metrics.json").read_text("utf-8"))
    assert entry["value"] == round(100 * metrics["overall"]["accuracy"], 2)
    assert entry["dataset"] == {
        "id": "me/music", "task_id": "sheet_music_text",
        "revision": hub.repo("me/music", "dataset").refs["main"],
    }  # fmt: skip
    again = benchgen(stranger, *results_words(model_run, "--create-pr"))
    assert again["url"] == done["url"] and "refs/pr/2" not in repo.refs


def test_a_score_takes_the_place_of_an_older_one_whatever_its_file_is_called(
    place: tuple[HubServer, Stranger], bench: Path, model_run: Path
) -> None:
    hub, stranger = place
    older = [
        {"dataset": {"id": "other/bench", "task_id": "x"}, "value": 1.0},
        {"dataset": {"id": "me/music", "task_id": "sheet_music_text"}, "value": 99.0},
    ]
    held = {".eval_results/all.yaml": yaml.safe_dump(older).encode()}
    hub.add("org/model", **held)
    benchgen(stranger, *dataset_words(bench))
    done = benchgen(stranger, *results_words(model_run, "--create-pr"))
    assert changes(done, "changed") == {".eval_results/all.yaml"}
    text = (stranger.folder / "card" / ".eval_results" / "all.yaml").read_text("utf-8")
    first, second = yaml.safe_load(text)
    assert first == older[0] and second["value"] != 99.0


def test_results_on_a_second_benchmark_leave_those_on_the_first(
    place: tuple[HubServer, Stranger], bench: Path, model_run: Path
) -> None:
    hub, stranger = place
    theirs = [{"dataset": {"id": "me/music", "task_id": "sheet_music_text"}, "value": 99.0}]
    repo = hub.add("org/model", **{".eval_results/all.yaml": yaml.safe_dump(theirs).encode()})
    for number, name in enumerate(("me/music", "me/other"), start=1):
        words = [name if word == "me/music" else word for word in dataset_words(bench)]
        benchgen(stranger, *words)
        words = [name if word == "me/music" else word for word in results_words(model_run)]
        done = benchgen(stranger, *words, "--create-pr")
        assert changes(done, "deleted") == set() and len(changes(done, "added", "changed")) == 1
        # Merged by whoever the model is of.
        repo.refs["main"] = repo.refs[f"refs/pr/{number}"]
        repo.closed.add(number)
    assert repo.holds().keys() == {".eval_results/all.yaml", ".eval_results/me--other.yaml"}


def test_results_that_are_not_of_the_benchmark_or_model_are_refused(
    place: tuple[HubServer, Stranger], bench: Path, model_run: Path, write_run: Any, tmp_path: Path
) -> None:
    hub, stranger = place
    hub.add("org/model", **{"README.md": b"# model"})
    benchgen(stranger, *dataset_words(bench))
    stray = write_run(tmp_path / "stray", "org/model")
    assert "which me/music has not" in refused(stranger, *results_words(stray, "--dry-run"))
    few = write_run(tmp_path / "few", "else/model")
    assert "is a run of 'else/model'" in refused(stranger, *results_words(few, "--dry-run"))
    baseline = results_words(bench / "run", "--dry-run")
    assert "is a baseline" in refused(stranger, *baseline)
    assert [r for r in hub.writes() if "org/model" in r] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["dataset", "x", "--licence", "mit"], "--licence goes with publish model"),
        (["board", "x", "y"], "one folder is published at a time"),
        (["board", "nothing"], "is no board"),
        (["results", "x", "--dry-run"], "give --benchmark"),
        (["dataset", "x"], "give --verification"),
        (["site", "x"], "what is published is"),
    ],
)
def test_bad_words_are_one_line(
    tmp_path: Path, words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_command(["publish", *words, "--repo", "me/x", "--out", str(tmp_path / "card")])
    said = capsys.readouterr().err
    assert code == 2 and line in said and said.count("\n") == 1
    assert not (tmp_path / "card").exists()
