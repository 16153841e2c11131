"""Servers that are told of new weights: what each kind is asked, in which order, and that it goes on afterwards whatever happened.

What runs on a server is never aborted. A server that refuses the weights is not asked again; one that does not answer is, a few times,
and never for longer than `update_s_max`: training and the other servers wait for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from .errors import TrainerError

KINDS = ("spar", "sglang", "vllm")
REASON_CHARACTERS_MAX = 300
ANSWER_BYTES_MAX = 2**20
"""What is behind it is not read."""


@dataclass(frozen=True)
class ServerLimits:
    tries_max: int = 3
    """Of one server, for one version."""
    backoff_s: float = 0.5
    """Before the second try, doubled for each further one."""
    connect_s_max: float = 5.0
    update_s_max: float = 300.0
    """All that one server is asked for one version: every try, with its loading of the weights, and `resume_s_max`."""
    resume_s_max: float = 30.0
    """Kept of it for ending a pause, also of a server that did not answer in time."""
    control_s_max: float = 60.0
    """One question other than to load the weights."""


class Refused(Exception):
    """The server answers, and will not: it is not asked again."""


class Unwell(Exception):
    """No answer, or one that may be another the next time."""


@dataclass(frozen=True)
class WeightServer:
    """`kind`: spar (`spar-trainer serve`), sglang or vllm. `url`: without a path behind it."""

    kind: str
    url: str

    def __str__(self) -> str:
        return f"{self.kind}={self.url}"


def parse_server(text: str) -> WeightServer:
    """`sglang=http://gpu:30000`. Raises TrainerError CONFIG_WRONG_VALUE."""
    kind, _, url = text.partition("=")
    parts = urlsplit(url)
    if kind not in KINDS or parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise TrainerError("CONFIG_WRONG_VALUE", f"Server {text!r} has to be a kind ({', '.join(KINDS)}), '=' and an address, as sglang=http://gpu:30000; a key stands in the environment")
    return WeightServer(kind, url.rstrip("/").removesuffix("/v1"))


class ServerClient:
    """Asks servers over one session. `key` goes out as a bearer, where there is one."""

    def __init__(self, key: str | None, limits: ServerLimits, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._limits = limits
        self._sleep = sleep
        self._session = aiohttp.ClientSession(headers={} if key is None else {"Authorization": f"Bearer {key}"})

    async def close(self) -> None:
        await self._session.close()

    async def version(self, server: WeightServer) -> str | None:
        """What it serves now; None where it does not say, or does not answer."""
        if server.kind == "vllm":
            return None
        try:
            said = (await self._ask("GET", server, "/get_model_info", None, min(self._limits.control_s_max, self._limits.update_s_max / 2))).get("weight_version")
        except (Refused, Unwell):
            return None
        return said if isinstance(said, str) else None

    async def update(self, server: WeightServer, folder: Path, version: str, *, seconds: float, tries_max: int) -> None:
        """Returns when the server serves the weights. Raises Refused, or Unwell after `tries_max` or `seconds`."""
        put_in = {"spar": self._update_spar, "sglang": self._update_sglang, "vllm": self._update_vllm}[server.kind]
        try:
            await asyncio.wait_for(self._try(lambda: put_in(server, str(folder), version), tries_max), max(0.0, seconds - self._limits.resume_s_max))
        except asyncio.TimeoutError as error:
            raise Unwell(f"it did not take the weights within {seconds:.0f} s") from error

    async def _try(self, ask: Callable[[], Awaitable[object]], tries_max: int) -> None:
        for attempt in range(1, tries_max + 1):
            try:
                await ask()
                return
            except Unwell:
                if attempt == tries_max:
                    raise
                await self._sleep(self._limits.backoff_s * 2 ** (attempt - 1))

    async def _update_spar(self, server: WeightServer, folder: str, version: str) -> None:
        """It loads beside what runs, and takes the weights between two tokens."""
        await self._load_from_disk(server, {"model_path": folder, "weight_version": version})

    async def _update_sglang(self, server: WeightServer, folder: str, version: str) -> None:
        """Unpaused, SGLang would wait for all that runs. `retract` puts that back into the queue, whose keys and values are computed anew."""
        async with self._paused(server, ("/pause_generation", {"mode": "retract"}), ("/continue_generation", {})):
            await self._load_from_disk(server, {"model_path": folder, "weight_version": version, "abort_all_requests": False, "flush_cache": True})

    async def _update_vllm(self, server: WeightServer, folder: str, _: str) -> None:
        """vLLM's routes for weights from disk: those of its workers (VLLM_SERVER_DEV_MODE=1). It does not say which version it serves."""
        async with self._paused(server, ("/pause?mode=keep&clear_cache=true", None), ("/resume", None)):
            await self._ask("POST", server, "/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": folder}, "timeout": self._limits.update_s_max}, self._limits.update_s_max)
            await self._ask("POST", server, "/reset_prefix_cache", None, self._limits.control_s_max)

    async def _load_from_disk(self, server: WeightServer, body: dict[str, Any]) -> None:
        answer = await self._ask("POST", server, "/update_weights_from_disk", body, self._limits.update_s_max)
        if answer.get("success") is not True:
            raise Refused(f"it says {str(answer.get('message'))[:REASON_CHARACTERS_MAX]!r}")

    @asynccontextmanager
    async def _paused(self, server: WeightServer, pause: tuple[str, Any], resume: tuple[str, Any]) -> AsyncIterator[None]:
        """Also a pause whose answer was lost is ended."""
        is_cut = False
        try:
            await self._ask("POST", server, *pause, self._limits.control_s_max)
            yield
        except asyncio.CancelledError:
            is_cut = True
            raise
        finally:
            try:
                await self._resume(server, *resume)
            except (Refused, Unwell):
                # Where its time is over, that is what is said: another error would have it tried again.
                if not is_cut:
                    raise

    async def _resume(self, server: WeightServer, path: str, body: Any) -> None:
        try:
            tries = self._try(lambda: self._ask("POST", server, path, body, self._limits.control_s_max), self._limits.tries_max)
            await asyncio.wait_for(tries, self._limits.resume_s_max)
        except asyncio.TimeoutError as error:
            raise Unwell(f"{path} does not answer within {self._limits.resume_s_max:.0f} s") from error

    async def _ask(self, method: str, server: WeightServer, path: str, body: Any, seconds: float) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=seconds, connect=self._limits.connect_s_max)
        try:
            async with self._session.request(method, server.url + path, json=body, timeout=timeout) as answer:
                text = (await _read(answer.content)).decode("utf-8", "replace")
                if answer.status >= 500 or answer.status in (408, 425, 429):
                    raise Unwell(f"{path} answers with {answer.status}: {_quote(text)}")
                if answer.status >= 400:
                    hint = ". vLLM has the route with VLLM_SERVER_DEV_MODE=1" if answer.status == 404 and server.kind == "vllm" else ""
                    raise Refused(f"{path} answers with {answer.status}: {_quote(text)}{hint}")
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise Unwell(f"{path} does not answer: {type(error).__name__} {error}".strip()) from error
        return _object(text)


async def _read(content: aiohttp.StreamReader) -> bytes:
    """To the end: one read gives only what has arrived so far."""
    read = bytearray()
    while len(read) < ANSWER_BYTES_MAX and (part := await content.read(ANSWER_BYTES_MAX - len(read))):
        read += part
    return bytes(read)


def _object(text: str) -> dict[str, Any]:
    """{}: the answer is empty, or no object."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _quote(text: str) -> str:
    """What a server says in its error, in one line: OpenAI's form, SGLang's, or the text itself."""
    said = _object(text)
    error = said.get("error")
    message = error.get("message") if isinstance(error, dict) else error or said.get("message") or said.get("detail") or text
    return " ".join(str(message).split())[:REASON_CHARACTERS_MAX]
