"""The axes that an objective is made of, and every number on them.

An objective is a choice on each axis: advantage x ratio x surrogate x aggregation x
regularizers x token weights. A preset (``presets.py``) is one such choice by its public name;
anything can be overridden by the name of its field.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from benchgen.errors import InputError

CHOICES = {
    "advantage": (
        "reward",
        "group_mean",
        "group_norm",
        "batch_norm",
        "leave_one_out",
        "length_weighted",
        "nonzero_scaled",
        "pass_at_k",
        "whitened_returns",
        "whitened_group_mean",
        "gae",
        "canon",
    ),
    "canon_schedule": ("constant", "reward", "one_minus_reward", "cosine", "one_minus_cosine"),
    "canon_scaled": ("high", "low"),
    "ratio": ("none", "token", "sequence_geometric", "sequence_product", "sequence_token"),
    "surrogate": (
        "clip",
        "unclipped",
        "cispo",
        "sapo",
        "reinforce",
        "gmpo",
        "dppo_tv",
        "vespo",
        "dro",
        "cpgd",
    ),
    "aggregation": (
        "token_mean",
        "seq_mean_token_mean",
        "seq_mean_token_sum",
        "seq_mean_token_sum_norm",
        "token_sum",
    ),
    "kl": ("k1", "k2", "k3", "abs"),
    "reward_kl": ("k1", "k2", "k3", "abs"),
    "correction": (
        "none",
        "truncate",
        "mask",
        "sequence_truncate",
        "sequence_mask",
        "geometric_truncate",
        "geometric_mask",
    ),
    "selection": ("none", "clip_cov", "kl_cov"),
}

OF_RATIOS = ("clip", "unclipped", "cispo", "sapo", "vespo")


@dataclass(frozen=True, slots=True)
class Settings:
    """An objective, resolved.

    Advantage: ``std_eps`` is added to a standard deviation of ``std_ddof`` degrees of freedom
    less (DeepSeek's paper says neither; verl 1 and 1e-6, TRL 1 and 1e-4, nano-aha-moment 0 and
    1e-4). ``whiten_unbiased``: whitening by the unbiased variance (verl) or the population's
    (OpenRLHF). ``gamma`` and ``gae_lambda`` discount.
    ``reward_kl_coef`` times the estimator ``reward_kl`` of ``logp_old`` against ``logp_ref`` is
    taken off the rewards, token by token where the advantage is, else in sum.

    CANON (``canon.py``) cuts groups in halves by ``canon_metric``: ``entropy``, ``length`` or a
    score of the batch. ``canon_mu`` is the share of the comparison between halves, by
    ``canon_schedule`` and ``canon_cosine`` (most, least, steps, warm-up, cycles). ``canon_alpha``
    scales the half ``canon_scaled``: the long one in the paper, the one of low entropy as released.
    ``canon_alone`` gives a reply without others its reward for its advantage, as released.

    Ratio and surrogate: the ratio is held to ``1 - clip_low .. 1 + clip_high``; ``dual_clip`` is
    the most that it may be where the advantage is negative (3 in verl, none in TRL). The other
    numbers belong to the surrogates whose name they bear.

    Aggregation: ``max_length`` divides in ``seq_mean_token_sum_norm`` (the longest reply that may
    be sampled, never the width of a tensor).

    Regularizers in the loss: ``kl_coef`` times ``kl`` of ``logp_new`` against ``logp_ref``,
    times the token ratio if ``kl_ratio`` (TRL's correction of its bias); ``entropy_coef`` times
    ``nucleus_entropy`` is taken off; ``drift_coef`` times k3 of ``logp_new`` against ``logp_old``.
    ``value_coef`` times the critic's loss, clipped at ``value_clip``.

    Token weights: ``correction`` of the difference between engine and trainer, held to
    ``correction_low .. correction_high``; ``off_policy_delta`` drops a row of negative advantage
    that the policy has left by more than this in the mean (DeepSeek-V3.2); ``mask_truncated``
    leaves cut replies out of the loss and, unless ``count_truncated``, of its normalizer.
    ``selection`` picks a share ``select_share`` of the tokens by covariance, of ``clip_cov`` those
    between ``cov_low`` and ``cov_high``; ``cov_coef`` weighs ``kl_cov``'s penalty.
    """

    advantage: str = "group_norm"
    std_eps: float = 1e-6
    std_ddof: int = 1
    whiten_unbiased: bool = True
    gamma: float = 1.0
    gae_lambda: float = 0.95
    reward_kl: str = "k1"
    reward_kl_coef: float = 0.0
    canon_metric: str = "entropy"
    canon_mu: float = 1.0
    canon_schedule: str = "constant"
    canon_cosine: tuple[float, float, float, float, float] = (0.6, 0.0, 150.0, 30.0, 3.0)
    canon_alpha: float = 1.0
    canon_scaled: str = "high"
    canon_alone: bool = False

    ratio: str = "token"
    surrogate: str = "clip"
    clip_low: float = 0.2
    clip_high: float = 0.2
    dual_clip: float | None = None
    cispo_low: float | None = None
    cispo_high: float = 5.0
    sapo_tau_positive: float = 1.0
    sapo_tau_negative: float = 1.05
    gmpo_clip: float = 0.4
    dppo_low: float = 0.15
    dppo_high: float = 0.15
    dppo_cap: float = 20.0
    vespo_positive: tuple[float, float] = (2.0, 3.0)
    vespo_negative: tuple[float, float] = (3.0, 2.0)
    dro_beta: float = 0.1

    aggregation: str = "token_mean"
    max_length: int | None = None

    kl: str = "k3"
    kl_coef: float = 0.0
    kl_ratio: bool = False
    entropy_coef: float = 0.0
    drift_coef: float = 0.0
    value_coef: float = 0.0
    value_clip: float = 0.2

    correction: str = "none"
    correction_low: float = 0.0
    correction_high: float = 2.0
    off_policy_delta: float | None = None
    mask_truncated: bool = False
    count_truncated: bool = False
    selection: str = "none"
    select_share: float = 2e-4
    cov_low: float = 1.0
    cov_high: float = 5.0
    cov_coef: float = 1.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check_kind(field.name, getattr(self, field.name), field.default)
        for axis, choices in CHOICES.items():
            chosen = getattr(self, axis)
            if chosen not in choices:
                raise InputError(f"{axis} is {', '.join(choices)}, not {chosen!r}")
        if self.ratio == "none" and self.surrogate in OF_RATIOS:
            raise InputError(f"the surrogate {self.surrogate} is one of a ratio, which is none")
        if self.aggregation == "seq_mean_token_sum_norm" and not self.max_length:
            raise InputError("seq_mean_token_sum_norm needs max_length: the longest reply")
        _, _, steps, warmup, cycles = self.canon_cosine
        if not (0 < warmup < steps and cycles > 0):
            raise InputError("canon_cosine is most, least, steps, a shorter warm-up, and cycles")

    @property
    def regularized(self) -> bool:
        """Whether a row without advantage still has a gradient."""
        coefficients = (self.kl_coef, self.entropy_coef, self.drift_coef, self.value_coef)
        return any(coefficients) or self.selection == "kl_cov" or self.surrogate == "dro"


def _check_kind(name: str, value: Any, default: Any) -> None:
    """Whether a value is of the kind of a field's default.

    Raises
    ------
    InputError
        It is not.
    """
    numbers = isinstance(value, int | float) and not isinstance(value, bool)
    if default is None:
        good = value is None or (numbers and math.isfinite(value))
    elif isinstance(default, bool):
        good = isinstance(value, bool)
    elif isinstance(default, int | float):
        good = numbers and math.isfinite(value)
    elif isinstance(default, tuple):
        good = isinstance(value, tuple | list) and len(value) == len(default)
    else:
        good = isinstance(value, str)
    if not good:
        raise InputError(f"{name} is of the kind of {default!r}, not {value!r}")


def override(settings: Settings, changes: dict[str, Any]) -> Settings:
    """The settings with some fields changed.

    Raises
    ------
    InputError
        There is no field of a name, or no such choice on its axis.
    """
    known = [field.name for field in dataclasses.fields(Settings)]
    for name in changes:
        if name not in known:
            raise InputError(f"unknown override {name!r}; there are: {', '.join(known)}")
    return dataclasses.replace(settings, **changes)
