"""The proofs for GPUs: those that need none are given here, the others where there is one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from finetune import gpu_proof, log_probabilities
from finetune.gpu_proof import Proof, main, scores_in_chunks, shared_rows, weights_in_parts
from finetune.peak_memory import peak_memory

MakeModel = Callable[..., Any]


@pytest.fixture
def model(tmp_path: Path, make_model: MakeModel, tokenizer: Any) -> str:
    folder = tmp_path / "model"
    made = make_model(
        dtype=torch.float32, vocab_size=10, eos_token_id=1, max_position_embeddings=512
    )
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_rows_that_share_a_prompt_are_proved_the_same(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = shared_rows(model)
    assert proof.passed and 0 < proof.figures["gradient_difference"] < 1e-4
    sees = log_probabilities.pack

    def without_mask(*given: Any, **named: Any) -> Any:
        return dataclasses.replace(sees(*given, **named), sees=None)

    monkeypatch.setattr(gpu_proof, "load_policy", lambda name: _shared(model))
    monkeypatch.setattr(log_probabilities, "pack", without_mask)
    proof = shared_rows(model)
    assert proof.passed is False and proof.figures["largest_difference"] > 1e-3


def _shared(model: str) -> Any:
    from finetune.policy import load_policy

    return dataclasses.replace(load_policy(model), unshared="")


def test_scores_in_chunks_are_proved_to_take_no_more_for_more_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proof = scores_in_chunks("cpu", places=2048, width=8, vocabulary=500)
    assert proof.passed, proof
    # Log-probabilities, their gradient and the like: 512 places of 500 words, in single precision.
    assert proof.figures["chunks_2048"] < 6 * 512 * 500 * 4 < proof.figures["at_once_1024"]
    monkeypatch.setattr(log_probabilities, "CHUNK", 10_000)
    assert scores_in_chunks("cpu", places=2048, width=8, vocabulary=500).passed is False


def test_memory_is_counted_as_it_comes_and_goes() -> None:
    kept = torch.ones(1000)
    with peak_memory("cpu") as height:
        for _ in range(3):
            double = kept + kept
            double.add_(1.0)
            _ = double[:10]
            del double, _
        assert height() == 4000
        pair = [kept * 2, kept * 3]
    assert height() == 8000 and len(pair) == 2


@pytest.mark.slow
def test_weights_in_parts_are_proved_to_end_where_whole_ones_do(tmp_path: Path, model: str) -> None:
    proof = weights_in_parts(tmp_path, model=model, micro_tokens=150)
    if torch.cuda.device_count() == 1:
        assert proof == Proof("weights_in_parts", None, reason="needs 2 GPUs, there is 1")
        return
    assert proof.passed and proof.figures["difference"] < 1e-3, proof


def test_without_a_gpu_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--out", str(tmp_path / "proof.json")]) == 2
    assert capsys.readouterr().err == "there is no GPU here: nothing was proved\n"
    assert not (tmp_path / "proof.json").exists()


def test_a_proof_that_breaks_fails_and_the_others_are_still_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = []

    def breaks(*given: Any, **named: Any) -> Proof:
        raise RuntimeError("no\nroom")

    def another(name: str) -> Callable[..., Proof]:
        def prove(*given: Any, **named: Any) -> Proof:
            tried.append(name)
            return Proof(name, None if name == "weights_in_parts" else True, {"bytes": 1.5})

        return prove

    for name in (
        "scores_in_chunks", "weights_in_parts", "weights_handed_over", "sleep_and_wake",
        "mismatch_in_bfloat16", "out_of_memory",
    ):  # fmt: skip
        monkeypatch.setattr(gpu_proof, name, another(name))
    monkeypatch.setattr(gpu_proof, "shared_rows", breaks)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu_proof, "_machine", lambda model: {"model": model, "devices": []})
    assert main(["--out", str(tmp_path / "proof.json")]) == 1
    record = json.loads((tmp_path / "proof.json").read_text())
    first, *others = record["proofs"]
    assert first == {
        "name": "breaks", "passed": False, "figures": {}, "reason": "RuntimeError: no room"
    }  # fmt: skip
    assert [proof["name"] for proof in others] == tried and len(tried) == 6
    assert "breaks: FAILS. RuntimeError: no room" in capsys.readouterr().err
    monkeypatch.setattr(gpu_proof, "shared_rows", another("shared_rows"))
    assert main(["--out", str(tmp_path / "proof.json")]) == 0


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize(
    "prove",
    [
        lambda folder: shared_rows(),
        lambda folder: scores_in_chunks("cuda"),
        lambda folder: weights_in_parts(folder),
        lambda folder: gpu_proof.weights_handed_over(),
        lambda folder: gpu_proof.sleep_and_wake(),
        lambda folder: gpu_proof.mismatch_in_bfloat16(),
        lambda folder: gpu_proof.out_of_memory(folder),
    ],
    ids=[
        "packing", "memory", "fsdp2", "hand-over", "sleep", "bfloat16", "out of memory",
    ],
)  # fmt: skip
def test_on_a_gpu(prove: Callable[[Path], Proof], tmp_path: Path) -> None:
    proof = prove(tmp_path)
    if proof.passed is None:
        pytest.skip(proof.reason)
    assert proof.passed, proof
