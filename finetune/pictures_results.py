"""``benchgen study results`` of studies of pictures: what several seeds found, to be read.

Conventions
-----------
* A folder is a study's, or one that was written here: ``pictures.json``, ``map.json`` and the
  metrics of its runs of training are all that is read, and they are copied (``seed-N``).
* Accuracies are percent of the test set with their intervals, differences are points.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchgen.files import write_whole
from finetune.curves import draw_curves
from finetune.dependency_figure import DependencyMap, draw_dependencies
from finetune.drawing import check_drawing
from finetune.pictures_study import ARMS, MAP, RESULTS
from finetune.study_results import (
    Found,
    accuracy_cell,
    draw_accuracies,
    gain_cell,
    keep_seeds,
    read_seeds,
)
from finetune.training_folder import METRICS

NAMES = {"sft": "imitation", "vppo": "VPPO", "dapo": "DAPO"}
"""The runs by what the page calls them."""
WORDS = 6
"""So many of the words that hang most on the picture, and least, are told."""
OFTEN = 8
"""Words that were said less often are not told of."""


@dataclass(frozen=True, slots=True)
class Mapped(Found):
    """One seed, and what the words of its replies hang on."""

    words: list[dict[str, Any]]
    map: DependencyMap


def write_results(folders: Sequence[Path], out: Path) -> Path:
    """Write ``pictures.md``, its pictures and what they were made from into ``out``; the page.

    Raises
    ------
    InputError
        A study has not been run to its end, or differs from the others in more than its seed.
    OSError
        ``out`` cannot be written.
    """
    check_drawing()
    studies = read_studies(folders)
    keep_seeds(studies, out, [RESULTS, MAP, *(f"{run}/{METRICS}" for run in NAMES)])
    write_whole(out / "pictures.md", "\n".join([*table(studies), ""]).encode())
    accuracies = draw_accuracies(studies, NAMES, "VPPO and DAPO on small pictures", 560)
    write_whole(out / "accuracies.svg", accuracies)
    write_whole(out / "dependency.svg", draw_dependencies(studies[0].map))
    for arm in ARMS:
        draw_curves([out / f"seed-{study.seed}" / arm for study in studies], out / f"{arm}.svg")
    return out / "pictures.md"


def read_studies(folders: Sequence[Path]) -> list[Mapped]:
    """The studies in the order of their seeds.

    Raises
    ------
    InputError
        There is none, one has not ended, or they do not belong together.
    """
    return read_seeds(folders, _read)


def _read(folder: Path) -> Mapped:
    record = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    drawn = json.loads((folder / MAP).read_text(encoding="utf-8"))
    missing = [run for run in NAMES if not (folder / run / METRICS).is_file()]
    if missing or set(record["runs"]) != set(NAMES):
        raise ValueError("a part is missing")
    found = Mapped(folder, record, drawn["words"], DependencyMap.of(drawn))
    # Whatever it lacks, it lacks before anything is written.
    list(table([found]))
    return found


def table(studies: Sequence[Mapped]) -> Iterator[str]:
    """The results in Markdown, a line at a time."""
    plan = studies[0].record["study"]
    shape = plan["shape"]
    levels = ", ".join(str(level) for level in plan["levels"])
    problems = studies[0].record["runs"]["sft"]["problems"]
    met = sum(study.record["test_contents_met_in_training"] for study in studies)
    yield "# VPPO and DAPO on small pictures"
    yield ""
    yield (
        f"A small Idefics3 with random weights, {shape['side']} pixels a side and vision tokens of "
        f"{shape['patch'] * shape['merge']}, on"
    )
    yield (
        f"{' and '.join(plan['tasks'])}, level {levels}. Percent right of {problems} test problems "
        "a seed, greedy, with 95 % intervals; in brackets"
    )
    yield (
        f"the replies of which no answer could be read. {plan['sft_steps']} steps of imitation, "
        f"then {plan['rl_steps']} of rewards by either objective, on the"
    )
    yield (
        f"same prompts. Chance is {100 * studies[0].record['runs']['sft']['chance']:.0f} %. "
        f"Contents of a test set that training had shown: {met}."
    )
    yield f"Every seed begins with the imitation of seed {plan['start']}."
    yield ""
    heads = [*NAMES.values(), "VPPO's gain", "DAPO's gain", "VPPO over DAPO"]
    yield f"| seed | {' | '.join(heads)} |"
    yield f"|---|{'---|' * len(heads)}"
    for study in studies:
        record = study.record
        runs = [accuracy_cell(record["runs"][name]) for name in NAMES]
        compared = [*(record["gain"][arm] for arm in ARMS), record["vppo_over_dapo"]]
        yield f"| {' | '.join([str(study.seed), *runs, *map(gain_cell, compared)])} |"
    yield ""
    yield "![Percent right](accuracies.svg)"
    yield ""
    yield "Seconds a step (all; of them sampling and learning), and tokens of all replies:"
    yield ""
    yield f"| seed | {' | '.join(NAMES[arm] for arm in ARMS)} | VPPO's learning to DAPO's |"
    yield "|---|---|---|---|"
    for study in studies:
        steps = study.record["steps"]
        cells = [_seconds(steps[arm]) for arm in ARMS]
        ratio = steps["vppo"]["seconds_learn"] / steps["dapo"]["seconds_learn"]
        yield f"| {study.seed} | {' | '.join(cells)} | {ratio:.2f} |"
    yield ""
    yield "## What the words hang on"
    yield ""
    yield "![A reply, and what its words hang on](dependency.svg)"
    yield ""
    yield (
        f"Mean S by word under VPPO's random masks, of words that were said {OFTEN} times or more "
        "after imitation:"
    )
    yield ""
    most, least = words_by_dependency(studies)
    yield "| most | S | least | S |"
    yield "|---|---|---|---|"
    for (one, high), (other, low) in zip(most, least, strict=True):
        yield f"| {_code(one)} | {high:.3f} | {_code(other)} | {low:.2g} |"
    yield ""
    for arm in ARMS:
        yield f"The runs of {NAMES[arm]}, step by step:"
        yield ""
        yield f"![Curves of {NAMES[arm]}]({arm}.svg)"
        yield ""


def words_by_dependency(
    studies: Sequence[Mapped],
) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """The words that hang most on the picture and those that hang least, each with its mean S."""
    sums: dict[str, tuple[float, int]] = {}
    for study in studies:
        for one in study.words:
            total, count = sums.get(one["word"], (0.0, 0))
            sums[one["word"]] = total + one["mean"] * one["count"], count + one["count"]
    means = {word: total / count for word, (total, count) in sums.items() if count >= OFTEN}
    ordered = sorted(means.items(), key=lambda pair: (-pair[1], pair[0]))
    told = min(WORDS, len(ordered))
    return ordered[:told], ordered[len(ordered) - told :][::-1]


def _code(word: str) -> str:
    """A word as code in a table: nothing of it is read as Markdown."""
    plain = "".join(c if c.isprintable() else "\ufffd" for c in word.replace("\n", "¶"))
    plain = plain.replace("|", "\\|").replace("`", "'")
    return f"`{plain.strip() or '(space)'}`"


def _seconds(steps: dict[str, Any]) -> str:
    parts = steps["seconds"], steps["seconds_sample"], steps["seconds_learn"]
    return "{:.1f} ({:.1f}, {:.1f}); {:,}".format(*parts, steps["tokens"])
