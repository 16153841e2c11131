"""`spar-trainer serve`: serves a folder of Hugging Face's form until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from aiohttp import web

from ..api_key import api_key
from .engine import Engine
from .errors import ServeError
from .limits import ServeLimits
from .load import DTYPES, ModelSource, end_tokens, load_tokenizer, read_config, refused
from .server import create_app
from .service import Service
from .texts import Texts

ANSWERS_SECONDS_MAX = 5.0
"""For the last answers to be written."""


@dataclass(frozen=True)
class Options:
    model: Path
    name: str
    version: str
    host: str
    port: int
    threads: int
    source: ModelSource
    limits: ServeLimits
    json: bool
    key: str | None


def main(argv: Sequence[str]) -> int:
    """0: it was told to end. 1: the model cannot be served, or the port is taken. 2: an option is wrong."""
    try:
        options = _options(argv)
    except ValueError as error:
        print(f"spar-trainer serve: {error}; see spar-trainer serve --help", file=sys.stderr)
        return 2
    try:
        return asyncio.run(_serve(options))
    except ServeError as error:
        print(f"spar-trainer serve: {error} [{error.code}]", file=sys.stderr)
    except OSError as error:
        print(f"spar-trainer serve: Cannot listen at {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
    return 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _options(argv: Sequence[str]) -> Options:
    parser = _Parser(prog="spar-trainer serve", description="A small inference server with token ids, logprobs and new weights while it serves.")
    limits = ServeLimits()
    parser.add_argument("--model", type=Path, required=True, help="folder with config.json, model.safetensors and a tokenizer")
    parser.add_argument("--name", help="name that it is served under (the folder's)")
    parser.add_argument("--weight-version", help="version of the weights at the start (the folder's name)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free, printed")
    parser.add_argument("--max-batch", type=int, default=limits.batch_max, help="requests that run at a time")
    parser.add_argument("--max-context", type=int, help="tokens of prompt and completion (what the model was made for)")
    parser.add_argument("--queue-max", type=int, default=limits.queue_max, help="requests that wait; above it 429")
    parser.add_argument("--cache-mb", type=int, default=limits.cache_bytes_max // 2**20, help="keys and values of finished turns")
    parser.add_argument("--drain-seconds", type=float, default=limits.drain_seconds_max, help="for what runs, after SIGTERM")
    parser.add_argument("--pause-seconds-max", type=float, default=limits.pause_seconds_max, help="after which a pause ends by itself")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch, on a processor")
    parser.add_argument("--dtype", choices=list(DTYPES), help="float32 on a processor, bfloat16 on a GPU")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--forward", choices=["auto", "transformers"], default="auto", help="transformers: never the lean forward")
    parser.add_argument("--json", action="store_true", help="one line of JSON with the URL when it serves")
    given = parser.parse_args(argv)
    for name in ("max_batch", "threads", "queue_max"):
        if getattr(given, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(given, name)} has to be at least 1")
    if given.max_context is not None and given.max_context < 2:
        raise ValueError(f"--max-context {given.max_context} has to be at least 2")
    for name in ("cache_mb", "drain_seconds", "pause_seconds_max"):
        if getattr(given, name) < 0:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(given, name)} has to be at least 0")
    folder = given.model.resolve()
    device = _device(given.device)
    return Options(
        model=folder,
        name=given.name or folder.name,
        version=given.weight_version or folder.name,
        host=given.host,
        port=given.port,
        threads=given.threads,
        source=ModelSource(DTYPES[given.dtype or ("float32" if device.type == "cpu" else "bfloat16")], device, lean=given.forward == "auto"),
        limits=ServeLimits(batch_max=given.max_batch, context_max=given.max_context, queue_max=given.queue_max, cache_bytes_max=given.cache_mb * 2**20,
                           drain_seconds_max=given.drain_seconds, pause_seconds_max=given.pause_seconds_max),
        json=given.json,
        key=api_key(),
    )  # fmt: skip


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f'--device "{name}" is none of auto, cpu, cuda, cuda:0') from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f'--device "{name}": PyTorch finds no GPU')
    return device


def _open(options: Options) -> Service:
    torch.set_num_threads(options.threads)
    made_for = getattr(read_config(options.model), "max_position_embeddings", None)
    context = options.limits.context_max or made_for
    if context is None:
        raise refused(options.model, "its config does not say how long a context may be. Say --max-context")
    if made_for is not None and context > made_for:
        raise refused(options.model, f"--max-context {context} is more than the {made_for} tokens that the model was made for")
    tokenizer = load_tokenizer(options.model)
    engine = Engine(options.source.load(options.model), options.version, context, options.limits)
    return Service(options.name, options.model, options.source, engine, Texts(tokenizer), end_tokens(options.model, tokenizer), options.limits, lambda: secrets.randbits(63))


async def _serve(options: Options) -> int:
    service = _open(options)
    runner = web.AppRunner(create_app(service, options.key), handler_cancellation=True, access_log=None, shutdown_timeout=ANSWERS_SECONDS_MAX)
    try:
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port).start()
        _announce(options, service, runner.addresses[0][1])
        await _until_told()
        await asyncio.to_thread(service.engine.drain)
    finally:
        await asyncio.to_thread(service.engine.close)
        await runner.cleanup()
    return 0


def _announce(options: Options, service: Service, port: int) -> None:
    host = f"[{options.host}]" if ":" in options.host else options.host
    said = {"url": f"http://{host}:{port}", "model": options.name, "weight_version": options.version, "max_model_len": service.engine.context_max, "forward": type(service.engine.model).__name__}
    print(json.dumps(said) if options.json else f"{options.name} ({options.version}) is served at {said['url']}", flush=True)


async def _until_told() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, told.set)
    await told.wait()
