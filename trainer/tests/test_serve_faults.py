"""Goal: what goes wrong for one request or one client costs nobody else an answer. Method: an engine with a tiny model in this process,
whose steps, clock and texts the test holds up or breaks, and a server whose memory is limited."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from spar_trainer.serve.batch import Piece
from spar_trainer.serve.engine import Engine
from spar_trainer.serve.errors import ServeError
from spar_trainer.serve.key_values import KeyValues
from spar_trainer.serve.limits import ServeLimits
from spar_trainer.serve.llama import LlamaModel
from spar_trainer.serve.load import ModelSource
from spar_trainer.serve.requests import Completion, Request
from spar_trainer.serve.sampling import Sampling

from .tiny_model import make_llama
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
