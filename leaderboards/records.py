"""The records that a board is made of: of run directories, or read from their files.

Of ``evaluators`` this package knows what runs leave behind, and the paired test; a board is
never made by running.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchgen.errors import DAMAGED, InputError
from evaluators.run_directory import read_run
from leaderboards.record import (
    Record,
    parse_record,
    read_record,
    record_json,
    record_key,
    record_of,
)

PERFECT = "scripted:gold"
RANDOM = "scripted:random"
RECORDS, PAGES = "records", "runs"
"""Folders of a board: its records, and its pages of samples."""


@dataclass(frozen=True, slots=True)
class Source:
    """A record, its JSON and where it was found. ``report`` is the page of its samples, or None."""

    place: str
    key: str
    record: Record
    text: str
    report: Path | None


def read_sources(places: Iterable[Path | str]) -> tuple[Source, ...]:
    """The records of run directories and of records' files, in their order.

    Raises
    ------
    InputError
        Nothing is given; something is neither a record nor the directory of a run that
        ended, or holds no samples; or two are the same run. The line names the place.
    """
    found: dict[str, Source] = {}
    for place in places:
        source = read_source(Path(place))
        if source.key in found:
            raise InputError(f"{place} is the run {found[source.key].place}, given twice")
        found[source.key] = source
    if not found:
        raise InputError("a board needs at least one run")
    return tuple(found.values())


def with_kept_reports(sources: Iterable[Source], site: Path) -> tuple[Source, ...]:
    """The sources; one that is a record of the board in ``site`` with the page of samples there.

    A board that is made again of its own records keeps its pages so: no record holds them. A
    page of any other folder is not taken: it may be anybody's.
    """
    return tuple(map(partial(_with_kept_report, site=site), sources))


def _with_kept_report(source: Source, site: Path) -> Source:
    page = site / PAGES / f"{source.key}.html"
    own = Path(source.place).resolve() == (site / RECORDS / f"{source.key}.json").resolve()
    return replace(source, report=page) if own and page.is_file() else source


def read_source(place: Path) -> Source:
    """The record of one run directory, or in one file.

    Raises
    ------
    InputError
        As ``read_sources``.
    """
    if place.is_file():
        return _source(place, read_record(place), None)
    try:
        run = read_run(place)
        if run.metrics.overall.samples == 0:
            raise InputError(f"{place} holds no samples")
        # Through its own file: what a damaged run directory holds may be of any type.
        record = parse_record(record_json(record_of(run)), str(place))
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{place} is damaged: {error}") from None
    return _source(place, record, run.report)


def _source(place: Path, record: Record, report: Path | None) -> Source:
    try:
        text = record_json(record)
    except DAMAGED as error:
        raise InputError(f"{place} is damaged: {error}") from None
    return Source(str(place), record_key(record, text), record, text, report)
