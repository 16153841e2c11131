"""What both sides of a call share: frames in sequence, credit, keep-alive, and an ending that happens once.

1. A frame of kind MESSAGE, END or STATUS takes its number where it is sent, with nothing to wait for in between.
2. After its end a channel neither sends nor hears, and its address is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .flow import ReadBuffer, SendCredit
from .frames import Credit, End, Frame, Item, Message, Ping, Pong, Reference, Status, encode
from .link import Link
from .messages import Messages
from .status import BridgeError, Code


class Channel:
    def __init__(self, link: Link, messages: Messages, name: str, *, reads: bool, writes: bool) -> None:
        """Whether messages of kind MESSAGE come, and go."""
        self.name = name
        self._reads = reads
        self._writes = writes
        self.peer: str | None = None
        self.is_over = False
        self._link = link
        self._messages = messages
        self._limits = link.limits
        self._sent = 0
        self._heard = 0
        self._heard_at = asyncio.get_running_loop().time()
        self._pinged = False
        self._credit = SendCredit()
        self._sending = asyncio.Lock()
        self._buffer = ReadBuffer(self._limits.window, self._give_credit)
        self.address = link.attach(self)

    @property
    def bytes_unread(self) -> int:
        return self._buffer.bytes_unread

    async def send(self, value: Any) -> None:
        """Waits for credit. Raises what the call has ended with."""
        message = await self._messages.seal(value)
        try:
            async with self._sending:
                frame = encode(Item(self._sent, message))
                await self._credit.take(message.size if isinstance(message, Reference) else len(frame))
                await self._send_counted(frame)
        except BaseException:
            self._link.spawn(self._messages.drop(message))
            raise

    async def receive(self) -> tuple[bool, Any]:
        """Whether there was a message, and its value."""
        message = await self._buffer.take()
        return (False, None) if message is None else (True, await self._messages.open(message))

    async def _send_counted(self, frame: bytes) -> None:
        """A frame of the sequence `_sent`; whoever sends one has `_sending`."""
        if self.is_over or self.peer is None:
            raise BridgeError(Code.CANCELLED, f"Cannot send in {self.name}: it is over")
        self._sent += 1
        await self._link.send(self.peer, frame, reply=self.address)

    def hear(self, frame: Frame, reply: str, size: int) -> None:
        """Raises what a call ends with that was not kept to."""
        self._heard_at = asyncio.get_running_loop().time()
        self._pinged = False
        match frame:
            case Item(sequence) | End(sequence) | Status(sequence):
                if sequence != self._heard:
                    raise self._lost(self._heard, sequence)
                self._heard += 1
            case Ping(sequence, given) | Pong(sequence, given):
                if sequence != self._heard:
                    raise self._lost(self._heard, sequence)
                if self._writes and given is not None:
                    self._credit.give_back(0, given)
        match frame:
            case Item(_, message) if self._reads:
                self._buffer.put(message, message.size if isinstance(message, Reference) else size)
            case Credit(size, given) if self._writes:
                self._credit.give_back(size, given)
            case Ping():
                self._post(lambda: Pong(self._sent, self._given()))
            case Pong():
                return
            case _:
                self.hear_own(frame, reply)

    def hear_own(self, frame: Frame, reply: str) -> None:
        """The frames that only one of the sides hears."""
        raise NotImplementedError

    def hear_nobody(self) -> None:
        """NATS says that what was sent has no reader."""
        self.fail(BridgeError(Code.UNAVAILABLE, f"The other side of {self.name} is gone"))

    def fail(self, error: BridgeError) -> None:
        """The call ends with `error` on this side."""
        raise NotImplementedError

    def look(self, now: float) -> None:
        """Asks a side that is silent, and gives it up after as long again."""
        silent = now - self._heard_at
        if self.is_over or silent < self._limits.keep_alive:
            return
        if silent >= 2 * self._limits.keep_alive:
            self.fail(BridgeError(Code.UNAVAILABLE, f"Nothing was heard in {self.name} for {silent:.1f} s"))
        elif not self._pinged:
            self._pinged = True
            self._post(lambda: Ping(self._sent, self._given()))

    def finish(self, error: BridgeError | None = None) -> None:
        """Without an error what waits is still read."""
        if self.is_over:
            return
        self.is_over = True
        self._link.detach(self.address)
        if error is not None:
            for message in self._buffer.abandon(error):
                self._drop(message)

    def _drop(self, message: Message | None) -> None:
        self._link.spawn(self._messages.drop(message))

    def _post(self, make: Callable[[], Frame]) -> None:
        if self.peer is not None:
            self._link.post(self.peer, make, reply=self.address)

    def _give_credit(self, size: int) -> None:
        if not self.is_over:
            given = self._given()
            self._post(lambda: Credit(size, given))

    def _given(self) -> int | None:
        return self._buffer.bytes_given if self._reads else None

    def _lost(self, expected: int, sequence: int) -> BridgeError:
        return BridgeError(Code.DATA_LOSS, f"Frames were lost in {self.name}: {sequence} came instead of {expected}")
