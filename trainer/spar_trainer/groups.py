"""Groups of rollouts: members come in any order, and a group is released when all of them are there.

What never becomes whole is closed as it is when it is too old or too much is held: released where enough of it can be compared,
dropped and counted where not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
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
    """Members of open groups, with the ids of refused ones."""
    held_tokens_max: int = 256 * 2**20
    """Tokens of these members. Above any of the three limits the oldest group is closed as it is."""
    closed_groups_max: int = 16_384
    """Closed groups that are remembered with the ids of their members, so that what comes late or again is known."""


@dataclass(frozen=True)
class Group:
    id: str
    role: str
    members: tuple[Sample, ...]
    """By member index. Those without a reward are among them, refused ones are not."""
    is_complete: bool


@dataclass(frozen=True)
class Dropped:
    """A sample that will never be in a released group: count it and acknowledge it."""

    id: str
    cause: str
    """`incomplete_group`, `late_for_group` (it was closed before), or the code of a refusal."""
    role: str | None
    sampled: int


@dataclass
class Assembled:
    groups: list[Group] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    """Ids of groups that wait for nobody any more: those released, those dropped, one whose members were all refused, and that of
    who came late."""
    given_up: list[str] = field(default_factory=list)
    """Those among them that were dropped before they were whole: further members may come."""


@dataclass
class _OpenGroup:
    id: str
    role: str
    size: int
    since: float
    arrived: set[str] = field(default_factory=set)
    """Ids of members, refused ones too."""
    members: list[Sample] = field(default_factory=list)
    tokens: int = 0


class GroupAssembler:
    """Holds what `open_groups_max`, `held_samples_max` and `held_tokens_max` allow, and one sample more at most."""

    def __init__(self, options: GroupOptions = GroupOptions()) -> None:
        self._options = options
        self._open: OrderedDict[str, _OpenGroup] = OrderedDict()
        self._closed: OrderedDict[str, set[str]] = OrderedDict()
        self._held_samples = 0
        self._held_tokens = 0

    @property
    def open_groups(self) -> int:
        return len(self._open)

    @property
    def held_samples(self) -> int:
        return self._held_samples

    @property
    def held_tokens(self) -> int:
        return self._held_tokens

    def add(self, member: Sample | Refusal, now: float) -> Assembled:
        """`now` in seconds of any clock that does not go back. A member that was there already is ignored, also once its group is
        closed: a source may give it again."""
        done = self.expire(now)
        if isinstance(member, Refusal):
            done.dropped.append(Dropped(member.id, member.code, member.role, 0))
        if member.group_id is None or member.role is None:
            return done
        if member.group_id in self._closed:
            done.closed.append(member.group_id)
            if isinstance(member, Sample) and member.id not in self._closed[member.group_id]:
                done.dropped.append(Dropped(member.id, "late_for_group", member.role, member.sampled))
            return done
        group = self._group_of(member, now)
        if member.id not in group.arrived:
            self._take(group, member)
        if len(group.arrived) >= group.size:
            self._close(group, done, is_complete=True)
        while self._holds_too_much():
            self._close(next(iter(self._open.values())), done, is_complete=False)
        return done

    def remember(self, closed: Iterable[str]) -> None:
        """Groups that an earlier process closed: whoever comes now is late."""
        self._closed.update((id, set()) for id in closed)

    def expire(self, now: float) -> Assembled:
        """Closes what is too old."""
        done = Assembled()
        while self._open and now - (oldest := next(iter(self._open.values()))).since > self._options.age_s_max:
            self._close(oldest, done, is_complete=False)
        return done

    def close_oldest(self) -> Assembled:
        done = Assembled()
        if self._open:
            self._close(next(iter(self._open.values())), done, is_complete=False)
        return done

    def flush(self) -> Assembled:
        """Closes every group: no further sample will come."""
        done = Assembled()
        for group in list(self._open.values()):
            self._close(group, done, is_complete=False)
        return done

    def _group_of(self, member: Sample | Refusal, now: float) -> _OpenGroup:
        assert member.group_id is not None and member.role is not None
        group = self._open.get(member.group_id)
        if group is None:
            group = self._open[member.group_id] = _OpenGroup(member.group_id, member.role, member.group_size or self._options.group_size, now)
        return group

    def _take(self, group: _OpenGroup, member: Sample | Refusal) -> None:
        group.arrived.add(member.id)
        self._held_samples += 1
        if isinstance(member, Sample):
            group.members.append(member)
            group.tokens += member.tokens
            self._held_tokens += member.tokens

    def _holds_too_much(self) -> bool:
        options = self._options
        return len(self._open) > options.open_groups_max or self._held_samples > options.held_samples_max or self._held_tokens > options.held_tokens_max

    def _close(self, group: _OpenGroup, done: Assembled, is_complete: bool) -> None:
        del self._open[group.id]
        self._held_samples -= len(group.arrived)
        self._held_tokens -= group.tokens
        self._closed[group.id] = group.arrived
        done.closed.append(group.id)
        if len(self._closed) > self._options.closed_groups_max:
            self._closed.popitem(last=False)
        members = tuple(sorted(group.members, key=lambda member: (member.member_index, member.id)))
        rewarded = sum(member.reward is not None for member in members)
        if members and (is_complete or rewarded >= self._options.min_members):
            done.groups.append(Group(group.id, group.role, members, is_complete))
        else:
            done.dropped.extend(Dropped(member.id, "incomplete_group", member.role, member.sampled) for member in members)
            if not is_complete:
                done.given_up.append(group.id)
