"""Groups of rollouts: members come in any order, and a group is released when all of them are there.

What never becomes whole is released with what it has, or dropped, when it is too old or too much is held.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .records import Refusal, Sample


@dataclass(frozen=True)
class GroupOptions:
    group_size: int = 8
    """Of groups whose samples do not say it."""
    min_members: int = 2
    """Members with a reward that an incomplete group needs in order to be released."""
    age_s_max: float = 1_800.0
    """Seconds after its first member at which a group is closed as it is."""
    open_groups_max: int = 1_024
    held_samples_max: int = 16_384
    held_tokens_max: int = 256 * 2**20
    """Above any of these the oldest group is closed as it is."""
    closed_groups_max: int = 16_384
    """Closed groups whose ids are remembered, so that what comes late or twice is known."""


@dataclass(frozen=True)
class Group:
    id: str
    role: str
    members: tuple[Sample, ...]
    """By member index. Those without a reward are among them, refused ones are not."""
    is_complete: bool


@dataclass(frozen=True)
class Dropped:
    """A sample that will never be in a released group; count it and acknowledge it."""

    id: str
    cause: str
    """`incomplete_group`, `late` (its group was closed before), or the code of a refusal."""
    role: str | None
    sampled: int


@dataclass
class Assembled:
    groups: list[Group] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)


class GroupAssembler:
    def __init__(self, options: GroupOptions = GroupOptions()) -> None: ...

    def add(self, member: Sample | Refusal, now: float) -> Assembled:
        """`now` in seconds of any clock that does not go back. A member that is held already is ignored."""
        raise NotImplementedError

    def expire(self, now: float) -> Assembled:
        """Closes what is too old."""
        raise NotImplementedError

    def flush(self) -> Assembled:
        """Closes every group: no further sample will come."""
        raise NotImplementedError

    @property
    def open_groups(self) -> int: raise NotImplementedError

    @property
    def held_samples(self) -> int: raise NotImplementedError
