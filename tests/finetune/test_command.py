"""``benchgen train``: from a dataset to a model that can be asked, or one line of why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchgen.cli import run
from benchgen.dataset import synthesize
from benchgen.plan import make_plan
from finetune.rollouts import read_rollouts

MakeModel = Callable[..., Any]


def synthesized(folder: Path, split: str) -> Path:
    plan = make_plan(
        "sheet_music", split=split, count=6, seed=1, tasks=["interval_name"], levels=[1]
    )
    synthesize(plan, folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesized(tmp_path_factory.mktemp("data") / "train", "train")


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesized(tmp_path_factory.mktemp("data") / "validation", "validation")


@pytest.fixture
def model(tmp_path: Path, make_model: MakeModel, tokenizer: Any) -> Path:
    folder = tmp_path / "model"
    made = make_model(
        dtype=torch.float32, vocab_size=10, eos_token_id=1, max_position_embeddings=512
    )
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train(*words: object) -> int:
    return run(["train", *(str(word) for word in words)])


def test_imitation_then_rewards_then_an_evaluation(
    tmp_path: Path,
    data: Path,
    held_out: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    common = ["--data", data, "--json", "--save-every", 1]
    sft = ["--objective", "sft", "--model", model, "--steps", 2, "--replies", "answer"]
    assert train(*sft, "--batch", 3, "--out", tmp_path / "sft", *common) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 2 and told["rows_share_prompts"] is True
    rl = ["--objective", "dapo", "--model", told["checkpoint"], "--steps", 2, "--max-tokens", 4]
    rl += ["--prompts", 2, "-n", 3, "--override", "clip_high=0.3", "--reward", "correctness"]
    rl += ["--reward", "form=0.5", "--validation", held_out, "--validate-every", 2]
    rl += ["--track", "tensorboard", "--plot"]
    assert train(*rl, "--out", tmp_path / "rl", *common) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == 2 and told["best"] == str(tmp_path / "rl" / "checkpoint-00000002")
    assert Path(told["transcripts"]).is_file() and Path(told["curves"]).is_file()
    assert list((tmp_path / "rl" / "tensorboard").glob("events*"))
    assert [len(group) for group in read_rollouts(tmp_path / "rl", 2)] == [3, 3]
    lines = [json.loads(x) for x in (tmp_path / "rl" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert 0 <= lines[1]["validation"] <= 1 and "validation" not in lines[0]
    assert (tmp_path / "rl" / "validation" / "step-00000002" / "report.html").is_file()
    ran = (tmp_path / "rl" / "validation" / "step-00000002" / "config.toml").read_text()
    # On the board it is not the model that it began as.
    assert 'model = "rl-step-2"' in ran
    config = json.loads((tmp_path / "rl" / "config.json").read_text())
    assert config["overrides"] == ["clip_high=0.3"] and len(config["data_digest"]) > 16
    words = ["eval", "--engine", "transformers", "--model", told["checkpoint"], "--data", str(data)]
    assert run([*words, "--max-tokens", "4", "--out", str(tmp_path / "run"), "--json"]) == 0
    # The Hub is not asked.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert run(["publish", "model", str(tmp_path / "rl"), "--repo", "me/reader", "--json",
                "--out", str(tmp_path / "card"), "--dry-run"]) == 0  # fmt: skip
    monkeypatch.undo()
    assert "## Curves" in (tmp_path / "card" / "README.md").read_text()
    assert (tmp_path / "card" / "curves.svg").stat().st_size > 1000
    # Asked for again there is nothing to do; asked for more it goes on.
    assert train(*rl, "--out", tmp_path / "rl", *common) == 0
    rl[rl.index("--steps") + 1] = 3
    assert train(*rl, "--out", tmp_path / "rl", *common) == 0
    assert len((tmp_path / "rl" / "metrics.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--objective", "grop"], "unknown objective 'grop'; there are: "),
        (["--objective", "grpo", "--override", "clip_hi=1"], "unknown override 'clip_hi'"),
        (["--objective", "grpo", "--override", "clip"], "an override is name=value"),
        (["--objective", "grpo", "-n", "1"], "two replies or more"),
        (["--objective", "grpo", "--temperature", "0"], "the temperature is 0.01 or more"),
        (["--objective", "grpo", "--override", "clip_high=abc"], "clip_high is of the kind of 0.2"),
        (["--objective", "grpo", "--override", "ratio=none"], "is one of a ratio, which is none"),
        (["--objective", "canon", "--override", "canon_metric=wit"], "by entropy or length here, "),
        (["--objective", "exgrpo", "--dynamic"], "exgrpo replays groups as they are: it goes"),
        (["--objective", "vppo"], "vppo learns from pictures: give --modality image"),
        (["--objective", "grpo", "--validate-every", "2"], "go together"),
        (["--objective", "sft", "--validate-every", "2"], "sft is not validated"),
        (["--objective", "sft", "--keep", "-1"], "--keep is 0 or more"),
        (["--objective", "grpo", "--reward", "beauty"], "a reward is correctness, form, overlong"),
        (["--objective", "grpo", "--reward", "correctness=-1"], "earns -1, an empty one"),
        (["--objective", "grpo", "--engine", "abacus"], "sampled by transformers, vllm"),
        (["--objective", "grpo", "--suite", "sheet_music"], "from --data DIR, or fresh from"),
        (["--objective", "sft", "--level", "1,x"], "level is a whole number, not 'x'"),
        (["--objective", "grpo", "--task", "meter"], "--task, --level and --curriculum go with"),
        (["--objective", "grpo", "--reward", "overlong:x"], "is overlong:TOKENS, not 'overlong:x'"),
        (["--objective", "grpo", "--reward", "overlong:999"], "the last tokens of 256 are from 1"),
        (["--objective", "grpo", "--lora-rank", "-1"], "--lora-rank is 1 or more"),
        (["--objective", "sft", "--micro-tokens", "0"], "a token or more is read at once"),
        (["--objective", "grpo", "--modality", "smell"], "--modality is text, image, both"),
        (["--objective", "sft", "--replies", "lies"], "--replies is solution, answer, format"),
        (["--objective", "sft", "--boxed", "air"], "--boxed is letter or words"),
        (["--objective", "sft", "--worked", "0"], "--worked is a share above 0 and up to 1"),
        (["--objective", "sft", "--worked", "40"], "--worked is a share above 0 and up to 1"),
        (
            ["--objective", "sft", "--replies", "answer", "--worked", "0.5"],
            "--replies answer shows no solutions: --worked would do nothing",
        ),
        (["--objective", "sft", "--prompts", "4"], "sft earns no rewards: --prompts would do"),
        (["--objective", "sft", "--reward", "form"], "sft earns no rewards: --reward would do"),
        (["--objective", "grpo", "--batch", "4"], "grpo imitates no examples: --batch would do"),
        (["--objective", "grpo", "--critic-learning-rate", "1e-4"], "grpo has no critic"),
        (["--objective", "sft", "--override", "a=1"], "sft has no objective to override"),
        (["--objective", "sft", "--learning-rate", "0"], "a learning rate is above 0"),
        (["--objective", "sft", "--decay", "never"], "decay is constant, linear, cosine"),
        (["--objective", "sft", "--model", "/nowhere/at/all"], "no model '/nowhere/at/all'"),
    ],
)
def test_bad_input_is_one_line_and_trains_nothing(
    tmp_path: Path, data: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    # The model would be loaded last of all.
    code = train("--data", data, "--steps", 1, "--out", out, *words)
    streams = capsys.readouterr()
    assert code == 2 and streams.out == ""
    assert said in streams.err and len(streams.err.splitlines()) == 1
    assert not out.exists()


def test_fresh_questions_an_adapter_and_a_test_set_that_is_asked_once(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = synthesized(tmp_path / "data", "test")
    words = ["--objective", "grpo", "--model", model, "--suite", "sheet_music", "--curriculum"]
    words += ["--task", "interval_name", "--level", "1,2", "--lora-rank", 2]
    words += ["--steps", 2, "--max-tokens", 4, "--prompts", 2, "-n", 2, "--test", test, "--json"]
    assert train(*words, "--override", "kl_coef=0.01", "--out", tmp_path / "rl") == 0
    told = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "rl" / "config.json").read_text())["levels"] == [1, 2]
    asked = tmp_path / "rl" / "test" / "step-00000002"
    assert 0 <= told["test"] <= 1 and (asked / "report.html").is_file()
    before = (asked / "samples-00000.jsonl").read_bytes()
    assert (tmp_path / "rl" / "checkpoint-00000002" / "adapter").is_dir()
    assert train(*words, "--override", "kl_coef=0.01", "--out", tmp_path / "rl") == 0
    assert (asked / "samples-00000.jsonl").read_bytes() == before
    words[words.index("--steps") + 1] = 3
    capsys.readouterr()
    assert train(*words, "--override", "kl_coef=0.01", "--out", tmp_path / "rl") == 2
    assert "the test set was asked at the end" in capsys.readouterr().err


def test_what_a_run_keeps_is_shown(
    tmp_path: Path, data: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--objective", "exgrpo", "--model", model, "--data", data, "--steps", 1]
    words += ["--max-tokens", 4, "--prompts", 2, "-n", 2]
    assert train(*words, "--out", tmp_path / "rl") == 0
    assert run(["replay", "show", str(tmp_path / "rl")]) == 0
    assert "after step 1: no earlier reply has joined yet; 0 questions" in capsys.readouterr().out
    assert run(["replay", "show", str(tmp_path / "rl"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["buckets"] == {}
    words[1] = "grpo"
    assert train(*words, "--out", tmp_path / "plain") == 0
    for wrong, said in (
        (["show", str(tmp_path / "plain")], "replays nothing"),
        (["show", str(tmp_path / "nowhere")], "has no checkpoint"),
        (["hide", str(tmp_path / "rl")], "replay takes show, not 'hide'"),
    ):
        capsys.readouterr()
        assert run(["replay", *wrong]) == 2
        assert said in capsys.readouterr().err


def test_a_dataset_that_is_not_there_and_a_folder_that_is_taken_are_refused(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--objective", "grpo", "--data", tmp_path / "no", "--steps", 1, "--out", "o") == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    sft = ["--objective", "sft", "--data", data, "--steps", 1]
    capsys.readouterr()
    assert train(*sft, "--out", tmp_path / "mine") == 2
    assert "is not empty and holds no training run" in capsys.readouterr().err


def test_a_run_does_not_go_on_under_another_configuration(
    tmp_path: Path, data: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sft = ["--objective", "sft", "--model", model, "--data", data, "--steps", 1, "--batch", 2]
    assert train(*sft, "--out", tmp_path / "sft") == 0
    capsys.readouterr()
    assert train(*sft, "--out", tmp_path / "sft", "--learning-rate", "0.5") == 2
    assert "learning_rate 1e-05 -> 0.5" in capsys.readouterr().err


def test_test_items_are_not_learned_from_and_validation_is_held_out(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = synthesized(tmp_path / "test", "test")
    sft = ["--objective", "sft", "--steps", 1, "--out", tmp_path / "out"]
    assert train(*sft, "--data", test) == 2
    assert "is of the split test, which is not learned from" in capsys.readouterr().err
    rl = ["--objective", "grpo", "--data", data, "--steps", 1, "--out", tmp_path / "out"]
    assert train(*rl, "--validation", data, "--validate-every", 1) == 2
    assert "is in the training data and in the validation data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        # Other ids, but contents that the other seed deals, too.
        (["--data", "whole", "--validation", "other", "--validate-every", 1], "in the training"),
        (["--suite", "sheet_music", "--validation", "whole", "--validate-every", 1], "split train"),
        (["--data", "whole", "--test", "other"], "--test is of the split test, which"),
        (["--data", "whole", "--validation", "pictures", "--validate-every", 1], "holds no text"),
    ],
)
def test_what_judges_a_run_is_held_out_by_content_and_can_be_asked(
    tmp_path: Path, words: list[Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, split, seed, modality in (
        ("whole", "train", 1, "text"), ("other", "train", 2, "text"),
        ("pictures", "validation", 1, "image"),
    ):  # fmt: skip
        plan = make_plan(
            "sheet_music", split=split, count=300 if split == "train" else 6, seed=seed,
            tasks=["interval_name"], levels=[1], modalities=[modality],
        )  # fmt: skip
        synthesize(plan, tmp_path / name)
    given = [tmp_path / w if (tmp_path / str(w)).is_dir() else w for w in words]
    rl = ["--objective", "grpo", "--steps", 1, "--out", tmp_path / "out"]
    assert train(*rl, *given) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_run_that_failed_before_its_first_step_can_be_put_right(
    tmp_path: Path, data: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(
        "sheet_music", split="train", count=6, seed=1, tasks=["interval_name"], levels=[1],
        modalities=["text", "image"],
    )  # fmt: skip
    synthesize(plan, tmp_path / "both")
    words = ["--objective", "grpo", "--model", model, "--data", tmp_path / "both", "--steps", 1]
    words += ["--max-tokens", 2, "--prompts", 2, "-n", 2, "--out", tmp_path / "rl"]
    assert train(*words, "--modality", "image") == 2
    assert "takes no pictures" in capsys.readouterr().err
    assert train(*words) == 0


def test_a_falling_rate_does_not_go_on_to_another_end(
    tmp_path: Path, data: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--objective", "sft", "--model", model, "--data", data, "--batch", 2]
    words += ["--decay", "linear", "--out", tmp_path / "sft"]
    assert train(*words, "--steps", 2) == 0
    assert train(*words, "--steps", 3) == 2
    assert "steps 2 -> 3" in capsys.readouterr().err
