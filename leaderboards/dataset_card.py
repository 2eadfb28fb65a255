"""The card of a dataset: front matter for the Hub, and what a person wants to know.

Conventions
-----------
* Every figure is read from the dataset's manifests and its reports; what they do not tell is not
  said.
* The front matter is written by ``huggingface_hub``. It declares a configuration ``full`` with
  the dataset as it was synthesized, and a lean one for each modality of the split test, which is
  what Inspect runs.
* Words of a dataset are untrusted: each stands in a code span or block of its own
  (``markdown``), in which neither HTML nor Markdown means anything.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from benchgen import __version__
from benchgen.columns import schema
from benchgen.export import Source
from benchgen.exports.inspect_ai import lean_path
from benchgen.manifest import Manifest
from benchgen.plan import chosen_tasks
from benchgen.suite import find_suite
from benchgen.task import find_task
from leaderboards.dataset_files import TEST, Split
from leaderboards.hub import check_repos
from leaderboards.markdown import block, code, table

FULL = "full"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def dataset_card(splits: Sequence[Split], sources: Sequence[Source], repo: str) -> str:
    """The card, as ``README.md``, of ``splits`` and of the lean ``sources`` made of them.

    Raises
    ------
    InputError
        ``repo`` is no name of the Hub's, or ``huggingface_hub`` is not installed.
    """
    check_repos([repo])
    suite = find_suite(splits[0].manifest.suite["name"])
    rows = sum(split.manifest.rows for split in splits)
    parts = [
        f"---\n{_front_matter(splits, sources, repo)}\n---",
        f"# {repo.rpartition('/')[2]}",
        f"{suite.about}",
        f"{rows:,} problems whose answers are known by construction: each was built together with "
        "its answer, and every option of each was judged by a second engine that shares no code "
        "with the generator. Every item has a twin for every option, the same to the byte in "
        "question and options and different in content and key, so that no reader of these alone "
        f"beats chance. {_where_twins_are(splits)}",
        _example(sources),
        "## How to run it",
        _running(repo, sources),
        "## What is in it",
        _contents(splits),
        "## How it was made",
        _making(splits),
        "## What the splits are made on",
        f"{suite.reading} Such problems always fall in one split: the reading is hashed to a "
        "position in [0, 1), of which test has [0, 0.25), validation [0.25, 0.3), and train the "
        "rest, whatever the seed. So nothing drawn for train, with any seed, is in test.",
        "## Verification",
        _verification(splits),
        "## Audit",
        _audit(splits),
        "## Licence",
        f"{code(splits[0].manifest.suite['licence'])}. Made by benchgen {__version__}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(splits: Sequence[Split], sources: Sequence[Source], repo: str) -> str:
    from huggingface_hub import DatasetCardData

    manifest = splits[0].manifest
    modalities = {m for split in splits for m in split.manifest.configuration["modalities"]}
    rows = sum(split.manifest.rows for split in splits)
    full: dict[str, Any] = {
        "config_name": FULL,
        "data_files": [
            {"split": split.name, "path": f"data/{split.name}/*.parquet"} for split in splits
        ],
        "default": True,
    }
    lean = [
        {
            "config_name": source.modality,
            "data_files": [{"split": TEST, "path": lean_path(source)}],
        }
        for source in sources
    ]
    info = {
        "config_name": FULL,
        "features": features(),
        "splits": [
            {"name": s.name, "num_bytes": s.bytes, "num_examples": s.manifest.rows} for s in splits
        ],
        "download_size": sum(split.bytes for split in splits),
        "dataset_size": sum(split.bytes for split in splits),
    }
    kinds = ["question-answering"]
    if "image" in modalities:
        kinds.append("visual-question-answering")
    front = DatasetCardData(
        license=manifest.suite["licence"].lower(),
        language=["en"],
        pretty_name=repo.rpartition("/")[2],
        task_categories=kinds,
        size_categories=[next((name for most, name in SIZES if rows < most), "n>1M")],
        tags=["benchgen", manifest.suite["name"], "verifiable-rewards", *sorted(modalities)],
        configs=[full, *lean],
        dataset_info=info,
    )
    return str(front.to_yaml())


def features() -> list[dict[str, str]]:
    """The columns as a card's ``dataset_info`` names their types."""
    import pyarrow as pa

    found = []
    for column in schema():
        if pa.types.is_list(column.type):
            found.append({"name": column.name, "list": "string"})
        elif pa.types.is_struct(column.type):
            found.append({"name": column.name, "dtype": "image"})
        else:
            found.append({"name": column.name, "dtype": str(column.type)})
    return found


def _example(sources: Sequence[Source]) -> str:
    shown = next((source for source in sources if source.modality == "text"), None)
    if shown is None:
        return ""
    item = shown.items[0]
    return (
        f"One of them, of {code(item.problem.task)}, level {item.problem.level}, as it is asked "
        f"in text (the answer is {code(item.problem.target)}):\n\n{block(item.prompt)}"
    )


def _running(repo: str, sources: Sequence[Source]) -> str:
    lines = [
        "from datasets import load_dataset",
        "",
        f'problems = load_dataset("{repo}", "{FULL}")',
    ]
    parts = [block("\n".join(lines), "python")]
    if sources:
        parts += [
            "With Inspect, which scores by the letter in the box:",
            block(f"inspect eval hf/{repo} --model MODEL", "sh"),
        ]
    parts += [
        "With benchgen, which reads answers more generously, takes up broken runs and gives "
        "intervals:",
        block(
            f"hf download {repo} --repo-type dataset --local-dir bench\n"
            f"benchgen eval --data bench/data/{TEST} --model MODEL --out run",
            "sh",
        ),
    ]
    return "\n\n".join(parts)


def _contents(splits: Sequence[Split]) -> str:
    heads = ("split", "problems", "shards", "bytes", "modalities", "SHA-256 of the data")
    rows = [
        (
            split.name,
            f"{split.manifest.rows:,}",
            f"{split.manifest.shard_count:,}",
            f"{split.bytes:,}",
            ", ".join(split.manifest.configuration["modalities"]),
            split.digest,
        )
        for split in splits
    ]
    names = ", ".join(code(column.name) for column in schema())
    return "\n\n".join(
        [table(heads, rows), *(_counts(split) for split in splits), f"Columns: {names}."]
    )


def _counts(split: Split) -> str:
    counts: Mapping[str, Mapping[str, int]] = split.manifest.counts
    levels = sorted({level for by_level in counts.values() for level in by_level}, key=int)
    heads = (f"task, in {split.name}", *(f"level {level}" for level in levels))
    rows = [
        (task, *(f"{by_level.get(level, 0):,}" for level in levels))
        for task, by_level in counts.items()
    ]
    return table(heads, rows)


def _making(splits: Sequence[Split]) -> str:
    commands = "\n".join(_command(split.manifest) for split in splits)
    versions = splits[0].manifest.versions
    told = ", ".join(f"{name} {code(version)}" for name, version in versions.items())
    return (
        f"{block(commands, 'sh')}\n\nThe same command gives the same bytes under the versions that "
        f"each manifest records: {told}. No model took part in it, and no text of others."
    )


def _command(manifest: Manifest) -> str:
    """What synthesizes it anew."""
    plan = manifest.configuration
    words = ["benchgen", "synth", plan["suite"], "--split", plan["split"]]
    words += ["--count", plan["count"], "--seed", plan["seed"]]
    words += ["--modality", ",".join(plan["modalities"])]
    every = chosen_tasks(plan["suite"], ())
    if tuple(plan["tasks"]) != every:
        words += ["--task", ",".join(name.partition("/")[2] for name in plan["tasks"])]
    if tuple(plan["levels"]) != find_task(plan["tasks"][0]).levels:
        words += ["--level", ",".join(map(str, plan["levels"]))]
    words += ["--twins"] * plan["twins"]
    return shlex.join([*map(str, words), "--out", plan["split"]])


def _where_twins_are(splits: Sequence[Split]) -> str:
    held = [split.name for split in splits if split.manifest.configuration["twins"]]
    if not held:
        return "The twins are not here: the audit built them."
    return f"The twins stand beside it in {' and '.join(held)}."


def _verification(splits: Sequence[Split]) -> str:
    heads = ("check", *(split.name for split in splits))
    names = dict.fromkeys(check.name for split in splits for check in split.checks)
    found = [{check.name: check for check in split.checks} for split in splits]

    def cell(checks: Mapping[str, Any], name: str) -> str:
        check = checks.get(name)
        return "" if check is None else f"{check.sound:,} of {check.of:,}"

    rows = [(name, *(cell(checks, name) for checks in found)) for name in names]
    return (
        "`benchgen verify` proved every row of these very files: the digests, each key and every "
        "other option by the second engine, and what is written or drawn by reading it back.\n\n"
        f"{table(heads, rows)}"
    )


def _audit(splits: Sequence[Split]) -> str:
    parts = ["Can it be answered without its content? `benchgen audit` asked blind predictors."]
    for split in splits:
        audited = split.audited
        lines = [
            f"**{split.name}**: of {audited.items:,} items a class and level, "
            f"{audited.tests:,} tests flagged none.",
            f"The best predictor, {code(audited.predictor)}, was right in "
            f"{100 * audited.best:.2f} % (chance {100 * audited.chance:.2f} %).",
        ]
        if audited.bound is not None:
            lines.append(
                "With 95 % confidence none of them is right in more than "
                f"{100 * audited.bound:.2f} %."
            )
        lines.append(
            f"All twins of {audited.twins:,} items were built and found. No content was met in two "
            "splits, and no forged reply earned anything."
        )
        if audited.shared is not None:
            low, high = (100 * share for share in audited.shared)
            lines.append(
                f"The facts that decide answers are few in some classes: {low:.0f} to {high:.0f} % "
                "of those of test are met in training, by class and level."
            )
        parts.append(" ".join(lines))
    return "\n\n".join(parts)
