"""Methods, as who serves them sees them: a handler per method, an instance of NATS's protocol of services per server.

| kind | handler |
| --- | --- |
| unary | `async def (message, context) -> message` |
| server-stream | `async def (message, context)`, a generator of messages |
| client-stream | `async def (messages, context) -> message`, where `messages` is asynchronously iterable |
| bidirectional | `async def (messages, context)`, a generator of messages |

A deadline, a cancelled call and a lost connection cancel the task of the handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from .channel import Channel
from .frames import Accept, CallKind, Cancel, End, Frame, Message, Open, Status, decode, encode
from .limits import LIMITS, BridgeLimits
from .link import Link
from .messages import Messages
from .objects import ObjectBucket
from .services import QUEUE_GROUP, Endpoint, ServiceInstance
from .status import BridgeError, Code, Metadata

Handler = Callable[[Any, "Context"], Any]


@dataclass(frozen=True)
class Method:
    kind: CallKind
    handler: Handler
    endpoint: Endpoint


class Context:
    """What a handler knows of its call, and what it says besides messages.

    `initial` goes out with ACCEPT: fill it before anything is awaited. `trailers` go out with the status.
    """

    def __init__(self, metadata: Metadata, expires: float | None) -> None:
        self.metadata = metadata
        self.initial: dict[str, str | bytes] = {}
        self.trailers: dict[str, str | bytes] = {}
        self._expires = expires

    def time_left(self) -> float | None:
        """Seconds; None without a deadline."""
        return None if self._expires is None else max(0.0, self._expires - asyncio.get_running_loop().time())


class ServerCall(Channel):
    def __init__(self, link: Link, messages: Messages, name: str, method: Method, opened: Open, peer: str) -> None:
        super().__init__(link, messages, name, reads=method.kind.streams_up, writes=method.kind.streams_down)
        loop = asyncio.get_running_loop()
        self.peer = self._opened_by = peer
        self._method = method
        self._opened = opened
        self._began = perf_counter_ns()
        self._accepting: asyncio.Task[None] | None = None
        self._credit.open(opened.credit)
        self._later: list[asyncio.TimerHandle] = []
        expires = None
        if opened.time_left_ms > 0:
            expires = loop.time() + opened.time_left_ms / 1000
            self._later.append(loop.call_at(expires, self._expire))
        self.context = Context(opened.metadata, expires)
        if method.kind.streams_up and opened.ended:
            if opened.message is not None:
                self._buffer.put(opened.message, 0)
            self._buffer.end()
        self.task = asyncio.create_task(self._run())
        if method.kind is CallKind.UNARY:
            self._later.append(loop.call_later(self._limits.accept_after, self._post_accept))

    def _post_accept(self) -> None:
        if not self.is_over and self._accepting is None:
            frame = Accept(dict(self.context.initial), self._limits.window if self._method.kind.streams_up else 0)
            self._accepting = self._link.post(self._opened_by, lambda: frame, reply=self.address)

    async def _accept(self) -> None:
        """Done when ACCEPT is on its way: nothing of a call that streams goes before it."""
        self._post_accept()
        if self._accepting is not None:
            await asyncio.shield(self._accepting)

    async def _run(self) -> None:
        try:
            answer = await self._handle()
        except asyncio.CancelledError:
            self._end_with(BridgeError(Code.CANCELLED, f"The handler of {self.name} was cancelled"))
            raise
        except BridgeError as error:
            self._end_with(error)
        except Exception as error:
            self._end_with(BridgeError(Code.INTERNAL, str(error) or type(error).__name__))
        else:
            self._end_with(None, answer)

    async def _handle(self) -> Message | None:
        """The answer of a call that answers once."""
        kind = self._method.kind
        request = self._requests() if kind.streams_up else await self._messages.open(self._request())
        if kind is not CallKind.UNARY:
            # Runs when the handler first waits: by then it has said what goes out with ACCEPT.
            asyncio.get_running_loop().call_soon(self._post_accept)
        result = self._method.handler(request, self.context)
        if not kind.streams_down:
            return await self._messages.seal(await result)
        try:
            async for value in result:
                await self._accept()
                await self.send(value)
        finally:
            await result.aclose()
        return None

    def _request(self) -> Message:
        assert self._opened.message is not None
        return self._opened.message

    async def _requests(self) -> AsyncIterator[Any]:
        while True:
            is_there, value = await self.receive()
            if not is_there:
                return
            yield value

    def hear_own(self, frame: Frame, reply: str) -> None:
        match frame:
            case End() if self._reads:
                self._buffer.end()
            case Cancel():
                self._abort(BridgeError(Code.CANCELLED, frame.text), is_told=False)
            case _:
                raise BridgeError(Code.INTERNAL, f"{self.name} was sent a frame that does not belong to it: {type(frame).__name__}")

    def fail(self, error: BridgeError) -> None:
        self._abort(error)

    def _expire(self) -> None:
        self._abort(BridgeError(Code.DEADLINE_EXCEEDED, f"{self.name} did not end in time"))

    def _abort(self, error: BridgeError, is_told: bool = True) -> None:
        """The handler's task is cancelled; what it still says goes nowhere."""
        if self.is_over:
            return
        self._close(error, is_told=is_told)
        self.task.cancel()

    def _end_with(self, error: BridgeError | None, answer: Message | None = None) -> None:
        if self.is_over:
            self._drop(answer)
        else:
            self._close(error, answer)

    def _close(self, error: BridgeError | None, answer: Message | None = None, is_told: bool = True) -> None:
        if is_told:
            if self._method.kind is not CallKind.UNARY:
                self._post_accept()
            trailers = self.context.trailers if error is None else {**self.context.trailers, **error.metadata}
            code, text = (Code.OK, "") if error is None else (error.code, error.text)
            status = _sendable(Status(self._sent, code, text, trailers, answer))
            self._post(lambda: status)
        for timer in self._later:
            timer.cancel()
        self.finish(error or BridgeError(Code.CANCELLED, f"{self.name} is over"))
        text = "" if error is None else f"{int(error.code)}:{error.text}"
        self._method.endpoint.record(perf_counter_ns() - self._began, text)


def _sendable(status: Status) -> Status:
    """Trailers that cannot be sent do not keep the status back."""
    try:
        encode(status)
        return status
    except BridgeError as error:
        return Status(status.sequence, error.code, error.text)


class BridgeServer:
    """One instance of a service. Instances of the same service share its calls."""

    def __init__(
        self, nc: Client, objects: ObjectBucket | None = None, service: str = "Trainer", version: str = "0.1.0", prefix: str = "spar",
        limits: BridgeLimits = LIMITS,
    ) -> None:
        self.service = service
        self._nc = nc
        self._prefix = prefix
        self._limits = limits
        self._link = Link(nc, limits)
        self._messages = Messages(nc, objects, limits)
        self._instance = ServiceInstance(nc, service, version)
        self._methods: dict[str, Method] = {}
        self._subscriptions: list[Subscription] = []
        self._calls: set[ServerCall] = set()

    @property
    def calls(self) -> int:
        """Under way."""
        return len(self._calls)

    @property
    def bytes_unread(self) -> int:
        return sum(call.bytes_unread for call in self._calls)

    def add(self, method: str, kind: CallKind, handler: Handler) -> None:
        """Before `start`."""
        subject = f"{self._prefix}.bridge.{self.service}.{method}"
        self._methods[subject] = Method(kind, handler, self._instance.add_endpoint(method, subject))

    async def start(self) -> None:
        await self._link.open()
        for subject in self._methods:
            self._subscriptions.append(await self._nc.subscribe(subject, queue=QUEUE_GROUP, cb=self._open))
        await self._instance.start()
        # nats-py sends its ping ahead of what it has buffered: the second answer comes after the subscriptions.
        await self._nc.flush()
        await self._nc.flush()

    async def drain(self, seconds: float) -> None:
        """Takes no more calls, and waits for those under way for so long at most."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.drain()  # type: ignore[no-untyped-call]
        tasks = [call.task for call in self._calls]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def close(self) -> None:
        """Aborts what is under way: its clients are told UNAVAILABLE."""
        await self.drain(0)
        for call in list(self._calls):
            call.fail(BridgeError(Code.UNAVAILABLE, f"{call.name} ended: this server is closing"))
        tasks = [call.task for call in self._calls]
        if tasks:
            await asyncio.wait(tasks, timeout=self._limits.abort_seconds)
        await self._instance.stop()
        await self._link.close(BridgeError(Code.UNAVAILABLE, "The server is closing"))
        self._messages.close()

    async def _open(self, msg: Msg) -> None:
        if not msg.reply:
            return
        method = self._methods[msg.subject]
        try:
            opened = self._admit(method, decode(msg.data))
        except BridgeError as error:
            method.endpoint.record(0, f"{int(error.code)}:{error.text}")
            refusal = Status(0, error.code, error.text)
            self._link.post(msg.reply, lambda: refusal)
            return
        name = f"{self.service}.{msg.subject.rsplit('.', 1)[1]}"
        call = ServerCall(self._link, self._messages, name, method, opened, msg.reply)
        self._calls.add(call)
        call.task.add_done_callback(lambda _: self._calls.discard(call))

    def _admit(self, method: Method, frame: Frame) -> Open:
        if not isinstance(frame, Open):
            raise BridgeError(Code.INTERNAL, "A call begins with OPEN")
        if frame.call is not method.kind:
            raise BridgeError(Code.UNIMPLEMENTED, f"This method is {method.kind.name}, the call is {frame.call.name}")
        if len(self._calls) >= self._limits.calls_max:
            self._link.spawn(self._messages.drop(frame.message))
            raise BridgeError(Code.RESOURCE_EXHAUSTED, f"There are {len(self._calls)} calls under way (calls_max)")
        return frame
