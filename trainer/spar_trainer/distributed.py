"""One trainer on several processes: started by torchrun, sharded by FSDP, led by rank 0.

Rank 0 reads the samples and decides; it tells the others what to do next, and all of them do the same calls in the same order. What is
told goes over gloo, also where tensors go over nccl, so that waiting for samples does not keep a GPU spinning. Alone, a process is a
world of one, and nothing here costs anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from .config import ModelConfig
from .errors import TrainerError
from .models import Policy

T = TypeVar("T")
CONTROL_SECONDS = 1_800
"""A rank that hears nothing for so long gives up. Rank 0 says that it waits every `IDLE_SECONDS`."""
IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class Ranks:
    """This process's place among those of the run."""

    rank: int
    size: int
    device: torch.device
    control: Any = None
    """Group of gloo for objects; None: alone."""

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def scatter(self, items: Sequence[T] | None) -> T:
        """Rank 0 gives one item for each rank."""
        if self.size == 1:
            assert items is not None
            return items[0]
        out: list[Any] = [None]
        dist.scatter_object_list(out, list(items) if items is not None else None, src=0, group=self.control)
        return out[0]

    def gather(self, item: T) -> list[T] | None:
        """Of all ranks, on rank 0."""
        if self.size == 1:
            return [item]
        out: list[Any] | None = [None] * self.size if self.leads else None
        dist.gather_object(item, out, dst=0, group=self.control)
        return out

    def broadcast(self, item: T | None) -> T:
        """Rank 0's, on every rank."""
        box: list[Any] = [item]
        if self.size > 1:
            dist.broadcast_object_list(box, src=0, group=self.control)
        return box[0]

    def total(self, value: float) -> float:
        """The same sum on every rank."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(tensor, group=self.control)
        return float(tensor)

    def close(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()


def open_ranks(device: str) -> Ranks:
    """By the environment that torchrun sets; without it a world of one. `device`: auto, cpu or cuda."""
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainerError("DEVICE_MISSING", "Option --device cannot be cuda: torch sees no GPU here")
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(place)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Ranks(0, 1, place)
    wait = timedelta(seconds=CONTROL_SECONDS)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=wait)
    control = dist.new_group(backend="gloo", timeout=wait) if on_gpu else dist.group.WORLD
    return Ranks(dist.get_rank(), size, place, control)


def shard(policy: Policy, ranks: Ranks, config: ModelConfig) -> Policy:
    """FSDP2: each decoder layer a unit, the rest with the root. Gradients are averaged over ranks by it: see `Learner`."""
    if ranks.size == 1:
        return policy
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(ranks.device.type, (ranks.size,))
    precision = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32) if config.dtype == "bf16" else MixedPrecisionPolicy()
    for block in policy.blocks():
        fully_shard(block, mesh=mesh, mp_policy=precision)
    return fully_shard(policy, mesh=mesh, mp_policy=precision)


def whole(tensor: Tensor) -> Tensor:
    """All of it, where it is sharded; every rank has to ask."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def whole_weights(policy: Policy, ranks: Ranks, *, trained_only: bool = False) -> dict[str, Tensor]:
    """Copies on rank 0's processor; {} elsewhere. Weights that are tied are there once. `trained_only`: of an adapter without the
    model below it."""
    once = dict(policy.named_parameters())
    tied = {name for name, _ in policy.named_parameters(remove_duplicate=False)} - once.keys()
    weights: dict[str, Tensor] = {}
    for name, tensor in policy.state_dict().items():
        if name in tied or (trained_only and (name not in once or not once[name].requires_grad)):
            continue
        gathered = whole(tensor.detach())
        if ranks.leads:
            weights[name] = gathered.to("cpu", copy=True)
    return weights


def whole_optimizer(policy: Policy, optimizer: torch.optim.Optimizer, ranks: Ranks) -> dict[str, Tensor]:
    """The optimizer's tensors as `<what>/<parameter>`; {} on other ranks than 0."""
    state: dict[str, Tensor] = {}
    for name, parameter in policy.named_parameters():
        for key, tensor in sorted(optimizer.state.get(parameter, {}).items()):
            gathered = whole(tensor.detach())
            if ranks.leads:
                state[f"{key}/{name}"] = gathered.to("cpu", copy=True)
    return state


def load_optimizer(policy: Policy, optimizer: torch.optim.Optimizer, state: dict[str, Tensor]) -> None:
    """What `whole_optimizer` gave, on every rank."""
    by_parameter: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        key, parameter = name.split("/", 1)
        by_parameter.setdefault(parameter, {})[key] = tensor
    for name, parameter in policy.named_parameters():
        if name in by_parameter:
            optimizer.state[parameter] = {key: placed_like(tensor, parameter) for key, tensor in by_parameter[name].items()}


def placed_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    if tensor.dim() == 0:
        return tensor.clone()
    if not hasattr(parameter, "device_mesh"):
        return tensor.to(parameter.device, copy=True)
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(parameter.device), parameter.device_mesh, parameter.placements)  # type: ignore[attr-defined]


STOP = "stop"
IDLE = "idle"


@dataclass
class Lead:
    """How rank 0 has all ranks do one of `calls`, which are the same on every rank: what it is given is its own affair there, and
    None on the others."""

    ranks: Ranks
    calls: dict[str, Callable[[Any], Any]]

    def do(self, name: str, given: Any) -> Any:
        self.ranks.broadcast(name)
        return self.calls[name](given)

    def idle(self) -> None:
        self.ranks.broadcast(IDLE)

    def stop(self) -> None:
        self.ranks.broadcast(STOP)


def follow(ranks: Ranks, calls: dict[str, Callable[[Any], Any]]) -> None:
    """What every rank but 0 does until rank 0 stops."""
    while True:
        name = ranks.broadcast(None)
        if name == STOP:
            return
        if name != IDLE:
            calls[name](None)
