"""A sample as the log `<PREFIX>_SAMPLES` keeps it (src/cluster/samples.ts): the settled rollout, and its record or where that lies.

What is wrong with an entry is said in the `fault` of its RawSample, with a code in front, so that whoever takes it can count it:

    SAMPLE_SCHEMA_NEWER   it was written by a newer version
    SAMPLE_POISONED       it is no MessagePack, or has other fields than a sample has
    RECORD_LOST           the object that it names is not there
    RECORD_DAMAGED        the record's bytes are not those of its hash or size
    RECORD_TOO_LARGE      the record is above `record_bytes_max`
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from dataclasses import dataclass
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from ..bridge import ObjectBucket
from ..bridge.objects import DamagedObject
from ..cluster_values import ClusterValueError, unpack
from ..errors import TrainerError
from .types import RawSample

log = logging.getLogger(__name__)


class Fault(Exception):
    """Why a sample or its record cannot be read."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True)
class Kept:
    """An entry of the log, not yet with its record."""

    id: str
    settled: dict[str, Any]
    inline: bytes | None = None
    object: str | None = None
    """Name of the object that the record lies in, `sha256-` and its hash."""
    size: int = 0
    """Bytes of the record."""
    fault: str | None = None


def read_entry(id: str, data: bytes, bytes_max: int) -> Kept:
    """Never raises. A record above `bytes_max` is a fault here already: nobody has to make room for what an entry claims."""
    settled: dict[str, Any] = {}
    try:
        value = unpack(data, f"the sample {id}")
        settled = _settled(id, value)
        return Kept(id, settled, **_attachment(id, value, bytes_max))
    except ClusterValueError as error:
        code = "SAMPLE_SCHEMA_NEWER" if error.code == "CLUSTER_SCHEMA_NEWER" else "SAMPLE_POISONED"
        return Kept(id, settled, fault=f"{code}: {error}")
    except Fault as error:
        return Kept(id, settled, fault=str(error))


def _settled(id: str, value: dict[str, Any]) -> dict[str, Any]:
    sample = value.get("sample")
    if not isinstance(sample, dict):
        raise Fault("SAMPLE_POISONED", f"Cannot read the sample {id}: it has no settled rollout")
    if not isinstance(sample.get("rollout_id"), str) or id.partition(".")[2] != sample["rollout_id"]:
        raise Fault("SAMPLE_POISONED", f"Cannot read the sample {id}: it is of another rollout than its key says")
    return sample


def _attachment(id: str, value: dict[str, Any], bytes_max: int) -> dict[str, Any]:
    trajectory = value.get("trajectory")
    if trajectory is None:
        return {}
    if isinstance(trajectory, dict):
        inline, object, size = (trajectory.get(field) for field in ("inline", "object", "size"))
        is_size = type(size) is int and size >= 0 or type(size) is float and size >= 0 and size.is_integer()
        if is_size and size > bytes_max:
            raise Fault("RECORD_TOO_LARGE", f"Cannot take the record of {id}: it has {int(size)} bytes, record_bytes_max is {bytes_max}")
        if is_size and isinstance(inline, bytes) and len(inline) == size:
            return {"inline": inline, "size": int(size)}
        if is_size and inline is None and isinstance(object, str) and re.fullmatch(r"sha256-[0-9a-f]{64}", object):
            return {"object": object, "size": int(size)}
    raise Fault("SAMPLE_POISONED", f"Cannot read the sample {id}: it does not say where its record is")


class RecordReader:
    """Fetches records. A bus that is away says nothing about a record, and is waited for."""

    def __init__(self, nc: Client, prefix: str, *, tries: int, bus_tries: int, pause_s: float) -> None:
        self._nc = nc
        self._objects = ObjectBucket(nc, prefix)
        self._tries = tries
        self._bus_tries = bus_tries
        self._pause_s = pause_s

    async def read(self, kept: Kept) -> RawSample:
        """Raises TrainerError BUS_FAILING, and what nats-py does when its connection was closed for good."""
        if kept.fault is not None:
            return RawSample(kept.id, kept.settled, None, kept.fault)
        try:
            record = kept.inline if kept.object is None else await self._fetch(kept.id, kept.object, kept.size)
            return RawSample(kept.id, kept.settled, record)
        except Fault as error:
            return RawSample(kept.id, kept.settled, None, str(error))

    async def _fetch(self, id: str, name: str, size: int) -> bytes:
        tries = 0
        while True:
            connection = self._nc.stats["reconnects"]
            try:
                return await self._fetch_once(id, name, size)
            except Fault:
                # Where the connection was lost on the way, what was found says nothing.
                tries = tries + 1 if self._is_still(connection) else 0
                if tries >= self._tries:
                    raise
            await asyncio.sleep(self._pause_s)

    async def _fetch_once(self, id: str, name: str, size: int) -> bytes:
        failures = 0
        while True:
            connection = self._nc.stats["reconnects"]
            try:
                data = await self._objects.get(name, size)
                break
            except DamagedObject as error:
                raise Fault("RECORD_DAMAGED", f"Cannot trust the record of {id}: {error}") from error
            except nats.errors.Error as error:
                if self._nc.is_closed:
                    raise
                said = str(error) or type(error).__name__
                log.warning("Cannot fetch the record of %s for now: %s", id, said)
                failures = failures + 1 if self._is_still(connection) else 0
                if failures >= self._bus_tries:
                    raise TrainerError("BUS_FAILING", f"Cannot fetch the record of {id}: the bus is there, and failed {failures} times (bus_tries): {said}. Look at its JetStream, and at what this credential may read") from error
                await asyncio.sleep(self._pause_s)
        if data is None:
            raise Fault("RECORD_LOST", f"Cannot read the record of {id}: the object {name} is not there")
        if len(data) != size or f"sha256-{hashlib.sha256(data).hexdigest()}" != name:
            raise Fault("RECORD_DAMAGED", f"Cannot trust the record of {id}: what is kept as {name} has another hash")
        return data

    def _is_still(self, connection: int) -> bool:
        return self._nc.is_connected and self._nc.stats["reconnects"] == connection


def id_of(message: Msg, prefix: str) -> str:
    """`<run>.<rollout>`, also of the second sample of a rollout that was put back after its first had no reward."""
    return message.subject.removeprefix(f"{prefix}.samples.").removesuffix(".scored")
