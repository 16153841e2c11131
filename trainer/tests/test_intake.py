"""From a source to the samples of a step: groups are used or dropped as a whole, each sample once, and a restart at any step goes on
as if it had not been."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from spar_trainer.consumed import Consumed
from spar_trainer.errors import TrainerError
from spar_trainer.intake import CLOSED_GROUPS_KEPT_MAX, Intake, StepSamples
from spar_trainer.quarantine import Quarantine, file_name
from spar_trainer.sources.folder import FolderSource
from spar_trainer.sources.types import RawSample

from .runs import VOCABULARY, write_run
from .training import train_config


async def never() -> bool:
    raise AssertionError("the source of this test is over: there is nothing to wait for")


def intake_of(source: Any, tmp_path: Path, known: Sequence[str] = (), **options: Any) -> Intake:
    config = train_config(**{"samples_per_step": 6, "take_most": 5, **options})
    intake = Intake(source, config, VOCABULARY, Quarantine(tmp_path / "quarantine", config.quarantine_files_max), lambda: 0.0)
    intake.consumed.load(known)
    return intake


async def steps_of(intake: Intake, first: int = 0, most: int = 99) -> list[StepSamples]:
    found = []
    while len(found) < most and (samples := await intake.next_step(first + len(found), never)) is not None:
        intake.done(samples)
        found.append(samples)
    return found


def described(step: StepSamples) -> list[tuple[str, float]]:
    return [(one.sample.id, one.advantage) for one in step.kept]


async def test_every_sample_is_used_or_dropped_once_and_counted(tmp_path: Path) -> None:
    ids = write_run(tmp_path / "run", groups=9, spoiled=(4,), equal=(1,))
    intake = intake_of(FolderSource(tmp_path / "run"), tmp_path)
    steps = await steps_of(intake)
    assert sorted(intake.consumed.ids()) == sorted(ids)
    assert len(intake.consumed.ids()) == len(set(intake.consumed.ids()))
    dropped = intake.drops.by_cause()
    assert dropped["SAMPLE_POISONED"] == 1 and dropped["zero_advantage"] >= 4
    assert sum(len(step.kept) for step in steps) + sum(dropped.values()) == len(ids)
    assert all(len(step.kept) >= 6 for step in steps[:-1])
    groups = [{one.sample.group_id for one in step.kept} for step in steps]
    assert sum(map(len, groups)) == len(set().union(*groups)), "a group is in one step only"
    [file] = (tmp_path / "quarantine").glob("*.json")
    kept = json.loads(file.read_text())
    assert kept["code"] == "SAMPLE_POISONED" and kept["record_bytes"] == 7 and kept["record"] == "wWJyb2tlbg=="


@pytest.mark.parametrize("options", [{}, {"groups_per_step": 2}, {"take_most": 100}])
async def test_after_a_restart_at_any_step_the_same_steps_follow(tmp_path: Path, options: dict[str, Any]) -> None:
    write_run(tmp_path / "run", groups=11, spoiled=(3, 7), equal=(1, 6), seed=5)
    whole = await steps_of(intake_of(FolderSource(tmp_path / "run"), tmp_path, **options))
    assert len(whole) >= 4
    for stop in range(len(whole)):
        first = intake_of(FolderSource(tmp_path / "run"), tmp_path, **options)
        before = await steps_of(first, most=stop)
        known = first.consumed.ids()
        second = intake_of(FolderSource(tmp_path / "run", known=known), tmp_path, known, **options)
        after = await steps_of(second, first=stop)
        assert [described(step) for step in before + after] == [described(step) for step in whole], f"stopped after {stop}"
        assert sorted(second.consumed.ids()) == sorted({*second.consumed.ids()})


class Memory:
    """A source that gives what it is told to, and says what was acknowledged."""

    def __init__(self, *batches: list[RawSample]) -> None:
        self.batches = list(batches)
        self.acknowledged: list[str] = []

    async def take(self, most: int, wait_s: float) -> list[RawSample]:
        return self.batches.pop(0) if self.batches else []

    async def acknowledge(self, ids: Sequence[str]) -> None:
        self.acknowledged += ids

    @property
    def is_over(self) -> bool:
        return not self.batches

    async def close(self) -> None: ...


async def all_raw(folder: Path) -> list[RawSample]:
    return await FolderSource(folder).take(1_000, 0)


async def test_what_comes_again_is_used_once_and_acknowledged_when_a_checkpoint_holds_it(tmp_path: Path) -> None:
    write_run(tmp_path / "run", groups=4, breakers=False)
    raw = await all_raw(tmp_path / "run")
    source = Memory(raw, raw, raw[:3])
    intake = intake_of(source, tmp_path, known=[raw[0].id], group_members_min=2)
    await steps_of(intake)
    assert sorted(intake.consumed.ids()) == sorted(one.id for one in raw)
    assert source.acknowledged == [raw[0].id] * 3, "the others are in no checkpoint yet"


async def test_a_refused_member_waits_for_its_group(tmp_path: Path) -> None:
    """Else a restart would find the group without it, and wait for a member that does not come."""
    write_run(tmp_path / "run", groups=1, members=8, breakers=False, spoiled=(0,))
    raw = await all_raw(tmp_path / "run")
    broken = [one for one in raw if one.record == b"\xc1broken"]
    intake = intake_of(Memory(broken, [], [one for one in raw if one not in broken]), tmp_path)
    waited = []

    async def on_wait() -> bool:
        waited.append((intake.consumed.ids(), intake.drops.by_cause()))
        return True

    step = await intake.next_step(0, on_wait)
    assert waited == [([], {})]
    assert step is not None and len(step.kept) == 7 and len(step.ids) == len(raw)


@pytest.mark.parametrize("first", [1, 3], ids=["dropped", "used"])
async def test_who_comes_late_for_a_group_is_late_after_a_restart_too(tmp_path: Path, first: int) -> None:
    write_run(tmp_path / "run", groups=1, members=6, breakers=False, equal=())
    raw = sorted(await all_raw(tmp_path / "run"), key=lambda one: one.id)
    before = intake_of(Memory(raw[:first]), tmp_path)
    assert len(await steps_of(before)) == (first > 1)
    after = intake_of(Memory(raw[first:]), tmp_path, known=before.consumed.ids())
    after.load_closed_groups(before.closed_groups())
    assert await steps_of(after) == [] and after.drops.by_cause() == {"late_for_group": 6 - first}


def test_closed_groups_are_forgotten_from_the_oldest_on(tmp_path: Path) -> None:
    intake = intake_of(Memory([]), tmp_path)
    intake.load_closed_groups([f"g{index}" for index in range(CLOSED_GROUPS_KEPT_MAX + 2)])
    assert len(intake.closed_groups()) == CLOSED_GROUPS_KEPT_MAX and intake.closed_groups()[0] == "g2"


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"roles": "breaker"}, "role_not_trained"), ({"temperature": 0.7}, "other_temperature"), ({"max_context": 16}, "too_long"),
        ({"max_age": 3}, "stale"), ({"unversioned": "refuse"}, "unknown_version"), ({}, "other_sampling"),
    ],
)
async def test_what_is_dropped_has_a_cause(tmp_path: Path, options: dict[str, Any], cause: str) -> None:
    write_run(tmp_path / "run", groups=2, breakers=False, version="v7" if cause == "unknown_version" else "step-0", top_p=0.9 if cause == "other_sampling" else 1.0)
    intake = intake_of(FolderSource(tmp_path / "run"), tmp_path, **options)
    samples = await intake.next_step(4, never)
    if samples is not None:
        intake.done(samples)
    assert intake.drops.by_cause().get(cause, 0) > 0


async def test_versions_of_no_trainer_can_be_taken_as_fresh(tmp_path: Path) -> None:
    write_run(tmp_path / "run", groups=2, breakers=False, version="v7")
    intake = intake_of(FolderSource(tmp_path / "run"), tmp_path, unversioned="fresh")
    step = await intake.next_step(4, never)
    assert step is not None and {version for one in step.kept for segment in one.sample.segments for version, _ in segment.versions} == {"step-4"}


class Bounded(Memory):
    """Holds `most` samples that are not acknowledged, as a stream does."""

    def __init__(self, raw: list[RawSample], most: int) -> None:
        super().__init__(raw)
        self.most, self.given = most, 0

    async def take(self, most: int, wait_s: float) -> list[RawSample]:
        taken = self.batches[0][self.given : len(self.acknowledged) + self.most]
        self.given += len(taken)
        return taken

    @property
    def is_full(self) -> bool:
        return self.given == len(self.acknowledged) + self.most

    @property
    def is_over(self) -> bool:
        return len(self.acknowledged) == len(self.batches[0])


@pytest.mark.parametrize(("groups_of", "most", "steps"), [(4, 8, 4), (8, 5, 4)], ids=["a step is larger", "a group is larger"])
async def test_a_source_that_may_not_hold_a_step_gives_smaller_ones(tmp_path: Path, groups_of: int, most: int, steps: int) -> None:
    write_run(tmp_path / "run", groups=32 // groups_of, members=groups_of, breakers=False)
    source = Bounded(await all_raw(tmp_path / "run"), most)
    intake = intake_of(source, tmp_path, samples_per_step=64)

    async def acknowledge() -> bool:
        assert intake.consumed.waiting(), "nothing is waited for that cannot come"
        waiting = intake.consumed.waiting()
        await source.acknowledge(waiting)
        intake.consumed.acknowledge(waiting)
        return True

    found = []
    while (step := await intake.next_step(0, acknowledge)) is not None:
        intake.done(step)
        found.append(step)
    assert len(found) >= steps and sorted(source.acknowledged) == sorted(one.id for one in source.batches[0])


async def test_a_full_source_without_any_group_is_told(tmp_path: Path) -> None:
    write_run(tmp_path / "run", groups=1, breakers=False)
    with pytest.raises(TrainerError, match="--samples-per-step") as error:
        await intake_of(Bounded(await all_raw(tmp_path / "run"), 0), tmp_path).next_step(0, never)
    assert error.value.code == "SOURCE_FULL"


async def test_waiting_can_be_ended_and_nothing_was_consumed(tmp_path: Path) -> None:
    write_run(tmp_path / "run", groups=1, breakers=False, is_over=False)
    intake = intake_of(FolderSource(tmp_path / "run", poll_s=0.01), tmp_path)

    async def enough() -> bool:
        return False

    assert await intake.next_step(0, enough) is None and intake.consumed.ids() == []


def test_acknowledged_ids_are_forgotten_from_the_oldest_on() -> None:
    consumed = Consumed(keep=3)
    consumed.add(f"s{index}" for index in range(6))
    assert len(consumed.ids()) == 6, "nothing is forgotten before it is acknowledged"
    consumed.acknowledge(consumed.waiting())
    assert consumed.ids() == ["s3", "s4", "s5"] and "s0" not in consumed and consumed.waiting() == []


async def test_the_quarantine_is_bounded_and_its_names_are_harmless(tmp_path: Path) -> None:
    write_run(tmp_path / "run", groups=5, breakers=False, spoiled=(0, 1, 2, 3, 4))
    await steps_of(intake_of(FolderSource(tmp_path / "run"), tmp_path, quarantine_files_max=2))
    assert len(list((tmp_path / "quarantine").iterdir())) == 2
    assert "/" not in file_name("../../x") and not file_name("..").startswith(".") and file_name("a/b") != file_name("a-b") and len(file_name("x" * 5_000)) < 120
