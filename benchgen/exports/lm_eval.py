r"""A task folder for lm_eval (EleutherAI's harness), which runs it as it is.

Conventions
-----------
* The folder holds ``NAME.yaml``, ``NAME_scoring.py``, which lm_eval loads from beside
  it, the data, and a README. The data's place is found from the script's own, so that the
  folder may lie anywhere and lm_eval be started anywhere.
* A reply is scored by ``benchgen.score``, so that the verdicts are those of ``benchgen
  eval`` on the same replies. lm_eval tells a scorer nothing of why a reply ended: one that
  was cut off is read as it stands, where ``benchgen eval`` calls it truncated.
* Nothing stops a reply but its end and ``max_gen_toks``; a stop string would cut thoughts.
* Every problem has a value for every metric, None for the categories and levels that
  are not its own: where several processes share the work, lm_eval joins their values metric
  by metric and takes each process to have the same ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from string import Template
from typing import TYPE_CHECKING

from benchgen import __version__
from benchgen.columns import schema
from benchgen.export import Source, parquet, placed, quoted

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_REPLY = 1024
"""In tokens. lm_eval's own default (256) ends in the middle of a thought; with more than this
its ``local-completions``, which takes every context for one of 2,048 tokens unless it is told
otherwise, would cut away the prompt.
"""

_YAML = Template("""\
task: $quoted_name
custom_dataset: !function ${name}_scoring.load
test_split: test
output_type: generate_until
doc_to_text: prompt
${image}doc_to_target: target
process_results: !function ${name}_scoring.verdict
num_fewshot: 0
generation_kwargs:
  until: []
  max_gen_toks: $longest
  do_sample: false
  temperature: 0.0
metric_list:
${metrics}
metadata:
  version: $quoted_version
  data_digest: $digest
""")

_SCORING = Template('''\
"""What lm_eval calls: the problems beside this file, and the verdict on a reply."""

from glob import escape
from pathlib import Path

import datasets

import benchgen
from benchgen.dataset import problem_from_row

CATEGORIES = $categories
LEVELS = $levels


def load(**_):
    """The problems, one a row."""
    data = Path(__file__).with_name($data)
    return datasets.load_dataset("parquet", data_files={"test": escape(str(data))})


def verdict(doc, results):
    """Every metric of one reply: 1.0, 0.0, or None where it is not about this problem."""
    score = benchgen.score(problem_from_row(doc), results[0] or "")
    values = {"accuracy": score.value, "unparsed": float(score.outcome == "unparsed")}
    for category, metric in CATEGORIES.items():
        values[metric] = score.value if doc["category"] == category else None
    for level, metric in LEVELS.items():
        values[metric] = score.value if doc["level"] == level else None
    return values


def mean_where_asked(values):
    """The mean of the values that are not None."""
    asked = [value for value in values if value is not None]
    return sum(asked) / len(asked) if asked else float("nan")
''')

_README = Template("""\
# $name

$count problems ($modality) from benchgen $benchgen, as a task for lm_eval 0.4.13 or later.

benchgen has to be in lm_eval's environment, since it scores the replies. Run it from anywhere,
with the path of this folder:

    lm_eval --include_path FOLDER --tasks $name --model $model \\
        --model_args pretrained=MODEL --apply_chat_template --log_samples --output_path RESULTS

- `accuracy` is over all problems, `accuracy_CATEGORY` and `accuracy_level_N` over those of a
  category or a level (lm_eval gives these no standard error); where two would share a name, one
  ends in an underscore. `unparsed` is the share of replies without an answer, which count as wrong.
- Verdicts are those of `benchgen eval` on the same replies, but for those that the token limit
  cut off: lm_eval does not tell which those are, so they are read as they stand. `benchgen
  eval` counts them as truncated, which is worth nothing.
- A reply has up to $longest tokens. Give models that think for longer more:
  `--gen_kwargs max_gen_toks=16384`. With `local-completions`, say also how long the model's
  context is (`max_length=32768` in `--model_args`): lm_eval takes it for 2048 and cuts
  prompts from the left until they fit beside the reply.
$note- Data: SHA-256 $digest, suite version $version, licence: $licence.
""")

_IMAGE_NOTE = """\
- Each prompt begins with `<image>`, where the picture goes. The model has to be one that lm_eval
  shows pictures to (`hf-multimodal`, `vllm-vlm`).
"""


def files(source: Source) -> Mapping[str, bytes]:
    """The task folder.

    Raises
    ------
    InputError
        A prompt holds the placeholder of a picture.
    """
    shown = source.modality == "image"
    levels = _metrics({item.problem.level for item in source.items}, "accuracy_level_{}")
    categories = _metrics(
        {item.problem.category for item in source.items}, "accuracy_{}", set(levels.values())
    )
    lines = [_metric("accuracy", "mean"), _metric("unparsed", "mean", higher_is_better=False)]
    part = f"!function {source.name}_scoring.mean_where_asked"
    lines += [_metric(name, part) for name in (*categories.values(), *levels.values())]
    data = f"{source.name}.parquet"
    values = {
        "name": source.name,
        "quoted_name": quoted(source.name),
        "quoted_version": quoted(source.version),
        "modality": source.modality,
        "count": len(source.items),
        "benchgen": __version__,
        "version": source.version,
        "digest": source.digest,
        "licence": source.licence or "not stated",
        "longest": LONGEST_REPLY,
        "model": "hf-multimodal" if shown else "hf",
        "note": _IMAGE_NOTE if shown else "",
        "image": "doc_to_image:\n  - image\n" if shown else "",
        "metrics": "\n".join(lines),
        "categories": repr(categories),
        "levels": repr(levels),
        "data": repr(data),
    }
    return {
        data: parquet(_table(source)),
        f"{source.name}_scoring.py": _SCORING.substitute(values).encode(),
        "README.md": _README.substitute(values).encode(),
        f"{source.name}.yaml": _YAML.substitute(values).encode(),
    }


def _metrics(
    keys: Iterable[str | int], name: str, taken: Collection[str] = ()
) -> dict[str | int, str]:
    """The metric of each key: a name of its own, in letters, digits and underscores.

    lm_eval's tables have a comma between a metric and a filter.
    """
    metrics: dict[str | int, str] = {}
    for key in sorted(keys, key=str):
        metric = name.format(re.sub(r"\W+", "_", str(key)))
        while metric in taken or metric in metrics.values():
            metric += "_"
        metrics[key] = metric
    return metrics


def _metric(name: str, aggregation: str, *, higher_is_better: bool = True) -> str:
    better = "true" if higher_is_better else "false"
    return f"  - metric: {name}\n    aggregation: {aggregation}\n    higher_is_better: {better}"


def _table(source: Source) -> pa.Table:
    """The dataset's own columns, what is not shown null, and the prompt."""
    import pyarrow as pa

    rows = [{**item.row, "prompt": placed(item)} for item in source.items]
    described = json.loads(schema().metadata[b"huggingface"])
    described["info"]["features"]["prompt"] = {"dtype": "string", "_type": "Value"}
    fields = [*schema(), pa.field("prompt", pa.string())]
    return pa.Table.from_pylist(
        rows, schema=pa.schema(fields, metadata={"huggingface": json.dumps(described)})
    )
