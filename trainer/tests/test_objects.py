"""Objects in NATS's own layout: what nats-py's store writes is read, and the other way round."""

from __future__ import annotations

import pytest

from spar_trainer.bridge import ObjectBucket
from spar_trainer.bridge.objects import DamagedObject

from .conftest import NatsServer, connect

SIZES = [0, 1, 128 * 1024, 128 * 1024 + 1, 3_000_000]
MIB = 2**20


@pytest.mark.parametrize("size", SIZES)
async def test_an_object_is_kept_read_and_removed(server: NatsServer, size: int) -> None:
    nc = await connect(server)
    objects = ObjectBucket(nc)
    await objects.ensure()
    data = bytes(index * 7 % 251 for index in range(size))
    await objects.put("bridge.a-b_C.1", data)
    assert await objects.get("bridge.a-b_C.1", 10 * MIB) == data
    store = await nc.jetstream().object_store("spar_objects")
    assert (await store.get("bridge.a-b_C.1")).data == data, "nats-py's own store reads it"
    await store.put("theirs", data)
    assert await objects.get("theirs", 10 * MIB) == data
    for name in ("bridge.a-b_C.1", "theirs"):
        await objects.remove(name)
        assert await objects.get(name, 10 * MIB) is None
    assert (await store.status()).stream_info.state.messages == 2, "only what says that they are gone is left"
    await nc.close()


async def test_what_is_there_is_kept(server: NatsServer) -> None:
    nc = await connect(server)
    objects = ObjectBucket(nc)
    await objects.ensure()
    await objects.ensure()
    await objects.put("name", b"first")
    await objects.put("name", b"second")
    assert await objects.get("name", MIB) == b"first"
    assert await objects.get("missing", MIB) is None
    await objects.remove("missing")
    await nc.close()


async def test_an_object_that_is_damaged_or_too_large_is_refused(server: NatsServer) -> None:
    nc = await connect(server)
    objects = ObjectBucket(nc)
    await objects.ensure()
    await objects.put("name", b"a" * 100)
    with pytest.raises(DamagedObject, match="at most 99"):
        await objects.get("name", 99)
    store = await nc.jetstream().object_store("spar_objects")
    info = await store.get_info("name")
    await nc.jetstream().purge_stream("OBJ_spar_objects", subject=f"$O.spar_objects.C.{info.nuid}")
    await nc.jetstream().publish(f"$O.spar_objects.C.{info.nuid}", b"b" * 100)
    with pytest.raises(DamagedObject, match="digest"):
        await objects.get("name", 100)
    await nc.close()
