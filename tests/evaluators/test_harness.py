"""lm_eval's tasks as runs of ours: what it logs, what it refuses, and what is made of a run."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchgen.cli import run
from benchgen.errors import InputError
from benchgen.problem import Outcome
from evaluators.configuration import Data, RunConfig
from evaluators.harness_samples import Task, choices_of, read_logged, task_digest
from evaluators.journal import Sample, read_samples
from evaluators.run_directory import RunRecord, read_run
from evaluators.run_writing import write_run

HERE = Path(__file__).parent
SUMS = [(f"What is {n} and {n + 2}?", str(2 * n + 2)) for n in range(8)]
COLOURS = [(f"Thing {n} is", ["red", "sky blue", "a very dark green"], n % 3) for n in range(12)]
CHAT = ["--engine", "openai", "--model", "m"]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def made_up_task(output_type: str = "multiple_choice", **changes: Any) -> Task:
    """As much of a task as is looked at."""
    documents = changes.pop("documents", [{"q": "Grass is", "c": ["red", "green"], "k": 1}])
    fields = {
        "task_name": "colours",
        "VERSION": 1.0,
        "OUTPUT_TYPE": output_type,
        "multiple_input": 0,
        "aggregation": lambda: {"acc": mean},
        "higher_is_better": lambda: {"acc": True},
        "doc_iterator": lambda: enumerate(documents),
        "doc_to_text": lambda document: document["q"],
        "doc_to_choice": lambda document: document["c"],
        "doc_to_target": lambda document: document["k"],
        "get_config": lambda _: None,
    }
    return SimpleNamespace(**(fields | changes))


def entry(likelihoods: list[float], **changes: Any) -> dict[str, Any]:
    """One document as lm_eval logs it."""
    document = changes.get("doc", {"q": "Grass is", "c": ["red", "green"], "k": 1})
    resps = [[(likelihood, False)] for likelihood in likelihoods]
    return {
        "doc_id": 0,
        "doc": document,
        "target": document["k"],
        "arguments": [(document["q"], f" {choice}") for choice in document["c"]],
        "resps": resps,
        "filtered_resps": [each[0] for each in resps],
        "filter": "none",
        "doc_hash": "d",
        "acc": 1.0,
        **changes,
    }


def only_sample(task: Task, logged: Mapping[str, Any]) -> Sample:
    (one,) = read_logged(task, [logged], split="test", seed=0, seconds=1.0)
    assert one.question.problem.target == one.sample.target
    return one.sample


def test_the_choice_taken_is_the_likeliest() -> None:
    sample = only_sample(made_up_task(), entry([-2.0, -1.0]))
    assert (sample.reply, sample.extracted, sample.target) == ("green", "B", "B")
    assert sample.options == 2 and sample.outcome is Outcome.CORRECT


def test_a_long_choice_is_taken_by_its_likelihood_over_its_length() -> None:
    task = made_up_task(
        aggregation=lambda: {"acc_norm": mean}, higher_is_better=lambda: {"acc_norm": True}
    )
    logged = entry([-2.0, -3.0], acc_norm=1.0)
    assert only_sample(task, logged).reply == "green"
    assert only_sample(made_up_task(), logged).reply == "red"


def test_guessing_is_not_one_over_the_choices_where_several_are_right() -> None:
    document = {"q": "Leaves are", "c": ["red", "green", "grey"], "k": [0, 1]}
    sample = only_sample(made_up_task(), entry([-1.0, -2.0, -3.0], doc=document))
    assert sample.options == 0
    assert sample.target == "red | green"


def test_the_key_of_choices_that_stand_in_the_question_is_found() -> None:
    task = made_up_task(multiple_input=2, doc_to_text=lambda _: 1, doc_to_target=lambda _: "fits")
    assert choices_of(task, {"c": ["it fits", "he fits"]}).right == (1,)


def test_choices_beyond_the_alphabet_are_named_in_full() -> None:
    many = [f"choice {n}" for n in range(30)]
    document = {"q": "Which?", "c": many, "k": 28}
    sample = only_sample(made_up_task(), entry([-1.0] * 28 + [-0.5, -1.0], doc=document))
    assert sample.extracted == sample.target == "choice 28"
    assert sample.options == 30


def test_only_the_first_filter_counts() -> None:
    strict, loose = entry([-1.0, -2.0], acc=0.0), entry([-1.0, -2.0], filter="loose")
    (one,) = read_logged(made_up_task(), [strict, loose], split="test", seed=0, seconds=1.0)
    assert one.sample.outcome is Outcome.WRONG


@pytest.mark.parametrize("value", [1.5, -0.1, (0, 1), "1", None, float("nan")])
def test_a_value_that_is_no_share_names_its_task(value: Any) -> None:
    with pytest.raises(InputError, match="the task colours .* acc"):
        only_sample(made_up_task(), entry([-1.0, -2.0], acc=value))


def test_a_part_of_a_point_is_not_right() -> None:
    sample = only_sample(made_up_task(), entry([-1.0, -2.0], acc=0.5))
    assert sample.value == 0.5 and sample.outcome is Outcome.WRONG


def test_equal_questions_have_equal_digests_and_others_have_not() -> None:
    def digest(**changes: Any) -> str:
        return task_digest({"colours": made_up_task(**changes)})

    assert digest() == digest()
    assert digest() != digest(documents=[{"q": "Grass is", "c": ["red", "green"], "k": 0}])
    assert digest() != digest(doc_to_text=lambda document: f"{document['q']}:")
    assert digest() != digest(VERSION=2.0)


# The command line


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(["eval", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1, err
    return err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine", "scripted:gold"], "give --data"),
        (["--tasks", "a"], "--harness"),
        (["--include-path", "."], "--harness"),
        (["--harness", "other", "--tasks", "a"], "unknown harness 'other'"),
        (["--harness", "lm-eval"], "give --tasks"),
        (["--harness", "lm-eval", "--tasks", "a"], "give --model"),
        (["--harness", "lm-eval", "--tasks", "a", *CHAT], "give --server"),
        (["--harness", "lm-eval", "--tasks", "a", *CHAT, "--server", "u"], "base URL"),
        (["--harness", "lm-eval", "--tasks", "a", *CHAT, "--limit", "0"], "--limit"),
        (["--harness", "lm-eval", "--tasks", "a", "--include-path", "none"], "none is no folder"),
        (["--harness", "lm-eval", "--tasks", "a", "--engine", "scripted:gold", "--model", "m"],
         "no engine 'scripted:gold'"),
        (["--harness", "lm-eval", "--tasks", "a", "--model", "no such", "--engine",
          "transformers"], "no model 'no such'"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_writes_nothing(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused([*words, "--out", "made/run"], capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "option", ["--data=d", "--temperature=0.0", "-n=1", "--no-stimulus", "--at=avg@1", "--seed=3"]
)
def test_an_option_that_a_harness_would_not_heed_is_refused(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--harness", "lm-eval", "--tasks", "a", *CHAT, "--server", "http://127.0.0.1:9/v1"]
    words += [*option.split("="), "--out", str(tmp_path / "run")]
    assert f"{option.partition('=')[0]} does not go with" in refused(words, capsys)


def test_a_begun_run_is_not_taken_for_one_that_lm_eval_could_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").touch()
    words = ["--harness", "lm-eval", "--tasks", "a", *CHAT, "--out", str(tmp_path)]
    assert "cannot resume" in refused(words, capsys)


def test_the_cpu_build_of_vllm_is_refused_before_lm_eval_looks_for_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name == "vllm":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    words = ["--harness", "lm-eval", "--tasks", "a", "--model", "smollm2"]
    said = refused([*words, "--out", str(tmp_path / "run")], capsys)
    assert "CPU build" in said and "transformers" in said


def test_how_lm_eval_is_installed_is_said_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    words = ["--harness", "lm-eval", "--tasks", "a", *CHAT, "--server", "http://127.0.0.1:9"]
    assert "pip install" in refused([*words, "--out", str(tmp_path / "run")], capsys)
    assert not list(tmp_path.iterdir())


# With lm_eval

YAML = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {kind}
doc_to_text: "{{{{q}}}}"
doc_to_target: "{{{{k}}}}"
metadata: {{version: 2.0}}
metric_list: [{{metric: {metric}, aggregation: {mean}, higher_is_better: true}}]
"""
WRITTEN = "generation_kwargs: {until: ['.'], max_gen_toks: 16, do_sample: false}\n"
SHUFFLING = """\
import functools, random

@functools.cache
def order(count):
    return random.sample(range(count), count)

def shuffled(documents):
    return documents.select(order(len(documents)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tasks of our own: three that can be run here, and one that cannot."""
    place = tmp_path_factory.mktemp("tasks")
    sums, colours = place / "sums.jsonl", place / "colours.jsonl"
    sums.write_text("".join(json.dumps({"q": q, "k": k}) + "\n" for q, k in SUMS))
    colours.write_text(
        "".join(json.dumps({"q": q, "c": c, "k": k}) + "\n" for q, c, k in COLOURS)
    )
    for name, data, kind, metric, aggregation, more in (
        ("our_sums", sums, "generate_until", "exact_match", "mean", WRITTEN),
        ("our_colours", colours, "multiple_choice", "acc", "mean", "doc_to_choice: c\n"),
        ("our_f1", colours, "multiple_choice", "f1", "f1", "doc_to_choice: c\n"),
    ):
        words = YAML.format(name=name, data=data, kind=kind, metric=metric, mean=aggregation)
        (place / f"{name}.yaml").write_text(words + more)
    words = YAML.format(
        name="our_shuffled", data=sums, kind="generate_until", metric="exact_match", mean="mean"
    )
    more = f"{WRITTEN}process_docs: !function shuffling.shuffled\n"
    (place / "our_shuffled.yaml").write_text(words + more)
    (place / "shuffling.py").write_text(SHUFFLING)
    return place


Harness = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def harness(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Harness:
    """Runs the command as a user would, kept from any network."""
    home = tmp_path_factory.mktemp("home")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}

    def start(tasks: str, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "benchgen", "eval", "--harness", "lm-eval"]
        command += ["--tasks", tasks, "--include-path", str(folder), "--out", str(out), *words]
        return subprocess.run(
            command,
            env={**os.environ, **offline, "OMP_NUM_THREADS": "1"},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=500,
        )

    return start


def ask_chat(harness: Harness, out: Path, right: int, task: str = "our_sums") -> RunRecord:
    """A run against a scripted server whose first so many replies are right."""
    sys.path.insert(0, str(HERE.parent / "exports"))
    try:
        from scripted_server import Server, listening
    finally:
        sys.path.remove(str(HERE.parent / "exports"))
    replies = {(q, None): k if n < right else "none" for n, (q, k) in enumerate(SUMS)}
    with listening(Server(replies)) as server:
        done = harness(task, out, *CHAT, "--server", server.address)
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"lm_eval asks m {len(SUMS)} questions of {task}\n"
    assert sorted(server.asked) == sorted(replies)
    return read_run(out)


@pytest.fixture(scope="module")
def chats(harness: Harness, tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    place = tmp_path_factory.mktemp("chats")
    return [ask_chat(harness, place / str(right), right) for right in (3, 6)]


@pytest.mark.slow
def test_verdicts_on_chat_replies_are_those_of_lm_eval(chats: list[RunRecord]) -> None:
    for chat, right in zip(chats, (3, 6), strict=True):
        samples = list(read_samples(chat.path).values())
        assert [s.problem for s in samples] == [f"our_sums/{n}" for n in range(len(SUMS))]
        assert [s.value for s in samples] == [float(n < right) for n in range(len(SUMS))]
        assert [s.target for s in samples] == [k for _, k in SUMS]
        assert chat.config.settings["tasks"]["our_sums"]["lm_eval"] == right / len(SUMS)
        assert chat.metrics.complete and chat.metrics.overall.accuracy == right / len(SUMS)
        assert chat.metrics.overall.chance == 0.0
        assert chat.config.max_tokens == 16 and chat.config.data.suite_version == "2.0"
        assert chat.report is not None and SUMS[0][0] in chat.report.read_text()


@pytest.mark.slow
def test_a_task_that_shuffles_as_it_loads_is_the_same_in_every_run(
    harness: Harness, tmp_path: Path
) -> None:
    places = tmp_path / "one", tmp_path / "two"
    one, two = (ask_chat(harness, place, 8, "our_shuffled") for place in places)
    assert one.config.data.digest == two.config.data.digest
    orders = [[s.target for s in read_samples(place).values()] for place in places]
    assert orders[0] == orders[1] != [k for _, k in SUMS]


@pytest.mark.slow
def test_two_runs_of_one_task_are_compared_problem_by_problem(
    chats: list[RunRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", *(str(chat.path) for chat in chats), "--json"]) == 0
    (against,) = json.loads(capsys.readouterr().out)["against"]
    assert (against["problems"], against["better"], against["worse"]) == (len(SUMS), 3, 0)


@pytest.mark.slow
def test_the_board_shows_outside_tasks_beside_our_own(
    chats: list[RunRecord],
    write_dataset: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours = tmp_path / "ours"
    words = ["eval", "--data", str(write_dataset()), "--engine", "scripted:gold"]
    assert run([*words, "--out", str(ours)]) == 0
    capsys.readouterr()
    runs = [str(ours), *(str(chat.path) for chat in chats)]
    assert run(["board", *runs, "--out", str(tmp_path / "page"), "--json"]) == 0
    tests = {test["suite"]: test for test in json.loads(capsys.readouterr().out)["tests"]}
    assert set(tests) == {"sheet_music", "lm_eval"}
    rows = [row for row in tests["lm_eval"]["rows"] if row["name"] == "m"]
    assert [row["accuracy"] for row in rows] == [6 / 8, 3 / 8]


@pytest.mark.slow
def test_the_choice_that_a_model_takes_is_the_one_that_lm_eval_judged(
    harness: Harness, tmp_path: Path
) -> None:
    sys.path.insert(0, str(HERE / "engines"))
    try:
        from tiny_talker import write_tiny_talker
    finally:
        sys.path.remove(str(HERE / "engines"))
    write_tiny_talker(tmp_path / "talker")
    asked = ["--model", str(tmp_path / "talker"), "--engine", "transformers"]
    done = harness("our_colours,our_sums", tmp_path / "run", *asked, "--json", "--limit", "7")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    summary = json.loads(done.stdout)
    assert summary["wanted"] == 14 and summary["model"] == "talker"
    samples = list(read_samples(tmp_path / "run").values())
    chosen = [sample for sample in samples if sample.category == "our_colours"]
    assert len(chosen) == 7 and all(sample.options == 3 for sample in chosen)
    for sample in chosen:
        assert (sample.extracted == sample.target) == (sample.outcome is Outcome.CORRECT)
    assert 0 < sum(sample.value for sample in chosen) < 7
    config = read_run(tmp_path / "run").config
    assert config.settings["tasks"]["our_colours"]["lm_eval"] == pytest.approx(
        sum(sample.value for sample in chosen) / 7
    )
    assert config.data.problems == len(SUMS) + len(COLOURS) and config.limit == 14


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ("our_sums,no_such_task", "no task 'no_such_task'"),
        ("our_f1", "the task our_f1 is not scored by document"),
        ("our_colours", "the task our_colours compares likelihoods"),
    ],
)
def test_tasks_that_cannot_be_run_are_named_in_one_line(
    tasks: str, said: str, harness: Harness, tmp_path: Path
) -> None:
    done = harness(tasks, tmp_path / "run", *CHAT, "--server", "http://127.0.0.1:9/v1")
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("benchgen: ") and said in line
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_server_that_is_not_there_leaves_no_folder(harness: Harness, tmp_path: Path) -> None:
    done = harness("our_sums", tmp_path / "run", *CHAT, "--server", "http://127.0.0.1:9/v1")
    assert done.returncode == 1
    asked, line = done.stderr.splitlines()  # and no complaint of each request
    assert asked.startswith("lm_eval asks") and "lm_eval gave up" in line
    assert not list(tmp_path.iterdir())


def test_a_finished_run_is_not_lost_when_its_folder_has_been_taken(tmp_path: Path) -> None:
    config = RunConfig(
        model="m", model_source="m", engine="lm-eval", modality="text", samples=1,
        temperature=0.0, top_p=1.0, max_tokens=4, seed=0, limit=0,
        data=Data("d", "x", "s", "1", "test", 1), settings={}, benchgen_version="0",
    )  # fmt: skip
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "taken").touch()
    with pytest.raises(InputError, match="the run lies in "):
        write_run(folder, config, [], [])
    (kept,) = tmp_path.glob(".run.*.tmp")
    assert (kept / "config.toml").is_file() and (kept / "metrics.json").is_file()
