"""Asks a consumer for messages, one request at a time, and gives what comes as it comes.

nats-py's `fetch` does not fit: where a request asks for more than there is, newer servers let it wait for the rest before anything
is given out; and where it is given up, what comes then is lost to it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.nuid import NUID

LOOK_SECONDS = 0.25
"""Between two looks at whether the connection on which the request was made is still there."""
MARGIN_SECONDS = 1.0
"""A request is given up so much later than the server does."""

HEARTBEAT, REFUSED, ENDED = "100", "409", ("404", "408", "409")


class ConsumerGone(Exception):
    """There is no such consumer any more; what it had given comes again with another one."""


class Pull:
    def __init__(self, nc: Client, stream: str, consumer: str, request_s: float) -> None:
        self._nc = nc
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = f"{nc.new_inbox()}.{NUID().next().decode()}"
        self._request_s = request_s
        self._subscription: Subscription | None = None
        self._come: deque[Msg] = deque()
        self._news = asyncio.Event()
        self._request = 0
        self._left = 0
        """Messages that the request may still bring; 0: there is none."""
        self._is_refused = False
        self._is_gone = False

    async def open(self) -> None:
        self._subscription = await self._nc.subscribe(f"{self._inbox}.*", cb=self._hear)

    async def close(self) -> None:
        """What has come and was not taken is handed back."""
        if self._subscription is None or self._nc.is_closed:
            return
        await self._subscription.unsubscribe()
        while self._come and self._nc.is_connected:
            await self._nc.publish(self._come.popleft().reply, b"-NAK")

    async def take(self, most: int) -> list[Msg]:
        """Those that have come, up to `most`; waits for the first for `request_s`, then []. Raises ConsumerGone."""
        if not self._come:
            if self._left == 0:
                await self._ask(most)
            await self._wait()
        return [self._come.popleft() for _ in range(min(most, len(self._come)))]

    async def _ask(self, count: int) -> None:
        self._request += 1
        self._left = count
        request = {"batch": count, "expires": round(self._request_s * 1e9)}
        await self._nc.publish(self._subject, json.dumps(request).encode(), reply=f"{self._inbox}.{self._request}")

    async def _wait(self) -> None:
        now = asyncio.get_running_loop().time
        until, connection = now() + self._request_s + MARGIN_SECONDS, self._nc.stats["reconnects"]
        while not self._come and self._left > 0 and not self._is_gone:
            if now() >= until or self._nc.stats["reconnects"] != connection or not self._nc.is_connected:
                self._left = 0  # Nobody answers it any more.
                return
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)
            except asyncio.TimeoutError:
                continue
        if self._is_gone:
            raise ConsumerGone
        if self._is_refused:
            # As much is held as may be, by whoever was there before: to ask again at once would change nothing.
            self._is_refused = False
            await asyncio.sleep(LOOK_SECONDS)

    async def _hear(self, message: Msg) -> None:
        self._news.set()
        if not message.subject.startswith(self._inbox):
            self._left = max(0, self._left - 1)
            self._come.append(message)
            return
        status = (message.headers or {}).get("Status", "")
        if status == HEARTBEAT or message.subject != f"{self._inbox}.{self._request}":
            return
        self._left = 0
        self._is_refused = status == REFUSED
        self._is_gone = status not in ENDED or "Consumer Deleted" in (message.headers or {}).get("Description", "")
