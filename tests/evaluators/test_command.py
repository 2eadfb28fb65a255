"""Whole runs: resumed, killed, refused, with a full disk."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchgen.errors import InputError
from benchgen.problem import Response
from evaluators import command
from evaluators.command import evaluate, summary_lines
from evaluators.engine import Request
from evaluators.engines.scripted import ScriptedEngine
from evaluators.journal import Journal, Sample, journal_name, read_samples
from evaluators.run_directory import read_run

WriteDataset = Callable[..., Path]

# A reader whose reply is a function of the request alone, slow enough to be killed.
SCRIPT = """
import sys, time
from evaluators.command import evaluate
from evaluators.engines.scripted import ScriptedEngine

def reply(request):
    time.sleep(0.003)
    return chr(92) + "boxed{" + "ABCD"[request.sampling.seed % 4] + "} " + request.id

engine = ScriptedEngine("slow reader", reply, window=4)
print(evaluate(sys.argv[1], sys.argv[2], engine=engine, samples=3, temperature=1.0).exit_code)
"""


def start(data: Path, out: Path, script: str = SCRIPT) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", script, str(data), str(out)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def replies(folder: Path) -> dict[Any, tuple[str, int]]:
    return {key: (s.reply, s.seed) for key, s in read_samples(folder).items()}


def lines(folder: Path) -> list[bytes]:
    return (folder / journal_name(0)).read_bytes().splitlines(keepends=True)


def counting(asked: list[str], reply: str = "\\boxed{A}", name: str = "reader") -> ScriptedEngine:
    def answer(request: Request) -> str:
        asked.append(request.id)
        return reply

    return ScriptedEngine(name, answer)


def test_a_run_leaves_a_whole_directory(tmp_path: Path, write_dataset: WriteDataset) -> None:
    out = tmp_path / "runs" / "one"
    evaluation = evaluate(write_dataset(), out, engine="scripted:gold")
    assert evaluation.exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "config.toml", "metrics.json", "report.html", "samples-00000.jsonl",
    ]  # fmt: skip
    summary = json.loads(json.dumps(evaluation.summary, allow_nan=False))
    assert (summary["complete"], summary["stopped"]) == (True, None)
    assert summary["overall"]["accuracy"] == 1.0
    assert json.loads((out / "metrics.json").read_text())["overall"] == summary["overall"]
    record = read_run(out)
    assert record.config.model == "perfect reader (scripted)"
    assert record.config.scripted
    assert (len(record.problems), record.report) == (12, out / "report.html")


@pytest.mark.parametrize(
    ("engine", "accuracy"), [("scripted:gold", 1.0), ("scripted:position", 0.25)]
)
@pytest.mark.parametrize("modality", ["text", "image"])
def test_scripted_readers(
    tmp_path: Path, write_dataset: WriteDataset, engine: str, accuracy: float, modality: str
) -> None:
    data = write_dataset(48, twins=True, image=modality == "image")
    record = evaluate(data, tmp_path / "run", engine=engine, modality=modality).summary
    assert record["overall"]["accuracy"] == accuracy
    assert record["twins"]["rate"] == float(engine == "scripted:gold")
    assert record["twins"]["groups"] == 12


def test_random_reader_is_at_chance_and_the_same_twice(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    data = write_dataset(600)
    runs = [
        evaluate(data, tmp_path / str(place), engine="scripted:random", samples=4, seed=seed)
        for place, seed in enumerate((0, 0, 1))
    ]
    accuracies = [run.summary["overall"]["accuracy"] for run in runs]
    assert all(0.21 < accuracy < 0.29 for accuracy in accuracies)  # 4.6 standard errors
    assert replies(tmp_path / "0") == replies(tmp_path / "1")
    assert [r for r, _ in replies(tmp_path / "0").values()] != [
        r for r, _ in replies(tmp_path / "2").values()
    ]


def test_unknown_scripted_reader_is_refused(tmp_path: Path, write_dataset: WriteDataset) -> None:
    with pytest.raises(InputError, match="unknown engine 'scripted:silver'"):
        evaluate(write_dataset(), tmp_path / "run", engine="scripted:silver")
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_not_asked_again(tmp_path: Path, write_dataset: WriteDataset) -> None:
    data, asked = write_dataset(), list[str]()
    first = evaluate(data, tmp_path / "run", engine=counting(asked))
    assert len(asked) == 12
    before = lines(tmp_path / "run")
    second = evaluate(data, tmp_path / "run", engine=counting(asked))
    assert len(asked) == 12
    assert lines(tmp_path / "run") == before
    assert second == first


def test_lost_metrics_and_report_are_made_again_without_the_engine(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    data, asked, run = write_dataset(), list[str](), tmp_path / "run"
    evaluate(data, run, engine=counting(asked))
    metrics, report = (run / "metrics.json").read_bytes(), (run / "report.html").read_bytes()
    (run / "metrics.json").unlink()
    (run / "report.html").unlink()
    evaluate(data, run, engine=counting(asked))
    assert (run / "metrics.json").read_bytes() == metrics
    assert (run / "report.html").read_bytes() == report
    assert len(asked) == 12


def test_errored_samples_and_only_they_are_asked_again(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    data, run = write_dataset(), tmp_path / "run"
    asked: list[str] = []
    broken = {"item-0002#1", "item-0007#0"}

    def reply(request: Request) -> Response:
        asked.append(request.id)
        if request.id in broken:
            return Response(request.id, "", finish_reason="error", error="busy")
        return Response(request.id, "\\boxed{A}")

    engine = ScriptedEngine("reader", reply)
    first = evaluate(data, run, engine=engine, samples=2)
    assert (first.exit_code, first.summary["complete"]) == (1, False)
    assert first.summary["overall"]["outcomes"]["error"] == 2
    assert first.summary["overall"]["scored"] == 22
    assert len(asked) == 24
    asked.clear()
    broken.remove("item-0007#0")
    second = evaluate(data, run, engine=engine, samples=2)
    assert (second.exit_code, sorted(asked)) == (1, ["item-0002#1", "item-0007#0"])
    broken.clear()
    asked.clear()
    third = evaluate(data, run, engine=engine, samples=2)
    assert (third.exit_code, asked) == (0, ["item-0002#1"])
    assert third.summary["overall"]["samples"] == 24
    assert third.summary["overall"]["outcomes"]["error"] == 0
    assert len({sample.session for sample in read_samples(run).values()}) == 3


def test_a_dead_engine_ends_the_run_with_exit_code_one(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    def reply(request: Request) -> str:
        if request.id > "item-0004":
            raise ConnectionError("gone")
        return "A"

    data, run = write_dataset(), tmp_path / "run"
    evaluation = evaluate(data, run, engine=ScriptedEngine("reader", reply))
    assert (evaluation.exit_code, evaluation.summary["stopped"]) == (1, "ConnectionError: gone")
    assert evaluation.summary["missing"] == 12 - 4 - 3
    asked: list[str] = []
    assert evaluate(data, run, engine=counting(asked, "A")).exit_code == 0
    assert asked == [f"item-{place:04d}#0" for place in range(4, 12)]


def test_growing_asks_only_what_is_new(tmp_path: Path, write_dataset: WriteDataset) -> None:
    data, run, asked = write_dataset(), tmp_path / "run", list[str]()
    evaluate(data, run, engine=counting(asked), limit=5)
    evaluate(data, run, engine=counting(asked), limit=8)
    assert asked == [f"item-{place:04d}#0" for place in range(8)]
    evaluation = evaluate(data, run, engine=counting(asked), samples=2)
    assert len(asked) == len(set(asked)) == 24
    assert evaluation.summary["overall"]["samples"] == 24
    record = read_run(run)
    assert (record.config.limit, record.config.samples) == (0, 2)
    with pytest.raises(InputError, match="samples 2 -> 1; problems 12 -> 5"):
        evaluate(data, run, engine=counting(asked), limit=5)


def test_a_moved_dataset_is_the_same_dataset(tmp_path: Path, write_dataset: WriteDataset) -> None:
    data, asked = write_dataset(), list[str]()
    evaluate(data, tmp_path / "run", engine=counting(asked))
    evaluate(data.rename(tmp_path / "moved"), tmp_path / "run", engine=counting(asked))
    assert len(asked) == 12


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.5}, {"top_p": 0.5}, {"seed": 1}, {"max_tokens": 7}, {"model": "x"},
        {"modality": "image"}, {"limit": 3}, {"engine": "scripted:gold"},
    ],
)  # fmt: skip
def test_a_changed_configuration_changes_nothing_on_disk(
    tmp_path: Path, write_dataset: WriteDataset, change: dict[str, Any]
) -> None:
    data, run, asked = write_dataset(), tmp_path / "run", list[str]()
    evaluate(data, run, engine=counting(asked))
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    if change.get("modality") == "image":
        data = write_dataset(name="pictures", image=True)
    with pytest.raises(InputError, match="begun with another configuration"):
        evaluate(data, run, **({"engine": counting(asked)} | change))
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert len(asked) == 12


def test_another_model_is_refused_even_when_it_must_be_opened_to_be_known(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    class Renamed(ScriptedEngine):
        def describe(self) -> dict[str, str]:
            return {"weights": "other"}

    data, run = write_dataset(), tmp_path / "run"
    evaluate(data, run, engine=ScriptedEngine("reader", lambda request: "A"), limit=3)
    with pytest.raises(InputError, match="settings.*weights"):
        evaluate(data, run, engine=Renamed("reader", lambda request: "A"))
    assert len(read_samples(run)) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"modality": "sound"}, "modality is text, image, both"),
        ({"samples": 0}, "samples a problem (-n) are 1 or more, not 0"),
        ({"temperature": -1.0}, "--temperature"),
        ({"temperature": float("nan")}, "--temperature"),
        ({"top_p": 0.0}, "--top-p"),
        ({"max_tokens": 0}, "--max-tokens"),
        ({"limit": 0}, "--limit"),
        ({"engine": "vllm"}, "needs a model"),
        ({"engine": "abacus", "model": "m"}, "unknown engine 'abacus'"),
        ({"modality": "image"}, "holds no image"),
    ],
)
def test_bad_input_writes_nothing(
    tmp_path: Path, write_dataset: WriteDataset, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        evaluate(write_dataset(), tmp_path / "run", **({"engine": "scripted:gold"} | arguments))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("drop", ["question", "options", "identity", "text", "twin_group"])
def test_missing_columns_write_nothing(
    tmp_path: Path, write_dataset: WriteDataset, drop: str
) -> None:
    with pytest.raises(InputError, match=drop):
        evaluate(write_dataset(drop=(drop,)), tmp_path / "run", engine="scripted:gold")
    assert not (tmp_path / "run").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "diary.txt").write_text("dear")
    with pytest.raises(InputError, match="not empty and holds no run"):
        evaluate(write_dataset(), out, engine="scripted:gold")
    assert [path.name for path in out.iterdir()] == ["diary.txt"]


def test_samples_without_a_configuration_are_not_taken_over(
    tmp_path: Path, write_dataset: WriteDataset, make_sample: Callable[..., Sample]
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    with Journal(out) as journal:
        journal.append(make_sample())
    with pytest.raises(InputError, match="samples but no config.toml"):
        evaluate(write_dataset(), out, engine="scripted:gold")


def test_a_file_in_the_place_of_the_folder_is_refused(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError, match="cannot be written"):
            evaluate(write_dataset(name=f"data{len(str(out))}"), out, engine="scripted:gold")


def test_a_run_that_is_being_written_is_not_entered(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    data, run = write_dataset(), tmp_path / "run"
    evaluate(data, run, engine="scripted:gold", limit=3)
    before = (run / "config.toml").read_bytes()
    second = (
        "import sys; from evaluators.command import evaluate\n"
        "evaluate(sys.argv[1], sys.argv[2], engine='scripted:gold')"
    )
    with Journal(run):
        process = start(data, run, second)
        _, errors = process.communicate(timeout=120)
    assert "another process is writing" in errors
    assert (run / "config.toml").read_bytes() == before


@pytest.mark.slow
def test_killed_at_random_moments_loses_and_doubles_nothing(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    data = write_dataset(80)
    whole, run = tmp_path / "whole", tmp_path / "run"
    process = start(data, whole)
    output, errors = process.communicate(timeout=300)
    assert (output, process.returncode) == ("0\n", 0), errors
    expected = replies(whole)
    assert len(expected) == 240

    rng = random.Random(11)
    kept: list[bytes] = []
    kills = 0
    while True:
        target = len(kept) + rng.randrange(1, 90)
        process = start(data, run)
        journal = run / journal_name(0)
        while process.poll() is None:
            landed = journal.read_bytes().count(b"\n") if journal.exists() else 0
            if landed >= target:
                time.sleep(rng.random() * 0.01)
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.001)
        output, errors = process.communicate(timeout=300)
        if process.returncode == 0:
            assert output == "0\n"
            break
        assert process.returncode == -signal.SIGKILL, errors
        kills += 1
        found = [line for line in lines(run) if line.endswith(b"\n")]
        assert found[: len(kept)] == kept, "what had landed is gone"
        kept = found
        if kills % 2:  # a machine that lost power leaves half a line
            with journal.open("ab") as file:
                file.write(kept[-1][: rng.randrange(1, len(kept[-1]) - 1)])
    assert kills >= 2
    assert replies(run) == expected
    assert len(lines(run)) == 240
    record = read_run(run)
    assert record.metrics.complete
    assert record.metrics.overall.accuracy == read_run(whole).metrics.overall.accuracy
    assert not [path for path in run.iterdir() if path.name.endswith(".tmp")]


@pytest.mark.slow
def test_a_full_disk_is_said_and_costs_nothing_that_had_landed(
    tmp_path: Path, write_dataset: WriteDataset
) -> None:
    data, run = write_dataset(80), tmp_path / "run"
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
    process = start(data, run, limited + SCRIPT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "[Errno 27] File too large: " in errors
    assert "samples-00000.jsonl" in errors
    landed = [line for line in lines(run) if line.endswith(b"\n")]
    assert 10 < len(landed) < 240
    assert not (run / "metrics.json").exists()
    process = start(data, run)
    output, errors = process.communicate(timeout=300)
    assert output == "0\n", errors
    assert lines(run)[: len(landed)] == landed
    assert len(lines(run)) == len(read_samples(run)) == 240


def test_progress_begins_where_the_run_was_left(
    tmp_path: Path, write_dataset: WriteDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PROGRESS_SECONDS", 0.0)
    data, run = write_dataset(), tmp_path / "run"
    evaluate(data, run, engine=counting([]), limit=9)
    calls: list[tuple[int, int]] = []
    evaluate(data, run, engine=counting([]), progress=lambda *call: calls.append(call))
    assert calls == [(10, 12), (11, 12), (12, 12)]


def test_progress_is_not_told_of_every_sample(tmp_path: Path, write_dataset: WriteDataset) -> None:
    calls: list[tuple[int, int]] = []
    evaluate(
        write_dataset(600), tmp_path / "run", engine=counting([]), samples=2,
        progress=lambda *call: calls.append(call),
    )  # fmt: skip
    assert calls[-1] == (1200, 1200)
    assert len(calls) < 400


def test_summary_for_people(tmp_path: Path, write_dataset: WriteDataset) -> None:
    data = write_dataset(48, twins=True)
    lines = summary_lines(evaluate(data, tmp_path / "a", engine="scripted:position").summary)
    assert lines[0] == (
        "first option (scripted) on text: accuracy 25.0 % (14.0 to 40.6 %), chance 25.0 %"
    )
    assert lines[1].startswith("unparsed 0.0 %, truncated 0.0 %, error 0.0 %; 48 of 48 samples, ")
    assert lines[2] == "all twins right 0.0 % (0.0 to 24.2 %), chance 0.4 %"
    assert lines[3:] == [f"report: {tmp_path / 'a' / 'report.html'}"]


def test_summary_of_a_dead_engine_says_so(tmp_path: Path, write_dataset: WriteDataset) -> None:
    def reply(request: Request) -> str:
        raise ConnectionError("gone")

    engine = ScriptedEngine("reader", reply)
    lines = summary_lines(evaluate(write_dataset(), tmp_path / "run", engine=engine).summary)
    assert lines[0] == "reader on text: no reply to score"
    assert "the engine was given up: ConnectionError: gone" in lines
    assert "not complete: the same command asks what is missing" in lines
