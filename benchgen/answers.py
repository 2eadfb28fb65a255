r"""Reading the final answer out of a reply, and the verdict on it.

Conventions
-----------
* Only what stands after the last end-of-thinking mark is read. A thought that
  was opened after it and never closed means that there is no answer yet.
* In that part, the first of these that is there decides:

  1. boxes, ``\boxed{...}``: all of them must hold the same answer. Empty boxes
     hold none and are passed over, and so is the prompt's own example when it is
     repeated word for word. A box that never closes spoils the reply.
  2. a last line ``Answer: X`` (also "Final answer: X" and "The correct answer is X",
     with Markdown around it): all such lines must hold the same answer.
  3. a reply that is nothing but an answer.

* An answer is an option's letter, an option's exact text, or both where they
  agree (``B. F sharp 4``). Letter case, hyphens, Unicode accidentals, LaTeX text
  commands, quotes and Markdown around it do not matter, except where they alone
  tell two options apart. Anything else, such as two letters, is no answer.
* A reply cut off by the token limit is ``truncated`` whatever it holds: what it
  would have said last is unknown. ``extracted`` still tells what was read.
* Only a correct answer is worth 1.0; all else is worth 0.0. Nothing in a reply
  is ever evaluated, and the time taken is linear in its length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from benchgen.problem import LETTERS, Outcome, Problem, Response, Score

LONGEST_ANSWER = 400
"""In characters; what is longer is never read as an answer."""

_THOUGHT_NAMES = "think|thinking|thought|thoughts|reasoning|reason|reflection|seed:think|mm:think"
# The patterns that are searched for begin with a set of characters: five times as fast.
_THOUGHT = re.compile(
    rf"(?=[<\[◁])(?:(?P<open><(?:{_THOUGHT_NAMES})>|\[think\]|◁think▷|<\|begin_of_thought\|>"
    r"|<\|start_thinking\|>|<\|channel\|?>(?:analysis|thought))"
    rf"|</(?:{_THOUGHT_NAMES})>|\[/think\]|◁/think▷|<\|end_of_thought\|>"
    r"|<\|end_thinking\|>|<\|channel\|>final<\|message\|>|<channel\|>)",
    re.IGNORECASE,
)
_BRACE = re.compile(r"(?=[\\{}])(?:(?P<box>\\{1,2}(?:boxed|fbox)\s{0,8}\{)|\\.|[{}])", re.DOTALL)
_EXAMPLE = re.compile(r"\\{1,2}(?i:boxed\{A\}\s{1,8}if the first option is right)")
_ANSWER_LINE = re.compile(
    r"(?:the\s{1,8})?(?:(?:final|correct|right|best)\s{1,8})?answer"
    r"(?:[\s*_`]{0,8}:|\s{1,8}is(?:[\s*_`]{0,8}:|\s))(.*)",
    re.IGNORECASE | re.DOTALL,
)
_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|texttt|mathrm|mathbf|mathsf|mathit|mathtt|mbox"
    r"|boldsymbol|bm|boxed|fbox|operatorname)\s?\{(.*)\}|\{(.*)\}",
    re.DOTALL,
)
_LABEL = re.compile(r"(?:the\s)?(?:option|choice|letter|answer)\s?(?:is\s)?:?\s?(.+)", re.I | re.S)
_LETTER_AND_TEXT = re.compile(
    r"(?:\(([a-z])\)\s?[.:\u2013\u2014-]?|([a-z])\s?[.):\u2013\u2014-])\s?(\S.*)", re.I | re.S
)
_ACCIDENTALS = {
    "\u266f": " sharp ",
    "\u266d": " flat ",
    "\u266e": " natural ",
    "\U0001d12a": " double sharp ",
    "\U0001d12b": " double flat ",
    "\\sharp": " sharp ",
    "\\flat": " flat ",
    "\\natural": " natural ",
}
_PAIRS = (
    ("$", "$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("(", ")"),
    ("[", "]"),
    ('"', '"'),
    ("'", "'"),
    ("\u201c", "\u201d"),
)
# "#" and ">" decorate only a beginning: "C#" is not the letter C. "~" is missing because
# what is struck through is no answer.
_DECORATION = "*_` \t\r\n\u200b\ufeff"
_HEADING = _DECORATION + "#>"


def score(problem: Problem, response: Response | str) -> Score:
    """The verdict on a reply to ``problem``; plain text counts as a finished reply.

    Never raises on any text.

    Raises
    ------
    ValueError
        The problem offers no options.
    """
    if problem.options is None:
        raise ValueError(f"{problem.id}: a problem of type {problem.answer_type} needs options")
    if isinstance(response, str):
        response = Response(problem.id, response)
    if response.error is not None or response.finish_reason == "error":
        return Score(0.0, Outcome.ERROR)
    choice = extract_choice(response.text, problem.options)
    extracted = None if choice is None else LETTERS[choice]
    if response.finish_reason == "length":
        return Score(0.0, Outcome.TRUNCATED, extracted)
    if choice is None:
        return Score(0.0, Outcome.UNPARSED)
    if problem.options[choice] == problem.answer:
        return Score(1.0, Outcome.CORRECT, extracted)
    return Score(0.0, Outcome.WRONG, extracted)


def extract_choice(text: str, options: Sequence[str]) -> int | None:
    """Which option a whole reply settles on (from 0), or None."""
    final = after_thinking(text)
    if final is None:
        return None
    boxes = boxed(_EXAMPLE.sub(" ", final))
    if boxes is None:
        return None
    if not boxes:
        boxes = answer_lines(final)
    if not boxes:
        boxes = [final.strip()]
    choices = {read_choice(box, options) for box in dict.fromkeys(boxes)}
    return choices.pop() if len(choices) == 1 else None


def after_thinking(text: str) -> str | None:
    """What follows the last end-of-thinking mark; None in an unfinished thought."""
    start, thinking = 0, False
    for mark in _THOUGHT.finditer(text):
        start, thinking = mark.end(), mark["open"] is not None
    return None if thinking else text[start:]


def boxed(text: str) -> list[str] | None:
    r"""The contents of every ``\boxed{...}`` that is not empty, nested ones too.

    Contents longer than ``LONGEST_ANSWER`` are given as no answer could be
    written, cut off. None if a box never closes.
    """
    found: list[str] = []
    starts: list[int | None] = []  # of the open braces; None for one that opens no box
    for token in _BRACE.finditer(text):
        if token["box"] is not None:
            starts.append(token.end())
        elif token[0] == "{":
            starts.append(None)
        elif token[0] == "}" and starts:
            start = starts.pop()
            if start is not None:
                content = text[start : min(token.start(), start + LONGEST_ANSWER + 1)]
                if content.strip() or len(content) > LONGEST_ANSWER:
                    found.append(content)
    return None if any(start is not None for start in starts) else found


def answer_lines(text: str) -> list[str]:
    """What follows "Answer:" in each such line, if the last line is one; else nothing."""
    found: list[str] = []
    last = False
    for line in text.splitlines():
        if not line.strip():
            continue
        match = None
        if len(line) <= LONGEST_ANSWER:
            match = _ANSWER_LINE.fullmatch(line.strip(_DECORATION).lstrip(_HEADING))
        last = match is not None
        if match is not None:
            found.append(match[1])
    return found if last else []


def read_choice(answer: str, options: Sequence[str]) -> int | None:
    """Which option (from 0) a short answer names, by letter, by text or by both."""
    plain = _undress(answer)
    if plain is None:
        return None
    named = _by_text(plain, options)
    label = _LABEL.fullmatch(plain)
    inner = plain if label is None else _undress(label[1]) or ""
    if named is None and label is not None:
        named = _by_text(inner, options)
    lettered = _by_letter(inner, len(options))
    if lettered is not None and named is not None and lettered != named:
        return None
    if lettered is not None or named is not None:
        return lettered if named is None else named
    both = _LETTER_AND_TEXT.fullmatch(inner)
    if both is None:
        return None
    lettered = _by_letter(both[1] or both[2], len(options))
    rest = _undress(both[3])
    if lettered is None or rest is None or _by_text(rest, options) != lettered:
        return None
    return lettered


def _by_letter(text: str, count: int) -> int | None:
    if len(text) != 1 or not text.isascii() or not text.isalpha():
        return None
    index = LETTERS.index(text.upper())
    return index if index < count else None


def _by_text(text: str, options: Sequence[str]) -> int | None:
    """The one option with this text: exactly, else but for case and hyphens."""
    exact = [i for i, option in enumerate(options) if _spaced(option) == text]
    if exact:
        return exact[0] if len(exact) == 1 else None
    loose = [i for i, option in enumerate(options) if _fold(_spaced(option)) == _fold(text)]
    return loose[0] if len(loose) == 1 else None


def _undress(answer: str) -> str | None:
    """The words of an answer without what stands around them; None if too long."""
    if len(answer) > LONGEST_ANSWER:
        return None
    text = _spaced(answer)
    before = None
    while text != before:
        before = text
        text = text.strip(_DECORATION).lstrip(_HEADING)
        if text.endswith((".", ",", ";", "\\")):
            text = text[:-1]
        for opening, closing in _PAIRS:
            inside = text[len(opening) : -len(closing)]
            if (
                text == f"{opening}{inside}{closing}"
                and opening not in inside
                and closing not in inside
            ):
                text = inside
        wrapper = _WRAPPER.fullmatch(text)
        if wrapper is not None:
            text = wrapper[1] if wrapper[1] is not None else wrapper[2]
    return " ".join(text.split())


def _spaced(text: str) -> str:
    r"""In NFKC, accidentals and ``\text{}`` in words, single spaces."""
    text = unicodedata.normalize("NFKC", text)
    for sign, word in _ACCIDENTALS.items():
        text = text.replace(sign, word)
    return " ".join(text.replace("\\ ", " ").replace("\\,", " ").split())


def _fold(text: str) -> str:
    return " ".join(text.casefold().replace("-", " ").replace("\u2011", " ").split())
