"""``benchgen study pictures``: does VPPO teach a small model to read better than DAPO does?

The study of one seed, on classes drawn as small pictures:

1. a small vision-language model is made from its configuration, with random weights;
2. imitation of worked solutions, from scratch: the checkpoint that both objectives begin with;
3. VPPO, and DAPO with VPPO's other terms (``nll_coef``, the clips), on the same prompts in the
   same order, as many steps, groups and replies, of as many tokens at most;
4. the test set is asked of the three, greedy;
5. the dependency map: what each token of one reply hangs on, one vision token black at a time.

Conventions
-----------
* The primary measure, named beforehand: accuracy on the test set, and of it the paired difference
  of VPPO from DAPO.
* A square that is blackened is one vision token (``visual_patch``).
* No content of the test set occurs in training: splits are by content, and it is checked.
* Items of rewards are another draw of the split train than those of imitation; nearly all of
  their contents are in both, and test sets of several seeds share most of theirs.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchgen.answers import score
from benchgen.dataset import synthesize
from benchgen.errors import InputError
from benchgen.files import write_whole
from benchgen.plan import make_plan
from benchgen.task import capacity, find_task
from evaluators.engine import Request, Sampling
from evaluators.questions import Question, read_questions
from finetune.checkpoint import checkpoint_path
from finetune.job import SFT, Job
from finetune.objectives import resolve
from finetune.small_pictures import write_small
from finetune.small_reader import ReaderShape, write_small_reader
from finetune.study import Tell, asking, begin, figures, gain, met, settings, train
from finetune.training_folder import read_metrics

if TYPE_CHECKING:
    from finetune.policy import Policy
    from finetune.trajectory import Trajectory

ARMS = ("vppo", "dapo")
RESULTS = "pictures.json"
MAP = "map.json"
REWARDED = 1_000_000
"""Draws of the split train from this one on are for rewards."""
MAP_REPLIES = 32
"""Of so many replies it is counted which words hang on the picture, and one is drawn."""
WORD_DRAWS = 8
"""Random masks a reply where words are counted."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is studied; ``tasks`` at ``levels``, drawn with ``shape.side`` pixels.

    The model and its imitation are those of the seed ``start``, whatever the study's own.
    Imitation takes ``sft_steps`` of ``batch`` examples from all items, with their twins, that
    ``sft_draws`` seeds have of the split train; its rate rises for ``sft_warmup`` steps and falls
    as a cosine. Reinforcement takes ``rl_steps`` of ``prompts`` groups of ``samples`` replies of
    no more than ``max_tokens``, from all items of one more seed. ``nll_coef`` is that of both
    objectives. The map is of the first test problem that the model got right after imitation (of
    the first 32; the first of all if it got none), its ``map_draws`` random masks are those of the
    mean.
    """

    seed: int = 0
    start: int = 0
    engine: str = "transformers"
    suite: str = "sheet_music"
    tasks: tuple[str, ...] = ("chord_root",)
    levels: tuple[int, ...] = (1,)
    shape: ReaderShape = field(default_factory=lambda: ReaderShape(patch=16, merge=1))
    boxed: str = "words"
    sft_draws: int = 8
    sft_steps: int = 450
    sft_warmup: int = 40
    batch: int = 32
    sft_rate: float = 2e-3
    rl_steps: int = 16
    prompts: int = 16
    samples: int = 8
    rl_rate: float = 3e-5
    nll_coef: float = 0.06
    max_tokens: int = 96
    items: int | None = None
    map_draws: int = 64

    def __post_init__(self) -> None:
        if min(self.sft_draws, self.sft_steps, self.rl_steps, self.map_draws) < 1:
            raise InputError("a study of pictures has draws of data and of masks, and steps")
        if min(self.seed, self.start) < 0:
            raise InputError(f"a study's seeds are 0 or more, not {self.seed} and {self.start}")
        if self.items is not None and self.items < 1:
            raise InputError(f"a class has an item or more, not {self.items}")
        for task in self.tasks:
            find_task(f"{self.suite}/{task}")


def run_study(study: Study, out: Path, tell: Tell = lambda line: None) -> dict[str, Any]:
    """All of it, or the rest of it; the results, which ``pictures.json`` in ``out`` holds too.

    Raises
    ------
    InputError
        ``out`` holds another study.
    """
    begin(study, out)
    model = _make_model(study, out)
    data = _make_data(study, out)
    trained = {"sft": checkpoint_path(out / "sft", study.sft_steps)}
    if not trained["sft"].exists():
        imitation = _job(
            study, model, data["sft"], SFT, seed=study.start, steps=study.sft_steps,
            batch=study.batch, boxed=study.boxed, learning_rate=study.sft_rate,
            warmup=study.sft_warmup, decay="cosine",
        )  # fmt: skip
        train(imitation, out / "sft", tell)
    for arm in ARMS:
        rewards = _job(
            study, trained["sft"], data["rl"], arm, seed=study.seed, steps=study.rl_steps,
            prompts=study.prompts, samples=study.samples, learning_rate=study.rl_rate, warmup=5,
            overrides=overrides(study, arm),
        )  # fmt: skip
        trained[arm] = Path(train(rewards, out / arm, tell)["checkpoint"])
    with asking(
        data, out / "runs", tell, engine=study.engine, seed=study.seed, modality="image",
        max_tokens=study.max_tokens,
    ) as ask:  # fmt: skip
        runs = {name: ask(name, "test", str(path)) for name, path in trained.items()}
    found = {
        "study": settings(study),
        "runs": {name: figures(run) for name, run in runs.items()},
        "gain": {arm: gain(runs["sft"], runs[arm]) for arm in ARMS},
        "vppo_over_dapo": gain(runs["dapo"], runs["vppo"]),
        "steps": {name: steps_of(out / name) for name in ("sft", *ARMS)},
        "test_contents_met_in_training": met(data["test"], [data["sft"], data["rl"]], []),
    }
    _make_map(study, trained["sft"], data["test"], out)
    write_whole(out / RESULTS, f"{json.dumps(found, indent=1)}\n".encode())
    return found


def study_lines(found: dict[str, Any]) -> Iterator[str]:
    """The results for people."""
    for name, run in found["runs"].items():
        yield (
            f"{name:7} {100 * run['accuracy']:5.1f} % ({100 * run['low']:.1f} to "
            f"{100 * run['high']:.1f}) of {run['problems']}, unparsed "
            f"{100 * run['unparsed']:.1f} %, {run['tokens']:.0f} tokens a reply"
        )
    compared = {f"{arm} over sft": one for arm, one in found["gain"].items()}
    for name, one in {**compared, "vppo over dapo": found["vppo_over_dapo"]}.items():
        yield (
            f"{name}: {100 * one['effect']:+.1f} points "
            f"({100 * one['low']:+.1f} to {100 * one['high']:+.1f})"
        )
    for name, one in found["steps"].items():
        yield f"{name}: {one['steps']} steps of {one['seconds']:.2f} s, {one['tokens']} tokens"
    yield f"test contents met in training: {found['test_contents_met_in_training']}"


def overrides(study: Study, arm: str) -> tuple[str, ...]:
    """What makes of a preset the study's objective; all but what VPPO adds is alike.

    ``dapo`` is given VPPO's likelihoods and dual clip, ``vppo`` the size of a vision token.
    """
    shared = f"nll_coef={study.nll_coef}"
    own = {"vppo": f"visual_patch={study.shape.token}", "dapo": "dual_clip=3.0"}
    return shared, own[arm]


def steps_of(folder: Path) -> dict[str, Any]:
    """Of a run of training: steps, tokens, and the means of seconds a step, all and by phase."""
    lines = read_metrics(folder)
    phases = {name for line in lines for name in line if name.startswith("seconds")}
    means = {name: sum(line.get(name, 0.0) for line in lines) / len(lines) for name in phases}
    if "seconds" not in means:
        means["seconds"] = sum(means.values())
    return {"steps": len(lines), "tokens": lines[-1]["tokens"], **dict(sorted(means.items()))}


def _job(study: Study, model: Path, data: str, objective: str, **own: Any) -> Job:
    return Job(
        objective=objective, model=str(model), data=data, modality="image", engine=study.engine,
        window=study.prompts * study.samples, max_tokens=study.max_tokens,
        save_every=100, keep=1, **own,
    )  # fmt: skip


def _make_model(study: Study, out: Path) -> Path:
    """The model as it begins."""
    folder, unfinished = out / "model", out / "model.tmp"
    if not folder.is_dir():
        shutil.rmtree(unfinished, ignore_errors=True)
        write_small_reader(unfinished, study.shape, study.start)
        unfinished.rename(folder)
    return folder


def _make_data(study: Study, out: Path) -> dict[str, str]:
    """The datasets by what they are for, pictures as small as they are shown."""
    first = study.start * study.sft_draws
    made = {}
    for name, split, draws in (
        ("sft", "train", range(first, first + study.sft_draws)),
        ("rl", "train", [REWARDED + study.seed]),
        ("test", "test", [study.seed]),
    ):
        folder = out / "data" / name
        drawn = [_synthesize(study, split, draw, folder / f"draw-{draw}") for draw in draws]
        made[name] = str(write_small(drawn, folder, study.shape.side))
    return made


def _synthesize(study: Study, split: str, draw: int, folder: Path) -> Path:
    """As many items of every class and level as the least of them has, or ``items``."""
    cells = [(task, level) for task in study.tasks for level in study.levels]
    least = min(capacity(f"{study.suite}/{task}", level, split) for task, level in cells)
    count = len(cells) * min(least, study.items or least)
    plan = make_plan(
        study.suite, split=split, count=count, seed=draw, tasks=study.tasks,
        levels=study.levels, modalities=("image",), with_twins=True,
    )  # fmt: skip
    synthesize(plan, folder)
    return folder


def _make_map(study: Study, model: Path, test: str, out: Path) -> None:
    """Write what the tokens of replies to the test set's first problems hang on."""
    from finetune.dependency_map import random_dependencies, single_dependencies
    from finetune.policy import load_policy

    if (out / MAP).exists():
        return
    policy = load_policy(str(model))
    replies = _replies(study, policy, Path(test))
    patch = study.shape.token

    def under_masks(one: Trajectory, draws: int) -> list[float]:
        chance = resolve("vppo").visual_chance
        found: list[float] = random_dependencies(
            policy, one, patch, chance=chance, draws=draws, seed=study.seed
        ).tolist()
        return found

    by_word: dict[str, list[float]] = {}
    for _, one, _ in replies:
        for token, depends in zip(one.reply, under_masks(one, WORD_DRAWS), strict=True):
            by_word.setdefault(policy.tokenizer.decode([token]), []).append(depends)
    question, one, right = next((reply for reply in replies if reply[2]), replies[0])
    single = single_dependencies(policy, one, patch)
    mean = under_masks(one, study.map_draws)
    record = {
        "problem": question.problem.id,
        "right": right,
        "patch": patch,
        "picture": base64.b64encode(one.pictures[0]).decode("ascii"),
        "tokens": [policy.tokenizer.decode([token]) for token in one.reply],
        "single": single.tolist(),
        "random": mean,
        "words": [
            {"word": word, "count": len(values), "mean": sum(values) / len(values)}
            for word, values in sorted(by_word.items())
        ],
        "replies": len(replies),
    }
    write_whole(out / MAP, f"{json.dumps(record)}\n".encode())


def _replies(
    study: Study, policy: Policy, test: Path
) -> list[tuple[Question, Trajectory, bool]]:
    """Greedy replies to the first problems of the test set, and whether they are right."""
    from evaluators.engines.transformers import LoadedModel, TransformersEngine
    from finetune.trajectory import Trajectory

    engine = TransformersEngine(
        LoadedModel("reader", policy.model, policy.tokenizer, policy.processor), window=MAP_REPLIES
    )
    asked = {q.problem.id: q for q in read_questions(test, "image", limit=MAP_REPLIES)}
    sampling = Sampling(max_tokens=study.max_tokens, logprobs=True)
    requests = [Request(name, q.messages, (), q.images, sampling) for name, q in asked.items()]
    found = {}
    for response in engine.generate(requests):
        if response.error:
            raise RuntimeError(f"the engine gave no reply to {response.id}: {response.error}")
        question = asked[response.id]
        reply = Trajectory(
            response.prompt_token_ids, response.token_ids, pictures=question.images
        )
        found[response.id] = question, reply, score(question.problem, response).value == 1.0
    return [found[name] for name in asked]
