"""Pictures are blackened patch by patch, by draws that follow from the reply and the step alone."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from finetune.blackened import blacken, blackened
from finetune.trajectory import Trajectory


def picture(shade: int, size: tuple[int, int] = (30, 44)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(out, "PNG")
    return out.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


SHOWN = Trajectory((1, 2), (3,), pictures=(picture(200), picture(90)))


def made(seed: int = 7, step: int = 1, chance: float = 0.5) -> list[np.ndarray]:
    return [pixels(one) for one in blackened(SHOWN, seed, step, patch=14, chance=chance)]


def test_golden_patches() -> None:
    draws = [0.1, 0.9, 0.4, 0.6, 0.2, 0.8, 0.3, 0.7, 0.55]
    left = blacken(np.ones((30, 30)), draws, 14, 0.5)
    assert int(left.sum()) == 452
    assert [int(left[y].sum()) for y in (0, 14, 28)] == [14, 16, 16]


def test_a_picture_keeps_its_size_and_what_is_not_black() -> None:
    for shade, found in zip((200, 90), made(), strict=True):
        assert found.shape == (44, 30, 3)
        assert set(np.unique(found)) == {0, shade}
        for top in range(0, 44, 14):
            for left in range(0, 30, 14):
                assert len(np.unique(found[top : top + 14, left : left + 14])) == 1


def test_every_reply_step_and_picture_has_draws_of_its_own_whatever_else_was_drawn() -> None:
    first = made()
    np.random.seed(3)
    again = made()
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    black = [(one == 0).tobytes() for one in (*first, *made(seed=8), *made(step=2))]
    assert len(set(black)) == 6


def test_a_transparent_picture_is_blackened_from_the_white_that_the_model_sees() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(out, "PNG")
    clear = Trajectory((1,), (2,), pictures=(out.getvalue(),))
    (found,) = blackened(clear, 1, 1, patch=14, chance=0.0)
    assert int(pixels(found).min()) == 255


def test_none_and_all_are_blackened() -> None:
    assert [int(one.min()) for one in made(chance=0.0)] == [200, 90]
    assert [int(one.max()) for one in made(chance=1.0)] == [0, 0]
