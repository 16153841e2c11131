"""A settled rollout as the trainer reads it: the line of `samples.jsonl` and the record of its tokens become one `Sample`.

What is wrong with one is told by a `Refusal` with a stable code, never by an exception: nothing that lies in a stream may stop
a trainer. The fields are those of docs/records.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .sources.types import RawSample

ROLES = ("breaker", "solver")


@dataclass(frozen=True)
class RecordLimits:
    """What a record may hold at most."""

    record_bytes_max: int = 1024 * 2**20
    segments_max: int = 4_096
    segment_tokens_max: int = 4 * 2**20
    rollout_tokens_max: int = 16 * 2**20
    version_runs_max: int = 65_536
    text_characters_max: int = 1_024
    """Of an id, a version, or a reason; what is longer is refused."""
    vocabulary: int = 2**31 - 1
    """Token ids are below it: say the model's."""


RECORD_LIMITS = RecordLimits()


@dataclass(frozen=True)
class Segment:
    """A token run of a rollout: each token follows from all before it in the same segment."""

    token_ids: np.ndarray
    """int32 [n]"""
    mask: np.ndarray
    """uint8 [n]: 1 for a token that the policy drew. The first is never one: it has nothing to be predicted from."""
    logprobs: np.ndarray | None
    """float32 [n]: of the sampler, 0 where the mask is 0. None only where the sample is untrainable."""
    versions: tuple[tuple[str, int], ...]
    """Runs (version, tokens), together n tokens: the weights behind them."""
    break_reason: str | None

    @property
    def sampled(self) -> int:
        return int(self.mask.sum())


@dataclass(frozen=True)
class Sample:
    id: str
    run: str
    episode: str
    arena: str
    role: str
    """`breaker` or `solver`"""
    group_id: str
    """`<run>/<role>/<group>`: unique among all runs."""
    group_size: int | None
    """How many members the group was planned with; None in lines from before the field was there."""
    member_index: int
    order: int
    outcome: str
    reward: float | None
    """None: infrastructure took it, it was not graded, or had too few scored attempts."""
    solved: bool | None
    reward_components: dict[str, float]
    version_start: str
    version_end: str
    started_at: float
    """Milliseconds since 1970; 0 where there is no record."""
    ended_at: float
    segments: tuple[Segment, ...]
    untrainable: str | None
    """Why nothing can be trained on this, or None. Its reward still moves the mean of its group."""
    sampled: int = field(default=0)
    """Tokens that the policy drew, of all segments."""

    @property
    def tokens(self) -> int:
        """All tokens of all segments."""
        return sum(len(segment.token_ids) for segment in self.segments)


@dataclass(frozen=True)
class Refusal:
    """A sample that cannot be used. What is known of its place lets its group be completed without it."""

    id: str
    code: str
    reason: str
    role: str | None = None
    group_id: str | None = None
    group_size: int | None = None
    member_index: int | None = None


def read_sample(raw: RawSample, limits: RecordLimits = RECORD_LIMITS) -> Sample | Refusal:
    """The codes are those of `CODES`. Never raises.

    A rollout that infrastructure took has no record and no reward, and is a `Sample` without segments whose `untrainable` says so.
    """
    raise NotImplementedError
