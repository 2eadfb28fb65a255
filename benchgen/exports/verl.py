r"""A training set and its reward function for verl.

Conventions
-----------
* The Parquet file has verl's own columns. ``reward_model.ground_truth`` is the whole problem as
  JSON; ``data_source``, by which verl groups its figures, is the task.
* A picture's place is ``<image>`` before the words, the picture itself in ``images``.
* Replies come to the reward function as text without special tokens, and without the reason why
  they ended: one that was cut off is read as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template
from typing import TYPE_CHECKING, Any

from benchgen import __version__
from benchgen.errors import InputError
from benchgen.export import Item, Source, lessons, parquet, placed

if TYPE_CHECKING:
    import pyarrow as pa

OTHER_PLACES = ("<video>", "<audio>")
"""What verl looks for beside ``<image>`` in the words of a row with pictures."""

REWARD = '''\
"""The reward: what benchgen.score gives a reply, 1.0 or 0.0."""

import benchgen


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **others):
    """The score of one reply; ``ground_truth`` is the problem as JSON."""
    return benchgen.score(benchgen.Problem.from_json(ground_truth), solution_str).value
'''

_README = Template("""\
# $name

$count problems ($modality) from benchgen $benchgen to train on with verl 0.9. benchgen has to be in
verl's environment on every node, since it scores the replies.

    python -m verl.trainer.main_ppo \\
        data.train_files=FOLDER/$data data.val_files=VALIDATION/$data \\
        reward.custom_reward_function.path=FOLDER/reward.py \\
        actor_rollout_ref.model.path=MODEL actor_rollout_ref.actor.use_dynamic_bsz=true \\
        actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=8 \\
        algorithm.adv_estimator=grpo trainer.n_gpus_per_node=8

`FOLDER` is this folder on a file system that all nodes see, `VALIDATION` an export of the split
validation. benchgen's docs/scale.md has a whole launch, and benchgen's own objectives in verl.

- The reward is `benchgen.score`, as in `benchgen train`, but for replies that the token limit cut
  off: verl does not tell which those are, so they are read as they stand, where `benchgen train`
  gives them nothing. Let replies be long enough (`data.max_response_length`).
- verl leaves special tokens out of what is scored. If a model's marks of thoughts are such tokens,
  its thoughts are read as part of its answer.
- The score is also verl's metric `acc`, by which groups can be filtered
  (`algorithm.filter_groups.enable=true algorithm.filter_groups.metric=acc`).
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
        An item is of the split test, or a prompt holds the place of a picture, video or sound.
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

    text, whole = pa.string(), pa.int64()
    fields = [
        pa.field("data_source", text),
        pa.field("prompt", pa.list_(pa.struct([("role", text), ("content", text)]))),
        pa.field("ability", text),
        pa.field("reward_model", pa.struct([("style", text), ("ground_truth", text)])),
        pa.field("extra_info", pa.struct([("index", whole), ("id", text), ("level", whole)])),
    ]
    metadata = None
    if source.modality == "image":
        picture = pa.struct([("bytes", pa.binary()), ("path", text)])
        fields.insert(2, pa.field("images", pa.list_(picture)))
        # Read as pictures, which verl turns into RGB; structures of bytes it leaves as they are.
        pictures = {"images": {"feature": {"_type": "Image"}, "_type": "List"}}
        metadata = {"huggingface": json.dumps({"info": {"features": pictures}})}
    rows = [_row(place, item) for place, item in enumerate(lessons(source))]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields, metadata=metadata))


def _row(place: int, item: Item) -> dict[str, Any]:
    problem = item.problem
    for other in OTHER_PLACES:
        if item.picture is not None and other in item.prompt:
            raise InputError(f"row {problem.id!r}: the prompt holds {other}")
    row: dict[str, Any] = {
        "data_source": problem.task,
        "prompt": [{"role": "user", "content": placed(item)}],
        "ability": problem.category,
        "reward_model": {"style": "rule", "ground_truth": problem.to_json()},
        "extra_info": {"index": place, "id": problem.id, "level": problem.level},
    }
    if item.picture is not None:
        row["images"] = [{"bytes": item.picture, "path": None}]
    return row
