"""The objects of the bus, `<prefix>_objects`, in the layout of NATS's own object stores, as the nodes write and read them.

Chunks lie under a name of their own, then a message names them with their digest. What was cut off halfway is named by
nothing. nats-py's own reader waits for ever for a chunk that is missing, so this one reads and counts itself.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from datetime import datetime, timezone
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from nats.nuid import NUID

CHUNK_BYTES = 128 * 1024
CHUNKS_IN_FLIGHT = 16
ANSWER_SECONDS = 5.0
"""Of one question to the server, and between two chunks."""


class DamagedObject(Exception):
    """An object that is named is not what its digest says."""


class ObjectBucket:
    def __init__(self, nc: Client, prefix: str = "spar") -> None:
        self._js: JetStreamContext = nc.jetstream(timeout=ANSWER_SECONDS)
        self._nuid = NUID()
        self._bucket = f"{prefix}_objects"
        self._stream = f"OBJ_{self._bucket}"
        self._chunk_bytes = min(CHUNK_BYTES, nc.max_payload)

    async def ensure(self) -> None:
        """Makes the bucket where it is missing; nodes make their own."""
        subjects = [f"$O.{self._bucket}.C.>", f"$O.{self._bucket}.M.>"]
        try:
            await self._js.stream_info(self._stream)
        except NotFoundError:
            await self._js.add_stream(name=self._stream, subjects=subjects, discard="new", allow_rollup_hdrs=True)

    async def put(self, name: str, data: bytes) -> None:
        """Keeps what there is already under this name, as the nodes do: names say what they hold."""
        if await self._find(name) is not None:
            return
        nuid = self._nuid.next().decode()
        try:
            chunks = await self._put_chunks(self._chunks(nuid), data)
            await self._say({
                "name": name, "bucket": self._bucket, "nuid": nuid, "size": len(data), "chunks": chunks, "digest": _digest(data),
                "mtime": _now(), "options": {"max_chunk_size": self._chunk_bytes},
            })
        except BaseException:
            await self._js.purge_stream(self._stream, subject=self._chunks(nuid))
            raise

    async def get(self, name: str, size_max: int) -> bytes | None:
        """None where there is none. Raises DamagedObject, also for one that is larger than `size_max`."""
        meta = await self._find(name)
        if meta is None:
            return None
        if meta["size"] > size_max:
            raise DamagedObject(f"Cannot read {name}: it has {meta['size']} bytes instead of at most {size_max}")
        data = await self._read_chunks(name, meta)
        if _digest(data) != meta["digest"]:
            raise DamagedObject(f"Cannot read {name}: its bytes are not those of its digest")
        return data

    async def remove(self, name: str) -> None:
        meta = await self._find(name)
        if meta is None:
            return
        await self._say({**meta, "size": 0, "chunks": 0, "digest": "", "deleted": True})
        await self._js.purge_stream(self._stream, subject=self._chunks(meta["nuid"]))

    async def _find(self, name: str) -> dict[str, Any] | None:
        """What is said of it; None where there is none, or it was removed. Raises DamagedObject."""
        try:
            last = await self._js.get_last_msg(self._stream, self._meta(name))
        except NotFoundError:
            return None
        return _read_meta(name, last.data or b"")

    async def _say(self, meta: dict[str, Any]) -> None:
        """Takes the place of what was said of this name before."""
        await self._js.publish(self._meta(meta["name"]), json.dumps(meta).encode(), headers={"Nats-Rollup": "sub"})

    async def _put_chunks(self, subject: str, data: bytes) -> int:
        chunks = [data[at : at + self._chunk_bytes] for at in range(0, len(data), self._chunk_bytes)]
        waiting = iter(chunks)

        async def carry() -> None:
            # In order on the wire: each starts where another has ended.
            for chunk in waiting:
                await self._js.publish(subject, chunk)

        await asyncio.gather(*(carry() for _ in range(min(CHUNKS_IN_FLIGHT, len(chunks)))))
        return len(chunks)

    async def _read_chunks(self, name: str, meta: dict[str, Any]) -> bytes:
        data = bytearray()
        if meta["chunks"] == 0:
            return bytes(data)
        chunks = await self._js.subscribe(self._chunks(meta["nuid"]), stream=self._stream, ordered_consumer=True)
        try:
            for _ in range(meta["chunks"]):
                data += (await chunks.next_msg(timeout=ANSWER_SECONDS)).data
                if len(data) > meta["size"]:
                    break
        except nats.errors.TimeoutError as error:
            raise DamagedObject(f"Cannot read {name}: only {len(data)} of its {meta['size']} bytes are there") from error
        finally:
            await chunks.unsubscribe()
        return bytes(data)

    def _meta(self, name: str) -> str:
        return f"$O.{self._bucket}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"

    def _chunks(self, nuid: str) -> str:
        return f"$O.{self._bucket}.C.{nuid}"


def _read_meta(name: str, data: bytes) -> dict[str, Any] | None:
    try:
        meta = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedObject(f"Cannot read {name}: what is said of it is no JSON") from error
    if isinstance(meta, dict) and meta.get("deleted") is True:
        return None
    fits = isinstance(meta, dict) and all(type(meta.get(field)) is int and meta[field] >= 0 for field in ("size", "chunks"))
    if not fits or not isinstance(meta.get("digest"), str) or not re.fullmatch(r"[A-Za-z0-9_-]+", str(meta.get("nuid"))):
        raise DamagedObject(f"Cannot read {name}: what is said of it lacks its size, its chunks, their name or its digest")
    return meta


def _digest(data: bytes) -> str:
    return f"SHA-256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()}"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
