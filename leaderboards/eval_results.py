"""``.eval_results/*.yaml`` of a model's repository: its scores, which the Hub shows beside it.

Conventions
-----------
* One file holds a list of entries; an entry is known by its dataset and task, whatever the file is
  called. A score of ours takes the place of one for the same dataset and task, in the file where
  that stands; else it goes to a file named after the dataset.
* Values are percent. An entry says which revision of the dataset it is about.
* ``huggingface_hub`` writes and reads entries; it is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchgen.errors import DAMAGED, InputError
from leaderboards.method import method_of, rung_of
from leaderboards.record import Record

FOLDER = ".eval_results"


def entry_of(record: Record, dataset: str, revision: str, source: str | None = None) -> Any:
    """The score of a whole run on the Hub's ``dataset`` as it is at ``revision``, an
    ``EvalResultEntry``; ``source`` is the address of its samples, if there is one.

    Raises
    ------
    InputError
        The run is not one of a model on all of the problems.
    """
    from huggingface_hub import EvalResultEntry

    config, overall = record.config, record.metrics.overall
    whole = record.metrics.complete and config.problems == config.data.problems
    if not whole or overall.accuracy is None:
        raise InputError(f"the run of {config.model!r} is not whole: its score is not published")
    if config.scripted or config.prompting.stimulus != "own":
        raise InputError(f"the run of {config.model!r} is a baseline, and no score of a model")
    notes = [f"n={overall.problems}", method_of(config), rung_of(config)]
    if overall.low is not None and overall.high is not None:
        notes.append(f"95% CI {100 * overall.low:.1f}-{100 * overall.high:.1f}")
    notes.append(f"chance {100 * overall.chance:.1f}")
    return EvalResultEntry(
        dataset_id=dataset,
        task_id=f"{config.data.suite}_{config.modality}",
        value=round(100 * overall.accuracy, 2),
        dataset_revision=revision,
        date=datetime.fromtimestamp(record.began / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        source_url=source,
        source_name=None if source is None else "benchgen samples",
        notes="; ".join(notes),
    )


def changed_files(held: Mapping[str, bytes], entries: Sequence[Any]) -> dict[str, bytes]:
    """The files to be written for ``entries``, into a repository that holds ``held`` in
    ``FOLDER``, by their paths.

    Raises
    ------
    InputError
        A held file cannot be read as a list of entries, or two entries are for one task.
    """
    import yaml
    from huggingface_hub import eval_result_entries_to_yaml

    lists = {path: _read(path, data) for path, data in held.items()}
    places = {
        _key(item): (path, place)
        for path, items in lists.items()
        for place, item in enumerate(items)
    }
    changed: dict[str, list[dict[str, Any]]] = {}
    taken: set[tuple[str, str]] = set()
    for item in eval_result_entries_to_yaml(list(entries)):
        key = _key(item)
        if key in taken:
            raise InputError(f"two runs are of the task {key[1]} of {key[0]}: publish one of them")
        taken.add(key)
        path, place = places.get(key, (_path(key[0]), None))
        items = changed.setdefault(path, list(lists.get(path, [])))
        if place is None:
            items.append(item)
        else:
            items[place] = item
    return {
        path: yaml.safe_dump(items, sort_keys=False, allow_unicode=True).encode()
        for path, items in changed.items()
    }


def _path(dataset: str) -> str:
    return f"{FOLDER}/{dataset.replace('/', '--')}.yaml"


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    dataset = item.get("dataset")
    named = dataset if isinstance(dataset, Mapping) else {}
    return (str(named.get("id")), str(named.get("task_id")))


def _read(path: str, data: bytes) -> list[dict[str, Any]]:
    import yaml

    try:
        items = yaml.safe_load(data)
    except (yaml.YAMLError, *DAMAGED):
        items = None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InputError(f"{path} of the repository is no list of results: put it right there")
    return items
