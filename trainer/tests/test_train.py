"""The loop, as a process: killed at random moments it goes on without a repeat or a gap, and comes to the same weights to the bit."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from spar_trainer.checkpoint import Checkpoints
from spar_trainer.commands import opened, opened_source
from spar_trainer.errors import TrainerError
from spar_trainer.metrics import MetricsLog, read_metrics
from spar_trainer.session import open_session
from spar_trainer.sources.types import RawSample
from spar_trainer.steps import objective_of
from spar_trainer.train import Outcome, TrainLoop

from .runs import write_run
from .serve_process import ServeProcess
from .tiny_model import make_llama
from .training import FILE_BYTES_MAX, SMALL, flags, furthest, run, start, train_config, weights

KILLS = 8


def arguments(folder: Path, out: str, **options: Any) -> list[str]:
    return ["train", *flags(**{"model": folder / "model", "out": folder / out, "source": folder / "run", **SMALL, "samples_per_step": 6, "checkpoint_every": 1, **options})]


def consumed(out: Path) -> list[str]:
    found = Checkpoints(out / "checkpoints", 3, print).newest()
    assert found is not None
    return found.state.consumed


def test_a_run_that_is_killed_at_random_moments_comes_to_the_same(tmp_path: Path) -> None:
    """Goal: no sample lost, none used twice, the same weights. Method: a run of some forty steps with checkpoints at every second one
    is killed with SIGKILL a random while after its first new step, again and again until it is through; then it is compared with one
    that nobody disturbed."""
    make_llama(tmp_path / "model")
    ids = write_run(tmp_path / "run", groups=75, spoiled=(4, 31), equal=(1, 17), seed=2)
    options = {"checkpoint_every": 2, "max_age": 1_000}
    quiet = run(*arguments(tmp_path, "quiet", **options))
    assert quiet.returncode == 0, quiet.stderr
    steps = len(read_metrics(tmp_path / "quiet"))
    assert steps > 30

    chance, kills, done = random.Random(7), 0, None
    while done is None or done.returncode == -signal.SIGKILL:
        process = start(*arguments(tmp_path, "killed", **options), "--json")
        if kills < KILLS:
            process.wait_for_line()
            time.sleep(chance.random() * 0.15)
            process.signal(signal.SIGKILL)
            kills += 1
        done = process.finish()
    # A fast machine may be through before the last kill.
    assert done.returncode == 0 and kills > KILLS // 2, done.stderr

    assert consumed(tmp_path / "killed") == consumed(tmp_path / "quiet"), "the same samples in the same order"
    assert sorted(consumed(tmp_path / "killed")) == sorted(ids), "each of them once, and none left out"
    assert furthest(weights(tmp_path / "killed" / "policy"), weights(tmp_path / "quiet" / "policy")) == 0
    same = ("step", "loss", "grad_norm", "learning_rate", "samples", "tokens", "dropped", "mismatch_kl")
    killed, undisturbed = ([{name: line[name] for name in same} for line in read_metrics(tmp_path / out)] for out in ("killed", "quiet"))
    assert killed == undisturbed
    assert furthest(weights(tmp_path / "quiet" / "policy"), weights(tmp_path / "model")) > 1e-3, "it did learn"


def test_steps_of_a_run_can_be_raised_and_nothing_is_trained_twice(tmp_path: Path) -> None:
    make_llama(tmp_path / "model")
    write_run(tmp_path / "run", groups=12)
    for steps in (2, 2, 4):
        done = run(*arguments(tmp_path, "out", steps=steps, algorithm="ppo", kl_coefficient=0.1, importance_cap=2, lora_r=2))
        assert done.returncode == 0, done.stderr
        assert [line["step"] for line in read_metrics(tmp_path / "out")] == list(range(1, steps + 1))
    straight = run(*arguments(tmp_path, "straight", steps=4, algorithm="ppo", kl_coefficient=0.1, importance_cap=2, lora_r=2), "--json")
    assert furthest(weights(tmp_path / "out" / "policy"), weights(tmp_path / "straight" / "policy")) == 0
    lines = [json.loads(line) for line in straight.stdout.splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4] and all(line["value_loss"] > 0 for line in lines)
    assert lines[0]["policy_kl"] == 0 and lines[-1]["policy_kl"] > 0, "the reference is where training started from"


def test_a_full_disk_costs_checkpoints_until_there_were_too_many(tmp_path: Path) -> None:
    """The weights fit, the optimizer does not. What was trained on without a checkpoint comes again."""
    make_llama(tmp_path / "model")
    ids = write_run(tmp_path / "run", groups=12)
    given = arguments(tmp_path, "out", checkpoint_failures_max=3, max_age=100)
    assert run(*given[:-2], "--max-age", "100", "--steps", "1").returncode == 0
    full = start(*given, **{FILE_BYTES_MAX: "200000"}).finish()
    assert full.returncode == 1 and full.stderr.count("[CHECKPOINT_DISK_FULL], ") == 3 and full.stderr.rstrip().endswith("[CHECKPOINT_DISK_FULL]"), full.stderr
    assert [line["step"] for line in read_metrics(tmp_path / "out")] == [1, 2, 3, 4]
    assert len(consumed(tmp_path / "out")) < len(ids)
    done = run(*given)
    assert done.returncode == 0 and "Going on after step 1," in done.stderr, done.stderr
    assert sorted(consumed(tmp_path / "out")) == sorted(ids)


def test_a_run_that_waits_acknowledges_what_it_used_and_ends_in_order_by_a_signal(tmp_path: Path) -> None:
    """There is no step for a checkpoint: it is written since nothing comes."""
    make_llama(tmp_path / "model")
    write_run(tmp_path / "run", groups=5, is_over=False)
    process = start(*arguments(tmp_path, "out", checkpoint_every=50, idle_checkpoint=0.1), "--json")
    process.wait_for_line()
    until = time.monotonic() + 60
    while not list((tmp_path / "out" / "checkpoints").glob("step-*")):
        assert time.monotonic() < until
        time.sleep(0.05)
    waiting = consumed(tmp_path / "out")
    other = run(*arguments(tmp_path, "out"))
    assert other.returncode == 1 and "[OUT_IN_USE]" in other.stderr
    process.signal(signal.SIGTERM)
    done = process.finish()
    assert done.returncode == 0 and "stopped by a signal" in done.stderr
    assert len(waiting) >= 6 and consumed(tmp_path / "out") == waiting and (tmp_path / "out" / "policy" / "model.safetensors").exists()


class Full:
    """A source that gives nothing before something is acknowledged."""

    is_full, is_over = True, False

    async def take(self, most: int, wait_s: float) -> list[RawSample]:
        return []

    async def acknowledge(self, ids: Sequence[str]) -> None: ...

    async def close(self) -> None: ...


async def test_a_full_source_does_not_hurry_a_checkpoint_that_could_not_be_written(tmp_path: Path) -> None:
    """Else a disk that is full for a few seconds ends the run."""
    config = train_config(model=make_llama(tmp_path / "model"), out=tmp_path / "out", checkpoint_failures_max=3)
    session = open_session(config, objective_of(config), print)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoints").write_text("in the way of folders")
    said: list[str] = []
    metrics = MetricsLog(tmp_path / "out", 0)
    loop = TrainLoop(config, session, Full(), metrics, said.append)
    loop._intake.consumed.add(["r1.a"])
    for _ in range(5):
        assert await loop._on_wait()
    assert len(said) == 1 and "[CHECKPOINT_WRITE], 1 in a row" in said[0]
    metrics.close()
    session.close()


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [({"model": "nowhere"}, "MODEL_UNREADABLE", 1), ({"source": "nowhere"}, "FOLDER_NO_RUN", 1), ({"steps": "x"}, "CONFIG_WRONG_VALUE", 2), ({"step": 1}, "USAGE", 2)],
)
def test_an_error_is_one_line_with_its_code(tmp_path: Path, change: dict[str, Any], code: str, status: int) -> None:
    make_llama(tmp_path / "model")
    done = run(*arguments(tmp_path, "out", **change))
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("spar-trainer: ") and done.stderr.rstrip().endswith(f"[{code}]")


def test_two_folders_of_one_run_are_refused(tmp_path: Path) -> None:
    make_llama(tmp_path / "model")
    for folder in ("one", "two"):
        write_run(tmp_path / folder, groups=1, name="same")
    done = run(*arguments(tmp_path, "out", source=f"{tmp_path / 'one'},{tmp_path / 'two'}"))
    assert done.returncode == 1 and "[FOLDER_SAME_RUN]" in done.stderr and str(tmp_path / "two") in done.stderr and "'same'" in done.stderr


def test_a_server_has_each_version_and_one_that_is_gone_costs_no_step(tmp_path: Path) -> None:
    make_llama(tmp_path / "model")
    write_run(tmp_path / "run", groups=6)
    server = ServeProcess(tmp_path / "model", "--threads", "1")
    try:
        done = run(*arguments(tmp_path, "out", servers=f"spar={server.url}", steps=2))
        assert done.returncode == 0, done.stderr
        assert asyncio.run(server.get("/get_model_info"))[1]["weight_version"] == "step-2"
    finally:
        server.kill()
    assert sorted(one.name for one in (tmp_path / "out" / "policies").iterdir()) == ["latest", "step-0", "step-1", "step-2"]
    assert furthest(weights(tmp_path / "out" / "policies" / "step-2"), weights(tmp_path / "out" / "policy")) == 0
    assert furthest(weights(tmp_path / "out" / "policies" / "step-0"), weights(tmp_path / "model")) == 0
    alone = run(*arguments(tmp_path, "out", servers=f"spar={server.url}", steps=3))
    assert alone.returncode == 0 and "Cannot publish step-3" in alone.stderr and len(read_metrics(tmp_path / "out")) == 3


async def test_other_ranks_hear_of_a_rank_that_waits_for_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would give up one that is silent. Method: publishing that takes until idle was said three times, and fails then."""
    make_llama(tmp_path / "model")
    write_run(tmp_path / "run", groups=0)
    config = train_config(model=tmp_path / "model", out=tmp_path / "out", source=tmp_path / "run")
    heard, said = asyncio.Queue[str](), list[str]()
    loop = asyncio.get_running_loop()

    class Slow:
        async def publish(self, version: str, save: Callable[[Path], None]) -> object:
            for _ in range(3):
                await asyncio.wait_for(heard.get(), 20)
            raise TrainerError("PUBLISH_SERVERS", "no server took it")

    def idle() -> None:
        loop.call_soon_threadsafe(heard.put_nowait, "idle")

    monkeypatch.setattr("spar_trainer.train.IDLE_SECONDS", 0.05)
    with opened(config, objective_of(config), said.append) as session:
        monkeypatch.setattr(session, "idle", idle)
        async with opened_source(config, ()) as source:
            metrics = MetricsLog(tmp_path / "out", 0)
            outcome = await TrainLoop(config, session, source, metrics, said.append, Slow()).run()
            metrics.close()
    assert outcome == Outcome(0, "over")
    assert said == ["Cannot publish step-0: no server took it; the next version takes its place"]
