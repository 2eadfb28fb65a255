"""What several seeds of a study found, beside each other.

Conventions
-----------
* A study's record is the JSON that it ended with: ``study`` has its settings, ``runs`` the figures
  of its runs of evaluation by name, differences are those of ``finetune.study.gain``.
* In text and pictures accuracies are percent with their intervals, differences are points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchgen.errors import InputError
from benchgen.files import write_whole
from finetune.drawing import COLOURS, SOFT, look, page, picture_bytes, plain

HEIGHT = 330


@dataclass(frozen=True, slots=True)
class Found:
    """One seed's record, and the folder where its runs lie."""

    folder: Path
    record: dict[str, Any]

    @property
    def seed(self) -> int:
        """The study's seed."""
        return int(self.record["study"]["seed"])


Read = TypeVar("Read", bound=Found)


def read_seeds(folders: Sequence[Path], read: Callable[[Path], Read]) -> list[Read]:
    """What ``read`` makes of the folders, in the order of the seeds.

    Raises
    ------
    InputError
        There is none, one has not ended, or they do not belong together.
    """
    studies = []
    for folder in folders:
        try:
            studies.append(read(folder))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} holds no study that has ended: {error}") from None
    if not studies:
        raise InputError("there is no study to tell of")
    first = studies[0].record["study"]
    for study in studies[1:]:
        names = {**first, **study.record["study"]}
        changed = [n for n in names if n != "seed" and study.record["study"].get(n) != first.get(n)]
        if changed:
            raise InputError(f"{study.folder} is a study with another {', '.join(changed)}")
    ordered = sorted(studies, key=lambda study: study.seed)
    if len({study.seed for study in ordered}) < len(ordered):
        raise InputError("two of the studies have the same seed")
    return ordered


def keep_seeds(studies: Sequence[Found], out: Path, names: Sequence[str]) -> None:
    """Copy the files ``names`` of each study into ``seed-N`` in ``out``.

    Raises
    ------
    OSError
        One cannot be read or written.
    """
    for study in studies:
        for name in names:
            content = (study.folder / name).read_bytes()
            path = out / f"seed-{study.seed}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)


def accuracy_cell(run: Mapping[str, Any]) -> str:
    """A run in a table: percent right, the interval, and percent not read in brackets."""
    low, high = 100 * run["low"], 100 * run["high"]
    return f"{100 * run['accuracy']:.1f} ({low:.1f} to {high:.1f}) [{100 * run['unparsed']:.1f}]"


def gain_cell(gain: Mapping[str, Any]) -> str:
    """A difference in a table: points, and the interval."""
    return f"{100 * gain['effect']:+.1f} ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"


def draw_accuracies(
    studies: Sequence[Found], names: Mapping[str, str], title: str, width: float = 640
) -> bytes:
    """An SVG: every seed's accuracy in the runs ``names`` (by what they are called there).

    ``title`` is the file's; ``width`` is in pixels.
    """
    from matplotlib.ticker import MultipleLocator

    chance = studies[0].record["runs"][list(names)[-1]]["chance"]
    with look():
        figure = page(width, HEIGHT)
        axes = figure.add_axes((46 / width, 34 / HEIGHT, 1 - 64 / width, 1 - 100 / HEIGHT))
        plain(axes)
        axes.tick_params(length=0, pad=4)
        axes.axhline(100 * chance, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.text(-0.38, 100 * chance + 1.2, "chance", color=SOFT, size=7.5)
        for place, study in enumerate(studies):
            shift = 0.08 * (place - (len(studies) - 1) / 2)
            runs = [study.record["runs"][name] for name in names]
            heights = [100 * run["accuracy"] for run in runs]
            spans = [
                [100 * (run["accuracy"] - run["low"]) for run in runs],
                [100 * (run["high"] - run["accuracy"]) for run in runs],
            ]
            axes.errorbar(
                [stage + shift for stage in range(len(names))], heights, yerr=spans, fmt="o",
                color=COLOURS[place % len(COLOURS)], markersize=4.5, elinewidth=1.2, capsize=2.5,
                label=f"seed {study.seed}",
            )  # fmt: skip
        axes.set_xlim(-0.42, len(names) - 0.58)
        axes.set_ylim(0, 100)
        axes.yaxis.set_major_locator(MultipleLocator(20))
        axes.set_xticks(range(len(names)), list(names.values()))
        figure.text(18 / width, 1 - 28 / HEIGHT, "Right on the test set", size=13, weight="bold")
        figure.text(
            18 / width, 1 - 46 / HEIGHT, "percent of problems, 95 % intervals", size=8.5, color=SOFT
        )
        axes.legend(loc="upper left", frameon=False, ncols=len(studies), borderaxespad=0.2)
        return picture_bytes(figure, "svg", title)
