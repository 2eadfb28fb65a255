"""What sheet music's options mean, for the audit.

Written apart from the theory that makes the keys: it parses the words of an option and
knows no score. ``plausibility`` is the blind prover: it knows what is common and easily
written in music, and not what stands on the staff.

Conventions
-----------
* ``height`` is in semitones from C0, ``steps`` in staff positions (of a note from C0,
  of an interval from its lower note), ``fifths`` a place on the line of fifths with C
  at 0 (of an interval: perfect unison at 0).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from benchgen.problem import Identity

Attributes = dict[str, float | str]

_STEPS = "CDEFGAB"
_SEMITONES = (0, 2, 4, 5, 7, 9, 11)
_FIFTHS = (0, 2, 4, -1, 1, 3, 5)
_SIGNS = {"double flat": -2, "flat": -1, "natural": 0, "sharp": 1, "double sharp": 2}
_SIGN = "double flat|flat|natural|sharp|double sharp"
_NUMBERS = (
    "unison", "second", "third", "fourth", "fifth", "sixth", "seventh", "octave", "ninth",
    "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth",
)  # fmt: skip
_PERFECT = (0, 3, 4)
_QUALITIES = {"doubly diminished": -3, "diminished": -2, "minor": -1, "major": 0, "perfect": 0,
              "augmented": 1, "doubly augmented": 2}  # fmt: skip

_NOTE = re.compile(rf"([A-G])(?: ({_SIGN}))?(?: (\d))?")
_NAMED = re.compile(rf"([A-G])(?: ({_SIGN}))? ([a-z][a-z -]+)")
_INTERVAL = re.compile(rf"({'|'.join(_QUALITIES)}) ({'|'.join(_NUMBERS)})")
_METER = re.compile(r"(\d+)/(\d+)")
_PLACES = re.compile(r"after notes? ([\d, and]+)")
_ASKED = re.compile(rf"({'|'.join(_QUALITIES)}) ({'|'.join(_NUMBERS)}) (above|below)")

_CHORDS = {
    "major": ((0, 0), (2, 4), (4, 7)),
    "minor": ((0, 0), (2, 3), (4, 7)),
    "diminished": ((0, 0), (2, 3), (4, 6)),
    "augmented": ((0, 0), (2, 4), (4, 8)),
    "major seventh": ((0, 0), (2, 4), (4, 7), (6, 11)),
    "dominant seventh": ((0, 0), (2, 4), (4, 7), (6, 10)),
    "minor seventh": ((0, 0), (2, 3), (4, 7), (6, 10)),
    "half-diminished seventh": ((0, 0), (2, 3), (4, 6), (6, 10)),
    "diminished seventh": ((0, 0), (2, 3), (4, 6), (6, 9)),
    "minor-major seventh": ((0, 0), (2, 3), (4, 7), (6, 11)),
    "augmented-major seventh": ((0, 0), (2, 4), (4, 8), (6, 11)),
}
_METERS = ("4/4", "3/4", "2/4", "6/8", "2/2", "9/8", "12/8", "3/2", "6/4", "5/8", "7/8", "9/4")


def option_attributes(option: str) -> Attributes:
    """The attributes of an option; none for one that is not of our forms."""
    if match := _NOTE.fullmatch(option):
        return _note(match[1], match[2], match[3])
    if match := _INTERVAL.fullmatch(option):
        return _interval(match[1], match[2])
    if match := _METER.fullmatch(option):
        return _meter(int(match[1]), int(match[2]))
    if match := _PLACES.fullmatch(option):
        return _places([int(n) for n in re.findall(r"\d+", match[1])])
    if match := _NAMED.fullmatch(option):
        found = _note(match[1], match[2], None)
        found["kind"] = match[3]
        found["mode"] = match[3].split()[0]
        # A minor key has the signature of the major key three fifths below.
        found["signature"] = float(found["fifths"]) - 3 * match[3].endswith("minor")
        return found
    return {}


def plausibility(question: str, options: Sequence[str]) -> list[float] | None:
    """How easily each option could be right, from theory alone; None without an opinion."""
    if match := _ASKED.search(question):
        return [_easy_start(option, *match.groups()) for option in options]
    scores = [_ease(option) for option in options]
    if any(score is None for score in scores):
        return None
    return [score for score in scores if score is not None]


def stimulus_attributes(identity: Identity) -> Mapping[str, float]:
    """Partial views of a score: counts, signature, first, last, lowest and highest note."""
    score = identity["score"]
    events = [event for bar in score["bars"] for event in bar]
    notes = [note for event in events for note in event["notes"]]
    found: dict[str, float] = {
        "signature": score["fifths"],
        "bars": len(score["bars"]),
        "notes": len(notes),
        "events": len(events),
        "rests": sum(not event["notes"] for event in events),
        "accidentals": sum(sign is not None for _, _, sign in notes),
        "clef": ("treble", "bass", "alto", "tenor").index(score["clef"]),
        "beams": sum(bool(event.get("beam")) for event in events),
        "dots": sum(bool(event.get("dots")) for event in events),
        "events of the first bar": len(score["bars"][0]) if score["bars"] else 0,
    }
    if notes:
        heights = [7 * octave + _STEPS.index(letter) for letter, octave, _ in notes]
        found["first note"] = heights[0]
        found["last note"] = heights[-1]
        found["lowest note"] = min(heights)
        found["highest note"] = max(heights)
    accented = [event["notes"] for event in events if event.get("accent") and event["notes"]]
    if accented:
        letter, octave, _ = accented[0][0]
        found["accented note"] = 7 * octave + _STEPS.index(letter)
    return found


def _note(letter: str, sign: str | None, octave: str | None) -> Attributes:
    step, alteration = _STEPS.index(letter), _SIGNS[sign or "natural"]
    found: Attributes = {
        "letter": letter,
        "sign": sign or "natural",
        "alteration": alteration,
        "fifths": _FIFTHS[step] + 7 * alteration,
        "chroma": (_SEMITONES[step] + alteration) % 12,
        "step": step,
    }
    if octave is not None:
        found["octave"] = octave
        found["steps"] = 7 * int(octave) + step
        found["height"] = 12 * int(octave) + _SEMITONES[step] + alteration
    return found


def _interval(quality: str, number: str) -> Attributes:
    steps = _NUMBERS.index(number)
    alteration = _bent(quality, steps)
    simple = steps % 7
    fifths = _FIFTHS[simple] + 7 * alteration
    return {
        "number": number,
        "quality": quality,
        "steps": steps,
        "simple number": _NUMBERS[simple],
        "alteration": alteration,
        "semitones": 12 * (steps // 7) + _SEMITONES[simple] + alteration,
        "fifths": fifths,
        "compound": float(steps > 7),
    }


def _bent(quality: str, steps: int) -> int:
    """Semitones from the perfect or major interval."""
    bend = _QUALITIES[quality]
    return bend + 1 if bend < -1 and steps % 7 in _PERFECT else bend


def _meter(beats: int, unit: int) -> Attributes:
    compound = beats % 3 == 0 and beats > 3
    return {
        "beats": beats,
        "unit": unit,
        "sort": "compound" if compound else "irregular" if beats in (5, 7) else "simple",
        "pulses": beats // 3 if compound else beats,
        "duration": beats / unit,
    }


def _places(notes: list[int]) -> Attributes:
    if not notes:
        return {}
    gaps = [b - a for a, b in zip([0, *notes], notes, strict=False)]
    return {
        "lines": len(notes),
        "first line": notes[0],
        "last line": notes[-1],
        "first place": str(notes[0]),
        "last place": str(notes[-1]),
        "widest bar": max(gaps),
        "narrowest bar": min(gaps),
        "unevenness": max(gaps) - min(gaps),
    }


def _ease(option: str) -> float | None:
    """Fewer and simpler signs are easier; a common meter is; an even barring is."""
    if match := _INTERVAL.fullmatch(option):
        found = _interval(match[1], match[2])
        return -abs(float(found["fifths"])) - float(found["compound"])
    if match := _METER.fullmatch(option):
        return -float(_METERS.index(option)) if option in _METERS else -99.0
    if match := _PLACES.fullmatch(option):
        return -float(_places([int(n) for n in re.findall(r"\d+", match[1])])["unevenness"])
    if match := _NOTE.fullmatch(option):
        return -abs(float(_note(match[1], match[2], match[3])["alteration"]))
    if match := _NAMED.fullmatch(option):
        chord = _CHORDS.get(match[3])
        if chord is None:
            return -abs(float(option_attributes(option)["signature"]))
        root, alteration = _STEPS.index(match[1]), _SIGNS[match[2] or "natural"]
        return -float(sum(abs(_alteration(root, alteration, *tone)) for tone in chord))
    return None


def _alteration(step: int, alteration: int, steps: int, semitones: int) -> int:
    """The alteration of the note ``steps`` and ``semitones`` above a note."""
    natural = _SEMITONES[(step + steps) % 7] + 12 * ((step + steps) // 7)
    return _SEMITONES[step] + alteration + semitones - natural


def _easy_start(option: str, quality: str, number: str, direction: str) -> float:
    """How simple the given note would be if this option completed the interval."""
    match = _NOTE.fullmatch(option)
    if match is None:
        return 0.0
    interval = _interval(quality, number)
    steps, semitones = int(interval["steps"]), int(interval["semitones"])
    step, alteration = _STEPS.index(match[1]), _SIGNS[match[2] or "natural"]
    if direction == "above":
        steps, semitones = -steps, -semitones
    start = _alteration(step, alteration, steps, semitones)
    place = 7 * int(match[3] or 4) + step + steps
    return -10.0 * abs(start) - abs(place - 34)
