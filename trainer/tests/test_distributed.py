"""Two processes on gloo do what one does: the same figures and weights, through checkpoints too, in either direction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spar_trainer.metrics import read_metrics

from .runs import write_run
from .test_train import arguments, consumed
from .tiny_model import make_llama
from .training import furthest, run, torchrun, weights

PPO = {"algorithm": "ppo", "kl_coefficient": 0.1, "importance_cap": 2, "lora_r": 4, "max_grad_norm": 1e-4}


@pytest.mark.parametrize("options", [{}, PPO], ids=["grpo, all weights", "ppo, adapter, reference, clipped"])
def test_two_ranks_do_what_one_does(tmp_path: Path, options: dict[str, Any]) -> None:
    """Half of the steps with two ranks, half with one, from the checkpoint of the other, against one rank all the way."""
    make_llama(tmp_path / "model")
    ids = write_run(tmp_path / "run", groups=9, spoiled=(4,))
    shared = {**options, "steps": 4, "activation_checkpointing": "yes"}
    alone = run(*arguments(tmp_path, "alone", **shared))
    assert alone.returncode == 0, alone.stderr
    for steps, ranks in ((1, 2), (2, 1), (4, 2)):
        given = arguments(tmp_path, "two", **{**shared, "steps": steps})
        done = torchrun(*given, ranks=2) if steps == 1 and not options else run(*given, ranks=ranks)
        assert done.returncode == 0, done.stderr
    assert consumed(tmp_path / "two") == consumed(tmp_path / "alone") and len(consumed(tmp_path / "two")) <= len(ids)
    for one, other in zip(read_metrics(tmp_path / "alone"), read_metrics(tmp_path / "two"), strict=True):
        for name in ("loss", "grad_norm", "entropy", "clip_fraction", "mismatch_kl", "policy_kl", "value_loss"):
            assert other[name] == pytest.approx(one[name], rel=1e-3, abs=1e-7), f"{name} of step {one['step']}"
        assert other["tokens"] == one["tokens"] and other["positions"] == one["positions"]
    assert furthest(weights(tmp_path / "two" / "policy"), weights(tmp_path / "alone" / "policy")) < 2e-5
    assert furthest(weights(tmp_path / "alone" / "policy"), weights(tmp_path / "model")) > 1e-3
