"""What a source of samples is.

A source delivers at least once. It keeps what it delivered until it is acknowledged, which the trainer does when a checkpoint
holds the sample's effect; what was not acknowledged comes again after a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class RawSample:
    """A settled rollout as it was kept, not yet looked into.

    `id` is `<run>.<rollout>`, unique among all samples. `settled` is a line of `samples.jsonl` (docs/records.md). `record` is the
    MessagePack of the trajectory, or None where there is none. `fault` is None where that is as it should be (infrastructure took
    the rollout); else it says what is wrong with the sample, and `settled` holds what could be read of it, {} for nothing.
    """

    id: str
    settled: dict[str, Any]
    record: bytes | None
    fault: str | None = None


class SampleSource(Protocol):
    async def take(self, most: int, wait_s: float) -> list[RawSample]:
        """Up to `most` samples, in the order of their settling; waits `wait_s` for the first, and returns [] when there is none."""
        ...

    async def acknowledge(self, ids: Sequence[str]) -> None:
        """These samples need not come again: a checkpoint holds their effect, or they were dropped and counted."""
        ...

    @property
    def is_over(self) -> bool:
        """True when no further sample will come: a folder that was read to its end. A stream is never over."""
        ...

    async def close(self) -> None: ...
