"""Outside files become datasets: small files of our own in the layouts of others."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import benchgen
from benchgen import outside_dataset
from benchgen.cli import run
from benchgen.columns import COLUMNS, problem_from_row
from benchgen.dataset import read_manifest, read_rows
from benchgen.errors import InputError
from benchgen.export import read_source
from benchgen.imports import find_layout, layout_names
from benchgen.outside import Columns, cluster_of, notation_of, short_labels
from benchgen.outside_dataset import import_file

Row = dict[str, Any]
PLAIN = Columns("q", ("choices",), "key")


def said(answer_is: str) -> Columns:
    return Columns("q", ("choices",), "key", answer_is)


def picture(shade: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), shade).save(buffer, kind)
    return buffer.getvalue()


def ssmr(number: int = 0, **changed: Any) -> Row:
    row = {
        "class_name": "TimeSignatureQuestion",
        "question": f"Which meter has tune {number}?",
        "abc_context": f"L:1/8\\nK:C\\n| CDEF GABc | [{number}",
        "correct_answer": "4/4",
        "incorrect_answer1": "3/4",
        "incorrect_answer2": "6/8",
        "incorrect_answer3": "2/4",
        "category": "Beat",
        "difficulty": "easy",
    }
    return {**row, **changed}


def college(**changed: Any) -> Row:
    row = {
        "instruction": "Choose well.",
        "stem": "Which note is the third of this chord?",
        "options": {"A": "C", "B": "E", "C": "G", "D": "B"},
        "answer": "B",
        "analysis": "It stands a third above the root.",
        "abc_score": "L:1\nK:C\n[CEG]",
        "subject": "reasoning",
    }
    return {**row, **changed}


def table(**changed: Any) -> Row:
    return {"q": "Which is it?", "choices": ["this", "that", "other"], "key": "that", **changed}


def lines(place: Path, rows: Sequence[Row]) -> Path:
    file = place / "set.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def parquet(place: Path, rows: Sequence[Row]) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), place / "set.parquet")
    return place / "set.parquet"


def imported(layout: str, file: Path, **words: Any) -> list[Row]:
    out = file.parent / "out"
    import_file(layout, file, out, **words)
    return list(read_rows(out))


def refusal(layout: str, file: Path, **words: Any) -> str:
    with pytest.raises(InputError) as caught:
        import_file(layout, file, file.parent / "out", **words)
    assert not (file.parent / "out").exists()
    return str(caught.value)


# Every layout


def test_every_module_among_the_layouts_is_one() -> None:
    assert {"music_theory_bench", "ssmr_bench", "table"} <= set(layout_names())
    assert all(callable(find_layout(name)) for name in layout_names())


@pytest.mark.parametrize(
    ("layout", "row", "columns"),
    [("ssmr_bench", ssmr(), None), ("music_theory_bench", college(), None)]
    + [("table", table(), PLAIN)],
)
@pytest.mark.parametrize("write", [lines, parquet])
def test_the_key_is_right_and_a_wrong_answer_is_wrong(
    tmp_path: Path, layout: str, row: Row, columns: Columns | None, write: Any
) -> None:
    (made,) = imported(layout, write(tmp_path, [row]), columns=columns)
    assert tuple(made) == COLUMNS
    problem = problem_from_row(made)
    assert problem.options is not None
    right = {"ssmr_bench": "4/4", "music_theory_bench": "just E", "table": "that"}[layout]
    assert problem.answer == right and made["target"] == problem.target
    for option in "ABCDEF"[: len(problem.options)]:
        value = benchgen.score(problem, rf"\boxed{{{option}}}").value
        assert value == float(option == problem.target)


def test_a_prompt_shows_the_text_in_its_notation_and_nothing_where_there_is_none(
    tmp_path: Path,
) -> None:
    rows = [ssmr(), ssmr(abc_context="", question="Which scale is written correctly?")]
    imported("ssmr_bench", lines(tmp_path, rows))
    shown, alone = read_source(tmp_path / "out", "text").items
    assert "```abc\nL:1/8\nK:C\n| CDEF GABc | [0\n```" in shown.prompt
    assert alone.prompt.startswith("Which scale is written correctly?\n\nA. ")
    assert "```" not in alone.prompt
    assert notation_of(shown.problem) == "abc"


def test_an_evaluation_asks_what_was_imported(tmp_path: Path) -> None:
    from evaluators.questions import read_data, read_questions

    imported("ssmr_bench", lines(tmp_path, [ssmr(0), ssmr(1)]))
    data = read_data(tmp_path / "out")
    assert (data.suite, data.problems, data.split) == ("ssmr_bench", 2, "test")
    prompts = [question.prompt for question in read_questions(tmp_path / "out", "text")]
    assert prompts == [item.prompt for item in read_source(tmp_path / "out", "text").items]


def test_questions_on_one_score_share_a_cluster_and_those_on_none_do_not(tmp_path: Path) -> None:
    rows = [ssmr(0), ssmr(0, question="Which key?"), ssmr(1)]
    rows += [ssmr(abc_context="", question=f"Which is scale {number}?") for number in range(2)]
    problems = [problem_from_row(row) for row in imported("ssmr_bench", lines(tmp_path, rows))]
    one, other, *rest = [cluster_of(problem) for problem in problems]
    assert one == other
    assert len({one, *rest}) == 4
    # They are no twins for all that.
    assert len({problem.twin_group for problem in problems}) == 5


def test_the_manifest_names_the_file_by_its_digest(tmp_path: Path) -> None:
    file = lines(tmp_path, [ssmr(number) for number in range(300)])
    imported("ssmr_bench", file, licence="MIT")
    manifest = read_manifest(tmp_path / "out")
    assert manifest.complete and manifest.rows == 300 and manifest.shard_count == 2
    assert manifest.counts == {"ssmr_bench/time_signature": {"1": 300}}
    assert manifest.suite["licence"] == "MIT"
    assert manifest.suite["version"] == f"file-{manifest.configuration['file_sha256'][:12]}"
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text()
    ids = [row["id"] for row in read_rows(tmp_path / "out", ["id"])]
    assert len(set(ids)) == 300


def test_importing_again_gives_the_same_bytes_and_another_file_is_refused(tmp_path: Path) -> None:
    file = lines(tmp_path, [table()])
    import_file("table", file, tmp_path / "out", columns=PLAIN)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    import_file("table", file, tmp_path / "out", columns=PLAIN)
    lines(tmp_path, [table(), table()])
    with pytest.raises(InputError, match="holds another dataset"):
        import_file("table", file, tmp_path / "out", columns=PLAIN)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_folder_that_was_not_finished_is_not_read_and_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = lines(tmp_path, [ssmr(number) for number in range(300)])
    write_whole = outside_dataset.write_whole

    def full(path: Path, data: bytes) -> None:
        if path.name == "part-00001.parquet":
            raise OSError(28, "No space left on device")
        write_whole(path, data)

    monkeypatch.setattr(outside_dataset, "write_whole", full)
    with pytest.raises(InputError, match="No space left"):
        import_file("ssmr_bench", file, tmp_path / "out")
    with pytest.raises(InputError, match="is not complete"):
        list(read_rows(tmp_path / "out"))
    monkeypatch.undo()
    assert len(imported("ssmr_bench", file)) == 300


# SSMR-Bench


@pytest.mark.parametrize("column", sorted(ssmr().keys() - {"difficulty"}))
def test_a_row_that_lacks_a_column_is_none_of_ssmr_bench(tmp_path: Path, column: str) -> None:
    row = {name: value for name, value in ssmr().items() if name != column}
    file = lines(tmp_path, [row])
    assert refusal("ssmr_bench", file) == f"{file}, row 1: it lacks the column {column}"


def test_the_place_of_the_right_option_does_not_follow_from_its_column(tmp_path: Path) -> None:
    rows = imported("ssmr_bench", lines(tmp_path, [ssmr(number) for number in range(80)]))
    targets = [row["target"] for row in rows]
    assert all(8 <= targets.count(letter) <= 34 for letter in "ABCD")
    assert {tuple(sorted(row["options"])) for row in rows} == {("2/4", "3/4", "4/4", "6/8")}


def test_pictures_are_read_beside_the_file_or_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(picture(9, "JPEG"))
    (beside,) = imported("ssmr_bench", lines(tmp_path, [ssmr(abc_context="images/a.jpg")]))
    assert beside["image"]["bytes"] == picture(9, "JPEG") and beside["text"] is None
    (tmp_path / "two").mkdir()
    inside = parquet(tmp_path / "two", [ssmr(abc_context={"bytes": picture(3), "path": None})])
    (row,) = imported("ssmr_bench", inside)
    assert row["image"]["bytes"] == picture(3)
    (item,) = read_source(tmp_path / "two" / "out", "image").items
    assert item.picture == picture(3)


def test_options_that_are_pictures_are_refused_or_left_out_and_said(tmp_path: Path) -> None:
    rows = [ssmr(0), ssmr(1, correct_answer="images/b.jpg"), ssmr(2)]
    file = lines(tmp_path, rows)
    assert refusal("ssmr_bench", file) == f"{file}, row 2: its options are pictures"
    made = import_file("ssmr_bench", file, tmp_path / "out", skip_bad=True)
    assert made.left_out == (f"{file}, row 2: its options are pictures",)
    assert read_manifest(tmp_path / "out").configuration["left_out"] == 1
    assert [row["index"] for row in read_rows(tmp_path / "out")] == [0, 2]


def test_a_missing_option_is_not_the_word_nan(tmp_path: Path) -> None:
    file = lines(tmp_path, [ssmr(incorrect_answer2=float("nan"))])
    assert "its incorrect_answer2 is no text but nan" in refusal("ssmr_bench", file)


# MusicTheoryBench


def test_a_solution_and_a_subject_are_kept_and_an_instruction_is_not(tmp_path: Path) -> None:
    (row,) = imported("music_theory_bench", lines(tmp_path, [college()]))
    assert row["task"] == "music_theory_bench/reasoning" and row["category"] == "reasoning"
    assert row["solution"] == "It stands a third above the root."
    assert row["options"] == ["just C", "just E", "just G", "just B"]
    (item,) = read_source(tmp_path / "out", "text").items
    assert "Choose well" not in item.prompt and "[CEG]" in item.prompt


def test_a_letter_without_an_option_offers_nothing(tmp_path: Path) -> None:
    three = {"A": "C", "B": "E", "C": "G", "D": None}
    (row,) = imported("music_theory_bench", lines(tmp_path, [college(options=three)]))
    assert row["options"] == ["just C", "just E", "just G"] and row["target"] == "B"
    file = lines(tmp_path, [college(options=three, answer="D")])
    with pytest.raises(InputError, match="row 1: the answer 'D' names an empty option"):
        import_file("music_theory_bench", file, tmp_path / "other")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"answer": "2"}, "the answer '2' names none"),
        ({"answer": "E"}, "the answer 'E' names none"),
        ({"answer": "A, B"}, "the answer 'A, B' names none"),
        ({"answer": float("nan")}, "its answer is no text but nan"),
        ({"answer": None}, "its answer is no text"),
        ({"options": {"A": "C", "a": "E", "B": "G"}}, "two of its options have the same letter"),
        ({"options": {"option_a": "C", "option_b": "E"}}, "no mapping from letters"),
    ],
)
def test_a_college_answer_is_a_letter_or_refused(tmp_path: Path, changed: Row, said: str) -> None:
    assert said in refusal("music_theory_bench", lines(tmp_path, [college(**changed)]))


@pytest.mark.parametrize("column", ["abc_score", "analysis"])
def test_a_missing_score_or_solution_is_not_the_word_nan(tmp_path: Path, column: str) -> None:
    file = lines(tmp_path, [college(**{column: float("nan")})])
    assert f"its {column} is no text but nan" in refusal("music_theory_bench", file)
    (tmp_path / "none").mkdir()
    (row,) = imported("music_theory_bench", lines(tmp_path / "none", [college(**{column: None})]))
    assert row["text"] == ("" if column == "abc_score" else "L:1\nK:C\n[CEG]")


def test_a_college_option_that_is_zero_is_not_left_out(tmp_path: Path) -> None:
    sharps = college(options={"A": 0, "B": 1, "C": 2}, answer=" b ")
    (row,) = imported("music_theory_bench", lines(tmp_path, [sharps]))
    assert row["options"] == ["0", "1", "2"] and row["answer"] == "1"


# Tables


def test_an_option_is_not_taken_for_the_label_of_another(tmp_path: Path) -> None:
    rows = [table(choices=["F#", "B", "D"], key="C"), table(choices=["A", "B", "x y"], key="A")]
    first, second = imported("table", lines(tmp_path, rows), columns=PLAIN)
    assert first["options"] == ["F#", "B", "D"]
    assert second["options"] == ["A", "B", "x y"]
    for row in (first, second):
        problem = problem_from_row(row)
        assert benchgen.score(problem, rf"\boxed{{{row['target']}}}").value == 1.0
    noted = table(choices=["c", "b", "a"], key=0)
    (tmp_path / "more").mkdir()
    (row,) = imported("table", lines(tmp_path / "more", [noted]), columns=said("index"))
    assert row["options"] == ["just c", "just b", "just a"] and row["target"] == "A"


@pytest.mark.parametrize(
    ("answer", "answer_is"),
    [("B", ""), ("b", "letter"), (1, "index"), ("1", "index"), ("that", ""), ("that", "text")]
    + [(" b ", ""), (" that ", ""), (2, "number"), ("2.0", "number"), (1.0, "index")],
)
def test_an_answer_is_a_letter_an_index_or_a_text(
    tmp_path: Path, answer: object, answer_is: str
) -> None:
    (row,) = imported("table", lines(tmp_path, [table(key=answer)]), columns=said(answer_is))
    assert row["answer"] == "that" and row["target"] == "B"


def test_an_answer_that_may_name_two_options_is_not_guessed(tmp_path: Path) -> None:
    file = lines(tmp_path, [table(choices=["C", "A", "B"], key="A")])
    assert "may name two options" in refusal("table", file, columns=PLAIN)
    (row,) = imported("table", file, columns=said("text"))
    assert row["target"] == "B"


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ([2, 3, 4, 6], 3),
        (["2", "3", "4", "6"], 3),
        ([2.0, 3.0, 4.0, 6.0], 3),
        ([2, 3, 4, 6], 3.0),
        (["2", "3", "4", "6"], "3.0"),
        ([" 2", "3 ", "4", "6"], "3"),
        (["2", "3", "4", "6"], " 3"),
    ],
)
@pytest.mark.parametrize("write", [lines, parquet])
def test_a_number_among_numbers_is_not_taken_for_an_index(
    tmp_path: Path, write: Any, options: list[object], answer: object
) -> None:
    file = write(tmp_path, [table(choices=options, key=answer)])
    message = refusal("table", file, columns=PLAIN)
    assert message.startswith(f"{file}, row 1: ") and "may name two options" in message
    (row,) = imported("table", file, columns=said("text"))
    assert row["target"] == "B"


@pytest.mark.parametrize("answer", [0, 1, 2, 3, "1", 1.0, "2.0"])
def test_a_number_is_not_counted_from_0_where_it_may_count_from_1(
    tmp_path: Path, answer: object
) -> None:
    file = lines(tmp_path, [table(key=answer)])
    message = refusal("table", file, columns=PLAIN)
    assert "say what it is (index, number)" in message or "say if it is an index" in message


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), "", " ", True, 1.5, "1e0", ["B"]])
@pytest.mark.parametrize("answer_is", ["", "index", "label"])
def test_an_answer_that_is_no_answer_is_refused(
    tmp_path: Path, answer: object, answer_is: str
) -> None:
    choices = ["nan", "inf", "True", "x"]
    file = lines(tmp_path, [table(choices=choices, key=answer)])
    assert "names none of" in refusal("table", file, columns=said(answer_is))


def test_a_key_that_is_a_column_of_options_does_not_stand_in_one_place(tmp_path: Path) -> None:
    cells = {"right": "2", "wrong1": "1", "wrong2": "3"}
    file = lines(tmp_path, [{"q": f"Which is it in {n}?", **cells} for n in range(80)])
    rows = imported("table", file, columns=Columns("q", tuple(cells), "right"))
    assert {row["answer"] for row in rows} == {"2"}
    targets = [row["target"] for row in rows]
    assert all(12 <= targets.count(letter) <= 42 for letter in "ABC")


def test_a_lower_case_letter_is_not_a_label_where_it_is_an_option(tmp_path: Path) -> None:
    file = lines(tmp_path, [table(choices=["C", "A", "B"], key="a")])
    assert "may name two options" in refusal("table", file, columns=PLAIN)


@pytest.mark.parametrize(
    "columns", ["ABCD", ("one", "two", "three", "four"), ("oa", "ob", "oc", "od")]
)
@pytest.mark.parametrize("answer", ["A", "B", "C", "D", "c", "1", 2])
@pytest.mark.parametrize("answer_is", ["", "letter", "index", "number"])
def test_a_gap_among_the_columns_moves_no_letter(
    tmp_path: Path, columns: Sequence[str], answer: object, answer_is: str
) -> None:
    cells = dict(zip(columns, ["aa", "", "cc", "dd"], strict=True))
    file = lines(tmp_path, [{"q": "?", "key": answer, **cells}])
    named = Columns("q", tuple(columns), "key", answer_is)
    right = {"A": "aa", "C": "cc", "c": "cc", "D": "dd"}.get(str(answer))
    if columns[0] == "one" or right is None or answer_is not in ("", "letter"):
        message = refusal("table", file, columns=named)
        assert message.startswith(f"{file}, row 1: the answer {answer!r} ")
    else:
        (row,) = imported("table", file, columns=named)
        assert row["answer"] == right and row["options"] == ["aa", "cc", "dd"]


@pytest.mark.parametrize(
    ("options", "good"),
    [
        (["A. x", "B. y", "C. z"], True),
        (["A. Copland", "A. Dvorak", "B. Britten"], True),
        (["B. x", "A. y", "C. z"], False),
        (["(b) x", "(a) y"], False),
    ],
)
def test_options_with_letters_in_another_order_are_not_read_by_place(
    tmp_path: Path, options: list[str], good: bool
) -> None:
    file = lines(tmp_path, [table(choices=options, key="A")])
    if good:
        (row,) = imported("table", file, columns=PLAIN)
        assert row["answer"] == options[0]
    else:
        assert "carry letters of their own, in another order" in refusal(
            "table", file, columns=PLAIN
        )


def test_a_gap_does_not_hide_an_answer_in_words(tmp_path: Path) -> None:
    cells = {"one": "aa", "two": "", "three": "cc"}
    file = lines(tmp_path, [{"q": "?", "key": "cc", **cells}])
    (row,) = imported("table", file, columns=Columns("q", tuple(cells), "key"))
    assert row["answer"] == "cc" and row["target"] == "B"


def test_the_label_of_an_empty_option_is_not_the_text_of_another(tmp_path: Path) -> None:
    for options in ({"A": "C", "B": None, "C": "B"}, {"A": "B", "C": "D", "B": ""}):
        file = lines(tmp_path, [table(choices=options, key="B")])
        assert "row 1: the answer 'B' may name two" in refusal("table", file, columns=PLAIN)


@pytest.mark.parametrize(
    ("options", "answer", "right"),
    [
        ({"A": "aa", "B": None, "C": "cc", "D": "dd"}, "C", "cc"),
        ({"B": "bb", "C": "cc", "D": "dd"}, "C", "cc"),
        ({"B": "bb", "C": "cc", "D": "dd"}, "A", None),
        ({"b": "bb", "a": "aa", "c": "cc"}, "A", "aa"),
        ({"1": "one", "2": "two", "3": "thr"}, "2", None),
        ({"1": "one", "2": "two", "3": "thr"}, 2, None),
        ({"0": "one", "1": "two", "2": "thr"}, "2", None),
        ({"1": "one", "2": "two", "3": "thr"}, "3", "thr"),
        ({"option_b": "bb", "option_a": "aa", "option_c": "cc"}, "A", "aa"),
        ({"option_b": "bb", "option_a": "aa", "option_c": "cc"}, "option_a", "aa"),
        ({"x": "one", "y": "two", "z": "thr"}, "B", None),
    ],
)
@pytest.mark.parametrize("write", [lines, parquet])
def test_a_mapping_s_keys_are_its_options_labels(
    tmp_path: Path, write: Any, options: Row, answer: object, right: str | None
) -> None:
    file = write(tmp_path, [table(choices=options, key=answer)])
    if right is None:
        message = refusal("table", file, columns=PLAIN)
        assert message.startswith(f"{file}, row 1: the answer {answer!r} ")
    else:
        (row,) = imported("table", file, columns=PLAIN)
        assert row["answer"] == right


@pytest.mark.parametrize("write", [lines, parquet])
def test_a_label_decides_where_the_caller_says_that_it_is_one(tmp_path: Path, write: Any) -> None:
    file = write(tmp_path, [table(choices={"1": "one", "2": "two", "3": "thr"}, key=2.0)])
    (row,) = imported("table", file, columns=said("label"))
    assert row["answer"] == "two"


def test_a_column_s_number_is_not_an_index(tmp_path: Path) -> None:
    cells = {"choice1": "cause", "choice2": "effect"}
    file = lines(tmp_path, [{"q": "?", "key": 1, **cells}])
    message = refusal("table", file, columns=Columns("q", tuple(cells), "key"))
    assert "may name two options: say what it is (label, index, number)" in message
    (row,) = imported("table", file, columns=Columns("q", tuple(cells), "key", "index"))
    assert row["answer"] == "effect"


@pytest.mark.parametrize(
    "options",
    [
        {"A": "aa", "C": "cc", "D": "dd"},
        {"B": "bb", "A": "aa", "C": "cc"},
        {"1": "one", "3": "thr", "4": "fou"},
        {"A": None, "B": None},
    ],
)
@pytest.mark.parametrize("answer_is", ["index", "number"])
def test_nothing_is_counted_where_labels_are_missing_or_out_of_order(
    tmp_path: Path, options: Row, answer_is: str
) -> None:
    file = lines(tmp_path, [table(choices=options, key=1)])
    assert "row 1: the answer 1 names an empty" in refusal("table", file, columns=said(answer_is))


def test_a_mapping_keeps_its_order_and_ten_comes_after_two(tmp_path: Path) -> None:
    numbers = {str(number): f"no {number}" for number in (10, 2, 1, 3, 4, 5, 6, 7, 8, 9)}
    words = {"low": "x", "high": "y", "mid": "z"}
    rows = [table(choices=numbers, key="no 10"), table(choices=words, key="high")]
    first, second = imported("table", lines(tmp_path, rows), columns=PLAIN)
    assert first["options"] == [f"no {number}" for number in range(1, 11)]
    assert first["target"] == "J"
    assert second["options"] == ["x", "y", "z"] and second["target"] == "B"


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["A", "B", "C"], ("A", "B", "C")),
        (["option_a", "option_b"], ("a", "b")),
        (["option1", "option2", "option10"], ("1", "2", "10")),
        (["option10", "option11"], ("10", "11")),
        (["a_text", "b_text"], ("a", "b")),
        (["one", "two"], ()),
        (["right", "wrong1"], ()),
        ([], ()),
    ],
)
def test_labels_are_what_tells_names_apart(names: list[str], labels: tuple[str, ...]) -> None:
    assert short_labels(names) == labels


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("set.csv", "q,A,B,A,key\n?,aa,bb,cc,A\n"),
        ("set.jsonl", '{"q": "?", "A": "aa", "B": "bb", "A": "cc", "key": "A"}\n'),
    ],
)
def test_of_two_columns_of_a_name_none_is_lost(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    message = refusal("table", tmp_path / name, columns=Columns("q", ("A", "B"), "key"))
    assert message.endswith("it has 'A' twice") and "row 1" in message or "header" in message


def test_of_two_options_of_a_label_none_is_lost(tmp_path: Path) -> None:
    file = lines(tmp_path, [table(choices='{"A": "aa", "B": "bb", "A": "cc"}', key="A")])
    assert refusal("table", file, columns=PLAIN).endswith("row 1: it has 'A' twice")
    file = lines(tmp_path, [{"q": "?", "A": "aa", "B": "bb", "key": "C"}])
    twice = Columns("q", ("A", "A", "B"), "key")
    assert "is named twice" in refusal("table", file, columns=twice)


def test_columns_without_a_name_may_be_several(tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_text("q,A,B,key,,\n?,aa,bb,B,,\n", encoding="utf-8")
    columns = Columns("q", ("A", "B"), "key")
    (row,) = imported("table", tmp_path / "set.csv", columns=columns)
    assert row["answer"] == "bb"


def test_csv_with_one_column_an_option_and_empty_cells(tmp_path: Path) -> None:
    file = tmp_path / "quiz.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as cells:
        writer = csv.writer(cells)
        writer.writerow(["q", "one", "two", "three", "key", "abc", "kind"])
        writer.writerow(["What,\nnow?", "this", "that", "", "2", "K:C\nCDE", "Two words"])
        writer.writerow(["Alone?", "1", "2", "3", "C", "", "Two words"])
    names = Columns("q", ("one", "two", "three"), "key", "", "abc", "abc", "", "kind")
    assert "row 1: the answer '2' may name two" in refusal("table", file, columns=names)
    names = Columns("q", ("one", "two", "three"), "key", "letter", "abc", "abc", "", "kind")
    assert "row 1: the answer '2' names none" in refusal("table", file, columns=names)
    made = import_file("table", file, tmp_path / "out", columns=names, skip_bad=True)
    assert len(made.left_out) == 1
    (row,) = read_rows(tmp_path / "out")
    assert (row["task"], row["category"], row["answer"]) == ("quiz/two_words", "two_words", "3")


def test_csv_with_the_options_as_json(tmp_path: Path) -> None:
    file = tmp_path / "quiz.csv"
    file.write_text('q,choices,key\nWhich?,"[""this"", ""that""]",B\n', encoding="utf-8")
    (row,) = imported("table", file, columns=PLAIN)
    assert row["options"] == ["this", "that"] and row["answer"] == "that"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (table(key="neither"), "the answer 'neither' names none of its 3 options"),
        (table(key=3), "the answer 3 names none"),
        (table(key=-1), "the answer -1 names none"),
        (table(key=None), "the answer None names none"),
        (table(choices=["same", "same"], key="A"), "two of its options are the same"),
        (table(choices=["a b", " a  b"], key="A"), "two of its options are the same"),
        (table(choices=["one"], key="A"), "it has 1 options"),
        (table(choices={"A": None, "B": ""}, key="A"), "the answer 'A' names an empty option"),
        (table(choices=["this", float("nan")], key="A"), "its option 2 is no text but nan"),
        (table(choices=[str(n) for n in range(27)], key="x"), "it has 27 options"),
        (table(choices="this or that"), "its choices are no list"),
        (table(choices=["this", None], key=0), "its option 2 is no text"),
        (table(choices=["this", " "], key="A"), "an option is empty"),
        (table(q=" "), "the question is empty"),
        (table(q=None), "its q is no text"),
        ({"q": "?", "key": 1}, "it lacks the column choices"),
        ({"q": "?", "choices": ["a", "b"]}, "it lacks the column key"),
        ({"choices": ["x", "y"], "key": 1}, "it lacks the column q"),
    ],
)
def test_a_bad_row_is_named_with_its_file(tmp_path: Path, row: Row, said: str) -> None:
    file = lines(tmp_path, [table(), row])
    message = refusal("table", file, columns=PLAIN)
    assert message.startswith(f"{file}, row 2: ") and said in message and "\n" not in message


@pytest.mark.parametrize(
    "row",
    [table(q="What is \ud83d?"), table(choices=["this", "that", "\ud83d"])]
    + [table(choices=r'["this", "that", "\ud83d"]')],
)
def test_half_a_character_is_a_fault_of_its_row(tmp_path: Path, row: Row) -> None:
    file = lines(tmp_path, [table(), row])
    message = refusal("table", file, columns=PLAIN)
    assert message.startswith(f"{file}, row 2: ") and "surrogates not allowed" in message
    made = import_file("table", file, tmp_path / "out", columns=PLAIN, skip_bad=True)
    assert (made.manifest.rows, len(made.left_out)) == (1, 1)


def test_options_that_are_nested_without_end_are_a_fault_of_their_row(tmp_path: Path) -> None:
    file = lines(tmp_path, [table(choices="[" * 100_000)])
    assert refusal("table", file, columns=PLAIN) == f"{file}, row 1: its choices are no list"


def test_why_no_row_was_left_is_said(tmp_path: Path) -> None:
    file = lines(tmp_path, [table(key="x"), table(key="y")])
    message = refusal("table", file, columns=PLAIN, skip_bad=True)
    assert "holds no questions that can be used" in message and "row 1: the answer 'x'" in message


def test_json_lines_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text(f"{json.dumps(table())}\r\n", encoding="utf-8-sig", newline="")
    (row,) = imported("table", file, columns=PLAIN)
    assert row["answer"] == "that"


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("../secret.png", "does not lie beside the file"),
        ("/etc/hostname", "does not lie beside the file"),
        ("missing.png", "No such file"),
        ("a\0.png", "no file has such a name"),
        ("note.txt", "neither PNG nor JPEG"),
    ],
)
def test_a_picture_is_not_fetched_from_elsewhere(tmp_path: Path, shown: str, said: str) -> None:
    (tmp_path / "secret.png").write_bytes(picture(1))
    place = tmp_path / "set"
    place.mkdir()
    (place / "note.txt").write_text("no picture")
    columns = Columns("q", ("choices",), "key", image="shown")
    assert said in refusal("table", lines(place, [table(shown=shown)]), columns=columns)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("set.xlsx", b"", "ends in none of .jsonl"),
        ("set.jsonl", b'{"q": 1}\n{', "row 2: not JSON"),
        ("set.jsonl", b"[1]\n", "row 1: not a JSON object"),
        ("set.jsonl", b"[" * 100_000, "row 1: not JSON"),
        ("set.jsonl", b"\xff\n", "not UTF-8"),
        ("set.jsonl", b"", "holds no questions"),
        ("set.csv", b"q,choices,key\na,b\n", "row 1: not as many cells"),
        ("set.parquet", b"PAR1", "is not Parquet"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    message = refusal("table", tmp_path / name, columns=Columns("q", ("q",), "q"))
    assert said in message or "row 1" in message and said.startswith("row 2")
    assert "\n" not in message


# The command


def test_the_command_imports_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = lines(tmp_path, [table(), table(key="none")])
    words = ["import", "table", str(file), "--out", str(tmp_path / "out"), "--name", "My quiz"]
    words += ["--question", "q", "--options", "choices", "--answer", "key"]
    assert run(words) == 2
    assert "row 2: the answer 'none'" in capsys.readouterr().err
    assert run([*words, "--skip-bad", "--json"]) == 0
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert (record["suite"], record["rows"], record["left_out"]) == ("my_quiz", 1, 1)
    assert err == f"left out: {file}, row 2: the answer 'none' names none of its 3 options\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "there are: music_theory_bench, ssmr_bench, table"),
        (["table"], "takes --question, --options and --answer"),
        (["table", "--question", "q"], "takes --question, --options and --answer"),
        (["ssmr_bench", "--question", "q", "--options", "o", "--answer", "a"], "name none"),
        (["ssmr_bench", "--name", "sheet_music"], "give another --name"),
    ],
)
def test_bad_words_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    file = lines(tmp_path, [ssmr()])
    layout, *more = words
    assert run(["import", layout, str(file), "--out", str(tmp_path / "out"), *more]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
