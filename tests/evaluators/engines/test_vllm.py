"""The real engine on the real default model.

Text is never compared with another engine's: near ties fall either way between two
precisions. Log-probabilities are, with a tolerance.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchgen.errors import InputError
from benchgen.problem import Response
from evaluators.engine import Request, Sampling
from evaluators.engines import open_engine
from evaluators.engines.smollm2 import smollm2_folder
from evaluators.engines.vllm import VllmEngine

pytestmark = pytest.mark.slow

WINDOW = 4
MARKS = ("<issue_start>", "<issue_closed>")
"""The default model does not think; these are two of its tokens that it never writes."""


@pytest.fixture(scope="module")
def engine() -> Iterator[VllmEngine]:
    environment = dict(os.environ)
    opened = open_engine("vllm", "smollm2", window=WINDOW, thinking_marks=MARKS)
    assert isinstance(opened, VllmEngine)
    changed = {name for name in environment if os.environ.get(name) != environment[name]}
    assert not changed, "opening the engine changed the environment of this process"
    assert "LD_PRELOAD" not in set(os.environ) - set(environment)
    yield opened
    opened.close()


def ask(name: str, words: str, **sampling: Any) -> Request:
    sampling = {"max_tokens": 16, **sampling}
    return Request(name, ({"role": "user", "content": words},), sampling=Sampling(**sampling))


def answer(engine: VllmEngine, *requests: Request) -> dict[str, Response]:
    return {response.id: response for response in engine.generate(requests)}


def test_it_says_what_it_is(engine: VllmEngine) -> None:
    described = engine.describe()
    assert described["engine"] == "vllm"
    assert described["model"] == engine.name == "smollm2"
    assert described["context_length"] == 8192
    assert described["window"] == engine.window == WINDOW
    assert described["images"] is False
    assert not any("/" in str(value) for value in described.values()), "a path of this machine"


def test_logprobs_agree_with_transformers(engine: VllmEngine) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(smollm2_folder(), dtype=torch.float32)
    requests = [
        ask("plain", "What is the capital of France?", temperature=1.0, logprobs=True, seed=1),
        ask("cold", "Tell me about the sea.", temperature=0.5, logprobs=True, seed=2),
        ask("greedy", "Name three colours.", temperature=0.0, logprobs=True),
    ]
    differences = []
    for name, response in answer(engine, *requests).items():
        temperature = {"plain": 1.0, "cold": 0.5, "greedy": 1.0}[name]
        prompt, reply = list(response.prompt_token_ids), list(response.token_ids)
        with torch.no_grad():
            logits = model(torch.tensor([prompt + reply])).logits[0]
        table = torch.log_softmax(logits[len(prompt) - 1 : -1] / temperature, dim=-1)
        want = table[torch.arange(len(reply)), torch.tensor(reply)]
        assert response.logprobs is not None and len(response.logprobs) == len(reply)
        # Divided by the temperature, the logits' rounding weighs as much more.
        differences += ((want - torch.tensor(response.logprobs)).abs() * temperature).tolist()
        # The comparison can fail: against the next token's row it does.
        shifted = table.roll(1, dims=0)[torch.arange(len(reply)), torch.tensor(reply)]
        assert (shifted - torch.tensor(response.logprobs)).abs().mean() > 1
    # bfloat16 against float32.
    assert max(differences) < 0.35
    assert sum(differences) / len(differences) < 0.1


def test_logprobs_are_of_the_distribution_that_was_sampled(engine: VllmEngine) -> None:
    request = ask("nucleus", "Tell me a story.", temperature=1.0, top_p=1e-6, logprobs=True, seed=3)
    logprobs = answer(engine, request)["nucleus"].logprobs
    assert logprobs is not None
    # One token is left of every distribution, and it has probability 1.
    assert logprobs == pytest.approx([0.0] * len(logprobs), abs=1e-5)


def test_without_being_asked_it_returns_no_logprobs(engine: VllmEngine) -> None:
    assert answer(engine, ask("a", "Hello"))["a"].logprobs is None


def test_the_same_seed_gives_the_same_tokens_and_another_does_not(engine: VllmEngine) -> None:
    def tokens(seed: int) -> tuple[int, ...]:
        request = ask("a", "Make up a name for a dog.", temperature=1.0, seed=seed)
        return answer(engine, request)["a"].token_ids

    assert tokens(11) == tokens(11)
    assert len({tokens(seed) for seed in (11, 12, 13)}) > 1


def test_two_requests_of_one_batch_do_not_share_a_generator(engine: VllmEngine) -> None:
    words = "Make up a name for a cat."
    both = answer(
        engine,
        ask("one", words, temperature=1.0, seed=21),
        ask("two", words, temperature=1.0, seed=22),
    )
    assert both["one"].token_ids != both["two"].token_ids


def test_seeded_prompts_too_long_for_one_step_do_not_kill_the_engine(engine: VllmEngine) -> None:
    # In chunks they would: a generator on the CPU has no offset to wind back.
    words = "Tell me about the number seven. " * 400
    requests = [ask(str(i), words, temperature=0.7, seed=i, max_tokens=2) for i in range(WINDOW)]
    assert {r.finish_reason for r in answer(engine, *requests).values()} <= {"stop", "length"}


def test_the_prompt_is_the_models_own_chat_template(engine: VllmEngine) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2_folder())
    messages = [
        {"role": "system", "content": "You count."},
        {"role": "user", "content": "One, two?"},
    ]
    want = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)
    request = Request("a", tuple(messages), sampling=Sampling(max_tokens=4))
    assert list(answer(engine, request)["a"].prompt_token_ids) == list(want["input_ids"])


def test_a_begun_reply_is_gone_on_with_and_not_begun_anew(engine: VllmEngine) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2_folder())
    begun = {"role": "assistant", "content": "One, two, three, four,"}
    messages = ({"role": "user", "content": "Count from one to ten in words."}, begun)
    want = tokenizer.apply_chat_template(
        list(messages), continue_final_message=True, return_dict=True
    )
    response = answer(engine, Request("a", messages, sampling=Sampling(max_tokens=12)))["a"]
    assert list(response.prompt_token_ids) == list(want["input_ids"])
    assert "five" in response.text.lower() and "four," not in response.text


def test_a_pattern_holds_the_whole_reply_and_a_bad_one_spoils_nothing_else(
    engine: VllmEngine,
) -> None:
    answers = answer(
        engine,
        ask("letter", "Which letter comes first?", regex="[A-D]"),
        ask("hot", "Which letter comes first?", regex="x[0-9]{3}y", temperature=2.0, seed=1),
        ask("bad", "Which letter comes first?", regex="[A-"),
        ask("free", "Which letter comes first?"),
    )
    assert re.fullmatch("[A-D]", answers["letter"].text)
    assert re.fullmatch("x[0-9]{3}y", answers["hot"].text)
    assert answers["letter"].finish_reason == "stop"
    assert answers["bad"].finish_reason == "error" and answers["bad"].error
    assert answers["free"].error is None


def test_thought_is_ended_at_its_budget_and_its_tokens_are_counted(engine: VllmEngine) -> None:
    begun = ({"role": "user", "content": "Count to forty in words."},
             {"role": "assistant", "content": f"{MARKS[0]}One, two, three,"})  # fmt: skip
    held = Request("held", begun, sampling=Sampling(max_tokens=40, thinking_budget=12))
    free = Request("free", begun, sampling=Sampling(max_tokens=40))
    answers = answer(engine, held, free)
    usage = answers["held"].usage
    # What the thought had already is of its budget; the mark itself is not.
    assert 1 <= usage.thinking_tokens <= 13
    assert usage.thinking_tokens <= usage.completion_tokens
    # It never ended.
    assert answers["free"].usage.thinking_tokens == len(answers["free"].token_ids)


def test_token_ids_are_a_prompt_as_they_are(engine: VllmEngine) -> None:
    request = Request("ids", prompt_token_ids=(504, 3575, 282), sampling=Sampling(max_tokens=3))
    response = answer(engine, request)["ids"]
    assert response.prompt_token_ids == (504, 3575, 282)
    assert response.usage.prompt_tokens == 3
    assert response.usage.completion_tokens == len(response.token_ids) == 3


def test_text_parts_are_joined_like_plain_text(engine: VllmEngine) -> None:
    part = ({"role": "user", "content": [{"type": "text", "text": "Hello there"}]},)
    parts = Request("a", part, sampling=Sampling(max_tokens=4))
    plain = ask("b", "Hello there", max_tokens=4)
    both = answer(engine, parts, plain)
    assert both["a"].prompt_token_ids == both["b"].prompt_token_ids


def test_what_cannot_be_asked_is_an_error_and_the_others_finish(engine: VllmEngine) -> None:
    hello = ({"role": "user", "content": "Hello"},)
    picture = ({"role": "user", "content": [{"type": "image"}]},)
    bad = [
        ask("long", "la " * 9000),
        Request("neither"),
        Request("both", hello, prompt_token_ids=(1, 2)),
        Request("picture", picture, images=(b"\x89PNG",)),
        Request("role", ({"content": "no role"},)),
        Request("token", prompt_token_ids=(10**9,)),
        ask("temperature", "Hello", temperature=-1.0),
    ]
    good = [ask(f"good {i}", f"Count to {i}.") for i in range(3)]
    mixed = [good[0], *bad[:4], good[1], *bad[4:], good[2]]
    answers = answer(engine, *mixed)
    assert set(answers) == {request.id for request in mixed}
    for request in bad:
        response = answers[request.id]
        assert (response.finish_reason, response.text) == ("error", ""), request.id
        assert response.error and "\n" not in response.error, request.id
    assert "8192" in (answers["long"].error or "")
    assert "takes no pictures" in (answers["picture"].error or "")
    for request in good:
        assert answers[request.id].finish_reason in ("stop", "length")
        assert answers[request.id].error is None


def test_finish_reasons(engine: VllmEngine) -> None:
    words = "Count from one to fifty in words, separated by commas."
    length = answer(engine, ask("a", words, max_tokens=5))["a"]
    assert (length.finish_reason, length.usage.completion_tokens) == ("length", 5)
    # Every kind of processor has it say another thing, in words or figures: any stops it.
    stops = tuple("aeiou0123456789")
    stopped = answer(engine, ask("a", words, max_tokens=64, stop=stops))["a"]
    assert stopped.finish_reason == "stop"
    assert not set(stops) & set(stopped.text)
    assert 0 < stopped.usage.completion_tokens < 64
    ended = answer(engine, ask("a", "Answer with the one word Yes.", max_tokens=200))["a"]
    assert ended.finish_reason == "stop"
    assert ended.token_ids[-1] == 2, "the end of the turn is one of the tokens"


def test_a_request_enters_while_others_run_and_a_short_one_need_not_wait(
    engine: VllmEngine,
) -> None:
    words = "Write a very long story about the sea."
    returned: list[str] = []
    pulled_after: dict[str, int] = {}

    def requests() -> Iterator[Request]:
        for i in range(3 * WINDOW):
            pulled_after[f"{i}"] = len(returned)
            yield ask(f"{i}", words, max_tokens=48 if i == 0 else 4)

    for response in engine.generate(requests()):
        returned.append(response.id)
    assert sorted(returned, key=int) == [str(i) for i in range(3 * WINDOW)]
    assert pulled_after[str(WINDOW - 1)] == 0, "the window is filled at once"
    assert pulled_after[str(WINDOW)] > 0, "no more than the window is taken"
    assert returned.index("0") > returned.index(str(WINDOW)), "the long one held up the others"


def test_leaving_early_drops_what_was_running(engine: VllmEngine) -> None:
    stream = engine.generate(ask(str(i), "Count.", max_tokens=4 + 40 * i) for i in range(4))
    assert next(stream).id == "0"
    stream.close()  # type: ignore[attr-defined]
    assert set(answer(engine, ask("after", "Hello"))) == {"after"}


def test_one_id_may_come_twice(engine: VllmEngine) -> None:
    twice = [ask("a", "Say one.", max_tokens=4), ask("a", "Say two.", max_tokens=4)]
    assert [response.id for response in engine.generate(twice)] == ["a", "a"]


def test_what_transformers_cannot_read_is_bad_input(tmp_path: Path) -> None:
    for name, text in {"half": "{", "other": '{"model_type": "no-such-model"}'}.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(text)
        (folder / "model.safetensors").touch()
        with pytest.raises(InputError, match="cannot load the model") as caught:
            VllmEngine(str(folder))
        assert "\n" not in str(caught.value)
