"""Worked examples to imitate, as trajectories.

Conventions
-----------
* The prompt is what an evaluation would send, with as many image tokens for its pictures; the
  reply is the assistant's turn as the chat template writes it, up to the token that ends it.
* ``solution`` imitates the worked solution and the box, ``answer`` the box alone. ``format``
  is a control: the box with an option drawn by a hash, so that only the form can be learned.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchgen.errors import InputError
from benchgen.problem import LETTERS, Problem
from benchgen.prompt import worked_answer
from evaluators.questions import Question, read_questions
from finetune.pictures import PictureReader
from finetune.policy import Policy
from finetune.trajectory import Trajectory

REPLIES = ("solution", "answer", "format")


def read_examples(
    data: Path, policy: Policy, *, modality: str, replies: str
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
    if modality != "text" and policy.reader is None:
        raise InputError(f"the policy takes no pictures: its modality is text, not {modality!r}")
    made = list(examples(read_questions(data, modality), policy, replies))
    config = policy.model.config.get_text_config()
    longest = getattr(config, "max_position_embeddings", None) or sys.maxsize
    short = [t for t in made if len(t.prompt) + len(t.reply) <= longest]
    if not short:
        raise InputError(f"{data} holds no problem of at most {longest} tokens")
    return short, len(made) - len(short)


def examples(
    questions: Iterable[Question], policy: Policy, replies: str
) -> Iterator[Trajectory]:
    """Each question with the reply to imitate."""
    for question in questions:
        reply = _reply(question.problem, replies)
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


def _reply(problem: Problem, replies: str) -> str:
    if replies == "solution":
        return worked_answer(problem.solution, problem.target)
    if replies == "answer":
        return worked_answer(None, problem.target)
    if not problem.options:
        raise InputError(f"{problem.id!r} has no options to draw one from: it has no form alone")
    digest = hashlib.blake2b(problem.id.encode(), digest_size=8).digest()
    return worked_answer(None, LETTERS[int.from_bytes(digest) % len(problem.options)])
