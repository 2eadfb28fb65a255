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
from pathlib import Path

from benchgen.files import write_whole
from finetune.curves import draw_curves
from finetune.drawing import check_drawing
from finetune.study_results import (
    Found,
    accuracy_cell,
    draw_accuracies,
    gain_cell,
    keep_seeds,
    read_seeds,
)
from finetune.training_folder import METRICS

STAGES = {
    "start": "as it is",
    "format": "form alone",
    "sft": "imitation",
    "rl": "and rewards",
}
"""The runs by what the picture calls them."""

TRAINED = ("sft", "rl")


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
    keep_seeds(studies, out, ["learning.json", *(f"{run}/{METRICS}" for run in TRAINED)])
    write_whole(out / "learning.md", "\n".join([*table(studies), ""]).encode())
    stages = draw_accuracies(studies, STAGES, "The learning study by stage")
    write_whole(out / "stages.svg", stages)
    draw_curves([out / f"seed-{study.seed}" / "rl" for study in studies], out / "curves.svg")


def read_studies(folders: Sequence[Path]) -> list[Found]:
    """The studies in the order of their seeds.

    Raises
    ------
    InputError
        There is none, one has not ended, or they do not belong together.
    """
    return read_seeds(folders, _read)


def _read(folder: Path) -> Found:
    record = json.loads((folder / "learning.json").read_text(encoding="utf-8"))
    missing = [run for run in TRAINED if not (folder / run / METRICS).is_file()]
    if missing or set(record["runs"]) != set(STAGES):
        raise ValueError("a part is missing")
    return Found(folder, record)


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
        runs = [accuracy_cell(record["runs"][name]) for name in STAGES]
        runs[2] += f", {record['sft_steps']} steps"
        runs[3] += f", {int(record['rl_checkpoint'].rpartition('-')[2])} steps"
        gains = [gain_cell(record[n]) for n in ("gain_over_floor", "part_of_reinforcement")]
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
