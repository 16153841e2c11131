"""`train` and `sft` from options to an exit code: what is opened here is closed here, whatever happens in between."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .config import ModelConfig, SftConfig, TrainConfig
from .errors import TrainerError
from .learner import Objective
from .metrics import MetricsLog
from .session import Say, Session, hold, open_session
from .several import SeveralSources
from .sft import clone, read_all
from .sources.folder import FolderSource
from .sources.types import SampleSource
from .steps import objective_of
from .train import TrainLoop

Tell = Callable[[dict[str, Any]], None]
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
    source = await open_source(config, session.start.consumed)
    publisher = await open_publisher(config)
    metrics = MetricsLog(Path(config.out), session.start.step)
    loop = TrainLoop(config, session, source, metrics, say, publisher, tell)
    try:
        with signals(loop.stop):
            outcome = await loop.run()
    finally:
        metrics.close()
        await source.close()
        if publisher is not None:
            await publisher.close()
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
    if config.source == ("nats",) and not config.run:
        raise TrainerError("CONFIG_MISSING_OPTION", "Option --run is missing: of source nats, the run whose samples are taken")
    if config.group_members_min > config.group_size:
        raise TrainerError("CONFIG_WRONG_VALUE", f"Option --group-members-min cannot be {config.group_members_min}: it is at most --group-size, {config.group_size}")


async def open_source(config: TrainConfig, consumed: Sequence[str]) -> SampleSource:
    if config.source != ("nats",):
        return SeveralSources([FolderSource(folder, known=consumed) for folder in config.source])
    from .nats_options import NatsOptions
    from .sources.stream import StreamSource

    connection = await NatsOptions((config.nats,)).connect(f"spar-trainer train {config.run}")
    return await StreamSource.open(connection, trainer="trainer", runs=[config.run], known=frozenset(consumed))


async def open_publisher(config: TrainConfig) -> Any:
    """None: nothing is published."""
    if not config.publish:
        return None
    from .publish import open_publisher as open_one

    return await open_one(config)
