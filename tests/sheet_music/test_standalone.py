"""What Verovio writes becomes an SVG that needs nothing but itself."""

from __future__ import annotations

import pytest

from benchgen.sheet_music.standalone import standalone

TEXT = (
    '<g id="{name}" class="{kind}"><text x="{x}" y="{y}" text-anchor="middle" font-size="0px" '
    'font-family="Times"><tspan id="t{name}" class="text"><tspan font-size="320px">{words}'
    "</tspan></tspan></text></g>"
)


def drawing(*systems: str) -> str:
    inner = "".join(
        f'<g id="s{n}" class="system">{content}</g>' for n, content in enumerate(systems)
    )
    return (
        '<svg width="10mm" height="5mm" xmlns="x" id="a"><desc>Engraved by Verovio</desc>'
        '<svg class="definition-scale" color="black" viewBox="0 0 4005 1998">'
        f'<g class="page-margin" transform="translate(240, 240)">{inner}</g></svg></svg>'
    )


def text(name: str, kind: str, x: int, y: int, words: str) -> str:
    return TEXT.format(name=name, kind=kind, x=x, y=y, words=words)


def test_a_drawing_of_another_shape_is_refused_rather_than_half_drawn() -> None:
    with pytest.raises(RuntimeError, match="another shape"):
        standalone('<svg xmlns="http://www.w3.org/2000/svg"></svg>')


def test_size_is_rounded_up_to_whole_pixels() -> None:
    assert 'width="401" height="200" viewBox="0 0 4010 2000"' in standalone(drawing(""))


def test_strokes_are_black_without_a_style_sheet() -> None:
    line = '<path d="M0 0 L9 0" stroke-width="20" stroke="currentColor"/>'
    assert 'stroke-width="20" stroke="#000"' in standalone(drawing(line))


def test_words_are_outlined_and_still_known() -> None:
    svg = standalone(drawing(text("a", "harm", 900, 100, "&#160;half &amp; &lt;whole&gt;&#160;")))
    assert 'class="harm"><g class="text" data-text="half &amp; &lt;whole&gt;" ' in svg
    assert "<text" not in svg and "tspan" not in svg and "font" not in svg


def test_a_number_over_words_moves_above_them_and_all_below_moves_down() -> None:
    first = text("a", "mNum", 0, 500, "1") + text("b", "harm", 2000, 500, "minor")
    second = text("c", "mNum", 1900, 1500, "2") + text("d", "harm", 2000, 1490, "minor")
    third = text("e", "mNum", 0, 2500, "3")
    svg = standalone(drawing(first, second, third))
    assert '<g id="s0" class="system">' in svg
    assert '<g id="s1" class="system" transform="translate(0, 260)">' in svg
    assert '<g id="s2" class="system" transform="translate(0, 260)">' in svg
    baselines = [
        part.split(")")[0].split(", ")[1] for part in svg.split('transform="translate(')[1:]
    ]
    assert baselines == ["240", "500", "500", "260", "1226", "1490", "260", "2500"]
    assert 'viewBox="0 0 4010 2260"' in svg


def test_a_number_over_a_sign_moves_above_it() -> None:
    flat = '<use xlink:href="#E260-a" transform="translate(1950, 480) scale(0.64, 0.64)"/>'
    svg = standalone(drawing(text("a", "mNum", 2000, 500, "2") + flat))
    assert 'data-text="2" transform="translate(1920.0, 140) ' in svg
    assert '<g id="s0" class="system" transform="translate(0, 260)">' in svg


def test_a_number_beside_words_stays() -> None:
    pair = text("a", "mNum", 0, 500, "1") + text("b", "harm", 3000, 500, "minor")
    assert "translate(0, 260)" not in standalone(drawing(pair))
