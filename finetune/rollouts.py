"""Replies of the policy to problems, sampled in groups and journalled.

Conventions
-----------
* A group is the replies to one problem that was drawn; ``draw`` counts what a run draws, from 0.
  Each sample has a seed of its own, a hash of the run's seed, the draw and the sample's number.
* Sampling is what the trainer takes it for: the temperature alone, no truncation, no penalty; the
  log-probabilities are those of the distribution that was sampled from.
* A reply that failed is left out and counted. A group needs two others.
* A step's rollouts are journalled before its update, ``rollouts-00000012.jsonl``, token ids and
  log-probabilities included: the update can be computed again from them alone, and is where a run
  that was cut does a step again, whatever its engine would sample now. Groups that were put
  ``aside`` are in it, too. Pictures lie in it by their digests (SHA-256), and are found again
  among those of the questions.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchgen.errors import InputError
from benchgen.files import write_whole
from benchgen.problem import Response
from evaluators.engine import Engine, Request, Sampling
from evaluators.questions import Question
from finetune.rewards import Judged, Reward, judge
from finetune.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Rollout:
    """One reply. ``reward`` may be NaN; ``outcome`` is the bare verdict, ``truncated`` whether the
    reply was cut at its longest, ``aside`` whether it is not learned from, ``replayed`` whether an
    earlier policy said it, whose log-probabilities it has.
    """

    draw: int
    problem: str
    task: str
    level: int
    sample: int
    seed: int
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str
    truncated: bool
    reward: float
    parts: dict[str, float]
    outcome: float
    verdict: str
    pictures: tuple[bytes, ...] = ()
    aside: bool = False
    replayed: bool = False

    @property
    def trajectory(self) -> Trajectory:
        """Its tokens alone, and what was shown."""
        return Trajectory(self.prompt, self.tokens, self.logprobs, self.pictures)


Group = Sequence[Rollout]
Journalled = Mapping[tuple[int, int], Rollout]
"""What a step has sampled before, by draw and sample."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Groups in the order of their problems, and how many replies failed."""

    groups: tuple[Group, ...]
    failed: int
    error: str


def draw_groups(
    engine: Engine,
    questions: Sequence[tuple[int, Question]],
    rewards: Sequence[Reward],
    *,
    samples: int,
    temperature: float,
    max_tokens: int,
    seed: int,
    journalled: Journalled = MappingProxyType({}),
    replayed: Mapping[int, Rollout] = MappingProxyType({}),
) -> Drawn:
    """``samples`` replies to each question, which has the number of its draw with it.

    A step that was ``journalled`` is taken from there, whole: what is not in it failed. Where a
    draw has a ``replayed`` reply, that is its last, and one less is asked for.

    Raises
    ------
    InputError
        The engine gives no log-probabilities, or no token ids; the journal is of other questions.
    """
    asked: dict[str, tuple[int, int, int]] = {}  # draw, sample, seed
    requests = []
    failed, error = 0, ""
    known = dict(questions)
    found: dict[int, list[Rollout]] = {draw: [] for draw, _ in questions}
    for draw, question in questions:
        for sample in range(samples - (draw in replayed)):
            name = f"{draw}#{sample}"
            own = rollout_seed(seed, draw, sample)
            if journalled:
                before = journalled.get((draw, sample))
                if before is None:
                    failed, error = failed + 1, "it failed before"
                elif (before.problem, before.seed) != (question.problem.id, own):
                    raise InputError(f"the journal holds another question for draw {draw}")
                else:
                    found[draw].append(replace(before, pictures=question.images, aside=False))
                continue
            asked[name] = (draw, sample, own)
            sampling = Sampling(
                temperature=temperature, max_tokens=max_tokens, seed=own, logprobs=True
            )
            requests.append(Request(name, question.messages, (), question.images, sampling))
    for response in engine.generate(requests) if requests else ():
        draw, sample, own = asked.pop(response.id)
        if response.finish_reason == "error":
            failed, error = failed + 1, response.error or "no reason given"
            continue
        judged = judge(rewards, known[draw].problem, response)
        found[draw].append(_rollout(known[draw], draw, sample, own, response, judged))
    failed += len(asked)
    for draw in found.keys() & replayed.keys():
        again = replace(replayed[draw], draw=draw, sample=samples - 1, replayed=True)
        found[draw].append(again)
    groups = [sorted(group, key=lambda one: one.sample) for group in found.values()]
    return Drawn(tuple(group for group in groups if len(group) > 1), failed, error)


def rollout_seed(seed: int, draw: int, sample: int) -> int:
    """The seed of one sample, from 0 to 2^63 - 1."""
    key = json.dumps(["rollout", seed, draw, sample]).encode("ascii")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) >> 1


def teaches(group: Group) -> bool:
    """Whether the verdicts on a group differ (DAPO's dynamic sampling keeps such ones alone)."""
    known = {one.outcome for one in group if not math.isnan(one.outcome)}
    return len(known) > 1


def journal_path(out: Path, step: int) -> Path:
    """Where the rollouts of a step lie (steps count from 1 here, as in ``metrics.jsonl``)."""
    return out / "rollouts" / f"rollouts-{step:08d}.jsonl"


def journalled_rollouts(out: Path, step: int) -> Journalled:
    """What a step has sampled before, the groups put aside as well; nothing if it has not.

    Raises
    ------
    InputError
        The journal is damaged.
    """
    if not journal_path(out, step).exists():
        return {}
    groups = read_rollouts(out, step, aside=True)
    return {(one.draw, one.sample): one for group in groups for one in group}


def write_rollouts(
    out: Path, step: int, groups: Sequence[Group], aside: Sequence[Group] = ()
) -> None:
    """Write a step's rollouts, whole or not at all, and after them those it does not learn from."""
    path = journal_path(out, step)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [one for group in groups for one in group]
    rows += [replace(one, aside=True) for group in aside for one in group]
    lines = (json.dumps(as_record(one), allow_nan=False) for one in rows)
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())


def read_rollouts(
    out: Path,
    step: int,
    questions: Iterable[Question] | None = None,
    *,
    aside: bool = False,
) -> tuple[Group, ...]:
    """The groups that ``write_rollouts`` wrote; those put ``aside`` only if they are asked for.

    To be learned from again they need the pictures that they were shown, from the ``questions``;
    without those they have none, and a policy refuses them.

    Raises
    ------
    InputError
        There are none, they are damaged, or what they were shown is not among the questions.
    """
    path = journal_path(out, step)
    shown = None if questions is None else {q.problem.id: q.images for q in questions}
    groups: dict[int, list[Rollout]] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            record: dict[str, Any] = json.loads(line)
            digests = record.pop("pictures", [])
            one = from_record(record, _found(digests, record["problem"], shown))
            if aside or not one.aside:
                groups.setdefault(one.draw, []).append(one)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return tuple(groups.values())


def as_record(one: Rollout) -> dict[str, Any]:
    """As JSON has it, which knows no NaN; pictures by their digests."""

    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    parts = {name: known(value) for name, value in one.parts.items()}
    worth = {"reward": known(one.reward), "outcome": known(one.outcome), "parts": parts}
    shown = [_digest(picture) for picture in one.pictures]
    return {**asdict(one), **worth, "pictures": shown}


def from_record(record: Mapping[str, Any], pictures: tuple[bytes, ...]) -> Rollout:
    """What ``as_record`` made a record of, with the pictures that it showed."""
    found = {**record, "pictures": pictures}
    for name in ("prompt", "tokens", "logprobs"):
        found[name] = tuple(found[name])

    def known(value: float | None) -> float:
        return math.nan if value is None else value

    found |= {name: known(found[name]) for name in ("reward", "outcome")}
    found["parts"] = {name: known(value) for name, value in found["parts"].items()}
    return Rollout(**found)


def _digest(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()


def _found(
    digests: Sequence[str], problem: str, shown: Mapping[str, tuple[bytes, ...]] | None
) -> tuple[bytes, ...]:
    """The pictures of a problem, if they are those of the digests."""
    if not digests or shown is None:
        return ()
    pictures = shown.get(problem, ())
    if [_digest(picture) for picture in pictures] != list(digests):
        raise ValueError(f"what {problem!r} showed is not among the questions' pictures")
    return pictures


def _rollout(
    question: Question, draw: int, sample: int, seed: int, response: Response, judged: Judged
) -> Rollout:
    if response.logprobs is None or not (response.token_ids and response.prompt_token_ids):
        raise InputError("the engine gives no token ids or log-probabilities to learn from")
    problem = question.problem
    return Rollout(
        draw=draw,
        problem=problem.id,
        task=problem.task,
        level=problem.level,
        sample=sample,
        seed=seed,
        prompt=response.prompt_token_ids,
        tokens=response.token_ids,
        logprobs=response.logprobs,
        text=response.text,
        truncated=response.finish_reason == "length",
        reward=judged.reward,
        parts=judged.parts,
        outcome=judged.outcome,
        verdict=judged.verdict.value,
        pictures=question.images,
    )
