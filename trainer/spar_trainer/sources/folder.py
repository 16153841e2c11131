"""The samples of a run folder of `spar play`, finished or growing: `samples.jsonl` and `trajectories/*.msgpack`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from .types import RawSample


class FolderSource:
    """Gives every sample once, but those in `known` (what a checkpoint has consumed) not at all."""

    def __init__(self, path: Path | str, *, known: Iterable[str] = (), poll_s: float = 0.2) -> None: ...

    async def take(self, most: int, wait_s: float) -> list[RawSample]: raise NotImplementedError

    async def acknowledge(self, ids: Sequence[str]) -> None: ...

    @property
    def is_over(self) -> bool: raise NotImplementedError

    async def close(self) -> None: ...
