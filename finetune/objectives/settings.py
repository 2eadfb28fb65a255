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
    "diversity": ("none", "textual", "formula", "musical", "mix"),
    "replay_choice": ("entropy", "entropy_sum", "highest", "newest"),
    "visual_dependency": ("k3", "kl"),
    "visual_blind": ("keep", "filter"),
    "anchor_square": ("global", "micro", "none"),
    "diversity_groups": ("mixed", "all", "all_right"),
    "diversity_schedule": ("fading", "constant", "cut", "rising"),
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
        "token_sum_norm",
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

    DIVER (``diver.py``) adds ``diversity_coef`` times a ``diversity``, held to ``textual_cap``,
    ``formula_cap`` or ``musical_cap``, to the rewards of right replies, in the groups of
    ``diversity_groups``, and times a group's accuracy if ``diversity_by_accuracy``; it fades by
    ``diversity_schedule`` and ``diversity_steps``. ``diversity_released`` asks for the diversities
    as DIVER's code measures them.

    Ratio and surrogate: the ratio is held to ``1 - clip_low .. 1 + clip_high``; ``dual_clip`` is
    the most that it may be where the advantage is negative (3 in verl, none in TRL). The other
    numbers belong to the surrogates whose name they bear.

    Aggregation: ``max_length`` divides in ``seq_mean_token_sum_norm`` and ``token_sum_norm`` (the
    longest reply that may be sampled, never the width of a tensor).

    ExGRPO (``exgrpo.py``, ``finetune.replay``) bends the ratio of replayed rows by ``replay_beta``
    (None: nothing is replayed), and clips the others' only with ``replay_clipped`` once there are
    any. A share ``replay_share`` of a step's groups is replayed after a step with more than
    ``replay_start`` right; ``replay_sigma`` is the width of the density over counts,
    ``replay_choice`` which reply, of ``replay_candidates`` at most, it is, and ``replay_stale``
    leaves a question none of whose replies were right the count that it had.

    VPPO (``vppo.py``) keeps the share ``visual_filter`` of a reply's tokens and shapes its
    advantage from ``visual_shaping`` up to ``visual_most`` (None: no filter, no shaping, no bound),
    by ``visual_dependency`` on pictures of which patches of ``visual_patch`` pixels are black with
    probability ``visual_chance``. ``visual_blind`` says what becomes of rows without a picture,
    ``visual_device_rows`` and ``visual_micro_rows`` take the shaping's statistics apart, as
    released.

    Regularizers in the loss: ``kl_coef`` times ``kl`` of ``logp_new`` against ``logp_ref``,
    times the token ratio if ``kl_ratio`` (TRL's correction of its bias); ``entropy_coef`` times
    ``nucleus_entropy`` is taken off; ``drift_coef`` times k3 of ``logp_new`` against ``logp_old``.
    ``nll_coef`` times the negative of ``logp_new`` is added; ``value_coef`` times the critic's
    loss, clipped at ``value_clip``. SIREN (``siren.py``): ``anchor_coef`` times the square of how
    far the entropy of the rows' peaks, above ``peak_quantile`` of each (or at it, unless
    ``peak_strict``), has gone from ``anchor`` (None: that of the first step), the square
    ``anchor_square`` of the batch or of a micro-batch; with ``none`` the entropy itself is taken
    off, times ``anchor_coef``, without an anchor. Those entropies are of the likeliest tokens of
    ``nucleus_mass``, with ``nucleus_boundary`` the one that crosses it, too.

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
    diversity: str = "none"
    diversity_coef: float = 0.1
    textual_cap: float = 0.91
    formula_cap: float = 0.42
    musical_cap: float = 0.42
    diversity_groups: str = "mixed"
    diversity_by_accuracy: bool = False
    diversity_schedule: str = "fading"
    diversity_steps: tuple[float, float] = (100.0, 50.0)
    diversity_released: bool = False

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
    nll_coef: float = 0.0
    value_coef: float = 0.0
    value_clip: float = 0.2
    anchor_coef: float = 0.0
    anchor: float | None = None
    anchor_square: str = "global"
    nucleus_mass: float = 0.8
    nucleus_boundary: bool = False
    peak_quantile: float = 0.8
    peak_strict: bool = True

    replay_beta: float | None = None
    replay_clipped: bool = False
    replay_share: float = 0.5
    replay_start: float = 0.35
    replay_sigma: float = 1.0
    replay_choice: str = "entropy"
    replay_candidates: int = 4
    replay_stale: bool = False

    visual_filter: float | None = None
    visual_shaping: float | None = None
    visual_most: float | None = None
    visual_dependency: str = "k3"
    visual_patch: int = 14
    visual_chance: float = 0.5
    visual_blind: str = "keep"
    visual_device_rows: int | None = None
    visual_micro_rows: int | None = None

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
        if self.by_length and not self.max_length:
            raise InputError(f"{self.aggregation} needs max_length: the longest reply")
        if not (0 <= self.replay_share < 1 and self.replay_sigma > 0):
            raise InputError("replay_share is from 0 to below 1, replay_sigma above 0")
        if self.replay_candidates < 1 or (self.replay_beta is not None and self.replay_beta <= 0):
            raise InputError("replay_candidates is 1 or more, replay_beta above 0")
        _, _, steps, warmup, cycles = self.canon_cosine
        if not (0 < warmup < steps and cycles > 0):
            raise InputError("canon_cosine is most, least, steps, a shorter warm-up, and cycles")
        if not (0 < self.nucleus_mass <= 1 and 0 <= self.peak_quantile <= 1):
            raise InputError("nucleus_mass is above 0 and up to 1, peak_quantile from 0 to 1")
        for share in (self.visual_filter, self.visual_shaping):
            if share is not None and not 0 < share <= 1:
                raise InputError("visual_filter, visual_shaping are none, or above 0 and up to 1")
        row_wise = self.ratio in ("sequence_geometric", "sequence_product")
        through = self.surrogate in ("clip", "unclipped", "sapo") and row_wise
        if self.visual_filter is not None and (through or self.surrogate == "gmpo"):
            raise InputError("visual_filter picks tokens: it needs a ratio of tokens, not of rows")
        for rows in (self.visual_device_rows, self.visual_micro_rows):
            if rows is not None and (rows < 1 or rows != int(rows)):
                raise InputError("visual_device_rows and visual_micro_rows are 1 or more, or none")
        caps = (self.textual_cap, self.formula_cap, self.musical_cap, self.diversity_coef)
        if min(caps) < 0:
            raise InputError("diversity_coef and the caps of diversities are 0 or more")
        if self.anchor_coef and self.entropy_coef:
            raise InputError("entropy_coef and anchor_coef are of different entropies: one of them")
        if self.visual_patch < 1 or not 0 <= self.visual_chance <= 1:
            raise InputError("visual_patch is a pixel or more, visual_chance from 0 to 1")
        if self.diversity_steps[1] <= 0:
            raise InputError("diversity_steps: those before a bonus fades, those that it takes")

    @property
    def by_length(self) -> bool:
        """Whether the aggregation divides by ``max_length``."""
        return self.aggregation in ("seq_mean_token_sum_norm", "token_sum_norm")

    @property
    def regularized(self) -> bool:
        """Whether a row without advantage still has a gradient."""
        coefficients = (
            *(self.kl_coef, self.entropy_coef, self.drift_coef, self.value_coef),
            *(self.anchor_coef, self.nll_coef),
        )
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
