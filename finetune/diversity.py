"""How different the replies to one prompt are from each other: in words, formulas, music.

Conventions
-----------
* Functions take the texts of a group and which of them are right, and give a number from 0 (what
  others said) to 1 (what none did) for each, in their order. A reply that is not right has 0.
* A reply is held against the other right ones. Without one, or with too little to compare, it is
  not diverse: 0.
* What two replies share is counted by the smaller of the two, and it is the likest of the others
  that counts: a text that holds another's whole, whatever stands before or behind, is not diverse.
* ``released`` is what DIVER's code does: it reads the first 1000 characters, compares with wrong
  replies as well, takes formulas as they are spelled, and so pays for garbage before a reply and
  for formulas that say nothing.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from finetune.objectives import Settings
from finetune.objectives.diver import KINDS

WEIGHTS = (0.02, 0.10, 0.15, 0.25, 0.38)
"""Of word n-grams from 1 to 5, in the exponent, as released: they add up to 0.9."""

RELEASED_CHARACTERS = 1000
FEWEST_WORDS = 5
FEWEST_FORMULAS = 2
FEWEST_NOTES = 3
MUSIC_ORDERS = 3

T = TypeVar("T")
Grams = Counter[tuple[Hashable, ...]]

DELIMITED = re.compile(
    r"(?<!\\)\$\$(?P<display>.+?)(?<!\\)\$\$|(?<!\\)\$(?P<inline>[^$]+?)(?<!\\)\$"
    r"|\\\((?P<round>.+?)\\\)|\\\[(?P<square>.+?)\\\]",
    re.DOTALL,
)
RELEASED_DELIMITED = tuple(
    re.compile(pattern)
    for pattern in (r"\\\[([^\]]*?)\\\]", r"\\\(([^\)]*?)\\\)", r"\$([^\$]*?)\$")
)

PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SIGNS = {
    "double sharp": 2, "double flat": -2, "sharp": 1, "flat": -1, "natural": 0,
    "##": 2, "bb": -2, "#": 1, "b": -1, "x": 2, "\u266f": 1, "\u266d": -1, "\u266e": 0,
}  # fmt: skip
_SIGN = "|".join(re.escape(name) for name in sorted(SIGNS, key=len, reverse=True))
NAMED = re.compile(
    rf"(?<![\w'])(?P<letter>[A-G])(?:[ -]?(?P<sign>double sharp|double flat|sharp|flat|natural)\b"
    rf"|(?P<mark>{_SIGN}))?(?P<octave>\d)?(?![\w'])(?: (?P<length>\d+)\b)?"
)
LENGTHS = re.compile(
    r"\b(?P<dotted>dotted )?(?P<name>whole|half|quarter|eighth|sixteenth|thirty-second)\b"
)
BOXED = re.compile(r"\\boxed\s*\{[^{}]*\}")
FENCED = re.compile(r"```(?:abc)?\n(?P<music>.+?)```", re.DOTALL)
WRITTEN = re.compile(r"(?P<sign>[_^=]{0,2})(?P<letter>[A-Ga-gzx])[,']*(?P<length>[\d/]*)")
WRITTEN_SIGNS = {"^": 1, "^^": 2, "_": -1, "__": -2}


def diversities(
    settings: Settings, texts: Sequence[str], right: Sequence[bool], group: Sequence[int]
) -> dict[str, list[float]]:
    """What an objective's bonus is made of, by the score's name, for all rows of a batch.

    Rows of one number in ``group`` are replies to one prompt, wherever they lie.
    """
    kinds = KINDS.get(settings.diversity, ())
    found = {f"{kind}_diversity": [0.0] * len(texts) for kind in kinds}
    rows: dict[int, list[int]] = {}
    for row, number in enumerate(group if kinds else ()):
        rows.setdefault(number, []).append(row)
    for members in rows.values():
        said, verdicts = [texts[row] for row in members], [right[row] for row in members]
        for kind in kinds:
            values = _of_kind(kind, said, verdicts, settings.diversity_released)
            for row, value in zip(members, values, strict=True):
                found[f"{kind}_diversity"][row] = value
    return found


def _of_kind(
    kind: str, texts: Sequence[str], right: Sequence[bool], released: bool
) -> list[float]:
    match kind:
        case "textual":
            return textual(texts, right, released)
        case "formula":
            return formulas(texts, right, released)
        case _:
            return musical(texts, right)


def textual(texts: Sequence[str], right: Sequence[bool], released: bool = False) -> list[float]:
    """1 less the likeness of a text to the likest of the others, by word n-grams up to 5.

    ``released``: 1 less the mean over all others of BLEU without smoothing, in both directions.
    """
    if released:
        words: list[Sequence[Hashable]] = [text[:RELEASED_CHARACTERS].split() for text in texts]
        return [
            1 - math.fsum((bleu(one, other) + bleu(other, one)) / 2 for other in others)
            / max(1, len(others))
            for place, one in enumerate(words)
            for others in [[*words[:place], *words[place + 1 :]]]
        ]  # fmt: skip
    grams = [[_grams(text.split(), order) for order in range(1, 6)] for text in texts]

    def like(one: list[Grams], other: list[Grams]) -> float:
        shares = [_shared(a, b) for a, b in zip(one, other, strict=True)]
        if min(shares) == 0:
            return 0.0
        return math.exp(sum(w * math.log(s) for w, s in zip(WEIGHTS, shares, strict=True)))

    enough = [len(text.split()) >= FEWEST_WORDS for text in texts]
    return _held(grams, right, enough, like)


def formulas(texts: Sequence[str], right: Sequence[bool], released: bool = False) -> list[float]:
    """1 less the largest share of a reply's formulas that another has, too.

    ``released``: the share of a reply's formulas that no other reply has.
    """
    if released:
        spelled = [released_formulas(text[:RELEASED_CHARACTERS]) for text in texts]
        return [
            len(own - set().union(*spelled[:place], *spelled[place + 1 :])) / len(own)
            if own
            else 0.0
            for place, own in enumerate(spelled)
        ]
    found = [formulas_of(text) for text in texts]
    enough = [len(own) >= FEWEST_FORMULAS for own in found]
    return _held(found, right, enough, lambda a, b: len(a & b) / min(len(a), len(b)))


def musical(texts: Sequence[str], right: Sequence[bool]) -> list[float]:
    """1 less the largest likeness of a reply's notes to another's: what it reads, in what order.

    Pitch classes and lengths are streams apart; a likeness is the mean over the streams that
    both have of the shares of n-grams, up to 3, that they share.
    """
    found = [music_of(text) for text in texts]
    grams = [
        [[_grams(stream, order) for order in range(1, MUSIC_ORDERS + 1)] for stream in streams]
        for streams in found
    ]

    def like(one: list[list[Grams]], other: list[list[Grams]]) -> float:
        shares = [
            math.fsum(_shared(a, b) for a, b in zip(mine, theirs, strict=True)) / MUSIC_ORDERS
            for mine, theirs in zip(one, other, strict=True)
            if mine[0].total() >= FEWEST_NOTES and theirs[0].total() >= FEWEST_NOTES
        ]
        # Replies that speak of other things in other streams have nothing to compare.
        return math.fsum(shares) / len(shares) if shares else 1.0

    enough = [max(len(stream) for stream in streams) >= FEWEST_NOTES for streams in found]
    return _held(grams, right, enough, like)


def bleu(reference: Sequence[Hashable], reply: Sequence[Hashable]) -> float:
    """BLEU of n-grams up to 5, their exponents ``WEIGHTS``, with NLTK's way of not smoothing."""
    if not reply:
        return 0.0
    logs = 0.0
    for order, weight in enumerate(WEIGHTS, 1):
        mine, theirs = _grams(reply, order), _grams(reference, order)
        met = (mine & theirs).total()
        if order == 1 and not met:
            return 0.0
        precision = met / max(1, mine.total()) if met else sys.float_info.min
        logs += weight * math.log(precision)
    short = 0.0 if len(reply) > len(reference) else 1 - len(reference) / len(reply)
    return math.exp(short + logs)


def formulas_of(text: str) -> frozenset[str]:
    """A reply's formulas without spaces, between dollars or TeX's brackets; empty ones are none."""
    bodies = [next(filter(None, match.groups())) for match in DELIMITED.finditer(text)]
    return frozenset(body for raw in bodies if (body := re.sub(r"\s+", "", raw)))


def released_formulas(text: str) -> frozenset[str]:
    """As DIVER's code finds them: not across a bracket or dollar of the same kind, as spelled."""
    return frozenset(body for each in RELEASED_DELIMITED for body in each.findall(text))


def music_of(text: str) -> tuple[list[Hashable], list[Hashable]]:
    """The pitch classes (0 is C) and the lengths that a reply names, in their order.

    Notes are named in words (``B flat``, ``F#4``), a number behind one is its length; lengths are
    named, too (``dotted quarter``). In a fenced block they are read as ABC. What is boxed is the
    letter of an option, not a note.
    """
    text = BOXED.sub(" ", text)
    pitches: list[Hashable] = []
    lengths: list[Hashable] = []
    end = 0
    for fence in FENCED.finditer(text):
        _read_words(text[end : fence.start()], pitches, lengths)
        _read_abc(fence["music"], pitches, lengths)
        end = fence.end()
    _read_words(text[end:], pitches, lengths)
    return pitches, lengths


def _read_words(text: str, pitches: list[Hashable], lengths: list[Hashable]) -> None:
    named: list[tuple[int, Hashable]] = []
    for match in NAMED.finditer(text):
        sign = match["sign"] or match["mark"]
        bare = not (sign or match["octave"] or match["length"])
        if bare and match["letter"] == "A" and re.match(r" [a-z]", text[match.end() :]):
            # The article.
            continue
        pitches.append((PITCH_CLASSES[match["letter"]] + (SIGNS[sign] if sign else 0)) % 12)
        if match["length"]:
            named.append((match.start(), int(match["length"])))
    for match in LENGTHS.finditer(text):
        named.append((match.start(), (bool(match["dotted"]), match["name"])))
    lengths += [length for _, length in sorted(named, key=lambda one: one[0])]


def _read_abc(text: str, pitches: list[Hashable], lengths: list[Hashable]) -> None:
    for line in text.splitlines():
        if re.match(r"[A-Za-z]:", line):
            continue
        for match in WRITTEN.finditer(re.sub(r'"[^"]*"|![^!]*!|\[[A-Za-z]:[^\]]*\]', "", line)):
            if match["letter"] not in "zx":
                sign = WRITTEN_SIGNS.get(match["sign"], 0)
                pitches.append((PITCH_CLASSES[match["letter"].upper()] + sign) % 12)
            lengths.append(match["length"])


def _grams(tokens: Sequence[Hashable], order: int) -> Grams:
    return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))


def _shared(one: Grams, other: Grams) -> float:
    """What both have, of the smaller one: 1 where it is all in the other, 0 of nothing."""
    return (one & other).total() / max(1, min(one.total(), other.total()))


def _held(
    found: Sequence[T],
    right: Sequence[bool],
    enough: Sequence[bool],
    like: Callable[[T, T], float],
) -> list[float]:
    """1 less the largest likeness of each right reply to another that is right."""
    compared = [r and e for r, e in zip(right, enough, strict=True)]
    out = [0.0] * len(found)
    for place, own in enumerate(found):
        others = [one for at, one in enumerate(found) if at != place and compared[at]]
        if compared[place] and others:
            out[place] = 1 - max(like(own, other) for other in others)
    return out
