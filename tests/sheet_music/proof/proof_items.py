"""Items written by hand, with their truth; none comes from a generator.

Each has a trap in its name: what a careless reader would get wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from benchgen.sheet_music.proof.abc_reader import read_abc
from benchgen.sheet_music.proof.written import Written

LETTERS = "ABCD"
INTERVAL = "What is the interval between the two accented notes?"
COMPLETION = (
    "An interval and a direction are written above the accented note. "
    "Which note do they lead to from there?"
)
CHORD = "What is the accented chord?"
MISSING = (
    "One note is missing from the accented chord. The word above it names the kind of chord, "
    "and its lowest note is the root. Which note is missing?"
)
ROOT = "Which note is the root of the accented chord?"
KEY = "In which one of these keys do all the accented notes belong? Minor keys are harmonic minor."
METER = "Which meter are these bars written in? Every bar is full, and the beams follow the meter."
BARS = (
    "After which notes do the bar lines fall? Every bar is full, the last one too, and no note "
    "is held over a bar line."
)


@dataclass(frozen=True)
class Item:
    """A question about a bar or a few of ABC; the first option is the right one."""

    name: str
    task: str
    question: str
    options: tuple[str, ...]
    body: str
    key: str = "C major"
    meter: str = "none"
    clef: str = "treble"

    @property
    def abc(self) -> str:
        return f"X:1\nM:{self.meter}\nL:1/8\nK:{self.key} clef={self.clef}\n{self.body} |]\n"


def row_of(item: Item, right: int = 0) -> dict[str, Any]:
    """The item as a dataset row (text only), the right option moved to place ``right``."""
    options = [*item.options[1:]]
    options.insert(right, item.options[0])
    return {
        "id": item.name,
        "task": f"sheet_music/{item.task}",
        "question": item.question,
        "options": options,
        "answer": item.options[0],
        "target": LETTERS[right],
        "text": item.abc,
        "image": None,
        "identity": json.dumps({"task": item.task, "score": score_json(read_abc(item.abc))}),
    }


def score_json(written: Written, bars_per_system: int = 2) -> dict[str, Any]:
    """What is written in the layout of the stored score."""
    return {
        "clef": written.clef,
        "fifths": written.fifths,
        "meter": None if written.meter is None else list(written.meter),
        "bars_per_system": bars_per_system,
        "bars": [
            [
                {
                    "notes": [[n.letter, n.octave, n.sign] for n in event.notes],
                    "value": event.value,
                    "dots": event.dots,
                    "tuplet": event.tuplet,
                    "beam": event.beam,
                    "accent": event.accent,
                    "above": event.above,
                }
                for event in bar
            ]
            for bar in written.bars
        ],
    }


def _interval(name: str, right: str, wrong: str, body: str, key: str = "C major") -> Item:
    quality, other = right.rsplit(" ", 1)[0], wrong.rsplit(" ", 1)[0]
    number, next_number = right.rsplit(" ", 1)[1], wrong.rsplit(" ", 1)[1]
    options = (right, f"{other} {number}", f"{quality} {next_number}", wrong)
    return Item(name, "interval_name", INTERVAL, options, body, key)


INTERVALS = (
    _interval(
        "carry makes F sharp", "diminished fifth", "perfect fourth",
        "^F2 A2 !accent!F2 !accent!c2",
    ),
    _interval("natural cancels D's sharp", "major sixth", "minor seventh",
              "!accent!=F2 !accent!d2", "D major"),
    _interval("signature sharps both", "minor sixth", "major seventh",
              "!accent!F2 A2 !accent!d2", "A major"),
    _interval("the bar line ends the carry", "perfect fifth", "diminished fourth",
              "^F2 G2 | !accent!=F2 !accent!c2"),
    _interval("B sharp 3 is not B sharp 4", "minor third", "major second",
              "!accent!B,2 !accent!D2", "C# major"),
    _interval("C flat 4 lies above B flat 3", "minor second", "major third",
              "!accent!B,2 !accent!C2", "Cb major"),
    _interval("double sharp to sharp", "minor sixth", "major seventh",
              "!accent!^^F2 !accent!^d2"),
    _interval("a compound keeps its number", "minor tenth", "major ninth",
              "!accent!C2 !accent!_e2"),
    _interval("the higher note stands first", "minor seventh", "major sixth",
              "!accent!a2 e2 !accent!B2"),
    _interval("a doubly augmented fourth", "doubly augmented fourth", "perfect fifth",
              "!accent!_F2 !accent!B2"),
    _interval("two octaves", "perfect fifteenth", "augmented octave",
              "!accent!C2 !accent!c'2"),
    _interval("a diminished seventh is no sixth", "diminished seventh", "minor sixth",
              "!accent!^G2 !accent!f2"),
    _interval("an augmented ninth", "augmented ninth", "minor tenth",
              "!accent!C2 !accent!^d2"),
    _interval("a sign in another octave does not carry", "minor third", "major second",
              "^f2 !accent!=F2 !accent!_A2"),
)  # fmt: skip

COMPLETIONS = (
    Item("up from a carried sharp", "note_completion", COMPLETION,
         ("E sharp 5", "E natural 5", "F sharp 5", "F natural 5"),
         '^F2 "^major seventh up"!accent!F2'),
    Item("down over the octave break", "note_completion", COMPLETION,
         ("B sharp 3", "B natural 3", "A natural 3", "A sharp 3"),
         '"^minor sixth down"!accent!^G2'),
    Item("up to C flat 5", "note_completion", COMPLETION,
         ("C flat 5", "C natural 5", "B flat 4", "B natural 4"),
         '"^minor third up"!accent!_A2 G2'),
    Item("down from a signature's flat", "note_completion", COMPLETION,
         ("A flat 3", "A natural 3", "G natural 3", "G flat 3"),
         '"^perfect fifth down"!accent!E2', "Eb major"),
    Item("a compound down", "note_completion", COMPLETION,
         ("B natural 2", "B flat 2", "C natural 3", "C sharp 3"),
         '"^minor tenth down"!accent!D2'),
    Item("up to a double flat", "note_completion", COMPLETION,
         ("D double flat 5", "D flat 5", "C natural 5", "C flat 5"),
         '"^diminished seventh up"!accent!_E2'),
)  # fmt: skip

CHORDS = (
    Item("first inversion under a signature", "chord_name", CHORD,
         ("B flat major", "B flat minor", "D major", "D minor"),
         "!accent![DFB]4", "Bb major"),
    Item("four signature notes", "chord_name", CHORD,
         ("C sharp minor seventh", "C sharp dominant seventh", "E minor seventh",
          "E dominant seventh"),
         "!accent![CEGB]4", "E major"),
    Item("a diminished seventh by its spelling", "chord_name", CHORD,
         ("B diminished seventh", "B half-diminished seventh", "D diminished seventh",
          "D half-diminished seventh"),
         "!accent![DF_AB]4"),
    Item("an augmented triad by its spelling", "chord_name", CHORD,
         ("C augmented", "C major", "E augmented", "E major"),
         "!accent![E^Gc]4"),
    Item("the sharp carries into the chord", "chord_name", CHORD,
         ("C augmented", "C major", "A minor", "A augmented"),
         "^G2 !accent![CEG]4"),
    Item("half-diminished in third inversion", "chord_name", CHORD,
         ("C sharp half-diminished seventh", "C sharp diminished seventh",
          "E half-diminished seventh", "E diminished seventh"),
         "!accent![B,^CEG]4"),
    Item("minor-major", "chord_name", CHORD,
         ("C minor-major seventh", "C minor seventh", "E flat minor-major seventh",
          "E flat augmented-major seventh"),
         "!accent![C_EGB]4"),
    Item("augmented-major in open position", "chord_name", CHORD,
         ("C augmented-major seventh", "C major seventh", "E major seventh",
          "E augmented-major seventh"),
         "!accent![CB^ge']4"),
    Item("a doubled root does not matter", "chord_name", CHORD,
         ("F minor", "F major", "A flat minor", "A flat major"),
         "!accent![F_Acf]4"),
)  # fmt: skip

MISSING_NOTES = (
    Item("the fifth of a half-diminished seventh", "chord_completion", MISSING,
         ("F natural", "F sharp", "G natural", "G flat"),
         '"^half-diminished seventh"!accent![B,DA]4'),
    Item("the fifth of an augmented triad", "chord_completion", MISSING,
         ("G sharp", "G natural", "A natural", "A flat"),
         '"^augmented"!accent![CE]4'),
    Item("a signature's third", "chord_completion", MISSING,
         ("C natural", "C flat", "D flat", "D natural"),
         '"^minor"!accent![FA]4', "Eb major"),
    Item("the seventh, C flat", "chord_completion", MISSING,
         ("C flat", "C natural", "B natural", "B flat"),
         '"^dominant seventh"!accent![_DF_A]4'),
    Item("the third above a doubled root", "chord_completion", MISSING,
         ("F double sharp", "F sharp", "E sharp", "E double sharp"),
         '"^major"!accent![^D^A^d]4'),
)  # fmt: skip

ROOTS = (
    Item("first inversion", "chord_root", ROOT,
         ("B flat", "B natural", "D natural", "D flat"), "!accent![DFB]4", "Bb major"),
    Item("a seventh with its top below", "chord_root", ROOT,
         ("G natural", "G sharp", "F natural", "F sharp"), "!accent![FGBd]4"),
    Item("C flat under six flats", "chord_root", ROOT,
         ("C flat", "C natural", "G flat", "G natural"), "!accent![GBce]4", "Gb major"),
    Item("a raised leading note", "chord_root", ROOT,
         ("G sharp", "G natural", "B natural", "B flat"), "!accent![Bd^g]4"),
    Item("E sharp under seven sharps", "chord_root", ROOT,
         ("E sharp", "E natural", "G sharp", "G natural"), "!accent![GBe]4", "C# major"),
)  # fmt: skip

KEYS = (
    Item("notes without accents do not count", "key_from_tones", KEY,
         ("G minor", "G major", "B flat minor", "B flat major"),
         "!accent!_B2 !accent!^F2 =B2 !accent!_E2"),
    Item("all of C major", "key_from_tones", KEY,
         ("C major", "C minor", "A major", "A minor"),
         "!accent!C2 !accent!D2 !accent!E2 !accent!F2 !accent!G2 !accent!A2 !accent!B2"),
    Item("a misleading signature", "key_from_tones", KEY,
         ("D minor", "D major", "F major", "F minor"),
         "=c2 !accent!B2 !accent!^c2 !accent!=E2", "Eb major"),
    Item("C flat major", "key_from_tones", KEY,
         ("C flat major", "C major", "E flat minor", "E flat major"),
         "!accent!C2 !accent!F2 !accent!B2 !accent!G2 !accent!D2", "Cb major"),
)  # fmt: skip

_FOUR_SCALES = (
    "A2 _B2 ^c2 d2 e2 f2 g2 a2 | D2 E2 F2 G2 A2 _B2 =c2 d2 | "
    "d2 ^c2 =B2 A2 G2 F2 E2 D2 | G2 A2 _B2 =c2 d2 _e2 ^f2 g2"
)
_BAR_NAMES = ("bar 1", "bar 2", "bar 3", "bar 4")


def _scale(name: str, scale: str, bar: int) -> Item:
    question = f"Which bar holds the {scale} scale, beginning on any of its notes?"
    options = (_BAR_NAMES[bar - 1], *(b for b in _BAR_NAMES if b != f"bar {bar}"))
    return Item(name, "scale_selection", question, options, _FOUR_SCALES)


SCALES = (
    _scale("from its fifth degree", "D harmonic minor", 1),
    _scale("natural minor has the plain seventh", "D natural minor", 2),
    _scale("melodic minor falls as it rises", "D melodic minor", 3),
    _scale("raised seventh beside flats", "G harmonic minor", 4),
)

METERS = (
    Item("beams by threes are six eight", "meter", METER, ("6/8", "3/4", "2/4", "9/8"),
         "CDE FGA | c2 B A2 G"),
    Item("beams by twos are three four", "meter", METER, ("3/4", "6/8", "2/4", "9/8"),
         "CD EF GA | c2 B2 AG"),
    Item("three uneven groups", "meter", METER, ("7/8", "5/8", "3/4", "6/8"),
         "CD EF GAB | C2 D2 E3"),
    Item("one grouping of five throughout", "meter", METER, ("5/8", "7/8", "2/4", "3/4"),
         "CDE FG | c3 A2"),
    Item("triplets fill a beat", "meter", METER, ("2/4", "3/4", "6/8", "9/8"),
         "(3:2:3CDE F2 | G2 AB"),
    Item("syncopes inside half notes", "meter", METER, ("2/2", "4/4", "6/8", "3/4"),
         "C D2 E F G2 A | c4 B2 A2"),
    Item("dotted quarters of nine", "meter", METER, ("9/8", "3/4", "6/8", "4/4"),
         "C3 DEF G2 A | c3 B3 ABc"),
    Item("rests count", "meter", METER, ("6/8", "3/4", "2/4", "4/4"),
         "C2 z DEF | z3 c2 z"),
)  # fmt: skip
BAR_LINES = (
    Item("plain quarters", "bar_lines", BARS,
         ("after notes 3 and 5", "after notes 2 and 5", "after notes 3 and 4",
          "after notes 2 and 4"),
         "C2 D2 E2 F4 G2 A6", meter="3/4"),
    Item("triplets count as three notes", "bar_lines", BARS,
         ("after notes 4 and 5", "after notes 3 and 5", "after notes 4 and 6",
          "after notes 3 and 6"),
         "(3:2:3CDE F2 G4 A2 B2", meter="2/4"),
    Item("chords count once", "bar_lines", BARS,
         ("after note 3", "after note 2", "after note 4", "after note 1"),
         "[CE]3 D2 E F2 G2 A2", meter="6/8"),
    Item("dotted and short", "bar_lines", BARS,
         ("after notes 4, 6 and 9", "after notes 3, 6 and 9", "after notes 4, 6 and 8",
          "after notes 3, 6 and 8"),
         "C3/2D/2 E2 F2 G2 A4 B2 c2 B2 A6", meter="3/4"),
)  # fmt: skip

ITEMS = (
    *INTERVALS, *COMPLETIONS, *CHORDS, *MISSING_NOTES, *ROOTS, *KEYS, *SCALES, *METERS, *BAR_LINES,
)  # fmt: skip
