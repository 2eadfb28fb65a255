"""What the fresh replies of each step of a run were like, from its journal and its metrics.

Conventions
-----------
* Groups with a replayed reply are left out: their problems were learned from before. Those that
  dynamic sampling put aside are in. So figures are of fresh problems, the same for every objective.
* A step is placed by the tokens that the run had generated when it ended.
* ``pass@k`` is without bias from a group's replies (``evaluators.at_k``); a group of fewer than k
  has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluators.at_k import pass_at
from finetune.diversity import FEWEST_WORDS, textual
from finetune.rollouts import Group, read_rollouts
from finetune.training_folder import read_metrics

KS = (1, 2, 4, 8)
OF_METRICS = ("tokens", "replayed", "zero_variance_groups", "gradient_norm")


def step_figures(folder: Path, ks: Sequence[int] = KS) -> list[dict[str, float]]:
    """A record a step: ``step``, ``pass@k``, ``length``, ``distinct``, ``textual`` and more.

    ``length`` is in tokens; ``entropy``, in nats a token, is estimated without bias by the mean of
    what the engine's log-probabilities of the sampled tokens fall short of 0; ``distinct`` is the
    share of a group's replies that are the first of their tokens, in the mean over groups;
    ``textual`` the mean diversity of right replies (``finetune.diversity``) that have words enough
    to be compared, in groups with two or more of them. What a step has nothing of is left out.

    Raises
    ------
    InputError
        The run has no journal, or a damaged one.
    """
    found = []
    for line in read_metrics(folder):
        groups = [
            group
            for group in read_rollouts(folder, line["step"], aside=True)
            if not any(one.replayed for one in group)
        ]
        record: dict[str, float] = {"step": line["step"], "seconds": _seconds(line)}
        record |= {name: line[name] for name in OF_METRICS if name in line}
        found.append(record | _of_replies(groups, ks))
    return found


def _of_replies(groups: Sequence[Group], ks: Sequence[int]) -> dict[str, float]:
    right = [sum(one.outcome >= 1 for one in group) for group in groups]
    means = {
        f"pass@{k}": [
            pass_at(len(group), count, k)
            for group, count in zip(groups, right, strict=True)
            if len(group) >= k
        ]
        for k in ks
    }
    means["length"] = [float(len(one.tokens)) for group in groups for one in group]
    means["distinct"] = [len({one.tokens for one in group}) / len(group) for group in groups]
    means["entropy"] = [-value for group in groups for one in group for value in one.logprobs]
    means["textual"] = [value for group in groups for value in _diversities(group)]
    return {name: math.fsum(values) / len(values) for name, values in means.items() if values}


def _diversities(group: Group) -> list[float]:
    texts = [
        one.text
        for one in group
        if one.outcome >= 1 and len(one.text.split()) >= FEWEST_WORDS
    ]
    return textual(texts, [True] * len(texts)) if len(texts) > 1 else []


def _seconds(line: dict[str, Any]) -> float:
    return math.fsum(value for name, value in line.items() if name.startswith("seconds_"))
