"""Run directories made through the evaluators' own writers, with replies drawn by a seed; and
what lets the tests here import the modules beside them and the scripted model of the exports'.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchgen.problem import Outcome
from evaluators.configuration import PLAIN, Prompting
from evaluators.journal import Journal, Sample
from evaluators.metrics import compute_metrics
from evaluators.run_directory import Data, RunConfig, write_config, write_metrics

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "exports")]

TASKS = {
    "interval_name": "interval",
    "note_completion": "interval",
    "chord_name": "chord",
    "chord_completion": "chord",
    "chord_root": "chord",
    "key_from_tones": "scale",
    "scale_selection": "scale",
    "meter": "rhythm",
    "bar_lines": "rhythm",
}

WriteRun = Callable[..., Path]


def make_run(
    folder: Path,
    model: str = "smollm2",
    *,
    skill: float = 0.3,
    engine: str = "vllm",
    modality: str = "text",
    digest: str = "sha256:1f0c9be2a4d7",
    problems: int = 144,
    asked: int | None = None,
    twins: bool = False,
    options: int = 4,
    unparsed: float = 0.0,
    truncated: float = 0.0,
    errors: int = 0,
    temperature: float = 0.0,
    samples: int = 1,
    tokens: int = 120,
    suite: str = "sheet_music",
    version: str = "1",
    recipe: str = "",
    max_tokens: int = 512,
    prompting: Prompting = PLAIN,
    categories: int = 0,
    report: bool = True,
    settings: dict[str, object] | None = None,
    seed: int = 0,
) -> Path:
    """Write the directory of a run whose replies are right with probability ``skill``."""
    folder.mkdir(parents=True)
    asked = problems if asked is None else asked
    config = RunConfig(
        model=model, model_source=model, engine=engine, modality=modality, samples=samples,
        temperature=temperature, top_p=1.0, max_tokens=max_tokens, seed=seed,
        limit=0 if asked == problems else asked,
        data=Data(f"data/{digest}", digest, suite, version, "test", problems, recipe),
        settings=settings or {}, benchgen_version="0.1.0", prompting=prompting, code="c0de",
    )  # fmt: skip
    rng = random.Random(f"{model} {modality} {seed}")
    tasks = {f"task_{i:02d}": f"category_{i:02d}" for i in range(categories)} or TASKS
    names = list(tasks)
    drawn: list[Sample] = []
    for place in range(asked):
        item = place // options if twins else place
        task = names[item % len(names)]
        level = 1 + item // len(names) % 4
        chance = min(1.0, max(0.0, skill + (0.12 * (2.5 - level) if 0 < skill < 1 else 0.0)))
        for epoch in range(samples):
            outcome = Outcome.CORRECT if rng.random() < chance else Outcome.WRONG
            if rng.random() < unparsed:
                outcome = Outcome.UNPARSED
            elif rng.random() < truncated:
                outcome = Outcome.TRUNCATED
            if place < errors:
                outcome = Outcome.ERROR
            drawn.append(
                Sample(
                    problem=f"item-{place:05d}", epoch=epoch, prompt_digest="p",
                    sampling_digest="s", task=f"{suite}/{task}", category=tasks[task],
                    level=level, twin_group=f"g{item}", cluster=f"g{item}", options=options,
                    target="A",
                    seed=place, reply="B", finish_reason="stop",
                    error="engine died" if outcome is Outcome.ERROR else None,
                    outcome=outcome, value=float(outcome is Outcome.CORRECT), extracted="A",
                    prompt_tokens=200,
                    completion_tokens=int(tokens * rng.uniform(0.6, 1.4)), cached_tokens=0,
                    thinking_tokens=0,
                    seconds=0.5, session=0, elapsed=0.4 * place, thinking="",
                )
            )  # fmt: skip
    write_config(folder, config)
    with Journal(folder) as journal:
        for sample in drawn:
            journal.append(sample)
    write_metrics(folder, config, compute_metrics(drawn, config.wanted))
    if report:
        (folder / "report.html").write_text("<!doctype html><title>report</title>", "utf-8")
    return folder


@pytest.fixture(scope="session")
def write_run() -> WriteRun:
    """The writer of run directories."""
    return make_run
