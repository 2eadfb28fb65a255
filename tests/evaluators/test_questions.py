from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from benchgen.columns import PROBLEM_COLUMNS
from benchgen.errors import InputError
from evaluators.questions import read_data, read_questions

WriteDataset = Callable[..., Path]


def test_text_question_holds_the_datasets_own_text(write_dataset: WriteDataset) -> None:
    question = next(read_questions(write_dataset(), "text"))
    assert question.images == ()
    assert "```abc\nX:1\nK:C\nitem 0 |]\n```" in question.prompt
    assert "What is the interval of item 0?" in question.prompt
    assert "A. minor third\nB. major third" in question.prompt


def test_image_question_holds_the_datasets_own_bytes(write_dataset: WriteDataset) -> None:
    questions = list(read_questions(write_dataset(image=True), "image"))
    assert [q.images for q in questions] == [(b"\x89PNG picture %d" % i,) for i in range(12)]
    assert [part["type"] for part in questions[0].messages[0]["content"]] == ["image", "text"]
    assert "item 0 |]" not in questions[0].prompt


def test_order_and_limit(write_dataset: WriteDataset) -> None:
    data = write_dataset()
    ids = [question.problem.id for question in read_questions(data, "text")]
    assert ids == [f"item-{place:04d}" for place in range(12)]
    assert [q.problem.id for q in read_questions(data, "text", 7)] == ids[:7]


def test_digest_sees_words_and_pictures(write_dataset: WriteDataset) -> None:
    texts = [q.digest for q in read_questions(write_dataset(), "text")]
    pictures = [q.digest for q in read_questions(write_dataset(name="i", image=True), "image")]
    again = [q.digest for q in read_questions(write_dataset(name="again"), "text")]
    assert len({*texts, *pictures}) == 24
    assert texts == again


@pytest.mark.parametrize("column", [*PROBLEM_COLUMNS, "text"])
def test_missing_column_is_named(write_dataset: WriteDataset, column: str) -> None:
    data = write_dataset(drop=(column,))
    with pytest.raises(InputError, match=rf"column.*\b{column}\b"):
        read_data(data)
        list(read_questions(data, "text"))


def test_missing_modality_is_said(write_dataset: WriteDataset) -> None:
    with pytest.raises(InputError, match="holds no image: .*--modality image"):
        list(read_questions(write_dataset(), "image"))


def test_repeated_id_is_refused(write_dataset: WriteDataset) -> None:
    with pytest.raises(InputError, match="the id 'item-0000' twice"):
        read_data(write_dataset(repeat=True))


def test_empty_dataset_is_refused(write_dataset: WriteDataset) -> None:
    with pytest.raises(InputError, match="holds no problems"):
        read_data(write_dataset(0))


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a dataset"):
        read_data(tmp_path)


def test_data_without_manifest_is_known_by_its_files(write_dataset: WriteDataset) -> None:
    data = write_dataset()
    record = read_data(data)
    assert (record.suite, record.suite_version, record.split) == ("sheet_music", "1", "test")
    assert (record.problems, record.path) == (12, str(data))
    lines = [hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(data.glob("*.parquet"))]
    assert record.digest == hashlib.sha256("".join(f"{x}\n" for x in lines).encode()).hexdigest()
    assert read_data(write_dataset(13, name="other")).digest != record.digest
