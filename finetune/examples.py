"""Worked examples to imitate, as trajectories.

Conventions
-----------
* The prompt is what an evaluation would send, with as many image tokens for its pictures; the
  reply is the assistant's turn as the chat template writes it, up to the token that ends it.
* ``solution`` imitates the worked solution and the box, ``answer`` the box alone. ``format``
  is a control: the box with an option drawn by a hash, so that only the form can be learned.
* Of solutions only the share ``worked`` may be shown, drawn by a hash; the other problems have the
  box alone. A model that imitates both samples both, so that rewards can teach it where working
  out pays (Zhang et al., "AdaptThink", 2025).
* A box holds an option's ``letter``, or its ``words``, which the score takes as well. To find the
  letter that stands before some words is a skill of its own, which small models lack for long.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchgen.answers import score
from benchgen.errors import InputError
from benchgen.problem import LETTERS, Problem, Response
from benchgen.prompt import worked_answer
from evaluators.questions import Question, read_questions
from finetune.pictures import PictureReader
from finetune.policy import Policy
from finetune.trajectory import Trajectory

REPLIES = ("solution", "answer", "format")
BOXES = ("letter", "words")


def read_examples(
    data: Path,
    policy: Policy,
    *,
    modality: str,
    replies: str,
    boxed: str = "letter",
    worked: float = 1.0,
) -> tuple[list[Trajectory], int]:
    """The dataset's problems as trajectories, in its order, and how many were left out.

    Left out is what is longer than the model's context.

    Raises
    ------
    InputError
        The dataset is damaged, lacks the modality, or none of its problems is short enough; or
        the policy takes no pictures.
    """
    if replies not in REPLIES:
        raise InputError(f"replies are {', '.join(REPLIES)}, not {replies!r}")
    if boxed not in BOXES:
        raise InputError(f"a box holds {' or '.join(BOXES)}, not {boxed!r}")
    if modality != "text" and policy.reader is None:
        raise InputError(f"the policy takes no pictures: its modality is text, not {modality!r}")
    made = list(examples(read_questions(data, modality), policy, replies, boxed, worked))
    config = policy.model.config.get_text_config()
    longest = getattr(config, "max_position_embeddings", None) or sys.maxsize
    short = [t for t in made if len(t.prompt) + len(t.reply) <= longest]
    if not short:
        raise InputError(f"{data} holds no problem of at most {longest} tokens")
    return short, len(made) - len(short)


def examples(
    questions: Iterable[Question],
    policy: Policy,
    replies: str,
    boxed: str = "letter",
    worked: float = 1.0,
) -> Iterator[Trajectory]:
    """Each question with the reply to imitate."""
    for question in questions:
        reply = imitated(question.problem, replies, boxed, worked)
        yield trajectory(
            policy.tokenizer,
            list(question.messages),
            reply,
            policy.ends,
            reader=policy.reader,
            pictures=question.images,
        )


def trajectory(
    tokenizer: Any,
    messages: list[Any],
    reply: str,
    ends: Collection[int],
    *,
    reader: PictureReader | None = None,
    pictures: tuple[bytes, ...] = (),
) -> Trajectory:
    """The tokens of a conversation and of the assistant's turn after it, up to one of ``ends``.

    ``reader`` is the one of a model that takes pictures, also where none are shown.

    Raises
    ------
    InputError
        The chat template writes the conversation otherwise when a turn follows it.
    """

    def tokens(turns: list[Any], asks: bool) -> list[int]:
        if reader is None:
            made = tokenizer.apply_chat_template(
                turns, add_generation_prompt=asks, return_dict=True
            )
        else:
            made = tokenizer(reader.words(turns, asks=asks), add_special_tokens=False)
        return list(made["input_ids"])

    prompt = tokens(messages, True)
    whole = tokens([*messages, {"role": "assistant", "content": reply}], False)
    if whole[: len(prompt)] != prompt:
        raise InputError("the model's chat template writes a prompt otherwise when it is answered")
    said = whole[len(prompt) :]
    # Templates write a line's end behind it, which the model is never to say.
    last = next((place for place, token in enumerate(said) if token in ends), len(said))
    said = said[: last + 1]
    if reader is None or not pictures:
        return Trajectory(tuple(prompt), tuple(said))
    shown = reader.token_ids(reader.words(messages, asks=True), pictures)
    return Trajectory(shown, tuple(said), pictures=pictures)


def imitated(
    problem: Problem, replies: str, boxed: str = "letter", worked: float = 1.0
) -> str:
    """The reply to a problem that is shown for imitation.

    Raises
    ------
    InputError
        The problem has no options where one is to be named, or the score does not take the
        words of the right one.
    """
    drawn = _draw(problem.id)
    solution = problem.solution if replies == "solution" and drawn < worked * 2**64 else None
    if not problem.options:
        if replies == "format" or boxed == "words":
            raise InputError(f"{problem.id!r} has no options for a box to name one of")
        return worked_answer(solution, problem.target)
    place = LETTERS.index(problem.target)
    if replies == "format":
        place = drawn % len(problem.options)
    box = LETTERS[place] if boxed == "letter" else problem.options[place]
    reply = worked_answer(solution, box)
    if replies != "format" and score(problem, Response(problem.id, reply)).value != 1.0:
        raise InputError(f"the score of {problem.id!r} does not take the words of its right option")
    return reply


def _draw(name: str) -> int:
    """A number below ``2**64``, the same for a name everywhere."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
