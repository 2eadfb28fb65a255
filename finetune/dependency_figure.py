"""The dependency map as a picture: a reply, its picture, and what its words were read from.

Conventions
-----------
* A word is shaded by its mean S under the random masks of VPPO, the darkest the largest. The
  tokens of which S is largest with one square black are shown each over a copy of the picture,
  the squares shaded by S; each copy has a scale of its own.
* Words are untrusted: they are drawn letter by letter as outlines, and none is read as a formula.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from benchgen.errors import InputError
from finetune.drawing import COLOURS, INK, PAPER, RULE, SOFT, look, page, picture_bytes

WIDTH = 760
EDGE, TOP, GAP = 18, 88, 26
LARGE, COPY = 220, 148
LETTER, LINE, SIZE = 7.4, 26, 9.2
"""A letter's width and a line's height in pixels; the font's size in points of 96ths."""
CHOSEN = 4
NUMBER = "{:.2g}"


@dataclass(frozen=True, slots=True)
class DependencyMap:
    """What ``map.json`` of a study of pictures holds, read and checked.

    ``single`` is ``[T, rows, columns]``, ``mean`` ``[T]``; ``patch`` is in pixels.

    Raises
    ------
    InputError
        A part is missing, or two do not belong together.
    """

    problem: str
    right: bool
    patch: int
    picture: Any
    tokens: tuple[str, ...]
    single: Any
    mean: Any

    @staticmethod
    def of(record: Mapping[str, Any]) -> DependencyMap:
        """The map of a record."""
        try:
            picture = Image.open(io.BytesIO(base64.b64decode(record["picture"]))).convert("L")
            single = np.array(record["single"], dtype=float)
            mean = np.array(record["random"], dtype=float)
            tokens = tuple(str(token) for token in record["tokens"])
            patch = int(record["patch"])
            rows, columns = (-(-side // patch) for side in picture.size[::-1])
            if single.shape != (len(tokens), rows, columns) or mean.shape != (len(tokens),):
                raise ValueError("its parts have other shapes than its picture and tokens")
            return DependencyMap(
                str(record["problem"]), bool(record["right"]), patch, picture, tokens, single, mean
            )
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
            raise InputError(f"no map of dependencies: {error}") from None


def chosen_tokens(found: DependencyMap) -> list[int]:
    """The places of the tokens that are shown over the picture, in the order of the reply.

    Those with the largest S with one square black, of each word the first such.
    """
    peaks = found.single.reshape(len(found.tokens), -1).max(1)
    taken: dict[str, int] = {}
    for place in np.argsort(-peaks, kind="stable"):
        taken.setdefault(found.tokens[place].strip(), int(place))
        if len(taken) == CHOSEN:
            break
    return sorted(taken.values())


def draw_dependencies(found: DependencyMap) -> bytes:
    """An SVG of the map."""
    chosen = chosen_tokens(found)
    left = EDGE + LARGE + GAP
    placed, lines = _flow(found.tokens, int((WIDTH - left - EDGE) / LETTER))
    middle = TOP + max(LARGE, LINE * lines) + 46
    height = middle + COPY + 56
    with look():
        figure = page(WIDTH, height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(height, 0)
        axes.set_axis_off()
        axes.text(EDGE, 28, "What the words hang on", size=13, weight="bold", va="baseline")
        kind = "right" if found.right else "wrong"
        axes.text(
            EDGE, 46, f"A {kind} reply to {found.problem}", size=8.5, color=SOFT, va="baseline"
        )
        squares = found.single[0].size
        most = NUMBER.format(found.mean.max())
        for over, y, words in (
            (EDGE, TOP - 12, f"The picture, {squares} vision tokens"),
            (left, TOP - 12, f"Mean S of the words under random masks, at most {most}"),
            (EDGE, middle - 12, "S of one word with one vision token black at a time"),
        ):
            axes.text(over, y, words, size=9.5, weight="bold", va="baseline")
        _picture(axes, found, EDGE, TOP, LARGE, grid=True)
        _reply(axes, found, placed, left, chosen)
        step = (WIDTH - 2 * EDGE - COPY) / max(1, CHOSEN - 1)
        for number, place in enumerate(chosen):
            x = EDGE + number * step
            _picture(axes, found, x, middle, COPY, over=found.single[place])
            peak = NUMBER.format(found.single[place].max())
            word = _shown(found.tokens[place]).strip() or "(space)"
            axes.text(
                x, middle + COPY + 17, f"{number + 1}  {word}", size=8.5, weight="bold",
                va="baseline",
            )  # fmt: skip
            axes.text(
                x, middle + COPY + 32, f"at most {peak}", size=7.5, color=SOFT, va="baseline"
            )
        return picture_bytes(figure, "svg", "What the words of a reply hang on")


def _flow(tokens: Sequence[str], wide: int) -> tuple[list[tuple[int, int]], int]:
    """Each token's line and column, ``wide`` columns a line, and how many lines there are."""
    placed = []
    line = column = 0
    for place, token in enumerate(tokens):
        text = _shown(token)
        begins = token[:1].isspace()
        if column > 0 and column + (_word(tokens, place) if begins else len(text)) > wide:
            line, column = line + 1, 0
        if not column:
            # No space begins a line.
            column -= len(text) - len(text.lstrip())
        placed.append((line, column))
        column += len(text)
        if "\n" in token and "".join(tokens[place + 1 : place + 2]).strip("\n"):
            line, column = line + 1, 0
    return placed, line + 1


def _word(tokens: Sequence[str], place: int) -> int:
    """How many letters the word has that begins with this token."""
    length = len(_shown(tokens[place]))
    for token in tokens[place + 1 :]:
        if token[:1].isspace():
            break
        length += len(_shown(token))
    return length


def _shown(token: str) -> str:
    """A token on one line: what cannot be printed is a mark."""
    flat = token.rstrip("\n") if token.strip("\n") else "¶"
    return "".join(c if c.isprintable() else "\ufffd" for c in flat)


def _reply(
    axes: Any,
    found: DependencyMap,
    placed: Sequence[tuple[int, int]],
    left: float,
    chosen: Sequence[int],
) -> None:
    from matplotlib.patches import Rectangle

    most = found.mean.max() or 1.0
    for place, (token, (line, column)) in enumerate(zip(found.tokens, placed, strict=True)):
        text = _shown(token)
        x, y = left + LETTER * column, TOP + LINE * line
        share = float(found.mean[place] / most)
        lead = len(text) - len(text.lstrip())
        axes.add_patch(
            Rectangle(
                (x + LETTER * lead - 0.5, y), LETTER * (len(text) - lead), 17,
                facecolor=COLOURS[1], alpha=0.85 * share, linewidth=0,
            )
        )  # fmt: skip
        for offset, letter in enumerate(text):
            axes.text(
                x + LETTER * offset, y + 12.5, letter, size=SIZE, family="DejaVu Sans Mono",
                va="baseline", color=PAPER if share > 0.6 else INK,
            )  # fmt: skip
        if place in chosen:
            axes.text(
                x + LETTER * len(text) - 0.5, y + 1, str(chosen.index(place) + 1), size=5.5,
                color=INK, va="baseline", weight="bold",
            )  # fmt: skip


def _picture(
    axes: Any,
    found: DependencyMap,
    x: float,
    y: float,
    side: float,
    *,
    grid: bool = False,
    over: Any = None,
) -> None:
    """The picture in a square of the page, with a grid of vision tokens or shades over it."""
    from matplotlib.patches import Rectangle

    tall, wide = found.picture.size[1], found.picture.size[0]
    scale = side / max(tall, wide)
    box = (x, x + wide * scale, y + tall * scale, y)
    axes.imshow(
        np.asarray(found.picture), cmap="gray", vmin=0, vmax=255, extent=box, aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    for (row, column), value in _squares(found, over):
        corner = x + column * found.patch * scale, y + row * found.patch * scale
        shade = {} if over is None else {"facecolor": COLOURS[1], "alpha": value}
        line = {"edgecolor": COLOURS[0], "linewidth": 0.35, "alpha": 0.6} if grid else {}
        square = min(found.patch * scale, side)
        fill = {"fill": over is not None, "linewidth": 0}
        axes.add_patch(Rectangle(corner, square, square, **{**fill, **shade, **line}))
    axes.add_patch(
        Rectangle((x, y), wide * scale, tall * scale, fill=False, edgecolor=RULE, linewidth=1)
    )


def _squares(found: DependencyMap, over: Any) -> Iterator[tuple[tuple[int, int], float]]:
    """Each square's row and column, and its shade from 0 to 0.75."""
    rows, columns = found.single.shape[1:]
    most = 1.0 if over is None else float(over.max()) or 1.0
    for row in range(rows):
        for column in range(columns):
            yield (row, column), 0.0 if over is None else 0.75 * float(over[row, column]) / most
