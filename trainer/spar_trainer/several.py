"""Several sources one after the other: the next is asked when the one before it has nothing now."""

from __future__ import annotations

from collections.abc import Sequence

from .sources.types import RawSample, SampleSource


class SeveralSources:
    def __init__(self, sources: Sequence[SampleSource]) -> None:
        self._sources = sources

    async def take(self, most: int, wait_s: float) -> list[RawSample]:
        open_ones = [source for source in self._sources if not source.is_over]
        found: list[RawSample] = []
        for source in open_ones:
            found += await source.take(most - len(found), 0.0 if found else wait_s / len(open_ones))
            if len(found) >= most:
                break
        return found

    async def acknowledge(self, ids: Sequence[str]) -> None:
        for source in self._sources:
            await source.acknowledge(ids)

    @property
    def is_over(self) -> bool:
        return all(source.is_over for source in self._sources)

    async def close(self) -> None:
        for source in self._sources:
            await source.close()
