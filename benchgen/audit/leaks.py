"""What the splits share: contents never, facts as few as the class allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from benchgen.audit.sample import Sample, joined

HASHED_FACTS = 1000


def split_leaks(samples: Sequence[Sample]) -> list[str]:
    """Contents that two splits of one task share, at any levels and seeds; and repeats."""
    faults = []
    by_split: dict[str, dict[str, list[Sample]]] = {}
    for sample in samples:
        by_split.setdefault(sample.task, {}).setdefault(sample.split, []).append(sample)
        where = f"{sample.task} level {sample.level} {sample.split}"
        if sample.repeated:
            faults.append(
                f"{where}: {len(sample.repeated)} contents come twice in one seed, "
                f"first {sample.repeated[0]}"
            )
        if sample.misplaced:
            faults.append(
                f"{where}: {len(sample.misplaced)} items are of another task, level or split, "
                f"first {sample.misplaced[0]}"
            )
    for task, splits in by_split.items():
        contents = {name: joined([s.content for s in found]) for name, found in splits.items()}
        for one, other in combinations(sorted(contents), 2):
            shared = np.intersect1d(contents[one], contents[other], assume_unique=True)
            if len(shared):
                faults.append(f"{task}: {one} and {other} share {len(shared)} contents")
    return faults


def shared_facts(samples: Sequence[Sample]) -> list[Mapping[str, object]]:
    """For each task and level, how many of the test's facts are met in training.

    ``share_of_facts`` counts each fact once, ``share_of_items`` each item of the test;
    training is the sample of the task's train split, all levels together.
    """
    trained: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.split == "train":
            trained.setdefault(sample.task, []).append(sample)
    known = {task: joined([s.fact for s in found]) for task, found in trained.items()}
    rows: list[Mapping[str, object]] = []
    for sample in samples:
        if sample.split != "test" or sample.task not in known:
            continue
        facts = np.unique(sample.fact)
        met = np.isin(facts, known[sample.task], assume_unique=True)
        items = np.isin(sample.fact, known[sample.task])
        rows.append(
            {
                "task": sample.task,
                "level": sample.level,
                "train_items": sum(len(s.fact) for s in trained[sample.task]),
                "train_facts": len(known[sample.task]),
                "test_facts": len(facts),
                "share_of_facts": round(float(met.mean()), 4),
                "share_of_items": round(float(items.mean()), 4),
            }
        )
    return rows
