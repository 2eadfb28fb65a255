"""An audit that has never failed proves nothing: every planted leak must be flagged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

import designs
import numpy as np
import pytest

from benchgen.audit.attributes import suite_reading
from benchgen.audit.gates import (
    best_blind,
    detection,
    equivalence,
    flagged,
    too_wide,
)
from benchgen.audit.offers import measure
from benchgen.audit.predictors import Trial, choose
from benchgen.audit.statistics import planned_items
from benchgen.audit.tables import sharing
from benchgen.audit.view import blind_view

PLANTED = {
    "medoid": (designs.medoid, 6000),
    "never the outlier": (designs.never_the_outlier, 6000),
    "letter bias": (designs.letter_bias, 6000),
    "prior by option": (designs.prior_by_option, 6000),
    "split tilt": (designs.split_tilt, 6000),
    "key depends on the question": (designs.by_question, 6000),
    "theory prior": (designs.theory_prior, 6000),
}

OLD_DESIGNS = {
    # The accuracy that a rule reached on the design as published, roughly.
    "reversed scale": (designs.reversed_scale, 0.70),
    "four bars": (designs.four_bars, 0.70),
    "odd mode": (designs.odd_mode, 0.95),
    "common meter": (designs.common_meter, 0.60),
    "similar chords": (designs.similar_chords, 0.60),
    "compound names": (designs.compound_names, 0.45),
    "octave twins": (designs.octave_twins, 0.45),
    "chord named in the question": (designs.named_chord, 0.95),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_leak_is_flagged(name: str) -> None:
    design, count = PLANTED[name]
    trials = designs.trials_of(designs.view_of(design, 2 * count, seed=1), fit=count)
    assert flagged(detection(trials))


@pytest.mark.parametrize("name", OLD_DESIGNS)
def test_known_leaky_design_is_flagged_as_badly_as_it_is(name: str) -> None:
    design, accuracy = OLD_DESIGNS[name]
    trials = designs.trials_of(designs.view_of(design, 4000, seed=2), fit=2000)
    assert flagged(detection(trials))
    best = best_blind(trials, "test")
    assert best is not None
    assert float(str(best["accuracy"])) > accuracy


def test_leak_below_chance_is_flagged_without_fitting() -> None:
    trials = designs.trials_of(designs.view_of(designs.never_the_outlier, 6000, seed=3), fit=3000)
    found = [v.trial for v in flagged(detection([t for t in trials if not t.fitted]))]
    assert any(t.accuracy < t.chance for t in found)


def test_leak_in_one_level_is_flagged_in_that_level_alone() -> None:
    trials = []
    for level in (1, 2, 3, 4):
        design = designs.letter_bias if level == 3 else designs.fair
        view = designs.view_of(design, 8000, seed=4, level=level)
        trials += designs.trials_of(view, fit=4000)
    assert {v.trial.level for v in flagged(detection(trials))} == {3}


def test_tilt_of_a_small_split_is_found_inside_the_split() -> None:
    # Train shows nothing: its own tilt is far smaller.
    train = measure(
        designs.view_of(partial(designs.split_tilt, share=0.9), 6000, 5, split="train"),
        suite_reading("planted"),
    )
    view = designs.view_of(designs.split_tilt, 12000, seed=5)
    trials = designs.trials_of(view, fit=6000, trained=train)
    found = {v.trial.fitted for v in flagged(detection(trials))}
    assert "split" in found


def test_metadata_that_tells_the_key_is_flagged() -> None:
    rng = random.Random(6)
    items = list(designs.fair(rng, 8000))
    keys = [i % 4 if rng.random() < 0.1 else key for i, (_, _, key) in enumerate(items)]
    view = blind_view(
        "planted/index", 1, "test", [q for q, _, _ in items], [o for _, o, _ in items], keys,
        {"index mod 4": [i % 4 for i in range(len(items))]},
    )  # fmt: skip
    found = {v.trial.predictor for v in flagged(detection(designs.trials_of(view, fit=4000)))}
    assert "letter by index mod 4" in found


def test_key_that_follows_the_key_before_is_flagged() -> None:
    rng = random.Random(7)
    items = list(designs.fair(rng, 8000))
    keys = [0]
    for _ in items[1:]:
        keys.append((keys[-1] + 1) % 4 if rng.random() < 0.1 else rng.randrange(4))
    view = blind_view(
        "planted/lag", 1, "test", [q for q, _, _ in items], [o for _, o, _ in items], keys
    )
    found = {v.trial.predictor for v in flagged(detection(designs.trials_of(view, fit=4000)))}
    assert "letter by previous key" in found


@pytest.mark.parametrize("design", [designs.fair, designs.fair_questions])
def test_fair_design_passes_both_gates_at_the_planned_number(design: designs.Design) -> None:
    scored = planned_items(150)
    trials = designs.trials_of(designs.view_of(design, 8000 + scored, seed=8), fit=8000)
    assert len(trials) <= 150
    assert not flagged(detection(trials))
    assert not too_wide(equivalence(trials))


def test_fair_design_with_too_few_items_is_refused_not_given_a_wider_bound() -> None:
    trials = designs.trials_of(designs.view_of(designs.fair, 4000, seed=9), fit=2000)
    assert not flagged(detection(trials))
    assert too_wide(equivalence(trials))


def test_leak_of_two_points_is_refused_by_equivalence_at_the_full_number() -> None:
    def two_points(rng: random.Random, count: int) -> Iterator[designs.Item]:
        for question, options, key in designs.fair(rng, count):
            yield question, options, 0 if rng.random() < 0.03 else key

    view = designs.view_of(two_points, 2000 + planned_items(150), seed=10)
    assert too_wide(equivalence(designs.trials_of(view, fit=2000)))


def test_fair_designs_are_seldom_flagged() -> None:
    # Family error 1 %: of 30 fair audits, three flagged ones would come up once in 270.
    alarms = 0
    for seed in range(30):
        view = designs.view_of(designs.fair, 600, seed=100 + seed)
        alarms += bool(flagged(detection(designs.trials_of(view, fit=300))))
    assert alarms <= 2


def test_ties_are_broken_by_a_fair_coin() -> None:
    scores = np.zeros((40000, 4))
    scores[:, 0] = -1.0
    chosen = choose(scores, np.ones_like(scores, dtype=bool), np.random.default_rng(0))
    counts = np.bincount(chosen, minlength=4)
    assert counts[0] == 0
    assert (abs(counts[1:] - 40000 / 3) < 4 * (40000 * 2 / 9) ** 0.5).all()


def test_places_beyond_an_items_options_are_never_chosen() -> None:
    offered = np.array([[True, True, False], [True, False, False]])
    chosen = choose(np.array([[0.0, 0.0, 9.0], [-5.0, 1.0, 2.0]]), offered,
                    np.random.default_rng(0))  # fmt: skip
    assert chosen[0] in (0, 1)
    assert chosen[1] == 0


def trial(task: str, predictor: str, hits: int, split: str = "test") -> Trial:
    return Trial(task, 1, split, predictor, "", 100, hits, ((4, 100),))


def test_best_blind_is_best_over_all_classes_guessing_where_it_has_no_say() -> None:
    trials = [
        trial("t/a", "narrow", 40),
        trial("t/a", "wide", 35), trial("t/b", "wide", 35),
        trial("t/b", "train only", 90, "train"),
    ]  # fmt: skip
    best = best_blind(trials, "test")
    assert best is not None
    assert (best["name"], best["accuracy"]) == ("wide", 0.35)
    assert best_blind([trial("t/a", "narrow", 40), trial("t/b", "dull", 20)], "test") == {
        "name": "narrow", "fitted": "", "accuracy": 0.325, "chance": 0.25, "split": "test",
        "task": "t/a", "level": 1, "cell_accuracy": 0.4, "scored": 100,
    }  # fmt: skip


def test_best_blind_adds_up_the_halves_of_a_dataset() -> None:
    best = best_blind([trial("t/a", "halves", 20), trial("t/a", "halves", 40)], "test")
    assert best is not None
    assert (best["accuracy"], best["scored"]) == (0.3, 200)


def test_sharing_pattern_is_the_same_in_a_view_with_fewer_attributes() -> None:
    one = blind_view("t/x", 1, "test", ["Q?"], [["C major", "C minor", "D major", "E major"]], [0])
    other = blind_view(
        "t/x", 1, "test", ["Q?"] * 2,
        [["C major", "C minor", "D major", "E major"], ["C sharp x y", "a", "b", "c"]], [0, 0],
    )  # fmt: skip
    patterns = [sharing(measure(view, suite_reading("planted")))[0] for view in (one, other)]
    assert (patterns[0] == patterns[1]).all()
