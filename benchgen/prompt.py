"""The prompt: one wording for every suite, modality and level.

The stimulus never stands in the question, so that a blind view is the question
and the options alone. The pictures' bytes travel beside the messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchgen.problem import LETTERS, Message

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
    """The user's turn as text; ``text`` is the stimulus, None for a picture."""
    parts = [question]
    if text is not None:
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
    modality: str,
    text: str | None,
    notation: str,
) -> list[Message]:
    """Chat messages for ``modality``: ``"text"``, or ``"image"`` (one picture).

    Raises
    ------
    ValueError
        The modality is neither.
    """
    if modality == "text":
        return [{"role": "user", "content": prompt_text(question, options, text, notation)}]
    if modality == "image":
        words = prompt_text(question, options)
        return [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": words}]}
        ]
    raise ValueError(f"modality is text or image, not {modality!r}")
