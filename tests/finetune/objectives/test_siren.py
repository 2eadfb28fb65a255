"""SIREN: its golden numbers, what holds of any numbers, and what the released code got wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from benchgen.errors import InputError
from finetune.objectives import RolloutBatch, State, compute, loss, needs_old, prepare, resolve
from finetune.objectives.siren import (
    Nucleus,
    nucleus_entropy,
    nucleus_of,
    peak_bounds,
    peak_entropy,
    peaks,
)
from tests.finetune.objectives.exact import close, numbers

MakeBatch = Callable[..., RolloutBatch]

A = [0.5, 0.25, 0.15, 0.07, 0.03]
B = [0.3, 0.25, 0.2, 0.15, 0.1]
C = [0.85, 0.1, 0.03, 0.01, 0.01]
D = [0.45, 0.3, 0.15, 0.06, 0.04]
E = [0.24, 0.22, 0.2, 0.18, 0.16]

CURRENT = [[0.2, 1.1, 0.05, 0.7], [0.9, 0.3, 0.6, 0], [0.5, 0.4, 0, 0], [0.0, 0.8, 0.8, 0]]
INITIAL = [[0.4, 1.0, 0.1, 0.9], [0.7, 0.35, 0.95, 0], [0.6, 0.3, 0, 0], [0.2, 0.75, 0.5, 0]]
PEAKS = [[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
INITIAL_PEAKS = [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
RELEASED = Nucleus(0.8)
SIREN = {"max_length": 4, "anchor": 0.825}


@pytest.mark.parametrize(
    ("probabilities", "entropy", "gradient", "with_boundary", "whole"),
    [
        (A, 0.636514, [-0.154033, 0.154033, 0, 0, 0], 0.980990, 1.269060),
        (B, 1.085189, [-0.067559, 0.004475, 0.063085, 0, 0], 1.354885, 1.544480),
        (C, 0.0, [0, 0, 0, 0, 0], 0.0, 0.565700),
        (D, 0.673012, [-0.097312, 0.097312, 0, 0, 0], 1.011404, 1.302648),
        (E, 1.095854, [-0.030637, 0.000920, 0.029718, 0, 0], 1.380608, 1.599380),
    ],
)
def test_entropies_of_nuclei(
    probabilities: list[float],
    entropy: float,
    gradient: list[float],
    with_boundary: float,
    whole: float,
) -> None:
    scores = numbers([probabilities]).log().requires_grad_()
    found = nucleus_entropy(scores, RELEASED)
    close(found, [entropy])
    found.sum().backward()
    assert scores.grad is not None
    close(scores.grad[0], gradient)
    close(nucleus_entropy(scores, Nucleus(0.8, boundary=True)), [with_boundary])
    close(nucleus_entropy(scores, Nucleus(1.0, boundary=True)), [whole])


def test_entropies_of_logits_from_end_to_end() -> None:
    rows = [[A, B, C], [D, C], [B, A, D, C], [C]]
    logits = torch.zeros(4, 4, 5).double()
    mask = torch.zeros(4, 4).double()
    for row, places in enumerate(rows):
        logits[row, : len(places)] = numbers(places).log()
        mask[row, : len(places)] = 1
    logits.requires_grad_()
    entropy = nucleus_entropy(logits.view(-1, 5), RELEASED).view(4, 4)
    close(peaks(entropy, mask, 0.8)[:, :3].double(), [[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]])
    nothing = torch.zeros_like(mask)
    batch = RolloutBatch(
        nothing, nothing, mask, torch.zeros(4).double(), torch.arange(4), nucleus_entropy=entropy
    )
    found = compute("siren", batch, max_length=4, anchor=0.9)
    assert found.metrics["peak_entropy"] == pytest.approx(0.710847, abs=1e-6)
    close(found.loss, 0.000179)
    found.loss.backward()
    assert logits.grad is not None
    close(1e6 * logits.grad[0, 1], [31.947503, -2.115938, -29.831565, 0, 0])
    close(1e6 * logits.grad[1, 0], [46.016911, -46.016911, 0, 0, 0])


def test_peaks_anchor_and_loss(make_batch: MakeBatch) -> None:
    entropy = numbers(CURRENT).requires_grad_()
    batch = make_batch(nucleus_entropy=entropy)
    settings = resolve("siren", **SIREN)
    close(peak_bounds(entropy, batch.mask, 0.8), [0.86, 0.78, 0.48, 0.8])
    close(peak_bounds(numbers(INITIAL), batch.mask, 0.8), [0.94, 0.85, 0.54, 0.65])
    close(peaks(entropy, batch.mask, 0.8), PEAKS)
    close(peaks(numbers(INITIAL), batch.mask, 0.8), INITIAL_PEAKS)
    close(peak_entropy(settings, entropy, batch.mask), [1.1, 0.9, 0.5, 0.0])
    close(peak_entropy(settings, numbers(INITIAL), batch.mask), [1.0, 0.95, 0.6, 0.75])
    found = compute("siren", batch, **SIREN)
    assert found.metrics["policy_loss"] == pytest.approx(0.009339, abs=1e-6)
    assert found.metrics["anchor_penalty"] == pytest.approx(0.04, abs=1e-9)
    assert found.metrics["peak_entropy"] == pytest.approx(0.625)
    close(found.loss, 0.009539)
    found.loss.backward()
    close(entropy.grad, [[-0.0005 * value for value in row] for row in PEAKS], 1e-9)
    by_length = compute("siren", batch, max_length=8, anchor=0.825)
    assert by_length.metrics["policy_loss"] == pytest.approx(0.004670, abs=1e-6)
    close(by_length.loss, 0.004870)


def test_without_an_anchor_the_entropy_of_peaks_is_a_bonus(make_batch: MakeBatch) -> None:
    # The paper's ablation, and its gradient: up everywhere, however high the entropy is.
    entropy = numbers(CURRENT).requires_grad_()
    batch = make_batch(nucleus_entropy=entropy)
    found = compute("siren", batch, max_length=4, anchor_square="none")
    assert found.metrics["policy_loss"] == pytest.approx(0.009339, abs=1e-6)
    close(found.loss, 0.009339 - 0.003125)
    (whole,) = torch.autograd.grad(found.loss, entropy)
    close(whole, [[-0.005 / 4 * value for value in row] for row in PEAKS])
    plan = prepare("siren", batch, max_length=4, anchor_square="none")
    for rows in torch.tensor([[0, 3], [1, 2]]):
        loss(plan.rows(rows), batch.rows(rows), plan.totals).loss.backward()
    torch.testing.assert_close(entropy.grad, whole)


def test_the_anchor_is_the_first_batch_s_and_then_the_state_s(make_batch: MakeBatch) -> None:
    first = prepare("siren", make_batch(nucleus_entropy=numbers(INITIAL)), max_length=4)
    assert first.anchored is not None
    assert first.metrics["anchor"] == first.anchored.anchor == pytest.approx(0.825)
    assert first.anchored.mean == first.anchored.anchor
    # What a checkpoint keeps; the released code keeps none, and stops where a run goes on.
    state = State(step=2, anchor=first.metrics["anchor"])
    batch = make_batch(nucleus_entropy=numbers(CURRENT))
    close(compute("siren", batch, state, max_length=4).loss, 0.009539)


def test_the_first_release_also_took_what_reaches_the_quantile(make_batch: MakeBatch) -> None:
    mask = make_batch().mask
    assert peaks(numbers(CURRENT), mask, 0.8, strict=False)[1].tolist() == [1, 0, 0, 0]
    # Its padding, too, where the quantile is 0; ours is no peak.
    none = peaks(torch.zeros(4, 4), mask, 0.8, strict=False)
    assert torch.equal(none, mask > 0)
    assert not bool(peaks(torch.zeros(4, 4), mask, 0.8).any())


def test_a_square_of_each_micro_batch_pulls_each_of_them(make_batch: MakeBatch) -> None:
    batch = make_batch(nucleus_entropy=numbers(CURRENT))
    parts = [torch.tensor([0, 1]), torch.tensor([2, 3])]

    def summed(**settings: Any) -> float:
        plan = prepare("siren", batch, **SIREN, **settings)
        found = [loss(plan.rows(rows), batch.rows(rows), plan.totals) for rows in parts]
        return sum(part.metrics["anchor_penalty"] for part in found)

    assert summed(anchor_square="micro") == pytest.approx(0.180625)
    assert summed() == pytest.approx(0.04)


def test_micro_batches_do_not_change_the_gradient_of_the_square(make_batch: MakeBatch) -> None:
    entropy = numbers(CURRENT).requires_grad_()
    batch = make_batch(nucleus_entropy=entropy)
    (whole,) = torch.autograd.grad(compute("siren", batch, **SIREN).loss, entropy)
    plan = prepare("siren", batch, **SIREN)
    for parts in ([[0], [1], [2], [3]], [[3, 0], [1, 2]]):
        entropy.grad = None
        for rows in map(torch.tensor, parts):
            loss(plan.rows(rows), batch.rows(rows), plan.totals).loss.backward()
        torch.testing.assert_close(entropy.grad, whole)


def test_rows_that_are_masked_out_have_no_part_in_the_entropy(make_batch: MakeBatch) -> None:
    entropy = numbers(CURRENT)
    cut = torch.tensor([False, False, True, False])
    batch = make_batch(nucleus_entropy=entropy, truncated=cut)
    found = compute("siren", batch, **SIREN, mask_truncated=True)
    assert found.metrics["peak_entropy"] == pytest.approx((1.1 + 0.9 + 0.0) / 3)
    off = (1.1 + 0.9) / 3 - 0.825
    assert found.metrics["anchor_penalty"] == pytest.approx(off**2)


def test_a_bonus_for_all_entropies(make_batch: MakeBatch) -> None:
    batch = make_batch(nucleus_entropy=numbers(CURRENT))
    bonus = compute("dapo", batch, entropy_coef=0.005)
    plain = compute("dapo", batch)
    close(bonus.loss - plain.loss, -0.002646)


@pytest.mark.parametrize("size", [600, 3000])
def test_flat_places_are_sorted_as_far_as_their_nucleus_reaches(size: int) -> None:
    # The released code takes the likeliest 10 000 at once, whatever they add up to.
    draw = torch.Generator().manual_seed(size)
    scores = 0.1 * torch.randn(3, size, generator=draw, dtype=torch.float64)
    probabilities = scores.softmax(-1)
    expected = []
    for row in probabilities:
        ordered = row.sort(descending=True).values
        inside = ordered[ordered.cumsum(0) < 0.8]
        share = inside / inside.sum()
        expected.append(float(-(share * share.log()).sum()))
    assert len(inside) > 0.7 * size > 400
    close(nucleus_entropy(scores, RELEASED), expected)
    # Beside places that are not flat, and with the same gradient as from all tokens at once.
    steep = torch.cat([scores, 8 * scores]).requires_grad_()
    found = nucleus_entropy(steep, RELEASED)
    close(found[:3].detach(), expected)
    (gradient,) = torch.autograd.grad(found.sum(), steep)
    (at_once,) = torch.autograd.grad(nucleus_entropy(steep, RELEASED, count=size).sum(), steep)
    torch.testing.assert_close(gradient, at_once)


PROBABILITIES = st.lists(st.floats(0.01, 1), min_size=2, max_size=12)


@given(PROBABILITIES, st.randoms(), st.floats(0.05, 1), st.booleans())
def test_laws_of_nuclei(values: list[float], random: Any, mass: float, boundary: bool) -> None:
    nucleus = Nucleus(mass, boundary)
    scores = numbers([values]).log()
    # Where a sum is the mass itself, rounding decides.
    sums = scores.softmax(-1).sort(descending=True).values.cumsum(-1)
    assume(float((sums - mass).abs().min()) > 1e-9)
    found = float(nucleus_entropy(scores, nucleus))
    assert -1e-12 <= found <= torch.log(torch.tensor(float(len(values)))) + 1e-9
    # The order of the vocabulary says nothing; a constant added says nothing.
    shuffled = random.sample(values, len(values))
    moved = numbers([shuffled]).log() + 3
    assert float(nucleus_entropy(moved, nucleus)) == pytest.approx(found, abs=1e-9)
    # With the whole vocabulary it is the entropy.
    share = numbers(values) / sum(values)
    whole = float(nucleus_entropy(scores, Nucleus(1.0, boundary=True)))
    assert whole == pytest.approx(float(-(share * share.log()).sum()), abs=1e-9)


def test_rows_twice_have_the_same_entropy_and_at_the_anchor_there_is_no_gradient(
    make_batch: MakeBatch,
) -> None:
    entropy = numbers(CURRENT).requires_grad_()
    batch = make_batch(nucleus_entropy=entropy)
    twice = batch.rows(torch.tensor([0, 1, 2, 3, 0, 1, 2, 3]))
    means = [prepare("siren", one, max_length=4).metrics["peak_entropy"] for one in (batch, twice)]
    assert means[0] == means[1]
    compute("siren", batch, max_length=4, anchor=0.625).loss.backward()
    assert entropy.grad is not None and float(entropy.grad.abs().max()) < 1e-12


def test_a_row_of_one_token_or_of_equal_ones_has_no_peak_and_counts() -> None:
    mask = numbers([[1, 0, 0], [1, 1, 1], [1, 1, 1], [0, 0, 0]])
    entropy = numbers([[0.7, 9, 9], [0.8, 0.8, 0.8], [0.0, 0.8, 0.8], [9, 9, 9]])
    settings = resolve("siren", **SIREN)
    assert peak_entropy(settings, entropy, mask).tolist() == [0.0] * 4


def test_what_it_needs_is_asked_for(make_batch: MakeBatch) -> None:
    assert needs_old(resolve("siren", **SIREN)) and nucleus_of(resolve("dapo")) is None
    assert nucleus_of(resolve("siren", nucleus_boundary=True, **SIREN)) == Nucleus(0.8, True)
    with pytest.raises(InputError, match="an anchor needs nucleus_entropy"):
        compute("siren", make_batch(), **SIREN)
    for wrong in ({"nucleus_mass": 0.0}, {"nucleus_mass": 1.1}, {"peak_quantile": -0.1}):
        with pytest.raises(InputError, match="nucleus_mass is above 0 and up to 1"):
            resolve("siren", **SIREN, **wrong)


def test_an_anchored_row_without_an_advantage_is_read_all_the_same(make_batch: MakeBatch) -> None:
    batch = make_batch(nucleus_entropy=numbers(CURRENT), rewards=torch.ones(4).double())
    plan = prepare("siren", dataclasses.replace(batch), **SIREN)
    assert not bool(plan.idle.any())
