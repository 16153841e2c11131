"""Which samples are left out, and the count of them: by cause, role and length."""

from __future__ import annotations

from dataclasses import dataclass

from .records import Sample


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
    """Tokens of the longest segment; None: no limit."""


def version_step(version: str) -> int | None:
    """The step of `step-<n>`, or None: no version of a trainer."""
    raise NotImplementedError


def oldest_step(sample: Sample) -> int | None:
    """The step of the oldest version that drew one of its tokens; None when any version is unknown or there are none."""
    raise NotImplementedError


def drop_cause(sample: Sample, step: int, options: FilterOptions = FilterOptions()) -> str | None:
    """The first that holds of `no_reward`, `untrainable`, `unknown_version`, `stale`, `too_long`, `gibberish`; or None: keep.

    Ask after the advantages of the group are taken: what is dropped has moved the mean. `zero_advantage` is asked by
    `is_zero_advantage`.
    """
    raise NotImplementedError


def is_zero_advantage(advantage: float) -> bool:
    raise NotImplementedError


class DropCounter:
    """Dropped samples by (cause, role, length bucket)."""

    def add(self, cause: str, role: str | None, sampled: int) -> None: raise NotImplementedError

    def by_cause(self) -> dict[str, int]: raise NotImplementedError

    def rows(self) -> list[tuple[str, str, str, int]]:
        """(cause, role, bucket, count), sorted."""
        raise NotImplementedError

    def state(self) -> dict[str, int]:
        """For a checkpoint; JSON-shaped."""
        raise NotImplementedError

    def load(self, state: dict[str, int]) -> None: raise NotImplementedError
