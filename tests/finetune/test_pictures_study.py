"""The study of pictures, small: its parts, its resuming, and the map of what words hang on."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchgen.cli import run
from benchgen.dataset import read_rows, synthesize
from benchgen.errors import InputError
from benchgen.plan import make_plan
from evaluators.questions import read_questions
from finetune import study as parts
from finetune.blackened import blackened
from finetune.dependency_figure import DependencyMap, chosen_tokens, draw_dependencies
from finetune.dependency_map import random_dependencies, single_dependencies
from finetune.examples import examples
from finetune.objectives import resolve
from finetune.pictures_study import ARMS, Study, overrides, run_study, study_lines
from finetune.policy import Policy, load_policy
from finetune.rollouts import read_rollouts
from finetune.small_pictures import write_small
from finetune.small_reader import ReaderShape, write_small_reader
from finetune.trajectory import Trajectory

pytestmark = pytest.mark.slow

SHAPE = ReaderShape(
    side=32, patch=8, merge=2, vision_width=64, eyes=1, width=64, layers=1, words=512
)
"""Four vision tokens of 16 pixels."""
TINY = Study(
    shape=SHAPE, sft_draws=2, sft_steps=3, sft_warmup=1, batch=4, rl_steps=2, prompts=2, samples=2,
    max_tokens=6, items=2, map_draws=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = tmp_path_factory.mktemp("reader") / "model"
    write_small_reader(folder, SHAPE, seed=3)
    return load_policy(str(folder))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two problems and their twins, drawn with 32 pixels."""
    folder = tmp_path_factory.mktemp("data")
    plan = make_plan(
        "sheet_music", split="train", count=2, seed=5, tasks=("chord_root",), levels=(1,),
        modalities=("image",), with_twins=True,
    )  # fmt: skip
    synthesize(plan, folder / "large")
    return write_small([folder / "large"], folder / "small", SHAPE.side)


@pytest.fixture(scope="module")
def reply(policy: Policy, small: Path) -> Trajectory:
    return next(examples(read_questions(small, "image"), policy, "solution"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("study") / "whole"
    return out, run_study(TINY, out)


def test_a_black_square_is_one_vision_token_of_what_the_model_is_shown(
    policy: Policy, reply: Trajectory
) -> None:
    assert policy.reader is not None
    (picture,) = reply.pictures
    dark = blackened(reply, 7, 1, patch=SHAPE.token, chance=0.5)
    assert reply.prompt.count(policy.reader.image_token) == SHAPE.tokens == 4
    inputs = policy.reader.inputs([picture, *dark], torch.zeros(1, 1))["pixel_values"]
    (plain,), (black,) = inputs
    shades = np.array(Image.open(io.BytesIO(picture)).convert("RGB")).transpose(2, 0, 1) / 255
    torch.testing.assert_close(plain, torch.tensor(shades * 2 - 2).float(), atol=1e-5, rtol=0)
    tiles = (plain != black).any(0).unfold(0, 16, 16).unfold(1, 16, 16).flatten(2)
    hidden = (black == -2).all(0).unfold(0, 16, 16).unfold(1, 16, 16).flatten(2)
    assert 0 < int(tiles.any(-1).sum()) < 4
    assert torch.equal(tiles.any(-1), hidden.all(-1)), "a square was hidden in part"


def test_the_first_tokens_are_still_those_of_the_whole_tokenizer(policy: Policy) -> None:
    from transformers import AutoTokenizer

    from evaluators.engines.smollm2 import smollm2_folder

    whole = AutoTokenizer.from_pretrained(smollm2_folder())
    words = "Its root is not the tone in the middle: \u266f, \u4e2d, \\boxed{}\n"
    ids = policy.tokenizer(words, add_special_tokens=False)["input_ids"]
    assert policy.tokenizer.decode(ids) == words
    assert max(ids) < SHAPE.words == len(policy.tokenizer) - 4
    assert policy.tokenizer.convert_ids_to_tokens(ids) == whole.convert_ids_to_tokens(ids)
    assert policy.ends == {whole.eos_token_id}
    assert policy.model.config.text_config.head_dim == 64


def test_small_pictures_are_those_of_the_same_rows(small: Path, tmp_path: Path) -> None:
    large = list(read_rows(small.parent.parent / "large"))
    rows = list(read_rows(small))
    assert [{**row, "image": None} for row in rows] == [{**row, "image": None} for row in large]
    for row, before in zip(rows, large, strict=True):
        picture = Image.open(io.BytesIO(row["image"]["bytes"]))
        wanted = Image.open(io.BytesIO(before["image"]["bytes"])).resize((32, 32), Image.BOX)
        assert picture.size == (32, 32)
        assert np.array_equal(np.array(picture), np.array(wanted))
    plan = make_plan("sheet_music", split="train", count=1, tasks=("meter",))
    synthesize(plan, tmp_path / "words")
    with pytest.raises(InputError, match="has no picture"):
        write_small([tmp_path / "words"], tmp_path / "out", 32)
    assert not (tmp_path / "out").exists()


def test_both_objectives_are_shown_the_same_prompts_and_differ_in_what_vppo_adds(
    whole: tuple[Path, dict[str, Any]],
) -> None:
    out, found = whole
    for step in (1, 2):
        vppo, dapo = (
            [
                (one.draw, one.sample, one.seed, one.problem, one.prompt)
                for group in read_rollouts(out / arm, step)
                for one in group
            ]
            for arm in ARMS
        )
        assert vppo == dapo and len(vppo) == 4
    configs = {arm: json.loads((out / arm / "config.json").read_text()) for arm in ARMS}
    changed = {n for n in configs["vppo"] if configs["vppo"][n] != configs["dapo"][n]}
    assert changed == {"objective", "overrides"}
    objectives = [
        dataclasses.asdict(
            resolve(arm, **{n: float(v) for n, v in (o.split("=") for o in overrides(TINY, arm))})
        )
        for arm in ARMS
    ]
    vppo, dapo = objectives
    assert {n: (vppo[n], dapo[n]) for n in vppo if vppo[n] != dapo[n]} == {
        "visual_filter": (0.4, None), "visual_shaping": (0.9, None), "visual_patch": (16.0, 14),
    }  # fmt: skip
    assert found["test_contents_met_in_training"] == 0
    assert {run["problems"] for run in found["runs"].values()} == {8}
    assert found["vppo_over_dapo"]["problems"] == 8
    assert found["steps"]["vppo"]["steps"] == found["steps"]["dapo"]["steps"] == 2
    assert len(list(study_lines(found))) == 10


def test_a_study_that_was_cut_goes_on_and_asks_nothing_twice(
    whole: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    # While the first objective trains; then when the first run of the test set has been read.
    for moment in ("vppo: 1 of 2", "sft: 0"):

        def die(line: str, moment: str = moment) -> None:
            if line.startswith(moment):
                raise Killed

        with pytest.raises(Killed):
            run_study(TINY, tmp_path / "cut", die)
    asked: list[str] = []
    evaluate = parts.evaluate

    def counted(data: Any, out: Path, **named: Any) -> Any:
        asked.append(out.name)
        return evaluate(data, out, **named)

    monkeypatch.setattr(parts, "evaluate", counted)
    again = run_study(TINY, tmp_path / "cut")
    assert asked == ["vppo", "dapo"]
    out, found = whole
    for one in (again, found):
        for steps in one["steps"].values():
            assert steps.pop("seconds") > 0
            for name in [n for n in steps if n.startswith("seconds")]:
                del steps[name]
    assert again == found
    maps = [json.loads((folder / "map.json").read_text()) for folder in (out, tmp_path / "cut")]
    assert maps[0] == maps[1]
    with pytest.raises(InputError, match="a study with another rl_steps"):
        run_study(dataclasses.replace(TINY, rl_steps=3), tmp_path / "cut")


def by_hand(policy: Policy, reply: Trajectory, picture: Any) -> Any:
    """Log-probabilities of the reply by the whole model on the processor's own inputs."""
    inputs = policy.processor.image_processor(picture, return_tensors="pt")
    ids = torch.tensor([[*reply.prompt, *reply.reply]])
    with torch.no_grad():
        logits = policy.model(input_ids=ids, pixel_values=inputs["pixel_values"]).logits[0]
    said = torch.log_softmax(logits[len(reply.prompt) - 1 : -1].double(), -1)
    return said[range(len(reply.reply)), list(reply.reply)].numpy()


def test_the_map_has_of_every_token_and_square_what_a_hand_computes(
    policy: Policy, reply: Trajectory
) -> None:
    plain = Image.open(io.BytesIO(reply.pictures[0])).convert("RGB")
    whole = by_hand(policy, reply, plain)
    found = single_dependencies(policy, reply, 16).numpy()
    assert found.shape == (len(reply.reply), 2, 2)
    wanted = np.zeros_like(found)
    for row in range(2):
        for column in range(2):
            dark = plain.copy()
            dark.paste((0, 0, 0), (16 * column, 16 * row, 16 * column + 16, 16 * row + 16))
            moved = by_hand(policy, reply, dark) - whole
            wanted[:, row, column] = np.minimum(np.exp(moved) - moved - 1, 10)
    np.testing.assert_allclose(found, wanted, atol=2e-5)
    assert wanted.max() > 1e-3, "nothing hung on the picture: any order of squares would pass"
    per_square = wanted.sum(0).ravel()
    assert len({round(float(one), 6) for one in per_square}) == 4

    mean = random_dependencies(policy, reply, 16, chance=0.5, draws=3, seed=11).numpy()
    masks = [blackened(reply, 11, draw, patch=16, chance=0.5)[0] for draw in (1, 2, 3)]
    moved = np.array([by_hand(policy, reply, Image.open(io.BytesIO(m))) for m in masks]) - whole
    np.testing.assert_allclose(mean, (np.exp(moved) - moved - 1).mean(0), atol=2e-5)


def test_a_map_of_several_pictures_is_refused(policy: Policy, reply: Trajectory) -> None:
    two = dataclasses.replace(reply, pictures=reply.pictures * 2)
    with pytest.raises(InputError, match="a reply to one picture, not to 2"):
        single_dependencies(policy, two, 16)


def test_words_in_the_figure_are_no_markup_and_the_darkest_are_chosen(
    whole: tuple[Path, dict[str, Any]],
) -> None:
    record = json.loads((whole[0] / "map.json").read_text())
    found = DependencyMap.of(record)
    assert found.single.shape == (len(found.tokens), 2, 2)
    tokens = (" a", " b", " a", "</text><script>", " $x^2$\n", "\x00")
    single = np.zeros((6, 2, 2))
    single[:, 1, 0] = (5, 1, 6, 3, 4, 2)
    hostile = dataclasses.replace(found, tokens=tokens, single=single, mean=np.arange(6.0))
    assert chosen_tokens(hostile) == [2, 3, 4, 5]
    drawn = draw_dependencies(hostile)
    assert drawn == draw_dependencies(hostile)
    assert b"<script" not in drawn and b"</svg>" in drawn
    changed = dataclasses.replace(hostile, single=single[:, ::-1])
    assert draw_dependencies(changed) != drawn
    for name, value in (("single", record["single"][1:]), ("picture", "aGk="), ("patch", 0)):
        with pytest.raises(InputError, match="no map of dependencies"):
            DependencyMap.of({**record, name: value})


def test_results_of_two_seeds_tell_what_their_studies_found(
    whole: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    run_study(dataclasses.replace(TINY, seed=1), other)
    for seed, folder in ((0, whole[0]), (1, other)):
        path = folder / "pictures.json"
        record = json.loads(path.read_text())
        for place, name in enumerate(("sft", "vppo", "dapo")):
            # A model this small has none right: the figures are told apart by hand.
            right = (0.3, 0.5, 0.4)[place] + seed / 100
            record["runs"][name] |= {"accuracy": right, "low": right - 0.05, "high": right + 0.05}
        record["vppo_over_dapo"] |= {"effect": 0.1 + seed / 100, "low": -0.02, "high": 0.2}
        path.write_text(json.dumps(record))
    told = ["study", "results", "--of", str(other), "--of", str(whole[0])]
    assert run([*told, "--out", str(tmp_path / "page")]) == 0
    text = (tmp_path / "page" / "pictures.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(("| 0", "| 1"))]
    assert [row[0] for row in rows] == ["| 0", "| 1"] * 2
    for seed, row in enumerate(rows[:2]):
        assert row[1].startswith(f"{30 + seed}.0 ({25 + seed}.0 to {35 + seed}.0)")
        assert row[2].startswith(f"{50 + seed}.0 (") and row[3].startswith(f"{40 + seed}.0 (")
        assert row[6] == f"{10 + seed:+.1f} (-2.0 to +20.0) |"
    names = {path.name for path in (tmp_path / "page").glob("*.svg")}
    assert names == {"accuracies.svg", "dependency.svg", "vppo.svg", "dapo.svg"}
    kept = [str(tmp_path / "page" / f"seed-{seed}") for seed in (0, 1)]
    again = ["study", "results", "--of", kept[0], "--of", kept[1]]
    assert run([*again, "--out", str(tmp_path / "again")]) == 0
    for name in ("pictures.md", *names):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "page" / name).read_bytes()
    capsys.readouterr()
    (Path(kept[0]) / "map.json").write_text("{}")
    assert run([*again, "--out", str(tmp_path / "bad")]) == 2
    assert "seed-0 holds no study that has ended" in capsys.readouterr().err
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nothing"], "unknown study 'nothing'; there are: "),
        (["pictures", "--model", "a/b"], "makes its own model"),
        (["pictures", "--autocast"], "makes its own model"),
        (["pictures", "--of", "x"], "pictures takes none"),
        (["pictures", "--seed", "-1"], "a study's seeds are 0 or more"),
        (["results", "--engine", "vllm"], "--engine would do nothing"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    words: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["study", *words, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert line in said and "\n" not in said
    assert not (tmp_path / "out").exists()


def test_shapes_and_studies_that_cannot_be_are_refused() -> None:
    for bad, line in (({"side": 100}, "no whole number of tokens"), ({"width": 96}, "of 64")):
        with pytest.raises(InputError, match=line):
            dataclasses.replace(SHAPE, **bad)
    for bad, line in (
        ({"tasks": ("nothing",)}, "nothing"), ({"rl_steps": 0}, "and steps"),
        ({"items": 0}, "an item or more"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=line):
            dataclasses.replace(TINY, **bad)
