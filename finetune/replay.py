"""What a policy once did right, kept to be learned from again (ExGRPO, arXiv:2510.02245).

Conventions
-----------
* Kept are right replies, by their token ids, to questions that the policy sometimes gets right. A
  question's count is how many replies of the latest group to it were right, from 1 to one less
  than all; questions of a count are a bucket.
* Nothing is kept, and nothing replayed, before a step has had more than ``replay_start`` of its
  replies right; from then on for good (``mixed``).
* A question all of whose replies were right is retired: it is never replayed again. One none of
  whose were is of count 1, the least that a group with a replayed reply has; as released
  (``replay_stale``) it keeps the count it had.
* Of a step's groups a share is replayed. Buckets are drawn by a normal density of the count, with
  its mean at half the replies of a group, questions within a bucket evenly, each once. A replayed
  reply is judged anew, and dropped where it is not right any more.
* Draws follow from the run's seed and the step alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchgen.problem import Problem, Response
from evaluators.questions import Question
from finetune.objectives import Settings
from finetune.rewards import Reward, judge
from finetune.rollouts import Group, Rollout, as_record, from_record

MOST_QUESTIONS = 4096
"""Questions that are kept; those longest unmet go first."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A question, its count of right replies in the latest group, the step of that, and replies."""

    question: Question
    count: int
    step: int
    replies: tuple[Rollout, ...]


class Replay:
    """The replies that are kept; ``samples`` is how many a group has."""

    def __init__(self, settings: Settings, samples: int, seed: int) -> None:
        self._settings, self._samples, self._seed = settings, samples, seed
        self._kept: dict[str, Kept] = {}
        self._retired: set[str] = set()
        self.mixed = False

    @property
    def kept(self) -> Mapping[str, Kept]:
        """By the problem's id."""
        return self._kept

    @property
    def retired(self) -> frozenset[str]:
        """The problems that are done with."""
        return frozenset(self._retired)

    def choose(self, prompts: int, step: int) -> list[Kept]:
        """The questions to be replayed among so many, in the order of their draw."""
        if not self.mixed:
            return []
        buckets: dict[int, list[str]] = {}
        for name, one in sorted(self._kept.items()):
            buckets.setdefault(one.count, []).append(name)
        wanted = min(len(self._kept), math.floor(self._settings.replay_share * prompts + 1e-9))
        if not wanted:
            return []
        counts = sorted(buckets)
        chances = bucket_chances(counts, self._samples, self._settings.replay_sigma)
        draw = np.random.default_rng(_hash(self._seed, step))
        sizes = [len(buckets[count]) for count in counts]
        found: list[Kept] = []
        for count, number in zip(counts, drawn_counts(wanted, chances, sizes, draw), strict=True):
            names = buckets[count]
            places = draw.choice(len(names), size=number, replace=False)
            found += [self._kept[names[place]] for place in places]
        return found

    def verified(
        self, chosen: Sequence[Kept], rewards: Sequence[Reward]
    ) -> list[tuple[Kept, tuple[Rollout, ...]]]:
        """The chosen ones with their replies that are right still, worth what they are now.

        One that has none left is kept no longer, and is not among them.
        """
        found = []
        for one in chosen:
            still = []
            for reply in one.replies:
                response = Response(
                    "", reply.text, finish_reason="length" if reply.truncated else "stop",
                    token_ids=reply.tokens,
                )  # fmt: skip
                judged = judge(rewards, one.question.problem, response)
                if judged.outcome == 1:
                    still.append(
                        replace(
                            reply, reward=judged.reward, parts=judged.parts,
                            outcome=judged.outcome, verdict=judged.verdict.value,
                        )
                    )  # fmt: skip
            if still:
                found.append((one, tuple(still)))
            else:
                del self._kept[one.question.problem.id]
        return found

    def note(
        self, groups: Iterable[Group], questions: Mapping[str, Question], step: int
    ) -> None:
        """Take note of a step's groups: the counts, the replies to be kept, what is retired."""
        seen = list(groups)
        for group in seen:
            name = group[0].problem
            right = [one for one in group if one.outcome == 1]
            if len(right) == self._samples:
                self._retired.add(name)
                self._kept.pop(name, None)
            elif self.mixed and name not in self._retired:
                self._update(name, right, questions[name], step)
        fresh = [one.outcome for group in seen for one in group if not one.replayed]
        known = [outcome for outcome in fresh if not math.isnan(outcome)]
        if known and math.fsum(known) / len(known) > self._settings.replay_start:
            self.mixed = True
        while len(self._kept) > MOST_QUESTIONS:
            del self._kept[min(self._kept, key=lambda name: (self._kept[name].step, name))]

    def _update(self, name: str, right: list[Rollout], question: Question, step: int) -> None:
        before = self._kept.get(name)
        if not right:
            if before is not None and not self._settings.replay_stale:
                self._kept[name] = replace(before, count=1, step=step)
            return
        replies = () if before is None else before.replies
        said = {one.tokens for one in replies}
        for one in right:
            if not one.replayed and one.tokens not in said:
                said.add(one.tokens)
                replies = (*replies, one)
        # The newest, who are nearest to the policy.
        most = self._settings.replay_candidates
        # Of a group that lacks a reply that failed, all may be right.
        count = min(len(right), self._samples - 1)
        if replies:
            self._kept[name] = Kept(question, count, step, replies[-most:])

    def figures(self) -> dict[str, float]:
        """What is told of it after a step."""
        return {
            "replay_mixed": float(self.mixed),
            "replay_questions": float(len(self._kept)),
            "replay_replies": float(sum(len(one.replies) for one in self._kept.values())),
            "replay_retired": float(len(self._retired)),
        }

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON has it."""
        return {
            "mixed": self.mixed,
            "retired": sorted(self._retired),
            "kept": [_record(one) for _, one in sorted(self._kept.items())],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on as ``state`` was."""
        self.mixed = bool(state["mixed"])
        self._retired = set(state["retired"])
        found = [_kept(record) for record in state["kept"]]
        self._kept = {one.question.problem.id: one for one in found}


def bucket_chances(counts: Sequence[int], samples: int, sigma: float) -> list[float]:
    """How likely a draw is of each count's bucket: a normal density about ``samples / 2``."""
    raw = [math.exp(-((count - samples / 2) ** 2) / (2 * sigma**2)) for count in counts]
    whole = math.fsum(raw)
    if not whole:
        # So narrow that nothing is near: the nearest.
        nearest = min(abs(count - samples / 2) for count in counts)
        raw = [float(abs(count - samples / 2) == nearest) for count in counts]
        whole = math.fsum(raw)
    return [value / whole for value in raw]


def drawn_counts(
    wanted: int, chances: Sequence[float], sizes: Sequence[int], draw: np.random.Generator
) -> list[int]:
    """How many of ``wanted`` come from each bucket of these sizes, as many in all.

    One multinomial draw; what is more than a bucket has goes, one by one and by the same chances,
    to those that have some left.
    """
    found = [int(number) for number in draw.multinomial(wanted, chances)]
    return spread_surplus(found, chances, sizes, draw)


def spread_surplus(
    counts: Sequence[int],
    chances: Sequence[float],
    sizes: Sequence[int],
    draw: np.random.Generator,
) -> list[int]:
    """Counts that are no more than the sizes, of the same sum."""
    held = [min(count, size) for count, size in zip(counts, sizes, strict=True)]
    for _ in range(min(sum(counts), sum(sizes)) - sum(held)):
        open_ = [place for place, size in enumerate(sizes) if held[place] < size]
        # Never all 0, were the densities as small as may be.
        weights = np.array([max(chances[place], 1e-300) for place in open_])
        held[open_[int(draw.choice(len(open_), p=weights / weights.sum()))]] += 1
    return held


def _record(one: Kept) -> dict[str, Any]:
    question = one.question
    pictures = [base64.b64encode(picture).decode("ascii") for picture in question.images]
    return {
        "problem": json.loads(question.problem.to_json()),
        "messages": list(question.messages),
        "images": pictures,
        "count": one.count,
        "step": one.step,
        "replies": [as_record(reply) for reply in one.replies],
    }


def _kept(record: Mapping[str, Any]) -> Kept:
    images = tuple(base64.b64decode(picture) for picture in record["images"])
    problem = Problem.from_json(json.dumps(record["problem"]))
    replies = tuple(from_record(raw, images) for raw in record["replies"])
    question = Question(problem, tuple(record["messages"]), images)
    return Kept(question, record["count"], record["step"], replies)


def _hash(seed: int, step: int) -> int:
    key = f"replay:{seed}:{step}".encode("ascii")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest())
