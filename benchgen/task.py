"""A task, how one is found, and how an item is made of its key.

Conventions
-----------
* A task is one module under ``benchgen/<suite>/tasks`` with a module-level ``TASK``;
  its name is ``suite/module``. It is found by looking, never listed by hand.
* An item's key is (suite version, task, configuration, split, seed, index). The public
  part is dealt first, then fair bits that nothing else uses choose the key among the
  options, then the content of that option is composed. So every item has as many twins
  as options, alike to the byte in question and options, and no reader of these
  alone can beat chance.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from benchgen.content import Composition, Config, Deal, Public, Source
from benchgen.errors import InputError
from benchgen.garbage import no_collection
from benchgen.problem import AnswerType, Problem
from benchgen.seeding import SPLITS, Draw, digest, hex_key
from benchgen.suite import find_suite, suite_names


@dataclass(frozen=True, eq=False)
class Task:
    """One class of problems.

    ``compose(data, public, config, draw)`` makes the score of a content, the draw
    deciding what changes no answer. ``steps(data, config)`` counts the solver's steps by kind;
    ``ignoring(problem, step)`` answers as a reader who skips that kind of
    step would (None when such a reader is at a loss). ``stimulus`` names the columns
    that a blind view leaves out.
    """

    category: str
    configs: tuple[Config, ...]
    source: Source
    compose: Callable[[tuple[Any, ...], Public, Any, Draw], Composition]
    steps: Callable[[tuple[Any, ...], Any], dict[str, int]]
    bands: tuple[tuple[int, int], ...]
    features: tuple[str, ...]
    ignoring: Callable[[Problem, str], str | None]
    stimulus: tuple[str, ...] = ("text", "image")

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels there are, in order."""
        return tuple(config.level for config in self.configs)

    def config(self, level: int) -> Config:
        """The configuration of a level.

        Raises
        ------
        InputError
            There is no such level.
        """
        for config in self.configs:
            if config.level == level:
                return config
        raise InputError(f"level is one of {', '.join(map(str, self.levels))}, not {level}")


@cache
def task_modules(suite: str) -> tuple[str, ...]:
    """The names of a suite's tasks without the suite, in alphabetical order."""
    find_suite(suite)
    package = importlib.import_module(f"benchgen.{suite}.tasks")
    return tuple(sorted(info.name for info in pkgutil.iter_modules(package.__path__)))


def list_tasks(suite: str | None = None) -> list[str]:
    """The names of all tasks (of one suite), in alphabetical order.

    Raises
    ------
    InputError
        There is no such suite.
    """
    suites = suite_names() if suite is None else [suite]
    return [f"{name}/{task}" for name in suites for task in task_modules(name)]


@cache
def find_task(name: str) -> Task:
    """The task called ``suite/name``.

    Raises
    ------
    InputError
        There is none of that name.
    """
    suite, _, short = name.partition("/")
    if suite not in suite_names() or short not in task_modules(suite):
        raise InputError(f"unknown task {name!r}; there are: {', '.join(list_tasks())}")
    task: Task = importlib.import_module(f"benchgen.{suite}.tasks.{short}").TASK
    return task


def capacity(name: str, level: int, split: str) -> int:
    """How many items (task, level, split) has for one seed.

    Raises
    ------
    InputError
        Unknown task, level or split.
    """
    _check_split(split)
    task = find_task(name)
    with no_collection():
        return task.source.capacity(name, task.config(level), split)


def make(
    name: str, *, split: str = "train", seed: int = 0, index: int = 0, level: int = 1
) -> Problem:
    """The problem of an item key.

    Raises
    ------
    InputError
        Unknown task, level or split; an index below 0 or beyond the capacity.
    """
    series = _series(name, level, split, seed)
    key, deal = series.item(index)
    chosen = Draw(key + b"key").below(len(deal.public.options))
    return series.problem(index, key, deal, chosen, twin=False)


def twins(problem: Problem) -> tuple[Problem, ...]:
    """One problem for each option, in the order of the options.

    All have the question and the options of ``problem``, each another content and key;
    ``problem`` itself is one of them.
    """
    series = _series(problem.task, problem.level, problem.split, problem.seed)
    key, deal = series.item(problem.index)
    answers = deal.public.options
    made = [
        series.problem(problem.index, key, deal, option, twin=answers[option] != problem.answer)
        for option in range(len(answers))
    ]
    order = {option: place for place, option in enumerate(problem.options or ())}
    return tuple(sorted(made, key=lambda one: order[one.answer]))


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise InputError(f"split is one of {', '.join(SPLITS)}, not {split!r}")


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """The items of a (task, level, split, seed): what of an item does not hang on its index."""

    name: str
    task: Task
    config: Config
    split: str
    seed: int
    version: str
    limit: int
    dealer: Callable[[int], Deal]
    key: str
    group: str

    def item(self, index: int) -> tuple[bytes, Deal]:
        """The key of an item, and what is dealt to it."""
        if not 0 <= index < self.limit:
            raise InputError(
                f"{self.name} level {self.config.level} {self.split} has {self.limit} items a "
                f"seed; there is no item {index}"
            )
        return digest(self.key, index), self.dealer(index)

    def problem(
        self, index: int, key: bytes, deal: Deal, chosen: int, *, twin: bool
    ) -> Problem:
        """The item with option ``chosen`` as its key."""
        public = deal.public
        content = deal.content(chosen)
        options = list(public.options)
        if public.shuffle:
            Draw(key + b"options").shuffle(options)
        draw = Draw(key + b"score" + bytes((chosen,)))
        composition = self.task.compose(content.data, public, self.config, draw)
        group = f"{self.group}{index:06d}"
        return Problem(
            # A twin's suffix is hashed, so that it tells nothing of its key.
            id=f"{group}-{hex_key(group, chosen)[:8]}" if twin else group,
            task=self.name,
            category=self.task.category,
            level=self.config.level,
            split=self.split,
            seed=self.seed,
            index=index,
            suite_version=self.version,
            question=public.question,
            options=tuple(options),
            answer=public.options[chosen],
            answer_type=AnswerType.CHOICE,
            identity=composition.identity,
            content_key=content.key,
            fact_key=content.fact_key,
            twin_group=hex_key(group),
            solution=composition.solution,
        )


# A series of a listed class holds its seed's deck, so only a few seeds are kept.
@lru_cache(maxsize=128)
def _series(name: str, level: int, split: str, seed: int) -> _Series:
    _check_split(split)
    task = find_task(name)
    config = task.config(level)
    version = find_suite(name.partition("/")[0]).version
    with no_collection():
        limit = task.source.capacity(name, config, split)
        dealer = task.source.dealer(name, config, split, seed)
    return _Series(
        name=name,
        task=task,
        config=config,
        split=split,
        seed=seed,
        version=version,
        limit=limit,
        dealer=dealer,
        key="\x1f".join((str(digest(version, name, config)), split, str(seed))),
        group=f"{name}-l{level}-{split}-s{seed}-",
    )
