"""Publishing: a version of the policy goes to a folder, to the servers that sample from it, and then onto the bus.

    <folder>/<version>/   what transformers writes: configuration, safetensors, tokenizer; there whole or not at all
    <folder>/latest       a link to the version that was written last

1. Nodes name a version only when every healthy server has it: it is announced last.
2. A server that cannot take a version, or not in time, is reported and counted, and costs nobody else the version. Where none can,
   nothing is announced.
3. Of old versions the last few are kept, and whatever a server is known to serve.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from .api_key import KEY_VARIABLE, api_key
from .atomic import BESIDE, MANIFEST, clear, sync, write_folder
from .errors import TrainerError
from .nats_options import NatsOptions
from .policies import announce
from .weight_servers import Refused, ServerClient, ServerLimits, Unwell, WeightServer, parse_server

KEPT = 3
LATEST = "latest"
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
Announce = Callable[[str, str], Awaitable[None]]
"""Of a model and a version: says on the bus that the version is served."""


@dataclass(frozen=True)
class Published:
    """`failed`: why, by server."""

    version: str
    folder: Path
    served: list[WeightServer]
    failed: dict[WeightServer, str]
    announced: bool


@dataclass
class PublishCounters:
    versions: int = 0
    announced: int = 0
    server_failures: dict[str, int] = field(default_factory=dict)


class Publisher:
    """`announce` None: nobody is told. `say` gets lines for people."""

    def __init__(
        self, folder: Path, model: str, servers: Sequence[WeightServer] = (), announce: Announce | None = None, *, kept: int = KEPT,
        key: str | None = None, limits: ServerLimits = ServerLimits(), say: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        if kept < 1:
            raise TrainerError("CONFIG_WRONG_VALUE", f"Versions kept cannot be {kept}: it has to be at least 1")
        self.counters = PublishCounters()
        self._folder, self._model, self._servers, self._announce, self._kept, self._say = folder, model, tuple(servers), announce, kept, say
        self._client = ServerClient(key, limits, sleep) if servers else None
        self._limits = limits
        self._served: dict[WeightServer, str | None] = {}
        self._failed: set[WeightServer] = set()
        """With the version before: these are tried once, for others wait."""

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def publish(self, version: str, save: Callable[[Path], None]) -> Published:
        """`save` writes the policy into an empty folder. Raises what it raises, OSError, and TrainerError: PUBLISH_VERSION (the name), PUBLISH_SERVERS (no server took it), or what the bus says."""
        folder = self._folder / check_version(version)
        await asyncio.to_thread(self._write, folder, save)
        return await self._make_known(version, folder)

    async def publish_written(self, version: str) -> Published:
        """Tells the servers and the bus of a version that is in the folder already."""
        folder = self._folder / check_version(version)
        if not (folder / "config.json").is_file():
            raise TrainerError("PUBLISH_VERSION", f"Cannot publish {version!r}: there is no {folder / 'config.json'}")
        await asyncio.to_thread(self._point, folder)
        return await self._make_known(version, folder)

    async def _make_known(self, version: str, folder: Path) -> Published:
        self.counters.versions += 1
        results = await asyncio.gather(*[self._update(server, folder, version) for server in self._servers])
        failed = {server: why for server, why in zip(self._servers, results, strict=True) if why is not None}
        served = [server for server in self._servers if server not in failed]
        if self._servers and not served:
            raise TrainerError("PUBLISH_SERVERS", f"Cannot announce {version}: no server took it ({'; '.join(f'{server}: {why}' for server, why in failed.items())})")
        if self._announce is not None:
            await self._announce(self._model, version)
            self.counters.announced += 1
        await asyncio.to_thread(self._prune, version)
        return Published(version, folder, served, failed, self._announce is not None)

    async def _update(self, server: WeightServer, folder: Path, version: str) -> str | None:
        """None, or why it does not serve the version."""
        assert self._client is not None
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.update_s_max
        if server not in self._served:
            self._served[server] = await self._client.version(server)
        tries_max = 1 if server in self._failed else self._limits.tries_max
        try:
            await self._client.update(server, folder.resolve(), version, seconds=until - loop.time(), tries_max=tries_max)
        except (Refused, Unwell) as error:
            self.counters.server_failures[str(server)] = self.counters.server_failures.get(str(server), 0) + 1
            self._failed.add(server)
            self._say(f"{server} does not serve {version}: {error}")
            return str(error)
        self._served[server] = version
        self._failed.discard(server)
        return None

    def _write(self, folder: Path, save: Callable[[Path], None]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        clear(self._folder)
        write_folder(folder, save)
        self._point(folder)

    def _point(self, folder: Path) -> None:
        """`latest` is replaced in one step."""
        beside = self._folder / (BESIDE + LATEST)
        beside.unlink(missing_ok=True)
        beside.symlink_to(folder.name)
        os.replace(beside, self._folder / LATEST)
        sync(self._folder)

    def _prune(self, version: str) -> None:
        written = [file.parent for file in self._folder.glob(f"*/{MANIFEST}") if not file.parent.is_symlink() and not file.parent.name.startswith(BESIDE)]
        written.sort(key=lambda folder: (folder / MANIFEST).stat().st_mtime_ns)
        needed = {version, *self._served.values(), *(folder.name for folder in written[-self._kept :])}
        for folder in written:
            if folder.name not in needed:
                shutil.rmtree(folder, ignore_errors=True)


def check_version(version: str) -> str:
    """The name of a folder as well."""
    if VERSION.fullmatch(version) is None or version == LATEST:
        raise TrainerError("PUBLISH_VERSION", f"Cannot publish {version!r}: a version has 1 to 200 letters, digits, '.', '_' and '-', begins with a letter or a digit, and is not {LATEST!r}")
    return version


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise TrainerError("USAGE", f"{message}; see {self.prog} --help")


def main(argv: Sequence[str]) -> int:
    """0: every server has it. 1: some have not. Raises TrainerError, and NatsOptionsError where the bus is not to be had."""
    parser = _Parser(prog="spar-trainer publish", allow_abbrev=False, description="Tells servers of a version that is in a folder, and then announces it.",
                     epilog="With --announce also --nats, --nats-prefix, --nats-creds, --nats-nkey, --nats-user, --nats-ca, --nats-cert and --nats-key, as spar node has them.")  # fmt: skip
    parser.add_argument("folder", type=Path, help="folder of versions, as training writes it: <out>/policies")
    parser.add_argument("--version", required=True, help="a folder in it")
    parser.add_argument("--server", action="append", default=[], help=f"spar=, sglang= or vllm= and an address; may be given more than once. A key comes from {KEY_VARIABLE}")
    parser.add_argument("--announce", metavar="MODEL", help="name of the policy that nodes play with: tells them on the bus")
    parser.add_argument("--keep", type=int, default=KEPT, help="versions; older ones that no server serves are removed")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    given, of_bus = parser.parse_known_args(argv)
    if of_bus and given.announce is None:
        parser.error(f"unrecognized arguments: {' '.join(of_bus)}")
    published = asyncio.run(_publish(given, of_bus, [parse_server(server) for server in given.server]))
    if given.json:
        failed = {str(server): why for server, why in published.failed.items()}
        print(json.dumps({"version": published.version, "folder": str(published.folder), "served": [str(server) for server in published.served], "failed": failed, "announced": published.announced}))
    else:
        print(f"{published.version} is served by {len(published.served)} of {len(published.served) + len(published.failed)} servers{', and announced' if published.announced else ''}")
    return 1 if published.failed else 0


async def _publish(given: argparse.Namespace, of_bus: list[str], servers: list[WeightServer]) -> Published:
    async with AsyncExitStack() as stack:
        tell = None if given.announce is None else await stack.enter_async_context(announcing(_bus_options(of_bus)))
        publisher = Publisher(given.folder, given.announce or "", servers, tell, kept=given.keep, key=api_key(), say=_say)
        stack.push_async_callback(publisher.close)
        return await publisher.publish_written(given.version)


@asynccontextmanager
async def announcing(options: NatsOptions) -> AsyncIterator[Announce]:
    """Says on the bus which version is served, over a connection of its own."""
    connection = await options.connect("spar-trainer publish")

    async def tell(model: str, version: str) -> None:
        await announce(connection, options.prefix, model, version)

    try:
        yield tell
    finally:
        await connection.close()


def _bus_options(arguments: list[str]) -> NatsOptions:
    parser = _Parser(prog="spar-trainer publish", allow_abbrev=False, add_help=False)
    NatsOptions.add_arguments(parser)
    return NatsOptions.from_arguments(parser.parse_args(arguments), os.environ)


def _say(message: str) -> None:
    print(f"spar-trainer: {message}", file=sys.stderr, flush=True)
