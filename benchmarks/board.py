"""How fast a board's page appears and sorts: 200 runs by 60 categories, in headless Chromium.

Conventions
-----------
* The record is made up, by a seed; every tenth name is hostile.
* First paint is the browser's own first contentful paint of ``index.html``, opened from
  disk, and ``rows`` the time until the rows are drawn, each in the view of scores and in
  that of categories. A sort is the time from the click on a heading until its frame is
  drawn, in the view of categories once it has come to rest.
* Each figure is the median of ``ROUNDS``, in milliseconds, each round in a page of its own.

Run ``python benchmarks/board.py`` (``--models``, ``--categories``, ``--keep FOLDER``).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from leaderboards.page import board_html

SEED = 1
ROUNDS = 5
REST = 500
LEVELS = 4
PROBLEMS = 2400
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "javascript:window.hacked=1",
    "__proto__",
    "../../etc/passwd",
    "\u202egnp.exe",
    "x" * 200,
)
METHODS = ("zero-shot", "4 shots", "8 votes")
RUNGS = ("1 x 512 tokens", "1 x 4096 tokens", "8 x 512 tokens")
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


def made_up(models: int, categories: int, seed: int = SEED) -> dict[str, Any]:
    """A board's record with one test, best first."""
    rng = random.Random(seed)
    names = [f"category {place:02d}" for place in range(categories)]
    tasks = [f"suite/task_{place:02d}" for place in range(categories)]
    levels = [str(1 + place) for place in range(LEVELS)]
    entries = [_entry(rng, place, names, tasks, levels) for place in range(models)]
    entries.sort(key=lambda entry: -entry["accuracy"]["value"])
    for place, entry in enumerate(entries):
        entry["rank"] = 1 + place // 3 * 3
        entry["tied"] = True
        if place:
            entry["above"] = {"effect": 0.01, "p_value": rng.random(), "test": "McNemar"}
    return {
        "schema_version": 2,
        "title": f"{models} runs, {categories} categories",
        "benchgen_version": "0",
        "tests": [
            {
                "key": "suite-1-test-text", "suite": "suite", "suite_version": "1", "split": "test",
                "modality": "text", "data": "sha256:1f0c9be2a4d7", "problems": PROBLEMS,
                "data_problems": PROBLEMS, "chance": 0.25,
                "categories": dict.fromkeys(names, 0.25), "tasks": dict.fromkeys(tasks, 0.25),
                "levels": dict.fromkeys(levels, 0.25), "blind": 0.28, "blind_name": "medoid",
                "fresh_of": None,
            }
        ],
        "entries": entries, "overall": [], "overall_tests": [], "gaps": [],
    }  # fmt: skip


def _entry(
    rng: random.Random, place: int, names: list[str], tasks: list[str], levels: list[str]
) -> dict[str, Any]:
    skill = rng.uniform(0.2, 0.95)

    def figure(problems: int) -> dict[str, Any]:
        value = min(0.99, max(0.01, skill + rng.uniform(-0.15, 0.15)))
        half = 1.96 * (value * (1 - value) / problems) ** 0.5
        low, high = max(0.0, value - half), min(1.0, value + half)
        return {"value": value, "low": low, "high": high, "problems": problems}

    name = f"{rng.choice(('Qwen', 'Other', 'lab'))}/model-{place:03d}"
    if place % 10 == 0:
        name = HOSTILE[place // 10 % len(HOSTILE)] + (f" {place}" if place >= 70 else "")
    share = PROBLEMS // max(1, len(names))
    return {
        "key": f"run-{place:03d}", "test": 0, "name": name, "kind": "model",
        "method": METHODS[place % 3], "rung": RUNGS[place // 3 % 3], "rank": None, "tied": False,
        "above": None, "partial": False, "problems": PROBLEMS, "accuracy": figure(PROBLEMS),
        "categories": {one: figure(share) for one in names},
        "tasks": {one: figure(share) for one in tasks},
        "levels": {one: figure(PROBLEMS // LEVELS) for one in levels},
        "twins": figure(PROBLEMS // 4),
        "outcomes": {"correct": skill, "wrong": 0.9 - 0.9 * skill, "unparsed": 0.05 - 0.05 * skill,
                     "truncated": 0.05 - 0.05 * skill, "error": 0.0},
        "errors": 0, "missing": 0,
        "quantities": {"tokens per reply": 10 ** rng.uniform(1.5, 3.5),
                       "seconds per reply": 10 ** rng.uniform(-1.0, 1.0)},
        "settings": [["engine", "vllm"], ["seed", "0"]],
        "samples": f"runs/{place:03d}/report.html", "record": f"runs/{place:03d}/metrics.json",
    }  # fmt: skip


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
    parser.add_argument("--keep", type=Path, help="leave the page in this folder")
    chosen = parser.parse_args()
    record = made_up(chosen.models, chosen.categories)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        page = folder / "index.html"
        page.write_text(board_html(record["title"], record, "0"), encoding="utf-8")
        print(json.dumps({"models": chosen.models, "categories": chosen.categories}
                         | measure(page), indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
