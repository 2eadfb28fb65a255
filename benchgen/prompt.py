"""The prompt: one wording for every suite, modality and level.

The stimulus never stands in the question, so that a blind view is the question
and the options alone. The pictures' bytes travel beside the messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchgen.problem import LETTERS, Message

PROMPT_MODALITIES = ("text", "image", "both")
"""What of a stimulus is shown: its notation, its picture, or both."""

CHOICE_INSTRUCTION = (
    "Think it through, then give the letter of the one right option in \\boxed{}, "
    "for example \\boxed{A} if the first option is right."
)
OPEN_INSTRUCTION = "Think it through, then give your final answer in \\boxed{}."


def prompt_text(
    question: str,
    options: Sequence[str] | None,
    text: str | None = None,
    notation: str = "",
) -> str:
    """The user's turn as text; ``text`` is the stimulus.

    It is None for a picture, and empty where the question stands alone.
    """
    parts = [question]
    if text:
        parts.append(f"```{notation}\n{text.rstrip()}\n```")
    if options is None:
        parts.append(OPEN_INSTRUCTION)
    else:
        lines = [f"{LETTERS[i]}. {option}" for i, option in enumerate(options)]
        parts.append("\n".join(lines))
        parts.append(CHOICE_INSTRUCTION)
    return "\n\n".join(parts)


def chat_messages(
    question: str,
    options: Sequence[str] | None,
    text: str | None,
    notation: str,
    pictures: int = 0,
) -> list[Message]:
    """The user's turn: ``pictures`` first, then the words with the stimulus as ``text``."""
    words = prompt_text(question, options, text, notation)
    if not pictures:
        return [{"role": "user", "content": words}]
    shown: list[Message] = [{"type": "image"} for _ in range(pictures)]
    return [{"role": "user", "content": [*shown, {"type": "text", "text": words}]}]


def worked_answer(solution: str | None, target: str) -> str:
    """The assistant's turn in a worked example: the solution, if there is one, and the box."""
    box = f"\\boxed{{{target}}}"
    return f"{solution}\n\n{box}" if solution else box
