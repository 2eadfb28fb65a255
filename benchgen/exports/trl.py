r"""A training set and its reward function for TRL's ``GRPOTrainer`` and ``RLOOTrainer``.

Conventions
-----------
* ``prompt`` is a list of messages, which TRL puts through the model's chat template. A picture
  stands in the column ``image``; TRL shows it before the words.
* TRL hands every column to the reward function: ``problem`` is the whole problem as JSON.
* Replies come to it as text without special tokens, and without the reason why they ended: one
  that was cut off is read as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template
from typing import TYPE_CHECKING, Any

from benchgen import __version__
from benchgen.export import Source, lessons, parquet

if TYPE_CHECKING:
    import pyarrow as pa

REWARD = '''\
"""The reward: what benchgen.score gives a reply, 1.0 or 0.0."""

import benchgen


def correctness(completions, problem, **columns):
    """The scores of the replies, in their order; ``problem`` is the column of the data."""
    return [
        benchgen.score(benchgen.Problem.from_json(one), text(reply)).value
        for one, reply in zip(problem, completions, strict=True)
    ]


def text(reply):
    """A reply's words: of a conversation those of the last message."""
    return reply if isinstance(reply, str) else reply[-1]["content"] or ""
'''

_README = Template("""\
# $name

$count problems ($modality) from benchgen $benchgen to train on with TRL 1.16 or later. benchgen has
to be in TRL's environment, since it scores the replies.

    from datasets import load_dataset
    from trl import GRPOConfig, GRPOTrainer
    from reward import correctness

    data = load_dataset("parquet", data_files="$data", split="train")
    settings = GRPOConfig(output_dir="run", mask_truncated_completions=True)
    GRPOTrainer(MODEL, reward_funcs=correctness, train_dataset=data, args=settings).train()

- The reward is `benchgen.score`, as in `benchgen train`, but for replies that the token limit cut
  off: TRL does not tell which those are, so they are read as they stand, where `benchgen train`
  gives them nothing. `mask_truncated_completions` leaves them out of the loss.
- TRL leaves special tokens out of what is scored. If a model's marks of thoughts are such tokens,
  its thoughts are read as part of its answer.
$note- Data: SHA-256 $digest, suite version $version, licence: $licence.
""")

_IMAGE_NOTE = """\
- Each problem has a picture: the model has to be one that reads pictures.
"""


def files(source: Source) -> Mapping[str, bytes]:
    """The folder: the reward, the README, the data.

    Raises
    ------
    InputError
        An item is of the split test.
    """
    data = f"{source.name}.parquet"
    values = {
        "name": source.name,
        "data": data,
        "modality": source.modality,
        "count": len(source.items),
        "benchgen": __version__,
        "version": source.version,
        "digest": source.digest,
        "licence": source.licence or "not stated",
        "note": _IMAGE_NOTE if source.modality == "image" else "",
    }
    return {
        "reward.py": REWARD.encode(),
        "README.md": _README.substitute(values).encode(),
        data: parquet(_table(source)),
    }


def _table(source: Source) -> pa.Table:
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    fields = [
        pa.field("prompt", pa.list_(message)),
        pa.field("problem", pa.string()),
        pa.field("id", pa.string()),
        pa.field("task", pa.string()),
        pa.field("level", pa.int32()),
    ]
    metadata = None
    if source.modality == "image":
        picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        fields.insert(1, pa.field("image", picture))
        # Read as a picture, not as a structure of bytes.
        pictures = {"image": {"_type": "Image"}}
        metadata = {"huggingface": json.dumps({"info": {"features": pictures}})}
    rows: list[dict[str, Any]] = []
    for item in lessons(source):
        row = {
            "prompt": [{"role": "user", "content": item.prompt}],
            "problem": item.problem.to_json(),
            "id": item.problem.id,
            "task": item.problem.task,
            "level": item.problem.level,
        }
        if source.modality == "image":
            row["image"] = {"bytes": item.picture, "path": None}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=pa.schema(fields, metadata=metadata))
