"""Checkpoints: whole or not there. A broken one is passed over, a full disk leaves the one before."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch

from spar_trainer.atomic import BESIDE, fault
from spar_trainer.checkpoint import Checkpoints, TrainState, check_config
from spar_trainer.errors import TrainerError

from .training import FORKS

TENSORS = {"exp_avg/a": torch.arange(6, dtype=torch.float32).reshape(2, 3), "step/a": torch.tensor(3.0)}


def save_model(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "weights").write_bytes(b"w" * 1_000)


def write(checkpoints: Checkpoints, step: int) -> Path:
    return checkpoints.write(TrainState(step=step, updates=step, consumed=["r1.a", "r1.\ud800"], closed_groups=["r1/solver/g"]), TENSORS, {"cpu/0": torch.get_rng_state()}, save_model)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "c", 2, print)
    assert checkpoints.newest() is None
    write(checkpoints, 3)
    found = Checkpoints(tmp_path / "c", 2, print).newest()
    assert found is not None and found.state == TrainState(step=3, updates=3, consumed=["r1.a", "r1.\ud800"], closed_groups=["r1/solver/g"])
    assert all(torch.equal(found.optimizer()[name], tensor) for name, tensor in TENSORS.items())
    assert torch.equal(found.generators()["cpu/0"], torch.get_rng_state())


def test_the_last_ones_are_kept_in_the_order_of_steps(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 3, print)
    for step in (9, 10, 10, 100):
        write(checkpoints, step)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["step-10", "step-10.1", "step-100"]
    assert checkpoints.newest().path.name == "step-100"  # type: ignore[union-attr]


@pytest.mark.parametrize("harm", ["cut", "flipped", "missing", "no manifest", "no state"])
def test_a_broken_one_is_passed_over_for_the_one_before(tmp_path: Path, harm: str) -> None:
    said: list[str] = []
    checkpoints = Checkpoints(tmp_path, 3, said.append)
    write(checkpoints, 1)
    folder = write(checkpoints, 2)
    file = folder / "optimizer.safetensors"
    data = file.read_bytes()
    {
        "cut": lambda: file.write_bytes(data[:-1]), "flipped": lambda: file.write_bytes(data[:-1] + bytes([data[-1] ^ 1])), "missing": file.unlink,
        "no manifest": (folder / "manifest.json").unlink, "no state": (folder / "state.json").unlink,
    }[harm]()  # fmt: skip
    found = checkpoints.newest()
    assert found is not None and found.state.step == 1
    assert len(said) == 1 and "step-2" in said[0]


def test_what_was_just_written_stays_beside_a_broken_one_of_a_later_step(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 1, lambda _: None)
    for step in range(20, 26):
        (write(checkpoints, step) / "state.json").unlink()
        assert checkpoints.newest() is None
    (write(checkpoints, 30) / "state.json").unlink()
    write(checkpoints, 5)
    assert checkpoints.newest().path.name == "step-5"  # type: ignore[union-attr]
    write(checkpoints, 6)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["broken-step-24", "broken-step-25", "broken-step-30", "step-6"]


def test_what_a_crash_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{BESIDE}step-3").mkdir(parents=True)
    (tmp_path / f"{BESIDE}step-3" / "part").write_bytes(b"x")
    assert Checkpoints(tmp_path, 3, print).newest() is None and list(tmp_path.iterdir()) == []


def test_a_fault_while_writing_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 3, print)
    kept = write(checkpoints, 1)

    def fails(folder: Path) -> None:
        save_model(folder)
        raise OSError("the controller is gone")

    with pytest.raises(TrainerError, match="the controller is gone") as error:
        checkpoints.write(TrainState(step=2, updates=2), TENSORS, {}, fails)
    assert error.value.code == "CHECKPOINT_WRITE" and [one.name for one in tmp_path.iterdir()] == ["step-1"] and fault(kept) is None


def fill_the_disk(folder: str, said: str) -> None:
    """In a process of its own, whose files the kernel limits to 1 MiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
    checkpoints, codes = Checkpoints(Path(folder), 3, print), []
    for step, numbers in ((1, 10), (2, 1_000_000), (3, 20)):
        try:
            checkpoints.write(TrainState(step=step, updates=step), {"exp_avg/a": torch.zeros(numbers)}, {}, save_model)
        except TrainerError as error:
            codes.append(error.code)
    newest = checkpoints.newest()
    Path(said).write_text(f"{codes} {newest.state.step if newest else None}")


def test_a_full_disk_is_told_and_the_one_before_stays(tmp_path: Path) -> None:
    process = FORKS.Process(target=fill_the_disk, args=(str(tmp_path / "c"), str(tmp_path / "said")))
    process.start()
    process.join(60)
    assert (tmp_path / "said").read_text() == "['CHECKPOINT_DISK_FULL'] 3"
    assert sorted(one.name for one in (tmp_path / "c").iterdir()) == ["step-1", "step-3"]


def test_other_options_are_refused_by_name(tmp_path: Path) -> None:
    state = TrainState(step=4, updates=4, config={"clip_high": 0.28, "seed": 1})
    assert check_config(state, {"clip_high": 0.28, "seed": 1}, accept=False) == []
    with pytest.raises(TrainerError, match="--clip-high was 0.28 and is 0.3") as error:
        check_config(state, {"clip_high": 0.3, "seed": 1}, accept=False)
    assert error.value.code == "CHECKPOINT_OTHER_OPTIONS" and "--seed" not in str(error.value)
    assert check_config(state, {"clip_high": 0.3, "seed": 1}, accept=True) == ["clip_high"]
