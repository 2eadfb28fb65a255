"""Pictures in chat messages: each put in the place of its part.

Conventions
-----------
* A request's pictures are encoded bytes, in the order of the image parts of its messages.
* What is wrong with them is a ValueError of one line: the fault of one request.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from benchgen.problem import Message

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}


def with_pictures(
    messages: Sequence[Message],
    pictures: Sequence[bytes],
    part: Callable[[bytes], dict[str, Any]],
) -> list[Message]:
    """The messages, with ``part(picture)`` in the place of every image part.

    Raises
    ------
    ValueError
        There are more pictures than image parts, or fewer; or ``part`` raises it.
    """
    rest = list(reversed(pictures))
    placed: list[Message] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list | tuple):
            content = list(content)
            for place, piece in enumerate(content):
                if piece["type"] == "image":
                    if not rest:
                        raise ValueError("there are more image parts than pictures")
                    content[place] = part(rest.pop())
        placed.append({**message, "content": content})
    if rest:
        raise ValueError("there are more pictures than image parts")
    return placed


def on_white(encoded: bytes) -> Image.Image:
    """The picture in RGB, what is transparent on white.

    Raises
    ------
    OSError
        It is no picture that Pillow reads.
    """
    picture: Image.Image = Image.open(io.BytesIO(encoded))
    if picture.mode.startswith("I;16"):
        # Pillow would cut a grey of sixteen bits off at the white of eight.
        picture = picture.convert("I").point(lambda grey: grey * (1 / 257)).convert("L")
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def data_uri(encoded: bytes) -> str:
    """The picture as a ``data:`` URI, its type told by its first bytes.

    Raises
    ------
    ValueError
        The bytes begin like no picture that servers take.
    """
    if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP":
        kind = "image/webp"
    else:
        found = (kind for start, kind in SIGNATURES.items() if encoded.startswith(start))
        kind = next(found, "")
    if not kind:
        raise ValueError("a picture is neither PNG, JPEG, GIF, WebP nor BMP")
    return f"data:{kind};base64,{base64.b64encode(encoded).decode('ascii')}"
