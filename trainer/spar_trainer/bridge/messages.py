"""Messages on their way: in their frame where they fit into a message of the server, else among the objects of the bus."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.js.errors import Error as JetStreamError
from nats.nuid import NUID

from .frames import Here, Message, Reference
from .limits import BridgeLimits
from .objects import DamagedObject, ObjectBucket
from .status import BridgeError, Code
from .values import pack, unpack


class Messages:
    def __init__(self, nc: Client, objects: ObjectBucket | None, limits: BridgeLimits) -> None:
        self._nc = nc
        self._objects = objects
        self._limits = limits
        self._nuid = NUID()
        self._expiring: set[asyncio.Task[None]] = set()

    async def seal(self, value: Any) -> Message:
        """Raises INTERNAL for what MessagePack does not have, RESOURCE_EXHAUSTED for what is too large."""
        try:
            packed = pack(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise BridgeError(Code.INTERNAL, f"Cannot send a message: {error}") from error
        if len(packed) <= self._nc.max_payload - self._limits.overhead_bytes:
            return Here(packed)
        if self._objects is None or len(packed) > self._limits.object_bytes_max:
            raise BridgeError(Code.RESOURCE_EXHAUSTED, f"Cannot send a message of {len(packed)} bytes: {self._why_not()}")
        reference = Reference(f"bridge.{self._nuid.next().decode()}", len(packed), hashlib.sha256(packed).hexdigest())
        try:
            await self._objects.put(reference.object, packed)
        except (nats.errors.Error, JetStreamError) as error:
            raise BridgeError(Code.UNAVAILABLE, f"Cannot keep a message of {len(packed)} bytes among the objects of the bus: {error}") from error
        self._expire_later(reference)
        return reference

    def _expire_later(self, reference: Reference) -> None:
        """Its reader removes it; where none does, this side."""

        async def expire() -> None:
            await asyncio.sleep(self._limits.object_seconds)
            await self.drop(reference)

        task = asyncio.create_task(expire())
        self._expiring.add(task)
        task.add_done_callback(self._expiring.discard)

    def close(self) -> None:
        """What was not read stays to be removed by its reader."""
        for task in self._expiring:
            task.cancel()

    def _why_not(self) -> str:
        return "there is no bucket of objects" if self._objects is None else f"object_bytes_max is {self._limits.object_bytes_max}"

    async def open(self, message: Message) -> Any:
        """The value; an object is removed. Raises DATA_LOSS where it is missing or another one."""
        return unpack(message.packed if isinstance(message, Here) else await self._fetch(message))

    async def _fetch(self, reference: Reference) -> bytes:
        if self._objects is None:
            raise BridgeError(Code.INTERNAL, f"Cannot read {reference.object}: there is no bucket of objects")
        if reference.size > self._limits.object_bytes_max:
            raise BridgeError(Code.RESOURCE_EXHAUSTED, f"Cannot read {reference.object} of {reference.size} bytes: object_bytes_max is {self._limits.object_bytes_max}")
        try:
            data = await self._objects.get(reference.object, reference.size)
            if data is None or hashlib.sha256(data).hexdigest() != reference.sha256:
                raise BridgeError(Code.DATA_LOSS, f"Cannot read {reference.object}: it is {'missing' if data is None else 'another one'}")
            await self._objects.remove(reference.object)
            return data
        except DamagedObject as error:
            raise BridgeError(Code.DATA_LOSS, str(error)) from error
        except (nats.errors.Error, JetStreamError) as error:
            raise BridgeError(Code.UNAVAILABLE, f"Cannot read {reference.object}: {error}") from error

    async def drop(self, message: Message | None) -> None:
        """Removes the object of a message that nobody will read."""
        if isinstance(message, Reference) and self._objects is not None:
            try:
                await self._objects.remove(message.object)
            except (nats.errors.Error, JetStreamError):
                return
