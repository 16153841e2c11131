"""The command line: exit codes, one line an error, help that lists every option."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from spar_trainer.cli import COMMANDS, main
from spar_trainer.config import TrainConfig
from spar_trainer.options import flag_name


def test_usage_goes_to_whoever_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2 and main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {command} " in said for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["fly"], 2, "USAGE"), (["train"], 2, "CONFIG_MISSING_OPTION"), (["train", "--speed", "9"], 2, "USAGE"), (["report"], 2, "USAGE"),
        (["report", "/nowhere"], 1, "REPORT_NO_METRICS"), (["train", "--config", "/nowhere.toml"], 2, "CONFIG_FILE"),
        (["train", "--model", "m", "--out", "o", "--source", "nats,x"], 2, "CONFIG_WRONG_VALUE"),
        (["train", "--model", "m", "--out", "o", "--source", "x", "--group-members-min", "9"], 2, "CONFIG_WRONG_VALUE"),
        (["train", "--model", "/nowhere", "--out", "/proc/o", "--source", "x"], 1, "OUT_UNWRITABLE"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(arguments: list[str], status: int, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == status
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("spar-trainer: ") and said.err.endswith(f"[{code}]\n") and said.err.count("\n") == 1


def test_help_lists_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = capsys.readouterr().out
    assert all(flag_name(field.name) in said for field in fields(TrainConfig))


def test_the_doctor_says_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--out", str(tmp_path / "new"), "--nats", "nats://127.0.0.1:9", "--json"]) == 1
    found = {one["what"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["disk"]["is_well"] and "GiB free" in found["disk"]["said"] and not found["NATS"]["is_well"] and "torch" in found["packages"]["said"]
