from __future__ import annotations

import io
import json
import sys

import pytest

from benchgen import console


def test_control_characters_never_reach_the_terminal() -> None:
    assert console.visible("a\x1b[31mb\x07\r") == "a\\x1b[31mb\\x07\\r"
    assert console.visible("one\n\ttwo ♭ é") == "one\n\ttwo ♭ é"


def test_elsewhere_than_on_a_terminal_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with console.progress("synth x", "shards") as update:
        for done in range(1, 101):
            now += 0.2
            update(done, 100)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[-1] == "synth x: 100 of 100 shards"
    assert len(lines) <= 100 * 0.2 / console.SECONDS_BETWEEN_LINES + 1


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("x", "shards", quiet=True) as update:
        update(1, 1)
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_progress_is_a_bar_that_goes_away_and_needs_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", screen)
    before = threading.active_count()
    with console.progress("synth [red]x", "shards") as update:
        update(3, 7)
        assert threading.active_count() == before
        assert "synth [red]x" in screen.getvalue()
        assert "3/7" in screen.getvalue()
    assert screen.getvalue().rstrip("\r\n").endswith("\x1b[2K")


def test_json_is_one_object_and_keeps_letters(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"name": "Für Elise ♭"})
    out = capsys.readouterr().out
    assert "♭" in out
    assert json.loads(out) == {"name": "Für Elise ♭"}
