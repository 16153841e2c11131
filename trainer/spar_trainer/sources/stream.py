"""The samples of a cluster: the log `<PREFIX>_SAMPLES`, read at a place that the server keeps.

T1. An entry is acknowledged when the trainer says so, or when it is among those that a checkpoint holds already; before that it
    comes again to whoever reads at this place, after `ack_wait_s` where the reader was killed.
T2. What comes again to a reader that holds it is not given again.
T3. What is fetched and not acknowledged is bounded, in entries and in bytes. At the limit nothing more comes until the trainer
    acknowledges: the run sees by the same that its trainer is behind (docs/cluster.md).

A trainer has one place for each run that it is started for, or a single one for all runs. One process at a time reads there.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict, deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from .kept import Kept, RecordReader, id_of, read_entry
from .limits import StreamLimits
from .pull import ConsumerGone, Pull
from .types import RawSample

log = logging.getLogger(__name__)


class StreamError(Exception):
    """A place that cannot be read at, by its `code`: OPTION_INVALID, BUS_MISSING, READER_FOREIGN."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class _Held:
    """A sample that is not acknowledged, by every delivery of it; two of one sequence are one."""

    size: int
    deliveries: dict[int, Msg] = field(default_factory=dict)


class StreamSource:
    """Made by `open`. Takes a connection, and leaves it open."""

    def __init__(self, nc: Client, prefix: str, readers: dict[str, str], known: Container[str], limits: StreamLimits) -> None:
        """`readers`: places by the subjects that are read there."""
        self._nc = nc
        self._js: JetStreamContext = nc.jetstream(timeout=limits.answer_s)
        self._prefix = prefix
        self._stream = f"{prefix.upper()}_SAMPLES"
        self._known = known
        self._limits = limits
        self._records = RecordReader(nc, prefix, tries=limits.record_tries, bus_tries=limits.bus_tries, pause_s=limits.retry_s)
        self._held: dict[str, _Held] = {}
        self._held_bytes = 0
        self._ready: deque[RawSample] = deque()
        self._acknowledged: OrderedDict[str, None] = OrderedDict()
        self._unconfirmed: list[Msg] = []
        self._changed = asyncio.Condition()
        self._bringing = 0
        """Readers that have records on their way."""
        self._crowded = 0
        """Readers whose next record has no room."""
        self._broken: Exception | None = None
        self._readers = readers
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(
        cls, nc: Client, prefix: str = "spar", *, trainer: str = "trainer", runs: Iterable[str] | None = None,
        known: Container[str] = (), limits: StreamLimits | None = None,
    ) -> StreamSource:
        """Reads all runs, or those named. `trainer` names the place: the same name goes on where it was.

        `known`: ids that a checkpoint holds; looked into when a sample comes, so that a set may go on growing. They are
        acknowledged and not given. Raises StreamError, and what nats-py does when the bus does not answer.
        """
        source = cls(nc, prefix, _readers(prefix, trainer, runs), known, limits or StreamLimits())
        for reader, subject in source._readers.items():
            await source._ensure(reader, subject)
        source._tasks = [asyncio.create_task(source._keep_alive()), *(asyncio.create_task(source._read(reader, subject)) for reader, subject in source._readers.items())]
        return source

    async def take(self, most: int, wait_s: float) -> list[RawSample]:
        """As `SampleSource`. Raises what ended the reading: TrainerError BUS_FAILING, or what nats-py does when the connection was closed for
        good; one that is lost is waited for."""
        async with self._changed:
            if not self._ready and self._broken is None:
                try:
                    await asyncio.wait_for(self._changed.wait_for(lambda: bool(self._ready) or self._broken is not None), wait_s)
                except asyncio.TimeoutError:
                    return []
            if not self._ready and self._broken is not None:
                raise self._broken
            taken = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
            # What was acknowledged before it was given is not given.
            return [sample for sample in taken if sample.id in self._held]

    async def acknowledge(self, ids: Sequence[str]) -> None:
        """As `SampleSource`. Safe to do twice, and for ids that were not given yet.

        Resolves when the server has confirmed it, or does not answer: then it is told again later, and what comes again until
        then is not given.
        """
        done: list[Msg] = []
        for id in ids:
            self._acknowledged[id] = None
            self._acknowledged.move_to_end(id)
            held = self._held.pop(id, None)
            if held is not None:
                self._held_bytes -= held.size
                done += held.deliveries.values()
        while len(self._acknowledged) > self._limits.acknowledged_ids_max:
            self._acknowledged.popitem(last=False)
        async with self._changed:
            self._changed.notify_all()
        await self._confirm(done)

    @property
    def is_over(self) -> bool:
        return False

    @property
    def held(self) -> tuple[int, int]:
        """Samples fetched and not acknowledged, and the bytes of their records."""
        return len(self._held), self._held_bytes

    @property
    def is_full(self) -> bool:
        """Nothing more comes, and all that came is taken, until something is acknowledged: time for a checkpoint, or for dropping groups
        that are not whole."""
        return (self._is_at_limit or self._crowded > 0) and self._bringing == 0 and not self._ready

    @property
    def _is_at_limit(self) -> bool:
        return len(self._held) >= self._limits.held_count_max or self._held_bytes >= self._limits.held_bytes_max

    async def close(self) -> None:
        """Hands back what is not acknowledged: it comes again at once to whoever reads next."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._nc.is_connected:
            unconfirmed, self._unconfirmed = self._unconfirmed, []
            await self._confirm(unconfirmed)
            for held in self._held.values():
                for message in held.deliveries.values():
                    await self._nc.publish(message.reply, b"-NAK")
            await self._nc.flush()
        self._held.clear()

    async def _ensure(self, reader: str, subject: str) -> None:
        limits = self._limits
        wanted = {"ack_wait": limits.ack_wait_s, "max_ack_pending": limits.held_count_max}
        try:
            config = (await self._js.consumer_info(self._stream, reader)).config
        except NotFoundError:
            config = ConsumerConfig(name=reader, durable_name=reader, filter_subject=subject, ack_policy=AckPolicy.EXPLICIT, deliver_policy=DeliverPolicy.ALL, max_deliver=-1)
        if config.filter_subject != subject or config.ack_policy != AckPolicy.EXPLICIT or config.deliver_subject is not None:
            raise StreamError("READER_FOREIGN", f"Cannot read at the place {reader}: it was made for something else ({config.filter_subject}, {config.ack_policy}). Use another name for the trainer")
        if config.ack_wait == limits.ack_wait_s and config.max_ack_pending == limits.held_count_max:
            return
        try:
            await self._js.add_consumer(self._stream, config.evolve(name=reader, **wanted))
        except NotFoundError as error:
            raise StreamError("BUS_MISSING", f"Cannot read samples: there is no stream {self._stream}. Start a node, or make the streams with a credential that may: spar run list") from error

    async def _read(self, reader: str, subject: str) -> None:
        """Brings what there is at a place; `take` raises what ends it, or whoever takes would wait for ever."""
        try:
            await self._read_on(reader, subject)
        except Exception as error:
            await self._break(error)

    async def _read_on(self, reader: str, subject: str) -> None:
        while True:
            pull = Pull(self._nc, self._stream, reader, self._limits.fetch_s)
            try:
                await pull.open()
                while True:
                    await self._room_for_entries()
                    await self._bring(await pull.take(min(self._limits.fetch_count, self._limits.held_count_max - len(self._held))))
            except (ConsumerGone, nats.errors.Error) as error:
                if self._nc.is_closed:
                    return await self._break(error)
                log.warning("Cannot read samples at the place %s for now: %s", reader, error or type(error).__name__)
            finally:
                await pull.close()
            await asyncio.sleep(self._limits.retry_s)
            await self._ensure_again(reader, subject)

    async def _ensure_again(self, reader: str, subject: str) -> None:
        try:
            await self._ensure(reader, subject)
        except (StreamError, nats.errors.Error) as error:
            log.warning("Cannot open the place %s for now: %s", reader, error or type(error).__name__)

    async def _bring(self, messages: Sequence[Msg]) -> None:
        """Makes samples of entries, in their order; waits where there is no room for their records."""
        self._bringing += 1
        try:
            await self._bring_on(messages)
        finally:
            self._bringing -= 1

    async def _bring_on(self, messages: Sequence[Msg]) -> None:
        coming = deque(kept for message in messages if (kept := self._admit(message)) is not None)
        done, self._unconfirmed = self._unconfirmed, []
        if done:
            await self._confirm(done)
        while coming:
            await self._room_for(coming[0].size)
            part: list[Kept] = []
            while coming and len(part) < self._limits.reads_at_once and self._fits(coming[0].size):
                part.append(coming.popleft())
                self._reserve(part[-1])
            samples = await asyncio.gather(*(self._records.read(kept) for kept in part))
            async with self._changed:
                self._ready.extend(samples)
                self._changed.notify_all()

    def _admit(self, message: Msg) -> Kept | None:
        """None where it is known: it is acknowledged again, or held already."""
        id = id_of(message, self._prefix)
        if id in self._acknowledged or id in self._known:
            self._unconfirmed.append(message)
            return None
        sequence = message.metadata.sequence.stream
        held = self._held.get(id)
        if held is not None:
            held.deliveries[sequence] = message
            return None
        self._held[id] = _Held(0, {sequence: message})
        return read_entry(id, message.data, self._limits.record_bytes_max)

    def _reserve(self, kept: Kept) -> None:
        held = self._held.get(kept.id)
        if held is not None:
            held.size = kept.size
            self._held_bytes += kept.size

    def _fits(self, size: int) -> bool:
        return self._held_bytes == 0 or self._held_bytes + size <= self._limits.held_bytes_max

    async def _room_for(self, size: int) -> None:
        if self._fits(size):
            return
        self._bringing, self._crowded = self._bringing - 1, self._crowded + 1
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._fits(size))
        finally:
            self._bringing, self._crowded = self._bringing + 1, self._crowded - 1

    async def _room_for_entries(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._is_at_limit)

    async def _keep_alive(self) -> None:
        """While the event loop is held up for longer than `ack_wait_s`, what is held comes again, and is known (T2)."""
        while True:
            await asyncio.sleep(self._limits.keep_alive_s)
            done, self._unconfirmed = self._unconfirmed, []
            try:
                await self._confirm(done)
                for held in list(self._held.values()):
                    for message in list(held.deliveries.values()):
                        if self._nc.is_connected:
                            await self._nc.publish(message.reply, b"+WPI")
            except nats.errors.Error as error:
                log.warning("Cannot keep what is held: %s", error or type(error).__name__)

    async def _confirm(self, messages: Sequence[Msg]) -> None:
        """Acknowledges, and keeps for later what was not confirmed."""
        waiting = iter(messages)

        async def carry() -> None:
            for message in waiting:
                try:
                    if not self._nc.is_connected:
                        raise nats.errors.ConnectionReconnectingError
                    await self._nc.request(message.reply, b"+ACK", timeout=self._limits.answer_s)
                except nats.errors.Error:
                    self._unconfirmed.append(message)

        await asyncio.gather(*(carry() for _ in range(min(self._limits.acknowledges_at_once, len(messages)))))

    async def _break(self, error: Exception) -> None:
        async with self._changed:
            self._broken = error
            self._changed.notify_all()


def _readers(prefix: str, trainer: str, runs: Iterable[str] | None) -> dict[str, str]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", trainer):
        raise StreamError("OPTION_INVALID", f'Cannot use "{trainer}" as the name of a trainer: it takes lower-case letters, digits and "-", 32 at most')
    if runs is None:
        return {trainer: f"{prefix}.samples.>"}
    named = list(runs)
    for run in named:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", run):
            raise StreamError("OPTION_INVALID", f'Cannot read the samples of "{run}": it is no name of a run')
    if not named:
        raise StreamError("OPTION_INVALID", "Cannot read the samples of no run: name one, or leave the runs out to read all")
    return {f"{trainer}_{run}": f"{prefix}.samples.{run}.>" for run in named}
