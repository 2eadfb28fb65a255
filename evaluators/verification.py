"""Whether a run directory that came from elsewhere earns the scores that it states.

Conventions
-----------
* The run has to be whole: every sample that its configuration asks for, and no other, each with
  a reply.
* What was asked is derived anew from the dataset: prompts, samplings and seeds. Every reply is
  judged anew. What the journal says of these has to be the same; its metrics, if it has any,
  those of its samples.
* What no reader can tell: whether the model that is named wrote the replies, and how long it took.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchgen.errors import InputError
from benchgen.scoring_code import scoring_digest
from evaluators.configuration import RunConfig, check_config, read_config
from evaluators.journal import LATEST, LONGEST, Sample, SampleKey, read_samples
from evaluators.metrics import compute_metrics, metrics_to_json
from evaluators.placing import Place, place_of
from evaluators.questions import (
    Examples,
    Question,
    read_data,
    read_examples,
    read_questions,
)
from evaluators.rescoring import changed_verdicts
from evaluators.run_directory import CONFIG, METRICS
from evaluators.runner import Ask, plan_asks

_T = TypeVar("_T", RunConfig, Sample)


@dataclass(frozen=True, slots=True)
class Verified:
    """A run that earns its scores, with the questions that it asked."""

    config: RunConfig
    samples: tuple[Sample, ...]
    questions: tuple[Question, ...]


def verify_run(folder: Path, data: Path, shots_data: Path | None = None) -> Verified:
    """The run in ``folder``, on the dataset ``data``; ``shots_data`` holds its worked examples.

    Raises
    ------
    InputError
        It is no run, is on other data, or does not earn its scores; one line that says why.
    """
    if not (folder / CONFIG).is_file():
        raise InputError(f"{folder} is no run: no {CONFIG}")
    config = _checker(RunConfig, "its configuration")(read_config(folder / CONFIG))
    known = dataclasses.replace(read_data(data), path=config.data.path)
    if config.data != known:
        raise InputError(f"it is on the data {config.data.digest[:16]}, not {known.digest[:16]}")
    check_config(config)
    if config.code != scoring_digest():
        raise InputError("its replies were judged by other code than today's (eval --rescore)")
    if config.prompting.shots and shots_data is None:
        raise InputError("the run showed worked examples: give --shots-data")
    if shots_data is not None and read_data(shots_data).digest != config.prompting.shots_data:
        raise InputError("its worked examples are of other data than --shots-data")
    examples: Examples = {}
    if shots_data is not None:
        examples = read_examples(shots_data, config.modality, config.prompting.shots)
    questions = tuple(
        read_questions(data, config.modality, config.limit, config.prompting, examples)
    )
    # Counted before it is derived what they should be: a file may ask for any number.
    found = read_samples(folder)
    if len(found) < config.wanted:
        raise InputError(f"{config.wanted - len(found)} of {config.wanted} samples are missing")
    samples = list(map(_checker(Sample, "a sample"), found.values()))
    asks = {ask.key: ask for ask in plan_asks(config, questions, ())}
    for fault in _faults(config, samples, asks):
        raise InputError(fault)
    changed = next(changed_verdicts(samples, (q.problem for q in questions)), None)
    if changed is not None:
        raise InputError(
            f"the reply to {changed.problem!r} is {changed.outcome.value} by today's code, which "
            "the run does not say"
        )
    _check_metrics(folder, config, samples)
    return Verified(config, tuple(samples), questions)


def _checker(kind: type[_T], name: str) -> Callable[[_T], _T]:
    """What gives a value back if all its fields are of their types: a file may hold anything."""
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(kind)

    def checked(value: _T) -> _T:
        try:
            text = json.dumps(dataclasses.asdict(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"{name} is damaged: {error}") from None
        try:
            return adapter.validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(f"{name} is damaged: {place}: {first['msg']}") from None

    return checked


def _faults(
    config: RunConfig, samples: Sequence[Sample], asks: Mapping[SampleKey, Ask]
) -> Iterator[str]:
    """What the samples are that they should not be, the first first."""
    missing = asks.keys() - {sample.key for sample in samples}
    if missing:
        first, epoch, *_ = min(missing)
        yield (
            f"{len(missing)} of {len(asks)} samples are missing, or answer other prompts: the "
            f"first is {first!r}, sample {epoch + 1}"
        )
    for sample in samples:
        ask = asks.get(sample.key)
        if ask is None:
            yield f"it holds a sample of {sample.problem!r} that its configuration does not ask for"
            continue
        if sample.failed:
            yield f"{sample.problem!r} has no reply, only an error"
        place = place_of(ask.question.problem)
        told = Place(*(getattr(sample, name) for name in Place.__slots__))
        if told != place or sample.seed != ask.sampling.seed:
            yield f"what it says of {sample.problem!r} is not what the dataset says"
        if not sample.reply.startswith(ask.question.prefix):
            yield f"the reply to {sample.problem!r} does not go on from the prefix"
        counts = (sample.prompt_tokens, sample.completion_tokens, sample.cached_tokens,
                  sample.thinking_tokens, sample.session)  # fmt: skip
        times = (sample.seconds, sample.elapsed)
        if not (all(0 <= n <= LATEST for n in counts) and all(0 <= t <= LONGEST for t in times)):
            yield f"the counts of {sample.problem!r} are impossible"
        if sample.cached_tokens > sample.prompt_tokens or (
            sample.thinking_tokens > sample.completion_tokens
        ):
            yield f"the counts of {sample.problem!r} are impossible"
        if sample.completion_tokens > config.max_tokens:
            yield f"the reply to {sample.problem!r} is longer than the run allowed"


def _check_metrics(folder: Path, config: RunConfig, samples: Sequence[Sample]) -> None:
    path = folder / METRICS
    if not path.is_file():
        return
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"its metrics cannot be read: {error}") from None
    true = json.loads(json.dumps(metrics_to_json(compute_metrics(samples, config.wanted))))
    # What was asked to be reported besides, and at which prices, the samples do not tell.
    for name in true.keys() - {"at_k", "cost"}:
        if not isinstance(told, dict) or told.get(name) != true[name]:
            raise InputError(f"its metrics are not those of its samples: {name}")
