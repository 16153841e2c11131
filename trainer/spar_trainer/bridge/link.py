"""The inbox of a side: one subscription for all its calls, and one watch over the connection and over who is silent.

nats-py tells a lost connection only to the callback that it was connected with, so the watch looks: a call that began on
another connection than the one there is now has lost what was on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.nuid import NUID

from .frames import Frame, decode, encode
from .limits import BridgeLimits
from .status import BridgeError, Code

NO_RESPONDERS = "503"


class Listener(Protocol):
    """A call, as its inbox sees it."""

    def hear(self, frame: Frame, reply: str, size: int) -> None: ...
    def fail(self, error: BridgeError) -> None: ...
    def hear_nobody(self) -> None: ...
    def look(self, now: float) -> None: ...


class Link:
    def __init__(self, nc: Client, limits: BridgeLimits) -> None:
        self.nc = nc
        self.limits = limits
        self._inbox = nc.new_inbox()
        self._nuid = NUID()
        self._calls: dict[str, tuple[Listener, int]] = {}
        self._subscription: Subscription | None = None
        self._opening = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._posts: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Raises UNAVAILABLE where there is no connection."""
        if not self.nc.is_connected:
            raise BridgeError(Code.UNAVAILABLE, "There is no connection to the bus: nothing has begun")
        async with self._opening:
            if self._subscription is None:
                self._subscription = await self.nc.subscribe(f"{self._inbox}.*", cb=self._deliver)

    async def close(self, error: BridgeError) -> None:
        """Ends every call; what was posted is sent first."""
        for call, _ in list(self._calls.values()):
            call.fail(error)
        self._calls.clear()
        if self._posts:
            await asyncio.wait(self._posts)
        if self._watch is not None:
            self._watch.cancel()
        if self._subscription is not None and not self.nc.is_closed:
            await self._subscription.unsubscribe()
        self._subscription = None

    def attach(self, call: Listener, address: str | None = None) -> str:
        """The address of a call, until it is detached; one that is given passes from a call to another listener."""
        address = address or f"{self._inbox}.{self._nuid.next().decode()}"
        self._calls[address] = (call, self._connection)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_often())
        return address

    def detach(self, address: str) -> None:
        self._calls.pop(address, None)

    async def send(self, subject: str, frame: bytes, reply: str = "") -> None:
        """Raises UNAVAILABLE. Frames are sent in the order of the calls of this."""
        try:
            await self.nc.publish(subject, frame, reply=reply)
        except nats.errors.Error as error:
            raise BridgeError(Code.UNAVAILABLE, f"Cannot send to {subject}: {error}") from error

    def post(self, subject: str, make: Callable[[], Frame], reply: str = "") -> asyncio.Task[None]:
        """Sends a frame that nobody has to wait for. It is made when it is sent: it may tell how many were sent before.

        What is posted goes out in the order of the calls of this.
        """

        async def send() -> None:
            try:
                await self.send(subject, encode(make()), reply)
            except BridgeError:
                return  # The watch ends the call whose connection is gone.

        return self.spawn(send())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)
        return task

    @property
    def _connection(self) -> int:
        return self.nc.stats["reconnects"]

    async def _deliver(self, msg: Msg) -> None:
        call, _ = self._calls.get(msg.subject, (None, 0))
        if call is None:
            return
        if not msg.data and msg.headers is not None and msg.headers.get("Status") == NO_RESPONDERS:
            call.hear_nobody()
            return
        try:
            call.hear(decode(msg.data), msg.reply, len(msg.data))
        except BridgeError as error:
            call.fail(error)

    async def _look_often(self) -> None:
        while self._calls:
            await asyncio.sleep(self.limits.watch)
            now = asyncio.get_running_loop().time()
            for call, connection in list(self._calls.values()):
                if not self.nc.is_connected or connection != self._connection:
                    call.fail(BridgeError(Code.UNAVAILABLE, "The connection was lost; whether anything was done is not known"))
                else:
                    call.look(now)
