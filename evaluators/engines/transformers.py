"""Transformers in this process: for models that vLLM does not run, and machines without it.

Conventions
-----------
* Requests run in batches of up to ``window``, padded on the left; a Response is yielded when
  its reply is finished, and the next batch begins when the last of this one is. Requests
  with pictures and requests without run apart.
* Transformers' ``generate`` runs the model and keeps its cache, so that whatever it can run
  runs here; which token comes next is decided here, row by row, from each request's own seed.
  The same seed gives the same tokens as long as the logits are the same; batches of another
  composition may round them differently.
* Log-probabilities are those of the sampled tokens after temperature and truncation; for
  temperature 0 those of the model, at temperature 1.
* Only what is wrong with one request becomes an error Response. What stops the model (no
  memory left, say) raises.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import io
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchgen.errors import InputError
from benchgen.problem import Message, Response
from evaluators.engine import Request
from evaluators.engines.pictures import on_white, with_pictures
from evaluators.engines.smollm2 import NAME, model_path
from evaluators.engines.vllm_environment import has_bfloat16

if TYPE_CHECKING:
    from evaluators.engines.growing_reply import GrowingReply

CPU_WINDOW = 8
GPU_WINDOW = 32


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A request as the model reads it: token ids, or words with pictures among them."""

    request: Request
    token_ids: tuple[int, ...] = ()
    words: str = ""
    pictures: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model of Transformers that is in memory; ``processor`` is None if it reads text alone."""

    name: str
    model: Any
    tokenizer: Any
    processor: Any = None


class TransformersEngine:
    """Transformers on ``model``: ``smollm2``, a folder, a Hub id, or one that is loaded.

    One that is loaded stays where it is and as it is, and may be trained between replies.

    A GPU is used if there is one. ``window`` is how many requests run at once, ``dtype``
    torch's name of a precision or ``"auto"`` for the model's own, ``context_length`` in
    tokens, None for as many as the model has.

    Raises
    ------
    InputError
        Transformers is not installed, the model is none that it can load, or a setting is
        out of range.
    """

    def __init__(
        self,
        model: str | LoadedModel,
        *,
        window: int | None = None,
        dtype: str = "auto",
        context_length: int | None = None,
    ) -> None:
        if window is not None and window < 1:
            raise InputError(f"a window holds at least one request, not {window}")
        try:
            import torch
        except ImportError as error:
            raise InputError(f"the transformers engine is not installed here: {error}") from error
        self._torch: Any = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._window = window or (CPU_WINDOW if self._device == "cpu" else GPU_WINDOW)
        loaded = _load(torch, model, dtype, self._device) if isinstance(model, str) else model
        self._name, self._model = loaded.name, loaded.model
        self._tokenizer, self._processor = loaded.tokenizer, loaded.processor
        self._known = int(self._model.get_input_embeddings().weight.shape[0])
        self._pad = _pad(self._tokenizer, self._known)
        self._ends = _ends(self._tokenizer, self._model.generation_config)
        own = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        self._context_length = _context_length(context_length, own)
        # Rows that are done go on beside the others, but to no place that the model lacks.
        self._model.register_forward_pre_hook(_within(self._context_length), with_kwargs=True)

    @property
    def name(self) -> str:
        """The model's name as it was given; a folder's own name, without its path."""
        return self._name

    @property
    def window(self) -> int:
        """How many requests run at once."""
        return self._window

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answer the requests, each as it finishes; what is unfinished on leaving is dropped."""
        waiting = iter(requests)
        with _as_asked(self._model):
            while batch := list(itertools.islice(waiting, self._window)):
                yield from self._answer(batch)

    def _answer(self, batch: Sequence[Request]) -> Iterator[Response]:
        from evaluators.engines.batch_decoding import decode

        began = time.monotonic()
        prompts: list[_Prompt] = []
        for request in batch:
            try:
                prompts.append(self._prompt(request))
            except Exception as error:  # noqa: BLE001
                # A model's own template may raise anything at all.
                yield _failed(request, _one_line(error), began)
        for pictured in (False, True):
            group = [prompt for prompt in prompts if bool(prompt.pictures) == pictured]
            for encoded in self._encode(group, began):
                if isinstance(encoded, Response):
                    yield encoded
                else:
                    replies, inputs = encoded
                    for reply in decode(self._model, self._placed(inputs), replies, self._pad):
                        yield reply.response()

    def describe(self) -> Mapping[str, Any]:
        """Versions, device and settings."""
        on_cpu = self._device == "cpu"
        return {
            "engine": "transformers",
            "model": self._name,
            "torch": importlib.metadata.version("torch"),
            "transformers": importlib.metadata.version("transformers"),
            "device": "cpu" if on_cpu else str(self._torch.cuda.get_device_name()),
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "context_length": self._context_length,
            "window": self._window,
            "logprobs": "processed",
            "images": self._processor is not None,
        }

    def close(self) -> None:
        """Free the model."""
        self._model = None
        if self._device == "cuda":
            self._torch.cuda.empty_cache()

    def _prompt(self, request: Request) -> _Prompt:
        """What the model is to read.

        Raises
        ------
        Exception
            Whatever is wrong with the request.
        """
        from evaluators.engines.growing_reply import check_sampling

        check_sampling(request.sampling)
        if bool(request.messages) == bool(request.prompt_token_ids):
            raise ValueError("a request holds either messages or token ids")
        if request.prompt_token_ids:
            if request.images:
                raise ValueError("pictures go with messages, not with token ids")
            return _Prompt(request, request.prompt_token_ids)
        if request.images and self._processor is None:
            raise ValueError(f"{self._name} takes no pictures")
        pictures: list[Any] = []

        def part(encoded: bytes) -> dict[str, Any]:
            pictures.append(on_white(encoded))
            return {"type": "image"}

        messages = with_pictures(request.messages, request.images, part)
        goes_on = request.messages[-1].get("role") == "assistant"
        words = (self._processor or self._tokenizer).apply_chat_template(
            [_in_form(message, self._processor is not None) for message in messages],
            tokenize=False,
            add_generation_prompt=not goes_on,
            continue_final_message=goes_on,
        )
        if pictures:
            return _Prompt(request, words=words, pictures=tuple(pictures))
        # The template writes the special tokens itself; they must not be added again.
        token_ids = self._tokenizer(words, add_special_tokens=False)["input_ids"]
        return _Prompt(request, tuple(token_ids))

    def _reply(self, request: Request, token_ids: Sequence[int]) -> GrowingReply:
        """The reply to begin.

        Raises
        ------
        ValueError
            The prompt is empty, too long, or holds an unknown token.
        """
        from evaluators.engines.growing_reply import GrowingReply

        if not token_ids:
            raise ValueError("the prompt is empty")
        # On a GPU an unknown token would end the whole process.
        if not all(0 <= token < self._known for token in token_ids):
            raise ValueError(f"a token id is outside the vocabulary of {self._known}")
        room = self._context_length - len(token_ids)
        if room < 1:
            raise ValueError(
                f"the prompt has {len(token_ids)} tokens; "
                f"the context length of {self._context_length} leaves no room for a reply"
            )
        return GrowingReply(request, token_ids, room, self._ends, self._text)

    def _text(self, token_ids: Sequence[int]) -> str:
        # Marks of thoughts are special tokens in some models: unseen, thoughts would be answers.
        return str(
            self._tokenizer.decode(
                token_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def _encode(
        self, prompts: Sequence[_Prompt], began: float
    ) -> Iterator[Response | tuple[list[GrowingReply], Any]]:
        """The prompts as batches for the model, and the Responses of those that cannot be."""
        if not prompts:
            return
        try:
            inputs = self._inputs(prompts)
        except Exception as error:  # noqa: BLE001
            # Processors raise anything at all. The culprit is found by halving.
            if len(prompts) == 1:
                yield _failed(prompts[0].request, _one_line(error), began)
                return
            middle = len(prompts) // 2
            yield from self._encode(prompts[:middle], began)
            yield from self._encode(prompts[middle:], began)
            return
        fitting: list[_Prompt] = []
        replies: list[GrowingReply] = []
        rows = zip(inputs["input_ids"], inputs["attention_mask"].bool(), strict=True)
        for prompt, (ids, mask) in zip(prompts, rows, strict=True):
            try:
                replies.append(self._reply(prompt.request, ids[mask].tolist()))
                fitting.append(prompt)
            except ValueError as error:
                yield _failed(prompt.request, _one_line(error), began)
        if len(fitting) < len(prompts):
            yield from self._encode(fitting, began)
        else:
            yield replies, inputs

    def _inputs(self, prompts: Sequence[_Prompt]) -> Any:
        """The model's inputs, one row a prompt, padded on the left."""
        if prompts[0].pictures:
            return self._processor(
                text=[prompt.words for prompt in prompts],
                images=[list(prompt.pictures) for prompt in prompts],
                padding=True,
                padding_side="left",
                add_special_tokens=False,
                return_tensors="pt",
            )
        longest = max(len(prompt.token_ids) for prompt in prompts)
        gaps = [longest - len(prompt.token_ids) for prompt in prompts]
        ids = [[self._pad] * gap + list(p.token_ids) for p, gap in zip(prompts, gaps, strict=True)]
        mask = [[0] * gap + [1] * (longest - gap) for gap in gaps]
        tensor = self._torch.tensor
        return {"input_ids": tensor(ids), "attention_mask": tensor(mask)}

    def _placed(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs where the model is; what is no whole number in its precision."""
        return {
            name: value.to(
                self._device, self._model.dtype if value.is_floating_point() else value.dtype
            )
            for name, value in inputs.items()
        }


def _precision(torch: Any, dtype: str, device: str) -> Any:
    """What the loader is told of the precision.

    Raises
    ------
    InputError
        Torch has no such precision.
    """
    if dtype == "auto":
        # Without the instructions bfloat16 would be emulated.
        return "float32" if device == "cpu" and not has_bfloat16() else "auto"
    precision = getattr(torch, dtype, None)
    if not isinstance(precision, torch.dtype) or not precision.is_floating_point:
        raise InputError(f"no precision {dtype!r}; there is: auto, float32, bfloat16, float16")
    return precision


def _load(torch: Any, name: str, dtype: str, device: str) -> LoadedModel:
    path = model_path(name)
    is_folder = Path(path).is_dir()
    precision = _precision(torch, dtype, device)
    try:
        import transformers

        # The loader draws its bars on stderr, whatever it is told; its errors are raised.
        with redirect_stderr(io.StringIO()):
            loaded = _load_parts(transformers, path, precision, local_files_only=is_folder)
    except ImportError as error:
        raise InputError(f"the transformers engine is not installed here: {error}") from error
    except Exception as error:  # noqa: BLE001
        # A model's configuration and code may fail in any way.
        raise InputError(f"cannot load the model {name!r}: {_one_line(error)}") from error
    loaded.model.to(device).eval()
    shown = Path(path).name if is_folder and name != NAME else name
    return dataclasses.replace(loaded, name=shown)


def _load_parts(
    transformers: Any, path: str, precision: Any, local_files_only: bool
) -> LoadedModel:
    source: dict[str, Any] = {"local_files_only": local_files_only}
    config = transformers.AutoConfig.from_pretrained(path, **source)
    if type(config) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        kind = transformers.AutoModelForImageTextToText
        processor = transformers.AutoProcessor.from_pretrained(path, **source)
        tokenizer = processor.tokenizer
    else:
        kind = transformers.AutoModelForCausalLM
        processor = None
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, **source)
    model = kind.from_pretrained(path, dtype=precision, **source)
    return LoadedModel(path, model, tokenizer, processor)


@contextmanager
def _as_asked(model: Any) -> Iterator[None]:
    """Let replies be drawn as they are asked for, and put everything back.

    What a model's authors recommend (a penalty, say) is not what was asked for.
    """
    recommended, training = model.generation_config, model.training
    model.generation_config = type(recommended)()
    model.eval()
    try:
        yield
    finally:
        model.generation_config = recommended
        model.train(training)


def _pad(tokenizer: Any, known: int) -> int:
    """What fills the rows of a batch; it is masked, so that any of the ``known`` tokens would do.

    Some tokenizers were given one that the model was not.
    """
    own = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return int(next(token for token in own if token is not None and token < known))


def _ends(tokenizer: Any, generation: Any) -> frozenset[int]:
    """The tokens that end a turn, after the tokenizer and after the model's authors."""
    given = generation.eos_token_id
    ends = {*(given if isinstance(given, list | tuple) else [given]), tokenizer.eos_token_id}
    return frozenset(int(token) for token in ends if token is not None)


def _context_length(wanted: int | None, own: int | None) -> int:
    """How many tokens a prompt and its reply may have.

    Raises
    ------
    InputError
        More are wanted than the model has, or fewer than two, or it is not known.
    """
    length = wanted if wanted is not None else own
    if length is None:
        raise InputError("the model does not say how long its context is: give a context length")
    if length < 2 or (own is not None and length > own):
        raise InputError(f"a context length is 2 to {own or 'any number of'} tokens, not {length}")
    return int(length)


def _within(length: int) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """A hook that holds the places of tokens below ``length``."""

    def hold(_: Any, arguments: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        places = inputs.get("position_ids")
        if places is not None:
            inputs = {**inputs, "position_ids": places.clamp(max=length - 1)}
        return arguments, inputs

    return hold


def _in_form(message: Message, pictured: bool) -> Message:
    """The message as templates take it: a list of parts, or for text alone a string."""
    content = message.get("content")
    if pictured and isinstance(content, str):
        content = [{"type": "text", "text": content}]
    elif not pictured and isinstance(content, list):
        content = "\n".join(part["text"] for part in content)
    return {**message, "content": content}


def _failed(request: Request, why: str, began: float) -> Response:
    seconds = time.monotonic() - began
    return Response(request.id, "", finish_reason="error", seconds=seconds, error=why)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
