"""Calls, as who makes them sees them: one inbox for all calls of a client.

A task that waits for a call and is cancelled cancels the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nats.aio.client import Client

from .channel import Channel
from .frames import Accept, CallKind, Cancel, End, Frame, Open, Status, encode
from .limits import LIMITS, BridgeLimits
from .link import Link
from .messages import Messages
from .objects import ObjectBucket
from .status import BridgeError, Code, Metadata

T = TypeVar("T")
Stream = AsyncIterable[Any] | Iterable[Any]
NO_MESSAGE = object()


@dataclass(frozen=True)
class Answer:
    """The only message of a call that answers once."""

    message: Any
    trailers: Metadata = field(default_factory=dict)


class ClientCall(Channel):
    """A call under way: `send` and `end`, `async for` over its messages, `answer` for a single one.

    Use it in `async with`, which cancels what was not read to its end.
    """

    def __init__(self, link: Link, messages: Messages, name: str, kind: CallKind) -> None:
        super().__init__(link, messages, name, reads=kind.streams_down, writes=kind.streams_up)
        self.kind = kind
        self.metadata: Metadata = {}
        self.trailers: Metadata = {}
        self._accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.over: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        self._deadline: asyncio.TimerHandle | None = None
        self._is_open = False
        for waited in (self._accepted, self.over):
            waited.add_done_callback(_mark_seen)

    async def open(self, subject: str, metadata: Metadata, timeout: float | None, value: Any = NO_MESSAGE) -> None:
        """Sends OPEN. The deadline runs from here."""
        await self._or_cancel(self._open(subject, metadata, timeout, value))

    async def _open(self, subject: str, metadata: Metadata, timeout: float | None, value: Any) -> None:
        loop = asyncio.get_running_loop()
        expires = None if timeout is None else loop.time() + timeout
        if expires is not None:
            self._deadline = loop.call_at(expires, self._expire)
        message = None if value is NO_MESSAGE else await self._messages.seal(value)
        if self.is_over:
            self._drop(message)
            self.over.result()
        time_left_ms = 0 if expires is None else max(1, round((expires - loop.time()) * 1000))
        credit = self._limits.window if self.kind.streams_down else 0
        self._is_open = True
        opened = Open(self.kind, time_left_ms, metadata, credit, not self.kind.streams_up, message)
        await self._link.send(subject, encode(opened), reply=self.address)

    async def send(self, value: Any) -> None:
        """Waits for the server to accept the call, and for credit."""
        await self._or_cancel(self._race(self._send_accepted(value)))

    async def _send_accepted(self, value: Any) -> None:
        await asyncio.shield(self._accepted)
        await super().send(value)

    async def end(self) -> None:
        """No more messages of this side."""
        await self._or_cancel(self._race(self._end_accepted()))

    async def _end_accepted(self) -> None:
        await asyncio.shield(self._accepted)
        async with self._sending:
            await self._send_counted(encode(End(self._sent)))

    async def answer(self) -> Answer:
        """Of a call that answers once. Raises BridgeError for every other ending than OK."""
        status = await self._or_cancel(asyncio.shield(self.over))
        if status.message is None:
            raise BridgeError(Code.INTERNAL, f"{self.name} answered OK without a message")
        return Answer(await self._or_cancel(self._messages.open(status.message)), status.metadata)

    def __aiter__(self) -> ClientCall:
        return self

    async def __anext__(self) -> Any:
        is_there, value = await self._or_cancel(self.receive())
        if not is_there:
            raise StopAsyncIteration
        return value

    async def __aenter__(self) -> ClientCall:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel("The call was left")

    def cancel(self, text: str = "") -> None:
        """Ends the call where it is not over; the server is told."""
        error = BridgeError(Code.CANCELLED, text or f"{self.name} was cancelled")
        for message in self._buffer.abandon(error):
            self._drop(message)
        self._leave(error, text)

    def hear_own(self, frame: Frame, reply: str) -> None:
        match frame:
            case Accept(metadata, credit):
                self.peer = self.peer or reply
                self.metadata = metadata
                self._credit.open(credit)
                if not self._accepted.done():
                    self._accepted.set_result(None)
            case Status():
                self._hear_status(frame)
            case _:
                raise BridgeError(Code.INTERNAL, f"{self.name} was sent a frame that does not belong to it: {type(frame).__name__}")

    def _hear_status(self, status: Status) -> None:
        self.trailers = status.metadata
        if status.code is Code.OK:
            self._buffer.end()
            self.finish()
            self.over.set_result(status)
            return
        error = BridgeError(status.code, status.text, status.metadata)
        self._buffer.end(error)
        self.finish()
        self.over.set_exception(error)

    def fail(self, error: BridgeError) -> None:
        self._leave(error, error.text)

    def hear_nobody(self) -> None:
        if self.peer is None:
            self.finish(BridgeError(Code.UNAVAILABLE, f"Nobody serves {self.name}: nothing has begun"))
        else:
            super().hear_nobody()

    def finish(self, error: BridgeError | None = None) -> None:
        super().finish(error)
        if self._deadline is not None:
            self._deadline.cancel()
        if error is not None and not self.over.done():
            self.over.set_exception(error)

    def _expire(self) -> None:
        self._leave(BridgeError(Code.DEADLINE_EXCEEDED, f"{self.name} did not end in time"), "deadline")

    def _leave(self, error: BridgeError, text: str) -> None:
        if self.is_over:
            return
        self.finish(error)
        if self.peer is not None:
            self._post(lambda: Cancel(text))
        elif self._is_open:
            self._link.attach(Departed(self._link, self._messages, self.address, text), self.address)

    async def _race(self, sending: Awaitable[None]) -> None:
        """A call that ends ends what is being sent."""
        task = asyncio.ensure_future(sending)
        try:
            await asyncio.wait((task, self.over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
        if task.done() and task.exception() is None:
            return
        if self.over.done():
            self.over.result()
            task.cancel()
            raise BridgeError(Code.CANCELLED, f"Cannot send in {self.name}: the server has ended it")
        task.result()

    async def _or_cancel(self, waiting: Awaitable[T]) -> T:
        try:
            return await waiting
        except asyncio.CancelledError:
            self.cancel("The caller was cancelled")
            raise
        except BridgeError as error:
            self.fail(error)
            raise


def _mark_seen(ended: asyncio.Future[Any]) -> None:
    """An ending that nobody waits for is no error of the program."""
    if not ended.cancelled():
        ended.exception()


class Departed:
    """Stands in for a call that was left before its server had an address: tells it when it has one."""

    def __init__(self, link: Link, messages: Messages, address: str, text: str) -> None:
        self._link = link
        self._messages = messages
        self._address = address
        self._text = text
        self._until = asyncio.get_running_loop().time() + 2 * link.limits.keep_alive

    def hear(self, frame: Frame, reply: str, size: int) -> None:
        self._link.detach(self._address)
        if isinstance(frame, Status):
            self._link.spawn(self._messages.drop(frame.message))
        else:
            self._link.post(reply, lambda: Cancel(self._text), reply=self._address)

    def fail(self, error: BridgeError) -> None:
        self._link.detach(self._address)

    def hear_nobody(self) -> None:
        self._link.detach(self._address)

    def look(self, now: float) -> None:
        if now >= self._until:
            self._link.detach(self._address)


class BridgeClient:
    """Calls to services of the bridge. `timeout` is in seconds, `metadata` has keys in lower case."""

    def __init__(self, nc: Client, objects: ObjectBucket | None = None, prefix: str = "spar", limits: BridgeLimits = LIMITS) -> None:
        self._prefix = prefix
        self._link = Link(nc, limits)
        self._messages = Messages(nc, objects, limits)

    async def close(self) -> None:
        """Cancels every call."""
        await self._link.close(BridgeError(Code.CANCELLED, "The client was closed"))
        self._messages.close()

    async def unary(self, service: str, method: str, message: Any, *, timeout: float | None = None, metadata: Metadata | None = None) -> Answer:
        call = await self._open(CallKind.UNARY, service, method, timeout, metadata, message)
        return await call.answer()

    async def server_stream(self, service: str, method: str, message: Any, *, timeout: float | None = None, metadata: Metadata | None = None) -> ClientCall:
        return await self._open(CallKind.SERVER_STREAM, service, method, timeout, metadata, message)

    async def client_stream(self, service: str, method: str, messages: Stream, *, timeout: float | None = None, metadata: Metadata | None = None) -> Answer:
        """What `messages` raises cancels the call and is raised here."""
        call = await self._open(CallKind.CLIENT_STREAM, service, method, timeout, metadata)
        async with call:
            feeding = asyncio.create_task(_feed(call, messages))
            try:
                await asyncio.wait((feeding, call.over), return_when=asyncio.FIRST_COMPLETED)
                if not call.over.done():
                    feeding.result()
                return await call.answer()
            finally:
                feeding.cancel()
                await asyncio.wait((feeding,))

    async def bidirectional(self, service: str, method: str, *, timeout: float | None = None, metadata: Metadata | None = None) -> ClientCall:
        return await self._open(CallKind.BIDIRECTIONAL, service, method, timeout, metadata)

    async def _open(self, kind: CallKind, service: str, method: str, timeout: float | None, metadata: Metadata | None, value: Any = NO_MESSAGE) -> ClientCall:
        await self._link.open()
        call = ClientCall(self._link, self._messages, f"{service}.{method}", kind)
        await call.open(f"{self._prefix}.bridge.{service}.{method}", metadata or {}, timeout, value)
        return call


async def _feed(call: ClientCall, messages: Stream) -> None:
    if isinstance(messages, AsyncIterable):
        async for message in messages:
            await call.send(message)
    else:
        for message in messages:
            await call.send(message)
    await call.end()
