"""Gates 2 and 3: from the hits of every predictor to a verdict.

Conventions
-----------
* Gate 2 (equivalence): all upper bounds hold together with 99 % confidence
  (Bonferroni over every predictor, task, level and split), and each is at most chance
  plus two points. A class with a wider bound is refused, whatever the reason.
* Gate 3 (detection): exact two-sided p-values under fair keys, Holm over all; the
  chance that a fair suite is flagged at all is at most 1 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchgen.audit.predictors import Trial
from benchgen.audit.statistics import detectable, holm, null_pvalue, upper_bound

MARGIN = 0.02
ERROR = 0.01


@dataclass(frozen=True)
class Verdict:
    """One trial with what a gate computed of it (a bound, or an adjusted p-value)."""

    trial: Trial
    value: float

    def to_json(self, name: str) -> dict[str, object]:
        """The trial as a JSON object; ``name`` says what the value is."""
        trial = self.trial
        return {
            "task": trial.task,
            "level": trial.level,
            "split": trial.split,
            "predictor": trial.predictor,
            "fitted": trial.fitted,
            "scored": trial.scored,
            "accuracy": round(trial.accuracy, 5),
            "chance": round(trial.chance, 5),
            name: float(f"{self.value:.4g}"),
        }


def equivalence(trials: Sequence[Trial]) -> list[Verdict]:
    """The simultaneous upper bound of every trial's accuracy."""
    error = ERROR / max(len(trials), 1)
    return [Verdict(t, upper_bound(t.hits, t.scored, error)) for t in trials]


def too_wide(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The bounds beyond chance and margin, the widest first."""
    wide = [v for v in verdicts if v.value > v.trial.chance + MARGIN]
    return sorted(wide, key=lambda v: v.trial.chance - v.value)


def detection(trials: Sequence[Trial]) -> list[Verdict]:
    """The Holm-adjusted p-value of every trial."""
    adjusted = holm([null_pvalue(t.hits, dict(t.sizes)) for t in trials])
    return [Verdict(t, float(p)) for t, p in zip(trials, adjusted, strict=True)]


def flagged(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The trials that no fair key explains, the surest first."""
    found = [v for v in verdicts if v.value <= ERROR]
    return sorted(found, key=lambda v: (v.value, -abs(v.trial.accuracy - v.trial.chance)))


def resolution(trials: Sequence[Trial]) -> tuple[float, float]:
    """The leaks (accuracy above chance) that gate 3 finds with 95 % power.

    The first where most items are scored, the second where fewest are.
    """
    found = [detectable(t.scored, len(trials), min(t.chance, 0.5), ERROR) for t in trials]
    return min(found, default=0.0), max(found, default=0.0)


def best_blind(trials: Sequence[Trial], split: str) -> Mapping[str, object] | None:
    """The predictor with the best accuracy over all tasks and levels of a split.

    Where a predictor does not apply to a class it is taken to guess. ``task`` and
    ``level`` say where it does best. None without trials.
    """
    here = [t for t in trials if t.split == split and t.level > 0]
    cells = {(t.task, t.level): t.chance for t in here}
    if not cells:
        return None
    named: dict[tuple[str, str], dict[tuple[str, int], list[Trial]]] = {}
    for trial in here:
        of_predictor = named.setdefault((trial.predictor, trial.fitted), {})
        of_predictor.setdefault((trial.task, trial.level), []).append(trial)

    def accuracy(trials: Sequence[Trial]) -> float:
        return sum(t.hits for t in trials) / sum(t.scored for t in trials)

    def overall(found: Mapping[tuple[str, int], Sequence[Trial]]) -> float:
        hits = [accuracy(found[c]) if c in found else chance for c, chance in cells.items()]
        return sum(hits) / len(hits)

    (name, fitted), found = max(named.items(), key=lambda entry: overall(entry[1]))
    cell = max(found, key=lambda c: accuracy(found[c]) - cells[c])
    return {
        "name": name,
        "fitted": fitted,
        "accuracy": round(overall(found), 5),
        "chance": round(sum(cells.values()) / len(cells), 5),
        "split": split,
        "task": cell[0],
        "level": cell[1],
        "cell_accuracy": round(accuracy(found[cell]), 5),
        "scored": sum(t.scored for trials in found.values() for t in trials),
    }
