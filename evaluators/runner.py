"""Asking an engine what a run still lacks, each reply journalled as it lands.

Conventions
-----------
* Each sample has a seed of its own, a hash of problem id, epoch and the run's seed,
  so that no two runs, problems or epochs share a stream.
* The engine draws requests as it has room; no more than twice its window are ever
  out, and an engine that would draw more is fed in rounds.
* A failing request, and whatever was out when an engine broke down, is journalled
  as an error and the run goes on. After ``CRASHES`` breakdowns in a row without a
  reply between them the engine counts as dead; what was not asked stays missing.
* Nothing but the engine's own failures is held back: a full disk or a damaged
  dataset ends the run where it is, and what was journalled stays.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchgen.answers import score
from benchgen.executors import EVERYTHING, Share
from benchgen.problem import Response
from evaluators.configuration import RunConfig
from evaluators.engine import Engine, Request, Sampling
from evaluators.journal import Journal, Sample, SampleKey
from evaluators.placing import place_of
from evaluators.questions import Question
from evaluators.thoughts import split_thoughts

CRASHES = 3
_PLAIN = Sampling()

Landed = Callable[[Sample], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """One sample to draw: a question, how, and what the journal knows the sample by."""

    question: Question
    sampling: Sampling
    key: SampleKey

    @property
    def id(self) -> str:
        """The request's id."""
        problem, epoch, _, _ = self.key
        return f"{problem}#{epoch}"

    @property
    def request(self) -> Request:
        """What the engine is given."""
        question = self.question
        return Request(
            id=self.id,
            messages=question.messages,
            images=question.images,
            sampling=self.sampling,
        )


def sample_seed(problem: str, epoch: int, seed: int) -> int:
    """The seed of one sample, from 0 to 2^63 - 1."""
    key = json.dumps([problem, epoch, seed]).encode("ascii")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) >> 1


def sampling_digest(sampling: Sampling) -> str:
    """A digest of all that decides how a reply is drawn.

    What is as it is by default is left out, so that a setting that is new leaves the
    samples that were drawn without it what they are.
    """
    record = dataclasses.asdict(sampling)
    del record["logprobs"]  # what is reported of a reply does not change it
    record = {name: value for name, value in record.items() if value != getattr(_PLAIN, name)}
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def plan_asks(
    config: RunConfig,
    questions: Iterable[Question],
    done: Collection[SampleKey],
    share: Share = EVERYTHING,
) -> Iterator[Ask]:
    """What this ``share`` of the work is to ask, problem by problem, but for what is ``done``.

    A sample's share is decided by its seed, a hash.
    """
    for question in questions:
        digest = question.digest
        for epoch in range(config.samples):
            sampling = Sampling(
                temperature=config.temperature,
                top_p=config.top_p,
                max_tokens=config.max_tokens,
                seed=sample_seed(question.problem.id, epoch, config.seed),
                stop=config.stop,
                regex=config.regex,
                thinking_budget=config.thinking_budget or None,
            )
            if sampling.seed % share.jobs != share.job - 1:
                continue
            key = (question.problem.id, epoch, digest, sampling_digest(sampling))
            if key not in done:
                yield Ask(question, sampling, key)


def run_asks(
    asks: Iterable[Ask],
    engine: Engine,
    journal: Journal,
    session: int,
    landed: Landed,
    thinking_marks: Sequence[str] = (),
) -> str | None:
    """Ask the engine everything, journalling as ``session``; ``landed`` sees each sample.

    What stands between ``thinking_marks`` (two, or none) is not scored.
    Returns None, or why the engine was given up.

    Raises
    ------
    InputError, OSError
        From reading the questions or writing the journal.
    RuntimeError
        The engine answered what it was not asked.
    """
    feed = _Feed(asks, 2 * max(1, engine.window))
    began = time.monotonic()
    crashes = 0

    def record(response: Response) -> None:
        ask = feed.answered(response.id)
        elapsed = time.monotonic() - began
        sample = _sample(ask, response, session, elapsed, thinking_marks)
        journal.append(sample)
        landed(sample)

    while not feed.exhausted:
        failure: str | None = None
        replied = False
        replies = _replies(engine, feed)
        while True:
            try:
                response = next(replies)
            except StopIteration:
                break
            except Exception as error:
                if feed.failure is not None:
                    raise feed.failure from None
                failure = _one_line(error)
                break
            replied = True
            record(response)
        for request_id in feed.out:
            lost = failure or "the engine gave no reply"
            record(Response(request_id, "", finish_reason="error", error=lost))
        if replied:
            crashes = 0
        if failure is not None or not (replied or feed.exhausted):
            crashes += 1
        if crashes == CRASHES:
            return failure or "the engine takes no requests"
    return None


def _replies(engine: Engine, feed: _Feed) -> Iterator[Response]:
    yield from engine.generate(feed.round())


class _Feed:
    """Hands out asks in rounds and keeps those that are out."""

    def __init__(self, asks: Iterable[Ask], most: int) -> None:
        self._asks = iter(asks)
        self._most = most
        self._out: dict[str, Ask] = {}
        self.exhausted = False
        self.failure: Exception | None = None

    @property
    def out(self) -> list[str]:
        """The ids of what was asked and not answered."""
        return list(self._out)

    def round(self) -> Iterator[Request]:
        """Requests until there are no more, or too many are out."""
        while len(self._out) < self._most:
            try:
                ask = next(self._asks)
            except StopIteration:
                self.exhausted = True
                return
            except Exception as error:
                self.failure = error  # ours, not the engine's, though it passes through it
                raise
            self._out[ask.id] = ask
            yield ask.request

    def answered(self, request_id: str) -> Ask:
        """The ask that a reply belongs to, no longer out."""
        try:
            return self._out.pop(request_id)
        except KeyError:
            raise RuntimeError(
                f"the engine answered {request_id!r}, which is not being asked"
            ) from None


def _sample(
    ask: Ask, response: Response, session: int, elapsed: float, marks: Sequence[str]
) -> Sample:
    problem = ask.question.problem
    thought, reply = split_thoughts(ask.question.prefix + response.text, marks)
    verdict = score(problem, dataclasses.replace(response, text=reply))
    _, epoch, prompt_digest, digest = ask.key
    return Sample(
        **dataclasses.asdict(place_of(problem)),
        epoch=epoch,
        prompt_digest=prompt_digest,
        sampling_digest=digest,
        seed=ask.sampling.seed,
        reply=reply,
        finish_reason=response.finish_reason,
        error=response.error,
        outcome=verdict.outcome,
        value=verdict.value,
        extracted=verdict.extracted,
        prompt_tokens=response.usage.prompt_tokens,
        completion_tokens=response.usage.completion_tokens,
        cached_tokens=response.usage.cached_tokens,
        thinking_tokens=response.usage.thinking_tokens,
        seconds=round(response.seconds, 6),
        session=session,
        elapsed=round(elapsed, 6),
        thinking=response.thinking + thought,
    )


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return f"{name}: {lines[0]}"[:500] if lines else name
