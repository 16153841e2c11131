"""One machine's cluster for the comparison: a NATS server, a node of Spar, the inference server, and the teacher."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from .family import LearnArena
from .processes import ENVIRONMENT, LearnError, finish, free_port, program, trainer, until
from .repository import TEST_COMMAND, write_repository
from .teacher_server import Teacher, teacher_app
from .warm_start import BUDGET

MODEL = "learner"
PROMPTS = Path(__file__).parent / "prompts"
# A rollout is short and a test takes milliseconds: more at a time than cores keeps both busy while others wait for the model.
SLOTS = "start=4,run=8,verify=2,grade=3,own=8"
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 * 2**30
"""Free there, or the sandboxes lie on a disk."""


@dataclass(frozen=True)
class Play:
    """One run on the cluster."""

    name: str
    arenas: Sequence[Path]
    breaker: str
    episodes: int | None
    """None: until it is cancelled."""
    group: int
    in_flight: int
    seed: int


@dataclass(frozen=True)
class Cluster:
    folder: Path
    spar: Sequence[str | Path]
    nats: str
    model: str
    """Address of the inference server."""
    session: aiohttp.ClientSession

    async def submit(self, play: Play) -> None:
        document = {
            "name": play.name, "episodes": "until stopped" if play.episodes is None else play.episodes, "in-flight": play.in_flight, "group": play.group,
            "seed": play.seed, "strategy": {"direct": 1}, "min-files": "1", "min-passing": 10, "max-order": 1, "min-scored": 2,
            "breaker": play.breaker, "solver": f"sglang={self.model}", "model": MODEL, "tools": "text", "format-errors": "end", "prompts": str(PROMPTS), "temperature": 1,
            "max-turns": BUDGET.turns, "max-context": BUDGET.tokens, "max-seconds": BUDGET.seconds, "max-tokens": 128,
            "arenas": [{"target": str(path), "test": TEST_COMMAND} for path in play.arenas],
        }
        path = self.folder / "runs" / f"{play.name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=2))
        await self._spar("submit", "run", "submit", path)

    async def cancel(self, run: str) -> None:
        await self._spar("cancel", "run", "cancel", run)

    async def serve(self, weights: Path, version: str) -> None:
        """The inference server goes on with these."""
        async with self.session.post(f"{self.model}/update_weights_from_disk", json={"model_path": str(weights), "weight_version": version}) as answer:
            if answer.status != 200:
                raise LearnError("LEARN_FAILED", f"The inference server does not take {weights}: {await answer.text()}")

    async def _spar(self, name: str, *words: str | Path) -> None:
        await finish(f"spar {name}", [*self.spar, *words, "--nats", self.nats], self.folder / "logs" / "spar.log")


@contextlib.asynccontextmanager
async def open_cluster(folder: Path, weights: Path, *, spar: Sequence[str | Path], nats_server: str) -> AsyncIterator[Cluster]:
    logs = folder / "logs"
    async with contextlib.AsyncExitStack() as stack:
        home = stack.enter_context(_home())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        nats_port, health_port = free_port(), free_port()
        nats = f"nats://127.0.0.1:{nats_port}"
        server = await stack.enter_async_context(program("nats-server", [nats_server, "-js", "-a", "127.0.0.1", "-p", str(nats_port), "-sd", folder / "nats"], logs / "nats.log"))
        await until("nats-server", server, logs / "nats.log", lambda: _listens(nats_port))
        url = await stack.enter_async_context(_served(folder, weights, session))
        words = [*spar, "node", "--nats", nats, "--name", "learn", "--slots", SLOTS, "--sandbox", "process", "--http", f"127.0.0.1:{health_port}", "--nats-store-gib", "2", "--json"]
        node = await stack.enter_async_context(program("spar node", words, logs / "node.log", {"SPAR_HOME": home}))
        await until("spar node", node, logs / "node.log", lambda: _is_well(session, f"http://127.0.0.1:{health_port}/readyz"))
        yield Cluster(folder, spar, nats, url, session)


def _home() -> tempfile.TemporaryDirectory[str]:
    """For sandboxes, in memory where there is room: hundreds of small files a second are what a disk is slowest at. What a killed process
    left there is removed."""
    fits = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    for left in MEMORY.glob("spar-learn-*-*") if fits else ():
        if not Path("/proc", left.name.split("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    fits = fits and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES
    return tempfile.TemporaryDirectory(prefix=f"spar-learn-{os.getpid()}-", dir=MEMORY if fits else None, ignore_cleanup_errors=True)


@contextlib.asynccontextmanager
async def _served(folder: Path, weights: Path, session: aiohttp.ClientSession) -> AsyncIterator[str]:
    port, log = free_port(), folder / "logs" / "serve.log"
    words = trainer("serve", "--model", weights, "--name", MODEL, "--weight-version", "step-0", "--port", str(port), "--threads", "1")
    async with program("spar-trainer serve", words, log, ENVIRONMENT) as process:
        url = f"http://127.0.0.1:{port}"
        await until("spar-trainer serve", process, log, lambda: _is_well(session, f"{url}/health"))
        yield url


@contextlib.asynccontextmanager
async def teaching(arenas: Sequence[LearnArena], bugs_each: int | None) -> AsyncIterator[str]:
    """The address of a teacher that knows these arenas."""
    runner = web.AppRunner(teacher_app(Teacher(arenas, bugs_each), MODEL), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def lay_out(arenas: Sequence[LearnArena], folder: Path) -> list[Path]:
    paths = [folder / arena.name for arena in arenas]
    for arena, path in zip(arenas, paths, strict=True):
        if not (path / ".git").exists():
            write_repository(arena, path)
    return paths


async def _listens(port: int) -> bool:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return True


async def _is_well(session: aiohttp.ClientSession, url: str) -> bool:
    async with session.get(url) as answer:
        return answer.status == 200
