"""Options: where they come from, what is refused, and that the README lists them as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from spar_trainer.config import SftConfig, TrainConfig, config_hash
from spar_trainer.errors import TrainerError
from spar_trainer.options import ByRole, resolve, table

from .training import TRAINER, train_config

GIVEN = {"model": "m", "out": "o", "source": "a,b"}


def test_a_flag_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    file = tmp_path / "options.toml"
    file.write_text('steps = 7\nlearning-rate = 1e-5\nmax_age = { breaker = 30 }\nactivation_checkpointing = true\n')
    config = resolve(TrainConfig, {**GIVEN, "steps": "9"}, file)
    assert (config.steps, config.learning_rate, config.clip_high, config.source) == (9, 1e-5, 0.28, ("a", "b"))
    assert config.max_age == ByRole(breaker=30, solver=8) and config.activation_checkpointing is True


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("steps", "0", "a whole number ≥ 1"), ("steps", "1.5", "a whole number ≥ 1"), ("steps", 2.5, "a whole number ≥ 1"), ("steps", True, "a whole number ≥ 1"),
        ("learning_rate", "0", "a number > 0"), ("learning_rate", "nan", "a number > 0"), ("gamma", "1.1", "≥ 0 and ≤ 1"), ("dtype", "fp16", "one of bf16, fp32"),
        ("gibberish", "true", "yes or no"), ("max_age", "tester=3", "breaker=…,solver=…"), ("max_age", "breaker=-1", "breaker=…,solver=…"),
        ("dual_clip", "0.5", "0, or a number > 1"), ("source", "a,,b", "run folders, or nats"), ("model", "", "a folder or a name of the hub"),
    ],
)
def test_a_wrong_value_is_refused_by_option_value_and_rule(name: str, value: object, rule: str) -> None:
    with pytest.raises(TrainerError) as refused:
        resolve(TrainConfig, {**GIVEN, name: value})
    assert refused.value.code == "CONFIG_WRONG_VALUE"
    assert f"--{name.replace('_', '-')} " in str(refused.value) and repr(value) in str(refused.value) and rule in str(refused.value)


def test_what_is_missing_or_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="--source is missing"):
        resolve(TrainConfig, {"model": "m", "out": "o"})
    file = tmp_path / "options.toml"
    file.write_text("learning_rat = 1\n")
    with pytest.raises(TrainerError, match="did you mean --learning-rate"):
        resolve(TrainConfig, GIVEN, file)
    file.write_text("steps = ")
    with pytest.raises(TrainerError, match="is no TOML"):
        resolve(TrainConfig, GIVEN, file)
    with pytest.raises(TrainerError, match="Cannot read the options"):
        resolve(TrainConfig, GIVEN, tmp_path / "none.toml")


def test_the_hash_is_of_what_must_stay_the_same_in_a_run() -> None:
    assert config_hash(train_config()) == config_hash(train_config(steps=3, device="auto", checkpoint_every=9))
    assert config_hash(train_config()) != config_hash(train_config(clip_high=0.3))


def test_the_readme_lists_every_option_as_it_is() -> None:
    text = (TRAINER / "README.md").read_text("utf-8")
    for config in (TrainConfig, SftConfig):
        for flag, default, rule, help in table(config):
            row = f"| `{flag}` | {default} | {help.replace('|', chr(92) + '|')} | {rule} |"
            assert row in text, f"README.md lacks the row\n{row}"
