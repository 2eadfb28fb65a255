"""How fast problems are made, beside what others make in the same run.

Conventions
-----------
* Rates are items per second of one core's own time (``process_time``), so that what
  else the machine does weighs little; only the comparison of two processes with one
  goes by the clock, and interleaves the two.
* Ours includes the worked solution, keys, notation and the Parquet files written to
  the disk; a peer's is its items alone. Tables that a class builds once are made
  before the clock starts, and their time is printed.
* The peers are all generators of reasoning-gym that finish 20 items in 5 seconds.
* The cairosvg path is ours up to the drawing, which cairosvg then rasterises.

Run ``python benchmarks/synth.py`` (``--quick`` for a short look, ``--json FILE``).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchgen.columns import table_of
from benchgen.dataset import synthesize
from benchgen.executors import Executor, choose_executor
from benchgen.plan import Plan, make_plan, most_items, suite_items
from benchgen.sheet_music.engrave import engrave_svg, rasterise
from benchgen.sheet_music.score import score_of
from benchgen.task import list_tasks, make

SUITE = "sheet_music"
PEER_ITEMS = 20
PEER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    items_a_class: int
    peer_seconds: float
    pictures: int
    scaling_pictures: int
    scaling_rounds: int
    memory_problems: int


WHOLE = Size(4096, 0.5, 512, 5_000, 5, 100_000)
QUICK = Size(512, 0.1, 72, 1_536, 1, 10_000)


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a short look")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    size = QUICK if options.quick else WHOLE
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}",
            "text": text_rates(size.items_a_class, Path(folder)),
            "peers": peer_rates(size.peer_seconds),
            "pictures": picture_rates(size.pictures, Path(folder)),
            "scaling": scaling(size.scaling_pictures, size.scaling_rounds, Path(folder)),
            "memory": memory(size.memory_problems),
        }
    for line in table(found):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


# Text


def text_rates(items: int, folder: Path) -> dict[str, Any]:
    """Problems a second and core, by class and split, Parquet written."""
    classes: dict[str, dict[str, float]] = {}
    for task in list_tasks(SUITE):
        began = time.process_time()
        for split in ("train", "test"):
            warm(task, split)
        rates = {"tables_seconds": time.process_time() - began}
        for split in ("train", "test"):
            made, seconds = 0, 0.0
            for plan in plans(task, split, items):
                out = folder / f"{task.replace('/', '-')}-{split}-{plan.seed}"
                began = time.process_time()
                synthesize(plan, out)
                seconds += time.process_time() - began
                made += plan.count
            rates[split] = made / seconds
        classes[task] = rates
        note(f"{task}: {rates['train']:,.0f}/s")
    return {
        "by_class": classes,
        **{
            f"{split}_{name}": mean([rates[split] for rates in classes.values()])
            for split in ("train", "test")
            for name, mean in (("mean", statistics.fmean), ("mix", statistics.harmonic_mean))
        },
    }


def plans(task: str, split: str, items: int) -> Iterator[Plan]:
    """Plans of a class for ``items`` in all, over as many seeds as that takes."""
    most = most_items(make_plan(SUITE, split=split, count=1, tasks=[task]))
    left, seed = items, 1
    while left:
        count = min(left, most)
        yield make_plan(SUITE, split=split, count=count, seed=seed, tasks=[task])
        left, seed = left - count, seed + 1


def warm(task: str, split: str) -> None:
    """Build what a class builds once."""
    plan = make_plan(SUITE, split=split, count=1, tasks=[task])
    count = min(200, most_items(plan))
    table_of(list(suite_items(replace(plan, count=count), 0, count)), ["text"])


# Peers


class TooSlow(BaseException):
    """Raised by the clock; no ``except Exception`` of a generator may swallow it."""


def peer_rates(seconds: float) -> dict[str, Any]:
    """Items a second and core of each generator of reasoning-gym that is quick enough."""
    try:
        from reasoning_gym.factory import DATASETS, create_dataset
    except ImportError as error:
        return {"absent": f"reasoning-gym is not there ({error}): see requirements/bench.txt"}
    rates: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name in sorted(DATASETS):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                rates[name] = peer_rate(lambda: create_dataset(name, seed=1, size=10_000), seconds)  # noqa: B023
        except TooSlow:
            left_out[name] = f"{PEER_ITEMS} items take more than {PEER_SECONDS:g} s"
        except Exception as error:
            left_out[name] = f"{type(error).__name__}: {error}"[:200]
    note(f"reasoning-gym: {len(rates)} generators; left out: {', '.join(left_out) or 'none'}")
    return {"median": statistics.median(rates.values()), "rates": rates, "left_out": left_out}


def peer_rate(create: Callable[[], Sequence[Any]], seconds: float) -> float:
    """Items a second: 20 of them, and as many more as ``seconds`` hold."""
    with at_most(PEER_SECONDS):
        items = create()
        began = time.process_time()
        for index in range(PEER_ITEMS):
            items[index]
    index = PEER_ITEMS
    while index < len(items) and time.process_time() - began < seconds:
        items[index]
        index += 1
    return index / max(time.process_time() - began, 1e-9)


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise ``TooSlow`` when the process has computed for longer."""

    def late(*_: object) -> None:
        raise TooSlow

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


# Pictures


def picture_rates(items: int, folder: Path) -> dict[str, float]:
    """One-picture items a second and core, and by the cairosvg path."""
    plan = make_plan(SUITE, split="train", count=items, seed=2, modalities=["image"])
    table_of(list(suite_items(plan, 0, len(plan.tasks) * len(plan.levels))), ["image"])
    began = time.process_time()
    synthesize(plan, folder / "pictures")
    ours = items / (time.process_time() - began)
    note(f"pictures: {ours:,.0f}/s")
    found = {"ours": ours}
    try:
        import cairosvg
    except (ImportError, OSError) as error:
        note(f"cairosvg is not there: {error}")
        return found
    few = min(items, 4 * len(plan.tasks) * len(plan.levels))
    spent = {"made": 0.0, "ours": 0.0, "cairosvg": 0.0}

    def timed(stage: str, function: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = function()
        spent[stage] += time.process_time() - began
        return result

    cairosvg.svg2png(bytestring=engrave_svg(score_of(make(plan.tasks[0]).identity)).encode())
    problems = timed("made", lambda: list(suite_items(plan, 0, few)))
    for problem in problems:
        drawing = timed("made", lambda: engrave_svg(score_of(problem.identity)))  # noqa: B023
        timed("ours", lambda: rasterise(drawing))  # noqa: B023
        timed("cairosvg", lambda: cairosvg.svg2png(bytestring=drawing.encode()))  # noqa: B023
    return {
        **found,
        "stages_ours": few / (spent["made"] + spent["ours"]),
        "stages_cairosvg": few / (spent["made"] + spent["cairosvg"]),
        "ratio": (spent["made"] + spent["cairosvg"]) / (spent["made"] + spent["ours"]),
        "ratio_of_rasterisers": spent["cairosvg"] / spent["ours"],
    }


# Two processes


def scaling(pictures: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Two processes against one on the same pictures, start-up excluded."""
    plan = roomy_plan(pictures)
    table_of(list(suite_items(plan, 0, len(plan.tasks) * len(plan.levels))), ["image"])
    ratios, rates = [], {1: 0.0, 2: 0.0}
    for turn in range(rounds):
        for workers in (1, 2):
            out = folder / f"scaling-{turn}-{workers}"
            rates[workers] = steady_rate(plan, out, choose_executor("local", workers), workers)
        ratios.append(rates[2] / rates[1])
        note(f"two processes: {rates[2]:,.0f}/s against {rates[1]:,.0f}/s")
    return {"median": statistics.median(ratios), "ratios": ratios, "pictures": plan.count}


def steady_rate(plan: Plan, out: Path, executor: Executor, workers: int) -> float:
    """Problems a second by the clock, from the first shard of every worker to the last."""
    marks: list[float] = []
    synthesize(
        plan, out, executor=executor, progress=lambda done, total: marks.append(time.monotonic())
    )
    skipped = workers
    return (plan.count - skipped * plan.shard_items) / (marks[-1] - marks[skipped - 1])


def roomy_plan(count: int) -> Plan:
    """A plan for pictures of as many classes as have the capacity."""
    every = list_tasks(SUITE)
    room = {task: most_items(one_task(task)) for task in every}
    tasks = every
    while min(room[task] for task in tasks) * len(tasks) < count + 4 * len(every):
        tasks = [task for task in tasks if room[task] > min(room[task] for task in tasks)]
    return make_plan(SUITE, split="train", count=count, seed=3, tasks=tasks, modalities=["image"])


def one_task(task: str) -> Plan:
    """The smallest plan of one class."""
    return make_plan(SUITE, split="train", count=1, tasks=[task])


# Memory

MEMORY = """
import os, sys, tempfile
from dataclasses import replace
from pathlib import Path
from benchgen.dataset import synthesize
from benchgen.plan import make_plan, most_items

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

left, seed = int(sys.argv[1]), 0
whole = make_plan("sheet_music", split="train", count=1)
whole = replace(whole, count=most_items(whole))
while left > 0:
    plan = replace(whole, count=min(left, whole.count), seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        synthesize(plan, Path(folder) / "d",
                   progress=lambda done, total: print(resident(), flush=True))
    left, seed = left - plan.count, seed + 1
"""


def memory(problems: int) -> dict[str, float]:
    """Resident megabytes over a run of text problems: after a tenth, half, and all."""
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(problems)], capture_output=True, text=True, check=True
    )
    seen = [int(line) / 2**20 for line in run.stdout.split()]
    note(f"memory: {seen[len(seen) // 10]:.0f} to {seen[-1]:.0f} MB over {problems:,} problems")
    return {
        "problems": problems,
        "tenth": seen[len(seen) // 10],
        "half": seen[len(seen) // 2],
        "end": seen[-1],
        "most": max(seen),
    }


# The table


def table(found: dict[str, Any]) -> Iterator[str]:
    """The figures for people, each with what is asked of it."""
    text, pictures, scaled = found["text"], found["pictures"], found["scaling"]
    yield f"{found['machine']}"
    yield f"{'text problems/s/core':<28}{'train':>10}{'test':>10}{'tables':>10}"
    for task, rates in text["by_class"].items():
        short = task.partition("/")[2]
        yield (
            f"  {short:<26}{rates['train']:>10,.0f}{rates['test']:>10,.0f}"
            f"{rates['tables_seconds']:>8.1f} s"
        )
    yield f"  {'class mean':<26}{text['train_mean']:>10,.0f}{text['test_mean']:>10,.0f}"
    yield f"  {'equal shares of all':<26}{text['train_mix']:>10,.0f}{text['test_mix']:>10,.0f}"
    yield verdict("text, train, class mean", text["train_mean"], 4_000, "/s")
    peers = found["peers"]
    if "median" in peers:
        count = len(peers["rates"])
        yield f"  median of {count} reasoning-gym generators {peers['median']:>12,.0f}/s"
        yield verdict("  ours over that median", text["train_mean"] / peers["median"], 1, " times")
    else:
        yield f"  {peers['absent']}"
    yield verdict("one-picture items/s/core", pictures["ours"], 200, "/s")
    if "ratio" in pictures:
        yield verdict("  over the cairosvg path", pictures["ratio"], 4, " times")
    yield verdict("two processes over one", scaled["median"], 1.7, " times")
    grown = found["memory"]["end"] - found["memory"]["tenth"]
    yield (
        f"memory over {found['memory']['problems']:,} problems: {found['memory']['tenth']:.0f} MB "
        f"after a tenth, {found['memory']['end']:.0f} MB at the end ({grown:+.0f})"
    )


def verdict(name: str, value: float, floor: float, unit: str) -> str:
    """One line: the figure, the least that is asked, and whether it is met."""
    mark = "met" if value >= floor else "MISSED"
    return f"{name:<28}{value:>12,.1f}{unit}  (at least {floor:,g}: {mark})"


def note(text: str) -> None:
    """A line of progress to stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
