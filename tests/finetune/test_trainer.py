"""The loop learns, goes on where it was cut, and loses no reply without saying so."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import benchgen
from benchgen.errors import InputError
from benchgen.problem import Problem, Response
from evaluators.engine import Request
from evaluators.engines.transformers import LoadedModel, TransformersEngine
from evaluators.questions import Question
from finetune import trainer
from finetune.checkpoint import latest_step
from finetune.course import Course
from finetune.diversity import textual
from finetune.objectives import Settings, State, compute, needs_old, resolve
from finetune.objectives.siren import Nucleus, peak_entropy
from finetune.optimizer import NotFiniteError, Optimization, Optimizer
from finetune.policy import Policy
from finetune.questions import Listed
from finetune.replay_report import replay_lines, replay_record
from finetune.rewards import Reward, correctness
from finetune.rollouts import (
    draw_groups,
    journal_path,
    read_rollouts,
    rollout_seed,
    teaches,
    write_rollouts,
)
from finetune.step_batch import as_batch
from finetune.trainer import Practice, learn, train

MakeModel = Callable[..., Any]
VOCABULARY = 10
REWARDS = [Reward("correctness", 1.0, correctness)]
OPTIMIZATION = Optimization(steps=6, learning_rate=3e-3)
PRACTICE = Practice(prompts=3, samples=4, max_tokens=3)
COURSE = Course(micro_tokens=200, seed=5, save_every=2, keep=0)
DAPO = resolve("dapo", correction="truncate")


@pytest.fixture
def policy(make_model: MakeModel, tokenizer: Any) -> Policy:
    model = make_model(
        dtype=torch.float32, vocab_size=VOCABULARY, eos_token_id=1, max_position_embeddings=512
    )
    return Policy(model, tokenizer)


def engine_of(policy: Policy, window: int = 64) -> TransformersEngine:
    return TransformersEngine(LoadedModel("tiny", policy.model, policy.tokenizer), window=window)


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    """Problems whose key is B: to be learned in a few steps."""
    found: list[Question] = []
    index = 0
    while len(found) < 6:
        problem = benchgen.make("sheet_music/interval_name", split="train", index=index, level=1)
        if problem.target == "B":
            found.append(Question(problem, tuple(problem.messages("text")), ()))
        index += 1
    return found


def run(
    policy: Policy, questions: list[Question], out: Path, objective: Settings = DAPO, **changes: Any
) -> Any:
    wanted: dict[str, Any] = {
        "practice": PRACTICE, "course": COURSE, "optimization": OPTIMIZATION,
    }  # fmt: skip
    engine = changes.pop("engine", None) or engine_of(policy)
    listed = Listed(questions, COURSE.seed)
    rewards = changes.pop("rewards", REWARDS)
    return train(policy, engine, listed, rewards, objective, out, **(wanted | changes))


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def weights(checkpoint: Path) -> bytes:
    return (checkpoint / "model.safetensors").read_bytes()


def reloaded(out: Path, tokenizer: Any) -> Policy:
    from transformers import AutoModelForCausalLM

    step = latest_step(out)
    model = AutoModelForCausalLM.from_pretrained(out / f"checkpoint-{step:08d}")
    return Policy(model, tokenizer)


def test_what_is_rewarded_is_learned(
    tmp_path: Path, policy: Policy, questions: list[Question]
) -> None:
    optimization = dataclasses.replace(OPTIMIZATION, steps=40, learning_rate=1e-2)
    practice = dataclasses.replace(PRACTICE, samples=8)
    run(policy, questions, tmp_path, optimization=optimization, practice=practice)
    accuracies = [line["accuracy"] for line in lines(tmp_path)]
    assert sum(accuracies[:5]) / 5 < 0.3
    assert sum(accuracies[-5:]) / 5 > 0.9


@pytest.mark.parametrize(
    ("cut", "objective"),
    [
        *((cut, DAPO) for cut in (1, 3, 5)),
        (3, resolve("siren", max_length=3, anchor_coef=1.0)),
        (3, resolve("canon", max_length=3, canon_schedule="cosine")),
        (3, resolve("diver", diversity="musical")),
        (3, resolve("exgrpo", max_length=3, replay_start=0.0)),
    ],
    ids=["dapo-1", "dapo-3", "dapo-5", "siren", "canon", "diver", "exgrpo"],
)
def test_a_run_that_was_cut_comes_to_the_same_weights(
    tmp_path: Path, policy: Policy, questions: list[Question], cut: int, objective: Settings
) -> None:
    begun = {name: value.clone() for name, value in policy.model.state_dict().items()}
    whole = run(policy, questions, tmp_path / "whole", objective)

    class Killed(Exception):
        pass

    def die(step: int, steps: int, figures: Mapping[str, float]) -> None:
        if step == cut:
            raise Killed

    policy.model.load_state_dict(begun)
    with pytest.raises(Killed):
        run(policy, questions, tmp_path / "other", objective, progress=die)
    torch.rand(7)
    if latest_step(tmp_path / "other") is None:
        policy.model.load_state_dict(begun)
        going_on = policy
    else:
        going_on = reloaded(tmp_path / "other", policy.tokenizer)
    other = run(going_on, questions, tmp_path / "other", objective)
    assert other.steps == whole.steps == 6
    if objective.anchor_coef:
        anchors = {line["anchor"] for line in lines(tmp_path / "other")}
        assert anchors == {lines(tmp_path / "other")[0]["peak_entropy"]}
        assert any(line["anchor_penalty"] > 0 for line in lines(tmp_path / "other"))
    assert weights(other.checkpoint) == weights(whole.checkpoint)
    for name in ("trainer/state.json", "trainer/tensors.safetensors"):
        assert (other.checkpoint / name).read_bytes() == (whole.checkpoint / name).read_bytes()
    for one, two in zip(lines(tmp_path / "other"), lines(tmp_path / "whole"), strict=True):
        assert one["drawn"] == two["drawn"]
        assert one.get("loss", 0.0) == pytest.approx(two.get("loss", 0.0), abs=1e-5)


class Moody(TransformersEngine):
    """Whatever the seeds are, it samples otherwise each time, and one reply in five fails."""

    asked = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        Moody.asked += 1
        own = [
            dataclasses.replace(
                one, sampling=dataclasses.replace(one.sampling, seed=1000 * Moody.asked + number)
            )
            for number, one in enumerate(requests)
        ]
        for number, response in enumerate(super().generate(own)):
            if number % 5:
                yield response
            else:
                yield Response(response.id, "", finish_reason="error", error="it broke")


def first_letter(problem: Problem, response: Response) -> float:
    """Something that nearly every group differs in."""
    return float(sum(response.text[:1].encode()) % 7)


@pytest.mark.parametrize("dynamic", [False, True])
def test_what_was_sampled_before_a_kill_is_not_sampled_otherwise_after_it(
    tmp_path: Path, policy: Policy, questions: list[Question], dynamic: bool
) -> None:
    def engine(of: Policy) -> Moody:
        return Moody(LoadedModel("tiny", of.model, of.tokenizer), window=64)

    class Killed(Exception):
        pass

    seen: dict[int, Mapping[str, float]] = {}

    def die(step: int, steps: int, figures: Mapping[str, float]) -> None:
        seen[step] = figures
        if step == 3:
            raise Killed

    practice = dataclasses.replace(PRACTICE, samples=24, dynamic=dynamic)
    wanted = {"practice": practice, "rewards": [*REWARDS, Reward("first", 0.1, first_letter)]}
    with pytest.raises(Killed):
        run(policy, questions, tmp_path, engine=engine(policy), progress=die, **wanted)
    assert latest_step(tmp_path) == 2
    before = journal_path(tmp_path, 3).read_bytes()
    third = policy.model.state_dict()
    asked = Moody.asked
    going_on = reloaded(tmp_path, policy.tokenizer)
    three = dataclasses.replace(OPTIMIZATION, steps=3)
    other = run(
        going_on, questions, tmp_path, engine=engine(going_on), optimization=three, **wanted
    )
    assert Moody.asked == asked and journal_path(tmp_path, 3).read_bytes() == before
    for name, value in load_policy_state(other.checkpoint).items():
        assert torch.equal(value, third[name])
    for name in ("loss", "gradient_norm", "accuracy", "drawn", "tokens"):
        assert lines(tmp_path)[-1][name] == seen[3][name]
    assert lines(tmp_path)[-1]["failed"] >= 0.2
    if dynamic:
        aside = read_rollouts(tmp_path, 3, aside=True)
        assert lines(tmp_path)[-1]["put_aside"] > 0
        assert len(aside) == len(read_rollouts(tmp_path, 3)) + lines(tmp_path)[-1]["put_aside"]


def test_a_journal_of_other_questions_is_not_learned_from(
    tmp_path: Path, policy: Policy, questions: list[Question]
) -> None:
    one = dataclasses.replace(OPTIMIZATION, steps=1)
    run(policy, questions, tmp_path / "mine", optimization=one)
    (tmp_path / "yours").mkdir()
    (tmp_path / "mine" / "rollouts").rename(tmp_path / "yours" / "rollouts")
    with pytest.raises(InputError, match="another question for draw 0"):
        run(policy, list(reversed(questions)), tmp_path / "yours", optimization=one)


def load_policy_state(checkpoint: Path) -> dict[str, torch.Tensor]:
    from transformers import AutoModelForCausalLM

    found: dict[str, torch.Tensor] = AutoModelForCausalLM.from_pretrained(checkpoint).state_dict()
    return found


def test_a_step_can_be_learned_again_from_its_journal(
    tmp_path: Path, policy: Policy, questions: list[Question]
) -> None:
    begun = {name: value.clone() for name, value in policy.model.state_dict().items()}
    one = dataclasses.replace(OPTIMIZATION, steps=1)
    trained = run(policy, questions, tmp_path, optimization=one)
    policy.model.load_state_dict(begun)
    optimizer = Optimizer(policy.model.named_parameters(), one)
    groups = read_rollouts(tmp_path, 1)
    assert [len(group) for group in groups] == [4, 4, 4]
    learn(
        policy, groups, DAPO, State(1, 5), optimizer, PRACTICE, COURSE, rate_step=0
    )
    policy.model.save_pretrained(tmp_path / "again")
    assert weights(tmp_path / "again") == weights(trained.checkpoint)


def drawn(policy: Policy, questions: list[Question], **changes: Any) -> Any:
    """Groups whose every other reply is rewarded, whatever it says."""
    wanted = {"samples": 4, "temperature": 1.0, "max_tokens": 3, "seed": 1}
    found = draw_groups(
        engine_of(policy), list(enumerate(questions)), REWARDS, **(wanted | changes)
    )
    return dataclasses.replace(
        found,
        groups=tuple(
            [dataclasses.replace(one, reward=float(one.sample % 2)) for one in group]
            for group in found.groups
        ),
    )


def gradient(
    policy: Policy, groups: Any, objective: Settings, practice: Practice, course: Course
) -> torch.Tensor:
    """What one call of ``learn`` would change the weights by, before any clipping."""

    class Still(Optimizer):
        def step(self, number: int) -> float:
            return 0.0

    policy.model.zero_grad()
    still = Still(policy.model.named_parameters(), OPTIMIZATION)
    learn(policy, groups, objective, State(1, 5), still, practice, course, rate_step=0)
    return torch.cat([p.grad.flatten() for p in policy.model.parameters()])


@pytest.mark.parametrize("name", ["grpo", "dapo", "gspo", "dr_grpo", "rloo", "cispo", "canon"])
def test_one_pass_is_as_good_as_two_where_each_rollout_is_learned_from_once(
    policy: Policy, questions: list[Question], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = drawn(policy, questions).groups
    objective = resolve(name, correction="truncate", max_length=3, canon_metric="length")
    assert not needs_old(objective)
    once = gradient(policy, groups, objective, PRACTICE, COURSE)
    monkeypatch.setattr(trainer, "needs_old", lambda settings: True)
    twice = gradient(policy, groups, objective, PRACTICE, COURSE)
    assert float((once - twice).norm() / twice.norm()) < 1e-5
    assert float(twice.norm()) > 0


def test_halves_by_entropy_are_those_of_the_policy_that_sampled(
    policy: Policy, questions: list[Question]
) -> None:
    groups = drawn(policy, questions).groups
    objective = resolve("canon", max_length=3)
    found = gradient(policy, groups, objective, PRACTICE, COURSE)
    scores = policy.scores([one.trajectory for group in groups for one in group], 1.0)
    batch = dataclasses.replace(
        as_batch(groups, policy.model.device),
        logp_old=scores.logp.detach(), logp_new=scores.logp, entropy=scores.entropy,
    )  # fmt: skip
    policy.model.zero_grad()
    compute(objective, batch).loss.backward()
    expected = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
    assert float((found - expected).norm() / expected.norm()) < 1e-5
    assert float(expected.norm()) > 0


@pytest.mark.parametrize("most", [1, 400, 100_000])
def test_an_anchor_pulls_the_whole_batch_whatever_the_micro_batches(
    policy: Policy, questions: list[Question], most: int
) -> None:
    groups = drawn(policy, questions).groups
    objective = resolve("siren", max_length=3, anchor_coef=1.0, anchor=0.2, nucleus_mass=0.95)
    found = gradient(policy, groups, objective, PRACTICE, Course(micro_tokens=most))
    scores = policy.scores(
        [one.trajectory for group in groups for one in group], 1.0, nucleus=Nucleus(0.95)
    )
    assert scores.nucleus_entropy is not None
    rows = peak_entropy(objective, scores.nucleus_entropy, scores.mask)
    plain = gradient(policy, groups, resolve("dr_grpo", max_length=3, dual_clip=3.0),
                     PRACTICE, COURSE)  # fmt: skip
    policy.model.zero_grad()
    ((rows.mean() - 0.2) ** 2).backward()
    pulled = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
    assert float((found - plain - pulled).norm() / found.norm()) < 1e-5
    assert float(pulled.norm()) > 1e-3 * float(found.norm())


def test_micro_batches_and_the_layout_of_rows_do_not_change_the_gradient(
    policy: Policy, questions: list[Question]
) -> None:
    groups = drawn(policy, questions).groups
    whole = gradient(policy, groups, DAPO, PRACTICE, Course(micro_tokens=100_000))
    for most, unshared in ((1, ""), (400, ""), (400, "so")):
        other = dataclasses.replace(policy, unshared=unshared)
        found = gradient(other, groups, DAPO, PRACTICE, Course(micro_tokens=most))
        assert float((found - whole).norm() / whole.norm()) < 1e-5


def test_right_replies_are_paid_for_differing_from_the_others_to_their_prompt(
    policy: Policy, questions: list[Question]
) -> None:
    said = ["one two three four five six", "one two three four five seven", "no answer", "all else"]
    groups = [
        [
            dataclasses.replace(one, text=text, reward=right, outcome=right)
            for one, text, right in zip(group, said, (1.0, 1.0, 0.0, 0.0), strict=True)
        ]
        for group in drawn(policy, questions).groups
    ]
    objective = resolve("diver", diversity="textual")
    optimizer = Optimizer(policy.model.named_parameters(), OPTIMIZATION)
    figures = learn(
        policy, groups, objective, State(1, 5), optimizer, PRACTICE, COURSE, rate_step=0
    )
    one, _, _, _ = textual(said, [True, True, False, False])
    assert 0 < one < objective.textual_cap
    # Two of four replies, a tenth each.
    assert figures["diversity_bonus"] == pytest.approx(0.1 * one * 2 / 4, rel=1e-5)
    assert figures["reward"] == pytest.approx(0.5)


@pytest.mark.parametrize("choice", ["entropy", "newest"])
def test_earlier_replies_are_learned_from_again(
    tmp_path: Path, policy: Policy, questions: list[Question], choice: str
) -> None:
    objective = resolve("exgrpo", max_length=3, replay_start=0.0, replay_choice=choice)
    practice = dataclasses.replace(PRACTICE, samples=8)
    steps = dataclasses.replace(OPTIMIZATION, steps=12)
    run(policy, questions, tmp_path, objective, practice=practice, optimization=steps)
    told = lines(tmp_path)
    earlier: set[tuple[Any, ...]] = set()
    met = tokens = 0
    for step in range(1, 13):
        groups = read_rollouts(tmp_path, step)
        assert [len(group) for group in groups] == [8, 8, 8]
        again = [one for group in groups for one in group if one.replayed]
        assert len(again) == told[step - 1]["replayed"] <= 1
        for one in again:
            assert (one.problem, one.tokens, one.logprobs) in earlier and one.outcome == 1
            assert one.sample == 7
        fresh = [one for group in groups for one in group if not one.replayed]
        earlier |= {(one.problem, one.tokens, one.logprobs) for one in fresh if one.outcome == 1}
        right = sum(one.outcome for one in fresh) / len(fresh)
        assert told[step - 1]["accuracy"] == pytest.approx(right)
        tokens += sum(len(one.tokens) for one in fresh)
        assert told[step - 1]["tokens"] == tokens
        met += len(again)
    assert met >= 4
    record = replay_record(tmp_path)
    assert record["mixed"] and record["step"] == 12
    assert sum(record["buckets"].values()) == len(record["questions"])
    assert next(replay_lines(record)).startswith("after step 12: earlier replies have joined; ")


def test_a_replayed_row_has_the_ratio_to_who_said_it(
    policy: Policy, questions: list[Question]
) -> None:
    groups = [list(group) for group in drawn(policy, questions).groups]
    said = groups[0][1]
    groups[0][1] = dataclasses.replace(
        said, replayed=True, logprobs=tuple(logp - 0.3 for logp in said.logprobs)
    )
    objective = resolve("exgrpo", max_length=3, correction="truncate")
    batch = as_batch(groups, policy.model.device)
    assert batch.off_policy is not None and batch.off_policy.nonzero().tolist() == [[1]]
    assert batch.logp_rollout is not None and bool(torch.isnan(batch.logp_rollout[1]).all())
    found = gradient(policy, groups, objective, PRACTICE, COURSE)
    scores = policy.scores([one.trajectory for group in groups for one in group], 1.0)
    ratio = torch.full_like(scores.logp, 1.0) + (scores.logp - scores.logp.detach())
    bent = torch.exp(scores.logp[1] - batch.logp_behavior[1])
    rewards = batch.rewards.view(-1, 4)
    advantages = (rewards - rewards.mean(1, keepdim=True)).flatten()
    gains = ratio * advantages[:, None]
    gains = torch.where(
        batch.off_policy[:, None], advantages[1] * bent / (bent + 0.1), gains
    )
    policy.model.zero_grad()
    (-(gains * batch.mask).sum() / len(gains) / 3).backward()
    expected = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
    assert float((found - expected).norm() / expected.norm()) < 1e-4


def test_a_group_that_teaches_nothing_is_not_read(
    policy: Policy, questions: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = list(drawn(policy, questions).groups)
    groups[1] = [dataclasses.replace(one, reward=1.0) for one in groups[1]]
    read: list[int] = []
    scores = Policy.scores

    def counted(self: Policy, trajectories: Any, temperature: float, **named: Any) -> Any:
        read.append(len(trajectories))
        return scores(self, trajectories, temperature, **named)

    monkeypatch.setattr(Policy, "scores", counted)
    gradient(policy, groups, DAPO, PRACTICE, COURSE)
    assert sum(read) == 4 * (len(groups) - 1)


def test_mismatch_of_engine_and_trainer_is_seen(
    policy: Policy, questions: list[Question], tmp_path: Path
) -> None:
    run(policy, questions, tmp_path)
    seen = [line for line in lines(tmp_path) if line["optimizer_steps"]]
    assert seen
    for line in seen:
        # One and the same model: what differs is rounding.
        assert line["mismatch_largest"] < 1e-4 and line["mismatch_over_2"] == 0
        assert line["kl_old"] == 0
        assert 0 < line["entropy"] < math.log(VOCABULARY) + 1e-6


def test_groups_that_are_all_alike_are_drawn_again(
    policy: Policy, questions: list[Question], tmp_path: Path
) -> None:
    practice = dataclasses.replace(PRACTICE, samples=24, dynamic=True, rounds=40)
    optimization = dataclasses.replace(OPTIMIZATION, steps=3)
    run(policy, questions, tmp_path, practice=practice, optimization=optimization)
    for line in lines(tmp_path):
        groups = read_rollouts(tmp_path, line["step"])
        assert len(groups) == 3 and all(teaches(group) for group in groups)
    assert sum(line["put_aside"] for line in lines(tmp_path)) > 0
    draws = [one.draw for line in lines(tmp_path) for group in read_rollouts(tmp_path, line["step"])
             for one in group]  # fmt: skip
    assert len(set(draws)) == 9


class Flaky(TransformersEngine):
    """Every third reply fails."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        for number, response in enumerate(super().generate(requests)):
            if number % 3:
                yield response
            else:
                yield Response(response.id, "", finish_reason="error", error="it broke")


def test_replies_that_failed_are_counted_and_teach_nothing(
    policy: Policy, questions: list[Question], tmp_path: Path
) -> None:
    engine = Flaky(LoadedModel("tiny", policy.model, policy.tokenizer), window=64)
    run(policy, questions, tmp_path, engine=engine)
    assert all(line["failed"] == pytest.approx(1 / 3) for line in lines(tmp_path))
    rows = [one for group in read_rollouts(tmp_path, 1) for one in group]
    assert len(rows) == 8


def test_an_engine_sleeps_while_the_policy_learns_and_wakes_to_new_weights(
    policy: Policy, questions: list[Question], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []

    class Recording(TransformersEngine):
        def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
            happened.append("sample")
            return super().generate(requests)

        def sleep(self) -> None:
            happened.append("sleep")

        def update_weights(self, model: Any) -> None:
            assert model is policy.model
            happened.append("weights")

    step = Optimizer.step

    def stepped(self: Optimizer, number: int) -> float:
        happened.append("step")
        return step(self, number)

    monkeypatch.setattr(Optimizer, "step", stepped)
    engine = Recording(LoadedModel("tiny", policy.model, policy.tokenizer), window=64)
    two = dataclasses.replace(OPTIMIZATION, steps=2)
    practice = dataclasses.replace(PRACTICE, samples=24)
    run(policy, questions, tmp_path, engine=engine, optimization=two, practice=practice)
    assert happened == ["sample", "sleep", "step", "weights"] * 2


class Dead(TransformersEngine):
    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        for request in requests:
            yield Response(request.id, "", finish_reason="error", error="no route to host")


def test_an_engine_that_answers_nothing_ends_the_run(
    policy: Policy, questions: list[Question], tmp_path: Path
) -> None:
    engine = Dead(LoadedModel("tiny", policy.model, policy.tokenizer))
    with pytest.raises(RuntimeError, match="no reply to learn from: no route to host"):
        run(policy, questions, tmp_path, engine=engine)


def test_a_run_without_differences_ends_by_itself(
    policy: Policy, questions: list[Question], tmp_path: Path
) -> None:
    class Silent(TransformersEngine):
        def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
            for response in super().generate(requests):
                yield dataclasses.replace(response, text="perhaps")

    engine = Silent(LoadedModel("tiny", policy.model, policy.tokenizer), window=64)
    before = {name: value.clone() for name, value in policy.model.state_dict().items()}
    trained = run(
        policy, questions, tmp_path, engine=engine,
        practice=dataclasses.replace(PRACTICE, idle_steps=3),
    )  # fmt: skip
    assert trained.steps == 3 and "alike for 3 steps" in trained.stopped
    after = policy.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_run_that_its_entropy_ended_does_nothing_more(
    policy: Policy, questions: list[Question], tmp_path: Path
) -> None:
    practice = dataclasses.replace(PRACTICE, samples=24, least_entropy=99.0)
    ended = run(policy, questions, tmp_path, practice=practice)
    assert ended.steps == 1 and "entropy has fallen" in ended.stopped
    again = run(reloaded(tmp_path, policy.tokenizer), questions, tmp_path, practice=practice)
    assert again == ended and len(lines(tmp_path)) == 1


def test_what_is_not_finite_changes_no_weight(
    policy: Policy, questions: list[Question]
) -> None:
    groups = drawn(policy, questions).groups
    with torch.no_grad():
        policy.model.get_input_embeddings().weight[2] = float("nan")
    before = {n: v.clone() for n, v in policy.model.state_dict().items()}
    optimizer = Optimizer(policy.model.named_parameters(), OPTIMIZATION)
    with pytest.raises(NotFiniteError):
        learn(policy, groups, DAPO, State(1), optimizer, PRACTICE, COURSE, rate_step=0)
    after = policy.model.state_dict()
    assert all(torch.equal(v.nan_to_num(), after[n].nan_to_num()) for n, v in before.items())


def test_a_divergence_from_the_reference_is_part_of_the_loss(
    policy: Policy, questions: list[Question], make_model: MakeModel
) -> None:
    groups = drawn(policy, questions).groups
    far = Policy(make_model(dtype=torch.float32, vocab_size=VOCABULARY, initializer_range=0.5,
                            max_position_embeddings=512), policy.tokenizer)  # fmt: skip
    optimizer = Optimizer(policy.model.named_parameters(), OPTIMIZATION)
    objective = resolve("grpo", kl_coef=0.1)
    found = learn(
        policy, groups, objective, State(1), optimizer, PRACTICE, COURSE, rate_step=0,
        reference=far,
    )  # fmt: skip
    assert found["kl"] > 0.01
    same = learn(
        policy, groups, objective, State(1), optimizer, PRACTICE, COURSE, rate_step=0,
        reference=policy,
    )  # fmt: skip
    assert same["kl"] == pytest.approx(0.0, abs=1e-6)


def test_an_entropy_bonus_raises_the_entropy(
    policy: Policy, questions: list[Question]
) -> None:
    groups = drawn(policy, questions).groups
    begun = {name: value.clone() for name, value in policy.model.state_dict().items()}
    entropies = []
    for coefficient in (0.0, 1.0):
        policy.model.load_state_dict(begun)
        objective = resolve("dapo", entropy_coef=coefficient)
        optimizer = Optimizer(policy.model.named_parameters(), OPTIMIZATION)
        for step in range(8):
            found = learn(
                policy, groups, objective, State(1), optimizer, PRACTICE, COURSE, rate_step=step
            )
        entropies.append(found["entropy"])
    assert entropies[1] > entropies[0] + 0.01


def test_rollouts_are_read_back_as_they_were(
    policy: Policy, questions: list[Question], tmp_path: Path
) -> None:
    groups = [list(group) for group in drawn(policy, questions).groups]
    groups[0][0] = dataclasses.replace(
        groups[0][0], reward=math.nan, outcome=math.nan, text="a\u2028b\x00"
    )
    write_rollouts(tmp_path, 3, groups)
    read = read_rollouts(tmp_path, 3)
    assert repr([list(group) for group in read]) == repr(groups)
    batch = as_batch(read, torch.device("cpu"))
    assert bool(batch.rewards.isnan()[0]) and not bool(batch.rewards.isnan()[1:].any())
    with pytest.raises(InputError, match="cannot be read"):
        read_rollouts(tmp_path, 4)


def test_seeds_of_rollouts_are_all_different_and_fixed_for_ever() -> None:
    seeds = {rollout_seed(s, d, n) for s in range(5) for d in range(40) for n in range(20)}
    assert len(seeds) == 4000
    assert rollout_seed(0, 0, 0) == 4510421648595084898


def test_bad_practice_is_one_line() -> None:
    for changes, said in (
        ({"samples": 1}, "two replies or more"),
        ({"temperature": 0.0}, "0.01 or more"),
        ({"mini_batches": 9}, "more mini-batches than prompts"),
        ({"prompts": 0}, "1 or more"),
    ):
        with pytest.raises(InputError, match=said):
            dataclasses.replace(PRACTICE, **changes)  # type: ignore[arg-type]


def test_a_reward_that_cannot_teach_is_refused_before_anything_is_sampled(
    policy: Policy, questions: list[Question], tmp_path: Path
) -> None:
    def nothing(problem: Problem, response: Response) -> float:
        return 0.0

    engine = Dead(LoadedModel("tiny", policy.model, policy.tokenizer))
    with pytest.raises(InputError, match="earns 0, an empty one 0"):
        train(
            policy, engine, Listed(questions, 5), [Reward("nothing", 1.0, nothing)], DAPO, tmp_path,
            practice=PRACTICE, course=COURSE, optimization=OPTIMIZATION,
        )  # fmt: skip
