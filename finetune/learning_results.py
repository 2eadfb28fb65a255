"""``benchgen study results``: what the learning study found on several seeds, to be read.

Conventions
-----------
* A folder is a study's, or one that was written here: ``learning.json`` and the metrics of its
  runs of training are all that is read, and they are copied (``seed-N``), so that seeds of another
  day or machine can be added.
* Accuracies are percent of the test set with their intervals, differences are points.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.files import write_whole
from finetune.curves import draw_curves
from finetune.drawing import (
    COLOURS,
    SOFT,
    check_drawing,
    look,
    page,
    picture_bytes,
    plain,
)
from finetune.study import by_seed
from finetune.training_folder import METRICS

STAGES = {
    "start": "as it is",
    "format": "form alone",
    "sft": "imitation",
    "rl": "and rewards",
}
"""The runs by what the picture calls them."""

TRAINED = ("sft", "rl")
WIDTH, HEIGHT = 640, 330


@dataclass(frozen=True, slots=True)
class Found:
    """One seed's ``learning.json``, and the folder where its runs of training lie."""

    folder: Path
    record: dict[str, Any]

    @property
    def seed(self) -> int:
        """The study's seed."""
        return int(self.record["study"]["seed"])


def write_results(folders: Sequence[Path], out: Path) -> None:
    """Write ``learning.md``, two pictures and what they were made from into ``out``.

    Raises
    ------
    InputError
        A study has not been run to its end, or differs from the others in more than its seed.
    OSError
        ``out`` cannot be written.
    """
    check_drawing()
    studies = read_studies(folders)
    for study in studies:
        kept = out / f"seed-{study.seed}"
        for name in ("learning.json", *(f"{run}/{METRICS}" for run in TRAINED)):
            source = study.folder / name
            (kept / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(kept / name, source.read_bytes())
    write_whole(out / "learning.md", "\n".join([*table(studies), ""]).encode())
    write_whole(out / "stages.svg", draw_stages(studies))
    draw_curves([out / f"seed-{study.seed}" / "rl" for study in studies], out / "curves.svg")


def read_studies(folders: Sequence[Path]) -> list[Found]:
    """The studies in the order of their seeds.

    Raises
    ------
    InputError
        There is none, one has not ended, or they do not belong together.
    """
    studies = []
    for folder in folders:
        try:
            record = json.loads((folder / "learning.json").read_text(encoding="utf-8"))
            studies.append((folder, record))
            missing = [run for run in TRAINED if not (folder / run / METRICS).is_file()]
            if missing or set(record["runs"]) != set(STAGES):
                raise ValueError("a part is missing")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} holds no study that has ended: {error}") from None
    return [Found(folder, record) for folder, record in by_seed(studies)]


def table(studies: Sequence[Found]) -> Iterator[str]:
    """The results in Markdown, a line at a time."""
    plan = studies[0].record["study"]
    levels = ", ".join(str(level) for level in plan["levels"])
    problems = studies[0].record["runs"]["rl"]["problems"]
    yield "# The learning study"
    yield ""
    met = sum(study.record["test_contents_met_in_training"] for study in studies)
    yield (
        f"`{plan['model']}` on {' and '.join(plan['tasks'])}, level {levels}, as one mix. "
        f"Percent right of {problems} test problems a seed, greedy, with 95 % intervals; in "
        "brackets the replies of which no answer could be read. Contents of a test set that "
        f"training had shown: {met}."
    )
    yield ""
    heads = [*STAGES.values(), "over start and chance", "part of rewards"]
    yield f"| seed | {' | '.join(heads)} |"
    yield f"|---|{'---|' * len(heads)}"
    for study in studies:
        record = study.record
        runs = [_accuracy(record["runs"][name]) for name in STAGES]
        runs[2] += f", {record['sft_steps']} steps"
        runs[3] += f", {int(record['rl_checkpoint'].rpartition('-')[2])} steps"
        gains = [_gain(record[n]) for n in ("gain_over_floor", "part_of_reinforcement")]
        yield f"| {' | '.join([str(study.seed), *runs, *gains])} |"
    yield ""
    yield f"By class, percent right ({', '.join(STAGES.values())}):"
    yield ""
    yield f"| seed | {' | '.join(plan['tasks'])} |"
    yield f"|---|{'---|' * len(plan['tasks'])}"
    for study in studies:
        cells = []
        for task in plan["tasks"]:
            parts = (study.record["runs"][n]["by_task"][f"{plan['suite']}/{task}"] for n in STAGES)
            cells.append(", ".join(f"{100 * part:.1f}" for part in parts))
        yield f"| {study.seed} | {' | '.join(cells)} |"
    yield ""
    yield "Tokens a reply, mean of the same problems (an answer alone has some eight):"
    yield ""
    yield f"| seed | {' | '.join(STAGES.values())} |"
    yield f"|---|{'---|' * len(STAGES)}"
    for study in studies:
        lengths = (f"{study.record['runs'][name]['tokens']:.0f}" for name in STAGES)
        yield f"| {study.seed} | {' | '.join(lengths)} |"
    yield ""
    yield "![Percent right by stage](stages.svg)"
    yield ""
    yield "The runs by rewards, step by step:"
    yield ""
    yield "![Curves](curves.svg)"


def _accuracy(run: dict[str, Any]) -> str:
    low, high = 100 * run["low"], 100 * run["high"]
    return f"{100 * run['accuracy']:.1f} ({low:.1f} to {high:.1f}) [{100 * run['unparsed']:.1f}]"


def _gain(gain: dict[str, Any]) -> str:
    return f"{100 * gain['effect']:+.1f} ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"


def draw_stages(studies: Sequence[Found]) -> bytes:
    """An SVG: the accuracy of every seed at every stage, with its interval."""
    from matplotlib.ticker import MultipleLocator

    chance = studies[0].record["runs"]["rl"]["chance"]
    with look():
        figure = page(WIDTH, HEIGHT)
        axes = figure.add_axes((46 / WIDTH, 34 / HEIGHT, 1 - 64 / WIDTH, 1 - 100 / HEIGHT))
        plain(axes)
        axes.tick_params(length=0, pad=4)
        axes.axhline(100 * chance, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.text(-0.38, 100 * chance + 1.2, "chance", color=SOFT, size=7.5)
        for place, study in enumerate(studies):
            shift = 0.08 * (place - (len(studies) - 1) / 2)
            runs = [study.record["runs"][name] for name in STAGES]
            heights = [100 * run["accuracy"] for run in runs]
            spans = [
                [100 * (run["accuracy"] - run["low"]) for run in runs],
                [100 * (run["high"] - run["accuracy"]) for run in runs],
            ]
            axes.errorbar(
                [stage + shift for stage in range(len(STAGES))], heights, yerr=spans, fmt="o",
                color=COLOURS[place % len(COLOURS)], markersize=4.5, elinewidth=1.2, capsize=2.5,
                label=f"seed {study.seed}",
            )  # fmt: skip
        axes.set_xlim(-0.42, len(STAGES) - 0.58)
        axes.set_ylim(0, 100)
        axes.yaxis.set_major_locator(MultipleLocator(20))
        axes.set_xticks(range(len(STAGES)), list(STAGES.values()))
        figure.text(18 / WIDTH, 1 - 28 / HEIGHT, "Right on the test set", size=13, weight="bold")
        figure.text(
            18 / WIDTH, 1 - 46 / HEIGHT, "percent of problems, 95 % intervals", size=8.5, color=SOFT
        )
        axes.legend(loc="upper left", frameon=False, ncols=len(studies), borderaxespad=0.2)
        return picture_bytes(figure, "svg", "The learning study by stage")
