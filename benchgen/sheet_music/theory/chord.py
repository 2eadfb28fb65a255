"""Triads and seventh chords by spelling.

Conventions
-----------
* The root is found by stacking the letters in thirds; inversion and doubling change
  neither root nor kind. No sixth, suspended or added-note chords.
* A member is its number of thirds above the root: 0 root, 1 third, 2 fifth, 3 seventh.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from benchgen.sheet_music.theory.pitch import (
    LETTERS,
    STEP_SEMITONES,
    Spelling,
    note_words,
    pitch_class,
)

TRIADS = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "diminished": (0, 3, 6),
    "augmented": (0, 4, 8),
}
SEVENTHS = {
    "major seventh": (0, 4, 7, 11),
    "dominant seventh": (0, 4, 7, 10),
    "minor seventh": (0, 3, 7, 10),
    "half-diminished seventh": (0, 3, 6, 10),
    "diminished seventh": (0, 3, 6, 9),
    "minor-major seventh": (0, 3, 7, 11),
    "augmented-major seventh": (0, 4, 8, 11),
}
KINDS = {**TRIADS, **SEVENTHS}
MEMBERS = ("root", "third", "fifth", "seventh")
_BY_SEMITONES = {pattern: kind for kind, pattern in KINDS.items()}


def spell(root: Spelling, kind: str) -> tuple[Spelling, ...]:
    """The members of a chord, root first. Alterations may pass double signs."""
    step, alter = root
    members = []
    for thirds, size in enumerate(KINDS[kind]):
        place = step + 2 * thirds
        natural = 12 * (place // 7) + STEP_SEMITONES[place % 7] - STEP_SEMITONES[step]
        members.append((place % 7, alter + size - natural))
    return tuple(members)


def stack_words(root: Spelling, kind: str) -> str:
    """``"C natural, E flat, G natural"``: the members, root first."""
    return ", ".join(note_words(*member) for member in spell(root, kind))


def thirds_words(root: Spelling, kind: str) -> str:
    """``"C natural 0, E flat 3, G natural 7: 3, a minor third, then 4, a major third"``.

    The number of a note is that of its semitones above C.
    """
    sizes = KINDS[kind]
    members = ", ".join(
        f"{note_words(*member)} {pitch_class(member)}" for member in spell(root, kind)
    )
    thirds = (
        f"{high - low}, a {'major' if high - low == 4 else 'minor'} third"
        for low, high in zip(sizes, sizes[1:], strict=False)
    )
    return f"{members}: {', then '.join(thirds)}"


def missing_words(root: Spelling, kind: str, gone: int) -> str:
    """How the member ``gone`` is found from the root: its letter, then its sign.

    ``"Thirds on E are E, G, B, so G, the third, is missing. In a minor chord it stands 3 semitones
    above the root. E flat is 3 above C, and 3 more are 6. G natural is 7, 1 too high: G flat"``.
    """
    members = spell(root, kind)
    step, alter = members[gone]
    letters = ", ".join(LETTERS[letter] for letter, _ in members)
    size = KINDS[kind][gone]
    start = pitch_class(root)
    end = start + size
    wrapped = f", or {end - 12}" if end > 11 else ""
    off = f"{abs(alter)} too {'low' if alter > 0 else 'high'}" if alter else "which it is"
    article = "an" if kind.startswith("a") else "a"
    return (
        f"Thirds on {LETTERS[root[0]]} are {letters}, so {LETTERS[step]}, the {MEMBERS[gone]}, is "
        f"missing. In {article} {kind} chord it stands {size} semitones above the root. "
        f"{note_words(*root)} is {start} above C, and {size} more are {end}{wrapped}. "
        f"{LETTERS[step]} natural is {STEP_SEMITONES[step]}, {off}: {note_words(step, alter)}"
    )


def name_chord(tones: Iterable[Spelling]) -> tuple[Spelling, str] | None:
    """Root and kind of a complete chord, in any order; None where there is none."""
    return _name_chord(frozenset(tones))


@lru_cache(maxsize=65536)
def _name_chord(distinct: frozenset[Spelling]) -> tuple[Spelling, str] | None:
    by_step = dict(distinct)
    if len(by_step) != len(distinct):
        return None
    for root in distinct:
        stack = [(root[0] + 2 * thirds) % 7 for thirds in range(len(distinct))]
        if all(step in by_step for step in stack):
            pattern = []
            for thirds, step in enumerate(stack):
                place = root[0] + 2 * thirds
                natural = 12 * (place // 7) + STEP_SEMITONES[place % 7] - STEP_SEMITONES[root[0]]
                pattern.append(natural + by_step[step] - root[1])
            kind = _BY_SEMITONES.get(tuple(pattern))
            return None if kind is None else (root, kind)
    return None
