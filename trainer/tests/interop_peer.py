"""One side of the bridge as a program, for tests in another language. Run it in the folder `trainer/`:

    python -m tests.interop_peer serve <url> <prefix>    serves Echo; a line {"ready": true}, then {"event": ...} of its handlers
    python -m tests.interop_peer call <url> <prefix>     makes the calls that come as lines, and says a line with each outcome

It ends when its standard input does. A call is {"kind", "method", "messages", "timeout"?, "metadata"?, "cancel_after"?, "slow"?}
with seconds for times; its outcome {"messages", "metadata", "trailers", "code", "text"}. JSON has no arrays of numbers and no
bytes: {"$array": {"dtype", "shape", "values"}} and {"$zeros": length} go in, and come out as {"$array": ...} and {"$bytes": hex},
long ones as {"$sha256": hex, "length": ...}.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from typing import Any

import nats
import numpy as np

from spar_trainer.bridge import BridgeClient, BridgeError, BridgeServer, Code, ObjectBucket

from .echo import add_methods

SHORT = 1_024


def say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return np.array(value["$array"]["values"], value["$array"]["dtype"]).reshape(value["$array"]["shape"])
    if "$zeros" in value:
        return bytes(value["$zeros"])
    return {key: from_json(item) for key, item in value.items()}


def to_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.nbytes > SHORT:
            return {"$sha256": hashlib.sha256(value.tobytes()).hexdigest(), "length": value.nbytes}
        return {"$array": {"dtype": value.dtype.str, "shape": list(value.shape), "values": value.ravel().tolist()}}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()} if len(value) <= SHORT else {"$sha256": hashlib.sha256(value).hexdigest(), "length": len(value)}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return value


async def lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


class Record(list[str]):
    """Says what is appended."""

    def append(self, event: str) -> None:
        say({"event": event})


async def serve(url: str, prefix: str) -> None:
    nc = await nats.connect(url)
    server = BridgeServer(nc, ObjectBucket(nc, prefix), service="Echo", prefix=prefix)
    add_methods(server, Record())
    await server.start()
    say({"ready": True})
    await (await lines()).read()
    await server.close()
    await nc.close()


async def make_calls(url: str, prefix: str) -> None:
    nc = await nats.connect(url)
    client = BridgeClient(nc, ObjectBucket(nc, prefix), prefix)
    commands = await lines()
    while line := await commands.readline():
        say(await outcome_of(client, json.loads(line)))
    await client.close()
    await nc.close()


async def outcome_of(client: BridgeClient, command: dict[str, Any]) -> dict[str, Any]:
    outcome: dict[str, Any] = {"messages": [], "metadata": {}, "trailers": {}, "code": 0, "text": ""}
    making = asyncio.create_task(make_call(client, command, outcome))
    if "cancel_after" in command:
        await asyncio.sleep(command["cancel_after"])
        making.cancel()
    try:
        await making
    except asyncio.CancelledError:
        outcome["code"] = int(Code.CANCELLED)
    except BridgeError as error:
        outcome.update(code=int(error.code), text=error.text, trailers=to_json(dict(error.metadata)))
    return outcome


async def make_call(client: BridgeClient, command: dict[str, Any], outcome: dict[str, Any]) -> None:
    messages, method = from_json(command["messages"]), command["method"]
    options = {"timeout": command.get("timeout"), "metadata": command.get("metadata")}
    if command["kind"] in ("unary", "client_stream"):
        given = messages[0] if command["kind"] == "unary" else messages
        answer = await getattr(client, command["kind"])("Echo", method, given, **options)
        outcome.update(messages=[to_json(answer.message)], trailers=to_json(dict(answer.trailers)))
        return
    if command["kind"] == "server_stream":
        call = await client.server_stream("Echo", method, messages[0], **options)
    else:
        call = await client.bidirectional("Echo", method, **options)
    async with call:
        feeding = asyncio.create_task(feed(call, messages)) if command["kind"] == "bidirectional" else None
        async for message in call:
            await asyncio.sleep(command.get("slow", 0))
            outcome["messages"].append(to_json(message))
        if feeding is not None:
            await feeding
    outcome.update(metadata=to_json(dict(call.metadata)), trailers=to_json(dict(call.trailers)))


async def feed(call: Any, messages: list[Any]) -> None:
    for message in messages:
        await call.send(message)
    await call.end()


if __name__ == "__main__":
    _, command, url, prefix = sys.argv
    asyncio.run({"serve": serve, "call": make_calls}[command](url, prefix))
