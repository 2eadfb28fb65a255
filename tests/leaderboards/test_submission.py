"""Runs that are handed in: taken as they are, or refused with the reason."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zipfile
from collections.abc import Callable
from glob import glob
from pathlib import Path
from typing import Any

import pytest

from benchgen.cli import run as run_command
from benchgen.errors import InputError
from evaluators.command import evaluate
from evaluators.report import write_report
from evaluators.run_directory import read_run
from leaderboards.benchmark import Benchmark, check_records
from leaderboards.command import build
from leaderboards.record import record_of
from leaderboards.records import read_source, read_sources
from leaderboards.submission import submit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "music"
    words = ["synth", "sheet_music", "--split", "test", "--count", "36", "--seed", "3"]
    assert run_command([*words, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a reader that is right on some: position, twice a problem."""
    folder = tmp_path_factory.mktemp("runs") / "made"
    evaluate(data, folder, engine="scripted:random", samples=2, temperature=0.5, seed=5)
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_goes_through_the_file_and_comes_out_the_same(
    run: Path, data: Path, tmp_path: Path
) -> None:
    file = submit(run, data, tmp_path / "out" / "mine.zip")
    taken = submit(file, data, tmp_path / "board")
    assert taken.parent == tmp_path / "board"
    mine, theirs = read_source(run), read_source(taken)
    assert mine.record == theirs.record and mine.key == theirs.key == taken.name
    assert theirs.report is not None
    build([taken], tmp_path / "site", data=[data])
    assert submit(run, data, tmp_path / "again.zip").read_bytes() == file.read_bytes()
    with pytest.raises(InputError, match="was taken in before"):
        submit(file, data, tmp_path / "board")


def test_the_page_that_a_stranger_wrote_is_not_taken(run: Path, data: Path, tmp_path: Path) -> None:
    (run / "report.html").write_text("<script>window.hacked = 1</script>", "utf-8")
    taken = submit(run, data, tmp_path / "board")
    page = (taken / "report.html").read_text("utf-8")
    assert "window.hacked" not in page and "Run report" in page


def lines(run: Path) -> list[dict[str, Any]]:
    text = (run / "samples-00000.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def write_lines(run: Path, samples: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(sample) + "\n" for sample in samples)
    (run / "samples-00000.jsonl").write_text(text, "utf-8")
    (run / "metrics.json").unlink(missing_ok=True)


Change = Callable[[list[dict[str, Any]]], None]


def wrong_one(samples: list[dict[str, Any]]) -> dict[str, Any]:
    return next(sample for sample in samples if sample["outcome"] == "wrong")


def verdict(samples: list[dict[str, Any]]) -> None:
    wrong_one(samples).update(outcome="correct", value=1.0)


def value(samples: list[dict[str, Any]]) -> None:
    wrong_one(samples)["value"] = 0.5


def key_and_verdict(samples: list[dict[str, Any]]) -> None:
    sample = wrong_one(samples)
    sample.update(outcome="correct", value=1.0, target=sample["extracted"])


def sets(**fields: Any) -> Change:
    def change(samples: list[dict[str, Any]]) -> None:
        samples[3].update(fields)

    return change


def drop(samples: list[dict[str, Any]]) -> None:
    del samples[5]


def only_right(samples: list[dict[str, Any]]) -> None:
    samples[:] = [sample for sample in samples if sample["outcome"] == "correct"]


def third_sample(samples: list[dict[str, Any]]) -> None:
    samples.append({**samples[0], "epoch": 2})


def other_sampling(samples: list[dict[str, Any]]) -> None:
    samples.append({**samples[0], "sampling_digest": "0" * 32})


CHANGES: list[tuple[Change, str]] = [
    (verdict, "is wrong by today's code"),
    (value, "is wrong by today's code"),
    (key_and_verdict, "not what the dataset says"),
    (sets(target="E"), "not what the dataset says"),
    (sets(level=4, category="easy"), "not what the dataset says"),
    (sets(cluster="mine"), "not what the dataset says"),
    (sets(seed=1), "not what the dataset says"),
    (sets(prompt_digest="0" * 32), "1 of 72 samples are missing, or answer other prompts"),
    (sets(sampling_digest="0" * 32), "1 of 72 samples are missing"),
    (drop, "1 of 72 samples are missing"),
    (only_right, "samples are missing"),
    (third_sample, "does not ask for"),
    (other_sampling, "does not ask for"),
    (sets(outcome="error", value=0.0, error="died", finish_reason="error"), "has no reply"),
    (sets(completion_tokens=10_000_000), "longer than the run allowed"),
    (sets(completion_tokens=-1), "impossible"),
    (sets(seconds=float("nan")), "impossible|damaged"),
    (sets(thinking_tokens=9), "impossible"),
    (sets(seconds=1e308), "impossible"),
    (sets(elapsed=-1.0), "impossible"),
    (sets(session=10**400), "impossible"),
    (sets(prompt_tokens=10**4000), "impossible"),
    (sets(value="1"), "a sample is damaged: value"),
    (sets(reply=None), "a sample is damaged: reply"),
]


@pytest.mark.parametrize(("change", "line"), CHANGES, ids=range(len(CHANGES)))
def test_a_run_that_was_tampered_with_is_refused(
    run: Path, data: Path, tmp_path: Path, change: Change, line: str
) -> None:
    samples = lines(run)
    change(samples)
    write_lines(run, samples)
    with pytest.raises(InputError, match=line) as caught:
        submit(run, data, tmp_path / "board")
    assert "is refused" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "board").exists()


def test_metrics_that_the_samples_do_not_earn_are_refused(
    run: Path, data: Path, tmp_path: Path
) -> None:
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    metrics["by_level"]["1"]["accuracy"] = 0.99
    (run / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    with pytest.raises(InputError, match="metrics are not those of its samples: by_level"):
        submit(run, data, tmp_path / "board")


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("temperature = 0.5", "temperature = 0.25", "missing, or answer other prompts"),
        ("samples = 2", "samples = 1", "does not ask for"),
        ("seed = 5", "seed = 6", "not what the dataset says|missing"),
        ('modality = "text"', 'modality = "image"', "image"),
        ('split = "test"', 'split = "train"', "it is on the data"),
        ("max_tokens = 512", 'max_tokens = "many"', "configuration is damaged: max_tokens"),
        ('code = "', 'code = "0', "other code than today's"),
        ('modality = "text"', 'modality = "question"', "modality is text, image, both"),
        ('stimulus = "own"', 'stimulus = "weird"', "the stimulus is own, none, other"),
        ("temperature = 0.5", "temperature = nan", "--temperature is 0 or more|damaged"),
        ("temperature = 0.5", "temperature = -1.0", "--temperature is 0 or more"),
        ("thinking_budget = 0", "thinking_budget = -5", "--thinking-budget is 0 or more"),
        ("[settings]", "[settings]\nx = nan", "contradicts itself|damaged"),
    ],
)
def test_another_configuration_than_the_run_had_is_refused(
    run: Path, data: Path, tmp_path: Path, before: str, after: str, line: str
) -> None:
    text = (run / "config.toml").read_text("utf-8")
    assert before in text
    (run / "config.toml").write_text(text.replace(before, after, 1), "utf-8")
    with pytest.raises(InputError, match=line):
        submit(run, data, tmp_path / "board")


def test_a_run_on_other_data_is_refused(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    words = ["synth", "sheet_music", "--split", "test", "--count", "36", "--seed", "4"]
    assert run_command([*words, "--out", str(other)]) == 0
    with pytest.raises(InputError, match="it is on the data"):
        submit(run, other, tmp_path / "board")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("limit = 0", "limit = -1"),
        ("samples = 2", "samples = 1000000000"),
        ("[settings]", "[settings]\nwhen = 2020-01-01"),
        ("[settings]", "[settings]\ndeep = " + "[" * 5000),
        ("seed = 5", "seed = 1e400"),
    ],
    ids=range(5),
)
def test_a_malformed_configuration_is_one_line(
    run: Path, data: Path, tmp_path: Path, before: str, after: str
) -> None:
    text = (run / "config.toml").read_text("utf-8")
    assert before in text
    (run / "config.toml").write_text(text.replace(before, after, 1), "utf-8")
    with pytest.raises(InputError, match="is refused"):
        submit(run, data, tmp_path / "board")


@pytest.mark.parametrize(
    "line", ["[" * 100_000, "null", "{}", '{"problem": []}', "\x00", "1e400"], ids=range(6)
)
def test_a_malformed_journal_is_one_line(
    run: Path, data: Path, tmp_path: Path, line: str
) -> None:
    with (run / "samples-00000.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(InputError, match="is refused"):
        submit(run, data, tmp_path / "board")


def test_a_journal_that_is_a_folder_is_one_line(run: Path, data: Path, tmp_path: Path) -> None:
    (run / "samples-00000.jsonl").unlink()
    (run / "samples-00000.jsonl").mkdir()
    with pytest.raises(InputError, match="is refused: .*cannot be read"):
        submit(run, data, tmp_path / "board")


def test_a_line_that_would_fill_the_memory_is_refused(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluators.journal.MOST_LINE", 100)
    with pytest.raises(InputError, match="is refused: .*too long"):
        submit(run, data, tmp_path / "board")


def test_a_configuration_that_would_fill_the_memory_is_refused(
    run: Path, data: Path, tmp_path: Path
) -> None:
    text = (run / "config.toml").read_bytes() + b"#" * (2 << 20)
    members = {"config.toml": text, "samples-00000.jsonl": b""}
    with pytest.raises(InputError, match="its config.toml is too large"):
        submit(zipped(tmp_path / "evil.zip", members), data, tmp_path / "board")


def test_a_run_that_is_being_taken_in_is_none_of_the_folders_runs(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, seen = tmp_path / "board", list[str]()

    def written(folder: Path, *_: object) -> None:
        # As a shell's * finds it, at any moment that it may be cut.
        seen.extend(glob(str(board / "*")))
        write_report(folder, *_)

    monkeypatch.setattr("evaluators.run_writing.write_report", written)
    taken = submit(run, data, board)
    assert seen == [] and glob(str(board / "*")) == [str(taken)]


def test_a_sample_known_by_a_list_is_one_line(run: Path, data: Path, tmp_path: Path) -> None:
    samples = lines(run)
    samples[0]["problem"] = []
    write_lines(run, samples)
    with pytest.raises(InputError, match="is refused"):
        submit(run, data, tmp_path / "board")


def test_a_page_of_samples_names_no_folder(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    evaluate(data, folder, engine="scripted:gold", model="/home/someone/secret/model")
    assert "someone" not in (folder / "report.html").read_text("utf-8")


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name",
    ["../outside", "/tmp/outside", "samples-00000.jsonl/../../x", "report.html", "a/config.toml",
     "samples-00000.jsonl\x00", "..\\outside"],
)  # fmt: skip
def test_a_file_with_other_members_is_refused_and_unpacks_none(
    run: Path, data: Path, tmp_path: Path, name: str
) -> None:
    members = {"config.toml": (run / "config.toml").read_bytes(), name: b"x"}
    file = zipped(tmp_path / "evil.zip", members)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        submit(file, data, tmp_path / "board")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert str(caught.value).count("is refused") == 1


def test_a_file_that_would_fill_the_disk_is_refused_unread(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = submit(run, data, tmp_path / "good.zip")
    monkeypatch.setattr("leaderboards.submission.MOST_BYTES", 100)
    with pytest.raises(InputError, match="too large to be handed in"):
        submit(run, data, tmp_path / "another.zip")
    with pytest.raises(InputError, match="unpacks to more than 100 bytes"):
        submit(file, data, tmp_path / "board")


@pytest.mark.parametrize("cut", [0, 10, 500, -30])
def test_a_torn_file_is_refused(run: Path, data: Path, tmp_path: Path, cut: int) -> None:
    file = submit(run, data, tmp_path / "good.zip")
    (tmp_path / "torn.zip").write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"torn\.zip is refused"):
        submit(tmp_path / "torn.zip", data, tmp_path / "board")


def test_a_flipped_byte_is_refused(run: Path, data: Path, tmp_path: Path) -> None:
    content = bytearray(submit(run, data, tmp_path / "good.zip").read_bytes())
    for place in range(60, len(content), len(content) // 9):
        changed = content.copy()
        changed[place] ^= 0x55
        (tmp_path / "bad.zip").write_bytes(changed)
        with pytest.raises(InputError, match="is refused"):
            submit(tmp_path / "bad.zip", data, tmp_path / f"board-{place}")


def test_the_command_says_why_in_one_line_and_exits_with_2(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["submit", str(run), "--data", str(data)]
    assert run_command([*words, "--out", str(tmp_path / "mine.zip")]) == 0
    assert "mine.zip" in capsys.readouterr().out
    samples = lines(run)
    verdict(samples)
    write_lines(run, samples)
    assert run_command([*words, "--out", str(tmp_path / "board")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "is refused" in said


def test_worked_examples_are_held_against_their_data(data: Path, tmp_path: Path) -> None:
    shots = tmp_path / "shots"
    words = ["synth", "sheet_music", "--split", "train", "--count", "72", "--seed", "3"]
    assert run_command([*words, "--out", str(shots)]) == 0
    asked = ["eval", "--data", str(data), "--engine", "scripted:gold", "--shots", "1",
             "--shots-data", str(shots), "--out", str(tmp_path / "run")]  # fmt: skip
    assert run_command(asked) == 0
    with pytest.raises(InputError, match="give --shots-data"):
        submit(tmp_path / "run", data, tmp_path / "board")
    with pytest.raises(InputError, match="other data than --shots-data"):
        submit(tmp_path / "run", data, tmp_path / "board", data)
    assert submit(tmp_path / "run", data, tmp_path / "board", shots).is_dir()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("questions", "problems, keys or slices"),
        ("prompts", "prompts are not those"),
        ("code", "judged by the code"),
    ],
)
def test_a_record_whose_digest_is_not_the_benchmarks_is_refused(
    made: Path, data: Path, name: str, line: str
) -> None:
    (source,) = read_sources([made])
    benchmark = Benchmark(data)
    assert benchmark.refusal(source.record) is None
    digests = dataclasses.replace(source.record.digests, **{name: "0" * 64})
    record = dataclasses.replace(source.record, digests=digests)
    reason = benchmark.refusal(record)
    assert reason is not None and line in reason
    with pytest.raises(InputError, match=f"mine is refused: .*{line}"):
        check_records([("mine", record)], [benchmark])


def test_a_record_of_other_data_is_refused_by_name(
    made: Path, write_run: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    stray = write_run(tmp_path / "stray", "m")
    with pytest.raises(InputError, match=r"stray is refused: it is on the data"):
        build([made, stray], tmp_path / "site", data=[data])
    assert not (tmp_path / "site").exists()


def test_two_runs_that_contradict_each_other_are_refused_by_name(
    write_run: Callable[..., Path], tmp_path: Path
) -> None:
    runs = [write_run(tmp_path / "one", "a"), write_run(tmp_path / "two", "b", options=5)]
    with pytest.raises(InputError, match="two and .*one name the same data and differ"):
        build(runs, tmp_path / "site")


def test_a_run_of_the_first_problems_is_of_the_benchmark(data: Path, tmp_path: Path) -> None:
    evaluate(data, tmp_path / "few", engine="scripted:gold", limit=7)
    assert Benchmark(data).refusal(read_source(tmp_path / "few").record) is None


def test_an_unfinished_run_is_not_held_to_be_of_the_benchmark(data: Path, tmp_path: Path) -> None:
    evaluate(data, tmp_path / "few", engine="scripted:gold", limit=7)
    run = read_run(tmp_path / "few")
    short = dataclasses.replace(run, problems=run.problems[:5])
    reason = Benchmark(data).refusal(record_of(short))
    assert reason == "2 of its problems were never asked"
