"""What the tests of training share: options for tiny models, and `spar-trainer` as a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from spar_trainer.config import TrainConfig
from spar_trainer.options import flag_name, resolve

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.preloaded"])
FILE_BYTES_MAX = "TEST_FILE_BYTES_MAX"
"""Variable with the limit that the kernel holds files of the process to: a disk that is full."""
TRAINER = Path(__file__).resolve().parents[1]
SMALL = {"dtype": "fp32", "threads": 1, "device": "cpu", "max_context": 256, "micro_batch_tokens": 64, "learning_rate": 1e-3, "warmup_steps": 2}


def train_config(**changes: Any) -> TrainConfig:
    given = {"model": "none", "out": "none", "source": "none", **SMALL, **changes}
    return resolve(TrainConfig, {name: str(value) if isinstance(value, Path) else value for name, value in given.items()})


def flags(**options: Any) -> list[str]:
    return [part for name, value in options.items() for part in (flag_name(name), str(value))]


class Process:
    """`spar-trainer` as a process of its own: forked from one that has everything loaded, which saves seconds each time."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._process = FORKS.Process(target=_main, args=(arguments, environment, self._folder.name), daemon=True)
        self._process.start()

    def text(self, stream: str) -> str:
        file = Path(self._folder.name) / stream
        return file.read_text() if file.exists() else ""

    def wait_for_line(self, seconds: float = 60) -> None:
        """On stdout; or for the end of the process."""
        until = time.monotonic() + seconds
        while "\n" not in self.text("stdout") and self._process.is_alive():
            assert time.monotonic() < until, self.text("stderr")
            time.sleep(0.005)

    def signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def finish(self, seconds: float = 120) -> Done:
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        assert self._process.exitcode is not None
        done = Done(self._process.exitcode, self.text("stdout"), self.text("stderr"))
        self._folder.cleanup()
        return done


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def _main(arguments: tuple[str, ...], environment: dict[str, str], folder: str) -> None:
    for stream, number in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(f"{folder}/{stream}", os.O_CREAT | os.O_WRONLY | os.O_APPEND), number)
    os.environ.update(environment)
    if FILE_BYTES_MAX in environment:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(environment[FILE_BYTES_MAX]),) * 2)
    from spar_trainer.cli import main

    code = main(arguments)
    sys.stdout.flush()
    os._exit(code)


def start(*arguments: str, **environment: str) -> Process:
    return Process(arguments, environment)


def run(*arguments: str, ranks: int = 1) -> Done:
    """On several ranks with the variables that torchrun sets; what rank 0 said."""
    if ranks == 1:
        return start(*arguments).finish()
    shared = {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    processes = [start(*arguments, **shared, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(ranks)]
    done = [process.finish() for process in processes]
    assert all(one.returncode == done[0].returncode for one in done), [one.stderr for one in done]
    return done[0]


def torchrun(*arguments: str, ranks: int) -> Done:
    environment = {**os.environ, "PYTHONPATH": str(TRAINER), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={ranks}", f"--master-port={free_port()}", "-m", "spar_trainer"]
    done = subprocess.run([*launch, *arguments], env=environment, capture_output=True, text=True, timeout=120)
    return Done(done.returncode, done.stdout, done.stderr)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def furthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference of any weight."""
    assert one.keys() == other.keys()
    return max(float((one[name].float() - other[name].float()).abs().max()) for name in one)


def one_thread() -> None:
    torch.set_num_threads(1)
