"""Drawing the next token of every row."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.engines.draw_tokens import draw_tokens

ROWS = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=12)
TEMPERATURES = st.sampled_from([0.0, 0.01, 0.5, 1.0, 3.0])
TOP_PS = st.sampled_from([1e-6, 0.1, 0.5, 0.9, 0.999, 1.0])
CHANCES = st.floats(0, 1, exclude_max=True)


def draw(row: list[float], temperature: float, top_p: float, chance: float) -> tuple[int, float]:
    return draw_all([row], [temperature], [top_p], [chance])[0]


def draw_all(
    rows: list[list[float]], temperatures: list[float], top_ps: list[float], chances: list[float]
) -> list[tuple[int, float]]:
    tokens, logprobs = draw_tokens(
        torch.tensor(rows),
        torch.tensor(temperatures),
        torch.tensor(top_ps),
        torch.tensor(chances, dtype=torch.float64),
    )
    return list(zip(tokens.tolist(), logprobs.tolist(), strict=True))


def distribution(row: list[float], temperature: float, top_p: float) -> list[float]:
    """What is drawn from, worked out one token at a time."""
    scaled = [score / temperature for score in row]
    weights = [math.exp(score - max(scaled)) for score in scaled]
    shares = [weight / math.fsum(weights) for weight in weights]
    kept: list[int] = []
    for token in sorted(range(len(row)), key=lambda token: (-shares[token], token)):
        if kept and math.fsum(shares[one] for one in kept) >= top_p:
            break
        kept.append(token)
    total = math.fsum(shares[token] for token in kept)
    return [shares[token] / total if token in kept else 0.0 for token in range(len(row))]


@settings(deadline=None)
@given(ROWS, TEMPERATURES, TOP_PS, CHANCES)
def test_a_log_probability_is_that_of_what_was_drawn_from(
    row: list[float], temperature: float, top_p: float, chance: float
) -> None:
    token, logprob = draw(row, temperature, top_p, chance)
    if temperature == 0:
        assert token == int(np.argmax(np.float32(row)))
        assert math.exp(logprob) == pytest.approx(distribution(row, 1.0, 1.0)[token], abs=1e-5)
    else:
        want = distribution(row, temperature, top_p)
        # Where the nucleus ends within rounding of top_p, either end is right.
        near = [distribution(row, temperature, top_p * bend) for bend in (1 - 1e-5, 1 + 1e-5)]
        assert any(math.exp(logprob) == pytest.approx(d[token], abs=1e-4) for d in (want, *near))


def test_tokens_come_as_often_as_their_probability_says() -> None:
    row, chances = [0.0, 2.0, -1.0, 1.0], [(n + 0.5) / 4000 for n in range(4000)]
    for temperature, top_p in ((1.0, 1.0), (2.0, 1.0), (1.0, 0.8), (0.7, 0.95)):
        drawn = draw_all([row] * 4000, [temperature] * 4000, [top_p] * 4000, chances)
        counts = np.bincount([token for token, _ in drawn], minlength=4) / 4000
        np.testing.assert_allclose(counts, distribution(row, temperature, top_p), atol=1e-3)


@settings(deadline=None)
@given(st.lists(st.tuples(TEMPERATURES, TOP_PS, CHANCES), min_size=2, max_size=6))
def test_a_row_is_drawn_as_if_it_were_alone(rules: list[tuple[float, float, float]]) -> None:
    rows = [[float((7 * n + 3 * place) % 11) for n in range(9)] for place in range(len(rules))]
    together = draw_all(rows, *map(list, zip(*rules, strict=True)))  # type: ignore[arg-type]
    alone = [draw(row, *rule) for row, rule in zip(rows, rules, strict=True)]
    assert [token for token, _ in together] == [token for token, _ in alone]
    assert [p for _, p in together] == pytest.approx([p for _, p in alone], abs=1e-6)


@pytest.mark.parametrize("chance", [0.0, 1 - 2**-53])
def test_what_has_no_probability_is_not_drawn_even_at_the_ends(chance: float) -> None:
    row = [-math.inf, 1.0, 5.0, 1.0, -math.inf]
    assert draw(row, 1.0, 1.0, chance)[0] == (1 if chance == 0 else 3)
    assert draw(row, 1.0, 0.5, chance) == (2, pytest.approx(0.0))


@pytest.mark.parametrize("top_p", [0.5, 1.0])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_no_numbers_are_told_and_spoil_no_row_beside(
    bad: float, top_p: float
) -> None:
    rows = [[bad] * 4, [0.0, 9.0, 0.0, 0.0]]
    (token, logprob), beside = draw_all(rows, [1.0] * 2, [top_p] * 2, [0.5] * 2)
    assert token in range(4) and math.isnan(logprob)
    assert beside == draw(rows[1], 1.0, top_p, 0.5)


def test_a_large_vocabulary_keeps_its_last_tokens() -> None:
    row = [0.0] * 200_000
    assert draw(row, 1.0, 1.0, 1 - 2**-53)[0] == 199_999
    assert draw(row, 1.0, 1.0, 0.5)[0] in range(99_990, 100_010)
