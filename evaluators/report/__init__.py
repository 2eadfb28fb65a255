"""``report.html``: a run for people, in one file that needs nothing else.

Conventions
-----------
* Prompts, replies, names and errors are untrusted. The tables escape them; the
  samples are JSON in which no ``<`` stands, written as text by the page's one
  script; and the page's policy admits that script by its digest, pictures as
  data, and nothing else.
* At most ``MOST_SAMPLES`` samples, or ``MOST_BYTES`` of data, are shown, in the order
  of the dataset; the page says so. The journal holds all of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchgen.files import write_whole
from benchgen.problem import Outcome
from evaluators.configuration import RunConfig, display_name
from evaluators.journal import Sample
from evaluators.metrics import Metrics, Slice
from evaluators.questions import Question, message_words
from evaluators.run_directory import REPORT

MOST_SAMPLES = 10_000
MOST_BYTES = 40_000_000
CONTROLS = {"none": "no stimulus shown", "other": "another item's stimulus shown"}
UNREAD = (Outcome.UNPARSED, Outcome.TRUNCATED, Outcome.ERROR)
_SHOWN = (
    "problem",
    "epoch",
    "outcome",
    "extracted",
    "reply",
    "error",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "thinking_tokens",
    "seconds",
    "thinking",
)


def write_report(
    folder: Path,
    config: RunConfig,
    metrics: Metrics,
    samples: Iterable[Sample],
    questions: Iterable[Question],
) -> None:
    """Write ``report.html``, whole or not at all."""
    page = report_html(config, metrics, samples, questions)
    write_whole(folder / REPORT, page.encode("utf-8", "replace"))


def report_html(
    config: RunConfig,
    metrics: Metrics,
    samples: Iterable[Sample],
    questions: Iterable[Question],
) -> str:
    """The page; ``questions`` are those of the run, in the order of the dataset."""
    by_problem: dict[str, list[Sample]] = {}
    for sample in samples:
        by_problem.setdefault(sample.problem, []).append(sample)
    data, count = _data(by_problem, questions)
    total = sum(map(len, by_problem.values()))
    shown = (
        f"All {total} samples."
        if count == total
        else (
            f"The first {count} of {total} samples, in the order of the dataset; "
            "all of them are in samples-*.jsonl."
        )
    )
    script = _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return _fill(
        _asset("page.html"),
        {
            "policy": f"sha256-{digest}",
            "style": _asset("style.css"),
            "script": script,
            "model": escape(display_name(config.model)),
            "facts": _facts(config),
            "notices": _notices(metrics),
            "summary": _summary(metrics),
            "tables": _table("Category", metrics.by_category)
            + _table("Level", metrics.by_level)
            + _table("Task, level", metrics.by_task_level),
            "shown": escape(shown),
            "version": escape(config.benchgen_version),
            "data": data,
        },
    )


def json_in_html(value: Any) -> str:
    """JSON that can stand in a script element: no ``<``, ``>`` or ``&`` in it."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(
    by_problem: Mapping[str, Sequence[Sample]], questions: Iterable[Question]
) -> tuple[str, int]:
    problems: dict[str, Any] = {}
    shown: list[dict[str, Any]] = []
    size = 0
    for question in questions:
        replies = by_problem.get(question.problem.id, ())
        if not replies:
            continue
        size += sum(map(len, question.images)) * 4 // 3 + len(question.prompt)
        size += sum(len(sample.reply) + len(sample.thinking) for sample in replies)
        if shown and (len(shown) + len(replies) > MOST_SAMPLES or size > MOST_BYTES):
            break
        problems[question.problem.id] = _problem(question)
        shown += [{name: getattr(sample, name) for name in _SHOWN} for sample in replies]
    return json_in_html({"problems": problems, "samples": shown}), len(shown)


def _problem(question: Question) -> dict[str, Any]:
    problem = question.problem
    return {
        "task": problem.task,
        "category": problem.category,
        "level": problem.level,
        "options": list(problem.options or ()),
        "target": problem.target,
        "solution": problem.solution,
        "turns": [[str(m["role"]), message_words(m)] for m in question.messages],
        "images": [_data_uri(image) for image in question.images],
    }


def _data_uri(image: bytes) -> str:
    kind = "jpeg" if image.startswith(b"\xff\xd8") else "png"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode('ascii')}"


def _facts(config: RunConfig) -> str:
    data = config.data
    # The page may be published: it names no folder of this machine.
    named = display_name(config.model_source)
    source = f" ({named})" if named not in ("", display_name(config.model)) else ""
    prompting = config.prompting
    facts = [
        f"Engine {config.engine}{source}",
        f"{data.suite} {data.suite_version}, {data.split} split, {config.modality}",
        f"{config.problems} of {data.problems} problems, {config.samples} "
        f"sample{'s' * (config.samples > 1)} each",
        f"Temperature {config.temperature:g}, top-p {config.top_p:g}, "
        f"at most {config.max_tokens} tokens, seed {config.seed}",
    ]
    if prompting.stimulus != "own":
        facts.append(f"Blind control: {CONTROLS[prompting.stimulus]}")
    if prompting.shots:
        facts.append(f"{prompting.shots} worked examples before each problem")
    return f"{escape('. '.join(facts))}. Dataset <code>{escape(data.digest[:16])}</code>."


def _notices(metrics: Metrics) -> str:
    lines = []
    failed = metrics.overall.outcomes[Outcome.ERROR.value]
    if metrics.missing:
        lines.append(f"{metrics.missing} of {metrics.wanted} samples were not asked.")
    if failed:
        lines.append(f"{failed} samples have no reply, only an error; they are not scored.")
    if lines:
        lines.append("The run is not complete: the same command asks what is missing.")
    return f'<p class="notice" role="status">{escape(" ".join(lines))}</p>' if lines else ""


def _summary(metrics: Metrics) -> str:
    overall = metrics.overall
    figures = [
        ("Accuracy", _percent(overall.accuracy), f"{_interval(overall.low, overall.high)}; "
         f"chance {_percent(overall.chance)}"),
    ]  # fmt: skip
    if metrics.twins is not None:
        twins = metrics.twins
        figures.append(
            (
                "All twins right",
                _percent(twins.rate),
                f"{_interval(twins.low, twins.high)}; chance {_percent(twins.chance)}",
            )
        )
    figures += [
        (
            name,
            _percent(measured.overall.value),
            f"{_interval(measured.overall.low, measured.overall.high)}; "
            f"{measured.overall.problems} problems",
        )
        for name, measured in metrics.at_k.items()
    ]
    figures += [
        (
            "Unparsed, truncated, errors",
            " / ".join(f"{100 * overall.share(outcome):.1f}" for outcome in UNREAD) + "\u00a0%",
            f"of {overall.samples} samples",
        ),
        (
            "Tokens",
            f"{metrics.tokens.completion:,}",
            f"written, {metrics.tokens.thinking:,} of them thinking; "
            f"{metrics.tokens.prompt:,} read, {metrics.tokens.cached:,} of them cached",
        ),
        (
            "Seconds",
            f"{metrics.seconds.wall:,.1f}",
            f"{overall.samples / metrics.seconds.wall:,.1f} samples a second"
            if metrics.seconds.wall > 0
            else "for the whole run",
        ),
    ]
    if metrics.cost is not None:
        figures.append(("Cost", f"{metrics.cost:,.4f}", "at the prices given"))
    return "\n".join(
        f'<div class="figure"><span>{escape(name)}</span><b>{escape(figure)}</b>'
        f"<span>{escape(note)}</span></div>"
        for name, figure, note in figures
    )


def _table(title: str, slices: Mapping[str, Slice]) -> str:
    rows = "\n".join(_row(name.replace(":", ", "), part) for name, part in slices.items())
    heads = ("Accuracy", "95 % interval", "Chance", "Problems", "Samples")
    columns = [*heads, *(outcome.value.capitalize() for outcome in UNREAD)]
    return (
        f'<div class="frame"><table><thead><tr><th scope="col">{escape(title)}</th>'
        '<th scope="col"><span aria-hidden="true">0 to 100 %</span></th>'
        + "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
        + f"</tr></thead><tbody>\n{rows}\n</tbody></table></div>\n"
    )


def _row(name: str, part: Slice) -> str:
    cells = (
        _percent(part.accuracy),
        _interval(part.low, part.high),
        _percent(part.chance),
        str(part.problems),
        str(part.samples),
        *(_percent(part.share(outcome)) for outcome in UNREAD),
    )
    return (
        f'<tr><th scope="row">{escape(name)}</th><td class="plot">{_plot(part)}</td>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
    )


def _plot(part: Slice) -> str:
    if part.accuracy is None or part.low is None or part.high is None:
        return ""
    at, low, high, chance = (
        f"{100 * share:.2f}" for share in (part.accuracy, part.low, part.high, part.chance)
    )

    def line(kind: str, x1: str, x2: str, y1: int, y2: int) -> str:
        return f'<line class="{kind}" x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}"/>'

    return (
        '<svg viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar" width="{at}" y="2" height="12"/>'
        + line("edge", at, at, 2, 14)
        + line("whisker", low, high, 8, 8)
        + line("whisker", low, low, 4, 12)
        + line("whisker", high, high, 4, 12)
        + line("chance", chance, chance, 0, 16)
        + "</svg>"
    )


def _percent(value: float | None) -> str:
    if value is None:
        return "none"
    figure = f"{100 * value:.1f}" if value == 0 or value >= 0.001 else f"{100 * value:.2g}"
    return f"{figure}\u00a0%"


def _interval(low: float | None, high: float | None) -> str:
    return "none" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}\u00a0%"


def _asset(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")


def _fill(template: str, parts: Mapping[str, str]) -> str:
    """Put the parts into their places, once: what is put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)
