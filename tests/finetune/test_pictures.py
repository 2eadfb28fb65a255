"""Pictures reach a policy as they reached the engine, and teach all of it, its eyes too."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

import benchgen
from benchgen.dataset import synthesize
from benchgen.errors import InputError
from benchgen.plan import make_plan
from evaluators.engines.transformers import LoadedModel, TransformersEngine
from evaluators.questions import Question
from finetune.blackened import blackened
from finetune.course import Course
from finetune.examples import read_examples, trajectory
from finetune.log_probabilities import reply_states, takes_shared_prompts, why_not_shown
from finetune.objectives import State, resolve
from finetune.optimizer import Optimization, Optimizer
from finetune.packing import pack
from finetune.passes import all_masked_images
from finetune.pictures import PictureReader
from finetune.policy import Policy, load_policy
from finetune.questions import Listed
from finetune.ranks import Ranks
from finetune.rewards import Reward, correctness
from finetune.rollouts import Group, draw_groups, read_rollouts
from finetune.sft import accumulate, imitate
from finetune.trainer import Practice, learn, train
from finetune.trajectory import Trajectory

WORDS = ["<pad>", "<end>", "<unk>", "<user>", "<assistant>", "A", "B", "C", "D", "perhaps"]
TILES = [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
MARKS = {
    "idefics3": ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"],
    "qwen": ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"],
    "gemma3": ["<image>", "<start_of_image>", "<end_of_image>", "<spare>"],
}
TEXT = {
    "vocab_size": 18, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
    "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 1,
}  # fmt: skip
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
QWEN_TOKENS = {
    "image_token_id": 10, "video_token_id": 11, "vision_start_token_id": 12,
    "vision_end_token_id": 13,
}  # fmt: skip
REWARDS = [Reward("correctness", 1.0, correctness)]
PRACTICE = Practice(prompts=2, samples=4, max_tokens=3)
DAPO = resolve("dapo", correction="truncate")
PICTURE = {"type": "image"}


def template(mark: str) -> str:
    return (
        "{% for message in messages %}<{{ message['role'] }}> {% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}" + mark + "{% else %}{{ part['text'] }}{% endif %} "
        "{% endfor %}{% if message['role'] == 'assistant' %}<end> {% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )


def tokenizer_with(marks: Sequence[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", pad_token="<pad>", eos_token="<end>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    made.add_special_tokens({"additional_special_tokens": list(marks)})
    return made


def idefics3() -> tuple[Any, Any]:
    """Pictures in tiles of 32 pixels, two to four and the whole, four tokens each."""
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import (
        Idefics3ImageProcessorPil,
    )

    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(
            size={"longest_edge": 64}, max_image_size={"longest_edge": 32}
        ),
        tokenizer=tokenizer_with([*MARKS["idefics3"], *TILES]),
        image_seq_len=4,
        chat_template=template("<image>"),
    )
    config = Idefics3Config(
        image_token_id=processor.image_token_id,
        pad_token_id=0,
        scale_factor=2,
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": 32, "patch_size": 8,
        },
        text_config={"model_type": "llama", "head_dim": 8, **TEXT},
        tie_word_embeddings=False,
    )  # fmt: skip
    return Idefics3ForConditionalGeneration(config), processor


def qwen(kind: str) -> tuple[Any, Any]:
    """Pictures as a grid of patches; positions of three parts.

    The processor is the model's own but for its videos, which would need torchvision.
    """
    from transformers import (
        ProcessorMixin,
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
        Qwen2VLProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
    )
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    class WithoutVideos(Qwen2VLProcessor):
        def __init__(
            self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None
        ) -> None:
            self.image_token, self.image_token_id = "<|image_pad|>", 10
            self.video_token, self.video_token_id = "<|video_pad|>", 11
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    processor = WithoutVideos(
        Qwen2VLImageProcessorPil(patch_size=8, size={"shortest_edge": 256, "longest_edge": 4096}),
        tokenizer_with([*MARKS["qwen"], *TILES]),
        template("<|vision_start|><|image_pad|><|vision_end|>"),
    )
    text = {**TEXT, "rope_parameters": ROPE}
    if kind == "qwen2_vl":
        vision = {
            "depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2,
            "patch_size": 8,
        }  # fmt: skip
        two = Qwen2VLConfig(text_config=text, vision_config=vision, **QWEN_TOKENS)
        return Qwen2VLForConditionalGeneration(two), processor
    vision = {
        "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "patch_size": 8,
        "out_hidden_size": 32, "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
    }  # fmt: skip
    three = Qwen3VLConfig(
        text_config={**text, "head_dim": 8}, vision_config=vision, **QWEN_TOKENS
    )
    return Qwen3VLForConditionalGeneration(three), processor


def gemma3() -> tuple[Any, Any]:
    """Pictures of one size, whose tokens see each other both ways; a sliding window."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    tokenizer = tokenizer_with([*MARKS["gemma3"], *TILES])
    for number, name in enumerate(("image", "boi", "eoi")):
        setattr(tokenizer, f"{name}_token", MARKS["gemma3"][number])
        setattr(tokenizer, f"{name}_token_id", 10 + number)
    processor = Gemma3Processor(
        Gemma3ImageProcessorPil(size={"height": 32, "width": 32}),
        tokenizer,
        chat_template=template("<start_of_image>"),
        image_seq_length=4,
    )
    config = Gemma3Config(
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": 32, "patch_size": 8, "vision_use_head": False,
        },
        text_config={**TEXT, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 128},
        image_token_index=10,
        boi_token_index=11,
        eoi_token_index=12,
        mm_tokens_per_image=4,
    )  # fmt: skip
    model = Gemma3ForConditionalGeneration(config)
    # It begins as zeros: nothing would be seen.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.1)
    return model, processor


UNSHARED = {
    "idefics3": "",
    "qwen2_vl": "its positions have several parts (M-RoPE)",
    "qwen3_vl": "its positions have several parts (M-RoPE)",
    "gemma3": "its layers are of the kinds sliding_attention",
}


def made(kind: str, dtype: torch.dtype = torch.float64) -> Policy:
    torch.manual_seed(0)
    own = {"idefics3": idefics3, "gemma3": gemma3}
    model, processor = own[kind]() if kind in own else qwen(kind)
    with torch.no_grad():
        # As they begin, such small models hardly look at what they are shown.
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3)
    model = model.to(dtype).eval()
    reader = PictureReader(processor, model.config.image_token_id)
    return Policy(
        model, processor.tokenizer, takes_shared_prompts(model, reader), reader=reader
    )


@pytest.fixture
def policy() -> Policy:
    return made("idefics3", torch.float32)


def drawn(width: int, height: int, turned: int = 0) -> bytes:
    buffer = io.BytesIO()
    shades = Image.linear_gradient("L").rotate(90 * turned)
    shades.resize((width, height)).save(buffer, "PNG")
    return buffer.getvalue()


WIDE, TALL, OTHER = drawn(96, 48), drawn(40, 48), drawn(96, 48, turned=1)


def flipped(picture: bytes) -> bytes:
    """Another picture of the same size."""
    buffer = io.BytesIO()
    ImageOps.flip(ImageOps.mirror(Image.open(io.BytesIO(picture)).convert("RGB"))).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


def asked(policy: Policy, *pictures: bytes, words: str = "perhaps") -> tuple[Any, tuple[int, ...]]:
    """The processor's own inputs for a prompt with pictures, and its tokens."""
    messages = [{"role": "user", "content": [*[PICTURE] * len(pictures), *text(words)]}]
    prompt = policy.processor.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    images = [[Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]]
    shown = {"images": images} if pictures else {}
    inputs = policy.processor(text=[prompt], **shown, return_tensors="pt")
    return inputs, tuple(inputs["input_ids"][0].tolist())


def text(words: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": words}]


def plainly(policy: Policy, one: Trajectory, words: str = "perhaps") -> Tensor:
    """The reply's log-probabilities by the whole model on the processor's own inputs."""
    inputs, prompt = asked(policy, *one.pictures, words=words)
    assert prompt == one.prompt
    given = dict(inputs)
    reply = torch.tensor([one.reply])
    given["input_ids"] = torch.cat([given["input_ids"], reply], 1)
    given["attention_mask"] = torch.ones_like(given["input_ids"])
    for name in {"token_type_ids", "mm_token_type_ids"} & given.keys():
        given[name] = torch.cat([given[name], torch.zeros_like(reply)], 1)
    logits = policy.model(**given).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits, -1)[range(len(one.reply)), list(one.reply)]


def shown(policy: Policy) -> list[Trajectory]:
    """Replies to one picture, to another of another shape, to two at once, and to none."""
    found = []
    for pictures, replies in (
        ((WIDE,), [(5, 6, 1), (7,)]),
        ((TALL,), [(8, 1)]),
        ((TALL, WIDE), [(6, 6, 6, 1), (5, 1), (9, 5)]),
        ((), [(7, 8, 9), (6,)]),
        ((OTHER,), [(5, 6, 1)]),
    ):
        prompt = asked(policy, *pictures)[1]
        found += [Trajectory(prompt, reply, pictures=pictures) for reply in replies]
    return found


@pytest.mark.parametrize("kind", UNSHARED)
def test_scores_and_gradients_are_those_of_the_whole_model_on_its_processors_inputs(
    kind: str,
) -> None:
    policy = made(kind)
    assert policy.unshared == UNSHARED[kind]
    assert policy.reader is not None and why_not_shown(policy.model, policy.reader) == ""
    drawn = shown(policy)
    parameters = dict(policy.model.named_parameters())
    weights = torch.rand(len(drawn), 4, dtype=torch.float64)
    expected = [plainly(policy, one) for one in drawn]
    plain = sum((weights[i, : len(logp)] * logp).sum() for i, logp in enumerate(expected))
    wanted = torch.autograd.grad(plain, list(parameters.values()))
    # Where rows are apart anyway, once.
    for unshared in {policy.unshared, "so"}:
        found = dataclasses.replace(policy, unshared=unshared).scores(drawn, 1.0)
        for number, logp in enumerate(expected):
            torch.testing.assert_close(found.logp[number, : len(logp)], logp, atol=1e-6, rtol=0)
        gradients = torch.autograd.grad((weights * found.logp).sum(), list(parameters.values()))
        for name, one, other in zip(parameters, gradients, wanted, strict=True):
            # Norms of these models are taken in single precision whatever the weights are in.
            assert float((one - other).norm()) < 1e-5 * float(other.norm()) + 1e-12, name
            # A key's bias moves all scores of a softmax alike.
            if "k_proj.bias" not in name:
                assert float(one.abs().max()) > 1e-12, name
    assert any("vis" in name for name in parameters)


def test_another_picture_is_another_prompt(policy: Policy) -> None:
    prompt = asked(policy, WIDE)[1]
    assert asked(policy, OTHER)[1] == prompt
    mine, other = (
        [Trajectory(prompt, (5, 6), pictures=(picture,)) for picture in (WIDE, one)]
        for one in (WIDE, OTHER)
    )
    assert len(pack(mine, shared=True).token_ids) == 1
    assert len(pack(other, shared=True).token_ids) == 2
    same, changed = (policy.scores(pair, 1.0).logp.detach() for pair in (mine, other))
    assert torch.equal(same[0], same[1])
    assert float((changed[0] - changed[1]).abs().min()) > 1e-3
    loss = accumulate(policy, mine[:1], 10_000)
    swapped = accumulate(policy, other[1:], 10_000)
    assert abs(loss - swapped) > 1e-3


def test_a_prompt_and_its_pictures_are_read_once_for_all_replies(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert policy.shared and policy.reader is not None
    prepared: list[Any] = []
    seen: list[int] = []
    processor = policy.processor

    class Counted:
        def __call__(self, **given: Any) -> Any:
            prepared.append(given["images"])
            return processor(**given)

        def __getattr__(self, name: str) -> Any:
            return getattr(processor, name)

    policy.reader.processor = Counted()
    eyes = policy.model.model.vision_model
    eyes.register_forward_hook(lambda module, given, made: seen.append(len(made[0])))
    prompt = asked(policy, WIDE)[1]
    before = len(prepared)
    eight = [Trajectory(prompt, (5 + n % 4, 6), pictures=(WIDE,)) for n in range(8)]
    policy.scores(eight, 1.0)
    policy.scores(eight[:2], 1.0)
    assert seen == [3, 3]
    assert len(prepared) == before + 1
    # Without room all but the last picture is prepared again.
    small = PictureReader(policy.processor, policy.reader.image_token, room=1)
    two = [eight[0], Trajectory(asked(policy, TALL)[1], (5,), pictures=(TALL,))]
    before = len(prepared)
    for one in (two[0], two[0], two[1], two[1], two[0]):
        small.check(one)
    assert len(prepared) == before + 3


def test_a_layout_that_the_model_does_not_take_is_noticed() -> None:
    policy = made("idefics3")
    assert policy.reader is not None

    class Backwards(PictureReader):
        def inputs(self, pictures: Sequence[bytes], places: Tensor) -> dict[str, Tensor]:
            return super().inputs(pictures[::-1], places)

    class Blind(PictureReader):
        def inputs(self, pictures: Sequence[bytes], places: Tensor) -> dict[str, Tensor]:
            return {}

    token = policy.reader.image_token
    assert why_not_shown(policy.model, policy.reader) == ""
    assert "otherwise" in why_not_shown(policy.model, Backwards(policy.processor, token))
    assert "otherwise" in why_not_shown(policy.model, Blind(policy.processor, token))
    assert why_not_shown(policy.model, PictureReader(None, token)).startswith("AttributeError")


def test_a_model_that_looks_for_other_tokens_is_refused(policy: Policy, tmp_path: Path) -> None:
    policy.model.config.image_token_id = 13
    policy.save(tmp_path)
    with pytest.raises(InputError, match="cannot be trained on pictures: its processor has none"):
        load_policy(str(tmp_path))


def test_a_prompt_whose_image_tokens_are_not_its_pictures_is_refused(policy: Policy) -> None:
    assert policy.reader is not None
    token = policy.reader.image_token
    prompt = asked(policy, WIDE)[1]
    first = prompt.index(token)
    unexpanded = tuple(t for n, t in enumerate(prompt) if t != token or n == first)
    for wrong, pictures in ((unexpanded, (WIDE,)), (prompt, (TALL,)), (prompt, ())):
        with pytest.raises(InputError, match=r"image tokens where .* shows them otherwise") as told:
            policy.scores([Trajectory(wrong, (5,), pictures=pictures)], 1.0)
        assert "\n" not in str(told.value)
    blind = dataclasses.replace(policy, reader=None)
    with pytest.raises(InputError, match="takes no pictures"):
        blind.scores([Trajectory(prompt, (5,), pictures=(WIDE,))], 1.0)


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    """The project's own pictures, and one that shows two."""
    found = []
    for index in range(4):
        problem = benchgen.make("sheet_music/interval_name", split="train", index=index, level=1)
        found.append(Question(problem, tuple(problem.messages("image")), problem.images()))
    two = {"role": "user", "content": [PICTURE, *text("perhaps"), PICTURE]}
    found.append(dataclasses.replace(found[0], messages=(two,), images=(WIDE, TALL)))
    return found


def engine_of(policy: Policy) -> TransformersEngine:
    loaded = LoadedModel("tiny", policy.model, policy.tokenizer, policy.processor)
    return TransformersEngine(loaded, window=64)


def rolled_out(policy: Policy, questions: Sequence[Question]) -> tuple[Group, ...]:
    return draw_groups(
        engine_of(policy), list(enumerate(questions)), REWARDS, samples=6, temperature=1.0,
        max_tokens=5, seed=1,
    ).groups  # fmt: skip


@pytest.mark.parametrize("kind", UNSHARED)
def test_rollouts_saw_the_pictures_that_the_policy_learns_from(
    kind: str, questions: list[Question]
) -> None:
    policy = made(kind, torch.float32)
    assert policy.reader is not None
    groups = rolled_out(policy, questions)
    assert [len(group) for group in groups] == [6] * len(questions)
    drawn = [one.trajectory for group in groups for one in group]
    for group, question in zip(groups, questions, strict=True):
        words = policy.reader.words(question.messages, asks=True)
        assert group[0].prompt == policy.reader.token_ids(words, question.images)
        assert all(one.pictures is question.images for one in group)
    # Image tokens among what was said are words.
    token = policy.reader.image_token
    assert any(token in one.reply for one in drawn)
    for unshared in {policy.unshared, "so"}:
        scores = dataclasses.replace(policy, unshared=unshared).scores(drawn, 1.0)
        for number, one in enumerate(drawn):
            sampled = torch.tensor(one.logprobs)
            found = scores.logp[number, : len(sampled)]
            torch.testing.assert_close(found, sampled, atol=1e-4, rtol=0)
    swapped = [
        dataclasses.replace(one, pictures=tuple(flipped(picture) for picture in one.pictures))
        for one in drawn
    ]
    others = policy.scores(swapped, 1.0).logp.detach()
    for number, one in enumerate(drawn):
        sampled = torch.tensor(one.logprobs)
        assert float((others[number, : len(sampled)] - sampled).abs().max()) > 1e-3


@pytest.mark.parametrize("most", [1, 100_000])
def test_what_hangs_on_a_picture_is_read_with_it_blackened_for_each_reply(
    policy: Policy, questions: list[Question], most: int
) -> None:
    rows = [one for group in rolled_out(policy, questions)[-2:] for one in group]
    rows[3] = dataclasses.replace(rows[3], pictures=())
    rows[3] = dataclasses.replace(rows[3], prompt=asked(policy)[1])
    objective = resolve("vppo", visual_patch=8)
    found = {}
    for dependency in ("k3", "kl"):
        chosen = dataclasses.replace(objective, visual_dependency=dependency)
        course = Course(micro_tokens=most)
        found |= all_masked_images(policy, rows, chosen, 2, 0.7, course, Ranks())
    logp, divergence = found["logp_masked_image"], found["kl_masked_image"]
    for number, one in enumerate(rows):
        length = len(one.tokens)
        if number == 3:
            assert bool(torch.isnan(logp[3]).all() and torch.isnan(divergence[3]).all())
            continue
        pictures = blackened(one.trajectory, one.seed, 2, patch=8, chance=0.5)
        dark = dataclasses.replace(one.trajectory, pictures=pictures)
        whole, black = (spoken(policy, each, 0.7) for each in (one.trajectory, dark))
        at = range(length), list(one.tokens)
        torch.testing.assert_close(logp[number, :length], black[at], atol=1e-6, rtol=0)
        expected = (whole.exp() * (whole - black)).sum(-1)
        torch.testing.assert_close(divergence[number, :length], expected, atol=1e-6, rtol=0)
        assert float((black - whole).abs().max()) > 1e-4
        assert bool((logp[number, length:] == 0).all())


@pytest.mark.parametrize("dependency", ["k3", "kl"])
def test_blackened_pictures_drive_out_no_picture_that_comes_again(
    policy: Policy, questions: list[Question], dependency: str
) -> None:
    rows = [one for group in rolled_out(policy, questions) for one in group]
    own = {picture for one in rows for picture in one.pictures}
    assert policy.reader is not None
    prepared: list[Any] = []
    processor = policy.processor

    class Counted:
        def __call__(self, **given: Any) -> Any:
            prepared.append(given["images"])
            return processor(**given)

        def __getattr__(self, name: str) -> Any:
            return getattr(processor, name)

    policy.reader.processor = Counted()
    policy.scores([one.trajectory for one in rows], 1.0)
    # From now on there is room for no more than these.
    policy.reader._room = policy.reader._held
    prepared.clear()
    objective = resolve("vppo", visual_patch=8, visual_dependency=dependency)
    for step in (1, 2):
        all_masked_images(policy, rows, objective, step, 1.0, Course(micro_tokens=400), Ranks())
    dark = {
        picture
        for step in (1, 2)
        for one in rows
        for picture in blackened(one.trajectory, one.seed, step, patch=8, chance=0.5)
    }
    assert len(prepared) == len(dark) > 2 * len(own)
    policy.scores([one.trajectory for one in rows], 1.0)
    assert len(prepared) == len(dark)


def spoken(policy: Policy, one: Trajectory, temperature: float) -> Tensor:
    """Log-probabilities of all words at each of a reply's tokens, read alone, ``[T, V]``."""
    _, states = reply_states(policy.model, [one], policy)
    scores = policy.model.get_output_embeddings()(states) / temperature
    return torch.log_softmax(scores, -1).detach()


def test_a_step_learns_from_the_tokens_that_hang_on_their_pictures(
    policy: Policy, questions: list[Question]
) -> None:
    groups = [
        [dataclasses.replace(one, reward=float(one.sample % 2)) for one in group]
        for group in rolled_out(policy, questions)
    ]
    objective = resolve("vppo", correction="truncate", visual_patch=8)
    once = Optimization(steps=1, learning_rate=1e-2)
    optimizer = Optimizer(policy.model.named_parameters(), once)
    figures = learn(
        policy, groups, objective, State(1, 3), optimizer, PRACTICE, Course(micro_tokens=400),
        rate_step=0,
    )  # fmt: skip
    lengths = [len(one.tokens) for group in groups for one in group]
    kept = sum(-(-2 * length // 5) for length in lengths)
    assert figures["visual_kept"] == pytest.approx(kept / sum(lengths), abs=1e-6)
    assert figures["visual_dependency"] > 0 and figures["visual_shaping_most"] > 1
    assert figures["nll"] > 0 and figures["gradient_norm"] > 0


def test_a_step_on_pictures_can_be_learned_again_from_its_journal(
    policy: Policy, questions: list[Question], tmp_path: Path
) -> None:
    begun = {name: value.clone() for name, value in policy.model.state_dict().items()}
    one = Optimization(steps=2, learning_rate=1e-2)
    course = Course(micro_tokens=400, seed=3)
    asked = questions[:4]
    # What is right is hardly ever said at first.
    rewards = [*REWARDS, Reward("odd", 0.5, lambda _, said: float(sum(said.token_ids) % 2))]
    trained = train(
        policy, engine_of(policy), Listed(asked, 3), rewards, DAPO, tmp_path, practice=PRACTICE,
        course=course, optimization=one,
    )  # fmt: skip
    assert trained.steps == 2
    for line in map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines()):
        assert line["optimizer_steps"] == 1 and line["gradient_norm"] > 0
        assert line["mismatch_largest"] < 1e-4
    with pytest.raises(InputError, match="not among the questions' pictures"):
        read_rollouts(tmp_path, 1, [dataclasses.replace(one, images=(WIDE,)) for one in asked])
    read = read_rollouts(tmp_path, 1)
    with pytest.raises(InputError, match="for its 0 pictures"):
        policy.scores([read[0][0].trajectory], 1.0)
    policy.model.load_state_dict(begun)
    optimizer = Optimizer(policy.model.named_parameters(), one)
    for step in (1, 2):
        groups = read_rollouts(tmp_path, step, asked)
        assert all(one.pictures for group in groups for one in group)
        learn(
            policy, groups, DAPO, State(step, 3), optimizer, PRACTICE, course, rate_step=step - 1
        )
    policy.model.save_pretrained(tmp_path / "again")
    written = (trained.checkpoint / "model.safetensors").read_bytes()
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == written
    eyes = [n for n, v in policy.model.state_dict().items() if not torch.equal(v, begun[n])]
    assert any("vision_model" in name for name in eyes)


def test_what_can_only_be_seen_is_learned(policy: Policy, tmp_path: Path) -> None:
    assert policy.reader is not None
    prompt = asked(policy, WIDE)[1]
    seen = [(WIDE, 5), (OTHER, 6), (flipped(WIDE), 7), (flipped(OTHER), 8)]
    examples = [Trajectory(prompt, (said, 1), pictures=(picture,)) for picture, said in seen]
    optimization = Optimization(steps=20, learning_rate=1e-2)
    trained = imitate(policy, examples, tmp_path, optimization, Course(), 4)
    lines = [json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 20
    # Blind, nobody comes below log(4) a picture: 0.69 a token.
    assert lines[-1]["loss"] < 0.3 < 1.5 < lines[0]["loss"]
    # What was saved sees as well, wherever it is opened.
    again = load_policy(str(trained.checkpoint))
    assert again.unshared == "" and again.processor is not None
    engine = TransformersEngine(str(trained.checkpoint))
    message = {"role": "user", "content": [PICTURE, *text("perhaps")]}
    problem = benchgen.make("sheet_music/interval_name", split="train", index=0, level=1)
    asking = [Question(problem, (message,), (picture,)) for picture, _ in seen]
    groups = draw_groups(
        engine, list(enumerate(asking)), REWARDS, samples=2, temperature=0.01, max_tokens=2, seed=1
    ).groups
    assert [group[0].tokens for group in groups] == [(said, 1) for _, said in seen]
    torch.testing.assert_close(
        again.scores(examples, 1.0).logp, policy.scores(examples, 1.0).logp, atol=1e-5, rtol=0
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "train"
    plan = make_plan(
        "sheet_music", split="train", count=6, seed=1, tasks=["interval_name"], levels=[1],
        modalities=["text", "image"],
    )  # fmt: skip
    synthesize(plan, folder)
    return folder


def test_examples_show_their_pictures(policy: Policy, data: Path, tmp_path: Path) -> None:
    examples, longer = read_examples(data, policy, modality="image", replies="answer")
    assert (len(examples), longer) == (6, 0)
    assert policy.reader is not None
    for one in examples:
        assert len(one.pictures) == 1
        policy.reader.check(one)
        assert policy.tokenizer.decode(one.reply).split()[-1] == "<end>"
    worded, _ = read_examples(data, policy, modality="text", replies="answer")
    assert not any(one.pictures for one in worded)
    imitate(policy, examples, tmp_path, Optimization(steps=20, learning_rate=3e-3), Course(), 3)
    lines = [json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]
    # Pictures take places of the context, too.
    lengths = sorted(len(one.prompt) + len(one.reply) for one in examples)
    policy.model.config.get_text_config().max_position_embeddings = lengths[-1] - 1
    short, longer = read_examples(data, policy, modality="image", replies="answer")
    assert longer == lengths.count(lengths[-1]) and len(short) == 6 - longer


def test_a_policy_without_eyes_says_so(
    make_model: Callable[..., Any], tokenizer: Any, data: Path
) -> None:
    blind = Policy(make_model(), tokenizer)
    with pytest.raises(InputError, match="takes no pictures: its modality is text, not 'image'"):
        read_examples(data, blind, modality="image", replies="answer")


def test_examples_of_words_are_the_same_by_the_processor_and_the_tokenizer(policy: Policy) -> None:
    messages = [{"role": "user", "content": "A perhaps B"}]
    mine = trajectory(policy.tokenizer, messages, "C", {1}, reader=policy.reader)
    plain = tokenizer_with([])
    plain.chat_template = (
        "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }} "
        "{% if message['role'] == 'assistant' %}<end> {% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    assert mine == trajectory(plain, messages, "C", {1})
