"""The service Echo, a method for each kind of call, which the tests of both languages call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from spar_trainer.bridge import BridgeError, BridgeServer, CallKind, Code, Context


def add_methods(server: BridgeServer, record: list[str] | None = None) -> None:
    """`record` is told what became of the handlers of Hang and Flood."""
    events = [] if record is None else record

    async def say(message: Any, context: Context) -> Any:
        context.trailers.update(context.metadata)
        return message

    async def count(message: Any, context: Context) -> AsyncIterator[int]:
        context.initial["method"] = "count"
        context.trailers["counted"] = str(message["n"])
        for number in range(message["n"]):
            yield number

    async def add_up(messages: AsyncIterator[Any], context: Context) -> Any:
        total = 0
        async for message in messages:
            total += message["value"]
        return {"sum": total}

    async def chat(messages: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for message in messages:
            yield message

    async def fail(message: Any, context: Context) -> None:
        raise BridgeError(Code(message["code"]), message["text"], {"why": "asked"})

    async def throw(message: Any, context: Context) -> None:
        raise KeyError("a defect")

    async def hang(message: Any, context: Context) -> None:
        events.append("hang")
        try:
            await asyncio.Event().wait()
        finally:
            events.append("hang aborted")

    async def flood(message: Any, context: Context) -> AsyncIterator[bytes]:
        try:
            for _ in range(message["n"]):
                yield bytes(message["bytes"])
            events.append("flood ended")
        finally:
            events.append("flood left")

    server.add("Say", CallKind.UNARY, say)
    server.add("Count", CallKind.SERVER_STREAM, count)
    server.add("Sum", CallKind.CLIENT_STREAM, add_up)
    server.add("Chat", CallKind.BIDIRECTIONAL, chat)
    server.add("Fail", CallKind.UNARY, fail)
    server.add("Throw", CallKind.UNARY, throw)
    server.add("Hang", CallKind.UNARY, hang)
    server.add("Flood", CallKind.SERVER_STREAM, flood)
