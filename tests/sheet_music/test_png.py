"""The PNG holds the picture, and any reader reads it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchgen.sheet_music.png import write_png


@given(st.integers(1, 40), st.integers(1, 40), st.binary(min_size=1, max_size=50))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back(height: int, width: int, ink: bytes) -> None:
    gray = np.resize(np.frombuffer(ink, np.uint8), (height, width))
    with Image.open(BytesIO(write_png(gray))) as image:
        assert image.mode == "L" and image.size == (width, height)
        assert (np.asarray(image) == gray).all()


def test_the_checksums_tell_a_damaged_picture() -> None:
    whole = write_png(np.zeros((8, 8), np.uint8))
    with Image.open(BytesIO(whole)) as image:
        image.verify()
    damaged = bytearray(whole)
    damaged[whole.index(b"IDAT") + 6] ^= 0xFF
    with Image.open(BytesIO(bytes(damaged))) as image, pytest.raises((OSError, SyntaxError)):
        image.verify()
