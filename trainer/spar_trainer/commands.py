"""`train` and `sft` from options to an exit code: what is opened here is closed here, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
import signal
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from .api_key import api_key
from .config import ModelConfig, SftConfig, TrainConfig
from .errors import TrainerError
from .learner import Objective
from .metrics import MetricsLog
from .nats_options import NatsOptions
from .session import Say, Session, hold, open_session
from .several import SeveralSources
from .sft import clone, read_all
from .sources.folder import FolderSource
from .sources.types import SampleSource
from .steps import objective_of
from .train import Publisher, TrainLoop

Tell = Callable[[dict[str, Any]], None]
POLICIES = "policies"
"""Folder of the published versions."""
NATS_OPTIONS = ("nats", "nats_prefix", "nats_creds", "nats_nkey", "nats_user", "nats_ca", "nats_cert", "nats_key")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def opened(config: ModelConfig, objective: Objective, say: Say, *, value_head: bool = False) -> Iterator[Session]:
    """The session, with the run's folder held. Other ranks are stopped where this one ended in order or with an error of its own;
    in any other case they may be anywhere, and torchrun ends them."""
    lock = hold(config)
    session = open_session(config, objective, say, value_head=value_head)
    try:
        yield session
    except TrainerError:
        session.close()
        raise
    else:
        session.close()
    finally:
        if lock is not None:
            lock.close()


@contextmanager
def signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops in order, a second one at once."""
    def handle(number: int, _: object) -> None:
        signal.signal(number, signal.default_int_handler)
        stop()

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_train(config: TrainConfig, say: Say, tell: Tell) -> int:
    check(config)
    with opened(config, objective_of(config), say, value_head=config.algorithm == "ppo") as session:
        if not session.ranks.leads:
            with signals(lambda: None):
                session.follow()
            return 0
        return asyncio.run(lead(config, session, say, tell))


async def lead(config: TrainConfig, session: Session, say: Say, tell: Tell) -> int:
    async with opened_source(config, session.start.consumed) as source, opened_publisher(config, say) as publisher:
        metrics = MetricsLog(Path(config.out), session.start.step)
        loop = TrainLoop(config, session, source, metrics, say, publisher, tell)
        try:
            with signals(loop.stop):
                outcome = await loop.run()
        finally:
            metrics.close()
    said = {"done": "all steps are done", "over": "the source has no more samples", "stopped": "stopped by a signal"}
    say(f"{said[outcome.ending]}; step {outcome.step} is in {config.out}/policy")
    return 0


def run_sft(config: SftConfig, say: Say, tell: Tell) -> int:
    stopping = False

    def stop() -> None:
        nonlocal stopping
        stopping = True

    with opened(config, Objective(kind="clone"), say) as session, signals(stop):
        if not session.ranks.leads:
            session.follow()
            return 0
        vocabulary = session.learner.policy.causal.config.get_text_config().vocab_size
        samples = read_all(config, vocabulary, say)
        metrics = MetricsLog(Path(config.out), session.start.step)
        try:
            step = clone(config, session, samples, metrics, say, tell, lambda: stopping)
        finally:
            metrics.close()
        say(f"step {step} is in {config.out}/policy")
    return 0


def check(config: TrainConfig) -> None:
    """Options that do not go together."""
    if "nats" in config.source and len(config.source) > 1:
        raise TrainerError("CONFIG_WRONG_VALUE", "Option --source cannot be nats and folders: it is one of them")
    if config.group_members_min > config.group_size:
        raise TrainerError("CONFIG_WRONG_VALUE", f"Option --group-members-min cannot be {config.group_members_min}: it is at most --group-size, {config.group_size}")


def bus_options(config: TrainConfig) -> NatsOptions:
    return NatsOptions.from_arguments(Namespace(**{name: getattr(config, name) or None for name in NATS_OPTIONS}), os.environ)


def open_folders(folders: Sequence[str], consumed: Sequence[str]) -> list[FolderSource]:
    """Raises TrainerError FOLDER_SAME_RUN: of samples with one id all but the first would be left out."""
    sources: dict[str, FolderSource] = {}
    for folder in folders:
        source = FolderSource(folder, known=consumed)
        if source.run in sources:
            raise TrainerError("FOLDER_SAME_RUN", f'Cannot read the run folder "{folder}": its run {source.run!r} is that of another folder of --source, so their samples have the same ids. Leave one out, or play into a folder of another name (spar play --out)')
        sources[source.run] = source
    return list(sources.values())


@asynccontextmanager
async def opened_source(config: TrainConfig, consumed: Sequence[str]) -> AsyncIterator[SampleSource]:
    async with AsyncExitStack() as stack:
        if config.source == ("nats",):
            from .sources.stream import StreamSource

            options = bus_options(config)
            connection = await options.connect("spar-trainer samples")
            stack.push_async_callback(connection.close)
            source = await StreamSource.open(connection, options.prefix, trainer=config.trainer, runs=config.runs or None, known=frozenset(consumed))
        else:
            source = SeveralSources(open_folders(config.source, consumed))
        try:
            yield source
        finally:
            await source.close()


@asynccontextmanager
async def opened_publisher(config: TrainConfig, say: Say) -> AsyncIterator[Publisher | None]:
    """None: nobody is to be told of new versions."""
    if not config.publish and not config.servers:
        yield None
        return
    from .publish import Publisher as VersionPublisher
    from .publish import announcing
    from .weight_servers import parse_server

    async with AsyncExitStack() as stack:
        announce = await stack.enter_async_context(announcing(bus_options(config))) if config.publish else None
        publisher = VersionPublisher(
            Path(config.out) / POLICIES, config.publish, [parse_server(server) for server in config.servers], announce,
            kept=config.versions_kept, key=api_key(), say=say,
        )
        try:
            yield publisher
        finally:
            await publisher.close()
