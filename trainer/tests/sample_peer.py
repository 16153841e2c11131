"""The trainer's side of samples and policies as a program, for tests in another language. Run it in the folder `trainer/`:

    python -m tests.sample_peer <url> <prefix> [<nkey> <ca>]

Each line of standard input is a command, {"do": ...} with what the function of that name below takes; a line with what came of it
is said for each. An exception is {"error": its code or kind}. It ends when its standard input does, without closing anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from datetime import datetime
from typing import Any

from spar_trainer.nats_options import NatsOptions
from spar_trainer.policies import announce, served
from spar_trainer.sources import RawSample, StreamLimits, StreamSource, replay

from .interop_peer import lines, say


def shown(sample: RawSample) -> dict[str, Any]:
    record = sample.record
    return {
        "id": sample.id, "settled": sample.settled, "fault": sample.fault, "bytes": None if record is None else len(record),
        "sha256": None if record is None else hashlib.sha256(record).hexdigest(),
    }


class Peer:
    def __init__(self, nc: Any, prefix: str) -> None:
        self._nc = nc
        self._prefix = prefix
        self._source: StreamSource | None = None

    @property
    def source(self) -> StreamSource:
        assert self._source is not None, "open comes first"
        return self._source

    async def open(self, known: list[str] | None = None, limits: dict[str, Any] | None = None, **more: Any) -> Any:
        self._source = await StreamSource.open(self._nc, self._prefix, known=set(known or []), limits=StreamLimits(**(limits or {})), **more)

    async def take(self, most: int = 1_000, wait: float = 5.0) -> Any:
        return [shown(sample) for sample in await self.source.take(most, wait)]

    async def take_all(self, count: int, within: float = 30.0) -> Any:
        """Until there are `count`, or the time is over."""
        until, samples = asyncio.get_running_loop().time() + within, []
        while len(samples) < count and asyncio.get_running_loop().time() < until:
            samples += await self.take(count - len(samples), 0.5)
        return samples

    async def acknowledge(self, ids: list[str]) -> Any:
        await self.source.acknowledge(ids)

    async def held(self) -> Any:
        return [*self.source.held, self.source.is_full]

    async def close(self) -> Any:
        await self.source.close()

    async def replay(self, from_time: str | None = None, **more: Any) -> Any:
        time = None if from_time is None else datetime.fromisoformat(from_time.replace("Z", "+00:00"))
        return [{"sequence": one.sequence, "at": one.at.isoformat(), **shown(one.sample)} async for one in replay(self._nc, self._prefix, from_time=time, **more)]

    async def announce(self, model: str, version: str) -> Any:
        return vars(await announce(self._nc, self._prefix, model, version))

    async def served(self) -> Any:
        return [vars(policy) for policy in (await served(self._nc, self._prefix)).values()]


async def main(url: str, prefix: str, nkey: str | None = None, ca: str | None = None) -> None:
    peer = Peer(await NatsOptions(servers=(url,), prefix=prefix, nkey=nkey, ca=ca).connect("spar-test-trainer"), prefix)
    commands = await lines()
    while line := await commands.readline():
        given = json.loads(line)
        try:
            say({"said": await getattr(peer, given.pop("do"))(**given)})
        except Exception as error:
            say({"error": getattr(error, "code", type(error).__name__), "text": str(error)})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
