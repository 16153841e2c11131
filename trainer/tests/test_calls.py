"""Every kind of call between a client and a server in Python, over real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest

from spar_trainer.bridge import BridgeError, Code

from .conftest import Pair


async def until(holds: object, seconds: float = 5.0) -> None:
    """Waits for `holds()`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not holds():  # type: ignore[operator]
        assert loop.time() < end, "it did not come to hold"
        await asyncio.sleep(0.01)


async def test_a_unary_call_is_answered_with_arrays_and_trailers(pair: Pair) -> None:
    array = np.arange(6, dtype="<i4").reshape(2, 3)
    answer = await pair.client.unary("Echo", "Say", {"text": "é", "array": array}, metadata={"key": "x", "key-bin": b"\x00\xff"})
    assert answer.message["text"] == "é"
    np.testing.assert_array_equal(answer.message["array"], array)
    assert answer.trailers == {"key": "x", "key-bin": b"\x00\xff"}


async def test_a_server_stream_has_metadata_messages_and_trailers(pair: Pair) -> None:
    async with await pair.client.server_stream("Echo", "Count", {"n": 1_000}) as call:
        assert [number async for number in call] == list(range(1_000))
    assert call.metadata == {"method": "count"}
    assert call.trailers == {"counted": "1000"}


async def test_an_empty_server_stream_ends(pair: Pair) -> None:
    async with await pair.client.server_stream("Echo", "Count", {"n": 0}) as call:
        assert [number async for number in call] == []
    assert call.metadata == {"method": "count"}


async def test_a_client_stream_is_answered_once(pair: Pair) -> None:
    answer = await pair.client.client_stream("Echo", "Sum", ({"value": value} for value in range(500)))
    assert answer.message == {"sum": 124_750}
    assert (await pair.client.client_stream("Echo", "Sum", [])).message == {"sum": 0}


async def test_what_the_messages_of_a_client_stream_raise_is_raised(pair: Pair) -> None:
    async def messages() -> AsyncIterator[dict[str, int]]:
        yield {"value": 1}
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await pair.client.client_stream("Echo", "Sum", messages())
    await until(lambda: pair.echo.calls == 0)


async def test_a_bidirectional_call_goes_both_ways_at_once(pair: Pair) -> None:
    async with await pair.client.bidirectional("Echo", "Chat") as call:
        for turn in range(20):
            await call.send({"turn": turn})
            assert await anext(call) == {"turn": turn}
        await call.end()
        assert [message async for message in call] == []


async def test_many_calls_share_one_inbox(pair: Pair) -> None:
    before = len(pair.client_nc._subs)
    answers = await asyncio.gather(*(pair.client.unary("Echo", "Say", index) for index in range(8)))
    assert [answer.message for answer in answers] == list(range(8))
    assert len(pair.client_nc._subs) == before + 1


async def test_a_status_of_the_handler_reaches_the_caller(pair: Pair) -> None:
    with pytest.raises(BridgeError) as caught:
        await pair.client.unary("Echo", "Fail", {"code": 5, "text": "There is no run"})
    assert (caught.value.code, caught.value.text, caught.value.metadata) == (Code.NOT_FOUND, "There is no run", {"why": "asked"})


async def test_a_defect_of_the_handler_is_internal(pair: Pair) -> None:
    with pytest.raises(BridgeError) as caught:
        await pair.client.unary("Echo", "Throw", None)
    assert (caught.value.code, caught.value.text) == (Code.INTERNAL, "'a defect'")


async def test_an_answer_that_cannot_be_sent_is_internal(pair: Pair) -> None:
    with pytest.raises(BridgeError) as caught:
        await pair.client.unary("Echo", "Say", {"no": object()})
    assert caught.value.code is Code.INTERNAL


async def test_nobody_serves_is_said_at_once(pair: Pair) -> None:
    with pytest.raises(BridgeError) as caught:
        await asyncio.wait_for(pair.client.unary("Echo", "Nothing", None), 1)
    assert caught.value.code is Code.UNAVAILABLE
    with pytest.raises(BridgeError) as caught:
        await asyncio.wait_for(pair.client.client_stream("Nobody", "Sum", [{"value": 1}]), 1)
    assert caught.value.code is Code.UNAVAILABLE


async def test_another_kind_of_call_is_unimplemented(pair: Pair) -> None:
    with pytest.raises(BridgeError) as caught:
        await pair.client.unary("Echo", "Count", {"n": 1})
    assert caught.value.code is Code.UNIMPLEMENTED


async def test_a_deadline_ends_both_sides(pair: Pair) -> None:
    with pytest.raises(BridgeError) as caught:
        await pair.client.unary("Echo", "Hang", None, timeout=0.2)
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    await until(lambda: pair.record == ["hang", "hang aborted"])


async def test_a_cancelled_task_aborts_the_handler(pair: Pair) -> None:
    task = asyncio.create_task(pair.client.unary("Echo", "Hang", None))
    await until(lambda: pair.record == ["hang"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: pair.record == ["hang", "hang aborted"])


async def test_a_stream_that_is_left_aborts_its_handler(pair: Pair) -> None:
    async with await pair.client.server_stream("Echo", "Flood", {"n": 10_000, "bytes": 1_000}) as call:
        assert len(await anext(call)) == 1_000
    await until(lambda: pair.record == ["flood left"])
    await until(lambda: pair.echo.calls == 0)


async def test_a_slow_reader_bounds_what_is_on_its_way(pair: Pair) -> None:
    async with await pair.client.server_stream("Echo", "Flood", {"n": 1_000, "bytes": 1_000}) as call:
        seen = 0
        async for message in call:
            seen += len(message)
            if seen % 50_000 == 0:
                await asyncio.sleep(0.02)
            assert call.bytes_unread <= 64 * 1024
    assert seen == 1_000_000


async def test_a_handler_that_does_not_read_stops_its_client(pair: Pair) -> None:
    async with await pair.client.bidirectional("Echo", "Chat") as call:
        sent = 0

        async def send() -> None:
            nonlocal sent
            while True:
                await call.send(bytes(1_000))
                sent += 1

        sending = asyncio.create_task(send())
        await asyncio.wait((sending,), timeout=1)
        assert not sending.done()
        sending.cancel()
    # Nobody reads the echo: two windows are full, and what the handler has in its hand.
    assert 64 <= sent <= 2 * 66 + 2


async def test_a_message_larger_than_the_window_is_possible_after_smaller_ones(pair: Pair) -> None:
    async with await pair.client.bidirectional("Echo", "Chat") as call:
        for size in (10_000, 100_000, 20_000, 65_536, 30_000, 200_000):
            await asyncio.wait_for(call.send(bytes(size)), 2)
            assert len(await asyncio.wait_for(anext(call), 2)) == size
        await call.end()


async def test_too_many_calls_are_refused(pair: Pair) -> None:
    hanging = [asyncio.create_task(pair.client.unary("Echo", "Hang", None)) for _ in range(8)]
    await until(lambda: pair.echo.calls == 8)
    with pytest.raises(BridgeError) as caught:
        await pair.client.unary("Echo", "Say", None)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)
    await until(lambda: pair.echo.calls == 0)
    assert (await pair.client.unary("Echo", "Say", 1)).message == 1


async def test_metadata_that_are_too_large_are_refused(pair: Pair) -> None:
    with pytest.raises(BridgeError) as caught:
        await pair.client.unary("Echo", "Say", None, metadata={"key": "x" * 8 * 1024})
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


async def test_what_is_larger_than_a_message_of_the_server_goes_by_reference(pair: Pair) -> None:
    array = np.arange(500_000, dtype="<f4")
    answer = await pair.client.unary("Echo", "Say", {"array": array})
    np.testing.assert_array_equal(answer.message["array"], array)
    async with await pair.client.bidirectional("Echo", "Chat") as call:
        await call.send(array)
        np.testing.assert_array_equal(await anext(call), array)
        await call.end()
    info = await pair.client_nc.jetstream().stream_info("OBJ_spar_objects", subjects_filter=">")
    chunks = [subject for subject in info.state.subjects or {} if subject.startswith("$O.spar_objects.C.")]
    assert chunks == [], "whoever read it has removed it"


@pytest.mark.limits(keep_alive=0.4)
async def test_a_silent_call_is_kept_alive(pair: Pair) -> None:
    async with await pair.client.bidirectional("Echo", "Chat") as call:
        await asyncio.sleep(1.5)
        await call.send(1)
        assert await anext(call) == 1


async def test_nats_lists_and_times_the_service(pair: Pair) -> None:
    await pair.client.unary("Echo", "Say", 1)
    with pytest.raises(BridgeError):
        await pair.client.unary("Echo", "Fail", {"code": 5, "text": "no"})
    for subject in ("$SRV.PING", "$SRV.PING.Echo", "$SRV.INFO.Echo"):
        said = json.loads((await pair.client_nc.request(subject, timeout=2)).data)
        assert (said["name"], said["version"]) == ("Echo", "0.1.0")
    assert said["endpoints"][0] == {"name": "Say", "subject": "spar.bridge.Echo.Say", "queue_group": "q", "metadata": {}}
    stats = json.loads((await pair.client_nc.request(f"$SRV.STATS.Echo.{said['id']}", timeout=2)).data)
    by_name = {endpoint["name"]: endpoint for endpoint in stats["endpoints"]}
    assert (by_name["Say"]["num_requests"], by_name["Say"]["num_errors"]) == (1, 0)
    assert by_name["Say"]["average_processing_time"] > 0
    assert (by_name["Fail"]["num_requests"], by_name["Fail"]["last_error"]) == (1, "5:no")


async def test_metadata_come_with_a_request_by_reference(pair: Pair) -> None:
    async with await pair.client.server_stream("Echo", "Count", {"n": 2, "more": bytes(2_000_000)}) as call:
        assert [number async for number in call] == [0, 1]
    assert call.metadata == {"method": "count"}


async def test_closing_a_server_tells_its_callers(pair: Pair) -> None:
    hanging = asyncio.create_task(pair.client.unary("Echo", "Hang", None))
    await until(lambda: pair.record == ["hang"])
    await pair.echo.close()
    with pytest.raises(BridgeError) as caught:
        await asyncio.wait_for(hanging, 2)
    assert caught.value.code is Code.UNAVAILABLE
