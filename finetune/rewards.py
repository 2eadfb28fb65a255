"""What a reply is worth: ``benchgen.score`` and whatever is added to it.

Conventions
-----------
* A reward is a function of a problem and a Response. None or NaN says nothing of a reply and is
  left out of the sum; a reply of which nothing is said has the reward NaN and teaches nothing.
* ``outcome`` is the bare verdict, 1.0 or 0.0, whatever is added: dynamic sampling, curricula and
  what is reported go by it. A reply that failed has none.
"""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchgen.answers import score
from benchgen.errors import InputError
from benchgen.problem import Outcome, Problem, Response
from benchgen.prompt import worked_answer

RewardFunction = Callable[[Problem, Response], float | None]


@dataclass(frozen=True, slots=True)
class Reward:
    """A part of the reward: its name, its weight in the sum, and the function."""

    name: str
    weight: float
    function: RewardFunction


@dataclass(frozen=True, slots=True)
class Judged:
    """A reply's worth: the weighted sum, its parts by name, and the bare verdict."""

    reward: float
    parts: dict[str, float]
    outcome: float
    verdict: Outcome


def correctness(problem: Problem, response: Response) -> float | None:
    """1.0 for a right answer, 0.0 for any other; None where there is no reply."""
    verdict = score(problem, response)
    return None if verdict.outcome is Outcome.ERROR else verdict.value


def form(problem: Problem, response: Response) -> float | None:
    """1.0 where an answer can be read and the reply has come to its end."""
    verdict = score(problem, response).outcome
    if verdict is Outcome.ERROR:
        return None
    return float(verdict not in (Outcome.UNPARSED, Outcome.TRUNCATED))


def soft_overlong(longest: int, cache: int) -> RewardFunction:
    """From 0 to -1 over the last ``cache`` of ``longest`` tokens (DAPO, arXiv:2503.14476, eq. 13).

    Raises
    ------
    InputError
        ``cache`` is not from 1 to ``longest``.
    """
    if not 0 < cache <= longest:
        raise InputError(f"the last tokens of {longest} are from 1 to as many, not {cache}")

    def penalty(problem: Problem, response: Response) -> float | None:
        over = len(response.token_ids) - (longest - cache)
        return -min(max(over / cache, 0.0), 1.0)

    return penalty


def parse_reward(text: str, longest: int) -> Reward:
    """A part of the reward by its name, after it perhaps ``=`` and a weight.

    ``correctness``, ``form``, ``overlong:N`` (``soft_overlong`` over the last N of the
    ``longest`` tokens that a reply may have) or ``module:function``.

    Raises
    ------
    InputError
        There is no such function, or a number is none.
    """
    name, _, weight = text.partition("=")
    try:
        number = float(weight) if weight else 1.0
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"a reward's weight is a number, not {weight!r}")
    return Reward(name, number, _find(name, longest))


def judge(rewards: Sequence[Reward], problem: Problem, response: Response) -> Judged:
    """What a reply is worth."""
    parts: dict[str, float] = {}
    for reward in rewards:
        value = reward.function(problem, response)
        if value is not None and (not isinstance(value, int | float) or math.isinf(value)):
            raise InputError(f"the reward {reward.name} is a number or None, not {value!r}")
        parts[reward.name] = math.nan if value is None else float(value)
    said = [(r.weight, parts[r.name]) for r in rewards if not math.isnan(parts[r.name])]
    verdict = score(problem, response)
    return Judged(
        reward=math.fsum(weight * value for weight, value in said) if said else math.nan,
        parts=parts,
        outcome=math.nan if verdict.outcome is Outcome.ERROR else verdict.value,
        verdict=verdict.outcome,
    )


def check_rewards(rewards: Sequence[Reward], problems: Iterable[Problem]) -> None:
    """Whether the right reply is worth more than an empty one.

    Raises
    ------
    InputError
        It is not: nothing could be learned but the wrong thing.
    """
    if not rewards:
        raise InputError("there is nothing to be rewarded for")
    for problem in problems:
        right = Response("gold", worked_answer(problem.solution, problem.target))
        gold = judge(rewards, problem, right)
        empty = judge(rewards, problem, Response("empty", ""))
        if gold.outcome != 1.0 or empty.outcome != 0.0:
            raise InputError(f"the key of {problem.id!r} is not worth 1 and an empty reply 0")
        if not gold.reward > empty.reward:
            raise InputError(
                f"the right reply to {problem.id!r} earns {gold.reward:g}, an empty one "
                f"{empty.reward:g}"
            )


def _find(name: str, longest: int) -> RewardFunction:
    known: dict[str, RewardFunction] = {"correctness": correctness, "form": form}
    if name in known:
        return known[name]
    module, colon, function = name.partition(":")
    if module == "overlong":
        if not function.isascii() or not function.isdigit():
            raise InputError(f"the penalty of long replies is overlong:TOKENS, not {name!r}")
        return soft_overlong(longest, int(function))
    try:
        if not colon:
            raise AttributeError("there is no such reward")
        if os.getcwd() not in sys.path:
            # As where Python itself is started: what lies here can be named.
            sys.path.append(os.getcwd())
        found: RewardFunction = getattr(importlib.import_module(module), function)
        if not callable(found):
            raise AttributeError("it is no function")
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"a reward is {', '.join(known)}, overlong:TOKENS or module:function, not {name!r}: "
            f"{error}"
        ) from None
    return found
