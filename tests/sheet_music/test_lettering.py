"""Words become outlines of the face by which the engraver spaces them."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from benchgen.sheet_music.lettering import letter, units_per_em


def test_widths_are_those_the_engraver_spaces_with() -> None:
    table = files("verovio").joinpath("data", "text", "Times.xml").read_text(encoding="utf-8")
    widths = {
        chr(int(code, 16)): float(width)
        for code, width in re.findall(r'<g c="([0-9A-F]+)"[^>]*h-a-x="([0-9.]+)"', table)
    }
    assert units_per_em() == 2048
    spaced = [c for c in "abcdefghijklmnopqrstuvwxyz0123456789-/,. " if c in widths]
    assert len(spaced) > 35
    for character in spaced:
        assert letter(character).width == pytest.approx(widths[character], abs=1)


def test_a_line_is_its_letters_side_by_side() -> None:
    line = letter("ab")
    assert line.width == letter("a").width + letter("b").width
    assert line.path.startswith(letter("a").path)
    assert line.path.count("Z") == letter("a").path.count("Z") + letter("b").path.count("Z")


def test_a_space_has_width_and_no_ink() -> None:
    assert letter(" ").path == "" and letter(" ").width > 0


def test_a_character_without_a_glyph_is_not_dropped_in_silence() -> None:
    with pytest.raises(ValueError, match="no glyph"):
        letter("major \U0001d12a")
