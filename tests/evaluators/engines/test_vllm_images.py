"""Pictures reach a vision model, each in its place."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from benchgen.problem import Response
from evaluators.engine import Request, Sampling
from evaluators.engines.vllm import VllmEngine

pytestmark = pytest.mark.slow

PICTURE, WORDS = {"type": "image"}, {"type": "text", "text": "Which is it?"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from tiny_reader import write_tiny_reader
    finally:
        sys.path.pop(0)
    folder = tmp_path_factory.mktemp("models") / "tiny-reader"
    write_tiny_reader(folder)
    opened = VllmEngine(str(folder), window=4)
    yield opened
    opened.close()


def png(shade: int, mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (96, 48), shade).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def ask(name: str, *pictures: bytes, parts: tuple[dict[str, str], ...] | None = None) -> Request:
    content = list(parts or (*[PICTURE] * len(pictures), WORDS))
    sampling = Sampling(max_tokens=4, temperature=1.0, seed=1, logprobs=True)
    return Request(name, ({"role": "user", "content": content},), (), pictures, sampling)


def answer(engine: VllmEngine, *requests: Request) -> dict[str, Response]:
    return {response.id: response for response in engine.generate(requests)}


def first(response: Response) -> float:
    """A fingerprint of what the model saw."""
    assert response.error is None and response.logprobs is not None
    return response.logprobs[0]


def test_the_engine_says_that_it_takes_pictures(engine: VllmEngine) -> None:
    assert engine.describe()["images"] is True
    assert engine.name == "tiny-reader"


def test_what_the_picture_shows_reaches_the_model(engine: VllmEngine) -> None:
    one = answer(engine, ask("black", png(0)))["black"]
    again = answer(engine, ask("black", png(0)))["black"]
    other = answer(engine, ask("white", png(255)))["white"]
    assert one.prompt_token_ids == other.prompt_token_ids
    assert first(one) == pytest.approx(first(again), abs=1e-3)
    assert (one.token_ids, first(one)) != (other.token_ids, first(other))


def test_what_is_transparent_is_read_as_white_paper(engine: VllmEngine) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (96, 48), (0, 0, 0, 0)).save(buffer, "PNG")
    clear = answer(engine, ask("clear", buffer.getvalue()))["clear"]
    white = answer(engine, ask("white", png(255, "RGB")))["white"]
    assert clear.token_ids == white.token_ids
    assert first(clear) == pytest.approx(first(white), abs=1e-3)


def test_two_pictures_stand_in_the_order_of_their_parts(engine: VllmEngine) -> None:
    first_black = answer(engine, ask("a", png(0), png(255)))["a"]
    first_white = answer(engine, ask("b", png(255), png(0)))["b"]
    assert first_black.prompt_token_ids == first_white.prompt_token_ids
    assert (first_black.token_ids, first(first_black)) != (
        first_white.token_ids,
        first(first_white),
    )


def test_a_picture_that_is_missing_spare_or_broken_spoils_only_its_request(
    engine: VllmEngine,
) -> None:
    answers = answer(
        engine,
        ask("missing", parts=(PICTURE, WORDS)),
        ask("spare", png(0), parts=(WORDS,)),
        ask("broken", png(0)[:40]),
        ask("good", png(0)),
    )
    assert "more image parts" in (answers["missing"].error or "")
    assert "more pictures" in (answers["spare"].error or "")
    assert answers["broken"].finish_reason == "error"
    assert answers["good"].error is None
