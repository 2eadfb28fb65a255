"""How fast a board is built, appears and sorts: 200 runs by 60 categories, in headless Chromium.

Conventions
-----------
* The runs are made up, by a seed, of 1,200 problems each; every tenth name is hostile. The
  build is ``benchgen board`` on their records, from its start to its end, in seconds.
* First paint is the browser's own first contentful paint of ``index.html``, opened from
  disk, and ``rows`` the time until the rows are drawn, each in the view of scores and in
  that of categories. A sort is the time from the click on a heading until its frame is
  drawn, in the view of categories once it has come to rest.
* Each figure is the median of ``ROUNDS``; of the page, in milliseconds, in a page of its own.

Run ``python benchmarks/board.py`` (``--models``, ``--categories``, ``--keep FOLDER``).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchgen.problem import Outcome
from evaluators.journal import Sample
from evaluators.metrics import compute_metrics
from evaluators.run_directory import Data, RunConfig, RunRecord, problem_scores
from leaderboards.record import record_of, write_record

SEED = 1
ROUNDS = 5
REST = 500
LEVELS = 4
PROBLEMS = 1200
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "javascript:window.hacked=1",
    "__proto__",
    "../../etc/passwd",
    "\u202egnp.exe",
    "x" * 200,
)
PAINT = """new Promise((done) => {
  new PerformanceObserver((list) => {
    for (const one of list.getEntriesByName('first-contentful-paint')) done(one.startTime);
  }).observe({type: 'paint', buffered: true});
})"""
# The page's policy stops scripts of others; the browser's own driver may still watch it.
WATCH = """window.rowsDrawn = new Promise((done) => {
  const observer = new MutationObserver(() => {
    if (!document.querySelector('.entry')) return;
    observer.disconnect();
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => done(performance.now());
      channel.port2.postMessage(null);
    });
  });
  observer.observe(document, {childList: true, subtree: true});
})"""
SORT = """([place]) => new Promise((done) => {
  const buttons = document.querySelectorAll('[role=columnheader] button');
  const start = performance.now();
  buttons[place].click();
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done(performance.now() - start);
    channel.port2.postMessage(null);
  });
})"""


def write_records(folder: Path, models: int, categories: int) -> list[Path]:
    """Made-up runs as the records that ``benchgen board`` takes, one file a run."""
    rng = random.Random(SEED)
    paths = []
    for place in range(models):
        samples = _samples(rng, rng.uniform(0.2, 0.95), categories)
        config = _config(place)
        metrics = compute_metrics(samples, config.wanted)
        problems = problem_scores(samples)
        run = RunRecord(folder, config, metrics, problems, None, 1_700_000_000_000 + place)
        paths.append(folder / f"{place:03d}.json")
        write_record(paths[-1], record_of(run))
    return paths


def _config(place: int) -> RunConfig:
    name = f"{('Qwen', 'Other', 'lab')[place % 3]}/model-{place:03d}"
    if place % 10 == 0:
        name = HOSTILE[place // 10 % len(HOSTILE)] + (f" {place}" if place >= 70 else "")
    data = Data("", "1f0c9be2a4d7" * 5, "suite", "1", "test", PROBLEMS)
    return RunConfig(
        model=name, model_source=name, engine="vllm", modality="text", samples=1,
        temperature=0.0, top_p=1.0, max_tokens=(512, 4096)[place // 3 % 2], seed=0, limit=0,
        data=data, settings={}, benchgen_version="0",
    )  # fmt: skip


def _samples(rng: random.Random, skill: float, categories: int) -> list[Sample]:
    tokens = 10 ** rng.uniform(1.5, 2.6)
    samples = []
    for place in range(PROBLEMS):
        item = place // 4
        category = item % categories
        right = rng.random() < skill
        samples.append(
            Sample(
                problem=f"item-{place:05d}", epoch=0, prompt_digest="", sampling_digest="",
                task=f"suite/task_{category:02d}", category=f"category {category:02d}",
                level=1 + item // categories % LEVELS, twin_group=f"g{item}", cluster=f"g{item}",
                options=4, target="A", seed=place, reply="", finish_reason="stop", error=None,
                outcome=Outcome.CORRECT if right else Outcome.WRONG, value=float(right),
                extracted=None, prompt_tokens=200,
                completion_tokens=int(tokens * rng.uniform(0.6, 1.4)), cached_tokens=0,
                thinking_tokens=0, seconds=0.5, session=0, elapsed=0.4 * place, thinking="",
            )
        )  # fmt: skip
    return samples


def time_builds(records: list[Path], site: Path) -> float:
    """The median seconds of ``benchgen board``, from its start to its end."""
    words = [sys.executable, "-m", "benchgen", "board", *map(str, records), "--out", str(site)]
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def measure(page: Path) -> dict[str, Any]:
    """The medians for the page, as the browser tells them."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    found: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary)
        for place in range(ROUNDS):
            for view in ("scores", "categories"):
                tab = browser.new_page(viewport={"width": 1280, "height": 900})
                tab.add_init_script(WATCH)
                tab.goto(f"{page.as_uri()}#view={view}")
                figures = {
                    f"{view}_paint": tab.evaluate(PAINT),
                    f"{view}_rows": tab.evaluate("window.rowsDrawn"),
                }
                if view == "categories":
                    tab.wait_for_timeout(REST)
                    figures["sort"] = tab.evaluate(SORT, [3 + place])
                for name, figure in figures.items():
                    found.setdefault(name, []).append(figure)
                tab.close()
        version = browser.version
        browser.close()
    medians = {f"{name}_ms": round(statistics.median(all_), 1) for name, all_ in found.items()}
    return {"rounds": ROUNDS, "chromium": version, "bytes": page.stat().st_size, **medians}


def main() -> None:
    """Print the medians as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--categories", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="leave the site in this folder")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        records = write_records(Path(temporary), chosen.models, chosen.categories)
        site = chosen.keep or Path(temporary) / "site"
        build = round(time_builds(records, site), 2)
        told = {"models": chosen.models, "categories": chosen.categories, "build_s": build}
        print(json.dumps(told | measure(site / "index.html"), indent=1))


if __name__ == "__main__":
    main()
