"""Goal: what goes wrong for one request or one client costs nobody else an answer. Method: an engine with a tiny model in this process,
whose steps, clock and texts the test holds up or breaks, and a server whose memory is limited."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from spar_trainer.serve.batch import CausalModel, Piece
from spar_trainer.serve.engine import Engine
from spar_trainer.serve.errors import ServeError
from spar_trainer.serve.key_values import KeyValues
from spar_trainer.serve.limits import ServeLimits
from spar_trainer.serve.llama import LlamaModel
from spar_trainer.serve.load import ModelSource
from spar_trainer.serve.requests import Completion, Request
from spar_trainer.serve.sampling import Sampling
from spar_trainer.serve.service import Service
from spar_trainer.serve.texts import Texts

from .serve_process import serve
from .tiny_model import make_llama, make_tokenizer
from .training import one_thread

SECONDS_MAX = 20
SOURCE = ModelSource(torch.float32, torch.device("cpu"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one_thread()
    return make_llama(tmp_path_factory.mktemp("models") / "one", 1)


class Gate:
    """Holds up each step of a model until it is open, and says when one is there."""

    def __init__(self, model: LlamaModel) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        self._forward = model.forward
        model.forward = self._wait  # type: ignore[method-assign]

    def _wait(self, pieces: Sequence[Piece], kv: KeyValues) -> Tensor:
        self.reached.set()
        assert self.open.wait(SECONDS_MAX)
        return self._forward(pieces, kv)


@contextmanager
def engine_of(model: Any, **options: Any) -> Iterator[Engine]:
    engine = Engine(model, "v1", 2048, ServeLimits(**options.pop("limits", {})), **options)
    try:
        yield engine
    finally:
        engine.close()


def submit(engine: Engine, prompt: list[int], tokens: int = 5, decode: Callable[[list[int]], str] = str, stops: tuple[str, ...] = ()) -> tuple[Request, queue.Queue[Completion]]:
    ends: queue.Queue[Completion] = queue.Queue()
    request = Request(prompt, tokens, Sampling(seed=1), frozenset(), stops, decode, ends.put)
    engine.submit(request)
    return request, ends


def test_a_command_whose_client_is_gone_is_left_out_and_the_engine_goes_on(folder: Path) -> None:
    model = SOURCE.load(folder)
    gate = Gate(model)  # type: ignore[arg-type]
    with engine_of(model) as engine:
        _, first = submit(engine, [1, 2, 3])
        assert gate.reached.wait(SECONDS_MAX)
        left = engine.pause()
        assert left.cancel()
        gate.open.set()
        assert first.get(timeout=SECONDS_MAX).finish_reason == "length"
        engine.forget().result(SECONDS_MAX)
        assert not engine.is_paused
        assert submit(engine, [4])[1].get(timeout=SECONDS_MAX).finish_reason == "length"


def test_an_engine_that_dies_ends_what_runs_and_waits_and_refuses_the_rest(folder: Path) -> None:
    broken = threading.Event()

    def now() -> float:
        if broken.is_set():
            raise OSError("no clock")
        return 0.0

    model = SOURCE.load(folder)
    gate = Gate(model)  # type: ignore[arg-type]
    with engine_of(model, limits={"batch_max": 1}, now=now) as engine:
        ends = [submit(engine, [at])[1] for at in range(3)]
        assert gate.reached.wait(SECONDS_MAX)
        paused = engine.pause()
        gate.open.set()
        paused.result(SECONDS_MAX)
        broken.set()
        with suppress(ServeError):
            engine.forget().result(SECONDS_MAX)
        for end in ends:
            completion = end.get(timeout=SECONDS_MAX)
            assert (completion.finish_reason, completion.error) == ("error", "the engine has died: OSError: no clock")
        for refused in (lambda: submit(engine, [1]), engine.resume):
            with pytest.raises(ServeError, match="no clock") as caught:
                refused()
            assert caught.value.code == "SERVE_FAILED"


def test_a_turn_is_copied_only_where_it_may_be_kept_and_no_memory_for_it_costs_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: Any) -> Tensor:
        raise RuntimeError("no memory")

    with engine_of(SOURCE.load(folder), limits={"cache_bytes_max": 4096}) as engine:
        copies: list[int] = []
        read = KeyValues.read
        monkeypatch.setattr(KeyValues, "read", lambda kv, row, tokens: (copies.append(tokens), read(kv, row, tokens))[1])
        # 256 bytes a token: two layers, two heads of eight numbers, keys and values.
        for prompt in ([1] * 60, [2] * 10):
            assert submit(engine, prompt)[1].get(timeout=SECONDS_MAX).finish_reason == "length"
        assert copies == [14]
    with engine_of(SOURCE.load(folder)) as engine:
        monkeypatch.setattr(KeyValues, "read", no_memory)
        cancelled, _ = submit(engine, [3] * 5, tokens=2000)
        while engine.counters.drawn_tokens < 20:
            threading.Event().wait(0.01)
        engine.cancel(cancelled)
        assert submit(engine, [4] * 5)[1].get(timeout=SECONDS_MAX).finish_reason == "length"
        assert engine.counters.cancelled == 1
        assert engine.cache_bytes == 0


async def test_a_request_for_which_there_is_no_memory_ends_alone(tmp_path: Path) -> None:
    """Method: the kernel gives the server 100 MiB more than it has, and a long prompt would need thrice as much."""
    make_llama(tmp_path / "long", 1, max_position_embeddings=65_536)
    with serve(tmp_path / "long") as process:
        await process.generate([1], seed=1, tokens=5, ignore_eos=True)
        process.limit_memory(100 * 2**20)
        short = asyncio.create_task(process.generate([1], seed=1, tokens=700, ignore_eos=True))
        while await process.metric("spar_serve_drawn_tokens_total") < 50:
            await asyncio.sleep(0.01)
        status, answer = await process.post("/generate", {"input_ids": [1] * 40_000, "sampling_params": {"max_new_tokens": 5}})
        assert (status, answer["error"]["code"]) == (500, "SERVE_FAILED")
        assert "no memory for the keys and values of 40000 tokens" in answer["error"]["message"]
        assert (await short)["meta_info"]["completion_tokens"] == 700
        assert await process.metric('spar_serve_requests_total{ending="failed"}') == 1


def test_tokens_that_the_tokenizer_cannot_say_end_their_request_alone(folder: Path) -> None:
    def broken(_: list[int]) -> str:
        raise ValueError("no such token")

    model = SOURCE.load(folder)
    gate = Gate(model)  # type: ignore[arg-type]
    with engine_of(model) as engine:
        others = [submit(engine, [1, 2], tokens=50, stops=("never",))[1]]
        assert gate.reached.wait(SECONDS_MAX)
        _, ends = submit(engine, [3, 4], decode=broken, stops=("never",))
        others.append(submit(engine, [5, 6], tokens=50, stops=("never",))[1])
        gate.open.set()
        assert ends.get(timeout=SECONDS_MAX).error == "its tokens are no text: ValueError: no such token"
        assert [other.get(timeout=SECONDS_MAX).finish_reason for other in others] == ["length", "length"]


async def test_weights_are_loaded_one_after_the_other_also_when_a_client_gives_up(folder: Path) -> None:
    loads: list[str] = []
    go_on = threading.Event()

    class Slow(ModelSource):
        def load(self, folder: str | Path) -> CausalModel:
            loads.append("begins")
            assert go_on.wait(SECONDS_MAX)
            model = super().load(folder)
            loads.append("ends")
            return model

    with engine_of(SOURCE.load(folder)) as engine:
        service = Service("m", folder, Slow(SOURCE.dtype, SOURCE.device), engine, Texts(make_tokenizer()), frozenset(), ServeLimits(), lambda: 1)
        gone = asyncio.create_task(service.update(str(folder), "v2"))
        while not loads:
            await asyncio.sleep(0.01)
        gone.cancel()
        second = asyncio.create_task(service.update(str(folder), "v3"))
        await asyncio.sleep(0.2)
        assert loads == ["begins"]
        go_on.set()
        assert await second == "v3"
        assert loads == ["begins", "ends"] * 2
        assert gone.cancelled()
        assert (engine.version, engine.counters.updates) == ("v3", 1)
