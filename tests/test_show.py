from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from benchgen.errors import InputError
from benchgen.seeding import SPLITS
from benchgen.show import capacities, item_record, save_picture, show_item
from benchgen.task import capacity, make

TASK = "sheet_music/interval_name"


def test_an_item_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    problem = make(TASK, split="test", seed=1, index=2, level=1)
    show_item(problem, None)
    shown = capsys.readouterr().out
    assert problem.question in shown
    assert problem.text().rstrip() in shown
    for letter, option in zip("ABCD", problem.options or (), strict=True):
        assert f"{letter}. {option}\n" in shown
    assert f"key: {problem.target} ({problem.answer})" in shown
    assert problem.solution is not None and problem.solution in shown
    assert "\x1b" not in shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_brackets_of_the_notation_are_not_taken_for_markup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = make("sheet_music/chord_completion", split="test", seed=1, index=2, level=1)
    assert "[" in problem.text()
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stdout", screen)
    show_item(problem, None)
    assert "\x1b[" in screen.getvalue()
    for line in problem.text().rstrip().splitlines():
        assert line in screen.getvalue()


def test_the_record_holds_what_a_machine_needs() -> None:
    problem = make(TASK, split="test", seed=1, index=2, level=1)
    record = item_record(problem, Path("x.png"))
    assert record["target"] == problem.target and record["answer"] == problem.answer
    assert record["text"] == problem.text() and record["picture"] == "x.png"


def test_the_picture_is_the_items(tmp_path: Path) -> None:
    problem = make(TASK, split="test", seed=1, index=2, level=1)
    save_picture(problem, tmp_path / "item.png")
    assert (tmp_path / "item.png").read_bytes() == problem.images()[0]
    with pytest.raises(InputError, match="cannot write"):
        save_picture(problem, tmp_path / "nowhere" / "item.png")


@pytest.mark.slow
def test_capacities_are_those_that_count_is_held_to() -> None:
    records = capacities("sheet_music")
    assert len(records) == 9
    for record in records:
        assert [level["level"] for level in record["levels"]] == [1, 2, 3, 4]
        for level in record["levels"]:
            assert list(level["capacity"]) == list(SPLITS)
            for split, number in level["capacity"].items():
                assert number == capacity(record["task"], level["level"], split) > 0
