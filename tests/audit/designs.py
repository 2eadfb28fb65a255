"""Ways of making items: a fair one, planted leaks, and the known leaky ones of SSMR-Bench.

Each yields (question, options, place of the key) and has no stimulus at all, so that
whatever beats chance on them is a leak.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from benchgen.audit.attributes import suite_reading
from benchgen.audit.offers import Offers, measure
from benchgen.audit.predictors import Trial, fit_predictors, run_trials
from benchgen.audit.view import BlindView, blind_view

Item = tuple[str, Sequence[str], int]
Design = Callable[[random.Random, int], Iterator[Item]]

NUMBERS = ("second", "third", "fourth", "fifth", "sixth", "seventh")
QUALITIES = ("major", "minor", "augmented", "diminished")
QUESTION = "What is the interval between the two accented notes?"
LETTERS = "CDEFGAB"
SIGNS = ("flat", "natural", "sharp")
STEPS = {"major": (2, 2, 1, 2, 2, 2, 1), "minor": (2, 1, 2, 2, 1, 2, 2)}
ROOTS = ("C", "D", "E", "F", "G", "A", "B", "B flat", "E flat", "A flat", "F sharp", "C sharp")


def product_set(rng: random.Random) -> list[str]:
    """Two numbers x two qualities, in random order."""
    names = [f"{q} {n}" for n in rng.sample(NUMBERS, 2) for q in rng.sample(QUALITIES, 2)]
    if len(set(names)) < 4 or rng.random() < 0.5:
        one, other = rng.sample(QUALITIES, 2)
        names = [f"{q} {n}" for n in rng.sample(NUMBERS, 2) for q in (one, other)]
    rng.shuffle(names)
    return names


def fair(rng: random.Random, count: int) -> Iterator[Item]:
    """The twin rule: the set first, then a fair key."""
    for _ in range(count):
        yield QUESTION, product_set(rng), rng.randrange(4)


def fair_questions(rng: random.Random, count: int) -> Iterator[Item]:
    """As ``fair``, under many wordings, with sets of three to five options."""
    for _ in range(count):
        options = [f"{L} {s} {o}" for L in LETTERS for s in SIGNS for o in (4, 5)]
        offered = rng.sample(options, rng.choice((3, 4, 5)))
        question = f"Which note is a {rng.choice(QUALITIES)} {rng.choice(NUMBERS)} above it?"
        yield question, offered, rng.randrange(len(offered))


def _weighted(weight: Callable[[str, Sequence[str]], float]) -> Design:
    """Random sets, whose key is drawn by a weight that looks at the set."""

    def design(rng: random.Random, count: int) -> Iterator[Item]:
        for _ in range(count):
            options = [f"{rng.choice(QUALITIES)} {rng.choice(NUMBERS)}" for _ in range(4)]
            if len(set(options)) < 4:
                options = product_set(rng)
            weights = [weight(option, options) for option in options]
            yield QUESTION, options, rng.choices(range(4), weights)[0]

    return design


def likeness(option: str, options: Sequence[str]) -> int:
    """How many words the option has in common with the others."""
    return sum(len(set(option.split()) & set(other.split())) for other in options) - 2


def medoid(rng: random.Random, count: int) -> Iterator[Item]:
    """The option most like the others is the key in 35 %."""
    for _ in range(count):
        options = rng.sample([f"{q} {n}" for q in QUALITIES for n in NUMBERS], 4)
        best = max(range(4), key=lambda i: (likeness(options[i], options), rng.random()))
        others = [i for i in range(4) if i != best]
        yield QUESTION, options, best if rng.random() < 0.35 else rng.choice(others)


def never_the_outlier(rng: random.Random, count: int) -> Iterator[Item]:
    """The option least like the others is hardly ever the key."""
    for _ in range(count):
        options = rng.sample([f"{q} {n}" for q in QUALITIES for n in NUMBERS], 4)
        worst = min(range(4), key=lambda i: (likeness(options[i], options), rng.random()))
        others = [i for i in range(4) if i != worst]
        yield QUESTION, options, worst if rng.random() < 0.1 else rng.choice(others)


def letter_bias(rng: random.Random, count: int) -> Iterator[Item]:
    """The first place holds the key in 30 %."""
    for _, options, _ in fair(rng, count):
        yield QUESTION, options, rng.choices(range(4), (0.30, 0.70 / 3, 0.70 / 3, 0.70 / 3))[0]


prior_by_option = _weighted(lambda option, _: 1.5 if option.startswith(("major", "minor")) else 1)


def split_tilt(rng: random.Random, count: int, share: float = 0.1) -> Iterator[Item]:
    """The set and the key are drawn together until the content falls into a small split.

    Cells have few contents, so that a split holds more of some than of others.
    """
    names = [f"{q} {n}" for q in QUALITIES for n in NUMBERS]
    cells = random.Random(17)
    rich = {name: sum(cells.random() < share for _ in range(16)) / 16 for name in names}
    made = 0
    while made < count:
        options = product_set(rng)
        key = rng.randrange(4)
        if rng.random() < rich[options[key]]:
            made += 1
            yield QUESTION, options, key


def by_question(rng: random.Random, count: int) -> Iterator[Item]:
    """Asked for "above", the key is the highest note in 34 %; for "below", the lowest."""
    for _ in range(count):
        place = rng.randrange(3)
        options = [
            f"{letter} {sign} 4"
            for letter in LETTERS[2 * place : 2 * place + 2]
            for sign in rng.sample(SIGNS, 2)
        ]
        height = {o: LETTERS.index(o[0]) * 3 + SIGNS.index(o.split()[1]) for o in options}
        options.sort(key=height.__getitem__)
        above = rng.random() < 0.5
        favoured = 3 if above else 0
        others = [i for i in range(4) if i != favoured]
        key = favoured if rng.random() < 0.34 else rng.choice(others)
        order = rng.sample(range(4), 4)
        question = f"Which note is a third {'above' if above else 'below'} the accented note?"
        yield question, [options[i] for i in order], order.index(key)


def theory_prior(rng: random.Random, count: int) -> Iterator[Item]:
    """Of a chord's names, those with few signs are the key a little more often."""
    kinds = ("major", "minor", "diminished", "augmented")
    for _ in range(count):
        options = [
            f"{letter} {sign} {kind}"
            for letter, sign in zip(rng.sample(LETTERS, 2), rng.choices(SIGNS, k=2), strict=True)
            for kind in rng.sample(kinds, 2)
        ]
        rng.shuffle(options)
        weights = [1.6 if "natural" in option else 1.0 for option in options]
        yield "What is the accented chord?", options, rng.choices(range(4), weights)[0]


def _scale(root: str, mode: str) -> list[str]:
    natural = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    step = LETTERS.index(root[0])
    bend = {"": 0, " flat": -1, " sharp": 1}[root[1:]]
    tones, height = [], natural[root[0]] + bend
    for place in range(8):
        letter = LETTERS[(step + place) % 7]
        octave = (step + place) // 7
        alteration = height - natural[letter] - 12 * octave
        sign = {-2: "__", -1: "_", 0: "", 1: "^", 2: "^^"}[alteration]
        tones.append(sign + (letter if octave == 0 else letter.lower()))
        if place < 7:
            height += STEPS[mode][place]
    return tones


def reversed_scale(rng: random.Random, count: int) -> Iterator[Item]:
    """The scale, the scale reversed, and two copies with one accidental changed."""
    for _ in range(count):
        root, mode = rng.choice(ROOTS[:9]), rng.choice(tuple(STEPS))
        rising = rng.random() < 0.5
        right = _scale(root, mode) if rising else _scale(root, mode)[::-1]
        options = [right, right[::-1]]
        for _ in range(2):
            wrong = list(right)
            place = rng.randrange(8)
            wrong[place] = (
                "^" + wrong[place]
                if wrong[place][0] in "CDEFGABcdefgab"
                else (wrong[place].lstrip("^_"))
            )
            options.append(wrong)
        order = rng.sample(range(4), 4)
        question = (
            f"Which is a correctly written {root} {mode} "
            f"{'ascending' if rising else 'descending'} scale?"
        )
        yield question, [" ".join(options[i]) for i in order], order.index(0)


def four_bars(rng: random.Random, count: int) -> Iterator[Item]:
    """One line barred in its own meter, which makes four bars, and in three others."""
    for _ in range(count):
        meter = rng.choice((4, 6, 8))
        notes = [rng.choice("CDEFGABcde") for _ in range(4 * meter)]

        def barred(length: int, line: list[str] = notes) -> str:
            bars = [line[i : i + length] for i in range(0, len(line), length)]
            return " | ".join(" ".join(bar) for bar in bars) + " |"

        lengths = [meter, *rng.sample([n for n in (3, 4, 5, 6, 7, 8, 9, 12) if n != meter], 3)]
        order = rng.sample(range(4), 4)
        question = "Where do the bar lines stand?"
        yield question, [barred(lengths[i]) for i in order], order.index(0)


def odd_mode(rng: random.Random, count: int) -> Iterator[Item]:
    """The key, its root in the other mode, and roots of the same letter in the key's mode."""
    for _ in range(count):
        letter, mode = rng.choice(LETTERS), rng.choice(("major", "minor"))
        roots = [letter, f"{letter} sharp", f"{letter} flat"]
        rng.shuffle(roots)
        other = "minor" if mode == "major" else "major"
        options = [
            f"{roots[0]} {mode}",
            f"{roots[0]} {other}",
            f"{roots[1]} {mode}",
            f"{roots[2]} {mode}",
        ]
        order = rng.sample(range(4), 4)
        yield "Which key is it?", [options[i] for i in order], order.index(0)


def common_meter(rng: random.Random, count: int) -> Iterator[Item]:
    """The meter of a folk tune among three drawn from a long list."""
    meters = ("4/4", "6/8", "2/4", "3/4", "2/2", "9/8", "3/8", "12/8")
    rare = ("2/1", "8/4", "15/16", "4/1", "5/4", "5/8", "7/8", "6/4", "3/2", "9/4")
    for _ in range(count):
        right = rng.choices(meters, (782, 521, 366, 364, 305, 70, 60, 40))[0]
        offered = [right, *rng.sample([m for m in (*meters, *rare) if m != right], 3)]
        order = rng.sample(range(4), 4)
        yield "Which meter is it?", [offered[i] for i in order], order.index(0)


def similar_chords(rng: random.Random, count: int) -> Iterator[Item]:
    """A chord, and chords that share its root or its quality."""
    kinds = ("major", "minor", "diminished", "augmented")
    for _ in range(count):
        root, kind = rng.choice(ROOTS), rng.choice(kinds)
        near = [f"{root} {k}" for k in kinds if k != kind]
        near += [f"{r} {kind}" for r in ROOTS if r != root]
        options = [f"{root} {kind}", *rng.sample(near, 3)]
        order = rng.sample(range(4), 4)
        yield "Which chord is it?", [options[i] for i in order], order.index(0)


def compound_names(rng: random.Random, count: int) -> Iterator[Item]:
    """An interval of any size, among names within the octave."""
    simple = [f"{q} {n}" for q in QUALITIES for n in NUMBERS][:13]
    compound = ("major ninth", "minor tenth", "major tenth", "perfect eleventh", "perfect unison")
    for _ in range(count):
        right = rng.choice(compound) if rng.random() < 0.35 else rng.choice(simple)
        options = [right, *rng.sample([n for n in simple if n != right], 3)]
        order = rng.sample(range(4), 4)
        yield QUESTION, [options[i] for i in order], order.index(0)


def octave_twins(rng: random.Random, count: int) -> Iterator[Item]:
    """A note, its octave twin (the other letter case), and two notes of the tune."""
    for _ in range(count):
        tune = rng.sample("CDEFGABcdefgab", 6)
        right = tune[0]
        rest = [n for n in tune[1:] if n != right.swapcase()][:2]
        options = [right, right.swapcase(), *rest]
        order = rng.sample(range(4), 4)
        yield "Which note forms the interval?", [options[i] for i in order], order.index(0)


def named_chord(rng: random.Random, count: int) -> Iterator[Item]:
    """The question names the chord and the options spell chords."""
    for _ in range(count):
        letter, kind = rng.choice(LETTERS), rng.choice(("major", "minor"))
        step = LETTERS.index(letter)
        tones = [LETTERS[(step + 2 * i) % 7] for i in range(3)]
        right = " ".join([tones[0], tones[1] + ("" if kind == "major" else " flat"), tones[2]])
        wrong = [
            " ".join([tones[0], tones[1] + (" flat" if kind == "major" else ""), tones[2]]),
            " ".join([tones[0], tones[1], tones[2] + " sharp"]),
            " ".join([tones[0], tones[1] + " sharp", tones[2]]),
        ]
        options = [right, *wrong]
        order = rng.sample(range(4), 4)
        question = f"One note of {letter} {kind} is missing. Which chord is it?"
        yield question, [options[i] for i in order], order.index(0)


def view_of(
    design: Design, count: int, seed: int, level: int = 1, split: str = "test",
    task: str = "planted/design",
) -> BlindView:  # fmt: skip
    """``count`` items of a design, as a blind view with the index as metadata."""
    items = list(design(random.Random(f"{seed} {level} {split}"), count))
    questions, options, keys = zip(*items, strict=True)
    index = {f"index mod {n}": [i % n for i in range(count)] for n in (3, 4)}
    return blind_view(task, level, split, questions, options, keys, index)


def trials_of(
    view: BlindView, fit: int, trained: Offers | None = None, suite: str = "planted"
) -> list[Trial]:
    """Every trial on the items after the first ``fit``, which are learned from."""
    offers = measure(view, suite_reading(suite))
    learned = {"split": fit_predictors(offers.take(slice(0, fit)))}
    if trained is not None:
        learned["train"] = fit_predictors(trained)
    return run_trials(offers.take(slice(fit, None)), learned, seed=0)
