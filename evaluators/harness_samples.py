"""What lm_eval logged of its tasks, as samples and questions of ours.

Conventions
-----------
* A document of a task is a problem: ``task/number``. Its task is ``lm_eval/task``, its category
  the task's own name, its level 1 (the tasks state none).
* The value is that of the first metric that the task lists, behind the first of its filters:
  a share in [0, 1]. 1 is right, anything less is wrong.
* A task of multiple choice compares likelihoods, and the reply is the choice taken: the
  likeliest one, as the metric counts it. ``options`` is the number of choices where exactly one of
  them is right, else 0: one over the options is then not what guessing comes to.
* lm_eval tells neither tokens, nor what ended a reply, nor how long one took.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchgen.errors import InputError
from benchgen.problem import LETTERS, AnswerType, Message, Outcome, Problem
from evaluators.journal import Sample
from evaluators.questions import Question

SUITE = "lm_eval"
MULTIPLE_CHOICE = "multiple_choice"
UNTOLD = "unknown"

Task = Any
"""A task that lm_eval has loaded."""


class Logged(NamedTuple):
    """One document: what was asked, and what became of it."""

    question: Question
    sample: Sample


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of a document, and the places of the right ones."""

    texts: tuple[str, ...] = ()
    right: tuple[int, ...] = ()

    @property
    def options(self) -> tuple[str, ...] | None:
        """The choices, where they can be lettered and one of them is the answer."""
        plain = len(set(self.texts)) == len(self.texts) <= len(LETTERS)
        return self.texts if plain and len(self.right) == 1 else None

    def named(self, places: Iterable[int]) -> str:
        """These choices as the key or a reply names them: by letter, or by their words."""
        names = LETTERS if self.options is not None else self.texts
        return " | ".join(names[place] for place in places)


def first_metric(task: Task) -> str:
    """The metric that counts.

    Raises
    ------
    InputError
        The task lists none, or one that is no mean over its documents, or one of which less
        is better.
    """
    metrics = dict(task.aggregation())
    if not metrics:
        raise InputError(f"the task {task.task_name} lists no metric")
    metric = str(next(iter(metrics)))
    if getattr(metrics[metric], "__name__", "") != "mean":
        raise InputError(
            f"the task {task.task_name} is not scored by document: its first metric, {metric}, "
            "is no mean"
        )
    if not task.higher_is_better().get(metric, True):
        raise InputError(f"the task {task.task_name} counts errors: its first metric is {metric}")
    return metric


def task_digest(tasks: Mapping[str, Task]) -> str:
    """A digest of what the tasks ask and how they score it, over all their documents.

    What a model's chat template or the worked examples add is no part of it: it is how the
    same questions are put.
    """
    state = hashlib.sha256()
    for name in sorted(tasks):
        task = tasks[name]
        state.update(_canonical([name, task.VERSION, task.OUTPUT_TYPE, first_metric(task)]))
        for number, document in task.doc_iterator():
            choices = choices_of(task, document)
            asked = [task.doc_to_text(document), task.doc_to_target(document), choices.texts]
            state.update(_canonical([number, document, asked]))
    return state.hexdigest()


def choices_of(task: Task, document: Any) -> Choices:
    """The choices of a document; none where the task is not of multiple choice."""
    if task.OUTPUT_TYPE != MULTIPLE_CHOICE:
        return Choices()
    texts = tuple(map(str, task.doc_to_choice(document)))
    # Where the choices stand in the question, the task keeps its key in the question's place.
    key = task.doc_to_text(document) if task.multiple_input else task.doc_to_target(document)
    keys = key if isinstance(key, list) else [key]
    places = [texts.index(k) if isinstance(k, str) and k in texts else k for k in keys]
    return Choices(texts, tuple(p for p in places if isinstance(p, int) and 0 <= p < len(texts)))


def read_logged(
    task: Task, logged: Sequence[Mapping[str, Any]], *, split: str, seed: int, seconds: float
) -> list[Logged]:
    """What lm_eval logged of a task, in the order of its documents.

    ``logged`` are the samples that ``lm_eval.simple_evaluate`` gives; ``seconds`` is how long
    it took in all.

    Raises
    ------
    InputError
        The task's first metric is not a share in [0, 1]; the message names the task.
    """
    metric = first_metric(task)
    kept = [entry for entry in logged if entry["filter"] == logged[0]["filter"]]
    kept.sort(key=lambda entry: int(entry["doc_id"]))
    return [_read(task, metric, entry, split, seed, seconds) for entry in kept]


def _read(
    task: Task, metric: str, entry: Mapping[str, Any], split: str, seed: int, seconds: float
) -> Logged:
    name, number = str(task.task_name), int(entry["doc_id"])
    value = _share(name, metric, entry.get(metric))
    choices = choices_of(task, entry["doc"])
    extracted: str | None
    if choices.texts:
        taken = _taken(metric, choices.texts, entry["resps"])
        reply, extracted = choices.texts[taken], choices.named([taken])
        answer = " | ".join(choices.texts[place] for place in choices.right)
        target = choices.named(choices.right)
    else:
        reply, extracted = _reply(entry)
        answer = target = _words(_key(task, entry))
    problem = Problem(
        id=f"{name}/{number}",
        task=f"{SUITE}/{name}",
        category=name,
        level=1,
        split=split,
        seed=seed,
        index=number,
        suite_version=str(task.VERSION),
        question=_words(task.doc_to_text(entry["doc"])),
        options=choices.options,
        answer=answer,
        answer_type=AnswerType.CHOICE,
        identity={},
        content_key=str(entry["doc_hash"]),
        fact_key=str(entry["doc_hash"]),
        twin_group=f"{name}/{number}",
    )
    question = Question(problem, _messages(entry["arguments"]), ())
    sample = Sample(
        problem=problem.id,
        epoch=0,
        prompt_digest=question.digest,
        sampling_digest=_sampling_digest(entry["arguments"]),
        task=problem.task,
        category=name,
        level=problem.level,
        twin_group=problem.twin_group,
        cluster=problem.twin_group,
        options=len(choices.texts) if len(choices.right) == 1 else 0,
        target=target,
        seed=seed,
        reply=reply,
        finish_reason=UNTOLD,
        error=None,
        outcome=Outcome.CORRECT if value == 1.0 else Outcome.WRONG,
        value=value,
        extracted=extracted,
        prompt_tokens=0,
        completion_tokens=0,
        cached_tokens=0,
        thinking_tokens=0,
        seconds=0.0,
        session=0,
        elapsed=round(seconds, 6),
        thinking="",
    )
    return Logged(question, sample)


def _share(name: str, metric: str, value: Any) -> float:
    try:
        share = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        share = math.nan
    if not 0 <= share <= 1:
        raise InputError(
            f"the task {name} is not scored by document: its first metric, {metric}, is "
            f"{_words(value)[:60]} of one, no share in [0, 1]"
        )
    return share


def _taken(metric: str, texts: Sequence[str], replies: Sequence[Any]) -> int:
    """The choice that the metric takes for the model's; of equal ones the first."""
    likelihoods = [float(of_request[0][0]) for of_request in replies]
    count = len(texts)
    match metric:
        case "acc_norm":
            merits = _per_length(likelihoods, [len(text) for text in texts])
        case "acc_bytes":
            merits = _per_length(likelihoods, [len(text.encode()) for text in texts])
        case "acc_mutual_info":
            merits = [likelihoods[place] - likelihoods[count + place] for place in range(count)]
        case _:
            merits = likelihoods
    return max(range(count), key=merits.__getitem__)


def _per_length(likelihoods: Sequence[float], lengths: Sequence[int]) -> list[float]:
    # The likelihoods of the choices alone, where there are any, come after these.
    pairs = zip(likelihoods, lengths, strict=False)
    return [one / length if length else -math.inf for one, length in pairs]


def _reply(entry: Mapping[str, Any]) -> tuple[str, str | None]:
    """What the model wrote, and what the filter made of it."""
    drawn = list(entry["resps"][0])
    if drawn and not isinstance(drawn[0], str):
        likelihood, likeliest = drawn[0]
        word = "the" if likeliest else "not the"
        return f"log-likelihood {float(likelihood):.4f}, {word} likeliest continuation", None
    filtered = entry["filtered_resps"][0]
    return "\n\n".join(drawn), filtered if isinstance(filtered, str) else None


def _key(task: Task, entry: Mapping[str, Any]) -> Any:
    """The key of an open question; some are the place of one among choices."""
    key = entry["target"]
    placed = isinstance(key, int) and task.get_config("doc_to_choice") is not None
    return task.doc_to_choice(entry["doc"])[key] if placed else key


def _messages(arguments: Sequence[Any]) -> tuple[Message, ...]:
    """The prompt as it was sent; several where the choices stand in the question."""
    messages: list[Message] = []
    for prompt in dict.fromkeys(of_request[0] for of_request in arguments):
        if isinstance(prompt, tuple):  # lm_eval's wrapper around a chat, or what is left of it
            turns = json.loads(prompt[0])
            messages += [{"role": turn["role"], "content": turn["content"]} for turn in turns]
        else:
            messages.append({"role": "user", "content": str(prompt)})
    return tuple(messages)


def _sampling_digest(arguments: Sequence[Any]) -> str:
    settings = arguments[0][1] if len(arguments[0]) > 1 else None
    known = settings if isinstance(settings, dict) else {}
    return hashlib.blake2b(_canonical(known), digest_size=16).hexdigest()


def _words(value: Any) -> str:
    if isinstance(value, list):
        return " | ".join(map(_words, value))
    return value if isinstance(value, str) else str(value)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode("ascii")
