"""What the routes share: completions by the engine, new weights, and what is served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import fields
from .batch import CausalModel
from .engine import Engine
from .errors import ServeError
from .fields import Fields
from .limits import ServeLimits
from .load import ModelSource, check_same_shapes, refused
from .requests import Completion, Request
from .texts import Texts


@dataclass(frozen=True)
class Asked:
    """One completion as it was asked for. `parameters` hold the sampling; `stops` end it beside the model's own end."""

    prompt: list[int]
    max_tokens: int | None
    seed: int | None
    parameters: Fields


class Service:
    def __init__(self, name: str, folder: Path, source: ModelSource, engine: Engine, texts: Texts, end_tokens: frozenset[int], limits: ServeLimits, draw_seed: Callable[[], int]) -> None:
        self.name = name
        self.folder = folder
        self.engine = engine
        self.texts = texts
        self.limits = limits
        self._source = source
        self._end_tokens = end_tokens
        self._draw_seed = draw_seed
        self._updating = asyncio.Lock()

    def check_model(self, body: Fields) -> None:
        asked = fields.text(body, "model")
        if asked is not None and asked != self.name:
            raise ServeError("SERVE_MODEL", f'Cannot take the request: the model "{asked}" is not served here, "{self.name}" is')

    async def complete(self, asked: Asked) -> Completion:
        """Leaves the batch when the task is cancelled. Raises what `ServeError` says, SERVE_FAILED where the model failed."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Completion] = loop.create_future()

        def on_end(completion: Completion) -> None:
            loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(completion))

        request = self._request(asked, on_end)
        self.engine.submit(request)
        try:
            completion = await ended
        except asyncio.CancelledError:
            self.engine.cancel(request)
            raise
        if completion.error is not None:
            raise ServeError("SERVE_FAILED", f"Cannot finish the completion: {completion.error}")
        return completion

    def _request(self, asked: Asked, on_end: Callable[[Completion], None]) -> Request:
        parameters, limits = asked.parameters, self.limits
        stop_tokens = fields.token_list(parameters.get("stop_token_ids") or [], "stop_token_ids", self.engine.model.vocabulary)
        own = frozenset() if fields.flag(parameters, "ignore_eos") else self._end_tokens
        return Request(
            prompt=asked.prompt,
            max_tokens=self._room(len(asked.prompt), asked.max_tokens),
            sampling=fields.sampling(parameters, self._draw_seed() if asked.seed is None else asked.seed),
            end_tokens=own | frozenset(stop_tokens),
            stops=fields.stop_strings(parameters, limits.stops_max, limits.stop_characters_max),
            decode=self.texts.decode,
            on_end=on_end,
        )

    def _room(self, prompt: int, asked: int | None) -> int:
        """The words are vLLM's and OpenAI's: clients read what is left off them."""
        if prompt == 0:
            raise ServeError("SERVE_REQUEST", "Cannot take the request: the prompt has no tokens")
        most = self.engine.context_max
        wanted = most - prompt if asked is None else asked
        if prompt >= most or prompt + wanted > most:
            raise ServeError("SERVE_CONTEXT", f"This model's maximum context length is {most} tokens. However, you requested {prompt + max(1, wanted)} tokens ({prompt} in the prompt, {max(1, wanted)} in the completion). Shorten the prompt, or ask for less")
        return wanted

    def text_of(self, completion: Completion, skip_special_tokens: bool = True) -> str:
        text = self.texts.decode(completion.token_ids, skip_special_tokens)
        stop = completion.stop_string
        return text if stop is None or stop not in text else text[: text.index(stop)]

    async def update(self, folder: str, version: str | None) -> str:
        """Loads beside what serves, and puts it in between two steps. Gives the version, which is the folder's name where none is said. Raises SERVE_WEIGHTS, and the old weights go on."""
        path = Path(folder).resolve()
        name = version or path.name
        if len(name) > self.limits.versions_characters_max:
            raise refused(folder, f"its version has more than {self.limits.versions_characters_max} characters")
        async with self._updating:
            try:
                model = await self._load(path)
                check_same_shapes(folder, self.engine.model.shapes, model.shapes)
            except ServeError:
                self.engine.counters.updates_failed += 1
                raise
            await asyncio.wrap_future(self.engine.replace(model, name))
            self.folder = path
        return name

    async def _load(self, path: Path) -> CausalModel:
        """A thread cannot be ended: where the client gives up, the next load still waits for it, so that there is memory for one."""
        loading = asyncio.ensure_future(asyncio.to_thread(self._source.load, path))
        try:
            return await asyncio.shield(loading)
        except asyncio.CancelledError:
            await asyncio.wait([loading])
            raise
