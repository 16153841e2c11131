"""From a source to the samples of a step: read, grouped, compared with their group, filtered.

A group is the unit: all of its members are used in the same step or dropped, so what a restart finds is whole groups. A sample
is *consumed* when a step that it was used in is done, or when it was dropped and counted; until then the source will give it again, and
what is held here (open groups, refused members of them, groups that wait for a step) is in no checkpoint. With a source that gives
the same samples in the same order, as a folder does, a run that was killed takes the same steps as one that was not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from .advantages import GroupAdvantageOptions, group_advantages
from .config import TrainConfig
from .consumed import Consumed
from .errors import TrainerError
from .figures import Figures
from .filters import DropCounter, FilterOptions, drop_cause, is_zero_advantage, oldest_step
from .groups import Assembled, Dropped, Group, GroupAssembler, GroupOptions
from .quarantine import Quarantine
from .records import RecordLimits, Refusal, Sample, read_sample
from .sources.types import RawSample, SampleSource

WAIT_SECONDS = 1.0
"""That a source is asked to wait at a time: how soon a signal to stop is seen."""
TEMPERATURE_TOLERANCE = 1e-6
CLOSED_GROUPS_KEPT_MAX = 4_096
"""Groups that a checkpoint names as closed before they were whole, the last ones: what comes late for them forms no group of its own."""


@dataclass(frozen=True)
class Kept:
    """A sample with a loss. `advantage` is its group's; PPO takes its own over tokens."""

    sample: Sample
    advantage: float


@dataclass
class StepSamples:
    kept: list[Kept] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """Of all members of its groups, with those that were dropped."""
    dropped: list[Dropped] = field(default_factory=list)
    groups: int = 0
    """With a loss."""
    incomplete: list[str] = field(default_factory=list)
    """Ids of those that were closed before they were whole."""


class Intake:
    def __init__(
        self, source: SampleSource, config: TrainConfig, vocabulary: int, quarantine: Quarantine, clock: Callable[[], float]
    ) -> None:
        """`clock`: seconds that do not go back."""
        self._source = source
        self._config = config
        self._quarantine = quarantine
        self._clock = clock
        self._limits = RecordLimits(vocabulary=vocabulary)
        self._filters = FilterOptions(
            max_age_solver=config.max_age.solver, max_age_breaker=config.max_age.breaker,
            vocabulary=vocabulary if config.gibberish else None, segment_tokens_max=config.max_context,
        )
        self._assembler = GroupAssembler(GroupOptions(config.group_size, config.group_members_min, config.group_age))
        self._ready: deque[Group] = deque()
        self._refused: dict[str, list[Dropped]] = {}
        """By group: consumed with it, or a restart would wait for members that do not come again."""
        self._held: set[str] = set()
        self._closed_early: dict[str, None] = {}
        """Incomplete groups whose members are all consumed."""
        self._is_over = False
        self.consumed = Consumed(config.consumed_ids_kept if config.source == ("nats",) else None)
        self.drops = DropCounter()
        self.figures = Figures()
        """Of all groups that were looked at since `take_figures`, with a loss or not."""

    @property
    def waiting_groups(self) -> int:
        """Open ones and those that are whole and wait for a step."""
        return self._assembler.open_groups + len(self._ready)

    def closed_groups(self) -> list[str]:
        """For a checkpoint."""
        return list(self._closed_early)

    def load_closed_groups(self, ids: Sequence[str]) -> None:
        """Of a checkpoint."""
        self._assembler.remember(ids)
        self._note_closed(ids)

    def _note_closed(self, ids: Iterable[str]) -> None:
        self._closed_early.update(dict.fromkeys(ids))
        while len(self._closed_early) > CLOSED_GROUPS_KEPT_MAX:
            del self._closed_early[next(iter(self._closed_early))]

    def take_figures(self) -> Figures:
        taken, self.figures = self.figures, Figures()
        return taken

    async def next_step(self, step: int, on_wait: Callable[[], Awaitable[bool]]) -> StepSamples | None:
        """Samples for the step that follows the weights of `step`, or None: the source is over, or `on_wait`, which is called each
        time that the source had nothing, says that enough was waited. The last step of a source may be smaller than the others, and so is one that the source may not
        hold enough for. Raises TrainerError SOURCE_FULL."""
        found = StepSamples()
        while not self._is_enough(found):
            if self._ready:
                self._use(self._ready.popleft(), step, found)
            elif self._is_over:
                return found if found.kept else None
            elif not await self._take() and not self._is_over:
                if self._is_stuck:
                    if found.kept:
                        return found
                    self._make_room()
                elif not await on_wait():
                    return None
        return found

    @property
    def _is_stuck(self) -> bool:
        """The source gives no more before something is acknowledged, and there is nothing to acknowledge."""
        return getattr(self._source, "is_full", False) and not self._ready and not self.consumed.waiting()

    def _make_room(self) -> None:
        """The oldest group will not become whole: its members to come have no room."""
        if not self._assembler.open_groups:
            raise TrainerError("SOURCE_FULL", "Cannot make a step: the source holds all that it may, and there is no group to close. Let it hold more (held_count_max, held_bytes_max), or lower --samples-per-step")
        self._settle(self._assembler.close_oldest())

    def done(self, used: StepSamples) -> None:
        """The step was made, or skipped for its loss: its samples are consumed."""
        self.consumed.add(used.ids)
        self._note_closed(used.incomplete)
        self._held.difference_update(used.ids)
        for one in used.dropped:
            self.drops.add(one.cause, one.role, one.sampled)

    def _is_enough(self, found: StepSamples) -> bool:
        by_groups = self._config.groups_per_step
        return found.groups >= by_groups if by_groups else len(found.kept) >= self._config.samples_per_step

    async def _take(self) -> bool:
        taken = await self._source.take(self._config.take_most, WAIT_SECONDS)
        known = [raw.id for raw in taken if self.consumed.is_acknowledged(raw.id)]
        if known:
            await self._source.acknowledge(known)
        for raw in taken:
            if raw.id not in self.consumed and raw.id not in self._held:
                self._add(raw)
        if not taken:
            self._settle(self._assembler.flush() if self._source.is_over else self._assembler.expire(self._clock()))
            self._is_over = self._source.is_over
        return bool(taken)

    def _add(self, raw: RawSample) -> None:
        self._held.add(raw.id)
        read = read_sample(raw, self._limits)
        if isinstance(read, Refusal):
            self._quarantine.keep(raw, read)
            if read.group_id is not None:
                self._refused.setdefault(read.group_id, []).append(Dropped(read.id, read.code, read.role, 0))
        done = self._assembler.add(read, self._clock())
        if isinstance(read, Refusal) and read.group_id is not None:
            done.dropped = [one for one in done.dropped if one.id != read.id]
        self._settle(done)

    def _settle(self, done: Assembled) -> None:
        self._ready.extend(done.groups)
        self._drop(done.dropped)
        self._note_closed(done.given_up)
        waiting = {group.id for group in self._ready}
        for closed in done.closed:
            if closed not in waiting:
                self._drop(self._refused.pop(closed, []))

    def _drop(self, dropped: list[Dropped]) -> None:
        for one in dropped:
            self.drops.add(one.cause, one.role, one.sampled)
        ids = [one.id for one in dropped]
        self.consumed.add(ids)
        self._held.difference_update(ids)

    def _use(self, group: Group, step: int, found: StepSamples) -> None:
        """Into the step, or, where nothing of the group has a loss, out of the way at once."""
        self.figures.see(group)
        kept, dropped = self._judge(group, step)
        refused = self._refused.pop(group.id, [])
        incomplete = [] if group.is_complete else [group.id]
        if not kept:
            self._drop(dropped + refused)
            self._note_closed(incomplete)
            return
        found.kept.extend(kept)
        found.dropped.extend(dropped + refused)
        found.ids.extend([*(member.id for member in group.members), *(one.id for one in refused)])
        found.incomplete.extend(incomplete)
        found.groups += 1
        for one in kept:
            self.figures.use(one.sample, step)

    def _judge(self, group: Group, step: int) -> tuple[list[Kept], list[Dropped]]:
        """Advantages first: what is dropped was played all the same, and moves the mean."""
        options = GroupAdvantageOptions(self._config.baseline, self._config.scale)  # type: ignore[arg-type]
        advantages = group_advantages([member.reward for member in group.members], [member.sampled for member in group.members], options)
        kept, dropped = [], []
        for member, advantage in zip(group.members, advantages):
            sample = self._versioned(member, step)
            cause = self._cause(sample, advantage, step)
            if cause is None:
                kept.append(Kept(sample, advantage or 0.0))
            else:
                dropped.append(Dropped(member.id, cause, member.role, member.sampled))
        return kept, dropped

    def _cause(self, sample: Sample, advantage: float | None, step: int) -> str | None:
        config = self._config
        if config.roles not in ("both", sample.role):
            return "role_not_trained"
        cause = drop_cause(sample, step, self._filters)
        if cause is not None:
            return cause
        if sample.temperature is not None and abs(sample.temperature - config.temperature) > TEMPERATURE_TOLERANCE:
            return "other_temperature"
        if sample.other_sampling is not None:
            return "other_sampling"
        return "zero_advantage" if config.algorithm == "grpo" and is_zero_advantage(advantage or 0.0) else None

    def _versioned(self, sample: Sample, step: int) -> Sample:
        """With `--unversioned fresh`, tokens of versions that are no trainer's count as drawn by the weights of this step."""
        if self._config.unversioned != "fresh" or not sample.segments or oldest_step(sample) is not None:
            return sample
        segments = tuple(replace(segment, versions=((f"step-{step}", len(segment.token_ids)),)) for segment in sample.segments)
        return replace(sample, segments=segments)
