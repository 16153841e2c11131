"""The limits of a source of samples, and what it refuses. What nodes settle is taken in test/trainer/, where nodes are."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import nats.errors
import pytest
from nats.aio.client import Client

from spar_trainer.bridge import ObjectBucket
from spar_trainer.cluster_values import pack
from spar_trainer.errors import TrainerError
from spar_trainer.sources import RawSample, StreamError, StreamLimits, StreamSource, replay
from spar_trainer.sources.kept import Kept, RecordReader

from .conftest import NatsServer, connect

QUICK: dict[str, Any] = {"ack_wait_s": 1.0, "keep_alive_s": 0.2, "fetch_s": 0.5, "retry_s": 0.05}


@dataclass
class Bus:
    server: NatsServer
    nc: Client

    async def settle(self, *ids: str, size: int = 100) -> None:
        for id in ids:
            sample = {"rollout_id": id.partition(".")[2], "role": "solver"}
            trajectory = {"name": "x", "size": size, "inline": bytes(size), "object": None}
            await self.nc.jetstream().publish(f"spar.samples.{id}", pack({"sample": sample, "trajectory": trajectory}))

    async def place(self, reader: str = "trainer") -> Any:
        return await self.nc.jetstream().consumer_info("SPAR_SAMPLES", reader)


@pytest.fixture
async def bus(server: NatsServer) -> AsyncIterator[Bus]:
    nc = await connect(server)
    await nc.jetstream().add_stream(name="SPAR_SAMPLES", subjects=["spar.samples.>"], discard="new")
    yield Bus(server, nc)
    if not nc.is_closed:
        await nc.close()


def names(run: str, count: int) -> list[str]:
    return [f"{run}.e{index:04}.break" for index in range(count)]


async def take_all(source: StreamSource, count: int) -> list[RawSample]:
    taken: list[RawSample] = []
    while len(taken) < count:
        more = await source.take(count - len(taken), 5.0)
        assert more, f"only {len(taken)} of {count} came"
        taken += more
    return taken


async def test_what_is_held_is_bounded_in_samples(bus: Bus) -> None:
    ids = names("r", 25)
    await bus.settle(*ids)
    source = await StreamSource.open(bus.nc, limits=StreamLimits(**QUICK, held_count_max=10, fetch_count=4))
    assert [sample.id for sample in await take_all(source, 10)] == ids[:10]
    assert source.is_full and source.held == (10, 1_000)
    assert await source.take(10, 0.5) == [], "until something is acknowledged"
    await source.acknowledge(ids[3:6])
    assert [sample.id for sample in await take_all(source, 3)] == ids[10:13]
    await source.acknowledge([*ids[:13], ids[24]])
    assert [sample.id for sample in await take_all(source, 10)] == ids[13:23]
    await source.acknowledge(ids[13:23])
    assert [sample.id for sample in await source.take(10, 1.0)] == ids[23:24], "what was acknowledged before it came is not given"
    assert await source.take(10, 0.3) == []
    await source.close()


async def test_what_is_held_is_bounded_in_bytes_and_one_that_is_larger_comes_alone(bus: Bus) -> None:
    ids = names("r", 8)
    await bus.settle(*ids[:6], size=30_000)
    await bus.settle(ids[6], size=200_000)
    await bus.settle(ids[7], size=30_000)
    source = await StreamSource.open(bus.nc, limits=StreamLimits(**QUICK, held_bytes_max=100_000))
    for expected in (ids[:3], ids[3:6], ids[6:7], ids[7:]):
        assert [sample.id for sample in await take_all(source, len(expected))] == expected
        assert await source.take(10, 0.3) == []
        assert source.is_full == (expected != ids[7:]), "also where only the next one has no room"
        await source.acknowledge(expected)
    assert source.held == (0, 0)
    await source.close()


async def test_runs_have_places_of_their_own_and_all_runs_one(bus: Bus) -> None:
    await bus.settle("a.e0001.break", "b.e0001.break", "c.e0001.break")
    source = await StreamSource.open(bus.nc, runs=["a", "b"], limits=StreamLimits(**QUICK))
    assert {sample.id for sample in await take_all(source, 2)} == {"a.e0001.break", "b.e0001.break"}
    await source.acknowledge(["a.e0001.break"])
    assert (await bus.place("trainer_a")).num_ack_pending == 0
    assert (await bus.place("trainer_b")).num_ack_pending == 1
    other = await StreamSource.open(bus.nc, trainer="other", limits=StreamLimits(**QUICK))
    assert len(await take_all(other, 3)) == 3
    await source.close()
    await other.close()


async def test_a_sample_that_is_known_is_acknowledged_and_not_given(bus: Bus) -> None:
    known = {"r.e0000.break"}
    await bus.settle(*names("r", 2))
    source = await StreamSource.open(bus.nc, known=known, limits=StreamLimits(**QUICK))
    assert [sample.id for sample in await take_all(source, 1)] == ["r.e0001.break"]
    known.add("r.e0002.break")
    await bus.settle("r.e0002.break", "r.e0003.break")
    assert [sample.id for sample in await take_all(source, 1)] == ["r.e0003.break"], "what the caller adds is looked at"
    await asyncio.sleep(0.5)
    assert (await bus.place()).num_ack_pending == 2
    await source.close()


async def test_a_second_sample_of_a_rollout_is_the_same_one_and_both_are_acknowledged_with_it(bus: Bus) -> None:
    await bus.settle("r.e0000.break", "r.e0000.break.scored", "r.e0001.break.scored")
    source = await StreamSource.open(bus.nc, limits=StreamLimits(**QUICK))
    assert [sample.id for sample in await take_all(source, 2)] == ["r.e0000.break", "r.e0001.break"]
    await source.acknowledge(["r.e0000.break", "r.e0001.break"])
    assert (await bus.place()).num_ack_pending == 0
    await source.close()


async def test_only_the_latest_of_what_was_acknowledged_is_remembered(bus: Bus) -> None:
    ids = names("r", 3)
    await bus.settle(*ids)
    source = await StreamSource.open(bus.nc, limits=StreamLimits(**QUICK, acknowledged_ids_max=2))
    await take_all(source, 3)
    await source.acknowledge(ids)
    await bus.settle(*ids)
    assert [sample.id for sample in await take_all(source, 1)] == ids[:1]
    assert await source.take(1, 0.3) == []
    await source.close()


async def test_a_place_that_was_removed_is_made_again_and_nothing_comes_twice(bus: Bus) -> None:
    ids = names("r", 3)
    await bus.settle(*ids[:2])
    source = await StreamSource.open(bus.nc, limits=StreamLimits(**QUICK))
    await take_all(source, 2)
    await source.acknowledge(ids[:1])
    await bus.nc.jetstream().delete_consumer("SPAR_SAMPLES", "trainer")
    await bus.settle(ids[2])
    assert [sample.id for sample in await take_all(source, 1)] == ids[2:]
    await source.acknowledge(ids[1:])
    await asyncio.sleep(0.5)
    assert (await bus.place()).num_ack_pending == 0
    await source.close()


async def test_a_connection_that_is_closed_for_good_is_said(bus: Bus) -> None:
    source = await StreamSource.open(bus.nc, limits=StreamLimits(**QUICK))
    await bus.nc.close()
    with pytest.raises(nats.errors.Error):
        await source.take(1, 10.0)
    await source.close()


@pytest.mark.parametrize("said", [b"no JSON", b"null", b"[]", b'{"size": 5}', b'{"size": 1e400, "chunks": 1, "digest": "", "nuid": "a"}'])
async def test_an_entry_that_is_wrong_in_any_way_has_a_fault_and_others_come_after_it(bus: Bus, said: bytes) -> None:
    await ObjectBucket(bus.nc).ensure()
    name = f"sha256-{'0' * 64}"
    await bus.nc.jetstream().publish(f"$O.spar_objects.M.{base64.urlsafe_b64encode(name.encode()).decode()}", said)
    for index, size in enumerate((math.inf, -math.inf, math.nan, 5.5, True, 5)):
        sample = {"rollout_id": f"e{index}"}
        await bus.nc.jetstream().publish(f"spar.samples.r.e{index}", pack({"sample": sample, "trajectory": {"object": name, "size": size}}))
    await bus.settle("r.good")
    source = await StreamSource.open(bus.nc, limits=StreamLimits(**QUICK, record_tries=1))
    faults = [str(sample.fault).partition(":")[0] for sample in await take_all(source, 7)]
    assert faults == ["SAMPLE_POISONED"] * 5 + ["RECORD_DAMAGED", "None"]
    await source.close()


async def test_a_size_that_is_only_claimed_takes_no_room(bus: Bus) -> None:
    for index in range(2):
        trajectory = {"object": f"sha256-{'0' * 64}", "size": 1e15}
        await bus.nc.jetstream().publish(f"spar.samples.r.e{index}", pack({"sample": {"rollout_id": f"e{index}"}, "trajectory": trajectory}))
    await bus.settle("r.good")
    source = await StreamSource.open(bus.nc, limits=StreamLimits(**QUICK))
    faults = [str(sample.fault).partition(":")[0] for sample in await take_all(source, 3)]
    assert faults == ["RECORD_TOO_LARGE", "RECORD_TOO_LARGE", "None"] and source.held == (3, 100)
    await source.close()


async def test_a_bus_that_is_there_and_fails_is_told_after_some_tries(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    """Started again without JetStream, it says to every question that nobody answers."""
    bus.server.kill()
    bus.server.start(has_store=False)
    while bus.nc.stats["reconnects"] == 0:
        await asyncio.sleep(0.05)
    reader = RecordReader(bus.nc, "spar", tries=1, bus_tries=3, pause_s=0.01)
    with pytest.raises(TrainerError, match="failed 3 times") as error:
        await asyncio.wait_for(reader.read(Kept("r.a", {}, object=f"sha256-{'0' * 64}", size=5)), 30)
    assert error.value.code == "BUS_FAILING" and caplog.text.count("Cannot fetch the record of r.a for now") == 3


async def test_what_ends_the_reader_is_said_to_whoever_takes(bus: Bus) -> None:
    class Broken:
        def __contains__(self, id: object) -> bool:
            raise RuntimeError("the set of known ids is gone")

    await bus.settle("r.a")
    source = await StreamSource.open(bus.nc, known=Broken(), limits=StreamLimits(**QUICK))
    with pytest.raises(RuntimeError, match="is gone"):
        await source.take(1, 10.0)
    await source.close()


async def test_limits_of_a_place_may_change(bus: Bus) -> None:
    await (await StreamSource.open(bus.nc, limits=StreamLimits(**QUICK))).close()
    await (await StreamSource.open(bus.nc, limits=StreamLimits(held_count_max=7))).close()
    config = (await bus.place()).config
    assert (config.max_ack_pending, config.ack_wait) == (7, 60.0)


async def test_what_cannot_be_read_at_is_refused(bus: Bus) -> None:
    for name in ("", "my_trainer", "A", "a" * 33):
        with pytest.raises(StreamError, match="name of a trainer") as refused:
            await StreamSource.open(bus.nc, trainer=name)
        assert refused.value.code == "OPTION_INVALID"
    for runs in ([], ["a.b"], ["*"]):
        with pytest.raises(StreamError) as refused:
            await StreamSource.open(bus.nc, runs=runs)
        assert refused.value.code == "OPTION_INVALID"
    with pytest.raises(StreamError, match="NONE_SAMPLES") as refused:
        await StreamSource.open(bus.nc, "none")
    assert refused.value.code == "BUS_MISSING"
    await bus.nc.jetstream().add_consumer("SPAR_SAMPLES", durable_name="taken", filter_subject="spar.samples.r.>", ack_policy="none", max_deliver=1)
    with pytest.raises(StreamError, match="Use another name") as refused:
        await StreamSource.open(bus.nc, trainer="taken")
    assert refused.value.code == "READER_FOREIGN"


async def test_a_replay_goes_on_where_the_server_forgot_it(bus: Bus) -> None:
    ids = names("r", 6)
    await bus.settle(*ids[:3])
    replaying = replay(bus.nc, follow=True, limits=StreamLimits(**QUICK, fetch_count=2))
    seen = [(await anext(replaying)).sample.id for _ in range(2)]
    bus.server.kill()
    bus.server.start()
    seen.append((await anext(replaying)).sample.id)
    while not bus.nc.is_connected:
        await asyncio.sleep(0.05)
    await bus.settle(*ids[3:])
    seen += [(await asyncio.wait_for(anext(replaying), 20)).sample.id for _ in range(3)]
    assert seen == ids
    await replaying.aclose()
    with pytest.raises(nats.errors.Error):
        await anext(replay(bus.nc, "none"))
