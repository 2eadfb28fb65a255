"""What README shows works as it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import benchgen.sheet_music.tasks
from benchgen import task as tasks

README = (Path(__file__).parents[1] / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def note_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """README's task, found by looking as any other."""
    (source,) = [block for block in _blocks("python") if "TASK = Task(" in block]
    (tmp_path / "note_name.py").write_text(source)
    package = benchgen.sheet_music.tasks
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    tasks.task_modules.cache_clear()
    yield "sheet_music/note_name"
    monkeypatch.undo()
    tasks.task_modules.cache_clear()
    tasks.find_task.cache_clear()


def test_the_task_of_readme_is_found_and_fair(note_name: str) -> None:
    assert note_name in tasks.list_tasks("sheet_music")
    task = tasks.find_task(note_name)
    for level in task.levels:
        count = tasks.capacity(note_name, level, "train")
        assert count > 20
        for index in range(count):
            problem = tasks.make(note_name, split="train", index=index, level=level)
            made = tasks.twins(problem)
            assert len({twin.content_key for twin in made}) == 4
            for twin in made:
                assert task.ignoring(twin, "") == twin.answer
                for feature in task.features[:level]:
                    assert any(task.ignoring(twin, s) != twin.answer for s in feature.split("|"))


def test_the_python_of_readme_runs() -> None:
    (source,) = [block for block in _blocks("python") if "benchgen.make(" in block]
    exec(compile(source, "README.md", "exec"), {})  # noqa: S102  our own page


def test_the_item_shown_is_the_item_made() -> None:
    problem = tasks.make("sheet_music/chord_root", split="test", seed=7, index=2, level=3)
    assert problem.text().strip() in README
    assert f"key: {problem.target} ({problem.answer})" in README
    assert problem.solution is not None
    assert problem.solution in README.replace("\n", " ")
    assert problem.images()[0] == (Path(__file__).parents[1] / "docs/problem.png").read_bytes()
