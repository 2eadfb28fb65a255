"""Objectives by their public names, each a choice on the axes.

Sources: the papers named at each; where an implementation decides, its name. What a preset
does not say is ``Settings``' default: deviations with one degree of freedom less and 1e-6,
no dual clip, no divergence.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from benchgen.errors import InputError
from finetune.objectives.settings import Settings, override

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # Schulman et al., arXiv:1707.06347, the critic's advantage whitened over tokens (verl).
        "ppo": {"advantage": "gae", "value_coef": 0.5},
        # Williams 1992.
        "reinforce": {
            "advantage": "reward",
            "ratio": "none",
            "surrogate": "reinforce",
            "aggregation": "seq_mean_token_sum",
        },
        # Ahmadian et al., arXiv:2402.14740, with TRL's ratio of whole sequences.
        "rloo": {
            "advantage": "leave_one_out",
            "ratio": "sequence_product",
            "aggregation": "seq_mean_token_mean",
        },
        # Shao et al., arXiv:2402.03300.
        "grpo": {"aggregation": "seq_mean_token_mean"},
        # Liu et al., arXiv:2503.20783.
        "dr_grpo": {"advantage": "group_mean", "aggregation": "seq_mean_token_sum_norm"},
        # Yu et al., arXiv:2503.14476.
        "dapo": {"clip_high": 0.28},
        # Zheng et al., arXiv:2507.18071.
        "gspo": {
            "ratio": "sequence_geometric",
            "clip_low": 3e-4,
            "clip_high": 4e-4,
            "aggregation": "seq_mean_token_mean",
        },
        "gspo_token": {
            "ratio": "sequence_token",
            "clip_low": 3e-4,
            "clip_high": 4e-4,
            "aggregation": "seq_mean_token_mean",
        },
        # arXiv:2602.05261: GSPO, a sequence weighing as much as it is long.
        "luspo": {
            "ratio": "sequence_geometric",
            "clip_high": 0.28,
            "aggregation": "seq_mean_token_sum",
        },
        # MiniMax-M1, arXiv:2506.13585, with TRL's cap.
        "cispo": {"surrogate": "cispo"},
        # Zhao et al., arXiv:2507.20673.
        "gmpo": {"surrogate": "gmpo", "aggregation": "seq_mean_token_mean"},
        # Gao et al., arXiv:2511.20347.
        "sapo": {"surrogate": "sapo", "aggregation": "seq_mean_token_mean"},
        # As in TRL.
        "vespo": {"surrogate": "vespo", "ratio": "sequence_product"},
        # Richemond et al., arXiv:2405.19107, with a group's baseline (verl).
        "dro": {"surrogate": "dro"},
        # Liu et al., arXiv:2508.08221.
        "lite_ppo": {"advantage": "batch_norm", "std_eps": 1e-4},
        # Hu, arXiv:2501.03262.
        "reinforce_pp": {"advantage": "whitened_returns", "reward_kl_coef": 0.01},
        "reinforce_pp_baseline": {"advantage": "whitened_group_mean"},
        # Hao et al., arXiv:2505.23585.
        "opo": {"advantage": "length_weighted"},
        # Chu et al., arXiv:2504.02546, scaled as in verl.
        "gpg": {"advantage": "nonzero_scaled", "ratio": "none", "surrogate": "reinforce"},
        # Cui et al., arXiv:2505.22617.
        "clip_cov": {"selection": "clip_cov"},
        "kl_cov": {"selection": "kl_cov", "surrogate": "unclipped"},
        # Liu et al., arXiv:2505.12504; the drift's weight is that of LightRFT's divergence.
        "cpgd": {"surrogate": "cpgd", "drift_coef": 0.001},
        # Chen et al., arXiv:2509.23962, between halves by entropy.
        "canon": {
            "advantage": "canon",
            "clip_high": 0.28,
            "dual_clip": 3.0,
            "aggregation": "seq_mean_token_sum_norm",
        },
        # Zhan et al., arXiv:2510.02245, on Dr. GRPO.
        "exgrpo": {
            "advantage": "group_mean",
            "aggregation": "seq_mean_token_sum_norm",
            "replay_beta": 0.1,
        },
        # Huang et al., arXiv:2510.09285, on DAPO.
        "vppo": {
            "clip_high": 0.28,
            "dual_clip": 3.0,
            "visual_filter": 0.4,
            "visual_shaping": 0.9,
            "nll_coef": 0.06,
        },
        # Jiang et al., arXiv:2509.25133, on Dr. GRPO.
        "siren": {
            "advantage": "group_mean",
            "dual_clip": 3.0,
            "aggregation": "seq_mean_token_sum_norm",
            "anchor_coef": 0.005,
        },
        # Hu et al., arXiv:2509.26209: DIVER-MIX, of diversities as they are measured here, on GRPO
        # with the higher clip.
        "diver": {"clip_high": 0.28, "diversity": "mix"},
    }
)


def names() -> list[str]:
    """The presets, in the order of the alphabet."""
    return sorted(PRESETS)


def resolve(name: str, **overrides: Any) -> Settings:
    """The settings of a preset, some of them overridden.

    Raises
    ------
    InputError
        There is no such preset or field, or a choice is none of its axis.
    """
    if name not in PRESETS:
        raise InputError(f"unknown objective {name!r}; there are: {', '.join(names())}")
    # At once: some presets are whole only with an override.
    return override(Settings(), {**PRESETS[name], **overrides})
