"""The programs that the comparison consists of, each started, waited for and ended here: nobody outlives the caller, also where that is
killed (on Linux)."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import aiohttp

READY_SECONDS = 60.0
END_SECONDS = 20.0
TRAINER = Path(__file__).parents[2]


class LearnError(Exception):
    """What kept the comparison from being made, for people; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@contextlib.asynccontextmanager
async def program(name: str, words: Sequence[str | Path], log: Path, environment: Mapping[str, str] = {}) -> AsyncIterator[asyncio.subprocess.Process]:
    """Its output goes to `log`. At the end it is told to end (SIGTERM), and after `END_SECONDS` it is killed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        try:
            process = await asyncio.create_subprocess_exec(*map(str, words), stdout=out, stderr=out, env={**os.environ, **environment}, preexec_fn=_end_with_parent)
        except FileNotFoundError as error:
            raise LearnError("LEARN_NO_PROGRAM", f"Cannot start {name}: there is no program {words[0]}") from error
    try:
        yield process
    finally:
        await end(process)


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    """Runs in the child: the kernel tells it to end when the process that started it is gone."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except (TimeoutError, asyncio.TimeoutError):
        process.kill()
        await process.wait()


async def finish(name: str, words: Sequence[str | Path], log: Path, environment: Mapping[str, str] = {}) -> None:
    """Runs a program to its end. Raises LearnError where that is not a good one."""
    async with program(name, words, log, environment) as process:
        code = await process.wait()
    if code != 0:
        raise LearnError("LEARN_FAILED", f"{name} ended with {code}: {last_lines(log)}")


async def until(name: str, process: asyncio.subprocess.Process, log: Path, is_ready) -> None:
    """`is_ready` is asked again and again. Raises LearnError when the program ends before, or takes too long."""
    for _ in range(int(READY_SECONDS / 0.1)):
        if process.returncode is not None:
            raise LearnError("LEARN_FAILED", f"{name} ended with {process.returncode}: {last_lines(log)}")
        with contextlib.suppress(OSError, aiohttp.ClientError):
            if await is_ready():
                return
        await asyncio.sleep(0.1)
    raise LearnError("LEARN_FAILED", f"{name} is not ready after {READY_SECONDS:.0f} s: {last_lines(log)}")


def last_lines(log: Path, count: int = 8) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else "no output"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def trainer(*words: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "spar_trainer", *words]


ENVIRONMENT = {"PYTHONPATH": str(TRAINER), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
