"""Random scores inside the printed dialect, as JSON, for tests that need many."""

from __future__ import annotations

import random
from typing import Any

Json = dict[str, Any]

_RANGES = {"treble": (23, 45), "bass": (11, 33), "alto": (17, 39), "tenor": (15, 37)}
_WORDS = ("minor", "half-diminished seventh", "augmented", "dominant seventh")


def random_score(rng: random.Random) -> Json:
    """A score of one to four bars that uses everything that can be written."""
    clef = rng.choice(sorted(_RANGES))
    return {
        "clef": clef,
        "fifths": rng.randint(-7, 7),
        "meter": rng.choice([None, [2, 4], [3, 4], [6, 8], [12, 8], [7, 8], [2, 2]]),
        "bars_per_system": rng.choice([1, 2, 4]),
        "bars": [_bar(rng, clef) for _ in range(rng.randint(1, 4))],
    }


def _bar(rng: random.Random, clef: str) -> list[Json]:
    bar: list[Json] = []
    for _ in range(rng.randint(1, 4)):
        draw = rng.random()
        if draw < 0.2:
            bar += _triplet(rng, clef)
        elif draw < 0.5:
            bar += _beamed(rng, clef)
        elif draw < 0.7:
            bar.append(_with_dots(rng, {"notes": [], "value": rng.choice([1, 2, 4, 8, 16])}))
        else:
            bar.append(_with_dots(rng, _note(rng, clef, rng.choice([1, 2, 4, 8, 16]))))
    return bar


def _with_dots(rng: random.Random, event: Json) -> Json:
    return event | {"dots": 1} if rng.random() < 0.3 and event["value"] < 16 else event


def _beamed(rng: random.Random, clef: str) -> list[Json]:
    if rng.random() < 0.3:
        shape = rng.choice([[(8, 1), (16, 0)], [(16, 0), (8, 1)], [(8, 0), (16, 0), (16, 0)]])
    else:
        shape = [(rng.choice([8, 16]), 0) for _ in range(rng.randint(2, 6))]
    group = []
    for place, (value, dots) in enumerate(shape):
        event = _note(rng, clef, value, most=2)
        if dots:
            event["dots"] = dots
        if place + 1 < len(shape):
            event["beam"] = True
        group.append(event)
    return group


def _triplet(rng: random.Random, clef: str) -> list[Json]:
    value = rng.choice([2, 4, 8, 8, 8, 16])
    group = [_note(rng, clef, value, most=2) | {"tuplet": 3} for _ in range(3)]
    if value >= 8 and rng.random() < 0.8:
        for event in group[:2]:
            event["beam"] = True
    return group


def _note(rng: random.Random, clef: str, value: int, most: int = 4) -> Json:
    """A note or a chord; beamed chords are small, for the engraver crowds large ones."""
    low, high = _RANGES[clef]
    count = min(most, rng.choice([1, 1, 1, 2, 3, 4]))
    bottom = rng.randint(low, high - 10)
    steps = sorted(rng.sample(range(bottom, bottom + 10), count))
    signs = [rng.choice([None, None, -2, -1, 0, 1, 2]) for _ in steps]
    event: Json = {
        "notes": [["CDEFGAB"[s % 7], s // 7, sign] for s, sign in zip(steps, signs, strict=True)],
        "value": value,
    }
    if rng.random() < 0.15:
        event["accent"] = True
        if rng.random() < 0.5:
            event["above"] = rng.choice(_WORDS)
    return event
