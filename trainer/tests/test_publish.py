"""Goal: a version is whole on the disk, on every server that can take it, and only then announced. Method: real servers, told in
each of the ways that there are, with one that is down and weights that no server takes."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from nats.aio.client import Client

from spar_trainer.errors import TrainerError
from spar_trainer.publish import Published, Publisher, main
from spar_trainer.weight_servers import ServerLimits, WeightServer, parse_server

from .conftest import NatsServer, connect
from .serve_process import ServeProcess, serve
from .tiny_model import make_llama

QUICK = ServerLimits(backoff_s=0.01, connect_s_max=2.0)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("start") / "step-0", 0)


@pytest.fixture(scope="module")
def pair(start: Path) -> Iterator[tuple[ServeProcess, ServeProcess]]:
    with serve(start) as one, serve(start) as other:
        yield one, other


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Told:
    """What was announced, and what servers served then."""

    def __init__(self, *processes: ServeProcess) -> None:
        self.announced: list[tuple[str, str, list[str]]] = []
        self._processes = processes

    async def __call__(self, model: str, version: str) -> None:
        self.announced.append((model, version, [await version_of(process) for process in self._processes]))


async def version_of(process: ServeProcess) -> str:
    return str((await process.get("/get_model_info"))[1]["weight_version"])


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("kind", ["spar", "sglang", "vllm"])
async def test_a_version_is_announced_when_every_server_has_it_and_what_runs_goes_on(kind: str, pair: tuple[ServeProcess, ServeProcess], tmp_path: Path) -> None:
    told = Told(*pair)
    publisher = Publisher(tmp_path, "org/model", [WeightServer(kind, process.url) for process in pair], told, limits=QUICK)
    before = await version_of(pair[0])
    running = asyncio.create_task(pair[0].generate([1, 2, 3], seed=1, tokens=1900, ignore_eos=True))
    drawn = await pair[0].metric("spar_serve_drawn_tokens_total")
    while await pair[0].metric("spar_serve_drawn_tokens_total") < drawn + 20:
        await asyncio.sleep(0.01)
    version = f"{kind}-1"
    published = await publisher.publish(version, lambda folder: make_llama(folder, 1))
    assert published == Published(version, tmp_path / version, published.served, {}, True)
    assert told.announced == [("org/model", version, [version, version])]
    meta = (await running)["meta_info"]
    assert (meta["weight_version"], meta["completion_tokens"]) == (before, 1900)
    assert [run["version"] for run in meta["weight_versions"]] == [before, version]
    await publisher.close()


async def test_servers_that_cannot_are_counted_and_cost_nobody_else_the_version(pair: tuple[ServeProcess, ServeProcess], tmp_path: Path) -> None:
    said: list[str] = []
    dead = WeightServer("vllm", f"http://127.0.0.1:{free_port()}")
    elsewhere = WeightServer("sglang", pair[1].url + "/nothing")
    told = Told(pair[0])
    publisher = Publisher(tmp_path, "m", [WeightServer("spar", pair[0].url), dead, elsewhere], told, limits=QUICK, say=said.append)
    published = await publisher.publish("v1", lambda folder: make_llama(folder, 1))
    assert set(published.failed) == {dead, elsewhere}
    assert "does not answer" in published.failed[dead]
    assert "404" in published.failed[elsewhere]
    assert told.announced == [("m", "v1", ["v1"])]
    assert [line.split(" does not serve v1")[0] for line in sorted(said)] == [str(elsewhere), str(dead)]
    assert publisher.counters.server_failures == {str(dead): 1, str(elsewhere): 1}
    # Weights that are refused are not announced, and the folder says what was served before.
    with pytest.raises(TrainerError, match="no server took it.*has the shape") as caught:
        await publisher.publish("v2", lambda folder: make_llama(folder, 1, hidden_size=64))
    assert caught.value.code == "PUBLISH_SERVERS"
    assert [version for _, version, _ in told.announced] == ["v1"]
    assert await version_of(pair[0]) == "v1"
    assert (await pair[0].get("/is_paused"))[1] == {"is_paused": False}
    await publisher.close()


async def test_a_server_that_refuses_while_paused_goes_on(pair: tuple[ServeProcess, ServeProcess], tmp_path: Path) -> None:
    for kind in ("sglang", "vllm"):
        publisher = Publisher(tmp_path, "m", [WeightServer(kind, pair[0].url)], limits=QUICK)
        with pytest.raises(TrainerError, match="has the shape"):
            await publisher.publish("wide", lambda folder: make_llama(folder, 1, hidden_size=64))
        assert (await pair[0].get("/is_paused"))[1] == {"is_paused": False}
        await publisher.close()


async def test_a_server_that_is_down_for_a_moment_is_asked_again(start: Path, tmp_path: Path) -> None:
    port = free_port()
    started: list[ServeProcess] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            started.append(await asyncio.to_thread(ServeProcess, start, "--port", str(port)))

    publisher = Publisher(tmp_path, "m", [WeightServer("spar", f"http://127.0.0.1:{port}")], limits=QUICK, sleep=sleep)
    try:
        published = await publisher.publish("v1", lambda folder: make_llama(folder, 1))
        assert published.failed == {}
        assert slept == [0.01, 0.02]
        assert await version_of(started[0]) == "v1"
    finally:
        await publisher.close()
        for process in started:
            process.kill()


@asynccontextmanager
async def answers(load: Callable[[web.Request], Awaitable[web.StreamResponse]], resume: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)) -> AsyncIterator[str]:
    """A server that has its own manner to answer when it is given weights, and when it is to go on."""

    async def control(request: web.Request) -> web.Response:
        if request.path == "/continue_generation":
            await resume()
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/update_weights_from_disk", load)
    for path in ("/pause_generation", "/continue_generation"):
        app.router.add_post(path, control)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end(tmp_path: Path) -> None:
    async def in_pieces(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b'{"succ', b'ess": tr', b"ue}"):
            await response.write(part)
            await asyncio.sleep(0.05)
        return response

    async with answers(in_pieces) as url:
        publisher = Publisher(tmp_path, "m", [WeightServer("spar", url)], limits=QUICK)
        assert (await publisher.publish("v1", lambda folder: make_llama(folder, 1))).failed == {}
        await publisher.close()


@pytest.mark.parametrize("kind", ["spar", "sglang"])
async def test_a_server_that_hangs_delays_a_version_by_no_more_than_its_time(kind: str, pair: tuple[ServeProcess, ServeProcess], tmp_path: Path) -> None:
    """It takes the weights and never answers, nor goes on. Afterwards it is tried once, and as often as others when it was well again."""
    asked: list[str] = []
    state = "hangs"

    async def load(request: web.Request) -> web.StreamResponse:
        asked.append((await request.json())["weight_version"])
        if state == "hangs":
            await asyncio.sleep(60)
        return web.json_response({"success": True}, status=500 if state == "fails" else 200)

    async def resume() -> None:
        await asyncio.sleep(60 if state == "hangs" else 0)

    limits = ServerLimits(backoff_s=0.01, connect_s_max=2.0, update_s_max=1.5, resume_s_max=0.5)
    told = Told(pair[0])
    async with answers(load, resume) as url:
        slow = WeightServer(kind, url)
        publisher = Publisher(tmp_path, "m", [WeightServer("spar", pair[0].url), slow], told, limits=limits)
        make_llama(tmp_path / "v1", 1)
        began = time.monotonic()
        published = await publisher.publish_written("v1")
        assert time.monotonic() - began < 2.5
        assert "within" in published.failed[slow]
        assert told.announced == [("m", "v1", ["v1"])]
        for version, state, tries in (("v2", "fails", 1), ("v3", "is well", 1), ("v4", "fails", 3)):
            asked.clear()
            make_llama(tmp_path / version, 1)
            await publisher.publish_written(version)
            assert asked == [version] * tries
        await publisher.close()


async def test_folders_are_whole_the_latest_is_linked_and_old_ones_go_unless_served(pair: tuple[ServeProcess, ServeProcess], start: Path, tmp_path: Path) -> None:
    with serve(start) as lost:
        publisher = Publisher(tmp_path, "m", [WeightServer("spar", pair[0].url), WeightServer("spar", lost.url)], limits=QUICK, kept=2)
        await publisher.publish("v1", lambda folder: make_llama(folder, 1))
        # It may come back with what it had: that is kept.
        lost.kill()
    for version in ("v2", "v3", "v4"):
        await publisher.publish(version, lambda folder: make_llama(folder, 1))
        assert os.readlink(tmp_path / "latest") == version
    assert names(tmp_path) == ["latest", "v1", "v3", "v4"]

    def breaks(folder: Path) -> None:
        make_llama(folder, 1)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await publisher.publish("v5", breaks)
    assert names(tmp_path) == ["latest", "v1", "v3", "v4"]
    assert os.readlink(tmp_path / "latest") == "v4"
    (tmp_path / ".writing-v9").mkdir()
    await publisher.publish("v5", lambda folder: make_llama(folder, 1))
    assert names(tmp_path) == ["latest", "v1", "v4", "v5"], "what a crash left behind is cleared"
    await publisher.close()


async def test_versions_and_servers_have_names_that_can_be_used(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, "m")
    for version in ("", "../x", "a/b", ".hidden", "latest", "a" * 201, "ä"):
        with pytest.raises(TrainerError) as caught:
            await publisher.publish(version, lambda folder: None)
        assert caught.value.code == "PUBLISH_VERSION"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TrainerError, match="there is no"):
        await publisher.publish_written("v1")
    for text in ("http://gpu:8000", "tgi=http://gpu:8000", "vllm=gpu:8000", "vllm=http://user:secret@gpu", "vllm="):
        with pytest.raises(TrainerError) as caught:
            parse_server(text)
        assert caught.value.code == "CONFIG_WRONG_VALUE"
    assert parse_server("vllm=http://gpu:8000/v1/") == WeightServer("vllm", "http://gpu:8000")


def test_the_command_tells_servers_of_what_was_written(pair: tuple[ServeProcess, ServeProcess], tmp_path: Path, capsys: Any) -> None:
    make_llama(tmp_path / "v7", 7)
    dead = f"http://127.0.0.1:{free_port()}"
    assert main([str(tmp_path), "--version", "v7", "--server", f"sglang={pair[0].url}", "--server", f"vllm={pair[1].url}", "--json"]) == 0
    assert '"version": "v7"' in capsys.readouterr().out
    assert [asyncio.run(version_of(process)) for process in pair] == ["v7", "v7"]
    assert os.readlink(tmp_path / "latest") == "v7"
    assert main([str(tmp_path), "--version", "v7", "--server", f"spar={pair[0].url}", "--server", f"spar={dead}"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "v7 is served by 1 of 2 servers\n"
    assert f"spar={dead} does not serve v7" in captured.err
    for wrong in ([str(tmp_path)], [str(tmp_path), "--version", "v7", "--nats", "nats://127.0.0.1:4222"]):
        with pytest.raises(TrainerError) as caught:
            main(wrong)
        assert caught.value.code == "USAGE"


def test_the_command_announces_on_the_bus_what_the_servers_have(server: NatsServer, pair: tuple[ServeProcess, ServeProcess], tmp_path: Path) -> None:
    policies = pytest.importorskip("spar_trainer.policies")
    versions = make_llama(tmp_path / "versions" / "v8", 8).parent

    async def ask(question: Callable[[Client], Awaitable[Any]]) -> Any:
        nc = await connect(server)
        try:
            return await question(nc)
        finally:
            await nc.close()

    asyncio.run(ask(lambda nc: nc.jetstream().create_key_value(bucket="t_policies")))
    options = ["--announce", "org/model", "--nats", server.url, "--nats-prefix", "t"]
    assert main([str(versions), "--version", "v8", "--server", f"spar={pair[0].url}", *options]) == 0
    assert asyncio.run(version_of(pair[0])) == "v8"
    assert asyncio.run(ask(lambda nc: policies.served(nc, "t")))["org/model"].version == "v8"
    # No server takes it: the last one that was served stays announced.
    make_llama(versions / "v9", 9, hidden_size=64)
    with pytest.raises(TrainerError, match="no server took it"):
        main([str(versions), "--version", "v9", "--server", f"spar={pair[0].url}", *options])
    assert asyncio.run(ask(lambda nc: policies.served(nc, "t")))["org/model"].version == "v8"
