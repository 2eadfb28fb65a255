"""The card of a trained model: front matter for the Hub, and what a person wants to know.

Conventions
-----------
* The front matter is written by ``huggingface_hub``. It states what is known and leaves out
  the rest: a base model that is a folder somewhere has no name on the Hub, and a licence or
  datasets are there if they were given.
* Accuracies are in percent.
* Names, paths and settings are untrusted: in the text each stands in a code span of its own
  (``markdown.code``), in which neither HTML nor Markdown means anything, and never in a table,
  where a bar would end it. Of paths only the last part is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchgen import __version__
from benchgen.errors import InputError
from benchgen.problem import Outcome
from evaluators.run_directory import RunRecord
from leaderboards.hub import check_repos
from leaderboards.markdown import code
from leaderboards.trained import Stage, Trained

EMBEDDED = {"smollm2": ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")}
"""Names of ours for models of the Hub, with their licences."""

UNSAID = ("objective", "model", "data", "suite", "validation", "test", "benchgen_version")
"""Settings that are paths, or that the text tells in other words; so are digests."""

_LICENCE = r"[a-z0-9][a-z0-9.-]{0,60}"


def model_card(
    trained: Trained,
    repo: str,
    *,
    curves: str | None = None,
    licence: str | None = None,
    datasets: Sequence[str] = (),
) -> str:
    """The card, as ``README.md``; ``curves`` is a picture's name beside it.

    Raises
    ------
    InputError
        A name is none of the Hub's, or ``huggingface_hub`` is not installed.
    """
    check_repos([repo, *datasets])
    if licence is not None and not re.fullmatch(_LICENCE, licence):
        raise InputError(f"a licence is an identifier such as apache-2.0, not {licence!r}")
    parts = [
        f"---\n{_front_matter(trained, repo, licence, datasets)}\n---",
        f"# {repo}",
        _summary(trained),
        _scores(trained),
        "## How it was trained",
        _stages(trained.stages),
        f"Settings of the last stage:\n\n{_settings(trained.stages[-1])}",
    ]
    if curves is not None:
        parts.append(f"## Curves\n\n![Training curves](<{curves}>)")
    parts.append(_use(repo, _takes_pictures(trained)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _takes_pictures(trained: Trained) -> bool:
    return trained.stages[-1].config.get("modality") in ("image", "both")


def base_on_hub(base: str) -> str | None:
    """The base model's name on the Hub, if it can have one: a folder has none."""
    if base in EMBEDDED:
        return EMBEDDED[base][0]
    checkpoint = re.search(r"checkpoint-\d{8}$", base)
    if not base or checkpoint or Path(base).exists() or base.startswith((".", "/", "~")):
        return None
    try:
        check_repos([base])
    except InputError:
        return None
    return base


def _front_matter(trained: Trained, repo: str, licence: str | None, datasets: Sequence[str]) -> str:
    from huggingface_hub import ModelCardData

    image = _takes_pictures(trained)
    pipeline = "image-text-to-text" if image else "text-generation"
    objectives = [str(stage.config["objective"]) for stage in trained.stages]
    suites = [run.config.data.suite for run in trained.runs]
    known = EMBEDDED.get(trained.base)
    front = ModelCardData(
        license=licence or (known[1] if known else None),
        library_name="transformers",
        pipeline_tag=pipeline,
        base_model=base_on_hub(trained.base),
        datasets=list(datasets) or None,
        tags=["benchgen", *suites, *objectives, *(["rlvr"] if objectives != ["sft"] else [])],
        model_name=repo.rpartition("/")[2] if trained.runs else None,
        eval_results=[_result(run, pipeline) for run in trained.runs] or None,
    )
    return str(front.to_yaml())


def _result(run: RunRecord, pipeline: str) -> Any:
    from huggingface_hub import EvalResult

    data, accuracy = run.config.data, run.metrics.overall.accuracy
    assert accuracy is not None
    return EvalResult(
        task_type=pipeline,
        dataset_type=data.suite,
        dataset_name=f"{data.suite} {data.suite_version}",
        dataset_split=data.split,
        metric_type="accuracy",
        metric_name="Accuracy (%)",
        metric_value=round(100 * accuracy, 2),
    )


def _summary(trained: Trained) -> str:
    on_hub = base_on_hub(trained.base)
    base = code(on_hub or Path(trained.base).name)
    ways = ", then ".join(
        "imitation of worked solutions"
        if stage.config["objective"] == "sft"
        else f"rewards for right answers ({code(stage.config['objective'])})"
        for stage in trained.stages
    )
    return (
        f"The model {base} after {ways}, by benchgen {__version__} on problems whose answers are "
        "known by construction."
    )


def _scores(trained: Trained) -> str:
    if not trained.runs:
        return "What it scores on held-out problems was not measured at this checkpoint."
    said = "\n".join(_score(run) for run in trained.runs)
    return (
        "Held-out problems answered rightly:\n\n"
        f"{said}\n\nA checkpoint may have been chosen by the split validation. How the model "
        "does on other tasks was not measured."
    )


def _score(run: RunRecord) -> str:
    overall, config = run.metrics.overall, run.config
    assert overall.accuracy is not None
    interval = ""
    if overall.low is not None and overall.high is not None:
        interval = f" (95 % interval {100 * overall.low:.1f} to {100 * overall.high:.1f} %)"
    unread = ", ".join(
        f"{outcome.value} {100 * overall.share(outcome):.1f} %"
        for outcome in (Outcome.UNPARSED, Outcome.TRUNCATED, Outcome.ERROR)
    )
    return (
        f"- **{100 * overall.accuracy:.1f} %**{interval} of {overall.problems} problems of "
        f"{code(config.data.suite)} {code(config.data.suite_version)}, split "
        f"{code(config.data.split)}, data {code(config.data.digest[:16])}; guessing comes to "
        f"{100 * overall.chance:.1f} %. Temperature {config.temperature:g}, at most "
        f"{config.max_tokens} tokens; {unread}."
    )


def _stages(stages: Sequence[Stage]) -> str:
    lines = []
    for number, stage in enumerate(stages, 1):
        config = stage.config
        if config.get("data"):
            digest = str(config.get("data_digest", ""))[:16]
            source = f"the data {code(Path(str(config['data'])).name)} ({code(digest)})"
        else:
            source = f"fresh items of {code(config.get('suite'))}"
        lines.append(f"{number}. {code(config['objective'])}, {stage.steps} steps on {source}")
    return "\n".join(lines)


def _settings(stage: Stage) -> str:
    said = sorted(_said(stage.config).items())
    return "\n".join(f"- {code(name)}: {code(_plain(value))}" for name, value in said)


def _said(config: Mapping[str, Any]) -> dict[str, Any]:
    told = {n: v for n, v in config.items() if n not in UNSAID and not n.endswith("_digest")}
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _use(repo: str, pictures: bool) -> str:
    task, content, given = "text-generation", '"..."', ""
    if pictures:
        task, given = "image-text-to-text", "text="
        content = '[{"type": "image", "url": "score.png"}, {"type": "text", "text": "..."}]'
    return (
        "## Use\n\n"
        "```python\n"
        "from transformers import pipeline\n\n"
        f'ask = pipeline("{task}", model="{repo}")\n'
        f'turns = [{{"role": "user", "content": {content}}}]\n'
        f"reply = ask({given}turns, max_new_tokens=256)\n"
        'print(reply[0]["generated_text"][-1]["content"])\n'
        "```"
    )
