"""The loop of reinforcement learning: samples in, steps, better policies out.

    take ─> read ─> group ─> advantages ─> filter ─> enough? ─> step ─> metrics ─> checkpoint ─> acknowledge ─> publish

1. A sample is acknowledged only when a checkpoint holds its effect, or that it was dropped and counted.
2. A sample that a checkpoint does not hold comes again, and the step that used it is made again, from the same weights.
3. The line of a step in the metrics is written before its checkpoint: a run that goes on cuts lines behind it, and lacks none.
4. Whatever a source gives, a bad sample is quarantined and counted, and the loop goes on.

The event loop keeps the source's connection alive; all that computes runs in one thread beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .config import TrainConfig
from .distributed import IDLE_SECONDS
from .errors import TrainerError
from .intake import Intake, StepSamples
from .learner import StepResult
from .metrics import MetricsLog, Phases, learned, mismatch, played
from .quarantine import Quarantine
from .session import Session, state_of
from .sources.types import SampleSource
from .steps import policy_portions

T = TypeVar("T")
QUARANTINE = "quarantine"


class Publisher(Protocol):
    """Who makes a version known to those that sample from it."""

    async def publish(self, version: str, save: Callable[[Path], None]) -> object:
        """`save` writes the policy into a folder: safetensors, configuration, tokenizer."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How training ended."""

    step: int
    ending: str
    """`done`, `over` (the source has no more), or `stopped` (by a signal)"""


def version_of(step: int) -> str:
    return f"step-{step}"


class TrainLoop:
    def __init__(
        self, config: TrainConfig, session: Session, source: SampleSource, metrics: MetricsLog, say: Callable[[str], None],
        publisher: Publisher | None = None, tell: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        """`tell` gets the metrics of each step."""
        self._config = config
        self._session = session
        self._source = source
        self._metrics = metrics
        self._say = say
        self._publisher = publisher
        self._tell = tell
        vocabulary = session.learner.policy.causal.config.get_text_config().vocab_size
        self._intake = Intake(source, config, vocabulary, Quarantine(Path(config.out) / QUARANTINE, config.quarantine_files_max), time.monotonic)
        self._intake.consumed.load(session.start.consumed)
        self._intake.drops.load(session.start.drops)
        self._intake.load_closed_groups(session.start.closed_groups)
        self._state = session.start
        self._checkpointed = session.start.step
        self._failures = 0
        self._skipped_in_a_row = 0
        self._phases = Phases()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="learner")
        self._is_stopping = False
        self._waiting_since = self._last_idle = time.monotonic()

    def stop(self) -> None:
        """The step that is being made is finished, a checkpoint written, and that was it."""
        self._is_stopping = True

    async def run(self) -> Outcome:
        """Raises TrainerError CHECKPOINT_… or TRAIN_NOT_FINITE, when there were too many in a row."""
        try:
            await self._publish()
            ending = await self._steps()
            if self._state.step != self._checkpointed or self._intake.consumed.waiting():
                await self._checkpoint(is_last=True)
            await self._compute(self._session.write_policy)
            return Outcome(self._state.step, ending)
        finally:
            self._thread.shutdown()

    async def _steps(self) -> str:
        while self._state.step < self._config.steps:
            self._waiting_since = time.monotonic()
            with self._phases.of("wait"):
                samples = await self._intake.next_step(self._state.step, self._on_wait)
            if samples is None or self._is_stopping:
                return "stopped" if self._is_stopping else "over"
            await self._step(samples)
        return "done"

    async def _step(self, samples: StepSamples) -> None:
        with self._phases.of("learn"):
            result = await self._compute(self._learn, samples)
        self._intake.done(samples)
        self._state = replace(
            self._state, step=self._state.step + 1, updates=self._session.learner.updates,
            skipped_steps=self._state.skipped_steps + (result.skipped is not None), tokens=self._state.tokens + result.tokens,
        )
        self._note_skipped(result)
        self._report(samples, result)
        if self._state.step % self._config.checkpoint_every == 0:
            await self._checkpoint()
        if self._state.step % self._config.publish_every == 0:
            await self._publish()

    def _learn(self, samples: StepSamples) -> StepResult:
        return self._session.step(policy_portions(samples.kept, self._config, self._session.packing, self._session.values))

    def _note_skipped(self, result: StepResult) -> None:
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if result.skipped is not None else 0
        if result.skipped is not None:
            self._say(f"Step {self._state.step} is not applied: {result.skipped}")
        if self._skipped_in_a_row >= self._config.skipped_steps_max:
            raise TrainerError(
                "TRAIN_NOT_FINITE",
                f"Cannot go on: {self._skipped_in_a_row} steps in a row had no finite loss and gradient (--skipped-steps-max); "
                "lower --learning-rate, or look at mismatch_kl in metrics.jsonl",
            )

    async def _on_wait(self) -> bool:
        """The source had nothing. Others are told that this goes on, and what was consumed is acknowledged: at once where the source
        gives no more before that."""
        now = time.monotonic()
        if now - self._last_idle > IDLE_SECONDS:
            self._last_idle = now
            await self._compute(self._session.idle)
        # One that could not be written is not tried at once again: the disk would have no time to become free.
        is_full = getattr(self._source, "is_full", False) and self._failures == 0
        if (is_full or now - self._waiting_since > self._config.idle_checkpoint) and self._intake.consumed.waiting():
            self._waiting_since = now
            await self._checkpoint()
        return not self._is_stopping

    async def _checkpoint(self, is_last: bool = False) -> None:
        ids = self._intake.consumed.waiting()
        self._state = replace(
            state_of(self._config, step=self._state.step, updates=self._state.updates), consumed=self._intake.consumed.ids(),
            drops=self._intake.drops.state(), closed_groups=self._intake.closed_groups(), skipped_steps=self._state.skipped_steps, tokens=self._state.tokens,
        )
        try:
            with self._phases.of("checkpoint"):
                await self._compute(self._session.write_checkpoint, self._state)
        except TrainerError as error:
            self._failures += 1
            self._say(f"{error} [{error.code}], {self._failures} in a row")
            if is_last or self._failures >= self._config.checkpoint_failures_max:
                raise
            return
        self._failures = 0
        self._checkpointed = self._state.step
        await self._source.acknowledge(ids)
        self._intake.consumed.acknowledge(ids)

    async def _publish(self) -> None:
        """A version that cannot be published costs that version: the next one takes its place."""
        if self._publisher is None:
            return
        version = version_of(self._state.step)
        try:
            with self._phases.of("publish"):
                save = await self._compute(self._session.saver)
                await self._meanwhile_idle(self._publisher.publish(version, save))
        except Exception as error:
            self._say(f"Cannot publish {version}: {error}; the next version takes its place")

    async def _meanwhile_idle(self, work: Coroutine[Any, Any, object]) -> None:
        """Other ranks would take a rank that waits for servers to be lost."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=IDLE_SECONDS))[0]:
                self._last_idle = time.monotonic()
                await self._compute(self._session.idle)
            await task
        finally:
            task.cancel()

    def _report(self, samples: StepSamples, result: StepResult) -> None:
        """Seconds are those since the line before: checkpoint and publishing are of the step before."""
        seconds = self._phases.take()
        line = {
            "step": self._state.step, "at": int(time.time() * 1000), **learned(result, seconds), **played(self._intake.take_figures(), self._intake.drops),
            **mismatch(result.mismatch), "samples": len(samples.kept), "groups": samples.groups, "groups_waiting": self._intake.waiting_groups,
            "skipped_steps": self._state.skipped_steps, "checkpoint_failures": self._failures, "trained_tokens": self._state.tokens,
        }
        self._tell(self._metrics.write(line))

    async def _compute(self, work: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*given))
