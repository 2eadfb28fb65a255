"""The curves of training runs, as one picture that needs nothing else.

Conventions
-----------
* ``metrics.jsonl`` is all that is read. A panel shows figures of one unit over the steps; figures
  that no run has are left out, and so is a panel without any.
* One run is a line a figure. Several are thin lines and their mean, drawn at the steps at which
  every run that has the figure has it. Seconds are stacked by phase, means over the runs.
* Shares are drawn in percent. Nothing is smoothed.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.files import write_whole
from finetune.drawing import (
    COLOURS,
    SOFT,
    check_drawing,
    form_of,
    look,
    page,
    picture_bytes,
    plain,
)
from finetune.training_folder import METRICS, read_metrics

SECONDS = "seconds_"
PHASES = ("sample", "learn", "hand_over", "validate")
"""In the order in which they are stacked; others follow by name."""

# Pixels.
WIDTH, CELL, COLUMNS = 900, 210, 3
LEFT, ABOVE, BELOW, RIGHT = 56, 54, 32, 14
MOST_COLUMNS = 300
"""Of stacked seconds; where there are more steps, each column is the mean of several."""

STEPS = (1, 2, 2.5, 5, 10)
"""Between the marks of an axis, times a power of ten."""

Points = Mapping[int, float]
"""Values by step, in the order of the steps."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures of one unit: their names in ``metrics.jsonl`` with what the legend calls them.

    ``scale`` is what a value is multiplied by; ``dots`` are figures of few steps. The axis begins
    at 0 where ``from_zero``; ``logarithmic`` holds where all values are above 0.
    """

    title: str
    unit: str
    figures: tuple[tuple[str, str], ...]
    scale: float = 1.0
    from_zero: bool = True
    logarithmic: bool = False
    dots: tuple[str, ...] = ()


PANELS = (
    Panel("Accuracy", "% of replies", (("accuracy", "sampled"), ("validation", "validation")),
          scale=100, dots=("validation",)),
    Panel("Reward", "mean of replies", (("reward", "reward"),), from_zero=False),
    Panel("Loss", "of the objective", (("loss", "loss"),), from_zero=False),
    Panel("Reply length", "tokens", (("length", "length"),)),
    Panel("Entropy", "nats a token", (("entropy", "entropy"),)),
    Panel("Without an answer", "% of replies",
          (("unparsed", "unparsed"), ("truncated", "truncated"), ("failed", "failed")), scale=100),
    Panel("Clipped", "% of tokens",
          (("clipped_high", "above"), ("clipped_low", "below"), ("clipped_dual", "dual")),
          scale=100),
    Panel("Groups that teach nothing", "% of groups", (("zero_variance_groups", "alike"),),
          scale=100),
    Panel("Engine against trainer", "k3, nats a token", (("mismatch_k3", "mismatch"),),
          logarithmic=True),
    Panel("Divergence", "nats a token",
          (("kl_old", "from the sampler"), ("kl", "from the reference")), from_zero=False),
    Panel("Critic", "value loss", (("value_loss", "value loss"),)),
    Panel("Gradient norm", "before clipping", (("gradient_norm", "norm"),)),
    Panel("Learning rate", "of AdamW", (("learning_rate", "rate"),)),
    Panel("Tokens so far", "of replies", (("tokens", "tokens"),)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """A run's figures by name."""

    name: str
    figures: Mapping[str, Points]


def draw_curves(folders: Sequence[Path], out: Path) -> None:
    """Draw the runs in ``folders`` into ``out``, an SVG (or a PNG, by its name).

    Raises
    ------
    InputError
        A folder holds no steps or damaged ones, or matplotlib is not installed.
    OSError
        ``out`` cannot be written.
    """
    form = form_of(out)
    if not folders:
        raise InputError("there is no run to draw")
    check_drawing()
    runs = [read_run(folder) for folder in folders]
    write_whole(out, _drawn(runs, _names(folders), form))


def read_run(folder: Path) -> Run:
    """The figures of one run that are finite numbers.

    Raises
    ------
    InputError
        There are none, or they are damaged.
    """
    path = folder / METRICS
    figures: dict[str, dict[int, float]] = {}
    last = 0
    try:
        for line in read_metrics(folder):
            step = line["step"]
            if type(step) is not int or step <= last:
                raise ValueError(f"step {step!r} comes after step {last}")
            last = step
            for name, value in line.items():
                number = type(value) in (int, float) and math.isfinite(value)
                if number and name != "step":
                    figures.setdefault(name, {})[step] = float(value)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
    if not figures:
        raise InputError(f"{path} holds no step of a training run")
    return Run(folder.resolve().name, figures)


def mean_points(runs: Sequence[Points]) -> dict[int, float]:
    """The mean over the runs, at the steps that all of them have."""
    common = [step for step in runs[0] if all(step in run for run in runs)]
    return {step: math.fsum(run[step] for run in runs) / len(runs) for step in common}


def stacked(runs: Sequence[Run]) -> tuple[list[float], dict[str, list[float]]]:
    """Edges of the columns and, by phase, their heights: seconds a step, means over runs.

    Where there are more than ``MOST_COLUMNS`` steps, a column is the mean of several.
    """
    timed = [phases for run in runs if (phases := _phases(run))]
    if not timed:
        return [], {}
    # A phase that a step did not have took no time there.
    steps_of = [sorted({step for points in phases.values() for step in points}) for phases in timed]
    steps = [s for s in steps_of[0] if all(s in set(other) for other in steps_of[1:])]
    if not steps:
        return [], {}
    every = -(-len(steps) // MOST_COLUMNS)
    columns = [steps[n : n + every] for n in range(0, len(steps), every)]
    names = {name for phases in timed for name in phases}
    known = [name for name in PHASES if name in names]
    heights = {
        name: [
            math.fsum(phases.get(name, {}).get(s, 0.0) for phases in timed for s in column)
            / (len(timed) * len(column))
            for column in columns
        ]
        for name in [*known, *sorted(names.difference(known))]
    }
    return [*(column[0] - 0.5 for column in columns), steps[-1] + 0.5], heights


def _phases(run: Run) -> dict[str, Points]:
    """Seconds by phase; the whole step is the one phase of a run that tells no others."""
    found = {n[len(SECONDS) :]: p for n, p in run.figures.items() if n.startswith(SECONDS)}
    whole = run.figures.get("seconds")
    return found or ({} if whole is None else {"step": whole})


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, with their parents' where two are alike."""
    paths = [folder.resolve() for folder in folders]
    plain = [path.name for path in paths]
    whole = [f"{path.parent.name}/{path.name}" for path in paths]
    names = plain if len(set(plain)) == len(plain) else whole
    return ["".join(c if c.isprintable() else "\ufffd" for c in name) for name in names]


def _drawn(runs: Sequence[Run], names: Sequence[str], form: str) -> bytes:
    """The picture's bytes."""
    known = {name for run in runs for name in run.figures}
    panels = [panel for panel in PANELS if any(name in known for name, _ in panel.figures)]
    edges, heights = stacked(runs)
    count = len(panels) + bool(heights)
    if not count:
        raise InputError("the runs hold none of the figures that are drawn")
    head = _headline(names)
    rows = -(-count // COLUMNS)
    top = 52 + 15 * len(head)
    tall = top + CELL * rows
    with look():
        figure = page(WIDTH, tall)

        def words(x: float, y: float, text: str, **how: Any) -> None:
            figure.text(x / WIDTH, 1 - y / tall, text, va="baseline", **how)

        words(18, 28, "Training curves", size=13, weight="bold")
        for place, line in enumerate(head):
            words(18, 46 + 15 * place, line, size=8.5, color=SOFT)
        if len(runs) > 1:
            _key(figure, len(runs))
        first = min(step for run in runs for points in run.figures.values() for step in points)
        last = max(step for run in runs for points in run.figures.values() for step in points)
        for place in range(count):
            row, column = divmod(place, COLUMNS)
            x, y = column * WIDTH / COLUMNS, top + row * CELL
            box = (
                (x + LEFT) / WIDTH,
                1 - (y + CELL - BELOW) / tall,
                (WIDTH / COLUMNS - LEFT - RIGHT) / WIDTH,
                (CELL - ABOVE - BELOW) / tall,
            )
            axes = figure.add_axes(box)
            _frame(axes, first, last, labelled=place + COLUMNS >= count)
            if place < len(panels):
                panel = panels[place]
                _lines(axes, panel, runs)
                title, unit = panel.title, panel.unit
            else:
                _stack(axes, edges, heights)
                title = "Seconds a step"
                unit = "by phase" if len(heights) > 1 else "all in all"
            words(x + LEFT, y + 20, title, size=9.5, weight="bold")
            words(x + LEFT, y + 33, unit, size=7.5, color=SOFT)
        return picture_bytes(figure, form, "Training curves")


def _headline(names: Sequence[str]) -> list[str]:
    """The runs' names in one line or a few."""
    short = [name if len(name) <= 60 else f"{name[:40]}…{name[-18:]}" for name in names]
    shown = short if len(short) <= 8 else [*short[:8], f"{len(short) - 8} more"]
    return textwrap.wrap(", ".join(shown), 130, break_on_hyphens=False) or [""]


def _key(figure: Any, count: int) -> None:
    """What thin and thick lines are."""
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=COLOURS[0], linewidth=0.8, alpha=0.5, label="one run"),
        Line2D([], [], color=COLOURS[0], linewidth=1.6, label=f"mean of {count} runs"),
    ]
    figure.legend(handles=lines, loc="upper right", ncols=2, frameon=False, borderaxespad=0.6)


def _frame(axes: Any, first: int, last: int, labelled: bool) -> None:
    """Axes with steps from left to right."""
    from matplotlib.ticker import MaxNLocator

    plain(axes)
    axes.tick_params(length=3, pad=3)
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS, integer=True, min_n_ticks=1))
    if labelled:
        axes.set_xlabel("step", labelpad=2, fontsize=7.5)


def _lines(axes: Any, panel: Panel, runs: Sequence[Run]) -> None:
    """The panel's figures of all runs."""
    from matplotlib.ticker import (
        EngFormatter,
        FuncFormatter,
        LogLocator,
        MaxNLocator,
        NullFormatter,
    )

    lowest, highest = math.inf, -math.inf
    for colour, (name, label) in zip(COLOURS, panel.figures, strict=False):
        held = [run.figures[name] for run in runs if name in run.figures]
        if not held:
            continue
        dotted = name in panel.dots
        several = len(held) > 1
        mean = mean_points(held) if several else {}
        for place, points in enumerate(held):
            thin = {"alpha": 0.45, "linewidth": 0.7} if several else {}
            said = label if place == 0 and not mean else None
            _line(axes, points, panel.scale, colour, dotted, said, **thin)
        if mean:
            _line(axes, mean, panel.scale, colour, dotted, label, linewidth=1.6)
        values = [panel.scale * value for points in held for value in points.values()]
        lowest, highest = min(lowest, *values), max(highest, *values)
    if panel.logarithmic and lowest > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:.0e}"))
    else:
        if panel.from_zero and lowest >= 0:
            axes.set_ylim(0, 1.08 * highest or 1.0)
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=STEPS))
        plain = FuncFormatter(lambda value, place: f"{value:.4g}")
        axes.yaxis.set_major_formatter(EngFormatter(sep="") if highest >= 10_000 else plain)
    if len(panel.figures) > 1:
        _legend(axes)


def _line(
    axes: Any,
    points: Points,
    scale: float,
    colour: str,
    dotted: bool,
    label: str | None,
    **how: Any,
) -> None:
    values = [scale * value for value in points.values()]
    if dotted or len(points) == 1:
        how |= {"marker": "o", "markersize": 3.2, "markeredgewidth": 0}
    axes.plot(list(points), values, color=colour, label=label, **{"linewidth": 1.2, **how})


def _stack(axes: Any, edges: Sequence[float], heights: Mapping[str, Sequence[float]]) -> None:
    """Seconds by phase, one on the other."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    base = [0.0] * (len(edges) - 1)
    for colour, (name, values) in zip(_colours(), heights.items(), strict=False):
        tops = [low + value for low, value in zip(base, values, strict=True)]
        label = name.replace("_", " ")
        axes.stairs(tops, edges, baseline=base, fill=True, color=colour, label=label, linewidth=0)
        base = tops
    axes.set_ylim(0, 1.08 * max(base) or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:.4g}"))
    if len(heights) > 1:
        _legend(axes)


def _colours() -> Iterator[str]:
    while True:
        yield from COLOURS


def _legend(axes: Any) -> None:
    """A row above the axes."""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(labels),
        frameon=False, borderaxespad=0.1, borderpad=0.1, handlelength=1.1, handletextpad=0.4,
        columnspacing=0.9,
    )  # fmt: skip
