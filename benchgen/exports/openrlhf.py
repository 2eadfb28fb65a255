r"""A training set and its reward function for OpenRLHF.

Conventions
-----------
* JSON lines: ``input`` is a list of messages, ``label`` the whole problem as JSON, ``images``
  data URIs, ``datasource`` (by which OpenRLHF groups its figures) the task. A picture's place is
  ``<image>`` before the words.
* OpenRLHF hands the reward function the prompt and the reply in one text, the query, decoded from
  tokens: a picture's tokens stand in it, and the front may be cut off, so the reply is what
  follows our prompt's last line and what the chat template wrote behind it.
* The query keeps special tokens, so that marks of thoughts are seen; what ends the reply is taken
  off. Whether a reply was cut off is not told, but OpenRLHF can take its reward away itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pprint import pformat
from string import Template
from typing import Any

from benchgen import __version__
from benchgen.errors import InputError
from benchgen.export import PLACEHOLDER, Item, Source, data_uri, lessons, placed
from benchgen.prompt import CHOICE_INSTRUCTION

ENDS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<|return|>",
    "<end_of_turn>",
    "<turn|>",
    "<eos>",
    "</s>",
)
"""What models end a reply with."""

_REWARD = Template('''\
"""The reward: what benchgen.score gives a reply, 1.0 or 0.0."""

import torch

import benchgen

LAST_LINE = $last_line
"""Of every prompt; behind it there is only what the chat template writes."""

ENDS = $ends
"""What models end a reply with: add what yours does."""


def reward_func(queries, prompts, labels, **others):
    """The scores of the replies; a label is a problem as JSON."""
    scores = [
        benchgen.score(benchgen.Problem.from_json(label), reply(query, prompt)).value
        for query, prompt, label in zip(queries, prompts, labels, strict=True)
    ]
    return {"rewards": torch.tensor(scores), "scores": torch.tensor(scores), "extra_logs": {}}


def reply(query, prompt):
    """What follows the prompt in a query, without what ends it.

    The prompt ends where its end is found first, whatever the reply repeats.
    """
    _, found, said = query.partition(prompt[prompt.rindex(LAST_LINE) :])
    if not found:
        raise ValueError("the query does not hold the end of its prompt")
    for end in ENDS:
        said = said.removesuffix(end)
    return said
''')

_README = Template("""\
# $name

$count problems ($modality) from benchgen $benchgen to train on with OpenRLHF 0.11. benchgen has to
be in OpenRLHF's environment on every node, since it scores the replies.

    python -m openrlhf.cli.train_ppo_ray \\
        --data.prompt_dataset FOLDER/$data --data.input_key input --data.label_key label \\
        --data.apply_chat_template --reward.remote_url FOLDER/reward.py \\
        --reward.stop_properly_penalty_coef 0 --rollout.n_samples_per_prompt 8 \\
        --algo.advantage.estimator group_norm --actor.model_name_or_path MODEL$image

`FOLDER` is this folder on a file system that all nodes see.

- The reward is `benchgen.score`, as in `benchgen train`. OpenRLHF does not tell it which replies
  the token limit cut off; with `--reward.stop_properly_penalty_coef 0` it takes their reward away
  itself.
- The reward reads what follows the prompt, less what ends the reply: if your model ends replies
  with a token that is not among `ENDS` in `reward.py`, add it.
- Data: SHA-256 $digest, suite version $version, licence: $licence.
""")

_IMAGE_OPTIONS = """ \\
        --data.image_key images --data.max_images_per_prompt 1"""


def files(source: Source) -> Mapping[str, bytes]:
    """The folder: the reward, the README, the data.

    Raises
    ------
    InputError
        An item is of the split test, its prompt holds the place of a picture, or its
        picture is neither PNG nor JPEG.
    """
    data = f"{source.name}.jsonl"
    reward = {"last_line": repr(CHOICE_INSTRUCTION), "ends": pformat(ENDS)}
    values = {
        "name": source.name,
        "data": data,
        "modality": source.modality,
        "count": len(source.items),
        "benchgen": __version__,
        "version": source.version,
        "digest": source.digest,
        "licence": source.licence or "not stated",
        "image": _IMAGE_OPTIONS if source.modality == "image" else "",
    }
    lines = [json.dumps(_row(item), ensure_ascii=False) + "\n" for item in lessons(source)]
    return {
        "reward.py": _REWARD.substitute(reward).encode(),
        "README.md": _README.substitute(values).encode(),
        data: "".join(lines).encode(),
    }


def _row(item: Item) -> dict[str, Any]:
    if PLACEHOLDER in item.prompt:
        # OpenRLHF would look for a picture there, be there one or not.
        raise InputError(f"row {item.problem.id!r}: the prompt holds {PLACEHOLDER}")
    row: dict[str, Any] = {
        "input": [{"role": "user", "content": placed(item)}],
        "label": item.problem.to_json(),
        "datasource": item.problem.task,
    }
    if item.picture is not None:
        row["images"] = [data_uri(item)]
    return row
