"""The Transformers engine on models of random weights, in float32: real code, no real words."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from benchgen.errors import InputError
from benchgen.problem import Response
from evaluators.engine import Request, Sampling
from evaluators.engines import open_engine
from evaluators.engines.transformers import TransformersEngine

sys.path.insert(0, str(Path(__file__).parent))
try:
    from tiny_reader import write_tiny_reader
    from tiny_talker import CONTEXT, write_tiny_talker
finally:
    sys.path.pop(0)

pytestmark = pytest.mark.slow

WINDOW = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / "tiny-talker"
    write_tiny_talker(made)
    return made


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[TransformersEngine]:
    opened = open_engine("transformers", str(folder), window=WINDOW, dtype="float32")
    assert isinstance(opened, TransformersEngine)
    yield opened
    opened.close()


def ask(name: str, words: str = "", **sampling: Any) -> Request:
    sampling = {"max_tokens": 12, "logprobs": True, **sampling}
    message = {"role": "user", "content": words or f"about {name}"}
    return Request(name, (message,), sampling=Sampling(**sampling))


def answer(engine: TransformersEngine, *requests: Request) -> dict[str, Response]:
    answers = list(engine.generate(requests))
    assert sorted(a.id for a in answers) == sorted(r.id for r in requests)
    return {a.id: a for a in answers}


def mixed() -> list[Request]:
    """Requests of unlike lengths and rules."""
    return [
        ask("greedy", "x"),
        ask("hot", "a prompt that is rather longer", temperature=1.5, seed=7, max_tokens=30),
        ask("nucleus", "y" * 50, temperature=0.8, top_p=0.6, seed=8),
        ask("long greedy", "z" * 17, max_tokens=25),
    ]


def test_it_says_what_it_is(engine: TransformersEngine) -> None:
    described = engine.describe()
    assert described["engine"] == "transformers"
    assert described["model"] == engine.name == "tiny-talker"
    assert described["window"] == engine.window == WINDOW
    assert (described["context_length"], described["dtype"]) == (CONTEXT, "float32")
    assert described["images"] is False
    assert not any("/" in str(value) for value in described.values()), "a path of this machine"


def test_log_probabilities_agree_with_a_plain_forward_pass(
    engine: TransformersEngine, folder: Path
) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for request in mixed():
        # Together: the rows are padded.
        response = answer(engine, *mixed())[request.id]
        prompt, reply = list(response.prompt_token_ids), list(response.token_ids)
        with torch.no_grad():
            scores = model(torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1]
        shares = (scores / (request.sampling.temperature or 1.0)).softmax(-1)
        if request.sampling.top_p < 1:
            for row in shares:
                ordered = row.sort(descending=True)
                kept = int((ordered.values.cumsum(0) < request.sampling.top_p).sum()) + 1
                row[ordered.indices[kept:]] = 0
            shares /= shares.sum(-1, keepdim=True)
        want = shares.log()[torch.arange(len(reply)), torch.tensor(reply)]
        assert response.logprobs is not None
        assert response.logprobs == pytest.approx(want.tolist(), abs=1e-4), request.id
        if request.sampling.temperature == 0:
            assert reply == scores.argmax(-1).tolist()


def test_a_mark_that_is_a_special_token_is_seen(engine: TransformersEngine) -> None:
    # Left out, a thought between two of them would be read as the answer.
    tokenizer = engine._tokenizer
    assert tokenizer.all_special_tokens
    letter = tokenizer.encode("B", add_special_tokens=False)
    for mark in tokenizer.all_special_tokens:
        assert engine._text([*letter, tokenizer.convert_tokens_to_ids(mark)]) == f"B{mark}"


def test_what_else_is_in_the_batch_changes_no_reply(engine: TransformersEngine) -> None:
    together = answer(engine, *mixed())
    reordered = answer(engine, *reversed(mixed()))
    for request in mixed():
        alone = answer(engine, request)[request.id]
        assert alone.token_ids == together[request.id].token_ids == reordered[request.id].token_ids
        assert alone.prompt_token_ids == together[request.id].prompt_token_ids
        assert alone.logprobs == pytest.approx(together[request.id].logprobs, abs=1e-4)


def test_the_same_seed_gives_the_same_tokens_and_another_does_not(
    engine: TransformersEngine,
) -> None:
    def tokens(seed: int) -> tuple[int, ...]:
        return answer(engine, ask("a", temperature=1.0, seed=seed))["a"].token_ids

    assert tokens(11) == tokens(11)
    assert len({tokens(seed) for seed in (11, 12, 2**63 - 1)}) == 3
    both = answer(
        engine,
        ask("one", "same", temperature=1.0, seed=1),
        ask("two", "same", temperature=1.0, seed=2),
    )
    assert both["one"].token_ids != both["two"].token_ids


def test_what_the_models_authors_recommend_is_not_mixed_in(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    write_tiny_talker(
        tmp_path, do_sample=True, temperature=0.1, top_k=1, repetition_penalty=9.0, max_length=20
    )
    advised = TransformersEngine(str(tmp_path), window=WINDOW, dtype="float32")
    plain, other = answer(engine, *mixed()), answer(advised, *mixed())
    advised.close()
    assert {name: r.token_ids for name, r in plain.items()} == {
        name: r.token_ids for name, r in other.items()
    }


def test_a_turn_ends_where_the_models_authors_say(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    free = answer(engine, ask("a"))["a"]
    end = free.token_ids[4]
    write_tiny_talker(tmp_path, eos_token_id=[2, end])
    ending = TransformersEngine(str(tmp_path), window=WINDOW, dtype="float32")
    ended = answer(ending, ask("a"), ask("b", "another, which goes on", temperature=3.0, seed=1))
    ending.close()
    first = free.token_ids.index(end)
    assert ended["a"].token_ids == free.token_ids[: first + 1]
    assert ended["a"].finish_reason == "stop" and free.finish_reason == "length"
    assert free.text.startswith(ended["a"].text) and ended["a"].text != free.text


def test_a_stop_string_ends_a_reply_and_the_others_go_on(engine: TransformersEngine) -> None:
    free = answer(engine, ask("a", temperature=1.0, seed=4, max_tokens=40))["a"]
    letter = next(c for place, c in enumerate(free.text) if place > 2 and c.isascii())
    got = answer(
        engine,
        ask("a", temperature=1.0, seed=4, max_tokens=40, stop=("no such words", letter)),
        ask("b", max_tokens=40),
    )
    assert got["a"].finish_reason == "stop"
    assert got["a"].text == free.text[: free.text.index(letter)]
    assert got["a"].token_ids == free.token_ids[: len(got["a"].token_ids)]
    assert len(got["b"].token_ids) == 40


def test_the_prompt_is_the_models_own_chat_template(
    engine: TransformersEngine, folder: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    asked = [{"role": "system", "content": "You count."}, {"role": "user", "content": "One?"}]
    begun = [*asked, {"role": "assistant", "content": "One, "}]
    parts = [asked[0], {"role": "user", "content": [{"type": "text", "text": "One?"}]}]
    short = Sampling(max_tokens=2)
    got = answer(
        engine,
        Request("asked", tuple(asked), sampling=short),
        Request("begun", tuple(begun), sampling=short),
        Request("parts", tuple(parts), sampling=short),
    )
    words = "<s>system:You count.\nuser:One?\nassistant:"
    want = {"asked": words, "begun": f"{words}One, ", "parts": words}
    for name, text in want.items():
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert list(got[name].prompt_token_ids) == ids, name
        assert ids.count(1) == 1


def test_token_ids_are_a_prompt_as_they_are(engine: TransformersEngine) -> None:
    request = Request("ids", prompt_token_ids=(50, 60, 70), sampling=Sampling(max_tokens=3))
    response = answer(engine, request)["ids"]
    assert response.prompt_token_ids == (50, 60, 70)
    assert response.usage.prompt_tokens == 3
    assert response.usage.completion_tokens == len(response.token_ids) == 3
    assert response.logprobs is None


def test_what_cannot_be_asked_is_an_error_and_the_others_finish(
    engine: TransformersEngine,
) -> None:
    hello = ({"role": "user", "content": "Hello"},)
    picture = ({"role": "user", "content": [{"type": "image"}]},)
    bad = [
        ask("long", "la " * 100),
        ask("pattern", regex="[A-D]"),
        ask("budget", thinking_budget=8),
        ask("temperature", temperature=-1.0),
        Request("neither"),
        Request("both", hello, prompt_token_ids=(1, 2)),
        Request("picture", picture, images=(b"\x89PNG",)),
        Request("spare", hello, images=(b"\x89PNG",)),
        Request("token", prompt_token_ids=(10**9,)),
        Request("negative", prompt_token_ids=(-1,)),
        Request("huge", prompt_token_ids=(10**30,)),
    ]
    good = [ask(f"good {i}") for i in range(5)]
    answers = answer(engine, *good[:2], *bad[:6], good[2], *bad[6:], *good[3:])
    for request in bad:
        response = answers[request.id]
        assert (response.finish_reason, response.text) == ("error", ""), request.id
        assert response.error and "\n" not in response.error, request.id
    assert f"context length of {CONTEXT}" in (answers["long"].error or "")
    assert "this engine cannot hold a model to a pattern" in (answers["pattern"].error or "")
    assert "takes no pictures" in (answers["picture"].error or "")
    for request in good:
        assert answers[request.id].error is None
        assert answers[request.id].token_ids == answer(engine, request)[request.id].token_ids


def test_a_reply_ends_where_the_context_does(engine: TransformersEngine) -> None:
    room = 5
    prompt = tuple(range(10, 10 + CONTEXT - room))
    full = Request("a", prompt_token_ids=prompt, sampling=Sampling(max_tokens=50))
    over = Request("b", prompt_token_ids=(*prompt, *range(room)), sampling=Sampling(max_tokens=1))
    got = answer(engine, full, over)
    assert (got["a"].finish_reason, len(got["a"].token_ids)) == ("length", room)
    assert got["b"].finish_reason == "error"


def test_a_short_reply_need_not_wait_for_a_long_one(engine: TransformersEngine) -> None:
    pulled: list[str] = []

    def requests() -> Iterator[Request]:
        for place in range(2 * WINDOW):
            pulled.append(str(place))
            yield ask(str(place), max_tokens=80 if place % WINDOW == 0 else 2 + place % WINDOW)

    stream = engine.generate(requests())
    assert [next(stream).id for _ in range(WINDOW)] == ["1", "2", "3", "0"]
    assert len(pulled) == WINDOW, "no more than the window is taken"
    assert [response.id for response in stream] == ["5", "6", "7", "4"]


def test_leaving_early_drops_what_was_running(engine: TransformersEngine) -> None:
    steps: list[int] = []
    hook = engine._model.register_forward_hook(lambda *_: steps.append(1))
    stream = engine.generate([ask("short", max_tokens=1), ask("long", max_tokens=100)])
    assert next(stream).id == "short"
    stream.close()  # type: ignore[attr-defined]
    hook.remove()
    assert len(steps) < 60, "it went on to the end for no one"
    assert answer(engine, ask("after"))["after"].error is None


def test_a_model_that_breaks_down_raises_and_what_was_finished_is_kept(
    engine: TransformersEngine,
) -> None:
    steps: list[int] = []

    def hook(*_: Any) -> None:
        steps.append(1)
        if len(steps) == 5:
            raise RuntimeError("out of memory")

    handle = engine._model.register_forward_hook(hook)
    answered = []
    with pytest.raises(RuntimeError, match="out of memory"):
        for response in engine.generate([ask("short", max_tokens=2), ask("long")]):
            answered.append(response.id)
    handle.remove()
    assert answered == ["short"]
    assert answer(engine, ask("after"))["after"].error is None


def test_scores_that_are_no_numbers_spoil_only_their_request(engine: TransformersEngine) -> None:
    def hook(model: Any, arguments: Any, output: Any) -> None:
        output.logits[0] = torch.nan

    handle = engine._model.register_forward_hook(hook)
    bad, good = (ask(name, temperature=1.0, seed=3) for name in ("bad", "good"))
    got = answer(engine, bad, good)
    handle.remove()
    assert got["bad"].error == "the model's scores are not numbers"
    assert got["good"].token_ids == answer(engine, good)["good"].token_ids


def test_a_row_that_is_done_is_not_read_on_beyond_the_last_place(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    write_tiny_talker(tmp_path)
    torch.manual_seed(0)
    config = GPT2Config(
        n_positions=CONTEXT, n_embd=32, n_layer=1, n_head=2, vocab_size=259,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    learned = TransformersEngine(str(tmp_path), window=WINDOW, dtype="float32")
    long = Request("long", prompt_token_ids=(9,) * (CONTEXT - 2))
    short = Request("short", prompt_token_ids=(9, 10), sampling=Sampling(max_tokens=20))
    together = answer(learned, long, short)
    alone = answer(learned, short)["short"]
    learned.close()
    assert (len(together["long"].token_ids), together["long"].finish_reason) == (2, "length")
    assert together["short"].token_ids == alone.token_ids


def test_a_filler_that_the_model_does_not_know_is_not_used(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    write_tiny_talker(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(tmp_path)
    added = TransformersEngine(str(tmp_path), window=WINDOW, dtype="float32")
    got, want = answer(added, *mixed()), answer(engine, *mixed())
    added.close()
    assert {n: r.token_ids for n, r in got.items()} == {n: r.token_ids for n, r in want.items()}


def test_one_id_may_come_twice(engine: TransformersEngine) -> None:
    assert [r.id for r in engine.generate([ask("a", "one"), ask("a", "two")])] == ["a", "a"]


def test_what_transformers_cannot_read_is_bad_input(tmp_path: Path) -> None:
    for name, text in {"half": "{", "other": '{"model_type": "no-such-model"}'}.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(text)
        (folder / "model.safetensors").touch()
        with pytest.raises(InputError, match="cannot load the model") as caught:
            TransformersEngine(str(folder))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ({"window": 0}, "at least one"),
        ({"tensor_parallel": 2}, "on one device"),
        ({"dtype": "float31"}, "no precision"),
        ({"dtype": "int64"}, "no precision"),
        ({"dtype": "nn"}, "no precision"),
        ({"context_length": CONTEXT + 1}, "a context length is 2 to 128"),
        ({"context_length": 0}, "a context length is 2 to 128"),
    ],
)
def test_a_setting_out_of_range_is_bad_input(
    setting: dict[str, Any], why: str, folder: Path
) -> None:
    with pytest.raises(InputError, match=why):
        open_engine("transformers", str(folder), **setting)


def test_a_missing_package_is_bad_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match="not installed"):
        TransformersEngine(str(folder))


def test_a_shorter_context_may_be_asked_for(folder: Path) -> None:
    short = open_engine("transformers", str(folder), context_length=40, dtype="float32")
    assert short.describe()["context_length"] == 40
    answers = {r.id: r for r in short.generate([ask("a", "x" * 60), ask("b", "x")])}
    short.close()
    assert "context length of 40" in (answers["a"].error or "")
    assert answers["b"].error is None


# Pictures

PICTURE, WORDS = {"type": "image"}, {"type": "text", "text": "Which is it?"}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersEngine]:
    folder = tmp_path_factory.mktemp("models") / "tiny-reader"
    write_tiny_reader(folder)
    opened = TransformersEngine(str(folder), window=WINDOW, dtype="float32")
    yield opened
    opened.close()


def png(shade: int, mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (96, 48), shade).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def show(name: str, *pictures: bytes, parts: tuple[dict[str, str], ...] | None = None) -> Request:
    content = list(parts or (*[PICTURE] * len(pictures), WORDS))
    sampling = Sampling(max_tokens=4, temperature=1.0, seed=1, logprobs=True)
    return Request(name, ({"role": "user", "content": content},), (), pictures, sampling)


def first(response: Response) -> float:
    """A fingerprint of what the model saw."""
    assert response.error is None and response.logprobs is not None
    return response.logprobs[0]


def test_the_engine_says_that_it_takes_pictures(reader: TransformersEngine) -> None:
    assert reader.describe()["images"] is True
    assert reader.name == "tiny-reader"


def test_what_the_picture_shows_reaches_the_model(reader: TransformersEngine) -> None:
    got = answer(reader, show("black", png(0)), show("again", png(0)), show("white", png(255)))
    assert got["black"].prompt_token_ids == got["white"].prompt_token_ids
    assert first(got["black"]) == pytest.approx(first(got["again"]), abs=1e-5)
    assert first(got["black"]) != pytest.approx(first(got["white"]), abs=1e-5)


def test_two_pictures_stand_in_the_order_of_their_parts(reader: TransformersEngine) -> None:
    got = answer(reader, show("a", png(0), png(255)), show("b", png(255), png(0)))
    assert got["a"].prompt_token_ids == got["b"].prompt_token_ids
    assert first(got["a"]) != pytest.approx(first(got["b"]), abs=1e-5)


def test_what_is_transparent_is_read_as_white_paper(reader: TransformersEngine) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (96, 48), (0, 0, 0, 0)).save(buffer, "PNG")
    got = answer(reader, show("clear", buffer.getvalue()), show("white", png(255, "RGB")))
    assert first(got["clear"]) == pytest.approx(first(got["white"]), abs=1e-5)


def test_requests_with_more_fewer_and_no_pictures_do_not_change_each_other(
    reader: TransformersEngine,
) -> None:
    begun = {"role": "assistant", "content": "It is the"}
    requests = [
        show("one", png(0)),
        show("two", png(90), png(255)),
        ask("none", "Just words."),
        Request("begun", (*show("", png(30)).messages, begun), images=(png(30),),
                sampling=Sampling(max_tokens=4, logprobs=True)),
    ]  # fmt: skip
    together = answer(reader, *requests)
    for request in requests:
        alone = answer(reader, request)[request.id]
        assert alone.error is None
        assert alone.token_ids == together[request.id].token_ids
        assert alone.prompt_token_ids == together[request.id].prompt_token_ids
        assert alone.logprobs == pytest.approx(together[request.id].logprobs, abs=1e-4)


def test_log_probabilities_of_a_picture_agree_with_a_plain_forward_pass(
    reader: TransformersEngine,
) -> None:
    response = answer(reader, show("a", png(40)), show("b", png(200), png(3)))["a"]
    words = "user:<image>Which is it?<end_of_utterance>\nassistant:"
    picture = Image.open(io.BytesIO(png(40, "RGB")))
    inputs = reader._processor(
        text=[words], images=[[picture]], add_special_tokens=False, return_tensors="pt"
    )
    assert inputs["input_ids"][0].tolist() == list(response.prompt_token_ids)
    with torch.no_grad():
        shares = reader._model(**inputs).logits[0, -1].log_softmax(-1)
    assert first(response) == pytest.approx(float(shares[response.token_ids[0]]), abs=1e-4)


def test_a_picture_that_is_missing_spare_or_broken_spoils_only_its_request(
    reader: TransformersEngine,
) -> None:
    many = (png(0),) * 130
    got = answer(
        reader,
        show("missing", parts=(PICTURE, WORDS)),
        show("spare", png(0), parts=(WORDS,)),
        show("broken", png(0)[:40]),
        show("good", png(0)),
        show("long", *many),
        show("also good", png(9)),
    )
    assert "more image parts" in (got["missing"].error or "")
    assert "more pictures" in (got["spare"].error or "")
    assert got["broken"].finish_reason == "error"
    assert "context length of 512" in (got["long"].error or "")
    assert got["good"].error is got["also good"].error is None


def test_what_the_processor_cannot_take_together_it_is_given_apart(
    reader: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = reader._processor

    def choosy(text: list[str], **rest: Any) -> Any:
        if any("Which" not in words for words in text):
            raise ValueError("I cannot read this")
        return processor(text=text, **rest)

    choosy.apply_chat_template = processor.apply_chat_template  # type: ignore[attr-defined]
    monkeypatch.setattr(reader, "_processor", choosy)
    odd = show("odd", png(0), parts=(PICTURE,))
    got = answer(reader, show("a", png(0)), odd, show("b", png(1)), show("c", png(2)))
    assert got["odd"].error == "ValueError: I cannot read this"
    assert [got[name].error for name in "abc"] == [None] * 3
