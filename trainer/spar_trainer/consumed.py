"""Which samples have had their effect: trained on, or dropped and counted.

A source gives again what was not acknowledged, so these ids keep a sample from being used twice. They are acknowledged only when a
checkpoint holds them. After that a stream does not give them again, but for those whose acknowledgement was lost: a crash between the
checkpoint and it (all ids of that checkpoint), or of a server that had not written it to its disk (the last ones). `keep` is therefore
a bounded number of the last acknowledged ids. A folder keeps no acknowledgements: there `keep` is None, and all ids stay, 30 bytes each.
"""

from __future__ import annotations

from collections.abc import Iterable


class Consumed:
    def __init__(self, keep: int | None) -> None:
        self._keep = keep
        self._acknowledged: dict[str, None] = {}
        """In the order of their use."""
        self._waiting: dict[str, None] = {}

    def add(self, ids: Iterable[str]) -> None:
        self._waiting.update(dict.fromkeys(ids))

    def __contains__(self, id: str) -> bool:
        return id in self._acknowledged or id in self._waiting

    def is_acknowledged(self, id: str) -> bool:
        return id in self._acknowledged

    def waiting(self) -> list[str]:
        """What a checkpoint has to hold before it is acknowledged."""
        return list(self._waiting)

    def acknowledge(self, ids: Iterable[str]) -> None:
        for id in ids:
            self._waiting.pop(id, None)
            self._acknowledged[id] = None
        while self._keep is not None and len(self._acknowledged) > self._keep:
            del self._acknowledged[next(iter(self._acknowledged))]

    def ids(self) -> list[str]:
        """All that are known, for a checkpoint, in the order of their use."""
        return [*self._acknowledged, *self._waiting]

    def load(self, ids: Iterable[str]) -> None:
        """Of a checkpoint: its ids were acknowledged, or will be when they come again."""
        self._acknowledged, self._waiting = dict.fromkeys(ids), {}
