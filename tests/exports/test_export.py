"""Exporting a dataset: formats found by looking, folders whole and alike, bad input refused."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from benchgen import export as export_module
from benchgen.cli import run
from benchgen.columns import problem_from_row
from benchgen.dataset import read_rows
from benchgen.errors import InputError
from benchgen.export import Item, export_dataset, read_source
from benchgen.exports import find_format, format_names
from benchgen.problem import Problem

FORMATS = format_names()
EVALUATED = ("inspect_ai", "lm_eval")
LEARNED = [form for form in FORMATS if form not in EVALUATED]
Items = dict[str, tuple[Item, ...]]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_every_module_among_the_formats_is_one() -> None:
    assert {"openrlhf", "trl", "verifiers", "verl"} <= set(LEARNED)
    assert all(callable(find_format(name)) for name in FORMATS)


def test_the_prompt_is_that_of_an_evaluation(items: Items) -> None:
    for modality, exported in items.items():
        for item in exported:
            (message,) = item.problem.messages(modality)
            words = message["content"]
            if modality == "image":
                shown, written = words
                assert shown == {"type": "image"}
                words = written["text"]
                assert item.picture == item.problem.images()[0]
            assert item.prompt == words


@pytest.mark.parametrize("modality", ["text", "image"])
@pytest.mark.parametrize("form", FORMATS)
def test_the_same_dataset_gives_the_same_bytes_with_nothing_of_this_machine(
    data: Path, lessons: Path, tmp_path: Path, form: str, modality: str
) -> None:
    data = data if form in EVALUATED else lessons
    for name in ("one", "two"):
        export_dataset(form, data, tmp_path / name, modality=modality)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    for content in one.values():
        assert os.fsencode(str(data)) not in content
        assert not re.search(rb"https?://|/root/|/home/|/work/", content)


def test_an_lm_eval_folder_holds_the_problems_unchanged(data: Path, tmp_path: Path) -> None:
    export_dataset("lm_eval", data, tmp_path / "out", modality="image")
    copied = pq.read_table(tmp_path / "out" / "sheet_music_image.parquet").to_pylist()
    for row, original in zip(copied, read_rows(data), strict=True):
        assert problem_from_row(row) == problem_from_row(original)
        assert row["image"] == original["image"] and row["text"] is None


def test_exporting_again_completes_a_folder_and_leaves_no_litter(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_dataset("lm_eval", data, out)
    whole = contents(out)
    (out / "sheet_music_text.yaml").unlink()
    (out / "sheet_music_text.parquet.17-0badcafe.tmp").write_bytes(b"half")
    export_dataset("lm_eval", data, out)
    assert contents(out) == whole


@pytest.mark.parametrize("form", FORMATS)
def test_an_earlier_export_is_not_run_with_files_of_a_later_one(
    data: Path, lessons: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data if form in EVALUATED else lessons
    out = tmp_path / "out"
    _, files = export_dataset(form, data, out)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_module, "write_whole", full)
    with pytest.raises(InputError, match="No space left"):
        export_dataset(form, data, out)
    assert not files[-1].exists()


@pytest.mark.parametrize("name", ["1_000", "null", "1e3", "yes"])
def test_no_words_of_a_dataset_are_read_as_yaml(data: Path, name: str) -> None:
    class Loader(yaml.SafeLoader):
        """Takes lm_eval's functions for their names."""

    Loader.add_multi_constructor("!function", lambda loader, tag, node: node.value)
    odd = '1"\nprocess_results: !function os.system\nx: "é'
    source = replace(read_source(data, "text", name), version=odd, licence=f"NO{odd}")
    config = yaml.load(find_format("lm_eval")(source)[f"{name}.yaml"], Loader)
    assert config["task"] == name and config["metadata"]["version"] == odd
    assert config["process_results"] == f"{name}_scoring.verdict"
    files = find_format("inspect_ai")(source)
    config = yaml.safe_load(files["eval.yaml"])
    assert config["name"] == name == config["tasks"][0]["id"]
    card = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
    assert card["license"] == f"NO{odd}".lower() and card["configs"][0]["config_name"] == "text"


@pytest.mark.parametrize("form", LEARNED)
def test_test_items_are_not_exported_to_be_learned_from(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert run(["export", form, str(data), "--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert "of the split test, which is not learned from" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("modality", ["text", "image"])
@pytest.mark.parametrize("form", LEARNED)
def test_a_trainer_is_given_every_problem_whole(
    lessons: Path, tmp_path: Path, form: str, modality: str
) -> None:
    export_dataset(form, lessons, tmp_path / "out", modality=modality)
    found = []
    for row in rows_of(tmp_path / "out"):
        kept = {"trl": "problem", "openrlhf": "label", "verifiers": "problem"}.get(form)
        text = row[kept] if kept else row["reward_model"]["ground_truth"]
        found.append(Problem.from_json(text))
    assert found == [problem_from_row(row) for row in read_rows(lessons)]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    (file,) = (path for path in folder.rglob("*") if path.suffix in (".parquet", ".jsonl"))
    if file.suffix == ".parquet":
        return pq.read_table(file).to_pylist()
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("form", "modality", "words"),
    [
        ("verl", "image", "<image>"),
        ("verl", "image", "<video>"),
        ("openrlhf", "image", "<image>"),
        ("openrlhf", "text", "<image>"),
    ],
)
def test_words_that_a_trainer_would_take_for_a_picture_are_refused(
    lessons: Path, form: str, modality: str, words: str
) -> None:
    source = read_source(lessons, modality)
    first, *others = source.items
    spoiled = replace(first, prompt=f"{words} {first.prompt}")
    with pytest.raises(InputError, match=f"the prompt holds {words}"):
        find_format(form)(replace(source, items=(spoiled, *others)))


def test_an_lm_eval_folder_may_have_any_name(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    out = tmp_path / "a [1] {b} *?"
    export_dataset("lm_eval", data, out, name="mine")
    script: dict[str, Any] = {"__file__": str(out / "mine_scoring.py")}
    exec((out / "mine_scoring.py").read_text(), script)
    assert script["load"]()["test"].num_rows == 24


@pytest.mark.parametrize("categories", [("level_1", "other"), ("a b", "a-b"), ("a_b_", "a_b!")])
def test_each_category_and_level_has_a_metric_of_its_own(
    data: Path, categories: tuple[str, str]
) -> None:
    def named(item: Item, category: str) -> Item:
        problem = replace(item.problem, category=category, level=1)
        return replace(item, problem=problem, row={**item.row, "category": category, "level": 1})

    source = read_source(data, "text", "mine")
    items = tuple(named(item, categories[n % 2]) for n, item in enumerate(source.items))
    files = find_format("lm_eval")(replace(source, items=items))
    listed = re.findall(r"- metric: (\S+)\n", files["mine.yaml"].decode())
    assert len(listed) == len(set(listed)) == 5
    script: dict[str, Any] = {}
    exec(files["mine_scoring.py"], script)
    wrong = script["verdict"](items[0].row, ["none"])
    right = script["verdict"](items[1].row, [rf"\boxed{{{items[1].problem.target}}}"])
    assert set(wrong) == set(right) == set(listed)
    means = {m: script["mean_where_asked"]([wrong[m], right[m]]) for m in listed}
    assert means["accuracy"] == means["accuracy_level_1"] == means["unparsed"] == 0.5
    parts = [means[m] for m in listed if m not in ("accuracy", "accuracy_level_1", "unparsed")]
    assert sorted(parts) == [0.0, 1.0]


def test_a_folder_with_other_files_is_refused_and_left_alone(data: Path, tmp_path: Path) -> None:
    export_dataset("lm_eval", data, tmp_path, name="mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="holds other files"):
        export_dataset("lm_eval", data, tmp_path, name="another")
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "nothing", "DATA", "--out", "OUT"], f"there are: {', '.join(FORMATS)}"),
        (["export", "lm_eval", "DATA", "--out", "OUT", "--modality", "sound"], "not 'sound'"),
        (["export", "lm_eval", "DATA", "--out", "OUT", "--name", "a/b"], "not 'a/b'"),
        (["export", "lm_eval", "NOWHERE", "--out", "OUT"], "is not there"),
        (["export", "lm_eval", "DATA", "--out", "FILE/x"], "cannot write to"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (tmp_path / "file").write_text("")
    places = {"DATA": str(data), "OUT": str(tmp_path / "out"), "NOWHERE": str(tmp_path / "no")}
    places["FILE/x"] = str(tmp_path / "file" / "x")
    assert run([places.get(word, word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_modality_that_the_dataset_lacks_is_refused(data: Path, tmp_path: Path) -> None:
    import pyarrow as pa

    table = pq.read_table(data / "part-00000.parquet")
    place = table.schema.get_field_index("image")
    nothing = pa.nulls(table.num_rows, table.schema.field("image").type)
    (tmp_path / "d").mkdir()
    pq.write_table(table.set_column(place, "image", nothing), tmp_path / "d" / "x.parquet")
    with pytest.raises(InputError, match="holds no image"):
        read_source(tmp_path / "d", "image")


def test_a_prompt_with_the_picture_s_place_in_it_is_refused(data: Path, tmp_path: Path) -> None:
    import pyarrow as pa

    table = pq.read_table(data / "part-00000.parquet")
    place = table.schema.get_field_index("question")
    asked = pa.array(["What is <image>?"] * table.num_rows)
    (tmp_path / "d").mkdir()
    pq.write_table(table.set_column(place, "question", asked), tmp_path / "d" / "x.parquet")
    with pytest.raises(InputError, match="the prompt holds <image>"):
        export_dataset("lm_eval", tmp_path / "d", tmp_path / "out", modality="image")


def test_the_command_says_what_it_wrote(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["export", "inspect_ai", str(data), "--out", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == {
        "out": str(out),
        "name": "sheet_music_text",
        "problems": 24,
        "files": [str(out / file) for file in ("text/test-00000-of-00001.parquet", "README.md")]
        + [str(out / "eval.yaml")],
    }
