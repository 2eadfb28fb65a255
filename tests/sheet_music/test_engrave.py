"""What is drawn is whole, legible and the same everywhere."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchgen.sheet_music.engrave import engrave_svg, rasterise, render_png
from benchgen.sheet_music.score import CLEFS, Event, Note, Score

SPACE = 16
LINE = 2
Gray = NDArray[np.uint8]


def note(name: str) -> Note:
    signs = {"": None, "bb": -2, "b": -1, "n": 0, "#": 1, "x": 2}
    return Note(name[0], int(name[-1]), signs[name[1:-1]])


def event(names: str, value: int = 4, **fields: Any) -> Event:
    return Event(tuple(note(name) for name in names.split()), value, **fields)


def scale(first: int, *, signs: str = "", down: bool = False) -> tuple[Event, ...]:
    steps = [first + (7 - n if down else n) for n in range(8)]
    return tuple(
        event(f"{'CDEFGAB'[step % 7]}{signs}{step // 7}", 8, beam=n % 4 != 3)
        for n, step in enumerate(steps)
    )


CHORD = Score(((event("C4 Eb4 G4", 1, accent=True, above="minor"),),), fifths=2)
SCALES = Score(
    (scale(28), scale(35, signs="bb"), scale(30, signs="x", down=True), scale(26, down=True)),
    fifths=-7,
    meter=(4, 4),
    bars_per_system=2,
)
EVERYTHING = Score(
    (
        (
            event("Cbb4 Db4", 2, accent=True, above="half-diminished seventh"),
            event("En5", 8),
            event("F#4", 8),
            event("Gx5", 16),
            event("A4", 16),
            event("B4 C5 D5", 4, dots=1),
            event("C7", 1, accent=True),
        ),
        (
            event("", 1),
            event("", 2),
            event("", 4),
            event("", 8, dots=1),
            event("", 16),
            *(event("G5 B5", 8, tuplet=3, beam=n < 2) for n in range(3)),
            *(event("C4", 4, tuplet=3, accent=True) for _ in range(3)),
        ),
    ),
    fifths=5,
    meter=(12, 8),
    bars_per_system=1,
)
CROWDED = Score(
    tuple(
        (event("A5 C6 E6", 4, accent=True, above="augmented-major seventh"), event("C4", 4))
        for _ in range(4)
    ),
    meter=(2, 4),
    bars_per_system=2,
)
SCORES = {
    "chord": CHORD,
    "scales": SCALES,
    "everything": EVERYTHING,
    "crowded": CROWDED,
    **{
        f"{clef} {fifths}": Score(((event("C4 E4 G4", 2), event("F5")),), fifths, clef)
        for clef in CLEFS
        for fifths in (7, -7)
    },
}
every_score = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES.keys())


def pixels(png: bytes) -> Gray:
    with Image.open(BytesIO(png)) as image:
        assert image.mode == "L"
        return np.asarray(image)


def digest(scores: list[Score]) -> str:
    return hashlib.sha256(b"".join(render_png(score) for score in scores)).hexdigest()


@every_score
def test_nothing_touches_the_edge(score: Score) -> None:
    gray = pixels(render_png(score))
    inner = gray[SPACE:-SPACE, SPACE:-SPACE]
    assert (inner < 128).any()
    frame = gray.copy()
    frame[SPACE:-SPACE, SPACE:-SPACE] = 255
    assert (frame == 255).all()


@every_score
def test_pictures_are_neither_tiny_nor_huge(score: Score) -> None:
    height, width = pixels(render_png(score)).shape
    assert 200 <= width <= 1250 and 150 <= height <= 800


def test_staff_lines_are_two_pixels_thick_and_a_staff_space_is_sixteen() -> None:
    gray = pixels(render_png(Score(((event("B4", 1),),))))
    # A column inside the staff, right of the note, crosses the five lines only.
    columns = [x for x in range(gray.shape[1]) if (gray[:, x] < 128).any()]
    ink = (255.0 - gray[:, columns[-1] - 40]) / 255
    rows = np.flatnonzero(ink)
    lines = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    assert len(lines) == 5
    assert [ink[line].sum() for line in lines] == pytest.approx([LINE] * 5, abs=0.05)
    centres = [np.average(line, weights=ink[line]) for line in lines]
    assert np.diff(centres) == pytest.approx([SPACE] * 4, abs=0.05)


def test_the_staff_ends_at_the_last_bar_line() -> None:
    for system in engrave_svg(SCALES).split('class="system"')[1:]:
        lines = re.findall(r'<path d="M\d+ (\d+) L(\d+) \1" stroke-width="20"', system)
        staff_end = max(int(end) for _, end in lines)
        strokes = re.findall(r'<path d="M(\d+) \d+ L\1 \d+" stroke-width="(\d+)"', system)
        bar_line = max(int(x) + int(width) / 2 for x, width in strokes)
        assert staff_end == pytest.approx(bar_line, abs=10 * LINE)


@every_score
def test_the_drawing_needs_nothing_outside_itself(score: Score) -> None:
    svg = engrave_svg(score)
    for forbidden in ("<text", "<tspan", "font", "style", "currentColor", "url(", "<image", "%"):
        assert forbidden not in svg
    assert set(re.findall(r'href="([^"]+)"', svg)) == {
        f"#{name}" for name in re.findall(r'<g id="([0-9A-F]{4}-\w+)"', svg)
    }


def test_words_and_bar_numbers_are_outlines_with_their_text_beside_them() -> None:
    svg = engrave_svg(EVERYTHING)
    texts = re.findall(r'class="(\w+)[^"]*"><g class="text" data-text="([^"]*)"', svg)
    assert sorted(texts) == [("harm", "half-diminished seventh"), ("mNum", "1"), ("mNum", "2")]
    assert "data-text" not in engrave_svg(Score(((event("B4", 1),),)))


def test_a_word_is_data_and_never_markup() -> None:
    word = '<b onclick="x">&amp;\''
    svg = engrave_svg(Score(((event("B4", 1, above=word),),)))
    assert "<b " not in svg
    assert 'data-text="&lt;b onclick=&quot;x&quot;&gt;&amp;amp;&#x27;"' in svg


GLYPHS = {
    "treble clef": "E050",
    "sharp": "E262",
    "flat": "E260",
    "natural": "E261",
    "double sharp": "E263",
    "double flat": "E264",
    "whole head": "E0A2",
    "half head": "E0A3",
    "black head": "E0A4",
    "eighth flag": "E241",
    "sixteenth flag": "E243",
    "accent above": "E4A0",
    "accent below": "E4A1",
    "whole rest": "E4E3",
    "half rest": "E4E4",
    "quarter rest": "E4E5",
    "eighth rest": "E4E6",
    "sixteenth rest": "E4E7",
    "triplet": "E883",
    "meter 1": "E081",
    "meter 2": "E082",
    "meter 8": "E088",
}


@pytest.mark.parametrize("code", GLYPHS.values(), ids=GLYPHS.keys())
def test_every_glyph_puts_ink_on_the_picture(code: str) -> None:
    svg = engrave_svg(EVERYTHING)
    whole = pixels(rasterise(svg)) < 128
    without, count = re.subn(rf'<use xlink:href="#{code}-[^>]*/>', "", svg)
    assert count
    gone = whole & ~(pixels(rasterise(without)) < 128)
    assert gone.sum() >= 10 * count


@pytest.mark.parametrize(("clef", "code"), [("treble", "E050"), ("bass", "E062"), ("alto", "E05C")])
def test_the_clef_is_drawn(clef: str, code: str) -> None:
    assert f'class="clef"><use xlink:href="#{code}-' in engrave_svg(Score(((),), clef=clef))


@pytest.mark.parametrize(
    "shape", [r"<ellipse[^>]*/>", r"<polygon[^>]*/>", r"<polyline[^>]*/>", r"<path d=\"M[^>]*/>"]
)
def test_dots_beams_brackets_and_lines_put_ink_on_the_picture(shape: str) -> None:
    svg = engrave_svg(EVERYTHING)
    without, count = re.subn(shape, "", svg)
    assert count
    assert (pixels(rasterise(svg)) < 128).sum() > (pixels(rasterise(without)) < 128).sum()


def test_bar_numbers_and_words_keep_clear_of_everything_else() -> None:
    svg = engrave_svg(CROWDED)
    one_text = re.compile(r'<g class="text".*?</g>')
    names = one_text.findall(svg)
    assert len(names) == 8
    rest = pixels(rasterise(one_text.sub("", svg))) < 200
    taken = grown(rest, 1)
    for place in range(len(names)):
        others = iter(range(len(names)))
        kept = one_text.sub(
            lambda found: found[0] if next(others) == place else "",  # noqa: B023
            svg,
        )
        ink = (pixels(rasterise(kept)) < 200) & ~rest
        assert ink.sum() > 20
        assert not (ink & taken & ~grown(rest, 0)).any()
        taken |= grown(ink, 2)


def grown(ink: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    out = ink.copy()
    for dy in range(-by, by + 1):
        for dx in range(-by, by + 1):
            out |= np.roll(ink, (dy, dx), (0, 1))
    return out


def with_resvg(svg: str) -> Gray:
    resvg = pytest.importorskip("resvg")
    tree = resvg.usvg.Tree.from_str(svg, resvg.usvg.Options.default())
    png = resvg.render(tree, (1, 0, 0, 0, 1, 0), bg_size=tree.int_size())
    return flat(bytes(png))


def with_cairo(svg: str) -> Gray:
    try:
        import cairosvg
    except (ImportError, OSError):
        pytest.skip("cairosvg or libcairo2 is not there")
    return flat(cairosvg.svg2png(svg.encode()))


def flat(png: bytes) -> Gray:
    with Image.open(BytesIO(png)) as image:
        rgba = image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    ground.alpha_composite(rgba)
    return np.asarray(ground.convert("L"))


@pytest.mark.parametrize("draw", [with_resvg, with_cairo])
@every_score
def test_other_rasterisers_draw_the_same_ink(draw: Callable[[str], Gray], score: Score) -> None:
    svg = engrave_svg(score)
    ours, theirs = pixels(rasterise(svg)) < 128, draw(svg) < 128
    assert ours.shape == theirs.shape
    assert (ours & grown(theirs, 1)).sum() >= 0.995 * ours.sum()
    assert (theirs & grown(ours, 1)).sum() >= 0.995 * theirs.sum()


CHILD = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from test_engrave import SCORES, digest
print(digest(list(SCORES.values())))
"""


def in_child(code: str, tmp_path: Path, **environment: str) -> str:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": root, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "arning" not in done.stderr
    return done.stdout.strip()


def test_bytes_are_the_same_in_another_process_without_any_system_font(tmp_path: Path) -> None:
    code = CHILD.format(tests=str(Path(__file__).parent))
    empty = tmp_path / "fonts.conf"
    empty.write_text("<fontconfig></fontconfig>")
    found = in_child(
        code,
        tmp_path,
        PYTHONHASHSEED="7",
        FONTCONFIG_FILE=str(empty),
        FONTCONFIG_PATH=str(tmp_path),
        HOME=str(tmp_path),
        LC_ALL="C",
    )
    assert found == digest(list(SCORES.values()))


def test_bytes_do_not_depend_on_what_was_drawn_before() -> None:
    names = list(SCORES.values())
    forwards = [render_png(score) for score in names]
    assert [render_png(score) for score in reversed(names)] == forwards[::-1]


def test_threads_draw_what_the_main_thread_draws() -> None:
    expected = digest(list(SCORES.values()))
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(digest(list(SCORES.values()))))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3


MEMORY = """
import sys
sys.path.insert(0, {tests!r})
from test_engrave import CHORD, SCALES
from benchgen.sheet_music.engrave import render_png
def pages():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])
def draw(count):
    for _ in range(count):
        render_png(CHORD)
        render_png(SCALES)
draw(100)
before = pages()
draw(300)
print((pages() - before) * 4096)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages in /proc")
def test_memory_stays_flat(tmp_path: Path) -> None:
    grown_by = int(in_child(MEMORY.format(tests=str(Path(__file__).parent)), tmp_path))
    # 600 pictures of up to half a million pixels; one leaked a picture would be 150 MB.
    assert grown_by < 3_000_000


def test_what_is_no_drawing_is_refused() -> None:
    with pytest.raises(ValueError, match="not an SVG"):
        rasterise("no drawing")
