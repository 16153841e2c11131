"""Groups in any order of arrival: nothing is lost or counted twice, and every limit holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spar_trainer.groups import Assembled, GroupAssembler, GroupOptions
from spar_trainer.records import Refusal

from .samples import make_sample


def ids(done: Assembled) -> tuple[list[tuple[str, list[int], bool]], list[tuple[str, str]]]:
    return (
        [(group.id, [member.member_index for member in group.members], group.is_complete) for group in done.groups],
        [(one.id, one.cause) for one in done.dropped],
    )


def test_a_group_is_released_when_all_are_there_in_the_order_of_its_members() -> None:
    assembler = GroupAssembler(GroupOptions(group_size=3))
    for member in (2, 0):
        assert ids(assembler.add(make_sample(member), 0)) == ([], [])
    assert ids(assembler.add(make_sample(0), 0)) == ([], []), "the same again does not count"
    assert ids(assembler.add(make_sample(1, reward=None), 0)) == ([("r1/solver/g", [0, 1, 2], True)], [])
    assert (assembler.open_groups, assembler.held_samples, assembler.held_tokens) == (0, 0, 0)


def test_the_samples_own_size_comes_before_the_option() -> None:
    assembler = GroupAssembler(GroupOptions(group_size=8))
    assert ids(assembler.add(make_sample(0, group_size=1), 0))[0] == [("r1/solver/g", [0], True)]


def test_runs_and_roles_do_not_mix() -> None:
    assembler = GroupAssembler(GroupOptions(group_size=2))
    assembler.add(make_sample(0), 0)
    other = replace(make_sample(1), id="r2.g.1", group_id="r2/solver/g")
    assert ids(assembler.add(other, 0)) == ([], []) and assembler.open_groups == 2


def test_a_refused_member_completes_its_group_and_is_dropped() -> None:
    assembler = GroupAssembler(GroupOptions(group_size=3))
    assembler.add(make_sample(0), 0)
    assembler.add(make_sample(1), 0)
    refused = Refusal("r1.g.2", "SAMPLE_NAN_LOGPROBS", "why", "solver", "r1/solver/g", 3, 2)
    assert ids(assembler.add(refused, 0)) == ([("r1/solver/g", [0, 1], True)], [("r1.g.2", "SAMPLE_NAN_LOGPROBS")])
    late = assembler.add(Refusal("r1.g.3", "SAMPLE_MASK", "why", "solver", "r1/solver/g", 3, 3), 0)
    assert (ids(late), late.closed) == (([], [("r1.g.3", "SAMPLE_MASK")]), ["r1/solver/g"])
    assert ids(assembler.add(Refusal("x", "SAMPLE_LINE", "why"), 0)) == ([], [("x", "SAMPLE_LINE")]), "of no group"


def test_a_group_of_refused_members_is_closed_and_not_released() -> None:
    assembler = GroupAssembler(GroupOptions(group_size=1))
    done = assembler.add(Refusal("r1.g.0", "SAMPLE_MASK", "why", "solver", "r1/solver/g", 1, 0), 0)
    assert (ids(done), done.closed) == (([], [("r1.g.0", "SAMPLE_MASK")]), ["r1/solver/g"])


def test_an_old_group_is_released_with_enough_rewards_and_dropped_with_too_few() -> None:
    assembler = GroupAssembler(GroupOptions(group_size=4, min_members=2, age_s_max=60))
    assembler.add(make_sample(0, group="a"), 0)
    assembler.add(make_sample(1, group="a"), 50)
    assembler.add(make_sample(0, group="b"), 1)
    assembler.add(make_sample(1, group="b", reward=None), 1)
    assert ids(assembler.expire(60)) == ([], [])
    assert ids(assembler.expire(60.5)) == ([("r1/solver/a", [0, 1], False)], [])
    done = assembler.expire(61.5)
    assert ids(done) == ([], [("r1.b.0", "incomplete_group"), ("r1.b.1", "incomplete_group")]) and done.closed == ["r1/solver/b"]


def test_who_comes_after_its_group_is_dropped_but_who_was_in_it_is_not() -> None:
    assembler = GroupAssembler(GroupOptions(group_size=4))
    assembler.add(make_sample(0), 0)
    assembler.add(make_sample(1), 0)
    assert ids(assembler.flush())[0] == [("r1/solver/g", [0, 1], False)]
    assert ids(assembler.add(make_sample(1), 0)) == ([], []), "it was given again"
    assert ids(assembler.add(make_sample(2), 0)) == ([], [("r1.g.2", "late_for_group")])


@pytest.mark.parametrize("limits", [{"open_groups_max": 2}, {"held_samples_max": 2}, {"held_tokens_max": 8}])
def test_above_a_limit_the_oldest_group_is_closed(limits: dict[str, int]) -> None:
    assembler = GroupAssembler(GroupOptions(min_members=1, **limits))
    assembler.add(make_sample(0, group="a"), 0)
    assembler.add(make_sample(0, group="b"), 0)
    assert ids(assembler.add(make_sample(0, group="c"), 0))[0] == [("r1/solver/a", [0], False)]
    assert assembler.open_groups == 2


def test_refused_members_count_for_the_limit() -> None:
    assembler = GroupAssembler(GroupOptions(held_samples_max=2))
    for member in range(3):
        done = assembler.add(Refusal(f"r1.g.{member}", "SAMPLE_MASK", "why", "solver", "r1/solver/g", 2**50, member), 0)
    assert done.closed == ["r1/solver/g"] and assembler.held_samples == 0


def test_the_memory_of_closed_groups_is_bounded() -> None:
    assembler = GroupAssembler(GroupOptions(group_size=1, closed_groups_max=2))
    for group in "abc":
        assembler.add(make_sample(0, group=group), 0)
    assert ids(assembler.add(make_sample(1, group="b"), 0))[1] == [("r1.b.1", "late_for_group")]
    assert ids(assembler.add(make_sample(1, group="a"), 0))[0] == [("r1/solver/a", [1], True)], "forgotten: a new group"


@settings(max_examples=150, deadline=None)
@given(
    arrivals=st.permutations([(group, member) for group in range(4) for member in range(4)]),
    again=st.lists(st.integers(0, 15), max_size=6), size=st.integers(1, 5), limit=st.integers(1, 16), step=st.floats(0, 20),
)
def test_every_sample_comes_out_exactly_once(arrivals: list[tuple[int, int]], again: list[int], size: int, limit: int, step: float) -> None:
    options = GroupOptions(group_size=size, held_samples_max=limit, open_groups_max=3, age_s_max=60)
    assembler = GroupAssembler(options)
    out: list[str] = []

    def collect(done: Assembled) -> None:
        for group in done.groups:
            assert group.is_complete or len(group.members) >= options.min_members
            assert len(group.members) <= size and {member.group_id for member in group.members} == {group.id}
            out.extend(member.id for member in group.members)
        out.extend(one.id for one in done.dropped)
        assert assembler.held_samples <= limit and assembler.open_groups <= 3

    stream = [*arrivals]
    for index, at in enumerate(again):
        stream.insert(at + index, stream[at])
    late: set[str] = set()
    for index, (group, member) in enumerate(stream):
        sample = make_sample(member, group=str(group))
        done = assembler.add(sample, index * step)
        done.dropped = [one for one in done.dropped if one.cause != "late_for_group" or one.id not in late and not late.add(one.id)]
        collect(done)
    collect(assembler.flush())
    assert sorted(out) == sorted(make_sample(member, group=str(group)).id for group, member in arrivals)
    assert (assembler.open_groups, assembler.held_samples, assembler.held_tokens) == (0, 0, 0)
