"""How much better a reply was than expected: advantages.

Conventions
-----------
* Rewards are ``[B]``; an advantage is ``[B]``, one number for all tokens of a reply, or
  ``[B, T]``. A reward that is NaN is in no statistic and its row's advantage is 0.
* A group alone (one reply to a prompt) tells nothing: its advantages are 0. verl takes the mean
  of such a group for 0 and its deviation for 1, so that the advantage is the reward.
* In a group whose rewards are all equal the advantages are 0 to the bit: what rounding leaves of
  a mean, divided by a deviation of nothing, would be a gradient.
* Nothing here has a gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from finetune.objectives.batch import RolloutBatch, masked_sum
from finetune.objectives.canon import canon
from finetune.objectives.regularizers import kl_estimate
from finetune.objectives.settings import Settings

WHITEN_EPS = 1e-8
"""Added to the variance (verl)."""


def advantages(settings: Settings, batch: RolloutBatch) -> Tensor:
    """The advantage of every token, ``[B, T]``, 0 where the mask is.

    Raises
    ------
    InputError
        The batch lacks what the advantage is made of.
    """
    known = ~torch.isnan(batch.rewards)
    mask = batch.mask * known[:, None]
    if settings.advantage in ("whitened_returns", "gae"):
        rewards = token_rewards(settings, batch)
        if settings.advantage == "gae":
            values = batch.need("values_old", "the advantage gae")
            raw = gae(rewards, values, mask, settings.gamma, settings.gae_lambda)
        else:
            raw = discounted_returns(rewards, mask, settings.gamma)
        return whiten(raw, mask, settings.whiten_unbiased)
    rewards = batch.rewards
    if settings.reward_kl_coef:
        rewards = rewards - settings.reward_kl_coef * masked_sum(_kl(settings, batch), batch.mask)
    rewards = torch.where(known, rewards, torch.zeros_like(rewards))
    if settings.advantage == "canon":
        row = canon(settings, batch, rewards, known)
    else:
        row = _of_rows(settings, rewards, batch.group, known, batch.lengths)
    spread = row[:, None] * mask
    if settings.advantage == "whitened_group_mean":
        return whiten(spread, mask, settings.whiten_unbiased)
    return spread


def token_rewards(settings: Settings, batch: RolloutBatch) -> Tensor:
    """The reward on each reply's last token, less the divergence on every one, ``[B, T]``."""
    rewards = torch.zeros_like(batch.logp_old)
    if settings.reward_kl_coef:
        kl = torch.where(batch.mask > 0, _kl(settings, batch), rewards)
        rewards = rewards - settings.reward_kl_coef * kl
    places = torch.arange(batch.mask.shape[1], device=batch.mask.device)
    last = torch.where(batch.mask > 0, places, -1).amax(1)
    known = (last >= 0) & ~torch.isnan(batch.rewards)
    ends = (places == last[:, None]) & known[:, None]
    return rewards + torch.where(ends, batch.rewards[:, None], torch.zeros_like(rewards))


def discounted_returns(rewards: Tensor, mask: Tensor, gamma: float) -> Tensor:
    """What is still to come from each token on, discounted by ``gamma`` a token, ``[B, T]``."""
    return gae(rewards, torch.zeros_like(rewards), mask, gamma, 1.0)


def gae(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalized advantage estimates, ``[B, T]`` (Schulman et al., arXiv:1506.02438, eq. 16).

    The value after the last token is 0; tokens under the mask are passed over.
    """
    out = torch.zeros_like(rewards)
    carried = torch.zeros_like(rewards[:, 0])
    value_after = torch.zeros_like(carried)
    for place in range(rewards.shape[1] - 1, -1, -1):
        there = mask[:, place] > 0
        value = values[:, place]
        delta = rewards[:, place] + gamma * value_after - value
        estimate = delta + gamma * lam * carried
        carried = torch.where(there, estimate, carried)
        value_after = torch.where(there, value, value_after)
        out[:, place] = torch.where(there, estimate, torch.zeros_like(estimate))
    return out


def whiten(values: Tensor, mask: Tensor, unbiased: bool) -> Tensor:
    """Values of mean 0 and variance 1 over all tokens that the mask leaves, ``[B, T]``."""
    count = mask.sum()
    kept = torch.where(mask > 0, values, torch.zeros_like(values))
    mean = kept.sum() / count.clamp(min=1)
    off = torch.where(mask > 0, values - mean, torch.zeros_like(values))
    freedom = count - 1 if unbiased else count
    variance = (off**2).sum() / freedom.clamp(min=1)
    return off / torch.sqrt(variance + WHITEN_EPS)


def group_statistics(
    rewards: Tensor, group: Tensor, known: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row's group: members with a reward, their mean, their sum of squares about it.

    All ``[B]``.
    """
    _, of = torch.unique(group, return_inverse=True)
    there = known.to(rewards.dtype)

    def total(values: Tensor) -> Tensor:
        sums = torch.zeros(int(of.max()) + 1, dtype=rewards.dtype, device=rewards.device)
        return sums.index_add(0, of, values * there)[of]

    count = total(there)
    mean = total(rewards) / count.clamp(min=1)
    return count, mean, total((rewards - mean) ** 2)


def all_equal(rewards: Tensor, group: Tensor, known: Tensor) -> Tensor:
    """Whether the known rewards of each row's group are one and the same, ``[B]``."""
    _, of = torch.unique(group, return_inverse=True)
    ends = []
    for reduce, start in (("amin", torch.inf), ("amax", -torch.inf)):
        found = torch.full((int(of.max()) + 1,), start, dtype=rewards.dtype, device=rewards.device)
        ends.append(found.scatter_reduce(0, of[known], rewards[known], reduce)[of])
    return ends[0] >= ends[1]


def _of_rows(
    settings: Settings, rewards: Tensor, group: Tensor, known: Tensor, lengths: Tensor
) -> Tensor:
    count, mean, squares = group_statistics(rewards, group, known)
    differs = known & ~all_equal(rewards, group, known)
    centred = torch.where(differs, rewards - mean, torch.zeros_like(rewards))
    match settings.advantage:
        case "reward":
            # REINFORCE (Williams 1992), without a baseline.
            return torch.where(known, rewards, torch.zeros_like(rewards))
        case "group_mean" | "whitened_group_mean":
            # Dr. GRPO (Liu et al., arXiv:2503.20783); REINFORCE++-baseline whitens it.
            return centred
        case "group_norm":
            # GRPO (Shao et al., arXiv:2402.03300, section 4.1.2).
            freedom = (count - settings.std_ddof).clamp(min=1)
            return centred / (torch.sqrt(squares / freedom) + settings.std_eps)
        case "batch_norm":
            # LitePPO (arXiv:2508.08221): the mean of the group, the deviation of the batch.
            raw = rewards[known]
            deviation = raw.std(correction=settings.std_ddof) if len(raw) > 1 else raw.sum() * 0
            return centred / (deviation + settings.std_eps)
        case "leave_one_out":
            # RLOO (Ahmadian et al., arXiv:2402.14740): against the mean of the others.
            return centred * count / (count - 1).clamp(min=1)
        case "length_weighted":
            # OPO (arXiv:2505.23585): the baseline of least variance, lengths for the weights.
            weights = torch.where(known, lengths, torch.zeros_like(lengths))
            n, weight, _ = group_statistics(weights, group, known)
            _, product, _ = group_statistics(weights * rewards, group, known)
            baseline = product * n / (weight * n).clamp(min=1)
            return torch.where(differs, rewards - baseline, torch.zeros_like(rewards))
        case "nonzero_scaled":
            # GPG (arXiv:2504.02546) as in verl: scaled up for the rows without a reward.
            return centred * known.sum() / ((rewards != 0) & known).sum().clamp(min=1)
        case "pass_at_k":
            return _best_over_second(rewards, group, known)
        case other:  # pragma: no cover
            raise AssertionError(other)


def _best_over_second(rewards: Tensor, group: Tensor, known: Tensor) -> Tensor:
    """The best reply of a group gets what it has over the second best (pass@k training)."""
    out = torch.zeros_like(rewards)
    for name in torch.unique(group):
        members = torch.nonzero((group == name) & known).flatten()
        if len(members) > 1:
            best, second = torch.topk(rewards[members], 2).values
            out[members[rewards[members].argmax()]] = best - second
    return out


def _kl(settings: Settings, batch: RolloutBatch) -> Tensor:
    reference = batch.need("logp_ref", "a divergence in the reward")
    return kl_estimate(settings.reward_kl, batch.logp_old, reference)
