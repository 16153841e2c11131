"""Checkpoints: all that a run needs to go on as if it had never stopped, or none of it.

`<out>/checkpoints/step-<n>/` holds the model (`model/`, a folder of transformers) or the adapter (`adapter/`, of peft), the critic's
head, the optimizer's moments, the state of the generators of each rank, and `state.json`: step, what was consumed, what was dropped and
counted, and the options. The learning rate follows from the number of updates, so there is no schedule to keep. Everything is safetensors
and JSON: reading a checkpoint runs no code.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .atomic import clear, fault, is_full, write_folder
from .errors import TrainerError

SCHEMA_VERSION = 2
STATE = "state.json"
OPTIMIZER = "optimizer.safetensors"
GENERATORS = "generators.safetensors"
BROKEN = "broken-"
"""Names of checkpoints that were not whole begin so: the run starts before them, and its new ones would seem older."""
BROKEN_KEPT_MAX = 3


@dataclass(frozen=True)
class TrainState:
    """JSON-shaped."""

    step: int
    updates: int
    """Optimizer updates that were tried."""
    consumed: list[str] = field(default_factory=list)
    drops: list[list[str | int]] = field(default_factory=list)
    closed_groups: list[str] = field(default_factory=list)
    """Ids of the last groups that were closed before they were whole; since schema 2."""
    skipped_steps: int = 0
    tokens: int = 0
    """Sampled ones that were trained on."""
    config: dict[str, Any] = field(default_factory=dict)
    """Those options that must stay (`lasting` of config.py)."""
    config_hash: str = ""
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class Checkpoint:
    path: Path
    state: TrainState

    def optimizer(self) -> dict[str, Tensor]:
        return load_tensors(self.path / OPTIMIZER)

    def generators(self) -> dict[str, Tensor]:
        return load_tensors(self.path / GENERATORS)


class Checkpoints:
    def __init__(self, folder: Path, keep: int, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._keep = keep
        self._say = say
        clear(folder)

    def write(self, state: TrainState, optimizer: dict[str, Tensor], generators: dict[str, Tensor], save_model: Callable[[Path], None]) -> Path:
        """Raises TrainerError CHECKPOINT_DISK_FULL or CHECKPOINT_WRITE; what was there before stays."""
        folder = self._free_name(state.step)

        def fill(beside: Path) -> None:
            save_model(beside)
            save_tensors(optimizer, beside / OPTIMIZER)
            save_tensors(generators, beside / GENERATORS)
            (beside / STATE).write_text(json.dumps(asdict(state)), "utf-8")

        try:
            write_folder(folder, fill)
        except Exception as error:
            raise not_written(f"the checkpoint {folder}", error) from error
        self._remove_old(folder)
        return folder

    def newest(self) -> Checkpoint | None:
        """The last one that is whole; those that are not are passed over, set aside, and said."""
        for folder in reversed(self._all()):
            wrong = fault(folder)
            if wrong is None:
                return read(folder)
            self._say(f"Passing over the checkpoint {folder.name}: {wrong}; it is set aside as {self._set_aside(folder).name}")
        return None

    def _all(self) -> list[Path]:
        return sorted((one for one in self._folder.glob("step-*") if one.is_dir()), key=order)

    def _free_name(self, step: int) -> Path:
        """A step has a second checkpoint where samples were dropped and no step came about: `step-7.1`."""
        same = [order(one)[1] for one in self._all() if order(one)[0] == step]
        return self._folder / (f"step-{step}.{max(same) + 1}" if same else f"step-{step}")

    def _set_aside(self, folder: Path) -> Path:
        aside = folder.with_name(BROKEN + folder.name)
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        broken = sorted(self._folder.glob(f"{BROKEN}*"), key=lambda one: order(one.with_name(one.name.removeprefix(BROKEN))))
        for old in broken[:-BROKEN_KEPT_MAX]:
            shutil.rmtree(old, ignore_errors=True)
        return aside

    def _remove_old(self, written: Path) -> None:
        for folder in self._all()[: -self._keep]:
            if folder == written:
                continue
            shutil.rmtree(folder, ignore_errors=True)


def order(folder: Path) -> tuple[int, int]:
    step, _, again = folder.name.removeprefix("step-").partition(".")
    return (int(step) if step.isdecimal() else -1, int(again) if again.isdecimal() else 0)


def read(folder: Path) -> Checkpoint:
    """Of a folder that is whole. Raises TrainerError CHECKPOINT_NEWER."""
    values = json.loads((folder / STATE).read_text("utf-8"))
    if values["schema_version"] > SCHEMA_VERSION:
        raise TrainerError("CHECKPOINT_NEWER", f"Cannot read the checkpoint {folder}: it has schema {values['schema_version']}, this trainer knows {SCHEMA_VERSION}; update the trainer")
    return Checkpoint(folder, TrainState(**values))


def not_written(what: str, error: Exception) -> TrainerError:
    if is_full(error):
        return TrainerError("CHECKPOINT_DISK_FULL", f"Cannot write {what}: the disk, a quota or a limit of file size is full; the one before it stays. Free space, or keep fewer (--checkpoints-kept)")
    return TrainerError("CHECKPOINT_WRITE", f"Cannot write {what}: {error}; the one before it stays")


def check_config(state: TrainState, lasting: dict[str, Any], accept: bool) -> list[str]:
    """Names of the options that differ from those of the checkpoint. Raises TrainerError CHECKPOINT_OTHER_OPTIONS unless accepted."""
    differ = sorted(name for name in {*state.config, *lasting} if state.config.get(name) != lasting.get(name))
    if differ and not accept:
        said = ", ".join(f"--{name.replace('_', '-')} was {state.config.get(name)!r} and is {lasting.get(name)!r}" for name in differ)
        raise TrainerError("CHECKPOINT_OTHER_OPTIONS", f"Cannot go on with the checkpoint of step {state.step}: {said}. Name another --out, or say --accept-changes yes")
    return differ


def save_tensors(tensors: dict[str, Tensor], file: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)


def load_tensors(file: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(file)


def generators_here(rank: int) -> dict[str, Tensor]:
    state = {f"cpu/{rank}": torch.get_rng_state()}
    if torch.cuda.is_available():
        state[f"cuda/{rank}"] = torch.cuda.get_rng_state()
    return state


def set_generators(state: dict[str, Tensor], rank: int) -> None:
    """A rank that the checkpoint does not know starts from its seed."""
    if f"cpu/{rank}" in state:
        torch.set_rng_state(state[f"cpu/{rank}"])
    if torch.cuda.is_available() and f"cuda/{rank}" in state:
        torch.cuda.set_rng_state(state[f"cuda/{rank}"])
