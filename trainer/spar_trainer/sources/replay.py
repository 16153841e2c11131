"""The samples of a cluster once more, from any point: for a second consumer, which keeps no place and disturbs nobody who does.

What was lost on the way, with the connection or with the server's memory of this reader, is read again from where it ended:
every entry comes once, in the log's order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.nuid import NUID

from .kept import RecordReader, id_of, read_entry
from .limits import StreamLimits
from .pull import ConsumerGone, Pull
from .types import RawSample

log = logging.getLogger(__name__)

FORGET_SECONDS = 60.0
"""The server forgets a reader that has asked for nothing for so long."""


@dataclass(frozen=True)
class Replayed:
    sequence: int
    """Place in the log: `from_sequence=sequence + 1` goes on behind it."""
    at: datetime
    """When it was settled."""
    sample: RawSample


class _Gap(Exception):
    """Entries that were sent did not come."""


async def replay(
    nc: Client, prefix: str = "spar", *, runs: Iterable[str] | None = None, from_sequence: int | None = None, from_time: datetime | None = None,
    follow: bool = False, limits: StreamLimits | None = None,
) -> AsyncIterator[Replayed]:
    """Samples from a sequence, from a time (with a zone) or from the start, of all runs or those named, up to now or on and on.

    Waits for a bus that is away. Raises ValueError for two starting points, TrainerError BUS_FAILING, and what nats-py does when there
    is no log, or the connection was closed for good.
    """
    if from_sequence is not None and from_time is not None:
        raise ValueError("Cannot replay samples from a sequence and from a time: give one of them")
    limits = limits or StreamLimits()
    named = None if runs is None else set(runs)
    subject = f"{prefix}.samples.{next(iter(named))}.>" if named is not None and len(named) == 1 else f"{prefix}.samples.>"
    reading = _Reading(nc, f"{prefix.upper()}_SAMPLES", subject, from_sequence or 0, from_time, limits)
    records = RecordReader(nc, prefix, tries=limits.record_tries, bus_tries=limits.bus_tries, pause_s=limits.retry_s)
    async for message in reading.messages(follow):
        id = id_of(message, prefix)
        if named is None or id.partition(".")[0] in named:
            sample = await records.read(read_entry(id, message.data, limits.record_bytes_max))
            yield Replayed(message.metadata.sequence.stream, message.metadata.timestamp, sample)


class _Reading:
    def __init__(self, nc: Client, stream: str, subject: str, next_sequence: int, from_time: datetime | None, limits: StreamLimits) -> None:
        self._nc = nc
        self._js = nc.jetstream(timeout=limits.answer_s)
        self._stream = stream
        self._subject = subject
        self._next = next_sequence
        self._from_time = from_time
        self._limits = limits
        self._is_begun = False

    async def messages(self, follow: bool) -> AsyncIterator[Msg]:
        while True:
            try:
                async for message in self._session(follow):
                    yield message
                return
            except (ConsumerGone, _Gap, nats.errors.Error) as error:
                # Before anything was read there may be nothing to wait for.
                if self._nc.is_closed or (not self._is_begun and self._nc.is_connected):
                    raise
                log.warning("Reads samples anew from %s: %s", self._next, error or type(error).__name__)
            await asyncio.sleep(self._limits.retry_s)

    async def _session(self, follow: bool) -> AsyncIterator[Msg]:
        """One consumer, until it ends or everything was read."""
        name = NUID().next().decode()
        pending = (await self._js.add_consumer(self._stream, self._config(name))).num_pending or 0
        self._is_begun = True
        pull = Pull(self._nc, self._stream, name, self._limits.fetch_s)
        delivered = 0
        try:
            await pull.open()
            while follow or pending > 0:
                messages = await pull.take(self._limits.fetch_count)
                if not messages:
                    pending = await self._left(name, delivered)
                for message in messages:
                    said = message.metadata
                    delivered += 1
                    if said.sequence.consumer != delivered:
                        raise _Gap(f"{said.sequence.consumer} came instead of {delivered}")
                    self._next, pending = said.sequence.stream + 1, said.num_pending
                    yield message
        finally:
            await pull.close()
            with contextlib.suppress(nats.errors.Error):
                if self._nc.is_connected:
                    await self._js.delete_consumer(self._stream, name)

    async def _left(self, name: str, delivered: int) -> int:
        """Entries that are still to come; of those that were sent all have to be here."""
        info = await self._js.consumer_info(self._stream, name)
        sent = 0 if info.delivered is None else info.delivered.consumer_seq
        if sent != delivered:
            raise _Gap(f"{sent} were sent, {delivered} have come")
        return info.num_pending or 0

    def _config(self, name: str) -> ConsumerConfig:
        config = ConsumerConfig(name=name, filter_subject=self._subject, ack_policy=AckPolicy.NONE, max_deliver=1, mem_storage=True, num_replicas=1, inactive_threshold=FORGET_SECONDS)
        if self._next > 0:
            return config.evolve(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._next)
        if self._from_time is not None:
            return config.evolve(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=self._from_time)
        return config.evolve(deliver_policy=DeliverPolicy.ALL)
