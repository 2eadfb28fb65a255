"""Pictures read back, and the prover tried on damage."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
import pytest
from PIL import Image
from proof_items import ITEMS, Item, row_of
from random_scores import random_score

from benchgen.sheet_music.engrave import engrave_svg, rasterise
from benchgen.sheet_music.proof.mutate import Mutation, mutations
from benchgen.sheet_music.proof.prove import Engraving, prove, prove_row
from benchgen.sheet_music.proof.raster import draw_with_resvg, raster_faults, read_ink
from benchgen.sheet_music.proof.scan import compare_with_score, read_picture
from benchgen.sheet_music.score import score_from_json

FEW = 5


def _draw(score: Mapping[str, Any]) -> str:
    return engrave_svg(score_from_json(score))


def _score(row: Mapping[str, Any]) -> Mapping[str, Any]:
    score: Mapping[str, Any] = json.loads(row["identity"])["score"]
    return score


def _with_picture(item: Item, right: int) -> tuple[dict[str, Any], str]:
    row = row_of(item, right)
    svg = _draw(_score(row))
    return row | {"image": {"bytes": rasterise(svg), "path": None}}, svg


def _mutants(items: Sequence[Item], seed: int) -> Iterator[Mutation]:
    """Damage to rows that show both, and in turn to rows of text and of a picture alone."""
    for number, item in enumerate(items):
        rng = random.Random(f"{seed} {item.name}")
        row, svg = _with_picture(item, number % 4)
        yield from mutations(row, svg, rng)
        yield from mutations(row | {("text", "image")[number % 2]: None}, None, rng)


def _caught(mutation: Mutation) -> bool:
    engraving = Engraving(lambda score: mutation.svg or _draw(score), rasterise)
    faults = prove_row(mutation.row, engraving)
    if mutation.svg is None:
        return bool(faults)
    return any(fault.startswith("picture:") for fault in faults)


@pytest.mark.parametrize("seed", range(40))
def test_a_random_score_is_not_read_from_its_picture(seed: int) -> None:
    score = random_score(random.Random(seed))
    assert compare_with_score(_draw(score), score) == []


@pytest.mark.parametrize("item", ITEMS[:: len(ITEMS) // 12], ids=lambda item: item.name)
def test_a_sound_picture_is_faulted(item: Item) -> None:
    row, _ = _with_picture(item, 1)
    assert prove(row) == []
    assert prove(row | {"text": None}) == []


def test_the_prover_misses_damage() -> None:
    """A sample of the long test below: every kind, on a few items."""
    chosen = ITEMS[:: -(-len(ITEMS) // FEW)]
    mutants = list(_mutants(chosen, seed=1))
    assert len(mutants) > 250
    assert [mutant.name for mutant in mutants if not _caught(mutant)] == []


@pytest.mark.slow
def test_the_prover_misses_one_of_many_mutants() -> None:
    kinds: Counter[str] = Counter()
    for mutant in _mutants(ITEMS[::2], seed=2):
        kinds[mutant.name] += 1
        assert _caught(mutant), (mutant.name, mutant.row["id"])
    assert kinds.total() >= 500
    assert {name.partition(":")[0] for name in kinds} == {
        "text", "identity", "truth", "key", "drawing",
    }  # fmt: skip


@pytest.mark.slow
def test_drawings_of_random_scores_hide_damage() -> None:
    """Rests, dots, flags, tuplets and ledger lines, which few items have."""
    kinds: Counter[str] = Counter()
    for seed in range(40):
        score = random_score(random.Random(seed))
        row = {
            "task": "chord_name", "options": ["C major", "D minor"], "answer": "C major",
            "text": None, "image": None, "identity": json.dumps({"score": score}),
        }  # fmt: skip
        for mutant in mutations(row, _draw(score), random.Random(seed)):
            if mutant.svg is not None:
                kinds[mutant.name] += 1
                assert compare_with_score(mutant.svg, score), (seed, mutant.name)
    assert kinds.total() >= 500
    assert len(kinds) == 31


def test_a_mutation_changes_nothing() -> None:
    item = ITEMS[0]
    row, svg = _with_picture(item, 0)
    for mutant in mutations(row, svg, random.Random(5)):
        assert mutant.row != row or (mutant.svg is not None and mutant.svg != svg)
    names = [mutant.name for mutant in mutations(row, svg, random.Random(5))]
    assert len(set(names)) == len(names)


def test_the_same_seed_makes_other_mutants() -> None:
    row, svg = _with_picture(ITEMS[3], 0)
    one, other = (list(mutations(row, svg, random.Random(9))) for _ in range(2))
    assert one == other


def test_bar_numbers_are_not_read() -> None:
    row = row_of(next(item for item in ITEMS if item.task == "scale_selection"))
    picture = read_picture(_draw(_score(row)))
    assert picture.bar_numbers == ("1", "2", "3", "4")
    assert picture.bars_in_systems == (2, 2)


def _png(ink: np.ndarray[Any, Any]) -> bytes:
    out = BytesIO()
    Image.fromarray(np.where(ink, 0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def test_another_picture_passes_for_the_stored_one() -> None:
    rows = [_with_picture(item, 0) for item in islice(ITEMS, 2)]
    (_, svg), (other, _) = rows
    assert raster_faults(other["image"]["bytes"], rasterise(svg), svg)


def test_a_single_mark_gets_lost_in_a_large_picture() -> None:
    _, svg = _with_picture(ITEMS[0], 0)
    png = rasterise(svg)
    ink = read_ink(png)
    assert raster_faults(png, png, svg) == []
    marked = ink.copy()
    marked[5:9, 5:9] = True
    assert any("16 pixels" in line for line in raster_faults(_png(marked), png, svg))
    grown = ink.copy()
    grown[:, 1:] |= ink[:, :-1]
    assert raster_faults(_png(grown), png, svg) == []


@pytest.mark.parametrize("stored", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_bytes_that_are_no_png_are_drawn(stored: bytes) -> None:
    _, svg = _with_picture(ITEMS[0], 0)
    (line,) = raster_faults(stored, rasterise(svg), svg)
    assert "not a PNG" in line


def test_a_blank_picture_agrees_with_everything() -> None:
    _, svg = _with_picture(ITEMS[0], 0)
    png = rasterise(svg)
    blank = np.zeros_like(read_ink(png))
    assert any("blank" in line for line in raster_faults(_png(blank), png, svg))


def test_the_second_rasteriser_draws_nothing() -> None:
    _, svg = _with_picture(ITEMS[0], 0)
    assert read_ink(draw_with_resvg(svg)).sum() > 1000


def test_a_truncated_drawing_is_read() -> None:
    _, svg = _with_picture(ITEMS[0], 0)
    score = _score(row_of(ITEMS[0]))
    assert compare_with_score(svg[:-20], score) != []
    assert compare_with_score("<svg/>", score) != []


@pytest.mark.parametrize("identity", [
    "", "[]", "{}", '{"task": "interval_name"}', '{"task": "interval_name", "score": 1}',
    '{"task": "interval_name", "score": {"bars_per_system": 0}}',
])  # fmt: skip
def test_an_identity_that_is_none_is_proved(identity: str) -> None:
    (fault,) = prove(row_of(ITEMS[0]) | {"identity": identity})
    assert fault.startswith("identity:")


def test_a_row_that_shows_nothing_is_proved() -> None:
    faults = prove(row_of(ITEMS[0]) | {"text": None})
    assert any("neither text nor picture" in fault for fault in faults)


def test_an_identity_of_another_class_is_proved() -> None:
    row = row_of(ITEMS[0])
    record = json.loads(row["identity"]) | {"task": "meter"}
    assert prove(row | {"identity": json.dumps(record)})
