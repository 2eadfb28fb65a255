"""Which of a question's kept replies is learned from again: by the policy's entropies of today.

Conventions
-----------
* All kept replies to the questions of a step are read once, by all ranks, without gradient.
* Entropies are over the whole vocabulary, in nats, means over a reply's tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluators.questions import Question
from finetune.course import Course
from finetune.objectives import Settings
from finetune.passes import all_scores
from finetune.policy import Policy
from finetune.ranks import Ranks
from finetune.replay import Kept
from finetune.rollouts import Rollout


def best_reply(
    choice: str, replies: Sequence[Rollout], entropies: Sequence[float]
) -> tuple[Rollout, float]:
    """The reply to be replayed, and its mean entropy; ``entropies`` are means over its tokens.

    ``entropy``: the lowest mean. ``entropy_sum``: the lowest sum, which prefers short replies: what
    the released code comes to. ``highest`` and ``newest`` are ablations. Of equal ones the first.
    """
    values = list(entropies)
    if choice == "entropy_sum":
        values = [mean * len(one.tokens) for mean, one in zip(entropies, replies, strict=True)]
    elif choice == "highest":
        values = [-mean for mean in entropies]
    elif choice == "newest":
        values = [-float(place) for place in range(len(replies))]
    place = min(range(len(replies)), key=lambda at: values[at])
    return replies[place], entropies[place]


def choose_replies(
    policy: Policy,
    chosen: Sequence[tuple[Kept, tuple[Rollout, ...]]],
    settings: Settings,
    temperature: float,
    course: Course,
    ranks: Ranks,
) -> tuple[list[tuple[Question, Rollout]], dict[str, float]]:
    """The reply of each question that is replayed, by the policy's entropies on all of them.

    And figures: how many are replayed, their mean entropy, and their length over that of all.
    """
    rows = [reply for _, replies in chosen for reply in replies]
    if not rows:
        return [], {"replayed": 0.0}
    scores = all_scores(
        policy, [one.trajectory for one in rows], temperature, course, ranks, policy.model.device
    )
    means = (scores.entropy.sum(1) / scores.mask.sum(1)).tolist()
    found, entropies, first = [], [], 0
    for one, replies in chosen:
        own = means[first : first + len(replies)]
        reply, entropy = best_reply(settings.replay_choice, replies, own)
        found.append((one.question, reply))
        entropies.append(entropy)
        first += len(replies)
    lengths = [len(reply.tokens) for _, reply in found]
    of_all = math.fsum(len(one.tokens) for one in rows) / len(rows)
    return found, {
        "replayed": float(len(found)),
        "replayed_entropy": math.fsum(entropies) / len(found),
        "replayed_length": math.fsum(lengths) / len(found) / of_all,
    }
