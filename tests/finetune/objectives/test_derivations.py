"""Objectives of which no golden number is known, against numpy written from the papers alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from finetune.objectives import RolloutBatch, compute

MakeBatch = Callable[..., RolloutBatch]
Array = NDArray[np.float64]


class Rows:
    """The fixture as lists of arrays: one array a reply, nothing padded."""

    def __init__(self, batch: RolloutBatch) -> None:
        lengths = [int(n) for n in batch.lengths]

        def cut(matrix: torch.Tensor | None) -> list[Array]:
            assert matrix is not None
            return [row[:n].detach().numpy() for row, n in zip(matrix, lengths, strict=True)]

        self.new, self.old = cut(batch.logp_new), cut(batch.logp_old)
        self.values, self.values_old = cut(batch.values_new), cut(batch.values_old)
        self.rewards = [float(r) for r in batch.rewards]
        self.tokens = sum(lengths)


def clipped(rows: Rows, advantages: list[Array], low: float = 0.2, high: float = 0.2) -> float:
    """The mean over tokens of minus min(r A, clip(r) A)."""
    total = 0.0
    for new, old, advantage in zip(rows.new, rows.old, advantages, strict=True):
        for a, x, y in zip(advantage, new, old, strict=True):
            ratio = np.exp(x - y)
            total -= min(ratio * a, min(max(ratio, 1 - low), 1 + high) * a)
    return total / rows.tokens


def spread(rows: Rows, advantages: list[float]) -> list[Array]:
    return [np.full(len(new), a) for new, a in zip(rows.new, advantages, strict=True)]


def test_ppo(make_batch: MakeBatch) -> None:
    batch = make_batch()
    rows = Rows(batch)
    gamma, lam = 0.99, 0.9
    raw, returns = [], []
    for values, reward in zip(rows.values_old, rows.rewards, strict=True):
        n = len(values)
        deltas = [
            (reward if t == n - 1 else 0.0)
            + gamma * (values[t + 1] if t < n - 1 else 0.0)
            - values[t]
            for t in range(n)
        ]
        raw.append(
            np.array([sum((gamma * lam) ** k * deltas[t + k] for k in range(n - t))
                      for t in range(n)])
        )  # fmt: skip
        returns.append(np.array([gamma ** (n - 1 - t) * reward for t in range(n)]))
    flat = np.concatenate(raw)
    white = [(a - flat.mean()) / np.sqrt(flat.var(ddof=1) + 1e-8) for a in raw]
    policy = clipped(rows, white)
    critic = 0.0
    for values, before, goal in zip(rows.values, rows.values_old, returns, strict=True):
        held = np.clip(values, before - 0.2, before + 0.2)
        critic += float(np.sum(np.maximum((values - goal) ** 2, (held - goal) ** 2))) / 2
    critic /= rows.tokens
    found = compute("ppo", batch, gamma=gamma, gae_lambda=lam)
    assert found.metrics["policy_loss"] == pytest.approx(policy, abs=1e-9)
    assert found.metrics["value_loss"] == pytest.approx(critic, abs=1e-9)
    assert found.metrics["loss"] == pytest.approx(policy + 0.5 * critic, abs=1e-9)


def test_reinforce(make_batch: MakeBatch) -> None:
    batch = make_batch()
    rows = Rows(batch)
    sums = [r * float(new.sum()) for r, new in zip(rows.rewards, rows.new, strict=True)]
    assert compute("reinforce", batch).metrics["loss"] == pytest.approx(-np.mean(sums), abs=1e-9)


def test_lite_ppo(make_batch: MakeBatch) -> None:
    batch = make_batch()
    rows = Rows(batch)
    rewards = np.array(rows.rewards)
    scaled = (rewards - rewards.mean()) / (rewards.std(ddof=1) + 1e-4)
    expected = clipped(rows, spread(rows, list(scaled)))
    assert compute("lite_ppo", batch).metrics["loss"] == pytest.approx(expected, abs=1e-9)


def test_opo(make_batch: MakeBatch) -> None:
    batch = make_batch()
    rows = Rows(batch)
    lengths = np.array([len(new) for new in rows.new])
    baseline = float((lengths * rows.rewards).sum() / lengths.sum())
    expected = clipped(rows, spread(rows, [r - baseline for r in rows.rewards]))
    assert compute("opo", batch).metrics["loss"] == pytest.approx(expected, abs=1e-9)


def test_clip_cov_and_kl_cov_pick_one_token_of_few(make_batch: MakeBatch) -> None:
    batch = make_batch()
    rows = Rows(batch)
    rewards = np.array(rows.rewards)
    scaled = (rewards - rewards.mean()) / (rewards.std(ddof=1) + 1e-6)
    advantages = np.concatenate(spread(rows, list(scaled)))
    new, old = np.concatenate(rows.new), np.concatenate(rows.old)
    covariance = (advantages - advantages.mean()) * (new - new.mean())
    tokens = -advantages * np.exp(new - old)
    tokens[covariance.argmax()] += abs(new - old)[covariance.argmax()]
    # 2e-4 of twelve tokens is none, and one is the least.
    assert compute("kl_cov", batch).metrics["loss"] == pytest.approx(tokens.mean(), abs=1e-9)
    # One token alone has a covariance above 1, and neither is it clipped.
    inside = (covariance > 1) & (covariance < 5)
    assert inside.sum() == 1
    place = int(inside.argmax())
    whole = clipped(rows, spread(rows, list(scaled)))
    lost = -advantages[place] * np.exp(new[place] - old[place]) / len(new)
    assert compute("clip_cov", batch).metrics["loss"] == pytest.approx(whole - lost, abs=1e-9)
