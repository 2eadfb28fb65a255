"""Pictures stand in the places of their parts."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from evaluators.engines.pictures import data_uri, on_white, with_pictures

PICTURE, WORDS = {"type": "image"}, {"type": "text", "text": "Which?"}


def named(encoded: bytes) -> dict[str, Any]:
    return {"type": "named", "name": encoded.decode()}


def test_pictures_fill_their_parts_in_order_over_several_messages() -> None:
    messages = [
        {"role": "system", "content": "Look."},
        {"role": "user", "content": [PICTURE, WORDS, PICTURE]},
        {"role": "assistant", "content": "The first."},
        {"role": "user", "content": (WORDS, PICTURE)},
    ]
    placed = with_pictures(messages, [b"a", b"b", b"c"], named)
    assert placed[1]["content"] == [named(b"a"), WORDS, named(b"b")]
    assert placed[3]["content"] == [WORDS, named(b"c")]
    assert (placed[0], placed[2]) == (messages[0], messages[2])
    assert messages[1]["content"][0] is PICTURE, "the caller's messages were changed"


@pytest.mark.parametrize(
    ("pictures", "why"),
    [([], "more image parts than pictures"), ([b"a", b"b"], "more pictures than image parts")],
)
def test_a_picture_too_few_or_too_many_is_not_passed_over(pictures: list[bytes], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        with_pictures([{"role": "user", "content": [PICTURE]}], pictures, named)


@pytest.mark.parametrize(
    ("kind", "mime"),
    [("PNG", "png"), ("JPEG", "jpeg"), ("GIF", "gif"), ("WEBP", "webp"), ("BMP", "bmp")],
)
def test_the_type_is_that_of_the_bytes(kind: str, mime: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, kind)
    head, _, encoded = data_uri(buffer.getvalue()).partition(",")
    assert head == f"data:image/{mime};base64"
    assert base64.b64decode(encoded) == buffer.getvalue()


@pytest.mark.parametrize("encoded", [b"", b"<svg/>", b"RIFF....WAVE"])
def test_what_is_no_picture_is_not_sent_under_a_wrong_type(encoded: bytes) -> None:
    with pytest.raises(ValueError, match="neither PNG"):
        data_uri(encoded)


def test_a_grey_of_sixteen_bits_is_not_read_as_white() -> None:
    buffer = io.BytesIO()
    grey = Image.new("I;16", (3, 1), 65535)
    grey.putpixel((0, 0), 0)
    grey.putpixel((1, 0), 100 * 257)
    grey.save(buffer, "PNG")
    read = on_white(buffer.getvalue())
    assert [read.getpixel((place, 0)) for place in range(3)] == [(n, n, n) for n in (0, 100, 255)]


def test_what_is_transparent_is_white_and_not_black() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(buffer, "PNG")
    assert on_white(buffer.getvalue()).getpixel((0, 0)) == (255, 255, 255)
