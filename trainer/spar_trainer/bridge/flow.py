"""Flow control in bytes: the credit that a side sends on, and the buffer that a reader gives credit back from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from .frames import Message
from .status import BridgeError, Code


class SendCredit:
    """What may still be sent. A message larger than the credit there is may go when at least half of the window is free."""

    def __init__(self) -> None:
        self._window = 0
        self._outstanding = 0
        self._given = 0
        self._is_open = False
        self._changed = asyncio.Event()

    def open(self, window: int) -> None:
        """The reader's window, once."""
        if self._is_open:
            return
        self._is_open = True
        self._window = window
        self._changed.set()

    def give_back(self, size: int, given: int | None) -> None:
        """`given`: what the reader has given back in all, where it says so: what was lost on the way is made up for."""
        more = size if given is None else max(0, given - self._given)
        self._given += more
        self._outstanding -= more
        self._changed.set()

    async def take(self, size: int) -> None:
        while not self._fits(size):
            self._changed.clear()
            await self._changed.wait()
        self._outstanding += size

    def _fits(self, size: int) -> bool:
        credit = self._window - self._outstanding
        return self._is_open and (size <= credit or 2 * credit >= self._window)


class ReadBuffer:
    """Messages that came and were not read. One reader.

    A reader that has read everything keeps back less than half of the window, and half is enough for every message.
    """

    def __init__(self, window: int, give_credit: Callable[[int], None]) -> None:
        self._window = window
        self._give_credit = give_credit
        self._waiting: deque[tuple[Message, int]] = deque()
        self._outstanding = 0
        self._read = 0
        self.bytes_given = 0
        """Back, in all."""
        self._changed = asyncio.Event()
        self._ended = False
        self._error: BridgeError | None = None

    def put(self, message: Message, size: int) -> None:
        """Raises RESOURCE_EXHAUSTED when the peer had not the credit."""
        if self._outstanding + size > self._window and 2 * self._outstanding > self._window:
            raise BridgeError(Code.RESOURCE_EXHAUSTED, f"The other side sent {size} bytes more than the {self._outstanding} that wait: the window is {self._window}")
        self._outstanding += size
        self._waiting.append((message, size))
        self._changed.set()

    def end(self, error: BridgeError | None = None) -> None:
        """Nothing more comes; what waits is still read, then `error` is raised."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._changed.set()

    def abandon(self, error: BridgeError) -> list[Message]:
        """Ends at once; what waits is handed back unread."""
        unread = [message for message, _ in self._waiting]
        self._waiting.clear()
        self.end(error)
        return unread

    @property
    def bytes_unread(self) -> int:
        return sum(size for _, size in self._waiting)

    async def take(self) -> Message | None:
        """None at the end."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        message, size = self._waiting.popleft()
        self._return_credit(size)
        return message

    def _return_credit(self, size: int) -> None:
        self._read += size
        if self._ended or 2 * self._read < self._window:
            return
        size, self._read = self._read, 0
        self._outstanding -= size
        self.bytes_given += size
        self._give_credit(size)
