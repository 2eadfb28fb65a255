"""Pictures reach a vision model, each in its place."""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchgen.problem import Response
from evaluators.engine import Request, Sampling
from evaluators.engines.vllm import VllmEngine

pytestmark = pytest.mark.slow

PICTURE, WORDS = {"type": "image"}, {"type": "text", "text": "Which is it?"}


@pytest.fixture(scope="module")
def tiny_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from tiny_reader import write_tiny_reader
    finally:
        sys.path.pop(0)
    folder = tmp_path_factory.mktemp("models") / "tiny-reader"
    write_tiny_reader(folder)
    return folder


@pytest.fixture(scope="module")
def engine(tiny_reader: Path) -> Iterator[VllmEngine]:
    opened = VllmEngine(str(tiny_reader), window=4)
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


def test_pictures_prepared_side_by_side_are_not_exchanged(engine: VllmEngine) -> None:
    shades = [12 * number for number in range(20)]
    alone = [answer(engine, ask("a", png(shade)))["a"] for shade in shades]
    together = answer(engine, *(ask(str(shade), png(shade)) for shade in shades))
    assert len({response.logprobs for response in alone}) > 10
    for shade, one in zip(shades, alone, strict=True):
        assert first(together[str(shade)]) == pytest.approx(first(one), abs=1e-3)


def test_samples_of_one_question_are_prepared_once(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine._workers is not None
    prepared: list[Any] = []
    submit = engine._workers._pool.submit

    def counted(*arguments: Any) -> Any:
        prepared.append(arguments)
        return submit(*arguments)

    monkeypatch.setattr(engine._workers._pool, "submit", counted)
    requests = [
        dataclasses.replace(ask(f"{shade}-{epoch}", png(shade)), sampling=Sampling(seed=epoch))
        for shade in (200, 100)
        for epoch in range(6)
    ]
    answers = answer(engine, *requests)
    assert len(prepared) == 2
    assert len(answers) == 12 and all(r.error is None for r in answers.values())


def test_no_more_pictures_are_drawn_than_the_runner_allows(engine: VllmEngine) -> None:
    out: set[str] = set()
    most = 0

    def requests() -> Iterator[Request]:
        nonlocal most
        for number in range(40):
            out.add(str(number))
            most = max(most, len(out))
            yield ask(str(number), png(6 * number))

    for response in engine.generate(requests()):
        out.remove(response.id)
    # A run feeds an engine twice its window; drawing more would cut it into rounds.
    assert engine.window < most < 2 * engine.window
    assert not out


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


def test_a_worker_that_dies_is_a_dead_engine_and_not_a_hundred_bad_pictures(
    tiny_reader: Path,
) -> None:
    engine = VllmEngine(str(tiny_reader), window=2)
    try:
        assert engine._workers is not None
        answer(engine, ask("first", png(0)))
        for process in engine._workers._pool._processes.values():
            process.kill()
        with pytest.raises(BrokenProcessPool):
            answer(engine, ask("next", png(1)))
    finally:
        engine.close()
