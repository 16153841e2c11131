"""What a call ends with when the other side does not keep to the wire, goes silent, or the server dies.

The other side is written by hand, frame by frame, on a connection of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from spar_trainer.bridge import BridgeClient, BridgeError, BridgeLimits, BridgeServer, CallKind, ClientCall, Code, Context
from spar_trainer.bridge.frames import Accept, Cancel, Credit, End, Frame, Here, Item, Open, Ping, Pong, Reference, Status, decode, encode
from spar_trainer.bridge.values import pack

from .conftest import NatsServer, Pair, connect
from .test_calls import until

WINDOW = 64 * 1024


class Peer:
    """Either side of a call, by hand."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.inbox = nc.new_inbox()
        self.heard: asyncio.Queue[Msg] = asyncio.Queue()

    async def listen(self, subject: str | None = None) -> None:
        async def hear(msg: Msg) -> None:
            self.heard.put_nowait(msg)

        await self.nc.subscribe(subject or self.inbox, cb=hear)
        await self.nc.flush()
        await self.nc.flush()

    async def say(self, to: str, frame: Frame | bytes) -> None:
        await self.nc.publish(to, frame if isinstance(frame, bytes) else encode(frame), reply=self.inbox)

    async def next(self) -> tuple[Frame, Msg]:
        msg = await asyncio.wait_for(self.heard.get(), 3)
        return decode(msg.data), msg

    async def next_of(self, kind: type[Frame]) -> Frame:
        while True:
            frame, _ = await self.next()
            if isinstance(frame, kind):
                return frame


@pytest.fixture
async def peer(pair: Pair) -> AsyncIterator[Peer]:
    """With the connection of the pair's server, so that what the pair's client says of it can be heard."""
    made = Peer(pair.server_nc)
    await made.listen()
    yield made


def item(sequence: int, value: object = None) -> Item:
    return Item(sequence, Here(pack(value)))


async def opened(pair: Pair, peer: Peer) -> tuple[ClientCall, str]:
    """A bidirectional call of the pair's client that `peer` serves, and where its client hears."""
    await peer.listen("spar.bridge.Odd.Chat")
    call = await pair.client.bidirectional("Odd", "Chat")
    frame, msg = await peer.next()
    assert frame == Open(CallKind.BIDIRECTIONAL, credit=WINDOW, ended=False)
    await peer.say(msg.reply, Accept(credit=WINDOW))
    return call, msg.reply


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([item(1)], Code.DATA_LOSS),
        ([item(0), item(2)], Code.DATA_LOSS),
        ([Ping(1)], Code.DATA_LOSS),
        ([Status(3)], Code.DATA_LOSS),
        ([b""], Code.INTERNAL),
        ([b"\xc1"], Code.INTERNAL),
        ([encode(item(0)) + b"\x00"], Code.INTERNAL),
        ([Cancel("clients cancel")], Code.INTERNAL),
        ([End(0)], Code.INTERNAL),
        ([item(0, bytes(40_000)), item(1, bytes(40_000))], Code.RESOURCE_EXHAUSTED),
        ([item(0, bytes(100_000)), item(1)], Code.RESOURCE_EXHAUSTED),
    ],
)
async def test_a_server_that_breaks_the_wire_ends_the_call(pair: Pair, peer: Peer, said: list[Frame | bytes], code: Code) -> None:
    call, client = await opened(pair, peer)
    for frame in said:
        await peer.say(client, frame)
    with pytest.raises(BridgeError) as caught:
        await asyncio.sleep(0.1)
        async for _ in call:
            continue
    assert caught.value.code is code
    assert isinstance(await peer.next_of(Cancel), Cancel), "a client that ends a call says so"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([item(1)], Code.DATA_LOSS),
        ([End(2)], Code.DATA_LOSS),
        ([b"\x93"], Code.INTERNAL),
        ([Accept()], Code.INTERNAL),
        ([item(sequence, bytes(100_000)) for sequence in range(6)], Code.RESOURCE_EXHAUSTED),
    ],
)
async def test_a_client_that_breaks_the_wire_is_told(pair: Pair, peer: Peer, said: list[Frame | bytes], code: Code) -> None:
    await peer.say("spar.bridge.Echo.Chat", Open(CallKind.BIDIRECTIONAL, credit=100, ended=False))
    accept, msg = await peer.next()
    assert accept == Accept(credit=WINDOW)
    for frame in said:
        await peer.say(msg.reply, frame)
    status = await peer.next_of(Status)
    assert isinstance(status, Status) and status.code is code
    await until(lambda: pair.echo.calls == 0)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\xc1", Code.INTERNAL),
        (pack([0, 2, "newer"]), Code.UNIMPLEMENTED),
        (encode(Cancel()), Code.INTERNAL),
        (encode(Open(CallKind.BIDIRECTIONAL, ended=False)), Code.UNIMPLEMENTED),
        (pack([0, 1, 0, 0, {"k": "x" * 9_000}, 0, True, [0, None]]), Code.RESOURCE_EXHAUSTED),
        (pack([0, 1, 0, 0, {}, 0, True, [0, {"dtype": "|O", "shape": [1], "data": b""}]]), Code.INTERNAL),
    ],
)
async def test_an_opening_that_cannot_be_read_is_refused(pair: Pair, peer: Peer, said: bytes, code: Code) -> None:
    await peer.say("spar.bridge.Echo.Say", said)
    status, _ = await peer.next()
    assert isinstance(status, Status) and (status.sequence, status.code) == (0, code)


async def test_a_unary_call_that_takes_long_is_accepted_and_can_be_cancelled(pair: Pair, peer: Peer) -> None:
    await peer.say("spar.bridge.Echo.Hang", Open(CallKind.UNARY, message=Here(pack(None))))
    accept, msg = await peer.next()
    assert accept == Accept()
    await peer.say(msg.reply, Ping(0))
    assert (await peer.next())[0] == Pong(0)
    await peer.say(msg.reply, Cancel("enough"))
    await until(lambda: pair.record == ["hang", "hang aborted"])


async def test_a_cancel_waits_for_the_address_of_the_server(pair: Pair, peer: Peer) -> None:
    await peer.listen("spar.bridge.Odd.Chat")
    call = await pair.client.bidirectional("Odd", "Chat")
    _, msg = await peer.next()
    call.cancel("changed my mind")
    await peer.say(msg.reply, Accept(credit=1))
    assert await peer.next_of(Cancel) == Cancel("changed my mind")


async def test_the_server_streams_within_the_credit_of_its_client(pair: Pair, peer: Peer) -> None:
    await peer.say("spar.bridge.Echo.Flood", Open(CallKind.SERVER_STREAM, credit=5_000, message=Here(pack({"n": 10, "bytes": 1_000}))))
    await peer.next_of(Accept)
    sizes = []
    for _ in range(4):
        _, msg = await peer.next()
        sizes.append(len(msg.data))
    await asyncio.sleep(0.1)
    assert peer.heard.empty() and sum(sizes) <= 5_000
    await peer.say(msg.reply, Credit(sum(sizes)))
    for _ in range(4):
        await peer.next_of(Item)
    await asyncio.sleep(0.1)
    assert peer.heard.empty()


@pytest.mark.limits(keep_alive=0.4)
async def test_a_silent_server_is_asked_and_given_up(pair: Pair, peer: Peer) -> None:
    call, client = await opened(pair, peer)
    assert await peer.next_of(Ping) == Ping(0, 0)
    await peer.say(client, Pong(0))
    assert await peer.next_of(Ping) == Ping(0, 0)
    with pytest.raises(BridgeError) as caught:
        await asyncio.wait_for(anext(call), 3)
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.limits(keep_alive=0.4)
async def test_a_server_that_never_accepts_is_given_up(pair: Pair, peer: Peer) -> None:
    await peer.listen("spar.bridge.Odd.Say")
    with pytest.raises(BridgeError) as caught:
        await asyncio.wait_for(pair.client.unary("Odd", "Say", None), 3)
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.limits(keep_alive=0.4)
async def test_a_silent_client_aborts_the_handler(pair: Pair, peer: Peer) -> None:
    await peer.say("spar.bridge.Echo.Hang", Open(CallKind.UNARY, message=Here(pack(None))))
    status = await peer.next_of(Status)
    assert isinstance(status, Status) and status.code is Code.UNAVAILABLE
    await until(lambda: pair.record == ["hang", "hang aborted"])


async def test_a_client_that_is_gone_aborts_the_handler(pair: Pair) -> None:
    await pair.client_nc.publish("spar.bridge.Echo.Hang", encode(Open(CallKind.UNARY, message=Here(pack(None)))), reply="_INBOX.gone.1")
    await until(lambda: pair.record == ["hang", "hang aborted"])


async def test_a_message_by_reference_that_is_missing_or_another_is_lost(pair: Pair, peer: Peer) -> None:
    await pair.client_objects.put("bridge.other", b"\xc0")
    for name in ("bridge.missing", "bridge.other"):
        await peer.say("spar.bridge.Echo.Say", Open(CallKind.UNARY, message=Reference(name, 1, hashlib.sha256(b"\x01").hexdigest())))
        status = await peer.next_of(Status)
        assert isinstance(status, Status) and status.code is Code.DATA_LOSS


async def objects_left(pair: Pair) -> list[str]:
    info = await pair.client_nc.jetstream().stream_info("OBJ_spar_objects", subjects_filter="$O.spar_objects.C.>")
    return list(info.state.subjects or {})


@pytest.mark.limits(object_seconds=0.3)
async def test_an_object_that_nobody_reads_is_removed_by_its_writer(pair: Pair, peer: Peer) -> None:
    await peer.listen("spar.bridge.Odd.Say")
    task = asyncio.create_task(pair.client.unary("Odd", "Say", bytes(2_000_000)))
    frame, _ = await peer.next()
    assert isinstance(frame, Open) and isinstance(frame.message, Reference)
    assert len(await objects_left(pair)) == 1
    task.cancel()
    await asyncio.sleep(0.5)
    assert await objects_left(pair) == []


async def test_objects_of_messages_that_are_not_read_are_removed(pair: Pair, peer: Peer) -> None:
    call, client = await opened(pair, peer)
    async with call:
        for sequence in range(2):
            await pair.client_objects.put(f"bridge.{sequence}", b"\xc0")
            await peer.say(client, Item(sequence, Reference(f"bridge.{sequence}", 1, "0" * 64)))
        await peer.say(client, Status(2))
        await until(lambda: call.is_over)
    for _ in range(100):
        if await objects_left(pair) == []:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("objects were left")


@pytest.mark.limits(object_bytes_max=1_500_000)
async def test_an_object_has_a_largest_size_for_both_sides(pair: Pair, peer: Peer) -> None:
    with pytest.raises(BridgeError) as caught:
        await pair.client.unary("Echo", "Say", bytes(2_000_000))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    await peer.say("spar.bridge.Echo.Say", Open(CallKind.UNARY, message=Reference("bridge.bomb", 2**40, "0" * 64)))
    status = await peer.next_of(Status)
    assert isinstance(status, Status) and status.code is Code.RESOURCE_EXHAUSTED


async def test_without_a_bucket_a_large_message_is_refused(pair: Pair) -> None:
    client = BridgeClient(pair.client_nc)
    with pytest.raises(BridgeError) as caught:
        await client.unary("Echo", "Say", bytes(2_000_000))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    await client.close()


async def test_a_connection_that_is_closed_is_unavailable(pair: Pair) -> None:
    hanging = asyncio.create_task(pair.client.unary("Echo", "Hang", None))
    await until(lambda: pair.record == ["hang"])
    await pair.client_nc.close()
    for call in (hanging, pair.client.unary("Echo", "Say", None)):
        with pytest.raises(BridgeError) as caught:
            await asyncio.wait_for(call, 1)
        assert caught.value.code is Code.UNAVAILABLE


async def test_closing_a_client_cancels_its_calls(pair: Pair) -> None:
    hanging = asyncio.create_task(pair.client.unary("Echo", "Hang", None))
    await until(lambda: pair.record == ["hang"])
    await asyncio.sleep(0.2)
    await pair.client.close()
    with pytest.raises(BridgeError) as caught:
        await asyncio.wait_for(hanging, 1)
    assert caught.value.code is Code.CANCELLED
    await until(lambda: pair.record == ["hang", "hang aborted"])


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_a_server_that_dies_ends_its_calls(server: NatsServer, pair: Pair, kind: str) -> None:
    if kind == "unary":
        waiting = asyncio.create_task(pair.client.unary("Echo", "Hang", None))
        await until(lambda: pair.record == ["hang"])
    else:
        call = await pair.client.server_stream("Echo", "Flood", {"n": 100_000, "bytes": 10_000})
        await anext(call)

        async def read() -> None:
            async for _ in call:
                await asyncio.sleep(0.01)

        waiting = asyncio.create_task(read())
    server.kill()
    with pytest.raises(BridgeError) as caught:
        await asyncio.wait_for(waiting, 5)
    assert caught.value.code is Code.UNAVAILABLE
    await until(lambda: pair.echo.calls == 0)
    with pytest.raises(BridgeError) as caught:
        await pair.client.unary("Echo", "Say", None)
    assert caught.value.code is Code.UNAVAILABLE
    server.start()
    await until(lambda: pair.client_nc.is_connected and pair.server_nc.is_connected, 10)
    await pair.server_nc.flush()
    assert (await pair.client.unary("Echo", "Say", 1)).message == 1


async def test_a_server_that_drains_ends_what_it_has_begun(server: NatsServer, limits: BridgeLimits) -> None:
    nc, server_nc = await connect(server), await connect(server)
    draining = BridgeServer(server_nc, service="Slow", limits=limits)

    async def slow(message: object, context: Context) -> str:
        await asyncio.sleep(0.2)
        return f"done with {context.time_left():.0f} s left"

    draining.add("Work", CallKind.UNARY, slow)
    await draining.start()
    client = BridgeClient(nc, limits=limits)
    working = asyncio.create_task(client.unary("Slow", "Work", None, timeout=10))
    await until(lambda: draining.calls == 1)
    await draining.drain(5)
    assert (await working).message == "done with 10 s left"
    with pytest.raises(BridgeError) as caught:
        await client.unary("Slow", "Work", None)
    assert caught.value.code is Code.UNAVAILABLE
    await draining.close()
    await client.close()
    await nc.close()
    await server_nc.close()
