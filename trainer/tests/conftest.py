"""Every test that takes `server` runs with each nats-server there is: that of the PATH and that of SPAR_TEST_NATS_SERVER."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from spar_trainer.bridge import BridgeClient, BridgeLimits, BridgeServer, ObjectBucket

from .echo import add_methods


def nats_servers() -> list[str]:
    named = ("nats-server", os.environ.get("SPAR_TEST_NATS_SERVER", ""))
    return [path for path in (shutil.which(name) for name in named if name) if path is not None]


class NatsServer:
    """A server of its own store, on the same port each time that it is started."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"

    def start(self, has_store: bool = True) -> None:
        command = [self._program, "-a", "127.0.0.1", "-p", str(self.port), *(("-js", "-sd", str(self._folder)) if has_store else ())]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, "nats-server ended"
            assert time.monotonic() < until, "nats-server does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        found = nats_servers()
        missing = pytest.param("", marks=pytest.mark.skip(reason="there is no nats-server on the PATH"))
        metafunc.parametrize("server", found or [missing], indirect=True, ids=[Path(path).parent.parent.name for path in found] or None)


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NatsServer]:
    running = NatsServer(request.param, tmp_path)
    running.start()
    yield running
    running.kill()


async def connect(server: NatsServer) -> Client:
    async def ignore(_: Exception) -> None:
        """A server that was killed is what is tested."""

    return await nats.connect(server.url, reconnect_time_wait=0.05, max_reconnect_attempts=-1, error_cb=ignore)


@dataclass
class Pair:
    """A client and a server of the service Echo, each with a connection of its own."""

    client: BridgeClient
    echo: BridgeServer
    client_nc: Client
    server_nc: Client
    client_objects: ObjectBucket
    record: list[str]


async def make_pair(server: NatsServer, limits: BridgeLimits) -> AsyncIterator[Pair]:
    client_nc, server_nc = await connect(server), await connect(server)
    client_objects, server_objects = ObjectBucket(client_nc), ObjectBucket(server_nc)
    await client_objects.ensure()
    echo = BridgeServer(server_nc, server_objects, service="Echo", limits=limits)
    record: list[str] = []
    add_methods(echo, record)
    await echo.start()
    pair = Pair(BridgeClient(client_nc, client_objects, limits=limits), echo, client_nc, server_nc, client_objects, record)
    try:
        yield pair
    finally:
        if client_nc.is_connected and server_nc.is_connected:
            await echo.close()
            await pair.client.close()
        await client_nc.close()
        await server_nc.close()


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> BridgeLimits:
    """Small ones; the marker `limits` changes them."""
    marker = request.node.get_closest_marker("limits")
    return BridgeLimits(**{"window": 64 * 1024, "calls_max": 8, "watch": 0.05, **(marker.kwargs if marker else {})})


@pytest.fixture
async def pair(server: NatsServer, limits: BridgeLimits) -> AsyncIterator[Pair]:
    async for made in make_pair(server, limits):
        yield made
