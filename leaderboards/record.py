"""A run's record: all that a board needs of a run, in one file, without the replies.

Conventions
-----------
* ``record.json`` is one JSON object with ``schema_version`` (1) and the fields of ``Record``.
* A record names no folder, server or account: of paths the last part is kept (``published``).
* Scores and clusters are in the order of the problems' ids; ``digests.problems`` tells which
  problems these are, so that two records are paired place by place if it is the same.
* A record may come from anywhere. It is read strictly, and held against itself: its
  configuration against the digest, its metrics against its scores. Whether it is of the
  benchmark that it claims is for ``benchmark.py``, whether the replies earn the scores for
  ``submission.py``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchgen.errors import DAMAGED, InputError
from benchgen.files import write_whole
from benchgen.problem import Outcome
from evaluators.configuration import check_config, display_name
from evaluators.intervals import clustered_interval
from evaluators.journal import LATEST
from evaluators.run_directory import Metrics, RunConfig, RunRecord, Slice
from leaderboards.digests import (
    configuration_digest,
    problems_digest,
    prompts_digest,
    questions_digest,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA_VERSION = 1
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Digests:
    """What a run asked and how it was judged.

    ``problems`` covers the ids; ``questions`` what decides their scores and slices (tasks,
    levels, keys, clusters); ``prompts`` the words and pictures that were shown; ``code`` the code
    that judged (``benchgen.scoring_code``); ``configuration`` the record's own ``config``.
    """

    problems: str
    questions: str
    prompts: str
    code: str
    configuration: str


@dataclass(frozen=True, slots=True)
class Record:
    """One run. ``scores`` has a problem's mean over its samples with a reply, None where there is
    none; ``clusters`` numbers what problems are not independent. ``began`` is when its
    first session did (Unix time in milliseconds).
    """

    config: RunConfig
    metrics: Metrics
    digests: Digests
    scores: tuple[float | None, ...]
    clusters: tuple[int, ...]
    began: int
    schema_version: int = SCHEMA_VERSION


def record_of(run: RunRecord) -> Record:
    """The record of a run that ended."""
    config = published(run.config)
    return Record(
        config=config,
        metrics=run.metrics,
        digests=Digests(
            problems=problems_digest(p.problem for p in run.problems),
            questions=questions_digest(run.problems),
            prompts=prompts_digest((p.problem, *p.prompt_digests) for p in run.problems),
            code=config.code,
            configuration=configuration_digest(config),
        ),
        scores=tuple(p.score for p in run.problems),
        clusters=numbered(p.cluster for p in run.problems),
        began=run.began,
    )


def numbered(clusters: Iterable[str]) -> tuple[int, ...]:
    """Numbers for names, in the order in which these first come."""
    numbers: dict[str, int] = {}
    return tuple(numbers.setdefault(cluster, len(numbers)) for cluster in clusters)


def published(config: RunConfig) -> RunConfig:
    """The configuration without what names a place: folders and servers."""
    settings = {name: _unplaced(v) for name, v in config.settings.items() if name != "servers"}
    return dataclasses.replace(
        config,
        model=display_name(config.model),
        model_source=display_name(config.model_source),
        data=dataclasses.replace(config.data, path=""),
        settings=settings,
    )


def _unplaced(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _unplaced(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_unplaced(part) for part in value]
    return display_name(value) if isinstance(value, str) else value


def record_json(record: Record) -> str:
    """The record as a line of JSON; equal records give the same bytes."""
    plain = _adapter().dump_python(record, mode="json")
    return json.dumps(plain, sort_keys=True, allow_nan=False, separators=(",", ":")) + "\n"


def record_key(record: Record, text: str) -> str:
    """A name for files and addresses, of ``[a-z0-9-]``: the model's, and eight digits of a
    digest of the whole record, whose JSON is ``text``.
    """
    name = re.sub(r"[^a-z0-9]+", "-", record.config.model.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{name or 'run'}-{digest}"


def write_record(path: Path, record: Record) -> None:
    """Write the record, whole or not at all."""
    write_whole(path, record_json(record).encode())


def read_record(path: Path) -> Record:
    """Read a record's file.

    Raises
    ------
    InputError
        It cannot be read, is no record, is of another schema version, or contradicts itself;
        one line that names the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return parse_record(text, str(path))


def parse_record(text: str, name: str) -> Record:
    """The record that ``text`` is; ``name`` is what errors call it.

    Raises
    ------
    InputError
        As ``read_record``.
    """
    from pydantic import ValidationError

    try:
        plain = json.loads(text, parse_float=_finite, parse_constant=_finite)
        version = plain["schema_version"]
    except DAMAGED:
        raise InputError(f"{name} is not the record of a run") from None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{name} has schema version {version!r}, this program reads {SCHEMA_VERSION}"
        )
    try:
        record = _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{name} is not the record of a run: {place}: {first['msg']}") from None
    check_record(record, name)
    return record


def _finite(text: str) -> float:
    """A number; JSON has none that is infinite or none at all."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def check_record(record: Record, name: str) -> None:
    """Whether a record's parts agree.

    Raises
    ------
    InputError
        They do not; the line names the first contradiction.
    """
    for fault in _faults(record):
        raise InputError(f"{name} contradicts itself: {fault}")


@cache
def _adapter() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


def _faults(record: Record) -> Iterator[str]:
    """What a record's parts say against each other, the first first."""
    config, metrics = record.config, record.metrics
    try:
        check_config(config)
    except InputError as error:
        yield f"its configuration is impossible: {error}"
    scored = [score for score in record.scores if score is not None]
    if config != published(config):
        yield "its configuration names a place"
    if configuration_digest(config) != record.digests.configuration:
        yield "its configuration is not that of its digest"
    if config.code != record.digests.code:
        yield "its configuration names other code than its digests"
    if not len(record.scores) == len(record.clusters) == metrics.overall.problems:
        yield "its scores are not as many as its problems"
    if not len(scored) <= metrics.overall.scored <= len(scored) * config.samples:
        yield "its scores are not of its scored samples"
    if metrics.complete and len(scored) < len(record.scores):
        yield "it is complete and lacks scores"
    if not record.scores or not all(0 <= score <= 1 for score in scored):
        yield "a score lies outside 0 to 1"
    if not all(0 <= cluster < len(record.clusters) for cluster in record.clusters):
        yield "a cluster has an impossible number"
    for name, part in _slices(metrics):
        yield from _slice_faults(name, part)
    if metrics.wanted != config.wanted:
        yield "its samples are not as many as its configuration asks for"
    counts = [*(getattr(metrics.tokens, n) for n in metrics.tokens.__slots__), record.began]
    if not all(0 <= count <= LATEST for count in counts):
        yield "its tokens or its time are impossible"
    if metrics.cost is not None and metrics.cost < 0:
        yield "its cost is below 0"
    twins = metrics.twins
    if twins is not None and not (
        0 <= twins.low <= twins.rate <= twins.high <= 1 and 0 <= twins.all_right <= twins.groups
    ):
        yield "its twins are impossible"
    overall = metrics.overall
    if config.samples == 1 and scored.count(1.0) != overall.outcomes[Outcome.CORRECT.value]:
        yield "its right replies are not as many as its scores of 1"
    if config.samples == 1 and len(scored) == len(record.scores) > 0:
        low, high = clustered_interval(scored, record.clusters)
        told = (overall.low, overall.high)
        if None in told or any(
            abs((a or 0.0) - b) > ROUNDING for a, b in zip(told, (low, high), strict=True)
        ):
            yield "its interval is not that of its scores"
    # With a failed sample, a problem's weight in the accuracy is not that of the others.
    if overall.accuracy is not None and overall.scored == len(scored) * config.samples:
        mean = math.fsum(scored) / len(scored)
        if abs(mean - overall.accuracy) > ROUNDING:
            yield f"its accuracy is {overall.accuracy!r}, that of its scores {mean!r}"
    whole = metrics.missing == 0 and overall.scored == overall.samples
    if metrics.complete != whole or metrics.missing != metrics.wanted - overall.samples:
        yield "it is not as complete as it says"
    for table in (metrics.by_category, metrics.by_task, metrics.by_level, metrics.by_task_level):
        if sum(part.problems for part in table.values()) != overall.problems:
            yield "its slices are not made of its problems"
        if (
            sum(part.samples for part in table.values()) != overall.samples
            or sum(part.scored for part in table.values()) != overall.scored
            or abs(math.fsum(map(_right, table.values())) - _right(overall)) > 1e-6
            or any(
                sum(part.outcomes[name] for part in table.values()) != count
                for name, count in overall.outcomes.items()
            )
        ):
            yield "its slices do not add up to its whole"


def _slices(metrics: Metrics) -> Iterator[tuple[str, Slice]]:
    yield "overall", metrics.overall
    tables = (metrics.by_category, metrics.by_task, metrics.by_level, metrics.by_task_level)
    for table in tables:
        yield from table.items()


def _right(part: Slice) -> float:
    return 0.0 if part.accuracy is None else part.accuracy * part.scored


def _slice_faults(name: str, part: Slice) -> Iterator[str]:
    shares = [x for x in (part.accuracy, part.low, part.high, part.chance) if x is not None]
    if not all(0 <= share <= 1 for share in shares):
        yield f"{name}: a share lies outside 0 to 1"
    if part.accuracy is not None:
        low = 0.0 if part.low is None else part.low
        high = 1.0 if part.high is None else part.high
        if not low - ROUNDING <= part.accuracy <= high + ROUNDING:
            yield f"{name}: the accuracy lies outside its interval"
    if not 0 <= part.scored <= part.samples or (part.accuracy is None) != (part.scored == 0):
        yield f"{name}: the scored samples are not among its samples"
    if set(part.outcomes) != {outcome.value for outcome in Outcome}:
        yield f"{name}: the outcomes are others than there are"
    if any(n < 0 for n in part.outcomes.values()) or sum(part.outcomes.values()) != part.samples:
        yield f"{name}: the outcomes are not those of its samples"
    elif part.outcomes[Outcome.ERROR.value] != part.samples - part.scored:
        yield f"{name}: its errors are not its samples without a score"
