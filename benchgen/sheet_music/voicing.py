"""Chords as they stand on the staff: spacing, inversion, and how each tone is written.

Conventions
-----------
* A voicing is the chord members (0 root, 1 third, 2 fifth, 3 seventh) from low to high; each
  stands above the one before it by less than an octave. Only a tone that the signature
  alone decides is doubled: a sign would have to be printed again in the other octave.
* The lowest tone is put into octave 4; where the chord stands on the staff is chosen
  later and changes no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from benchgen.sheet_music.theory.pitch import Spelling, note_words, signature
from benchgen.sheet_music.theory.scale import signature_words
from benchgen.sheet_music.writing import CARRIED, Tone, manners

ROOT_POSITION = ((0, 1, 2), (0, 2, 1), (0, 1, 2, 0), (0, 2, 0, 1), (0, 1, 2, 1), (0, 2, 1, 2))
INVERTED_TRIADS = ((1, 2, 0), (1, 0, 2), (2, 0, 1), (2, 1, 0))
INVERTED_SEVENTHS = ((1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2))
ROOTS = tuple((step, alter) for step in range(7) for alter in (-1, 0, 1))


def stack(tones: Sequence[Spelling], voicing: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The (place, alteration) of each voice, from low to high."""
    placed: list[tuple[int, int]] = []
    for member in voicing:
        step, alter = tones[member]
        if not placed:
            placed.append((28 + step, alter))
        else:
            below = placed[-1][0]
            placed.append((below + (step - below) % 7, alter))
    return tuple(placed)


def writings(
    placed: Sequence[tuple[int, int]], fifths: int, carry: bool
) -> Iterator[tuple[Tone, ...]]:
    """Every way to write the tones; with ``carry``, exactly one of them is carried."""
    alters = signature(fifths)
    steps = [place % 7 for place, _ in placed]
    if any(steps.count(place % 7) > 1 and alters[place % 7] != alter for place, alter in placed):
        return
    ways = [manners(alter, alters[place % 7], carry) for place, alter in placed]
    for hows in product(*ways):
        if carry and hows.count(CARRIED) != 1:
            continue
        yield tuple(
            Tone(place, alter, how) for (place, alter), how in zip(placed, hows, strict=True)
        )


def lift(tones: Sequence[Tone], octaves: int) -> tuple[Tone, ...]:
    """The tones moved by whole octaves."""
    return tuple([tone.raised(octaves) for tone in tones])


def chord_words(tones: Sequence[Tone], fifths: int) -> str:
    """``"The signature, ... From low to high the chord is C natural, E flat, G natural."``."""
    named = ", ".join(note_words(tone.place % 7, tone.alter) for tone in tones)
    return f"{signature_words(fifths)} From low to high the chord is {named}."
