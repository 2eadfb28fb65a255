"""TRL's trainer learns by our objectives what our own layer makes of the same replies."""

from __future__ import annotations

import gc
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import GRPOConfig, GRPOTrainer

from benchgen.errors import InputError
from finetune.diversity import diversities
from finetune.integrations.trl import REPLACED, SHOWN, ObjectiveTrainer, check_expressible
from finetune.log_probabilities import TokenScores, token_scores
from finetune.objectives import (
    RolloutBatch,
    Settings,
    State,
    loss,
    names,
    prepare,
    resolve,
)
from finetune.trajectory import Trajectory
from tests.finetune.integrations.trl_run import (
    LONGEST,
    SAMPLES,
    Seen,
    build,
    make_model,
    make_tokenizer,
    replies,
    run,
    wanted,
    worth,
)

ROOT = Path(__file__).resolve().parents[3]
PRESETS = [name for name in names() if name not in ("ppo", "siren", "vppo", "exgrpo")]
OVERRIDDEN = ("_calculate_rewards", "_generate_and_score_completions", "_compute_loss")
BOUND = 1e-5


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRL calls home unless it is told that it is tested."""
    monkeypatch.setenv("CI", "1")
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")


@pytest.fixture(autouse=True, scope="module")
def imported() -> Iterator[None]:
    """TRL collects garbage in every run, which takes most of its time among so many modules."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference model."""
    path = tmp_path_factory.mktemp("reference")
    make_model(1).save_pretrained(path)
    make_tokenizer().save_pretrained(path)
    return path


def scores(model: Any, generation: int) -> TokenScores:
    trajectories = [Trajectory(r.prompt, r.tokens) for r in replies(generation)]
    return token_scores(model, trajectories, temperature=1.0, shared=False)


def direct(
    objective: Settings, seen: Seen, step: int, *, steps: int = 1, rows: Any = None,
    correction: bool = False, given: bool = False,
) -> tuple[float, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Loss, gradient and advantages of an optimizer step by our layer alone.

    Each generation is learned from in ``steps`` optimizer steps.
    """
    model = make_model(0)
    generation = step // steps * steps
    model.load_state_dict(seen.weights[generation])
    with torch.no_grad():
        before, reference = scores(model, generation), scores(make_model(1), generation).logp
        old = before.logp
    model.load_state_dict(seen.weights[step])
    made = replies(generation, given)
    mask, engine = torch.zeros_like(old), torch.zeros_like(old)
    for number, one in enumerate(made):
        mask[number, : len(one.tokens)] = torch.tensor(one.chosen, dtype=mask.dtype)
        engine[number, : len(one.tokens)] = torch.tensor(one.logprobs)
    rewards = torch.tensor([worth(one) for one in made])
    group = torch.arange(len(made)) // SAMPLES
    texts = [make_tokenizer().decode(one.tokens, skip_special_tokens=True) for one in made]
    apart = diversities(objective, texts, [r >= 1 for r in rewards.tolist()], group.tolist())
    batch = RolloutBatch(
        logp_new=old,
        logp_old=old,
        mask=mask,
        rewards=rewards,
        group=group,
        logp_ref=reference,
        logp_rollout=engine if correction else None,
        truncated=torch.tensor([len(one.tokens) == LONGEST for one in made]),
        entropy=before.entropy,
        scores={name: torch.tensor(values) for name, values in apart.items()},
    )
    plan = prepare(objective, batch, State(generation + 1, 3))
    index = torch.arange(len(made)) if rows is None else rows
    some = RolloutBatch(
        scores(model, generation).logp[index], *(
            getattr(batch, name)[index]
            for name in ("logp_old", "mask", "rewards", "group", "logp_ref")
        ),
    )  # fmt: skip
    mine = plan.rows(index)
    found = loss(mine, some, mine.totals)
    found.loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    return float(found.loss.detach()), gradient, plan.advantages


def compare(objective: Settings, seen: Seen, **how: Any) -> None:
    assert len(seen.gradients) == len(seen.losses) >= 2
    for step, gradient in enumerate(seen.gradients):
        value, expected, advantages = direct(objective, seen, step, rows=seen.rows[step], **how)
        assert float(expected.norm()) > 0
        assert float((gradient - expected).norm() / expected.norm()) < BOUND, step
        # A loss of ratios of 1 is what is left of a sum that cancels.
        assert seen.losses[step] == pytest.approx(value, rel=BOUND, abs=1e-6)
        torch.testing.assert_close(seen.advantages[step], advantages, rtol=BOUND, atol=1e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_a_second_update_on_the_same_replies_is_ours_in_any_micro_batches(
    folder: Path, name: str
) -> None:
    objective = wanted(name)
    for accumulation in (1, 2, 4):
        seen = run(objective, folder, accumulation=accumulation, iterations=2, correction=True)
        compare(objective, seen, steps=2, correction=True)


@pytest.mark.parametrize("name", PRESETS)
def test_replies_that_are_learned_from_once_need_no_old_log_probabilities(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    scored = GRPOTrainer._get_per_token_logps_and_entropies

    def counted(*given: Any, **named: Any) -> Any:
        passes.append(torch.is_grad_enabled())
        return scored(*given, **named)

    monkeypatch.setattr(GRPOTrainer, "_get_per_token_logps_and_entropies", counted)
    objective = wanted(name)
    compare(objective, run(objective, folder, accumulation=2))
    read_before = name in ("clip_cov", "kl_cov", "canon")
    needs_reference = name == "reinforce_pp"
    assert passes.count(True) == 4
    assert passes.count(False) == 2 * (read_before + 2 * needs_reference)


@pytest.mark.parametrize("name", ["grpo", "dapo", "dr_grpo", "gspo", "reinforce_pp_baseline"])
@pytest.mark.parametrize("count_truncated", [False, True])
def test_cut_replies_and_tokens_of_tools_are_left_out_and_divergences_are_ours(
    folder: Path, name: str, count_truncated: bool
) -> None:
    objective = wanted(
        name, mask_truncated=True, count_truncated=count_truncated, kl_coef=0.1, kl_ratio=True
    )
    seen = run(objective, folder, accumulation=2, iterations=2, given=True)
    compare(objective, seen, steps=2, given=True)


@pytest.mark.parametrize("name", ["grpo", "dapo", "dr_grpo", "opo"])
def test_a_generation_in_two_optimizer_steps_is_normalized_by_the_rows_of_each(
    folder: Path, name: str
) -> None:
    objective = wanted(name)
    seen = run(objective, folder, accumulation=2, parts=2)
    assert sorted(torch.cat(seen.rows).tolist()) == list(range(8))
    assert seen.rows[0].tolist() != [0, 1, 2, 3]  # TRL shuffles
    compare(objective, seen, steps=2)


@pytest.mark.slow
def test_two_processes_learn_from_their_own_rows_by_the_statistics_of_all(
    folder: Path, tmp_path: Path
) -> None:
    chosen = ["dapo", "dr_grpo", "lite_ppo", "reinforce_pp_baseline", "kl_cov", "canon", "diver"]
    script = Path(__file__).parent / "trl_run.py"
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         str(script), str(folder), str(tmp_path), *chosen],
        check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=600,
    )  # fmt: skip
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name in chosen:
        one, other = (Seen(**found[name]) for found in ranks)
        for step in range(2):
            rows = torch.cat([one.rows[step], other.rows[step]])
            assert len(set(rows.tolist())) == 4
            one.rows[step] = rows
            assert torch.equal(one.gradients[step], other.gradients[step])
        compare(wanted(name), one, steps=2, correction=True)


def test_evaluation_leaves_what_was_prepared_for_training_alone(folder: Path) -> None:
    from datasets import Dataset

    objective = wanted("dapo")
    seen = Seen()
    trainer = build(
        objective, folder, seen, accumulation=2, parts=2, per_device_eval_batch_size=8,
        eval_strategy="steps", eval_steps=1, data={"eval_dataset": Dataset.from_dict(
            {"prompt": ["C", "D"]})},
    )  # fmt: skip
    trainer.train()
    compare(objective, seen, steps=2)
    evaluated = [line["eval_loss"] for line in trainer.state.log_history if "eval_loss" in line]
    assert len(evaluated) == 2


def test_trl_calls_what_is_overridden_and_has_the_methods_that_are_called(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, int] = {}

    def counted(name: str) -> Any:
        whole = getattr(ObjectiveTrainer, name)

        def call(self: Any, *given: Any, **named: Any) -> Any:
            calls[name] = calls.get(name, 0) + 1
            return whole(self, *given, **named)

        return call

    for name in OVERRIDDEN:
        monkeypatch.setattr(ObjectiveTrainer, name, counted(name))
    run(wanted("grpo"), folder, accumulation=4)
    assert calls == {
        "_calculate_rewards": 2, "_generate_and_score_completions": 2, "_compute_loss": 8
    }  # fmt: skip
    # Nothing is overridden unawares.
    own = {name for name in vars(ObjectiveTrainer) if hasattr(GRPOTrainer, name)}
    assert own == {*OVERRIDDEN, "__init__", "__module__", "__doc__"}
    scored = inspect.signature(GRPOTrainer._get_per_token_logps_and_entropies).parameters
    leading = ("self", "model", "input_ids", "attention_mask", "logits_to_keep", "batch_size")
    assert tuple(scored)[:6] == leading
    assert set(tuple(scored)[6:]) == {"compute_entropy", "compute_aux_loss", *SHOWN}
    for name, parameters in (
        ("_calculate_rewards", ["inputs", "prompts", "completions", "completion_ids_list"]),
        ("_generate_and_score_completions", ["inputs"]),
        ("_compute_loss", ["model", "inputs"]),
    ):
        assert list(inspect.signature(getattr(GRPOTrainer, name)).parameters)[1:] == parameters


def test_the_table_of_replies_shows_the_advantages_that_were_learned_from(folder: Path) -> None:
    seen = Seen()
    trainer = build(wanted("rloo"), folder, seen, log_completions=True, num_completions_to_print=0)
    trainer.train()
    lengths = torch.tensor([len(one.tokens) for one in replies(1)])
    shown = torch.tensor(list(trainer._logs["advantages"]))
    torch.testing.assert_close(shown, seen.advantages[1].sum(1) / lengths)
    assert len(shown) == len(trainer._logs["prompt"]) == 8


def arguments(tmp_path: Path, **changes: Any) -> Any:
    return GRPOConfig(str(tmp_path), use_cpu=True, bf16=False, **changes)


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (resolve("ppo"), "critic"),
        (resolve("grpo", advantage="gae"), "critic"),
        (resolve("grpo", entropy_coef=0.01), "nucleus entropy"),
        (resolve("siren", max_length=8), "nucleus entropy"),
        (resolve("vppo"), "no reply twice"),
        (resolve("exgrpo", max_length=8), "no earlier replies"),
    ],
)
def test_what_trl_cannot_do_is_said_before_a_model_is_loaded(
    tmp_path: Path, objective: Settings, words: str
) -> None:
    with pytest.raises(InputError, match=words) as error:
        ObjectiveTrainer(
            objective=objective, args=arguments(tmp_path), model="/nowhere",
            train_dataset=None, reward_funcs=[],
        )  # fmt: skip
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [{"beta": 0.1}, {"epsilon_high": 0.28}, {"loss_type": "grpo"}, {"scale_rewards": "none"},
     {"mask_truncated_completions": True}, {"top_entropy_quantile": 0.2}],
)  # fmt: skip
def test_an_objective_is_not_said_twice(tmp_path: Path, changes: dict[str, Any]) -> None:
    check_expressible(resolve("grpo"), arguments(tmp_path))
    with pytest.raises(InputError, match=next(iter(changes))):
        check_expressible(resolve("grpo"), arguments(tmp_path, **changes))


def test_every_field_that_is_replaced_exists(tmp_path: Path) -> None:
    assert all(hasattr(arguments(tmp_path), name) for name in REPLACED)


def test_an_optimizer_step_over_two_generations_has_no_totals_and_is_refused(
    tmp_path: Path,
) -> None:
    args = arguments(tmp_path, steps_per_generation=2, gradient_accumulation_steps=4)
    with pytest.raises(InputError, match="multiple"):
        check_expressible(resolve("grpo"), args)


def test_another_trl_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune.integrations.trl.version", lambda name: "1.17.0")
    with pytest.raises(InputError, match="1.17.0"):
        check_expressible(resolve("grpo"), arguments(tmp_path))
