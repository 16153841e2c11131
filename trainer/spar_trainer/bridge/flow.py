"""Flow control in bytes: the credit that a side sends on, and the buffer that a reader gives credit back from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from .frames import Message
from .status import BridgeError, Code


class SendCredit:
    """What may still be sent. A message larger than the whole window may go when all of the window is free."""

    def __init__(self) -> None:
        self._window = 0
        self._outstanding = 0
        self._changed = asyncio.Event()

    def open(self, window: int) -> None:
        self._window = window
        self._changed.set()

    def give_back(self, size: int) -> None:
        self._outstanding -= size
        self._changed.set()

    async def take(self, size: int) -> None:
        while not self._fits(size):
            self._changed.clear()
            await self._changed.wait()
        self._outstanding += size

    def _fits(self, size: int) -> bool:
        room = self._window - self._outstanding
        return size <= room or (self._outstanding <= 0 and room > 0)


class ReadBuffer:
    """Messages that came and were not read. One reader.

    Credit goes back when half of the window was read, and when the reader waits: a sender whose next message is larger than
    the credit it has left waits for all of it.
    """

    def __init__(self, window: int, give_credit: Callable[[int], None]) -> None:
        self._window = window
        self._give_credit = give_credit
        self._waiting: deque[Message] = deque()
        self._outstanding = 0
        self._read = 0
        self._changed = asyncio.Event()
        self._ended = False
        self._error: BridgeError | None = None

    def put(self, message: Message) -> None:
        """Raises RESOURCE_EXHAUSTED when the peer had not the credit."""
        if self._outstanding > 0 and self._outstanding + message.size > self._window:
            raise BridgeError(Code.RESOURCE_EXHAUSTED, f"The peer sent more than the {self._window} bytes that it had credit for")
        self._outstanding += message.size
        self._waiting.append(message)
        self._changed.set()

    def end(self, error: BridgeError | None = None) -> None:
        """Nothing more comes; what waits is still read, then `error` is raised."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._changed.set()

    def abandon(self, error: BridgeError) -> list[Message]:
        """Ends at once; what waits is handed back unread."""
        unread = list(self._waiting)
        self._waiting.clear()
        self.end(error)
        return unread

    @property
    def bytes_unread(self) -> int:
        return sum(message.size for message in self._waiting)

    async def take(self) -> Message | None:
        """None at the end."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._return_credit(1)
            self._changed.clear()
            await self._changed.wait()
        message = self._waiting.popleft()
        self._read += message.size
        self._return_credit(self._window // 2)
        return message

    def _return_credit(self, least: int) -> None:
        if self._ended or self._read < max(least, 1):
            return
        size, self._read = self._read, 0
        self._outstanding -= size
        self._give_credit(size)
