"""What `train` and `sft` share: the ranks, the policy with its optimizer, and the checkpoints in the run's folder.

Every rank opens a session; rank 0 goes on with it and leads, the others `follow`. Where a checkpoint is found, everything is as it was
when that was written.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from . import __version__
from .atomic import write_file, write_folder
from .checkpoint import Checkpoint, Checkpoints, TrainState, check_config, generators_here, not_written, read, set_generators
from .config import ModelConfig, config_hash, lasting
from .distributed import Lead, Ranks, follow, load_optimizer, open_ranks, shard, whole_optimizer, whole_weights
from .errors import TrainerError
from .learner import Learner, Objective, StepResult
from .model_files import save_for_resume, save_policy
from .models import load_policy
from .options import as_json
from .report import CONFIG
from .steps import Packing, Portions

CHECKPOINTS = "checkpoints"
POLICY = "policy"
LOCK = ".lock"
Say = Callable[[str], None]


@dataclass
class Gathered:
    """What a checkpoint holds of the policy, on rank 0's processor."""

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    generators: dict[str, Tensor]


class Session:
    def __init__(self, config: ModelConfig, learner: Learner, ranks: Ranks, checkpoints: Checkpoints, start: TrainState) -> None:
        self.config = config
        self.learner = learner
        self.ranks = ranks
        self.start = start
        """Where this process begins: step 0, or what the checkpoint says."""
        self.packing = Packing(config.micro_batch_tokens, learner.policy.form, ranks.size)
        self._checkpoints = checkpoints
        self._lead = Lead(ranks, {"step": learner.step, "values": learner.values, "gather": self._gather, "weights": self._weights})

    def follow(self) -> None:
        follow(self.ranks, self._lead.calls)

    def step(self, portions: Portions) -> StepResult:
        return self._lead.do("step", portions)

    def values(self, portions: Portions) -> dict[int, Tensor]:
        return self._lead.do("values", portions)

    def idle(self) -> None:
        """Tells the other ranks that this one is there, and waits."""
        self._lead.idle()

    def write_checkpoint(self, state: TrainState) -> Path:
        """Raises TrainerError CHECKPOINT_…"""
        gathered: Gathered = self._lead.do("gather", None)

        def save_model(folder: Path) -> None:
            save_for_resume(self.learner.policy, gathered.weights, folder, origin=self.config.model)

        return self._checkpoints.write(state, gathered.optimizer, gathered.generators, save_model)

    def saver(self) -> Callable[[Path], None]:
        """Writes the policy as it is now into a folder, also when it has been trained on since."""
        weights: dict[str, Tensor] = self._lead.do("weights", None)
        dtype = torch.bfloat16 if self.config.dtype == "bf16" else torch.float32

        def save(folder: Path) -> None:
            save_policy(self.learner.policy, weights, folder, origin=self.config.model, dtype=dtype)

        return save

    def write_policy(self) -> Path:
        """`<out>/policy`: the policy as transformers, vLLM and `spar-trainer serve` read it. Raises TrainerError CHECKPOINT_…"""
        folder = Path(self.config.out) / POLICY
        try:
            write_folder(folder, self.saver())
        except Exception as error:
            raise not_written(f"the policy {folder}", error) from error
        return folder

    def close(self) -> None:
        if self.ranks.leads:
            self._lead.stop()
        self.ranks.close()

    def _gather(self, _: None) -> Gathered:
        policy, ranks = self.learner.policy, self.ranks
        weights = whole_weights(policy, ranks, trained_only=policy.has_adapter)
        optimizer = whole_optimizer(policy, self.learner.optimizer, ranks)
        generators = {name: one for part in ranks.gather(generators_here(ranks.rank)) or [] for name, one in part.items()}
        return Gathered(weights, optimizer, generators)

    def _weights(self, _: None) -> dict[str, Tensor]:
        return whole_weights(self.learner.policy, self.ranks)


def open_session(config: ModelConfig, objective: Objective, say: Say, *, value_head: bool = False) -> Session:
    if config.threads:
        torch.set_num_threads(config.threads)
    ranks = open_ranks(config.device)
    torch.manual_seed(config.seed + ranks.rank)
    out = Path(config.out)
    checkpoints = Checkpoints(out / CHECKPOINTS, config.checkpoints_kept, say) if ranks.leads else None
    found = checkpoints.newest() if checkpoints is not None else None
    path = ranks.broadcast(str(found.path) if found is not None else None)
    checkpoint = read(Path(path)) if path is not None else None
    start = start_of(config, checkpoint, say if ranks.leads else lambda _: None)
    loaded = load_policy(config, value_head=value_head, reference=objective.kl_coefficient > 0, checkpoint=checkpoint.path if checkpoint else None, device=ranks.device)
    reference = shard(loaded.reference, ranks, config) if loaded.reference is not None else None
    learner = Learner(shard(loaded.policy, ranks, config), reference, objective, config, ranks)
    if checkpoint is not None:
        load_optimizer(learner.policy, learner.optimizer, checkpoint.optimizer())
        learner.updates = checkpoint.state.updates
        set_generators(checkpoint.generators(), ranks.rank)
    return Session(config, learner, ranks, checkpoints, start)  # type: ignore[arg-type]


def start_of(config: ModelConfig, checkpoint: Checkpoint | None, say: Say) -> TrainState:
    if checkpoint is None:
        return TrainState(step=0, updates=0)
    differ = check_config(checkpoint.state, json.loads(json.dumps(lasting(config))), config.accept_changes)
    say(f"Going on after step {checkpoint.state.step}, from {checkpoint.path.name}" + (f", with other options: {', '.join(differ)}" if differ else ""))
    return checkpoint.state


def state_of(config: ModelConfig, **values: Any) -> TrainState:
    return TrainState(config=lasting(config), config_hash=config_hash(config), **values)


def hold(config: ModelConfig) -> TextIO | None:
    """Makes the run's folder, says its options there, and keeps other trainers out of it until the file is closed; None on ranks
    that do not lead. Raises TrainerError OUT_IN_USE or OUT_UNWRITABLE."""
    if int(os.environ.get("RANK", "0")) != 0:
        return None
    out = Path(config.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_file(out / CONFIG, (json.dumps({**as_json(config), "trainer": __version__, "torch": torch.__version__}, indent=1) + "\n").encode())
    except BlockingIOError:
        raise TrainerError("OUT_IN_USE", f"Cannot train in {out}: another trainer does; wait for it, or name another --out") from None
    except OSError as error:
        raise TrainerError("OUT_UNWRITABLE", f"Cannot write in {out}: {error.strerror}; name another --out") from None
    return lock
