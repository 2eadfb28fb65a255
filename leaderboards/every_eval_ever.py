"""A record in the neutral layout of Every Eval Ever, version 0.3.0 of its schema.

Conventions
-----------
* One object a run: the accuracy, then that on each category and level, each with its interval.
  Scores are proportions.
* What we do not know is said to be unknown: who made a model, and whether its weights are open.
* Its additional details are strings, as it wants them; ours hold the record's digests, so that
  the object leads back to the record.
"""

from __future__ import annotations

import json
from typing import Any

from evaluators.run_directory import RunConfig, Slice
from leaderboards.method import method_of, rung_of
from leaderboards.record import Record

SCHEMA = "0.3.0"


def every_eval_ever(record: Record, key: str) -> dict[str, Any]:
    """The object; ``key`` is the record's (``record.record_key``)."""
    config, metrics = record.config, record.metrics
    data = config.data
    name = f"{data.suite}-{data.suite_version}-{config.modality}"
    slices = {
        name: metrics.overall,
        **{f"{name}/category/{part}": one for part, one in metrics.by_category.items()},
        **{f"{name}/level/{part}": one for part, one in metrics.by_level.items()},
    }
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{name}/{config.model}/{key}",
        "evaluation_timestamp": _seconds(record),
        "retrieved_timestamp": _seconds(record),
        "source_metadata": {
            "source_name": f"benchgen {config.benchgen_version}",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
        },
        "eval_library": {
            "name": "benchgen",
            "version": config.benchgen_version,
            "additional_details": {
                f"{part}_digest": getattr(record.digests, part)
                for part in ("problems", "questions", "prompts", "code", "configuration")
            },
        },
        "model_info": _model(config),
        "evaluation_results": [
            _result(record, part, one) for part, one in slices.items() if one.accuracy is not None
        ],
    }


def _seconds(record: Record) -> str:
    """When the run began: a record does not change by being read."""
    return str(record.began // 1000)


def _model(config: RunConfig) -> dict[str, Any]:
    organisation, slash, _ = config.model.rpartition("/")
    engine, _, _ = config.engine.partition(":")
    served = engine == "openai"
    versions = config.settings.get("versions")
    version = versions.get(engine) if isinstance(versions, dict) else None
    return {
        "name": config.model,
        "id": config.model,
        **({"developer": organisation} if slash else {}),
        "inference_engine": {"name": engine, "version": str(version or "unknown")},
        "additional_details": {
            "deployment_type": "unknown" if served else "self_deployed",
            "model_availability": "unknown",
        },
    }


def _result(record: Record, name: str, part: Slice) -> dict[str, Any]:
    config = record.config
    assert part.accuracy is not None
    details: dict[str, Any] = {"score": part.accuracy}
    if part.low is not None and part.high is not None:
        details["uncertainty"] = {
            "confidence_interval": {
                "lower": part.low,
                "upper": part.high,
                "confidence_level": 0.95,
                "method": "Wilson's, clustered by problem or twins",
            },
            "num_samples": part.samples,
        }
    return {
        "evaluation_result_id": name,
        "evaluation_name": name,
        "source_data": {
            "dataset_name": config.data.suite,
            "source_type": "other",
            "additional_details": {
                "digest": config.data.digest,
                "suite_version": config.data.suite_version,
                "split": config.data.split,
            },
        },
        "metric_config": {
            "evaluation_description": "Share of right replies to problems whose answers are "
            "known by construction",
            "metric_id": "accuracy",
            "metric_name": "Accuracy",
            "metric_kind": "accuracy",
            "metric_unit": "proportion",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
            "additional_details": {"chance": repr(part.chance), "problems": str(part.problems)},
        },
        "score_details": details,
        "generation_config": {
            "generation_args": {
                "temperature": config.temperature,
                "top_p": config.top_p,
                "max_tokens": config.max_tokens,
            },
            "additional_details": {
                "method": method_of(config),
                "rung": rung_of(config),
                "seed": str(config.seed),
                "prompting": json.dumps(_prompting(config), sort_keys=True),
            },
        },
    }


def _prompting(config: RunConfig) -> dict[str, Any]:
    prompting = config.prompting
    return {name: getattr(prompting, name) for name in prompting.__slots__}
