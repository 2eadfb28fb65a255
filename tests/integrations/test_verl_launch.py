"""The launches that docs/scale.md and an export's README show are ones that verl knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hydra import compose, initialize_config_module
from transformers import LlamaConfig
from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import omega_conf_to_dataclass, validate_config
from verl.utils.import_utils import import_external_libs

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from transformers import PreTrainedTokenizerFast

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")


def launch(page: str, **changed: str) -> DictConfig:
    """The configuration that the command on a page comes to."""
    (command,) = re.findall(r"python -m verl\.trainer\.main_ppo((?:.*\\\n)+.*)\n", page)
    settings = command.replace("\\\n", " ").split()
    settings += [f"{name}={value}" for name, value in changed.items()]
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=settings)


def check(config: DictConfig) -> None:
    """verl's own check, as it begins."""
    assert not need_critic(config)
    validate_config(
        config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config)
    )


def test_the_command_beside_an_export_passes_verl_s_own_check(
    exported: Callable[[str, str], Path],
) -> None:
    folder = exported("verl", "text")
    config = launch((folder / "README.md").read_text(encoding="utf-8"))
    check(config)
    for path in (config.data.train_files, config.reward.custom_reward_function.path):
        assert (folder / Path(path).relative_to("FOLDER")).is_file()


def test_every_setting_of_the_launch_is_one_and_verl_s_own_check_passes() -> None:
    config = launch(PAGE)
    check(config)
    import_external_libs(config.actor_rollout_ref.model.external_lib)
    assert config.algorithm.adv_estimator in ADV_ESTIMATOR_REGISTRY
    assert config.actor_rollout_ref.actor.policy_loss.loss_mode in POLICY_LOSS_REGISTRY
    assert config.data.max_response_length == config.actor_rollout_ref.actor.loss_scale_factor


def test_verl_imports_one_s_own_objectives_with_its_model(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    (module,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (tmp_path / "my_objectives.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    LlamaConfig(architectures=["LlamaForCausalLM"]).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    config = launch(
        PAGE,
        **{
            "actor_rollout_ref.model.path": str(tmp_path / "model"),
            "actor_rollout_ref.model.external_lib": "my_objectives",
        },
    )
    # As verl's trainer and each of its workers begin.
    omega_conf_to_dataclass(config.actor_rollout_ref.model)
    assert "mine" in ADV_ESTIMATOR_REGISTRY and "mine" in POLICY_LOSS_REGISTRY
