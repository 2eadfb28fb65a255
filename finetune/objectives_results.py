"""``benchgen study results`` of the study of objectives: several seeds, to be read.

Conventions
-----------
* A folder is a study's, or one that was written here: ``objectives.json`` is all that is read, and
  it is copied (``objectives/seed-N``), so that seeds of another day or machine can be added.
* A seed is one training of each objective. What is said of an objective is the mean over seeds, and
  its interval is Student's over them: it holds what differs from one training to the next. Beside
  it stands the interval of the problems alone, of just these trainings. Test sets of several seeds
  share contents, so that it is taken for no narrower than one seed's is.
* Accuracies are percent of the test set, differences are points, steps are placed by the
  thousands of tokens that were generated.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.files import write_whole
from evaluators.paired import CONFIDENCE
from finetune.cold_start import COLD
from finetune.drawing import (
    COLOURS,
    SOFT,
    check_drawing,
    look,
    page,
    picture_bytes,
    plain,
)
from finetune.objectives_study import BASE, LEARNERS, RECORD
from finetune.study_results import Found, keep_seeds, read_seeds

OTHERS = tuple(name for name in LEARNERS if name != BASE)
WINDOWS = 6
"""The tokens of a run are cut into as many, and a window's steps are told as their mean."""

PANELS = (
    ("pass@1", "Right", "% of replies", 100.0),
    ("pass@8", "pass@8", "% of problems", 100.0),
    ("entropy", "Entropy", "nats a token", 1.0),
    ("length", "Length", "tokens a reply", 1.0),
    ("distinct", "Distinct", "% of a group's replies", 100.0),
    ("textual", "Diversity of right replies", "1 less the likeness to the likest", 1.0),
)
WIDTH, CELL, COLUMNS = 900, 230, 3


@dataclass(frozen=True, slots=True)
class Mean:
    """Over seeds, in shares: ``half`` of Student's interval (None of one seed), ``items`` half of
    that of the problems alone, the mean of the seeds'.
    """

    value: float
    half: float | None
    items: float


def write_results(folders: Sequence[Path], out: Path) -> Path:
    """Write ``objectives.md`` into ``out``, and what it shows and was made from beside it.

    Raises
    ------
    InputError
        A study has not been run to its end, or differs from the others in more than its seed.
    OSError
        ``out`` cannot be written.
    """
    check_drawing()
    found = read_studies(folders)
    studies = [study.record for study in found]
    page_text = "\n".join([*report(studies), ""]).encode()
    pictures = {"differences.svg": draw_differences(studies), "steps.svg": draw_steps(studies)}
    kept = out / "objectives"
    keep_seeds(found, kept, [RECORD])
    for name, content in pictures.items():
        write_whole(kept / name, content)
    path = out / "objectives.md"
    write_whole(path, page_text)
    return path


def read_studies(folders: Sequence[Path]) -> list[Found]:
    """The studies in the order of their seeds.

    Raises
    ------
    InputError
        There is none, one has not ended, or they do not belong together.
    """
    return read_seeds(folders, _read)


def _read(folder: Path) -> Found:
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    whole = set(record["runs"]) == {COLD, *LEARNERS} and set(record["steps"]) == {*LEARNERS}
    if not whole or set(record["from_grpo"]) != {*OTHERS}:
        raise ValueError("a part is missing")
    # Whatever it lacks, it lacks before anything is written.
    list(report([record]))
    return Found(folder, record)


def mean_of(differences: Sequence[Mapping[str, float]]) -> Mean:
    """Over seeds of paired differences, each with ``effect``, ``low`` and ``high``."""
    effects = [one["effect"] for one in differences]
    count = len(effects)
    halves = [(one["high"] - one["low"]) / 2 for one in differences]
    half = None
    if count > 1:
        from scipy.stats import t

        quantile = float(t.ppf(0.5 + CONFIDENCE / 2, count - 1))
        half = quantile * statistics.stdev(effects) / math.sqrt(count)
    return Mean(math.fsum(effects) / count, half, math.fsum(halves) / count)


def expected(study: Mapping[str, Any], problems: int, seeds: int) -> Mean:
    """What half of the intervals was expected to be, by a study's settings, of no difference."""
    from scipy.stats import norm, t

    items = float(norm.ppf(0.5 + CONFIDENCE / 2)) * math.sqrt(study["apart"] / problems)
    half = None
    if seeds > 1:
        quantile = float(t.ppf(0.5 + CONFIDENCE / 2, seeds - 1))
        half = quantile * study["scatter"] / math.sqrt(seeds)
    return Mean(0.0, half, items)


def report(studies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The results in Markdown, a line at a time."""
    plan = studies[0]["study"]
    seeds = [study["study"]["seed"] for study in studies]
    problems = studies[0]["runs"][BASE]["problems"]
    levels = ", ".join(str(level) for level in plan["levels"])
    met = sum(study["test_contents_met_in_training"] for study in studies)
    begun = "one checkpoint of imitation"
    if (several := len({study["cold_start"] for study in studies})) > 1:
        begun = f"checkpoints of imitation that were made alike, {several} in all,"
    yield "# The study of objectives"
    yield ""
    yield (
        f"`{plan['model']}` on {' and '.join(plan['tasks'])}, level {levels}, as one mix: from "
        f"{begun} a run of each objective a seed, on the same questions in the same order (but for "
        f"those that exgrpo replays), {plan['prompts']} groups of {plan['samples']} replies a step "
        f"until {plan['tokens']:,} tokens were generated. Named beforehand as what counts: percent "
        f"right of {problems} test problems a seed, greedy, where a run ended, less that of "
        f"`{BASE}`. Contents of a test set that training had shown: {met}."
    )
    yield ""
    yield "![Differences](objectives/differences.svg)"
    yield ""
    heads = [*(f"seed {seed}" for seed in seeds), "mean", f"less {BASE}, by seeds", "by problems"]
    yield f"| objective | {' | '.join(heads)} |"
    yield f"|---|{'---|' * len(heads)}"
    for name in (COLD, *LEARNERS):
        reached = [study["runs"][name]["accuracy"] for study in studies]
        cells = [f"{100 * share:.1f}" for share in (*reached, math.fsum(reached) / len(reached))]
        if name in OTHERS:
            apart = mean_of([study["from_grpo"][name] for study in studies])
            by_seeds = "one seed" if apart.half is None else f"±{100 * apart.half:.1f}"
            cells += [f"{100 * apart.value:+.1f} ({by_seeds})", f"±{100 * apart.items:.1f}"]
        else:
            cells += ["", ""]
        shown = "cold start" if name == COLD else f"`{name}`"
        yield f"| {shown} | {' | '.join(cells)} |"
    yield ""
    before = expected(plan, problems, len(seeds))
    yield (
        "Intervals are of 95 %, each by itself, not of all five at once. By seeds they are "
        "Student's: what another training would give. By problems they are of these trainings, of "
        "one seed's problems, since test sets of several seeds share contents. "
        f"Expected beforehand: ±{100 * before.items:.1f} by problems, if two objectives are right "
        f"on different ones in {100 * plan['apart']:g} of 100"
        + ("." if before.half is None else f"; ±{100 * before.half:.1f} by seeds, if differences "
           f"scatter by {100 * plan['scatter']:g} points from one to the next.")
    )  # fmt: skip
    yield ""
    yield from _by_seed(studies)
    yield from _on_the_way(studies)


def _by_seed(studies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"Less `{BASE}`, seed by seed, with the interval of the problems; p by sign flips of twin"
    yield "groups, corrected for five comparisons (Holm):"
    yield ""
    heads = [f"seed {study['study']['seed']}" for study in studies]
    yield f"| objective | {' | '.join(heads)} |"
    yield f"|---|{'---|' * len(studies)}"
    for name in OTHERS:
        cells = []
        for study in studies:
            one = study["from_grpo"][name]
            cells.append(
                f"{100 * one['effect']:+.1f} ({100 * one['low']:+.1f} to {100 * one['high']:+.1f}),"
                f" p {_p(one['corrected'])}"
            )
        yield f"| `{name}` | {' | '.join(cells)} |"
    yield ""


def _on_the_way(studies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield (
        f"The last of {WINDOWS} parts of each run, means over seeds of replies to fresh problems; "
        "diversity is of right replies of five words or more, by DIVER's measure of words:"
    )
    yield ""
    heads = [f"{title.lower()}, {unit}" for _, title, unit, _ in PANELS]
    yield f"| objective | steps | tokens | {' | '.join(heads)} |"
    yield f"|---|---|---|{'---|' * len(heads)}"
    for name in LEARNERS:
        runs = [study["steps"][name] for study in studies]
        cells = ["/".join(str(len(steps)) for steps in runs)]
        cells.append("/".join(f"{steps[-1]['tokens']:,}" for steps in runs))
        for figure, _, _, scale in PANELS:
            ends = [windows(study, name, figure)[-1] for study in studies]
            known = [value for value in ends if value is not None]
            digits = 3 if scale == 1.0 and figure != "length" else 1
            mean = f"{scale * math.fsum(known) / len(known):.{digits}f}" if known else ""
            cells.append(mean)
        yield f"| `{name}` | {' | '.join(cells)} |"
    yield ""
    yield "![On the way](objectives/steps.svg)"


def windows(study: Mapping[str, Any], name: str, figure: str) -> list[float | None]:
    """The means of a figure over the parts of a run; None where a part has none."""
    size = study["study"]["tokens"] / WINDOWS
    parts: list[list[float]] = [[] for _ in range(WINDOWS)]
    for step in study["steps"][name]:
        if figure in step:
            # The step that reaches the budget goes beyond it.
            parts[min(WINDOWS - 1, int(step["tokens"] / size))].append(step[figure])
    return [math.fsum(part) / len(part) if part else None for part in parts]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def draw_differences(studies: Sequence[Mapping[str, Any]]) -> bytes:
    """An SVG: of every objective the mean difference with both intervals, and each seed's."""
    width, height = 640, 80 + 40 * len(OTHERS)
    left = 70
    with look():
        figure = page(width, height)
        axes = figure.add_axes(
            (left / width, 38 / height, 1 - (left + 20) / width, 1 - 100 / height)
        )
        plain(axes)
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x")
        axes.tick_params(length=0, pad=4)
        axes.axvline(0, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        for place, name in enumerate(OTHERS):
            differences = [study["from_grpo"][name] for study in studies]
            mean = mean_of(differences)
            colour = COLOURS[(1 + place) % len(COLOURS)]
            if mean.half is not None:
                axes.errorbar(
                    100 * mean.value, place, xerr=100 * mean.half, color=colour, elinewidth=1.0,
                    capsize=3,
                )  # fmt: skip
            axes.errorbar(
                100 * mean.value, place, xerr=100 * mean.items, fmt="o", color=colour,
                markersize=5.5, elinewidth=3.0,
            )  # fmt: skip
            axes.plot(
                [100 * one["effect"] for one in differences], [place + 0.28] * len(differences),
                "|", color=SOFT, markersize=6,
            )  # fmt: skip
        axes.set_ylim(len(OTHERS) - 0.4, -0.6)
        axes.set_yticks(range(len(OTHERS)), OTHERS)
        axes.set_xlabel("points", labelpad=3, fontsize=7.5)
        _title(
            figure, width, height, f"Right on the test set, less {BASE}",
            "dot and thick line: mean, and 95 % of these trainings' problems; thin: 95 % of "
            "trainings; marks below: seeds",
        )  # fmt: skip
        return picture_bytes(figure, "svg", "The study of objectives")


def draw_steps(studies: Sequence[Mapping[str, Any]]) -> bytes:
    """An SVG: what fresh replies were like on the way, means over seeds, a line an objective."""
    rows = -(-len(PANELS) // COLUMNS)
    top = 78
    height = top + CELL * rows
    size = studies[0]["study"]["tokens"] / WINDOWS / 1000
    middles = [size * (place + 0.5) for place in range(WINDOWS)]
    with look():
        figure = page(WIDTH, height)
        for place, (name, title, unit, scale) in enumerate(PANELS):
            row, column = divmod(place, COLUMNS)
            x, y = column * WIDTH / COLUMNS, top + row * CELL
            box = (
                (x + 48) / WIDTH, 1 - (y + CELL - 34) / height,
                (WIDTH / COLUMNS - 62) / WIDTH, (CELL - 76) / height,
            )  # fmt: skip
            axes = figure.add_axes(box)
            plain(axes)
            axes.tick_params(length=3, pad=3)
            for number, learner in enumerate(LEARNERS):
                _line(axes, studies, learner, name, scale, middles, COLOURS[number])
            axes.set_xlim(0, size * WINDOWS)
            if row == rows - 1:
                axes.set_xlabel("thousand tokens generated", labelpad=2, fontsize=7.5)
            figure.text((x + 18) / WIDTH, 1 - (y + 18) / height, title, size=9.5, weight="bold")
            figure.text((x + 18) / WIDTH, 1 - (y + 31) / height, unit, size=7.5, color=SOFT)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="upper right", ncols=len(LEARNERS), frameon=False,
            bbox_to_anchor=(1 - 12 / WIDTH, 1 - 14 / height), columnspacing=1.1, handlelength=1.4,
        )  # fmt: skip
        _title(
            figure, WIDTH, height, "On the way",
            "replies to fresh problems, sampled; thin: seeds, thick: their mean",
        )  # fmt: skip
        return picture_bytes(figure, "svg", "The study of objectives, on the way")


def _line(
    axes: Any,
    studies: Sequence[Mapping[str, Any]],
    learner: str,
    figure: str,
    scale: float,
    middles: Sequence[float],
    colour: str,
) -> None:
    """A run's means by window: each seed's, and over those that all seeds have."""
    lines = [windows(study, learner, figure) for study in studies]
    means: list[float] = []
    for values in zip(*lines, strict=True):
        known = [value for value in values if value is not None]
        whole = len(known) == len(lines)
        means.append(scale * math.fsum(known) / len(known) if whole else math.nan)
    if len(lines) > 1:
        for line in lines:
            heights = [math.nan if value is None else scale * value for value in line]
            axes.plot(middles, heights, color=colour, linewidth=0.6, alpha=0.35)
    axes.plot(
        middles, means, color=colour, linewidth=1.5, marker="o", markersize=2.6, label=learner
    )


def _title(figure: Any, width: float, height: float, title: str, below: str) -> None:
    figure.text(18 / width, 1 - 28 / height, title, size=13, weight="bold")
    figure.text(18 / width, 1 - 46 / height, below, size=8.5, color=SOFT)
