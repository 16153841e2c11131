"""The supervised warm start: cross-entropy on what was drawn in recorded rollouts, or said by the assistant in conversations.

The order of the samples follows from the seed and the pass alone, so a run goes on after a checkpoint by its step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .batch import TrainSegment
from .chat import read_chat
from .config import SftConfig
from .errors import TrainerError
from .metrics import MetricsLog, Phases, learned
from .model_files import load_tokenizer
from .records import RecordLimits, Refusal, Sample, read_sample
from .session import Session, state_of
from .sources.folder import FolderSource
from .steps import clone_portions, segments_of

Cloned = list[TrainSegment]
TAKE_MOST = 256


def read_all(config: SftConfig, vocabulary: int, say: Callable[[str], None]) -> list[Cloned]:
    """The segments of every sample, in the order of the sources. Raises TrainerError SFT_NOTHING, SFT_CHAT or FOLDER_NO_RUN."""
    found: list[Cloned] = []
    for name in config.source:
        before = len(found)
        if name.endswith(".jsonl"):
            tokenizer = load_tokenizer(config.model)
            found += [[segment] for segment in read_chat(Path(name), tokenizer)]
        else:
            found += [segments for sample in rollouts(Path(name), vocabulary, say) if (segments := wanted(sample, config))]
        say(f"{len(found) - before} samples of {name}")
    short = [segments for segments in found if all(len(segment.token_ids) <= config.max_context for segment in segments)]
    if len(short) < len(found):
        say(f"{len(found) - len(short)} samples are left out: they have more than {config.max_context} tokens (--max-context)")
    if not short:
        raise TrainerError("SFT_NOTHING", f"There is nothing to clone in {', '.join(config.source)}: no rollout has tokens and is {config.only} (--only), of --roles {config.roles}")
    return short


def rollouts(folder: Path, vocabulary: int, say: Callable[[str], None]) -> Iterator[Sample]:
    for raw in asyncio.run(all_of(folder)):
        read = read_sample(raw, RecordLimits(vocabulary=vocabulary))
        if isinstance(read, Refusal):
            say(f"{read.reason} [{read.code}]")
        else:
            yield read


async def all_of(folder: Path) -> list[Any]:
    source = FolderSource(folder, follow=False)
    taken: list[Any] = []
    while more := await source.take(TAKE_MOST, 0.0):
        taken += more
    await source.close()
    return taken


def wanted(sample: Sample, config: SftConfig) -> Cloned:
    """Sampled tokens are enough: logprobs of a sampler are not needed. Good: a solved attempt, or a bug that is valid."""
    good = sample.solved is True if sample.role == "solver" else sample.reward_components.get("valid", 0) > 0
    if config.roles not in ("both", sample.role) or (config.only == "good" and not good):
        return []
    return segments_of(sample, 1.0, 1.0)


def batches(count: int, config: SftConfig) -> Iterator[list[int]]:
    """Indices of each step: every sample once a pass, in an order of its own; the last step of a pass may be smaller."""
    for number in range(config.passes):
        order = np.random.default_rng([config.seed, number]).permutation(count)
        for at in range(0, count, config.samples_per_step):
            yield [int(index) for index in order[at : at + config.samples_per_step]]


def clone(
    config: SftConfig, session: Session, samples: list[Cloned], metrics: MetricsLog, say: Callable[[str], None],
    tell: Callable[[dict[str, Any]], None] = lambda _: None, is_stopping: Callable[[], bool] = lambda: False,
) -> int:
    """The step that it came to. Raises TrainerError CHECKPOINT_… or TRAIN_NOT_FINITE."""
    state, failures, skipped_in_a_row = session.start, 0, 0
    steps = list(batches(len(samples), config))
    phases = Phases()
    for indices in steps[state.step :]:
        with phases.of("learn"):
            result = session.step(clone_portions([samples[index] for index in indices], session.packing))
        skipped = result.skipped is not None
        skipped_in_a_row = skipped_in_a_row + 1 if skipped else 0
        state = replace(
            state_of(config, step=state.step + 1, updates=session.learner.updates),
            skipped_steps=state.skipped_steps + skipped, tokens=state.tokens + result.tokens,
        )
        if skipped:
            say(f"Step {state.step} is not applied: {result.skipped}")
        if skipped_in_a_row >= config.skipped_steps_max:
            raise TrainerError("TRAIN_NOT_FINITE", f"Cannot go on: {skipped_in_a_row} steps in a row had no finite loss and gradient (--skipped-steps-max); lower --learning-rate")
        tell(metrics.write({"step": state.step, "at": int(time.time() * 1000), **learned(result, phases.take()), "samples": len(indices)}))
        is_last = state.step == len(steps) or is_stopping()
        if state.step % config.checkpoint_every == 0 or is_last:
            with phases.of("checkpoint"):
                failures = checkpoint(session, state, failures, say, is_last)
        if is_last:
            break
    session.write_policy()
    return state.step


def checkpoint(session: Session, state: Any, failures: int, say: Callable[[str], None], is_last: bool) -> int:
    """Failures in a row."""
    try:
        session.write_checkpoint(state)
        return 0
    except TrainerError as error:
        say(f"{error} [{error.code}], {failures + 1} in a row")
        if is_last or failures + 1 >= session.config.checkpoint_failures_max:
            raise
        return failures + 1
