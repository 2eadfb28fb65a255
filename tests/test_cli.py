from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchgen import cli
from benchgen.cli import run
from benchgen.dataset import read_rows
from benchgen.executors import ExecutorError
from benchgen.manifest import dataset_digest
from benchgen.task import capacity, make

TASK = "sheet_music/interval_name"
SYNTH = ["synth", "sheet_music", "--split", "test", "--task", "interval_name", "--level", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "data"
    assert run([*SYNTH, "--count", "20", "--out", str(folder)]) == 0
    return folder


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run what must be refused; the one line it says."""
    capsys.readouterr()
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("benchgen: ")
    return err.strip()


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    script = (
        "import sys, benchgen.cli\n"
        "heavy = {'pyarrow', 'numpy', 'verovio', 'skia', 'torch', 'vllm', 'ray', 'PIL', 'music21',"
        " 'sklearn', 'scipy', 'rich', 'evaluators', 'leaderboards'}\n"
        "print(sorted(heavy.intersection(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert output.stdout.decode().strip() == "[]"


# synth


def test_synth_says_what_it_made_and_what_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SYNTH, "--count", "20", "--out", str(tmp_path / "d")]
    assert run(words) == 0
    assert "20 problems in 1 shards (1 made, 0 already there)" in capsys.readouterr().out
    assert run(words) == 0
    assert "20 problems in 1 shards (0 made, 1 already there)" in capsys.readouterr().out


def test_synth_in_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SYNTH, "--count", "20", "--json", "--out", str(tmp_path / "d")]) == 0
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert err == ""
    assert record["complete"] and record["rows"] == 20 and record["missing"] == 0
    manifest = json.loads((tmp_path / "d" / "manifest.json").read_text())
    assert record["digest"] == manifest["digest"]


def test_options_may_be_repeated_or_given_by_comma(tmp_path: Path) -> None:
    common = ["synth", "sheet_music", "--split", "test", "--count", "8"]
    commas = ["--task", "interval_name,note_completion", "--level", "1,2"]
    apart = ["--task", "note_completion", "--task", TASK, "--level", "2", "--level", "1"]
    assert run([*common, *commas, "--out", str(tmp_path / "a")]) == 0
    assert run([*common, *apart, "--out", str(tmp_path / "b")]) == 0
    a, b = ((tmp_path / name / "part-00000.parquet").read_bytes() for name in "ab")
    assert a == b


def test_twins_and_modalities_reach_the_rows(tmp_path: Path) -> None:
    words = ["--count", "2", "--twins", "--modality", "text,image", "--out", str(tmp_path / "d")]
    assert run([*SYNTH, *words]) == 0
    rows = list(read_rows(tmp_path / "d"))
    assert len(rows) == 8
    assert all(row["text"] and row["image"]["bytes"] for row in rows)


def test_jobs_of_an_array_leave_word_of_what_is_to_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["synth", "sheet_music", "--split", "train", "--task", "interval_name", "--level", "1"]
    words += ["--count", "300", "--out", str(tmp_path / "d"), "--shard"]
    assert run([*words, "2/2"]) == 0
    assert "1 shards of other jobs are still to come" in capsys.readouterr().out
    assert run([*words, "1/2"]) == 0
    assert "complete: 300 problems" in capsys.readouterr().out


# Bad input: exit code 2, one line, nothing written


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "out"),
        (["--out", "{}", "--count", "ten"], "'--count'"),
        (["--out", "{}", "--count", "0"], "at least 1"),
        (["--out", "{}", "--count", "9", "--task", "tempo"], "unknown task"),
        (["--out", "{}", "--count", "9", "--level", "9"], "no level 9"),
        (["--out", "{}", "--count", "9", "--level", "two"], "whole number"),
        (["--out", "{}", "--count", "9", "--split", "dev"], "unknown split"),
        (["--out", "{}", "--count", "9", "--modality", "video"], "modality"),
        (["--out", "{}", "--count", "9", "--executor", "slurm"], "unknown executor"),
        (["--out", "{}", "--count", "9", "--shard", "0/3"], "1/n to n/n"),
        (["--out", "{}", "--count", "9", "--workers", "0"], "workers"),
        (["--out", "{}", "--count", "9", "--nonsense"], "nonsense"),
        (["--out", "{}", "--count", "1000000"], "at most"),
        (["--out", "{}/file/d", "--count", "9"], "cannot write to"),
    ],
)
def test_bad_synth_is_one_line_and_writes_nothing(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "d") if "{}/file/d" not in words else str(tmp_path)
    line = refused([*SYNTH, *(word.replace("{}", folder) for word in words)], capsys)
    assert said in line
    assert os.listdir(tmp_path) == ["file"]


def test_a_count_beyond_capacity_names_the_class_and_the_capacity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = capacity(TASK, 1, "test")
    words = [*SYNTH, "--count", str(limit + 1), "--out", str(tmp_path / "d")]
    line = refused(words, capsys)
    for part in (TASK, "level 1", "test", str(limit)):
        assert part in line
    assert not (tmp_path / "d").exists()


def test_another_configuration_names_what_differs(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused([*SYNTH, "--count", "21", "--out", str(data)], capsys)
    assert "count 20, now 21" in line


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["synth", "no_such_suite", "--count", "9", "--out", "x"],
        ["show", "sheet_music/tempo"],
        ["show", TASK, "--level", "7"],
        ["show", TASK, "--index", "-1"],
        ["show", TASK, "--index", "100000000"],
        ["show", TASK, "--split", "dev"],
        ["show", TASK, "--out", "no/such/folder/item.png"],
        ["tasks", "no_such_suite"],
        ["gallery", "no_such_suite", "--out", "x.html"],
        ["verify", "no/such/folder"],
        ["audit", "no_such_suite"],
        ["audit", "--level", "1"],
        ["audit", "sheet_music", "--level", "9"],
        ["eval", "--data", "no/such/folder", "--out", "x", "--engine", "scripted:gold"],
        ["board", "no/such/run", "--out", "x"],
        ["board", "--out", "x"],
    ],
)
def test_bad_input_of_every_command_is_one_line(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(words, capsys)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("words", [["verify"], ["eval", "--engine", "scripted:gold", "--data"]])
def test_a_spoilt_dataset_is_one_line(
    words: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for file in data.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    shard = folder / "part-00000.parquet"
    more = ["--out", str(tmp_path / "run")] if words[0] == "eval" else []
    shard.write_bytes(shard.read_bytes()[:1000])
    assert "part-00000.parquet" in refused([*words, str(folder), *more], capsys)
    shard.unlink()
    assert "part-00000.parquet" in refused([*words, str(folder), *more], capsys)
    (folder / "manifest.json").unlink()
    pq.write_table(pa.table({"id": ["a"]}), folder / "x.parquet")
    refused([*words, str(folder), *more], capsys)
    assert not (tmp_path / "run").exists()


# Errors that are not the input's


def test_a_traceback_is_shown_under_debug_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("deep inside")

    monkeypatch.setattr("benchgen.task.make", broken)
    assert run(["show", TASK]) == 1
    plain = capsys.readouterr().err
    assert plain.count("\n") == 1 and "internal error: KeyError" in plain
    assert run(["show", TASK, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "x"), "No space left on device (x)"),
        (ExecutorError("a worker process died"), "a worker process died"),
    ],
)
def test_a_failing_machine_is_one_line_and_not_the_users_fault(
    error: Exception,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("benchgen.dataset.synthesize", broken)
    assert run([*SYNTH, "--count", "9", "--out", str(tmp_path / "d")]) == 1
    assert capsys.readouterr().err == f"benchgen: {said}\n"


def test_a_reader_that_closes_early_is_no_error() -> None:
    words = [sys.executable, "-m", "benchgen", "show", TASK]
    first = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert first.stdout is not None and first.stderr is not None
    first.stdout.close()
    assert first.stderr.read() == b""
    assert first.wait() == 0


# The other commands


def test_help_stands_on_stdout_and_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in ("synth", "show", "tasks", "verify", "audit", "eval", "board", "gallery"):
        assert f"\n  {command} " in shown


def test_show_gives_the_item_of_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "item.png"
    words = ["show", TASK, "--level", "2", "--seed", "3", "--index", "4", "--split", "train"]
    assert run([*words, "--json", "--out", str(picture)]) == 0
    record = json.loads(capsys.readouterr().out)
    problem = make(TASK, split="train", seed=3, index=4, level=2)
    assert record["id"] == problem.id and record["target"] == problem.target
    assert picture.read_bytes() == problem.images()[0]
    assert run(words) == 0
    assert problem.question in capsys.readouterr().out


@pytest.mark.slow
def test_tasks_prints_capacities_by_split(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tasks", "sheet_music", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    first: dict[str, Any] = next(task for task in record["tasks"] if task["task"] == TASK)
    assert first["levels"][0]["capacity"]["test"] == capacity(TASK, 1, "test")
    assert run(["tasks", "sheet_music"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + sum(len(task["levels"]) for task in record["tasks"])


def test_verify_proves_a_dataset_and_fails_on_a_wrong_key(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("music21")
    assert run(["verify", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True
    spoilt = tmp_path / "d"
    spoilt.mkdir()
    shard = spoilt / "part-00000.parquet"
    table = pq.read_table(data / shard.name)
    answers = [
        next(o for o in row["options"] if o != row["answer"])
        for row in table.select(["options", "answer"]).to_pylist()
    ]
    at = table.schema.get_field_index("answer")
    pq.write_table(table.set_column(at, "answer", pa.array(answers)), shard)
    file = shard.read_bytes()
    record = json.loads((data / "manifest.json").read_text())
    record["shards"][0] |= {"bytes": len(file), "sha256": hashlib.sha256(file).hexdigest()}
    record["digest"] = dataset_digest(entry["sha256"] for entry in record["shards"])
    (spoilt / "manifest.json").write_text(json.dumps(record))
    assert run(["verify", str(spoilt)]) == 1


def test_gold_through_the_whole_line_scores_one_and_stands_on_the_board(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = []
    for engine in ("gold", "random"):
        out = tmp_path / engine
        words = ["eval", "--data", str(data), "--engine", f"scripted:{engine}", "--out", str(out)]
        assert run([*words, "--json"]) == 0
        summary = json.loads(capsys.readouterr().out)
        assert Path(summary["report"]).exists()
        if engine == "gold":
            assert summary["overall"]["accuracy"] == 1.0
        runs.append(str(out))
    assert run(["board", *runs, "--out", str(tmp_path / "site"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert Path(record["page"]).read_text(encoding="utf-8").startswith("<!")


def test_exit_codes_reach_the_shell(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["show", TASK, "--level", "9"])
    assert caught.value.code == 2
