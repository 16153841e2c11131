"""Which samples are left out of the loss, and the count of them: by cause, role and length."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from .records import Sample, Segment

_VERSION = re.compile(r"step-(0|[1-9][0-9]{0,14})", re.ASCII)
LENGTH_BUCKETS = (0, 256, 1_024, 4_096, 16_384, 65_536)
"""Upper ends of the length buckets, in sampled tokens; what is longer is in a last one."""


@dataclass(frozen=True)
class FilterOptions:
    max_age_solver: int = 8
    max_age_breaker: int = 24
    """Policy steps. A breaker's sample settles after its solvers, so it may be older."""
    vocabulary: int | None = None
    """Entries of the model's vocabulary; None: nothing is called gibberish."""
    gibberish_token_id: int = 100_000
    gibberish_margin: float = 2.0
    """A sampled token with an id above `gibberish_token_id` and a logprob below −ln(vocabulary) − margin is gibberish."""
    segment_tokens_max: int | None = None
    """Tokens of the longest segment that is trained on; None: no limit."""


def version_step(version: str) -> int | None:
    """The step of `step-<n>`; None: no version of a trainer."""
    match = _VERSION.fullmatch(version)
    return int(match[1]) if match else None


def _sampling_versions(segment: Segment) -> set[str]:
    """The versions behind its sampled tokens: what a version was only told does not age it."""
    found, at = set(), 0
    for version, length in segment.versions:
        if segment.mask[at : at + length].any():
            found.add(version)
        at += length
    return found


def oldest_step(sample: Sample) -> int | None:
    """The step of the oldest version that drew one of its tokens; None when one of them is unknown, or none was drawn."""
    steps = [version_step(version) for segment in sample.segments for version in _sampling_versions(segment)]
    return min(steps, default=None) if None not in steps else None


def drop_cause(sample: Sample, step: int, options: FilterOptions = FilterOptions()) -> str | None:
    """The first that holds of `no_reward`, `untrainable`, `unknown_version`, `stale`, `too_long`, `gibberish`; None: it is trained on.

    `step` is that of the weights to be trained. Ask after the group's advantages were taken: what is dropped here was played all the
    same, and has moved the mean. A version from beyond `step` is none of this trainer's, and unknown.
    """
    if sample.reward is None:
        return "no_reward"
    if sample.untrainable is not None:
        return "untrainable"
    oldest = oldest_step(sample)
    if oldest is None or _newest_step(sample) > step:
        return "unknown_version"
    if step - oldest > (options.max_age_breaker if sample.role == "breaker" else options.max_age_solver):
        return "stale"
    if options.segment_tokens_max is not None and max(len(segment.token_ids) for segment in sample.segments) > options.segment_tokens_max:
        return "too_long"
    return "gibberish" if any(_is_gibberish(segment, options) for segment in sample.segments) else None


def _newest_step(sample: Sample) -> int:
    return max(version_step(version) or 0 for segment in sample.segments for version in _sampling_versions(segment))


def _is_gibberish(segment: Segment, options: FilterOptions) -> bool:
    """SSR's rule, as restated from CWM: a rare token that its own sampler held for less likely than chance by e^−margin."""
    if options.vocabulary is None or segment.logprobs is None:
        return False
    floor = -math.log(options.vocabulary) - options.gibberish_margin
    return bool(np.any((segment.mask == 1) & (segment.token_ids > options.gibberish_token_id) & (segment.logprobs < floor)))


def is_zero_advantage(advantage: float, tolerance: float = 1e-9) -> bool:
    """Such a sample has no gradient. Means of equal rewards may differ from them by rounding: hence the tolerance."""
    return abs(advantage) <= tolerance


def length_bucket(sampled: int) -> str:
    for index, end in enumerate(LENGTH_BUCKETS):
        if sampled <= end:
            return str(end) if index == 0 else f"{LENGTH_BUCKETS[index - 1] + 1}-{end}"
    return f"{LENGTH_BUCKETS[-1] + 1}+"


class DropCounter:
    """Dropped samples by (cause, role, length bucket). Causes are a closed set, so this stays small."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}

    def add(self, cause: str, role: str | None, sampled: int) -> None:
        """`role` None: it is not known."""
        key = (cause, role or "unknown", length_bucket(sampled))
        self._counts[key] = self._counts.get(key, 0) + 1

    def by_cause(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for (cause, _, _), count in sorted(self._counts.items()):
            total[cause] = total.get(cause, 0) + count
        return total

    def rows(self) -> list[tuple[str, str, str, int]]:
        """(cause, role, length bucket, count), sorted."""
        return sorted((*key, count) for key, count in self._counts.items())

    def state(self) -> list[list[str | int]]:
        """For a checkpoint: `rows` as JSON has them."""
        return [list(row) for row in self.rows()]

    def load(self, state: list[list[str | int]]) -> None:
        self._counts = {(str(cause), str(role), str(bucket)): int(count) for cause, role, bucket, count in state}
